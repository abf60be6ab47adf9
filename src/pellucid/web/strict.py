"""The strict twin of a type: what msgspec lets pass and a caller should hear of.

In: an annotation of the user's. Out: one that takes the same data, but refuses unknown fields of Structs and dataclasses and
keeps annotated-types constraints (`Ge`, `Len`, …). Made once at start: decode into the user's type for the value, into its
twin for the check, since a subclass with other settings would not be the user's type any more.

A constraint becomes msgspec's own where msgspec has it. Where it has not (a bound on a Decimal or a date, a predicate), it
becomes a `Limit` that the twin's class checks after decoding.
"""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Union, get_args, get_origin

import annotated_types
import msgspec

from pellucid.validation import BOUNDS, Limit

__all__ = ["strict_twin", "twin_with_limits"]

_TESTS: dict[str, Callable[[typing.Any, typing.Any], object]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "multiple_of": lambda value, bound: value % bound == 0,
    "min_length": lambda value, bound: len(value) >= bound,
    "max_length": lambda value, bound: len(value) <= bound,
    "tz": lambda value, bound: (value.tzinfo is not None) is bound,
}

_MARKS: tuple[tuple[type, str], ...] = (
    (annotated_types.Gt, "gt"),
    (annotated_types.Ge, "ge"),
    (annotated_types.Lt, "lt"),
    (annotated_types.Le, "le"),
    (annotated_types.MultipleOf, "multiple_of"),
    (annotated_types.MinLen, "min_length"),
    (annotated_types.MaxLen, "max_length"),
    (annotated_types.Timezone, "tz"),
)


def strict_twin(annotation: object) -> object:
    """The twin of an annotation; the annotation itself where nothing about it is lax. A type within itself keeps its laxness.

    Raises TypeError for a constraint that cannot be kept, since dropping it silently would let bad data in.
    """
    return _twin(annotation, {}, None)


def twin_with_limits(annotation: object) -> tuple[object, tuple[Limit, ...]]:
    """The twin of one parameter's or field's annotation, and the limits that its holder must check on the converted value."""
    limits: list[Limit] = []
    return _twin(annotation, {}, limits), tuple(limits)


def _twin(annotation: object, known: dict[object, object], limits: list[Limit] | None) -> object:
    """`limits` takes what msgspec cannot check; None where nobody would look at it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        result = _twin(inner, known, limits)
        for mark in marks:
            result = _constrain(result, mark, limits)
        return result
    if origin in (Union, types.UnionType):
        parts = get_args(annotation)
        inside = limits if len(parts) == 2 and type(None) in parts else None
        return Union[tuple(_twin(part, known, inside) for part in parts)]  # noqa: UP007
    if origin in (list, set, frozenset, tuple, dict, Mapping):
        parts = tuple(part if part is Ellipsis else _twin(part, known, None) for part in get_args(annotation))
        return typing.cast("typing.Any", origin)[parts]
    if isinstance(annotation, type) and (issubclass(annotation, msgspec.Struct) or dataclasses.is_dataclass(annotation)):
        return _twin_class(annotation, known)
    return annotation


def _constrain(inner: object, mark: object, limits: list[Limit] | None) -> object:
    """The type with one more mark on it; a mark of somebody else's is none of our business."""
    if isinstance(mark, msgspec.Meta):
        return Annotated[inner, mark]
    if isinstance(mark, annotated_types.GroupedMetadata):
        for part in mark:
            inner = _constrain(inner, part, limits)
        return inner
    if isinstance(mark, annotated_types.Predicate):
        predicate = mark.func
        message = f"must fulfil {getattr(predicate, '__name__', 'a condition')}"
        return _limited(inner, Limit("invalid", message, lambda value: bool(predicate(value))), limits)
    for cls, name in _MARKS:
        if isinstance(mark, cls):
            bound = getattr(mark, name)
            return _bounded(inner, name, bound if name != "tz" else bound is not None, limits)
    if isinstance(mark, annotated_types.BaseMetadata):
        raise TypeError(f"the constraint {mark!r} cannot be kept; check it in the function or in __post_init__")
    return inner


def _bounded(inner: object, name: str, bound: typing.Any, limits: list[Limit] | None) -> object:
    """The type with a bound: msgspec's own where it takes it, else a limit."""
    options: dict[str, typing.Any] = {name: bound}
    try:
        meta = msgspec.Meta(**options)
        msgspec.inspect.type_info(Annotated[inner, meta])
    except TypeError:
        compare = _TESTS[name]
        code, message = BOUNDS[name]
        return _limited(inner, Limit(code, message.format(bound), lambda value: bool(compare(value, bound))), limits)
    return Annotated[inner, meta]


def _limited(inner: object, limit: Limit, limits: list[Limit] | None) -> object:
    if limits is None:
        raise TypeError(f"the constraint {limit.message!r} cannot be kept inside of a list, a mapping or a union")
    limits.append(limit)
    return inner


def _twin_class(cls: type, known: dict[object, object]) -> object:
    config = getattr(cls, "__struct_config__", None)
    if config is not None and config.array_like:
        return cls
    if cls in known:
        return known[cls]
    known[cls] = cls
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    names: dict[str, str] = {}
    limits_by_field: dict[str, tuple[Limit, ...]] = {}
    shape = msgspec.inspect.type_info(cls)
    assert isinstance(shape, (msgspec.inspect.StructType, msgspec.inspect.DataclassType))
    for field in shape.fields:
        limits: list[Limit] = []
        names[field.name] = field.encode_name
        kind = _twin(hints[field.name], known, limits)
        fields.append((field.name, kind) if field.required else (field.name, kind, None))
        if limits:
            limits_by_field[field.name] = tuple(limits)
    known[cls] = msgspec.defstruct(
        cls.__name__,
        typing.cast("typing.Any", fields),
        namespace={"limits_by_field": limits_by_field, "__post_init__": _check_limits} if limits_by_field else None,
        rename=names,
        tag=config.tag if config else None,
        tag_field=config.tag_field if config else None,
        forbid_unknown_fields=True,
        kw_only=True,
    )
    return known[cls]


def _check_limits(twin: typing.Any) -> None:
    for name, limits in twin.limits_by_field.items():
        value = getattr(twin, name)
        for limit in limits:
            if not limit.holds(value):
                raise ValueError(f"{name} {limit.message}")
