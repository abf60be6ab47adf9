"""A user's function, read once at start: where each of its parameters comes from.

In: a function, its method and its path pattern. Out: an `EndpointSpec`, plain data that `web/endpoint.py` runs by and OpenAPI is
written from; or a RouteError that names function, parameter and cure. It never runs the function and reads no request.

A parameter is, in this order: the Call or the Request by its type; a path value by its name; the body where its type has fields
or is raw bytes; a file; else a query parameter. Beside a file, where no parameter takes the form's fields, each of those is
looked for in the form first: whoever sends a file in a form has the other values there too.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

import msgspec

from pellucid.errors import near
from pellucid.http.forms import UploadFile
from pellucid.http.messages import Request
from pellucid.web.router import RouteError, parameters

__all__ = ["EndpointSpec", "ParameterSpec", "Place", "read_signature"]

_SCALARS = (
    str, int, float, bool, decimal.Decimal, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, uuid.UUID,
)  # fmt: skip
_NO_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")


class Place(enum.Enum):
    """Where a parameter's value comes from."""

    CALL = "call"
    REQUEST = "request"
    PATH = "path"
    QUERY = "query"
    BODY = "body"
    FILE = "file"


class ParameterSpec(msgspec.Struct, frozen=True):
    """One parameter. `type` is the annotation with its constraints, without None; `many` is a repeated one. A query parameter
    with `in_form` may be a field of the form as well, and is taken from there first.
    """

    name: str
    where: Place
    type: object
    required: bool = True
    default: object = None
    nullable: bool = False
    many: bool = False
    description: str | None = None
    in_form: bool = False


class EndpointSpec(msgspec.Struct, frozen=True):
    """One endpoint as data. `returns` is the annotation, `object` where there is none; `status` that of an answer with a body."""

    method: str
    path: str
    name: str
    parameters: tuple[ParameterSpec, ...]
    returns: object
    status: int | None = None
    summary: str | None = None
    description: str | None = None

    def at(self, *places: Place) -> tuple[ParameterSpec, ...]:
        """The parameters that come from these places, in order."""
        return tuple(parameter for parameter in self.parameters if parameter.where in places)

    @property
    def body(self) -> ParameterSpec | None:
        """The one parameter that holds the body."""
        return next(iter(self.at(Place.BODY)), None)


def read_signature(
    function: Callable[..., object], method: str, pattern: str, *, call_type: type, status: int | None = None
) -> EndpointSpec:
    """Read a function's parameters, types and docstring. Raises RouteError with the cure for what cannot be."""
    where = f"{method} {pattern}: {_title(function)}"
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise RouteError(f"{where}: its annotations cannot be read ({error}); import the types at the module's level") from None
    in_path = parameters(pattern)
    found = [_parameter(where, parameter, hints, in_path, call_type) for parameter in signature.parameters.values()]
    _check(where, method, found, in_path)
    places = {parameter.where for parameter in found}
    if Place.FILE in places and Place.BODY not in places:
        replace = msgspec.structs.replace
        found = [replace(parameter, in_form=parameter.where is Place.QUERY) for parameter in found]
    if inspect.isgeneratorfunction(function):
        raise RouteError(f"{where} is a generator; make it an async one, or return a list")
    summary, _, description = (inspect.getdoc(function) or "").partition("\n\n")
    return EndpointSpec(
        method=method,
        path=pattern,
        name=getattr(function, "__name__", "endpoint"),
        parameters=tuple(found),
        returns=hints.get("return", object),
        status=status,
        summary=" ".join(summary.split()) or None,
        description=description.strip() or None,
    )


def _title(function: Callable[..., object]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"


def _parameter(
    where: str, parameter: inspect.Parameter, hints: Mapping[str, object], in_path: tuple[str, ...], call_type: type
) -> ParameterSpec:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise RouteError(f"{where}: the parameter {str(parameter)!r} cannot be filled; write out the parameters by name")
    if name not in hints:
        raise RouteError(f"{where}: the parameter {name!r} has no type; write for instance '{name}: str'")
    annotation, nullable = _without_none(hints[name])
    description = _description(hints[name])
    bare = _bare(annotation)
    if bare is call_type:
        return ParameterSpec(name, Place.CALL, bare)
    if bare is Request:
        return ParameterSpec(name, Place.REQUEST, bare)
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    if name in in_path:
        if not _is_scalar(bare):
            raise RouteError(f"{where}: the path parameter {name!r} cannot be {_word(bare)}; make it a str, an int or the like")
        return ParameterSpec(name, Place.PATH, annotation, description=description)
    many = get_origin(bare) in (list, tuple, set, frozenset)
    item = _bare(get_args(bare)[0]) if many else bare
    if item is UploadFile:
        return ParameterSpec(name, Place.FILE, item, required and not nullable, default, nullable, many, description)
    if _is_scalar(item):
        return ParameterSpec(name, Place.QUERY, annotation, required and not nullable, default, nullable, many, description)
    if bare is bytes or _has_fields(bare) or (many and _has_fields(item)):
        return ParameterSpec(name, Place.BODY, annotation, required and not nullable, default, nullable, False, description)
    cure = "use a Struct or a dataclass for a body, a scalar for a query"
    raise RouteError(f"{where}: the parameter {name!r} cannot be {_word(bare)}; {cure}")


def _check(where: str, method: str, found: list[ParameterSpec], in_path: tuple[str, ...]) -> None:
    """What only all parameters together show."""
    names = [parameter.name for parameter in found]
    for name in in_path:
        if name not in names:
            hint = near(name, names) or "add it"
            raise RouteError(f"{where}: the path has {{{name}}}, but the function has no parameter of that name; {hint}")
    bodies = [parameter.name for parameter in found if parameter.where is Place.BODY]
    if len(bodies) > 1:
        raise RouteError(f"{where}: {' and '.join(bodies)} would both be the body; put them into one Struct")
    sent = [parameter.name for parameter in found if parameter.where in (Place.BODY, Place.FILE)]
    if sent and method in _NO_BODY:
        raise RouteError(f"{where}: {method} has no body, so {sent[0]!r} cannot be filled; use POST, or take it from the query")


def _without_none(annotation: object) -> tuple[object, bool]:
    """The annotation without None in its union, and whether it was there."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = tuple(part for part in get_args(annotation) if part is not type(None))
        if len(parts) < len(get_args(annotation)):
            return Union[parts], True  # noqa: UP007
    if get_origin(annotation) is Annotated:
        inner, nullable = _without_none(get_args(annotation)[0])
        if nullable:
            return Annotated[(inner, *get_args(annotation)[1:])], True
    return annotation, False


def _bare(annotation: object) -> typing.Any:
    """The annotation without Annotated."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_scalar(annotation: object) -> bool:
    annotation = _bare(annotation)
    if get_origin(annotation) is Literal:
        return True
    if get_origin(annotation) in (Union, types.UnionType):
        return all(_is_scalar(part) for part in get_args(annotation))
    return annotation in _SCALARS or (isinstance(annotation, type) and issubclass(annotation, enum.Enum))


def _has_fields(annotation: object) -> bool:
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return all(_has_fields(part) for part in get_args(annotation))
    if origin in (dict, Mapping) or annotation in (dict, list):
        return True
    cls = origin or annotation
    return isinstance(cls, type) and (issubclass(cls, msgspec.Struct) or is_dataclass(cls) or typing.is_typeddict(cls))


def _word(annotation: object) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)


def _description(annotation: object) -> str | None:
    """What an Annotated says about the parameter: `Meta(description=…)` or a `Doc`."""
    for mark in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
        text = getattr(mark, "description", None) or getattr(mark, "documentation", None)
        if isinstance(text, str):
            return text
    return None
