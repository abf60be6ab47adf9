"""Which reference a write broke. SQLite says `FOREIGN KEY constraint failed` and no more; a caller wants to
know the field.

In: the writer's connection right after the failure, and the command that failed. Out: a `Problem` with
`details` `{"kind": "missing" | "needed", "table", "columns", "references"}`, and `row` where one of many
values broke it. Only the failure path comes here.

The way: run the command once more in a savepoint with the check put off to the commit, look at what it
changed, take it back. A look at a whole table is cut off after some milliseconds; then the problem names no
field.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence

import apsw
import msgspec

from pellucid.db.database import Command, Value
from pellucid.errors import FOREIGN_KEY_VIOLATION, Problem

__all__ = ["broken_reference", "dangling_reference"]

_PATIENCE = 0.02
_MOST_VALUES = 20_000
_MOST_CHANGES = 1000
_TARGET = re.compile(
    r"\b(?:INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM)\s+(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>\w+))",
    re.IGNORECASE,
)

Change = tuple[str, int, int | None]  # table, rowid, which of many values


class Reference(msgspec.Struct, frozen=True):
    """A foreign key: the columns of `child` that point to columns of `parent`."""

    child: str
    parent: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    restricts: bool

    def dangles(self, db: apsw.Connection, rowid: int | None = None) -> bool:
        """Whether this row of the child, or any, points to nothing."""
        pairs = list(zip(self.columns, self.targets, strict=True))
        given = " AND ".join(f"c.{_quote(column)} IS NOT NULL" for column, _ in pairs)
        same = " AND ".join(f"p.{_quote(target)} = c.{_quote(column)}" for column, target in pairs)
        one = "" if rowid is None else "c.rowid = ? AND "
        text = (
            f"SELECT 1 FROM {_quote(self.child)} AS c WHERE {one}{given} "  # noqa: S608 - names from the schema, quoted
            f"AND NOT EXISTS (SELECT 1 FROM {_quote(self.parent)} AS p WHERE {same}) LIMIT 1"
        )
        return bool(db.execute(text, () if rowid is None else (rowid,)).fetchall())

    def points_to(self, db: apsw.Connection, values: Sequence[Value]) -> bool:
        """Whether a row of the child has one of these values."""
        if len(self.columns) != 1 or not values:
            return False
        marks = ", ".join("?" for _ in values)
        text = f"SELECT 1 FROM {_quote(self.child)} WHERE {_quote(self.columns[0])} IN ({marks}) LIMIT 1"  # noqa: S608 - as above
        return bool(db.execute(text, values).fetchall())

    def problem(self, kind: str, row: int | None = None) -> Problem:
        """What to tell the caller."""
        fields = " and ".join(f"{self.child}.{column}" for column in self.columns)
        if kind == "missing":
            key = "this key" if len(self.columns) == 1 else "these values"
            said = f"{fields}: there is no row in {self.parent} with {key}"
            hint = None
        else:
            said = f"a row of {self.parent} is still needed by {fields}"
            hint = f"change or delete the rows of {self.child} that point to it first"
        details: dict[str, object] = {
            "kind": kind,
            "table": self.child,
            "columns": list(self.columns),
            "references": self.parent,
        }
        if row is not None:
            details["row"] = row
        return Problem(FOREIGN_KEY_VIOLATION, said, hint=hint, details=details)


def broken_reference(db: apsw.Connection, command: Command, limit: Callable[[float], None]) -> Problem:
    """The problem of a command that failed a foreign key; leaves the transaction as it was. `limit` sets the
    deadline of what runs on `db`.
    """
    problem: Problem | None = None
    try:
        db.execute("SAVEPOINT probe")
        db.pragma("defer_foreign_keys", True)
        try:
            changes, removed, refused = _repeat(db, command)
            limit(time.monotonic() + _PATIENCE)
            problem = _missing(db, changes) or _needed(db, command, removed or _target(command.text), refused)
        finally:
            limit(float("inf"))
            db.execute("ROLLBACK TO probe")
            db.execute("RELEASE probe")
            db.pragma("defer_foreign_keys", False)
    except apsw.Error:  # a second failure on the way: the first one is what counts
        pass
    return problem or Problem(FOREIGN_KEY_VIOLATION)


def dangling_reference(db: apsw.Connection, limit: Callable[[float], None]) -> Problem:
    """The problem of a script that ends with a deferred reference still broken."""
    try:
        limit(time.monotonic() + _PATIENCE)
        for table, _, parent, key in db.execute("PRAGMA foreign_key_check"):
            for number, reference in _references(db):
                if number == key and reference.child == table and reference.parent == parent:
                    return reference.problem("missing")
    except apsw.Error:
        pass
    finally:
        limit(float("inf"))
    return Problem(FOREIGN_KEY_VIOLATION)


def _repeat(db: apsw.Connection, command: Command) -> tuple[list[Change], str | None, bool]:
    """The rows that the command writes, the table that it takes rows from, and whether it was refused again."""
    refused = False
    changes: list[Change] = []
    removed: list[str] = []
    row: int | None = None

    def note(kind: int, _database: str, table: str, rowid: int) -> None:
        if kind == apsw.SQLITE_DELETE:
            removed[:] = removed or [table]
        elif len(changes) < _MOST_CHANGES:
            changes.append((table, rowid, row))

    db.set_update_hook(note)
    try:
        if command.many is None:
            db.execute(command.text, command.values).fetchall()
        else:
            for place, values in enumerate(command.many[:_MOST_VALUES]):
                row = place
                changes.clear()
                db.execute(command.text, values).fetchall()
                if db.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
                    break
    except apsw.ConstraintError:  # ON DELETE RESTRICT does not wait for the commit
        refused = True
    finally:
        db.set_update_hook(None)
    return changes, removed[0] if removed else None, refused


def _missing(db: apsw.Connection, changes: list[Change]) -> Problem | None:
    references = list(_references(db))
    for table, rowid, row in changes:
        for _, reference in references:
            if reference.child == table and reference.dangles(db, rowid):
                return reference.problem("missing", row)
    return None


def _needed(db: apsw.Connection, command: Command, table: str | None, refused: bool) -> Problem | None:
    """Who still points to the rows of `table` that the command takes away.

    Where they could be taken away in the probe, someone points to nothing now. Where a reference restricts,
    they could not: then it is the only reference that does, or the one that points to a value which the
    command was given.
    """
    candidates = [reference for _, reference in _references(db) if reference.parent == table]
    if not refused:
        found = next((reference for reference in candidates if reference.dangles(db)), None)
    else:
        candidates = [reference for reference in candidates if reference.restricts]
        found = candidates[0] if len(candidates) == 1 else None
        found = found or next(
            (reference for reference in candidates if reference.points_to(db, command.values)), None
        )
    return found.problem("needed") if found else None


def _target(text: str) -> str | None:
    found = _TARGET.search(text)
    return (found["quoted"] or found["plain"]) if found else None


def _references(db: apsw.Connection) -> Iterator[tuple[int, Reference]]:
    """Every foreign key with its number in its table."""
    rows = db.execute(
        'SELECT t.name, f.id, f."table", f."from", f."to", f.on_delete '
        "FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f "
        "WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq"
    ).fetchall()
    keys: dict[tuple[str, int, str, bool], list[tuple[str, str]]] = {}
    for child, number, parent, column, target, action in rows:
        pair = (str(column), str(target or _primary_key(db, str(parent))))
        keys.setdefault((str(child), int(number or 0), str(parent), action == "RESTRICT"), []).append(pair)
    for (child, number, parent, restricts), pairs in keys.items():
        columns, targets = zip(*pairs, strict=True)
        yield number, Reference(child, parent, columns, targets, restricts)


def _primary_key(db: apsw.Connection, table: str) -> str:
    """What `REFERENCES parent` without a column means."""
    rows = db.execute("SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)).fetchall()
    return str(rows[0][0]) if rows else "rowid"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
