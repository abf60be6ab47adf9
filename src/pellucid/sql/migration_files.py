"""Migrations as files: `migrations/0002_add_stock.sql`, to be reviewed, edited, committed and applied elsewhere.

In: a folder, a Catalog, a database. Out: files made from the difference between what the files lead to (they are run
in memory) and the models, so that it does not matter what the developer's own database went through. A file has a
header, a section `-- up` and a section `-- down`; a down without statements means that there is no way back.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from pellucid.errors import near
from pellucid.schema.spec import Catalog
from pellucid.sql.ddl import Table
from pellucid.sql.difference import Rename, Step
from pellucid.sql.introspect import live_tables
from pellucid.sql.migrate import (
    MigrationError,
    Undecided,
    managed,
    occupied,
    pending,
    plan_steps,
    reading,
    record,
    refuse_losses,
    remember,
    require_match,
    reverse_script,
    run_sql,
    script,
    writing,
)

__all__ = [
    "Applied",
    "Entry",
    "Migration",
    "State",
    "Status",
    "apply",
    "back",
    "last_change",
    "make",
    "parse_rename",
    "read_folder",
    "require_applied",
    "status",
    "unfiled",
]

_FILE = re.compile(r"(\d{4,})_(\w+)\.sql")
_SECTION = re.compile(r"^--[ \t]*(up|down)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
DEV = "dev"
"""The name in the history of what `pellucid dev` did without a file."""

Place = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `name` is its stem, `0002_add_stock`; `down` is None where there is no way back."""

    name: str
    fingerprint: str
    up: str
    down: str | None


class State(enum.Enum):
    """Where a migration stands."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed after it was applied"
    MISSING = "applied, but its file is gone"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `status`: a migration and where it stands; `applied` is the moment."""

    name: str
    state: State
    applied: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Every migration, what the models have that no file has, and what the database lacks.

    `pending` is empty while files wait, since what those will do is theirs to say. `renames` are what may be renames among
    `unfiled`, and `undecided` says why there are no steps where somebody must decide first.
    """

    entries: tuple[Entry, ...]
    unfiled: tuple[Step, ...]
    pending: tuple[Step, ...]
    renames: tuple[Rename, ...] = ()
    undecided: str = ""

    @property
    def waiting(self) -> tuple[str, ...]:
        """The names of the files that this database has not had."""
        return tuple(entry.name for entry in self.entries if entry.state is State.PENDING)


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did: migrations that ran, and those that were only noted, as the database was there already."""

    ran: tuple[str, ...]
    found: tuple[str, ...]


# -- files -------------------------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> list[Migration]:
    """The migrations of a folder in order; a folder that does not exist has none."""
    found: dict[int, Migration] = {}
    for file in sorted(folder.glob("*.sql")) if folder.is_dir() else ():
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise MigrationError(f"{file} has no name like 0001_name.sql; rename it or move it away")
        number = int(match[1])
        if number in found:
            raise MigrationError(f"{file.name} and {found[number].name}.sql have the same number; renumber the one made later")
        found[number] = _parse(file)
    return [found[number] for number in sorted(found)]


def _parse(file: Path) -> Migration:
    text = file.read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    sections = {parts[at].lower(): parts[at + 1].strip() + "\n" for at in range(1, len(parts), 2)}
    if "up" not in sections:
        raise MigrationError(f"{file} has no line `-- up`; its statements stand below one")
    header = re.search(r"^--[ \t]*fingerprint:[ \t]*(\w*)", parts[0], re.MULTILINE)
    down = sections.get("down", "")
    return Migration(file.stem, header[1] if header else "", sections["up"], down if _COMMENT.sub("", down).strip() else None)


def _write(folder: Path, name: str, catalog: Catalog, steps: Sequence[Step]) -> Path:
    lost = [step.description for step in steps if step.reverse is None]
    down = reverse_script(steps) or "".join(f"-- There is no way back from: {description}\n" for description in lost)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.sql"
    header = "Runs in one transaction; foreign keys are checked at its end. Edit it before it is applied, never afterwards."
    # "x": two people at work in one folder must not overwrite each other.
    with file.open("x", encoding="utf-8") as out:
        out.write(f"-- {header}\n-- fingerprint: {catalog.fingerprint}\n\n-- up\n{script(steps)}\n-- down\n{down}")
    return file


def _name(number: int, name: str | None, steps: Sequence[Step]) -> str:
    told = name or ("initial" if number == 1 else steps[0].description.partition(":")[0])
    slug = re.sub(r"\W+", "_", told, flags=re.ASCII).strip("_").lower()[:60] or "change"
    return f"{number:04d}_{slug}"


# -- what files lead to ------------------------------------------------------------------------------------------------


def _replay(migrations: Sequence[Migration]) -> list[dict[str, Table]]:
    """The tables after each migration, found by running them in memory; first those of the empty database."""
    connection = apsw.Connection(":memory:")
    states: list[dict[str, Table]] = [{}]
    for migration in migrations:
        run_sql(connection, migration.up, f"{migration.name}.sql")
        states.append(live_tables(connection))
    connection.close()
    return states


def unfiled(catalog: Catalog, folder: Path, path: Place, renames: Sequence[Rename] = ()) -> tuple[list[Step], list[Rename]]:
    """The steps from what the files lead to, to the models, and what among them may be renames."""
    state = _replay(read_folder(folder))[-1]
    with reading(path) as connection:
        # Whether a new field must say what existing rows hold is asked of the database at hand, the best guess of any.
        live = live_tables(connection)
        filled = occupied(connection, {name: table for name, table in live.items() if name in state})
    return plan_steps(state, catalog, renames, filled)


def make(
    catalog: Catalog,
    folder: Path,
    path: Place,
    name: str | None = None,
    *,
    renames: Sequence[Rename] = (),
    allow_destructive: bool = False,
) -> tuple[Path, list[Step]] | None:
    """Write the next migration file and return it with its steps; None where the files lead to the models already."""
    migrations = read_folder(folder)
    steps, maybe = unfiled(catalog, folder, path, renames)
    if not steps:
        return None
    refuse_losses(steps, maybe, allow_destructive)
    number = int(migrations[-1].name.partition("_")[0]) + 1 if migrations else 1
    return _write(folder, _name(number, name, steps), catalog, steps), steps


# -- the database ------------------------------------------------------------------------------------------------------


def _history(connection: apsw.Connection) -> list[tuple[int, str, str, str, str | None]]:
    """What was applied, oldest first: id, name, moment, SQL, reverse."""
    try:
        rows = connection.execute("SELECT id, name, applied, sql, reverse FROM _pellucid_migrations ORDER BY id").fetchall()
    except apsw.SQLError:
        return []
    return [(int(str(row[0])), str(row[1]), str(row[2]), str(row[3]), None if row[4] is None else str(row[4])) for row in rows]


def status(catalog: Catalog, folder: Path, path: Place) -> Status:
    """Where every migration, the models and the database stand. Raises `MigrationError` where a file cannot be read or run."""
    entries = _entries(read_folder(folder), path)
    try:
        steps, maybe = unfiled(catalog, folder, path)
        waits = any(entry.state is State.PENDING for entry in entries)
        return Status(entries, tuple(steps), () if waits else tuple(pending(catalog, path)), tuple(maybe))
    except Undecided as wrong:
        return Status(entries, (), (), wrong.renames, str(wrong))


def require_applied(catalog: Catalog, folder: Path, path: Place) -> None:
    """Raise `MigrationError` unless the database is as the models say; where migration files wait, it names those."""
    try:
        require_match(catalog, path)
    except MigrationError:
        waiting = Status(_entries(read_folder(folder), path), (), ()).waiting
        if not waiting:
            raise
        lines = "\n".join(f"  {name}" for name in waiting)
        raise MigrationError(
            f"{'a migration waits' if len(waiting) == 1 else f'{len(waiting)} migrations wait'} to be applied to the database "
            f"{os.fspath(path)}:\n{lines}\nrun `pellucid migrate apply`"
        ) from None


def _entries(migrations: Sequence[Migration], path: Place) -> tuple[Entry, ...]:
    with reading(path) as connection:
        history = {name: (applied, sql) for _, name, applied, sql, _ in _history(connection) if name != DEV}
    entries: list[Entry] = []
    for migration in migrations:
        if (row := history.pop(migration.name, None)) is None:
            entries.append(Entry(migration.name, State.PENDING))
        else:
            entries.append(Entry(migration.name, State.APPLIED if row[1] == migration.up else State.CHANGED, row[0]))
    return (*entries, *(Entry(name, State.MISSING, applied) for name, (applied, _) in history.items()))


def apply(catalog: Catalog, folder: Path, path: Place) -> Applied:
    """Run every migration that this database has not had, all in one transaction.

    Where the database is already as some of them would leave it, because `dev` brought it there, those are only noted.
    """
    migrations = read_folder(folder)
    states = _replay(migrations)
    with writing(path) as connection:
        had = {name: sql for _, name, _, sql, _ in _history(connection)}
        for migration in migrations:
            if had.get(migration.name, migration.up) != migration.up:
                raise MigrationError(
                    f"{migration.name}.sql was changed after it was applied; put it back as it was, and make a new migration"
                )
        waiting = [(at, migration) for at, migration in enumerate(migrations) if migration.name not in had]
        found = 0
        if DEV in had or not had:
            found = _already(connection, [states[at + 1] for at, _ in waiting])
        for index, (_, migration) in enumerate(waiting):
            if index >= found:
                _run(connection, migration, made_without_files=had.keys() == {DEV})
            record(connection, migration.name, migration.fingerprint, migration.up, migration.down)
        if found:
            connection.execute("DELETE FROM _pellucid_migrations WHERE name = ?", (DEV,))
        remember(connection, catalog)
    names = [migration.name for _, migration in waiting]
    return Applied(ran=tuple(names[found:]), found=tuple(names[:found]))


def _run(connection: apsw.Connection, migration: Migration, *, made_without_files: bool) -> None:
    try:
        run_sql(connection, migration.up, f"{migration.name}.sql")
    except MigrationError as error:
        if not made_without_files:
            raise
        raise MigrationError(
            f"{error}\nthis database was made without migration files and is in none of the states that they lead to; "
            "`pellucid dev` brings it to the models, and then `pellucid migrate apply` only notes that it is there"
        ) from None


def _already(connection: apsw.Connection, states: Sequence[dict[str, Table]]) -> int:
    """How many of the waiting migrations the database has without having run them: the last whose tables are the database's."""
    live = live_tables(connection)
    ours = set(managed(connection))
    for count in range(len(states), 0, -1):
        state = states[count - 1]
        if state and ours <= state.keys() and all(name in live and live[name].same_as(table) for name, table in state.items()):
            return count
    return 0


def back(catalog: Catalog, folder: Path, path: Place) -> str:
    """Take the latest change back in one transaction and return its name. Raises `MigrationError` where there is no way."""
    files = {migration.name: migration for migration in read_folder(folder)}
    with writing(path) as connection:
        row, name, reverse = last_change(connection, files)
        run_sql(connection, reverse, f"{name} backwards")
        connection.execute("DELETE FROM _pellucid_migrations WHERE id = ?", (row,))
        remember(connection, catalog)
    return name


def last_change(connection: apsw.Connection, files: dict[str, Migration]) -> tuple[int, str, str]:
    """The latest change of a database: its row in the history, its name, and the SQL that takes it back."""
    history = _history(connection)
    if not history:
        raise MigrationError("there is nothing to take back: no change was ever applied to this database")
    row, name, _, _, reverse = history[-1]
    # The file's own way back, which may have been corrected since, comes before the one that was noted.
    way = files[name].down if name in files else reverse
    if way is None:
        raise MigrationError(f"there is no way back from {name}; restore a backup, or write one below `-- down` in its file")
    return row, name, way


def parse_rename(text: str, catalog: Catalog) -> Rename:
    """`goods=products` for a table, `products.cost=price` for a field, as the command line has it."""
    left, equals, new = text.partition("=")
    table, dot, old = left.rpartition(".")
    if not equals or not old or not new:
        raise MigrationError(f"--rename {text!r} is not old=new or table.old=new")
    tables = {model.table: model for model in catalog.models.values()}
    if not dot:
        if new not in tables:
            raise MigrationError(f"--rename {text}: no model has the table {new!r}; {near(new, tables) or ''}")
        return Rename(None, old, new)
    if table not in tables:
        raise MigrationError(f"--rename {text}: no model has the table {table!r}; {near(table, tables) or ''}")
    if tables[table].field(new) is None:
        hint = near(new, (field.name for field in tables[table].fields))
        raise MigrationError(f"--rename {text}: {tables[table].name} has no field {new!r}; {hint or ''}")
    return Rename(table, old, new)
