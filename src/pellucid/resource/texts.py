"""Texts by field name (cells of CSV, fields of a form) to the Python values that a model takes.

In: names and texts. Out: values by name, and an error for every text that does not fit its field. It builds no rows and
sees no request.

A text has no null and no types, so the field decides: a number is parsed, JSON is read as JSON, and an empty text is
the absence of a value, or the empty text where a text is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from pellucid.errors import INVALID_BODY, FieldError, Problem, near, shorten
from pellucid.schema.spec import Default, FieldSpec, Kind
from pellucid.schema.types import parse_text

__all__ = ["Texts"]

_Read = Callable[[str], object]


class Texts:
    """How the writable fields of one model are read from text."""

    def __init__(self, model: str, fields: Iterable[FieldSpec]) -> None:
        self._model = model
        self._fields: Mapping[str, tuple[_Read, FieldSpec]] = {field.name: (_reader(field), field) for field in fields}

    def check(self, names: Iterable[str]) -> None:
        """Raise INVALID_BODY with every name that is no field."""
        errors = [
            FieldError(f"$.{name}", "unknown-field", f"{self._model} has no field {name!r}; {near(name, self._fields) or ''}")
            for name in names
            if name not in self._fields
        ]
        if errors:
            raise Problem(INVALID_BODY, "there are names of fields that do not exist", errors=errors)

    def read(self, texts: Iterable[tuple[str, str]], *, clear: bool = False) -> tuple[dict[str, object], list[FieldError]]:
        """The values of known fields, and what does not fit. With `clear` an empty text makes a nullable field null;
        without, it counts as not given.
        """
        given: dict[str, object] = {}
        errors: list[FieldError] = []
        for name, text in texts:
            read, field = self._fields[name]
            if text == "" and not _holds_empty(field):
                if not clear:
                    continue
                if field.nullable:
                    given[name] = None
                    continue
            try:
                given[name] = read(text)
            except (ValueError, RecursionError) as error:
                errors.append(FieldError(f"$.{name}", "wrong-type", f"{shorten(text)}: {error}"))
        return given, errors


def _holds_empty(field: FieldSpec) -> bool:
    """Whether an empty text can only mean itself: where one must be there."""
    return field.kind in (Kind.STR, Kind.BYTES) and field.default is Default.REQUIRED and not field.nullable


def _reader(field: FieldSpec) -> _Read:
    """A text to the Python value that the wire type takes."""
    kind = field.kind
    if kind is Kind.STR:
        return str
    if kind is Kind.JSON:
        return lambda text: msgspec.json.decode(text, type=cast("Any", field.python_type))
    if kind is Kind.BYTES:
        return lambda text: msgspec.convert(text, bytes)
    if kind is Kind.BOOL:
        read = parse_text(field)
        return lambda text: bool(read(text))
    if kind is Kind.FLOAT:
        return parse_text(field)
    return lambda text: msgspec.convert(text, cast("Any", field.python_type), strict=False)
