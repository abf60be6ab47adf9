"""Tables as plain data and as SQLite's CREATE statements: what migrations compare and write.

In: a Catalog. Out: `Table`s, and their SQL. The same data comes out of a live database (`sql/introspect.py`), so that
the two can be compared; it runs nothing and needs no SQLAlchemy, which a start must not wait for.

Tables are STRICT. What SQLite has no type for stands in a comment beside the column (`INTEGER /* decimal(2) */`),
which SQLite keeps: without it nobody could tell 1990 cents from 1990 pieces. Constraints are named
`table.column.check`, so that a violation's message names the field. Unique constraints are indexes, which come and go
without copying the table.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace

from pellucid.schema.spec import Cascade, Catalog, Default, FieldSpec, Kind, ModelSpec
from pellucid.schema.types import Stored, storage_type, to_storage

__all__ = [
    "Column",
    "Constraint",
    "Index",
    "Reference",
    "Table",
    "catalog_tables",
    "create_index",
    "create_table",
    "literal",
    "quote",
]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A CHECK: its name, `table.column.check`, and its condition."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    table: str
    column: str
    on_delete: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `note` is its kind (`decimal(2)`), None where another program made it; `default` is a literal of SQL.

    `backfill` gives existing rows a value when the column is added, where no default can; it is not part of the table.
    """

    name: str
    type: str
    note: str | None
    nullable: bool = False
    key: bool = False
    default: str | None = None
    checks: frozenset[Constraint] = frozenset()
    reference: Reference | None = None
    backfill: str | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """An index by its columns in order, a leading "-" for descending."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `extras` are indexes and triggers that somebody else made: kept, and made again when the table is copied."""

    name: str
    columns: tuple[Column, ...]
    indexes: frozenset[Index] = frozenset()
    strict: bool = True
    autoincrement: bool = False
    extras: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def column(self, name: str) -> Column | None:
        """A column by name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def same_as(self, other: Table) -> bool:
        """Whether nothing differs but the order of columns, which no statement of ours relies on."""
        return _in_order(self) == _in_order(other)


def _in_order(table: Table) -> Table:
    return replace(table, columns=tuple(sorted(table.columns, key=lambda column: column.name)))


def quote(name: str) -> str:
    """A name as SQL takes it whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Stored) -> str:
    """A stored value as a literal of SQL, for what cannot be bound: defaults and checks."""
    match value:
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"x'{value.hex()}'"
        case _:
            return repr(value)


def catalog_tables(catalog: Catalog) -> dict[str, Table]:
    """The table of each model, by table name, in the catalog's order."""
    return {model.table: _table(model, catalog) for model in catalog.models.values()}


def _table(model: ModelSpec, catalog: Catalog) -> Table:
    stored = [field for field in model.fields if field.stored]
    columns = tuple(_column(field, model, catalog) for field in stored)
    indexes = {_index(model.table, (field.name,), field.unique) for field in stored if field.unique or field.index}
    indexes |= {_index(model.table, index.fields, index.unique) for index in model.indexes}
    for field in stored:
        # Joins and ON DELETE look for the rows that refer to one; an index that begins with the column serves as well.
        if field.ref and not any(index.columns[0].removeprefix("-") == field.name for index in indexes):
            indexes.add(_index(model.table, (field.name,), False))
    return Table(model.table, columns, frozenset(indexes), autoincrement=model.key.default is Default.KEY)


def _index(table: str, columns: tuple[str, ...], unique: bool) -> Index:
    return Index(f"{table}.{','.join(columns)}.{'unique' if unique else 'index'}", columns, unique)


def _column(field: FieldSpec, model: ModelSpec, catalog: Catalog) -> Column:
    default = None
    if field.default is Default.VALUE and field.default_value is not None:
        default = literal(to_storage(field)(field.default_value))
    reference = None
    if field.ref is not None:
        target = catalog.models[field.ref]
        reference = Reference(target.table, target.key.name, _ON_DELETE[field.on_delete])
    return Column(
        name=field.name,
        type=storage_type(field),
        note=f"decimal({field.places})" if field.kind is Kind.DECIMAL else field.kind.value,
        nullable=field.nullable,
        key=field.key,
        default=default,
        checks=frozenset(Constraint(f"{model.table}.{field.name}.{name}", condition) for name, condition in _checks(field)),
        reference=reference,
        backfill=_backfill(field),
    )


_ON_DELETE = {Cascade.RESTRICT: "RESTRICT", Cascade.CASCADE: "CASCADE", Cascade.SET_NULL: "SET NULL"}
_COMPARE = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _checks(field: FieldSpec) -> list[tuple[str, str]]:
    """The constraints that SQL can state, so that no other program's write breaks them either."""
    name = quote(field.name)
    found: list[tuple[str, str]] = []
    if field.kind is Kind.BOOL:
        found.append(("bool", f"{name} IN (0, 1)"))
    if field.kind is Kind.ENUM:
        choices = ", ".join(literal(choice) for choice in map(to_storage(field), field.choices))
        found.append(("choices", f"{name} IN ({choices})"))
    for check in field.checks:
        if check.name in _COMPARE:
            found.append((check.name, f"{name} {_COMPARE[check.name]} {literal(to_storage(field)(check.bound))}"))
        elif check.name in ("min_length", "max_length") and field.kind in (Kind.STR, Kind.BYTES):
            found.append((check.name, f"length({name}) {'>=' if check.name == 'min_length' else '<='} {check.bound}"))
        elif check.name == "multiple_of" and field.kind in (Kind.INT, Kind.DECIMAL):
            found.append((check.name, f"{name} % {literal(to_storage(field)(check.bound))} = 0"))
    return found


_NOW = {
    Kind.DATETIME: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
    Kind.DATE: "strftime('%Y-%m-%d', 'now')",
    Kind.TIME: "strftime('%H:%M:%S', 'now')",
}
# RFC 9562, section 5.7: Unix milliseconds, version 7, variant 10, random bits. No subquery, which SQLite would run
# once for all rows.
_MILLISECONDS = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
_UUID7 = (
    f"printf('%08x-%04x-7%03x-%04x-%012x', {_MILLISECONDS} >> 16, {_MILLISECONDS} & 65535, random() & 4095, "
    "32768 | (random() & 16383), random() & 281474976710655)"
)


def _backfill(field: FieldSpec) -> str | None:
    """What existing rows get when the field is new and the caller of each would have been given a value."""
    match field.default:
        case Default.NOW:
            return _NOW[field.kind]
        case Default.UUID7:
            return _UUID7
        case Default.FACTORY if field.factory is not None and not field.unique:
            return literal(to_storage(field)(field.factory()))
        case _:
            return None


def column_sql(column: Column) -> str:
    """A column's definition."""
    parts = [quote(column.name), column.type]
    if column.note is not None:
        parts.append(f"/* {column.note} */")
    if not column.nullable:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    checks = sorted(column.checks, key=lambda check: check.name)
    parts += [f"CONSTRAINT {quote(check.name)} CHECK ({check.condition})" for check in checks]
    if column.reference is not None:
        target = column.reference
        parts.append(f"REFERENCES {quote(target.table)} ({quote(target.column)}) ON DELETE {target.on_delete}")
    return " ".join(parts)


def create_table(table: Table, name: str | None = None) -> str:
    """The CREATE TABLE statement, without indexes; `name` replaces the table's own while it is copied."""
    lines = []
    for column in table.columns:
        text = column_sql(column)
        if column.key:
            text += " PRIMARY KEY AUTOINCREMENT" if table.autoincrement else " PRIMARY KEY"
        lines.append(f"  {text}")
    return f"CREATE TABLE {quote(name or table.name)} (\n" + ",\n".join(lines) + f"\n){' STRICT' if table.strict else ''}"


def create_index(table: str, index: Index) -> str:
    """The CREATE INDEX statement."""
    columns = ", ".join(f"{quote(name.removeprefix('-'))}{' DESC' if name.startswith('-') else ''}" for name in index.columns)
    return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote(index.name)} ON {quote(table)} ({columns})"
