"""Statements for bulk loads: one INSERT that is run once per row, and the lookup of a key by a unique field.

In: a model and its columns. Out: SQL text with positional parameters; it builds, never runs. Rules do not appear here: who
may run a bulk load on the server's own machine may write the file as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.schema.spec import FieldSpec, ModelSpec
from pellucid.sql.ddl import quote

__all__ = ["insert_row", "key_by", "unique_choices"]


def insert_row(model: ModelSpec, columns: Sequence[str], *, unique: Sequence[str] = (), merged: Sequence[str] = ()) -> str:
    """INSERT of one row, values in the order of `columns`.

    With `unique`, a row that has the same values there takes those of `merged` instead.
    """
    names = ", ".join(map(quote, columns))
    text = f"INSERT INTO {quote(model.table)} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # names are quoted
    if not unique:
        return text
    target = ", ".join(map(quote, unique))
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in merged if name not in unique)
    return f"{text} ON CONFLICT ({target}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"


def key_by(model: ModelSpec, field: FieldSpec) -> str:
    """SELECT of the primary key of the row that has a value in a unique field."""
    return f"SELECT {quote(model.key.name)} FROM {quote(model.table)} WHERE {quote(field.name)} = ?"  # noqa: S608  # names are quoted


def unique_choices(model: ModelSpec) -> list[tuple[str, ...]]:
    """What tells rows apart: the primary key, then unique fields, then composite unique constraints."""
    single = [(field.name,) for field in model.fields if field.key] + [(field.name,) for field in model.fields if field.unique]
    return single + [tuple(name.lstrip("-") for name in index.fields) for index in model.indexes if index.unique]
