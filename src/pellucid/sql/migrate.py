"""A SQLite file brought up to the models: what differs, how it is changed, and what was changed before.

In: a Catalog and the path of a database. Out: the steps between them, applied in one transaction or not at all. Two
tables of the database remember: `_pellucid_schema` what it was last found to match, `_pellucid_migrations` every
change with the SQL that takes it back. This file and its neighbours run the SQL that they build, since a migration is
about one file that nobody serves meanwhile. Migration files are `sql/migration_files.py`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from textwrap import indent

import apsw
import msgspec

from pellucid.schema.names import collection_name
from pellucid.schema.spec import Catalog
from pellucid.sql.ddl import Table, catalog_tables, create_index, create_table, quote
from pellucid.sql.difference import Rename, Step, Unbridgeable, difference, suspects
from pellucid.sql.introspect import live_tables

__all__ = [
    "MigrationError",
    "Rename",
    "Step",
    "Undecided",
    "creation",
    "declared_renames",
    "matches",
    "pending",
    "plan_steps",
    "planned",
    "reading",
    "record",
    "remember",
    "require_match",
    "run_sql",
    "script",
    "update",
    "writing",
]

BUSY_MS = 5000
"""How long to wait for another program that holds the database."""

_DDL = 1
"""Raised when the same models would be written as other tables, so that every database is looked at again."""

_STATE = """
CREATE TABLE IF NOT EXISTS _pellucid_schema (
  id INTEGER PRIMARY KEY CHECK (id = 1), fingerprint TEXT NOT NULL, cookie INTEGER NOT NULL, tables TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS _pellucid_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, applied TEXT NOT NULL, fingerprint TEXT NOT NULL, sql TEXT NOT NULL,
  reverse TEXT
) STRICT;
"""
_FORBIDDEN = frozenset({apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH})

Place = str | os.PathLike[str]


class MigrationError(Exception):
    """The database cannot be brought up to the models as asked; nothing was changed.

    `steps` are what differs, `renames` what among them may be a rename.
    """

    def __init__(self, message: str, *, steps: Sequence[Step] = (), renames: Sequence[Rename] = ()) -> None:
        super().__init__(message)
        self.steps = tuple(steps)
        self.renames = tuple(renames)


class Undecided(MigrationError):
    """Somebody must say first what is meant: no steps lead from the database to the models as it stands."""


# -- for a start -------------------------------------------------------------------------------------------------------


def creation(catalog: Catalog) -> list[str]:
    """The statements that make every table in an empty database (for one in memory, which has no migrations)."""
    statements: list[str] = []
    for table in catalog_tables(catalog).values():
        statements.append(create_table(table))
        statements += [create_index(table.name, index) for index in sorted(table.indexes, key=lambda index: index.name)]
    return statements


def matches(connection: apsw.Connection, catalog: Catalog) -> bool:
    """Whether this database was found to match the models and no table has changed since: two small reads."""
    try:
        row = connection.execute("SELECT fingerprint, cookie FROM _pellucid_schema").fetchone()
    except apsw.SQLError:
        return False
    return row is not None and row == (_version(catalog), connection.pragma("schema_version"))


def pending(catalog: Catalog, path: Place, renames: Sequence[Rename] = ()) -> list[Step]:
    """The steps from the database to the models; none where they match. Raises `MigrationError` where no steps lead there."""
    return planned(catalog, path, renames)[0]


def planned(catalog: Catalog, path: Place, renames: Sequence[Rename] = ()) -> tuple[list[Step], list[Rename]]:
    """What `pending` gives, and what among the steps may be renames."""
    with reading(path) as connection:
        return ([], []) if matches(connection, catalog) else _live_steps(connection, catalog, renames)


def require_match(catalog: Catalog, path: Place) -> None:
    """Raise `MigrationError`, with the difference in its message, unless the database is as the models say."""
    cure = "run `pellucid migrate make` and `pellucid migrate apply`, or `pellucid dev` while you develop"
    try:
        steps = pending(catalog, path)
    except Undecided as wrong:
        reasons = indent(str(wrong), "  ")
        raise Undecided(f"the database {os.fspath(path)} does not match the models:\n{reasons}\n{cure}") from None
    if steps:
        lines = "\n".join(f"  {step.description}{' (loses data)' if step.destructive else ''}" for step in steps)
        raise MigrationError(
            f"the database {os.fspath(path)} does not match the models; what it needs:\n{lines}\n{cure}", steps=steps
        )
    with reading(path) as connection:
        if matches(connection, catalog):
            return
    if os.access(path, os.W_OK):
        # Another program changed something that is none of our business: look closely once, not at every start.
        with writing(path) as connection:
            remember(connection, catalog)


def update(
    catalog: Catalog, path: Place, *, renames: Sequence[Rename] = (), allow_destructive: bool = False, name: str = "dev"
) -> list[Step]:
    """Bring the database up to the models in one transaction and return what was done, each step with its SQL.

    Raises `MigrationError` where a step would lose data and that was not allowed, or where it fails: nothing is changed then.
    """
    if Path(path).exists():
        with reading(path) as connection:
            if matches(connection, catalog):
                return []
    with writing(path) as connection:
        steps, maybe = _live_steps(connection, catalog, renames)
        refuse_losses(steps, maybe, allow_destructive)
        for step in steps:
            run_sql(connection, ";\n".join(step.sql), step.description)
        if steps:
            record(connection, name, catalog.fingerprint, script(steps), reverse_script(steps))
        remember(connection, catalog)
    return steps


# -- what differs ------------------------------------------------------------------------------------------------------


def plan_steps(
    have: dict[str, Table], catalog: Catalog, renames: Sequence[Rename], occupied: frozenset[str]
) -> tuple[list[Step], list[Rename]]:
    """The steps from some tables to the models, and what among them may be renames."""
    want = catalog_tables(catalog)
    known = (*declared_renames(catalog, have), *renames)
    try:
        steps = difference(have, want, renames=known, occupied=occupied)
    except Unbridgeable as wrong:
        maybe = suspects(have, want, known)
        raise Undecided("\n".join([*wrong.reasons, *_questions(maybe)]), renames=maybe) from None
    return steps, suspects(have, want, known) if any(step.destructive for step in steps) else []


def declared_renames(catalog: Catalog, have: dict[str, Table]) -> list[Rename]:
    """The renames that models and fields declare with `renamed_from`; a model's is the old name of the class or of its table."""
    found: list[Rename] = []
    for model in catalog.models.values():
        if (old := model.renamed_from) is not None:
            found += [Rename(None, name, model.table) for name in (old, collection_name(old)) if name in have][:1]
        found += [
            Rename(model.table, field.renamed_from, field.name) for field in model.fields if field.renamed_from and field.stored
        ]
    return found


def refuse_losses(steps: Sequence[Step], maybe: Sequence[Rename], allow_destructive: bool) -> None:
    """Raise `MigrationError` where a step loses data and nobody has said that it may."""
    losses = [step for step in steps if step.destructive]
    if not losses or allow_destructive:
        return
    lines = ["this would lose data:", *(f"  {step.description}" for step in losses), *_questions(maybe)]
    raise MigrationError("\n".join([*lines, "to let it happen: --allow-destructive"]), steps=steps, renames=maybe)


def _questions(maybe: Sequence[Rename]) -> list[str]:
    return [f"  is {rename.old} now called {rename.new}? then add --rename {rename}" for rename in maybe]


def _live_steps(connection: apsw.Connection, catalog: Catalog, renames: Sequence[Rename]) -> tuple[list[Step], list[Rename]]:
    """What differs in a database. Tables that no model ever had are somebody else's, and stay."""
    every = live_tables(connection)
    ours = {model.table for model in catalog.models.values()} | set(managed(connection))
    ours |= {rename.old for rename in (*declared_renames(catalog, every), *renames) if rename.table is None}
    have = {name: table for name, table in every.items() if name in ours}
    return plan_steps(have, catalog, renames, occupied(connection, have))


def managed(connection: apsw.Connection) -> list[str]:
    """The tables that were a model's when this database was last changed."""
    try:
        row = connection.execute("SELECT tables FROM _pellucid_schema").fetchone()
    except apsw.SQLError:
        return []
    return [] if row is None else msgspec.json.decode(str(row[0]), type=list[str])


def occupied(connection: apsw.Connection, tables: dict[str, Table]) -> frozenset[str]:
    """Those of the tables that hold rows."""
    return frozenset(name for name in tables if connection.execute(f"SELECT 1 FROM {quote(name)} LIMIT 1").fetchone())  # noqa: S608


def script(steps: Sequence[Step]) -> str:
    """Steps as text to read, keep and run: each statement ends in a semicolon, each step begins with a comment."""
    return "\n".join(f"-- {step.description}\n" + "".join(f"{statement};\n" for statement in step.sql) for step in steps)


def _reversed(steps: Sequence[Step]) -> list[Step]:
    return [Step(f"take back: {step.description}", step.reverse or (), None) for step in reversed(steps)]


def reverse_script(steps: Sequence[Step]) -> str | None:
    """The text that takes steps back, last first, or None where one of them cannot be."""
    return None if any(step.reverse is None for step in steps) else script(_reversed(steps))


# -- connections -------------------------------------------------------------------------------------------------------


@contextmanager
def reading(path: Place) -> Iterator[apsw.Connection]:
    """A connection that changes nothing; a file that does not exist is an empty database."""
    exists = Path(path).exists()
    connection = apsw.Connection(os.fspath(path) if exists else ":memory:", flags=_READ if exists else _CREATE)
    try:
        connection.set_busy_timeout(BUSY_MS)
        yield connection
    except apsw.NotADBError:
        raise MigrationError(f"{os.fspath(path)} is not a SQLite database") from None
    finally:
        connection.close()


_READ = apsw.SQLITE_OPEN_READONLY
_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


@contextmanager
def writing(path: Place) -> Iterator[apsw.Connection]:
    """A connection inside one transaction, which commits at the end if every foreign key holds, else leaves nothing behind."""
    try:
        connection = apsw.Connection(os.fspath(path), flags=_CREATE)
    except apsw.Error as error:
        raise MigrationError(f"{os.fspath(path)} cannot be opened: {error}") from None
    try:
        connection.set_busy_timeout(BUSY_MS)
        # Off, so that a table can be dropped and replaced while others refer to it; no effect once a transaction has begun.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_STATE)
        yield connection
        _check_references(connection)
        connection.execute("COMMIT")
    except apsw.BusyError:
        raise MigrationError(f"{os.fspath(path)} is in use by another program; stop it, then try again") from None
    except apsw.Error as error:
        raise MigrationError(f"{os.fspath(path)}: {error}; nothing was changed") from None
    finally:
        connection.close(True)


def _check_references(connection: apsw.Connection) -> None:
    broken = list(islice(connection.execute("PRAGMA foreign_key_check"), 5))
    if broken:
        rows = "; ".join(f"row {row[1]} of {row[0]} refers to nothing in {row[2]}" for row in broken)
        raise MigrationError(f"foreign keys would be broken: {rows}; nothing was changed")


def run_sql(connection: apsw.Connection, sql: str, description: str) -> None:
    """Run statements inside the transaction of `writing`; they may not end it."""
    connection.authorizer = _authorize
    try:
        connection.execute(sql)
    except apsw.AuthError:
        raise MigrationError(f"{description}: a migration runs in one transaction, so it may not begin, end or attach") from None
    except apsw.BusyError:
        raise
    except apsw.Error as error:
        # The copy of a table takes its name when it is full; the reader knows it by that name.
        told = str(error).replace("__new.", ".")
        raise MigrationError(f"{description}: {told}; nothing was changed") from error
    finally:
        connection.authorizer = None


def _authorize(operation: int, *_: object) -> int:
    return apsw.SQLITE_DENY if operation in _FORBIDDEN else apsw.SQLITE_OK


# -- what is remembered ------------------------------------------------------------------------------------------------


def _version(catalog: Catalog) -> str:
    return f"{catalog.fingerprint}.{_DDL}"


def remember(connection: apsw.Connection, catalog: Catalog) -> None:
    """Note which models this database matches now, if it does, for the next start."""
    steps, _ = _live_steps(connection, catalog, ())
    tables = sorted({*managed(connection), *(model.table for model in catalog.models.values())} & live_tables(connection).keys())
    cookie = connection.pragma("schema_version")
    connection.execute(
        "INSERT OR REPLACE INTO _pellucid_schema VALUES (1, ?, ?, ?)",
        (_version(catalog) if not steps else "", cookie, msgspec.json.encode(tables).decode()),
    )


def record(connection: apsw.Connection, name: str, fingerprint: str, sql: str, reverse: str | None) -> None:
    """Add a change to the history."""
    moment = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    connection.execute(
        "INSERT INTO _pellucid_migrations (name, applied, fingerprint, sql, reverse) VALUES (?, ?, ?, ?, ?)",
        (name, moment, fingerprint, sql, reverse),
    )
