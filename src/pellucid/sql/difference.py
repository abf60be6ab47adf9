"""From the tables there are to the tables there should be: the steps between, as SQL.

In: two sets of `Table`s, the renames that were declared or answered, and which tables hold rows. Out: `Step`s in
order. Pure: it runs nothing and asks nobody. A drop beside an addition of the same type may be a rename; that is
reported (`suspects`), never guessed.

SQLite alters little in place: it adds and drops columns and renames. Everything else copies the table
(https://sqlite.org/lang_altertable.html, section 7): make a new one, copy, drop the old, rename, make indexes and
triggers again, with foreign keys off and checked at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pellucid.sql.ddl import Column, Index, Reference, Table, column_sql, create_index, create_table, quote

__all__ = ["Rename", "Step", "Unbridgeable", "difference", "suspects"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change: what it does in a line, its statements, those that take it back (None: nothing can), whether data is lost."""

    description: str
    sql: tuple[str, ...]
    reverse: tuple[str, ...] | None
    destructive: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """A column of `table` (by its new name) that was called `old`, or with no table, a table."""

    table: str | None
    old: str
    new: str

    def __str__(self) -> str:
        prefix = f"{self.table}." if self.table else ""
        return f"{prefix}{self.old}={self.new}"


class Unbridgeable(Exception):
    """Changes that no step can make; `reasons` says of each what to do instead."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


Tables = Mapping[str, Table]


def difference(
    have: Tables, want: Tables, *, renames: tuple[Rename, ...] = (), occupied: AbstractSet[str] = frozenset()
) -> list[Step]:
    """The steps from `have` to `want`, by table name. Raises `Unbridgeable` with everything that needs a decision first."""
    steps: list[Step] = []
    reasons: list[str] = []
    for rename in sorted(renames, key=lambda rename: rename.table is not None):
        if not _applies(rename, have, want):
            continue
        steps.append(_rename_step(rename))
        occupied = {rename.new if rename.table is None and name == rename.old else name for name in occupied}
        have = _renamed(have, rename)
    for name, table in want.items():
        try:
            steps += _create(table) if name not in have else _alter(have[name], table, name in occupied)
        except Unbridgeable as wrong:
            reasons += wrong.reasons
    steps += [_drop(table) for name, table in reversed(list(have.items())) if name not in want]
    if reasons:
        raise Unbridgeable(reasons)
    return steps


def suspects(have: Tables, want: Tables, renames: tuple[Rename, ...] = ()) -> list[Rename]:
    """Pairs of something dropped and something added that look alike, for somebody to say whether they are renames."""
    for rename in renames:
        if _applies(rename, have, want):
            have = _renamed(have, rename)
    found: list[Rename] = []
    gone = [table for name, table in have.items() if name not in want]
    for name, table in want.items():
        if name not in have:
            names = {column.name for column in table.columns}
            alike = [old for old in gone if len(names & {column.name for column in old.columns}) * 2 > len(names)]
            found += [Rename(None, old.name, name) for old in alike]
            continue
        before = [column for column in have[name].columns if table.column(column.name) is None]
        for column in table.columns:
            if have[name].column(column.name) is None:
                found += [
                    Rename(name, old.name, column.name) for old in before if (old.type, old.note) == (column.type, column.note)
                ]
    return found


# -- renames -----------------------------------------------------------------------------------------------------------


def _applies(rename: Rename, have: Tables, want: Tables) -> bool:
    """Whether a rename has still to be done: a declaration may stay in the model for good."""
    if rename.table is None:
        return rename.old in have and rename.new not in have and rename.new in want and rename.old not in want
    before, after = have.get(rename.table), want.get(rename.table)
    if before is None or after is None or after.column(rename.old) is not None:
        return False
    return before.column(rename.old) is not None and before.column(rename.new) is None and after.column(rename.new) is not None


def _rename_step(rename: Rename) -> Step:
    old, new = quote(rename.old), quote(rename.new)
    if rename.table is None:
        return Step(
            f"rename the table {rename.old} to {rename.new}",
            (f"ALTER TABLE {old} RENAME TO {new}",),
            (f"ALTER TABLE {new} RENAME TO {old}",),
        )
    table = quote(rename.table)
    return Step(
        f"rename {rename.table}.{rename.old} to {rename.new}",
        (f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}",),
        (f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}",),
    )


def _renamed(have: Tables, rename: Rename) -> dict[str, Table]:
    """The tables after a rename, as SQLite leaves them: references and conditions follow, names of indexes and checks do not."""

    def follow(reference: Reference | None) -> Reference | None:
        if reference is None:
            return None
        if rename.table is None:
            return replace(reference, table=rename.new) if reference.table == rename.old else reference
        same = (reference.table, reference.column) == (rename.table, rename.old)
        return replace(reference, column=rename.new) if same else reference

    after: dict[str, Table] = {}
    for name, table in have.items():
        columns = tuple(replace(column, reference=follow(column.reference)) for column in table.columns)
        table = replace(table, columns=columns)
        if rename.table is None and name == rename.old:
            table = replace(table, name=rename.new)
        elif name == rename.table:
            table = _column_renamed(table, rename.old, rename.new)
        after[table.name] = table
    return after


def _column_renamed(table: Table, old: str, new: str) -> Table:
    def column(before: Column) -> Column:
        if before.name != old:
            return before
        checks = frozenset(replace(check, condition=check.condition.replace(quote(old), quote(new))) for check in before.checks)
        return replace(before, name=new, checks=checks)

    def index(before: Index) -> Index:
        return replace(before, columns=tuple({old: new, f"-{old}": f"-{new}"}.get(name, name) for name in before.columns))

    return replace(table, columns=tuple(map(column, table.columns)), indexes=frozenset(map(index, table.indexes)))


# -- tables ------------------------------------------------------------------------------------------------------------


def _create(table: Table) -> Iterator[Step]:
    yield Step(f"create the table {table.name}", tuple(_making(table)), (f"DROP TABLE {quote(table.name)}",))


def _drop(table: Table) -> Step:
    return Step(f"drop the table {table.name}", (f"DROP TABLE {quote(table.name)}",), tuple(_making(table)), destructive=True)


def _making(table: Table) -> Iterator[str]:
    yield create_table(table)
    yield from _indexing(table)


def _indexing(table: Table) -> Iterator[str]:
    for index in sorted(table.indexes, key=lambda index: index.name):
        yield create_index(table.name, index)
    yield from table.extras


def _alter(old: Table, new: Table, occupied: bool) -> Iterator[Step]:
    if old.same_as(new):
        return
    _need_values(old, new, occupied)
    if _must_copy(old, new):
        yield _copy(old, new)
        return
    for index in sorted(old.indexes - new.indexes, key=lambda index: index.name):
        yield Step(f"drop the index {index.name}", (f"DROP INDEX {quote(index.name)}",), (create_index(new.name, index),))
    for column in old.columns:
        if new.column(column.name) is None:
            yield _drop_column(new.name, column)
    for column in new.columns:
        if old.column(column.name) is None:
            yield _add_column(new.name, column)
    for index in sorted(new.indexes - old.indexes, key=lambda index: index.name):
        yield Step(f"create the index {index.name}", (create_index(new.name, index),), (f"DROP INDEX {quote(index.name)}",))


def _need_values(old: Table, new: Table, occupied: bool) -> None:
    """Refuse a required column that nothing can fill in rows that exist."""
    reasons = [
        f"{new.name}.{column.name} is new and required, but {new.name} has rows and nothing says what they hold there; "
        f"give the field a default, make it `| None`, or declare what it was called: field(renamed_from=...)"
        for column in new.columns
        if occupied and old.column(column.name) is None and not _fillable(column)
    ]
    if reasons:
        raise Unbridgeable(reasons)


def _fillable(column: Column) -> bool:
    return column.nullable or column.default is not None or column.backfill is not None


def _must_copy(old: Table, new: Table) -> bool:
    """Whether SQLite cannot make the change in place."""
    if (old.strict, old.autoincrement) != (new.strict, new.autoincrement):
        return True
    if any(index.name.startswith("sqlite_autoindex_") for index in old.indexes):
        return True
    for column in old.columns:
        after = new.column(column.name)
        if after is None and (column.reference is not None or column.key):
            return True
        if after is not None and after != column:
            return True
    added = [column for column in new.columns if old.column(column.name) is None]
    return any(column.key or not (column.nullable or column.default is not None) for column in added)


def _add_column(table: str, column: Column) -> Step:
    add = f"ALTER TABLE {quote(table)} ADD COLUMN {column_sql(column)}"
    return Step(f"add {table}.{column.name}", (add,), (f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column.name)}",))


def _drop_column(table: str, column: Column) -> Step:
    drop = f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column.name)}"
    # What was in the column is gone; it comes back empty where it may be.
    back = (
        (f"ALTER TABLE {quote(table)} ADD COLUMN {column_sql(column)}",)
        if column.nullable or column.default is not None
        else None
    )
    return Step(f"drop {table}.{column.name}", (drop,), back, destructive=True)


def _copy(old: Table, new: Table) -> Step:
    lossy = [column.name for column in old.columns if new.column(column.name) is None]
    lossy += [
        column.name for column in new.columns if (before := old.column(column.name)) and _convert(before, column, new.name)[1]
    ]
    forward = tuple(_copying(old, new))
    try:
        back: tuple[str, ...] | None = tuple(_copying(new, replace(old, extras=())))
    except Unbridgeable:
        back = None
    changes = "; ".join(_changes(old, new)) or "rename its constraints"
    return Step(f"change {new.name}: {changes}", forward, back, destructive=bool(lossy))


def _copying(old: Table, new: Table) -> Iterator[str]:
    """The statements that replace a table by one of the same name and another shape."""
    fresh = f"{new.name}__new"
    targets, sources = [], []
    for column in new.columns:
        before = old.column(column.name)
        if before is not None:
            targets.append(quote(column.name))
            sources.append(_convert(before, column, new.name)[0])
        elif column.backfill is not None and not column.nullable:
            targets.append(quote(column.name))
            sources.append(column.backfill)
    yield create_table(new, fresh)
    if targets:
        yield f"INSERT INTO {quote(fresh)} ({', '.join(targets)})\nSELECT {', '.join(sources)} FROM {quote(old.name)}"
    if old.autoincrement and new.autoincrement:
        # Keys that were given out once stay given out.
        yield f"DELETE FROM sqlite_sequence WHERE name = '{fresh}'"  # noqa: S608
        known = f"SELECT '{fresh}', seq FROM sqlite_sequence WHERE name = '{old.name}'"  # noqa: S608
        yield f"INSERT INTO sqlite_sequence (name, seq) {known}"
    yield f"DROP TABLE {quote(old.name)}"
    # Without the legacy mode the rename fails as soon as a view names the table, which is absent at this moment.
    yield "PRAGMA legacy_alter_table = ON"
    yield f"ALTER TABLE {quote(fresh)} RENAME TO {quote(new.name)}"
    yield "PRAGMA legacy_alter_table = OFF"
    yield from _indexing(replace(new, extras=old.extras))


def _changes(old: Table, new: Table) -> Iterator[str]:
    """What differs, for a reader."""
    for column in old.columns:
        if new.column(column.name) is None:
            yield f"drop {column.name}"
    for column in new.columns:
        before = old.column(column.name)
        if before is None:
            yield f"add {column.name}"
            continue
        if (before.type, before.note) != (column.type, column.note):
            yield f"{column.name} from {before.note or before.type} to {column.note}"
        if before.nullable != column.nullable:
            yield f"{column.name} {'may be null' if column.nullable else 'is required'}"
        if before.default != column.default:
            yield f"{column.name} defaults to {column.default}" if column.default else f"{column.name} has no default"
        conditions = {check.condition for check in column.checks}
        if conditions != {check.condition for check in before.checks}:
            yield f"{column.name} must meet {', '.join(sorted(conditions))}" if conditions else f"{column.name} is not checked"
        if before.reference != column.reference:
            to = column.reference
            yield (
                f"{column.name} refers to {to.table}, on delete {to.on_delete.lower()}"
                if to
                else f"{column.name} refers to nothing"
            )
        if before.key != column.key:
            yield f"{column.name} {'is' if column.key else 'is no longer'} the key"


# -- values ------------------------------------------------------------------------------------------------------------


def _kind(column: Column) -> tuple[str | None, int]:
    """The kind and, of a decimal, its places, read from the column's note."""
    if column.note is None:
        return None, 0
    kind, _, places = column.note.partition("(")
    return kind, int(places.rstrip(")") or 0)


# From kind to kind: an expression over the old value, and whether that loses something. Where the two are stored in
# different types and the value stays as it is, STRICT converts without loss or fails.
_CONVERSIONS: Mapping[tuple[str, str], tuple[str, bool]] = {
    **{(kind, "str"): ("{}", False) for kind in ("int", "float", "date", "time", "datetime", "uuid", "enum", "json")},
    **{("str", kind): ("{}", False) for kind in ("int", "float", "enum")},
    ("int", "float"): ("{}", False), ("float", "int"): ("{}", False), ("int", "bool"): ("{}", False),
    ("bool", "int"): ("{}", False), ("int", "enum"): ("{}", False), ("enum", "int"): ("{}", False),
    ("str", "json"): ("json_quote({})", False), ("int", "json"): ("CAST({} AS TEXT)", False),
    ("float", "json"): ("CAST({} AS TEXT)", False),
    ("date", "datetime"): ("{} || 'T00:00:00.000000Z'", False), ("datetime", "date"): ("substr({}, 1, 10)", True),
    ("str", "bytes"): ("CAST({} AS BLOB)", False), ("int", "duration"): ("{} * 1000000", False),
}  # fmt: skip


def _convert(before: Column, after: Column, table: str) -> tuple[str, bool]:
    """The expression for a column's new value, and whether it loses something. Raises `Unbridgeable` where none is right."""
    name = quote(before.name)
    (old, old_places), (new, new_places) = _kind(before), _kind(after)
    lossy = False
    if old == new or old is None or new is None:
        value = name if old_places == new_places else _rescaled(name, old_places, new_places, f"{table}.{before.name}")
    elif (old, new) == ("int", "decimal"):
        value = f"{name} * {10**new_places}"
    elif (old, new) == ("decimal", "int"):
        value = _rescaled(name, old_places, 0, f"{table}.{before.name}")
    elif (old, new) == ("decimal", "float"):
        value = f"{name} / {10**old_places}.0"
    elif (old, new) == ("float", "decimal"):
        value, lossy = f"CAST(round({name} * {10**new_places}) AS INTEGER)", True
    elif (old, new) in _CONVERSIONS:
        template, lossy = _CONVERSIONS[old, new]
        value = template.format(name)
    else:
        raise Unbridgeable([
            f"{table}.{before.name} cannot go from {before.note} to {after.note} by itself; add a field of the new type, "
            f"fill it in a migration of your own, then drop the old one"
        ])  # fmt: skip
    if before.nullable and not after.nullable and (fill := after.default or after.backfill) is not None:
        value = f"coalesce({value}, {fill})"
    return value, lossy


def _rescaled(name: str, old: int, new: int, where: str) -> str:
    """A decimal with other places. Digits that do not fit make the copy fail: STRICT refuses the text, and the error shows it."""
    if new >= old:
        return f"{name} * {10 ** (new - old)}"
    factor = 10 ** (old - new)
    return f"iif({name} IS NULL OR {name} % {factor} = 0, {name} / {factor}, '{where} has more than {new} places')"
