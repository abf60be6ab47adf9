"""The text in a slot to the value that a statement binds.

In: what a slot holds (`SlotType`) and how the database at hand takes patterns. Out: a function from text to a stored
value, made once per statement; it raises BAD_FILTER_VALUE with the field, its type and the value, shortened. It
builds no SQL.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pellucid.errors import BAD_FILTER_VALUE, Problem, shorten
from pellucid.plan.cursor import CursorType, decode_cursor
from pellucid.plan.plan import SlotType, Use
from pellucid.schema.spec import FieldSpec, Kind
from pellucid.schema.types import Stored, parse_text

__all__ = ["Convert", "converter", "glob_pattern", "json_value", "like_pattern"]

Convert = Callable[[str], "Stored | tuple[Stored, ...]"]


def converter(slot: SlotType, *, glob: bool, most: int, cursor: CursorType) -> Convert:
    """The conversion of one slot. `glob`: patterns of `like` as SQLite's GLOB takes them; `most`: the cap on any limit."""
    match slot.use:
        case Use.VALUE:
            assert slot.field is not None
            if slot.field.kind is Kind.STR:
                return _same
            return _whole(slot.field) if slot.field.kind is Kind.INT else _value(slot.field)
        case Use.PATTERN:
            return glob_pattern if glob else like_pattern
        case Use.IPATTERN:
            return like_pattern
        case Use.JSON:
            return json_value
        case Use.LIMIT:
            return lambda text: number if (number := int(text)) < most else most
        case Use.OFFSET:
            return int
        case Use.CURSOR:
            return lambda text: decode_cursor(cursor, text)
        case Use.TEXT:
            return _same


def _same(text: str) -> str:
    return text


def _value(field: FieldSpec) -> Convert:
    parse = parse_text(field)

    def convert(text: str) -> Stored:
        try:
            return parse(text)
        except ValueError as error:
            raise Problem(
                BAD_FILTER_VALUE, f"{field.name}: {error}", hint=f"'{field.name}' is of type {field.kind.value}"
            ) from None

    return convert


def _whole(field: FieldSpec) -> Convert:
    """Most values are keys: plain digits skip what odd ones need."""
    parse = _value(field)
    return lambda text: int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else parse(text)


def json_value(text: str) -> Stored:
    """A value to compare with a part of a JSON document: numbers and booleans as SQLite shows them, everything else as text."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    match value:
        case bool():
            return int(value)
        case int():
            if not -(2**63) <= value < 2**63:
                raise Problem(BAD_FILTER_VALUE, f"{shorten(text)}: a whole number must fit in 64 bits")
            return value
        case float() | str():
            return value
        case None:
            return text
        case _:
            return msgspec.json.encode(value).decode()


def like_pattern(text: str) -> str:
    r"""PostgREST's pattern in SQL's form: `*` and `%` are any text, `_` any character, a backslash makes the next one plain."""
    out: list[str] = []
    escaped = False
    for char in text:
        if escaped:
            out.append("\\" + char if char in "%_\\" else char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append("%" if char == "*" else char)
    if escaped:
        out.append("\\\\")
    return "".join(out)


def glob_pattern(text: str) -> str:
    """The same pattern in the form of SQLite's GLOB, which is case-sensitive and can use an index."""
    out: list[str] = []
    escaped = False
    for char in text:
        if not escaped and char == "\\":
            escaped = True
            continue
        if not escaped and char in "*%":
            out.append("*")
        elif not escaped and char == "_":
            out.append("?")
        else:
            out.append(f"[{char}]" if char in "*?[" else char)
        escaped = False
    if escaped:
        out.append("\\")
    return "".join(out)
