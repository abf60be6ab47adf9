"""Model instances and rows: what user code holds, and what the database does.

In: rows of stored values. Out: instances of the user's classes, and back. No JSON, no SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.db.database import Row
from pellucid.schema.model import Model
from pellucid.schema.spec import FieldSpec, ModelSpec
from pellucid.schema.types import from_storage

__all__ = ["given_by", "instance_maker"]


def instance_maker(model: ModelSpec, fields: Sequence[FieldSpec]) -> Callable[[Row], Model]:
    """A function from a row with these columns to an instance of the model's class.

    The instance is made without its constructor: what the database holds was checked when it came in.
    """
    cls: Any = model.cls
    names = tuple(field.name for field in fields)
    converts = tuple((at, convert) for at, field in enumerate(fields) if (convert := from_storage(field)))

    def make(row: Row) -> Model:
        values: list[object] = list(row[: len(names)])
        for at, convert in converts:
            values[at] = convert(row[at])
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(names, values, strict=True))
        return instance  # type: ignore[no-any-return]

    return make


def given_by(instance: Model, fields: Sequence[FieldSpec]) -> dict[str, object]:
    """The values that an instance gives for these fields; None for a field that makes its own value counts as not
    given.
    """
    given: dict[str, object] = {}
    for field in fields:
        value = instance.__dict__.get(field.name)
        if value is not None or (field.nullable and field.name in instance.__dict__):
            given[field.name] = value
    return given
