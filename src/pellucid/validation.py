"""Every bad part of a value at once: what msgspec, which stops at the first error, does not say.

In: a type that msgspec supports, and JSON or decoded data that did not fit it. Out: one `FieldError` per bad part, with its
path, a machine code and a sentence. It runs only after a decode has failed, so it may be slow, but not without bound: it stops
after `most` errors and below a certain depth.

Codes: missing, unknown-field, wrong-type, not-a-choice, too-small, too-large, not-a-multiple, too-short, too-long, pattern,
timezone, invalid. Sentences are for whoever sent the value, who need not know Python: `must be true or false, not text`.
"""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import inspect as shapes

from pellucid.errors import MALFORMED_BODY, FieldError, Problem, near, shorten

__all__ = ["BOUNDS", "Limit", "explain", "malformed"]

_DEEPEST = 32
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

BOUNDS = {
    "gt": ("too-small", "must be greater than {}"),
    "ge": ("too-small", "must be at least {}"),
    "lt": ("too-large", "must be less than {}"),
    "le": ("too-large", "must be at most {}"),
    "multiple_of": ("not-a-multiple", "must be a multiple of {}"),
    "min_length": ("too-short", "must have a length of at least {}"),
    "max_length": ("too-long", "must have a length of at most {}"),
    "pattern": ("pattern", "must match the pattern {}"),
    "tz": ("timezone", "must have a time zone"),
}
"""The constraints by msgspec's name: code and sentence."""



class Limit(msgspec.Struct, frozen=True):
    """A constraint that msgspec has no word for, such as a bound on a Decimal: `test` gets the converted value."""

    code: str
    message: str
    test: Callable[[object], bool]

    def holds(self, value: object) -> bool:
        """Whether the value keeps it; None always does, since whether None may stand is the type's question."""
        return value is None or self.test(value)


_Hook = Callable[[type, object], object]


def malformed(error: Exception) -> Problem:
    """The problem for a body that is no JSON at all."""
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
    return Problem(MALFORMED_BODY, f"the body is not JSON: {reason}", hint="send one JSON value in UTF-8")


def explain(
    type: object,
    data: object,
    *,
    strict: bool = True,
    path: str = "$",
    most: int = 100,
    dec_hook: _Hook | None = None,
) -> list[FieldError]:
    """Every reason why `data` does not fit `type`, in the order of the type's fields; empty where it fits.

    `data` is JSON as bytes, or what JSON decodes to. `strict=False` takes text for numbers and truth values, as query strings
    and forms need. Raises Problem (MALFORMED_BODY) where the bytes are no JSON.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        try:
            data = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(error) from None
    walk = _Walk(strict, most, dec_hook)
    walk.visit(shapes.type_info(type), data, path, 0)
    if not walk.errors:
        # What only the whole type knows, such as a __post_init__ above the deepest level.
        walk.convert(type, data, path)
    return walk.errors


class _Walk:
    """One pass over one value."""

    def __init__(self, strict: bool, most: int, dec_hook: _Hook | None) -> None:
        self.errors: list[FieldError] = []
        self._strict = strict
        self._most = most
        self._hook = dec_hook

    def add(self, path: str, code: str, message: str) -> None:
        if len(self.errors) < self._most:
            self.errors.append(FieldError(path, code, message))

    def visit(self, shape: shapes.Type, value: object, path: str, depth: int) -> None:
        """Append every error of `value` against `shape`."""
        if len(self.errors) >= self._most or depth > _DEEPEST:
            return
        match shape:
            case shapes.Metadata(type=inner):
                self.visit(inner, value, path, depth)
            case shapes.AnyType() | shapes.RawType():
                pass
            case shapes.StructType(array_like=False) | shapes.DataclassType() | shapes.TypedDictType():
                self._object(shape, value, path, depth)
            case shapes.DictType():
                self._mapping(shape, value, path, depth)
            case shapes.UnionType(types=types):
                self._union(types, value, path, depth)
            case shapes.TupleType(item_types=types):
                if isinstance(value, list) and len(value) == len(types):
                    for i, (item, part) in enumerate(zip(types, value, strict=True)):
                        self.visit(item, part, f"{path}[{i}]", depth + 1)
                else:
                    self.add(path, "wrong-type", f"must be an array of {len(types)} items, not {_counted(value)}")
            case shapes.CollectionType():
                self._list(shape, value, path, depth)
            case _:
                self._scalar(shape, value, path)

    def _object(
        self, shape: shapes.StructType | shapes.DataclassType | shapes.TypedDictType, value: object, path: str, depth: int
    ) -> None:
        if not isinstance(value, Mapping):
            self.add(path, "wrong-type", f"must be an object, not {_kind(value)}")
            return
        before = len(self.errors)
        names = {field.encode_name for field in shape.fields}
        for field in shape.fields:
            if field.encode_name in value:
                self._field(shape.cls, field, value[field.encode_name], _below(path, field.encode_name), depth + 1)
            elif field.required:
                self.add(_below(path, field.encode_name), "missing", f"the field {field.encode_name!r} is required")
        if isinstance(shape, shapes.StructType) and shape.forbid_unknown_fields:
            for name in value:
                if name not in names and name != shape.tag_field:
                    hint = near(str(name), names)
                    message = f"there is no field {shorten(name)}" + (f"; {hint}" if hint else "")
                    self.add(_below(path, str(name)), "unknown-field", message)
        if len(self.errors) == before:
            self.convert(shape.cls, value, path)

    def _field(self, cls: type, field: shapes.Field, value: object, path: str, depth: int) -> None:
        before = len(self.errors)
        self.visit(field.type, value, path, depth)
        limits: tuple[Limit, ...] = getattr(cls, "limits_by_field", {}).get(field.name, ())
        if limits and len(self.errors) == before and value is not None:
            inner = [part for part in getattr(field.type, "types", (field.type,)) if not isinstance(part, shapes.NoneType)]
            converted = self._fit(_base(inner[0]), value)
            for limit in limits:
                if not limit.holds(converted):
                    self.add(path, limit.code, limit.message)

    def _mapping(self, shape: shapes.DictType, value: object, path: str, depth: int) -> None:
        if not isinstance(value, Mapping):
            self.add(path, "wrong-type", f"must be an object, not {_kind(value)}")
            return
        self._length(shape, value, path)
        for key, item in value.items():
            self._scalar(shape.key_type, key, _below(path, str(key)))
            self.visit(shape.value_type, item, _below(path, str(key)), depth + 1)

    def _list(self, shape: shapes.CollectionType, value: object, path: str, depth: int) -> None:
        if not isinstance(value, (list, tuple)):
            self.add(path, "wrong-type", f"must be an array, not {_kind(value)}")
            return
        self._length(shape, value, path)
        for i, item in enumerate(value):
            self.visit(shape.item_type, item, f"{path}[{i}]", depth + 1)
            if len(self.errors) >= self._most:
                return

    def _length(self, shape: shapes.CollectionType | shapes.DictType, value: Collection[object], path: str) -> None:
        if shape.min_length is not None and len(value) < shape.min_length:
            self._bound("min_length", shape.min_length, path)
        if shape.max_length is not None and len(value) > shape.max_length:
            self._bound("max_length", shape.max_length, path)

    def _union(self, types: tuple[shapes.Type, ...], value: object, path: str, depth: int) -> None:
        """The errors of the branch that comes closest; a tagged struct is chosen by its tag."""
        if value is None and any(isinstance(inner, shapes.NoneType) for inner in types):
            return
        branches = [inner for inner in types if not isinstance(inner, shapes.NoneType)]
        structs = {str(inner.tag): inner for inner in branches if isinstance(inner, shapes.StructType) and inner.tag is not None}
        if structs and isinstance(value, Mapping):
            tag_field = next(iter(structs.values())).tag_field or "type"
            chosen = structs.get(str(value.get(tag_field)))
            if chosen is None:
                self.add(_below(path, tag_field), "not-a-choice", f"must be one of {', '.join(map(repr, structs))}")
            else:
                self.visit(chosen, value, path, depth)
            return
        outcomes: list[list[FieldError]] = []
        for inner in branches:
            attempt = _Walk(self._strict, self._most, self._hook)
            attempt.visit(inner, value, path, depth)
            if not attempt.errors:
                return
            outcomes.append(attempt.errors)
        # Errors below the value say that its kind was right; a wrong kind has one error at the value itself.
        inside = [errors for errors in outcomes if any(error.path != path or error.code != "wrong-type" for error in errors)]
        if inside or len(outcomes) == 1:
            for error in min(inside or outcomes, key=len):
                self.add(error.path, error.code, error.message)
        elif outcomes:
            wanted = " or ".join(dict.fromkeys(_wanted(inner) for inner in branches))
            self.add(path, "wrong-type", f"must be {wanted}, not {self._given(value)}")

    def _scalar(self, shape: shapes.Type, value: object, path: str) -> None:
        base = _base(shape)
        limits = {
            name: bound
            for name in BOUNDS
            if (bound := getattr(shape, name, None)) is not None and not isinstance(shape, (shapes.EnumType, shapes.LiteralType))
        }
        if not self.convert(base, value, path, choices=_choices(shape), wanted=_wanted(shape)):
            return
        for name, bound in limits.items():
            try:
                self._fit(Annotated[base, msgspec.Meta(**{name: bound})], value)
            except msgspec.ValidationError:
                self._bound(name, bound, path)

    def _bound(self, name: str, bound: object, path: str) -> None:
        code, message = BOUNDS[name] if bound is not False else ("timezone", "must have no time zone")
        self.add(path, code, message.format(bound if name != "pattern" else repr(bound)))

    def _fit(self, type: object, value: object) -> object:
        result: object = msgspec.convert(value, type, strict=self._strict, str_keys=True, dec_hook=self._hook)
        return result

    def _given(self, value: object) -> str:
        return _given(value, texts=not self._strict)

    def convert(self, type: object, value: object, path: str, choices: Sequence[object] = (), wanted: str = "") -> bool:
        """Whether msgspec takes the value; where it does not, the error says what is `wanted`, or what msgspec said."""
        try:
            self._fit(type, value)
        except msgspec.ValidationError as error:
            if choices:
                hint = near(str(value), map(str, choices)) if isinstance(value, str) else None
                message = f"must be one of {', '.join(repr(choice) for choice in choices[:20])}"
                self.add(path, "not-a-choice", f"{message}; {hint}" if hint and hint.startswith("did") else message)
                return False
            message, _, inner = str(error).partition(" - at `")
            where = path + inner.removesuffix("`").removeprefix("$") if inner else path
            basic = message.startswith(("Expected `", "Invalid "))
            if basic and wanted and not inner:
                texts = not self._strict or message.startswith("Invalid ")
                message = f"must be {wanted}, not {_given(value, texts=texts)}"
            self.add(where, "wrong-type" if basic else "invalid", _plain(message.strip()))
            return False
        return True


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if _PLAIN_KEY.fullmatch(name) else f"{path}[{shorten(name, 80)}]"


def _kind(value: object) -> str:
    """A value's kind in JSON's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = (((int, float), "a number"), (str, "text"), ((list, tuple), "an array"), (Mapping, "an object"))
    for kind, word in kinds:
        if isinstance(value, kind):
            return word
    return "null" if value is None else type(value).__name__


def _given(value: object, *, texts: bool) -> str:
    """What was sent: a number as it is, with `texts` a text too, else the kind."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return shorten(value) if number or (texts and isinstance(value, str)) else _kind(value)


def _counted(value: object) -> str:
    return f"of {len(value)}" if isinstance(value, list) else _kind(value)


_WANTED: dict[type, str] = {
    shapes.NoneType: "null",
    shapes.BoolType: "true or false",
    shapes.IntType: "a whole number",
    shapes.FloatType: "a number",
    shapes.StrType: "text",
    shapes.BytesType: "bytes as base64 text",
    shapes.ByteArrayType: "bytes as base64 text",
    shapes.MemoryViewType: "bytes as base64 text",
    shapes.DateTimeType: 'a date and time such as "2026-01-31T12:30:00Z"',
    shapes.DateType: 'a date such as "2026-01-31"',
    shapes.TimeType: 'a time of day such as "12:30:00"',
    shapes.TimeDeltaType: 'a duration such as "PT1H30M"',
    shapes.UUIDType: 'a UUID such as "0198c0de-7a3b-7c4d-8e5f-0123456789ab"',
    shapes.DecimalType: 'a decimal number such as "19.90"',
    shapes.DictType: "an object",
    shapes.StructType: "an object",
    shapes.DataclassType: "an object",
    shapes.TypedDictType: "an object",
}


def _wanted(shape: shapes.Type) -> str:
    """What a value of this shape is, in JSON's words; empty where only its author knows."""
    if isinstance(shape, shapes.Metadata):
        return _wanted(shape.type)
    if isinstance(shape, (shapes.CollectionType, shapes.TupleType)):
        return "an array"
    if choices := _choices(shape):
        return f"one of {', '.join(repr(choice) for choice in choices[:20])}"
    return _WANTED.get(type(shape), "")


_MSGSPEC = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<given>[^`]+)`")
_MSGSPEC_WORDS = {
    "null": "null", "bool": "true or false", "int": "a whole number", "float": "a number", "str": "text",
    "bytes": "bytes as base64 text", "array": "an array", "object": "an object", "datetime": "a date and time",
    "date": "a date", "time": "a time of day", "duration": "a duration", "uuid": "a UUID", "decimal": "a decimal number",
}  # fmt: skip


def _plain(message: str) -> str:
    """What msgspec says, in the words that are used here, where it speaks of types."""
    found = _MSGSPEC.fullmatch(message)
    if found is None:
        return message
    wanted = " or ".join(_MSGSPEC_WORDS.get(name, name) for name in found["wanted"].split(" | "))
    return f"must be {wanted}, not {_MSGSPEC_WORDS.get(found['given'], found['given'])}"


def _choices(shape: shapes.Type) -> tuple[object, ...]:
    match shape:
        case shapes.LiteralType(values=values):
            return tuple(values)
        case shapes.EnumType(cls=cls):
            return tuple(member.value for member in cls)
        case _:
            return ()


_BASES: dict[type, object] = {
    shapes.NoneType: None,
    shapes.BoolType: bool,
    shapes.IntType: int,
    shapes.FloatType: float,
    shapes.StrType: str,
    shapes.BytesType: bytes,
    shapes.ByteArrayType: bytearray,
    shapes.MemoryViewType: memoryview,
    shapes.DateTimeType: datetime.datetime,
    shapes.TimeType: datetime.time,
    shapes.DateType: datetime.date,
    shapes.TimeDeltaType: datetime.timedelta,
    shapes.UUIDType: uuid.UUID,
    shapes.DecimalType: decimal.Decimal,
    shapes.ExtType: msgspec.msgpack.Ext,
}


def _base(shape: shapes.Type) -> object:
    """The Python type of a shape without its constraints, as `msgspec.convert` takes it."""
    if isinstance(shape, shapes.LiteralType):
        return Literal[shape.values]
    return _BASES[type(shape)] if type(shape) in _BASES else getattr(shape, "cls", object)
