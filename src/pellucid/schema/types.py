"""The one table of types: what each `Kind` is in Python, in a database, on the wire, in JSON Schema and in GraphQL.

In: a `FieldSpec`. Out: functions for that field, made once at start and called per value. A value has three forms:
the **Python** value of a model instance, the **stored** value that a statement binds and a row holds (int, float,
str, bytes or None), and the **wire** value that msgspec writes as JSON. It knows no SQL, no HTTP, and must never
import SQLAlchemy, whose types it names.

    kind      Python           stored                                    JSON
    DECIMAL   Decimal          INTEGER, scaled by the field's places     "19.90", always with that many digits
    DATETIME  aware datetime   TEXT 2026-11-21T10:00:00.000000Z          the same; of one width, so text order is time order
    TIME      naive time       TEXT 10:00:00 or 10:00:00.000000          the same
    DURATION  timedelta        INTEGER, microseconds                     "PT90S", ISO 8601
    BYTES     bytes            BLOB                                      base64
    ENUM      Enum, Literal    TEXT or INTEGER                           the member's value
    JSON      anything else    TEXT, compact JSON                        as is
"""

from __future__ import annotations

import enum
import math
import re
import typing
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from uuid import UUID

import msgspec

from pellucid.errors import near, shorten
from pellucid.schema.spec import FieldSpec, Kind

__all__ = [
    "PYTHON_KINDS",
    "TYPES",
    "Stored",
    "Type",
    "alchemy_type",
    "from_storage",
    "graphql_type",
    "parse_text",
    "storage_type",
    "to_storage",
    "to_wire",
    "wire_type",
]

Stored = int | float | str | bytes | None
"""What a statement binds and a row holds."""

_LARGEST = 2**63 - 1
_DEEPEST = 500
"""Levels of stored JSON. SQLite reads 1000, embeds add some, and Python's own limit counts every caller."""
_BRACKET = re.compile(r'[][{}]|"(?:[^"\\]|\\.)*"')
_MICROSECOND = timedelta(microseconds=1)
_EXACT = Context(prec=60)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


@dataclass(frozen=True, slots=True)
class Type:
    """One row of the table. `None` for a conversion means that the value stays as it is.

    `to_storage` and `from_storage` go between Python and stored values; `parse_text` reads the text of a query string
    or a CSV cell into a stored value; `to_wire` turns a stored value into one that msgspec writes as JSON, whose type
    is `wire`. All raise ValueError with a sentence that says what would be right.
    """

    python: tuple[type, ...]
    storage: str
    graphql: str
    wire: object
    to_storage: Callable[[FieldSpec, object], Stored]
    from_storage: Callable[[FieldSpec, Stored], object] | None
    parse_text: Callable[[FieldSpec, str], Stored]
    to_wire: Callable[[FieldSpec, Stored], object] | None = None


def _wrong(expected: str, value: object) -> ValueError:
    return ValueError(f"expected {expected}, not {shorten(value)}")


def _int_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong("a whole number", value)
    if not -_LARGEST - 1 <= value <= _LARGEST:
        raise ValueError("a whole number must fit in 64 bits")
    return int(value)


def _int_text(field: FieldSpec, text: str) -> Stored:
    if not _INTEGER.fullmatch(text):
        raise _wrong("a whole number", text)
    return _int_in(field, int(text))


def _float_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong("a number", value)
    if not math.isfinite(number := float(value)):
        raise ValueError("a number must be finite: JSON has no NaN and no infinity")
    return number


def _float_text(field: FieldSpec, text: str) -> Stored:
    if not _NUMBER.fullmatch(text):
        raise _wrong("a number", text)
    return _float_in(field, float(text))


def _str_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, str):
        raise _wrong("text", value)
    return str(value)


def _str_text(_: FieldSpec, text: str) -> Stored:
    return text


def _bool_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return int(value)


def _bool_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else value != 0


def _bool_text(_: FieldSpec, text: str) -> Stored:
    word = text.lower()
    if word in _TRUE:
        return 1
    if word in _FALSE:
        return 0
    raise _wrong("true or false", text)


def _decimal_in(field: FieldSpec, value: object) -> Stored:
    # A float has already lost what a Decimal is there to keep, so it is refused and not rounded.
    if isinstance(value, float | bool) or not isinstance(value, Decimal | int):
        raise _wrong("a Decimal", value)
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a decimal must be finite")
    if number.adjusted() + field.places > 19:
        raise ValueError(f"a decimal with {field.places} places must fit in 64 bits")
    scaled = number.scaleb(field.places, _EXACT)
    whole = scaled.to_integral_value(context=_EXACT)
    if whole != scaled:
        raise ValueError(f"at most {field.places} digits after the point, not {shorten(str(value))}")
    if not -_LARGEST - 1 <= (stored := int(whole)) <= _LARGEST:
        raise ValueError(f"a decimal with {field.places} places must fit in 64 bits")
    return stored


def _decimal_out(field: FieldSpec, value: Stored) -> object:
    return None if value is None else Decimal(typing.cast(int, value)).scaleb(-field.places, _EXACT)


def _decimal_wire(field: FieldSpec, value: Stored) -> object:
    if value is None:
        return None
    digits = str(abs(whole := typing.cast(int, value))).rjust(field.places + 1, "0")
    sign = "-" if whole < 0 else ""
    return f"{sign}{digits[: -field.places]}.{digits[-field.places :]}" if field.places else f"{sign}{digits}"


def _decimal_text(field: FieldSpec, text: str) -> Stored:
    if not _NUMBER.fullmatch(text):
        raise _wrong("a decimal number", text)
    try:
        return _decimal_in(field, Decimal(text))
    except InvalidOperation:
        raise _wrong("a decimal number", text) from None


def _datetime_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, datetime):
        raise _wrong("a datetime", value)
    if value.tzinfo is None:
        raise ValueError(f"a time needs its offset from UTC: write {value.isoformat()}Z if it is UTC")
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must lie between the years 1 and 9999 in UTC") from None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _datetime_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else datetime.fromisoformat(typing.cast(str, value))


def _datetime_text(field: FieldSpec, text: str) -> Stored:
    # In a query string an unescaped "+" of an offset arrives as a space.
    if len(text) > 19 and text[-6] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    return _datetime_in(field, _convert(text, datetime, "a time such as 2026-11-21T10:00:00Z"))


def _date_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _wrong("a date", value)
    return value.isoformat()


def _date_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else date.fromisoformat(typing.cast(str, value))


def _date_text(field: FieldSpec, text: str) -> Stored:
    return _date_in(field, _convert(text, date, "a date such as 2026-11-21"))


def _time_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, time):
        raise _wrong("a time of day", value)
    if value.tzinfo is not None:
        raise ValueError("a time of day has no offset from UTC: store a datetime, or leave the offset out")
    return value.isoformat()


def _time_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else time.fromisoformat(typing.cast(str, value))


def _time_text(field: FieldSpec, text: str) -> Stored:
    return _time_in(field, _convert(text, time, "a time of day such as 10:30:00"))


def _duration_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, timedelta):
        raise _wrong("a duration", value)
    if not -_LARGEST - 1 <= (stored := value // _MICROSECOND) <= _LARGEST:
        raise ValueError("a duration must fit in 64 bits of microseconds: 292,000 years")
    return stored


def _duration_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else timedelta(microseconds=typing.cast(int, value))


def _duration_text(field: FieldSpec, text: str) -> Stored:
    return _duration_in(field, _convert(text, timedelta, "an ISO 8601 duration such as PT1H30M"))


def _uuid_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, UUID):
        raise _wrong("a UUID", value)
    return str(value)


def _uuid_out(_: FieldSpec, value: Stored) -> object:
    return None if value is None else UUID(typing.cast(str, value))


def _uuid_text(field: FieldSpec, text: str) -> Stored:
    return _uuid_in(field, _convert(text, UUID, "a UUID"))


def _bytes_in(_: FieldSpec, value: object) -> Stored:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong("bytes", value)
    return bytes(value)


def _bytes_wire(_: FieldSpec, value: Stored) -> object:
    return None if value is None else b64encode(typing.cast(bytes, value)).decode("ascii")


def _bytes_text(_: FieldSpec, text: str) -> Stored:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise _wrong("base64", text) from None


def _enum_in(field: FieldSpec, value: object) -> Stored:
    plain = value.value if isinstance(value, enum.Enum) else value
    # 1 == True == 1.0: the type is compared too, or a bool would pass for a choice of 1.
    if not any(plain == choice and type(plain) is type(choice) for choice in field.choices):
        raise ValueError(f"expected one of {_choices(field)}, not {shorten(plain)}")
    return typing.cast(Stored, plain)


def _enum_out(field: FieldSpec, value: Stored) -> object:
    python = field.python_type
    return value if value is None or not isinstance(python, enum.EnumMeta) else python(value)


def _enum_text(field: FieldSpec, text: str) -> Stored:
    for choice in field.choices:
        if str(choice) == text:
            return typing.cast(Stored, choice)
    hint = near(text, [str(choice) for choice in field.choices])
    raise ValueError(f"expected one of {_choices(field)}, not {shorten(text)}{'; ' + hint if hint else ''}")


def _choices(field: FieldSpec) -> str:
    return ", ".join(repr(choice) for choice in field.choices)


def _json_in(_: FieldSpec, value: object) -> Stored:
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"this cannot be written as JSON: {error}") from None
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        raise ValueError(f"JSON may be nested {_DEEPEST} levels deep")
    return text


def _depth(text: str) -> int:
    """How deeply JSON is nested, whatever stands in its texts."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(text):
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _json_out(field: FieldSpec, value: Stored) -> object:
    return None if value is None else msgspec.json.decode(typing.cast(str, value), type=typing.cast(type, field.python_type))


def _json_wire(_: FieldSpec, value: Stored) -> object:
    return None if value is None else msgspec.Raw(typing.cast(str, value))


def _json_text(field: FieldSpec, text: str) -> Stored:
    try:
        return _json_in(field, msgspec.json.decode(text, type=typing.cast(type, field.python_type)))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"expected JSON that fits this field: {error}") from None


T = typing.TypeVar("T")


def _convert(text: str, to: type[T], expected: str) -> T:
    try:
        return msgspec.convert(text, to)
    except (msgspec.ValidationError, OverflowError):
        raise _wrong(expected, text) from None


def _duration_wire(_: FieldSpec, value: Stored) -> object:
    return None if value is None else timedelta(microseconds=typing.cast(int, value))


TYPES: Mapping[Kind, Type] = {
    Kind.INT: Type((int,), "INTEGER", "Int", int, _int_in, None, _int_text),
    Kind.FLOAT: Type((float,), "REAL", "Float", float, _float_in, None, _float_text),
    Kind.STR: Type((str,), "TEXT", "String", str, _str_in, None, _str_text),
    Kind.BOOL: Type((bool,), "INTEGER", "Boolean", bool, _bool_in, _bool_out, _bool_text, _bool_out),
    Kind.DECIMAL: Type((Decimal,), "INTEGER", "Decimal", str, _decimal_in, _decimal_out, _decimal_text, _decimal_wire),
    Kind.DATETIME: Type((datetime,), "TEXT", "DateTime", str, _datetime_in, _datetime_out, _datetime_text),
    Kind.DATE: Type((date,), "TEXT", "Date", str, _date_in, _date_out, _date_text),
    Kind.TIME: Type((time,), "TEXT", "Time", str, _time_in, _time_out, _time_text),
    Kind.DURATION: Type(
        (timedelta,), "INTEGER", "Duration", timedelta, _duration_in, _duration_out, _duration_text, _duration_wire
    ),
    Kind.UUID: Type((UUID,), "TEXT", "UUID", str, _uuid_in, _uuid_out, _uuid_text),
    Kind.BYTES: Type((bytes,), "BLOB", "Bytes", str, _bytes_in, None, _bytes_text, _bytes_wire),
    # The choices decide between TEXT and INTEGER, String and Int: see storage_type and graphql_type.
    Kind.ENUM: Type((enum.Enum,), "TEXT", "String", str, _enum_in, _enum_out, _enum_text),
    Kind.JSON: Type((dict, list), "TEXT", "JSON", msgspec.Raw, _json_in, _json_out, _json_text, _json_wire),
}

PYTHON_KINDS: Mapping[object, Kind] = {
    python: kind for kind, row in TYPES.items() if kind not in (Kind.ENUM, Kind.JSON) for python in row.python
}
"""The annotations that name a kind by themselves."""

_ALCHEMY = {"INTEGER": "BigInteger", "REAL": "Double", "TEXT": "Text", "BLOB": "LargeBinary"}


def storage_type(field: FieldSpec) -> str:
    """The column type in a STRICT table of SQLite: INTEGER, REAL, TEXT or BLOB."""
    if field.kind is Kind.ENUM:
        return "INTEGER" if isinstance(field.choices[0], int) else "TEXT"
    return TYPES[field.kind].storage


def alchemy_type(field: FieldSpec) -> str:
    """The name of the SQLAlchemy type of the stored value (an attribute of the `sqlalchemy` module)."""
    return _ALCHEMY[storage_type(field)]


def graphql_type(field: FieldSpec) -> str:
    """The name of the GraphQL type, without `!`."""
    if field.key:
        return "ID"
    return "Int" if field.kind is Kind.ENUM and storage_type(field) == "INTEGER" else TYPES[field.kind].graphql


def wire_type(field: FieldSpec) -> object:
    """The Python type of the values that `to_wire` gives, as msgspec encodes them."""
    return int if field.kind is Kind.ENUM and storage_type(field) == "INTEGER" else TYPES[field.kind].wire


def to_storage(field: FieldSpec) -> Callable[[object], Stored]:
    """A function from a Python value to the stored one. None stays None; a value of the wrong type or range raises ValueError."""
    convert = TYPES[field.kind].to_storage
    return lambda value: None if value is None else convert(field, value)


def from_storage(field: FieldSpec) -> Callable[[Stored], object] | None:
    """A function from a stored value to the Python one, or None where they are the same."""
    if field.kind is Kind.ENUM and not isinstance(field.python_type, enum.EnumMeta):
        return None
    convert = TYPES[field.kind].from_storage
    return None if convert is None else lambda value: convert(field, value)


def parse_text(field: FieldSpec) -> Callable[[str], Stored]:
    """A function from the text of a query string or CSV cell to the stored value; ValueError says what would be right."""
    convert = TYPES[field.kind].parse_text
    return lambda text: convert(field, text)


def to_wire(field: FieldSpec) -> Callable[[Stored], object] | None:
    """A function from a stored value to one that msgspec writes as the field's JSON, or None where they are the same."""
    convert = TYPES[field.kind].to_wire
    return None if convert is None else lambda value: convert(field, value)
