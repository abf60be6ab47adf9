"""SQLite's errors become `Problem`s, once, here.

In: an `apsw.Error` and, where known, the connection and the file. Out: a `Problem` of the 5xx range with
`details` that a program can read: `{"table", "columns"}` for a broken constraint. It runs nothing.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path

import apsw

from pellucid.errors import (
    CHECK_VIOLATION,
    DATABASE_BUSY,
    DATABASE_UNAVAILABLE,
    DISK_FULL,
    FOREIGN_KEY_VIOLATION,
    INTERNAL,
    NOT_NULL_VIOLATION,
    STATEMENT_TIMEOUT,
    UNIQUE_VIOLATION,
    Code,
    Problem,
)

__all__ = ["busy", "closed", "is_reference", "problem_of", "too_long"]

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_CONSTRAINTS: dict[int, Code] = {
    apsw.SQLITE_CONSTRAINT_UNIQUE: UNIQUE_VIOLATION,
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY: UNIQUE_VIOLATION,
    apsw.SQLITE_CONSTRAINT_ROWID: UNIQUE_VIOLATION,
    apsw.SQLITE_CONSTRAINT_NOTNULL: NOT_NULL_VIOLATION,
    apsw.SQLITE_CONSTRAINT_CHECK: CHECK_VIOLATION,
    apsw.SQLITE_CONSTRAINT_DATATYPE: CHECK_VIOLATION,
    apsw.SQLITE_CONSTRAINT_TRIGGER: CHECK_VIOLATION,
}

_UNAVAILABLE: dict[int, str] = {
    apsw.SQLITE_CANTOPEN: "the file cannot be opened",
    apsw.SQLITE_CORRUPT: "the file is damaged",
    apsw.SQLITE_NOTADB: "the file is not a SQLite database",
    apsw.SQLITE_READONLY: "the file can only be read",
    apsw.SQLITE_PERM: "the file may not be opened",
    apsw.SQLITE_AUTH: "the file may not be used so",
    apsw.SQLITE_IOERR: "the disk failed",
    apsw.SQLITE_PROTOCOL: "the file's locks cannot be had",
    apsw.SQLITE_NOMEM: "there is not enough memory",
}

# "UNIQUE constraint failed: city.name, city.country", "UNIQUE constraint failed: index 'city_lower_name'"
_COLUMNS = re.compile(r"failed: (?P<columns>\w+\.\w+(?:, \w+\.\w+)*)")
_INDEX = re.compile(r"failed: index '(?P<index>[^']*)'")
# "CHECK constraint failed: price_positive"
_CHECK = re.compile(r"CHECK constraint failed: (?P<name>.*)", re.DOTALL)
_CHECK_NAME = re.compile(r"(?P<table>\w+)\.(?P<column>\w+)\.check")  # as sql/ddl.py names them
# "cannot store TEXT value in INTEGER column city.population"
_DATATYPE = re.compile(
    r"cannot store (?P<given>\w+) value in (?P<wanted>\w+) column (?P<table>\w+)\.(?P<column>\w+)"
)


def busy(message: str) -> Problem:
    """503 with `Retry-After`: the same request may succeed in a moment."""
    return Problem(DATABASE_BUSY, message, hint="try again in a moment", headers=(("Retry-After", "1"),))


def closed() -> Problem:
    """503: the process is going down."""
    return Problem(DATABASE_UNAVAILABLE, "the database is closed", headers=(("Retry-After", "1"),))


def too_long(seconds: float, what: str = "the statement") -> Problem:
    """503: stopped by our own limit."""
    return Problem(
        STATEMENT_TIMEOUT,
        f"{what} was stopped after {seconds:g} s",
        hint="ask for less, or let an index answer it",
        headers=(("Retry-After", "1"),),
    )


def problem_of(
    error: Exception, db: apsw.Connection | None = None, *, path: Path | None = None, limit: float = 0.0
) -> Problem:
    """The problem that an error of SQLite's is for the caller; `limit` is the time limit that an interruption
    means.
    """
    if isinstance(error, (apsw.ConnectionClosedError, apsw.CursorClosedError)):
        return closed()
    result = getattr(error, "result", 0)
    extended = getattr(error, "extendedresult", 0)
    if result == apsw.SQLITE_CONSTRAINT:
        return _constraint(extended, str(error))
    if result in (apsw.SQLITE_BUSY, apsw.SQLITE_LOCKED):
        return busy("another writer holds the database")
    if result == apsw.SQLITE_INTERRUPT:
        return too_long(limit)
    if result == apsw.SQLITE_FULL or (result == apsw.SQLITE_IOERR and _no_room(extended, db)):
        return Problem(
            DISK_FULL,
            "there is no room left for the database; nothing was written",
            hint="make room, then try again",
        )
    if result in _UNAVAILABLE:
        return Problem(
            DATABASE_UNAVAILABLE,
            f"{path or 'the database'}: {_UNAVAILABLE[result]}",
            headers=(("Retry-After", "5"),),
        )
    if result in (apsw.SQLITE_TOOBIG, apsw.SQLITE_MISMATCH) or isinstance(
        error, (OverflowError, UnicodeEncodeError)
    ):
        return Problem(
            CHECK_VIOLATION,
            "a value does not fit the database",
            hint="integers have 64 bits, texts are Unicode below 1 GB",
        )
    return Problem(INTERNAL, "the database could not run a statement")


def is_reference(message: str) -> bool:
    """Whether an error's message tells of a broken foreign key; its code does not say so where a reference
    restricts.
    """
    return message.startswith("FOREIGN KEY")


def _no_room(extended: int, db: apsw.Connection | None) -> bool:
    return extended == apsw.SQLITE_IOERR_SHMSIZE or (db is not None and db.system_errno in _NO_ROOM)


def _constraint(extended: int, message: str) -> Problem:
    if is_reference(message):
        return Problem(FOREIGN_KEY_VIOLATION)
    code = _CONSTRAINTS.get(extended, CHECK_VIOLATION)
    if found := _CHECK.search(message):
        details: dict[str, object] = {"constraint": found["name"], "columns": []}
        if named := _CHECK_NAME.fullmatch(found["name"]):
            details |= {"table": named["table"], "columns": [named["column"]]}
        return Problem(code, f"the rule {found['name']} does not hold", details=details)
    if found := _COLUMNS.search(message):
        pairs = [part.split(".", 1) for part in found["columns"].split(", ")]
        table, columns = pairs[0][0], [column for _, column in pairs]
        said = {
            UNIQUE_VIOLATION: f"another row of {table} already has this {' and '.join(columns)}",
            NOT_NULL_VIOLATION: f"{table} needs a value for {' and '.join(columns)}",
        }.get(code, "")
        return Problem(code, said, details={"table": table, "columns": columns})
    if found := _INDEX.search(message):
        return Problem(code, "", details={"constraint": found["index"], "columns": []})
    if found := _DATATYPE.search(message):
        return Problem(
            code,
            f"{found['table']}.{found['column']} takes {found['wanted']}, not {found['given']}",
            details={"table": found["table"], "columns": [found["column"]]},
        )
    if extended == apsw.SQLITE_CONSTRAINT_TRIGGER:
        return Problem(code, message.partition(": ")[2] or message)  # the text that the trigger gave to RAISE
    return Problem(code)
