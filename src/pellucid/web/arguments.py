"""A request's values for a function's parameters: converted, checked, all errors at once.

In: an `EndpointSpec` once at start; then, per request, path values, query and body. Out: the keyword arguments, or a Problem
(INVALID_PARAMETER, INVALID_BODY) that lists every bad part. msgspec converts, compiled at start; only after it has refused does
`validation.explain` look for all reasons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import NotRequired, Required, TypedDict, cast

import msgspec

from pellucid.errors import INVALID_BODY, INVALID_PARAMETER, UNSUPPORTED_MEDIA_TYPE, FieldError, Problem, shorten
from pellucid.http.forms import FORM_TYPES, Form, FormLimits, query_fields, read_form
from pellucid.http.messages import Request
from pellucid.http.negotiate import content_type
from pellucid.validation import Limit, explain, malformed
from pellucid.web.router import parameters
from pellucid.web.signature import EndpointSpec, ParameterSpec, Place
from pellucid.web.strict import strict_twin, twin_with_limits

__all__ = ["Arguments"]

# Made at start from data, which no type checker can follow.
_typed_dict = cast("Callable[[str, dict[str, object]], type]", TypedDict)


class Arguments:
    """What fills one function's parameters. Raises TypeError at start for a type that msgspec does not support."""

    def __init__(self, spec: EndpointSpec, make_call: Callable[[Request], object], limits: FormLimits) -> None:
        self._make_call = make_call
        self._calls = tuple(parameter.name for parameter in spec.at(Place.CALL))
        self._requests = tuple(parameter.name for parameter in spec.at(Place.REQUEST))
        self._path_names = parameters(spec.path)
        self._scalars = _Scalars(spec.at(Place.PATH, Place.QUERY))
        self._has_query = bool(spec.at(Place.QUERY))
        self._body = _Body(spec.body) if spec.body is not None else None
        self._files = spec.at(Place.FILE)
        self._fields_first = any(parameter.in_form for parameter in spec.parameters)
        self._limits = limits
        self.waits = self._body is not None or bool(self._files)
        """Whether the body must be read first: then only `read` will do."""

    def plain(self, request: Request, values: tuple[str, ...], form: Form | None = None) -> dict[str, object]:
        """The arguments of a function without a body. Raises INVALID_PARAMETER, BAD_QUERY."""
        sent: dict[str, object] = dict(zip(self._path_names, values, strict=True))
        fields = form.fields if form is not None and self._fields_first else ()
        found = self._scalars.convert(sent, request.query if self._has_query else "", fields)
        for name in self._calls:
            found[name] = self._make_call(request)
        for name in self._requests:
            found[name] = request
        return found

    async def read(self, request: Request, values: tuple[str, ...]) -> tuple[dict[str, object], Form | None]:
        """All arguments, and the form whose files the caller closes. Raises what `plain` does, and INVALID_BODY."""
        form = await self._form(request) if self._fields_first else None
        errors: list[FieldError] = []
        found: dict[str, object] = {}
        try:
            try:
                found = self.plain(request, values, form)
            except Problem as problem:
                if problem.code is not INVALID_PARAMETER:
                    raise
                errors.extend(problem.errors)
            code = INVALID_PARAMETER if errors else INVALID_BODY
            if not self._fields_first:
                form = await self._form(request)
            if self._body is not None:
                errors += await self._body.fill(found, request, form)
            errors += self._take_files(found, form)
            if errors:
                raise Problem(code, _summary(errors), errors=errors)
        except BaseException:
            if form is not None:
                form.close()
            raise
        return found, form

    async def _form(self, request: Request) -> Form | None:
        kind = content_type(request.headers)
        if kind is not None and kind.name in FORM_TYPES:
            if self._body is None or not self._body.raw:
                return await read_form(request, self._limits)
        elif any(parameter.required for parameter in self._files):
            raise Problem(UNSUPPORTED_MEDIA_TYPE, "a file was expected", hint="send multipart/form-data")
        return None

    def _take_files(self, found: dict[str, object], form: Form | None) -> list[FieldError]:
        errors: list[FieldError] = []
        for parameter in self._files:
            # A browser sends an empty part without a name for a file that nobody chose.
            sent = [file for file in form.files if file.name == parameter.name and (file.filename or file.size)] if form else []
            if parameter.many:
                found[parameter.name] = sent
            elif sent:
                found[parameter.name] = sent[0]
            elif parameter.required:
                errors.append(FieldError(f"$.{parameter.name}", "missing", f"the file {parameter.name!r} is required"))
            else:
                found[parameter.name] = parameter.default
        return errors


class _Scalars:
    """Path and query parameters, converted by one call of msgspec into one dict."""

    def __init__(self, specs: tuple[ParameterSpec, ...]) -> None:
        self._specs = {parameter.name: parameter for parameter in specs}
        self._many = frozenset(parameter.name for parameter in specs if parameter.many)
        self._nulls = {p.name: None for p in specs if p.nullable and not p.required and p.default is None}
        self._limits: dict[str, tuple[Limit, ...]] = {}
        kinds: dict[str, object] = {}
        for parameter in specs:
            kind, limits = twin_with_limits(parameter.type)
            if parameter.type is float:
                limits = (*limits, _FINITE)
            if limits:
                self._limits[parameter.name] = limits
            kinds[parameter.name] = Required[kind] if parameter.required else NotRequired[kind]
        self._all_text = all(kind == Required[str] for kind in kinds.values())
        self._type = _typed_dict("Parameters", kinds)
        msgspec.inspect.type_info(self._type)

    def convert(self, sent: dict[str, object], query: str, form: Sequence[tuple[str, str]] = ()) -> dict[str, object]:
        """The values by name; those that are absent and have a default are left to the function.

        What both a form and the query have, the form says.
        """
        if query or form:
            for pairs in (form, query_fields(query)):
                self._add(sent, pairs)
        elif self._all_text and len(sent) == len(self._specs):
            return sent
        try:
            found: dict[str, object] = msgspec.convert(sent, self._type, strict=False)
        except msgspec.ValidationError:
            errors = explain(self._type, sent, strict=False, path="")
            raise self._problem(errors) from None
        if self._limits and (broken := self._broken(found)):
            raise self._problem(broken)
        return {**self._nulls, **found} if self._nulls else found

    def _add(self, sent: dict[str, object], pairs: Sequence[tuple[str, str]]) -> None:
        twice: list[FieldError] = []
        known = frozenset(sent)
        for name, value in pairs:
            if name not in self._specs or name in known:
                continue
            if name in self._many:
                values = sent.setdefault(name, [])
                assert isinstance(values, list)
                values.append(value)
            elif name in sent:
                twice.append(FieldError(f".{name}", "given-twice", f"{name!r} is one value, but was given twice"))
            else:
                sent[name] = value
        if twice:
            raise self._problem(twice)

    def _broken(self, found: dict[str, object]) -> list[FieldError]:
        return [
            FieldError(f".{name}", limit.code, limit.message)
            for name, limits in self._limits.items()
            for limit in limits
            if name in found and not limit.holds(found[name])
        ]

    def _problem(self, errors: list[FieldError]) -> Problem:
        """Say of each error whether it is in the path, in the query or in the form."""
        placed: list[FieldError] = []
        for error in errors:
            name = error.path[1:].partition("[")[0].partition(".")[0]
            parameter = self._specs.get(name)
            where = parameter.where.value if parameter is not None else Place.QUERY.value
            where = "form" if parameter is not None and parameter.in_form else where
            placed.append(FieldError(where + error.path, error.code, error.message.replace("the field", "the parameter")))
        return Problem(INVALID_PARAMETER, _summary(placed), errors=placed)


_FINITE = Limit("invalid", "must be a finite number", lambda value: not isinstance(value, float) or math.isfinite(value))


class _Body:
    """The one parameter that holds the body."""

    def __init__(self, parameter: ParameterSpec) -> None:
        self._name = parameter.name
        self._required = parameter.required
        self._default = parameter.default
        self._nullable = parameter.nullable
        self._type = parameter.type
        self.raw = parameter.type is bytes
        """Whether the function wants the bytes as they come."""
        self._twin = strict_twin(parameter.type)
        self._decoder = msgspec.json.Decoder(parameter.type)
        self._has_dataclass = _mentions_dataclass(parameter.type)
        self._twin_decoder = None if self._twin == parameter.type else msgspec.json.Decoder(self._twin)

    async def fill(self, found: dict[str, object], request: Request, form: Form | None) -> list[FieldError]:
        """Put the body into `found`; the errors instead where it does not fit. Raises MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE."""
        if form is not None:
            return self._from_form(found, form)
        data = await request.read()
        if self.raw:
            found[self._name] = data
            return []
        if not data:
            if self._required:
                return [FieldError("$", "missing", "a body is required")]
            found[self._name] = self._default
            return []
        kind = content_type(request.headers)
        if kind is None or not (kind.name == "application/json" or kind.subtype.endswith("+json")):
            sent = shorten(request.headers.get("content-type"))
            hint = f"send application/json, {' or '.join(FORM_TYPES)}"
            raise Problem(UNSUPPORTED_MEDIA_TYPE, f"the body's content-type is {sent}", hint=hint)
        if self._nullable and data.strip() == b"null":
            found[self._name] = None
            return []
        try:
            found[self._name] = self._decoder.decode(data)
            if self._twin_decoder is not None:
                self._twin_decoder.decode(data)
        except msgspec.ValidationError as error:
            return explain(self._twin, data) or [FieldError("$", "invalid", str(error))]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(error) from None
        self._complete(found)
        return []

    def _complete(self, found: dict[str, object]) -> None:
        if self._has_dataclass:
            _set_defaults(found[self._name])

    def _from_form(self, found: dict[str, object], form: Form) -> list[FieldError]:
        """Text values by name; a repeated name is a list, and so is a single one where the type wants a list."""
        lists = _list_fields(self._twin)
        data: dict[str, object] = {}
        for name, value in form.fields:
            known = data.get(name)
            if isinstance(known, list):
                known.append(value)
            elif known is not None:
                data[name] = [known, value]
            else:
                data[name] = [value] if name in lists else value
        try:
            found[self._name] = msgspec.convert(data, self._type, strict=False)
            msgspec.convert(data, self._twin, strict=False)
        except msgspec.ValidationError as error:
            return explain(self._twin, data, strict=False) or [FieldError("$", "invalid", str(error))]
        self._complete(found)
        return []


def _mentions_dataclass(type: object) -> bool:
    """Whether a value of this type may hold a dataclass."""
    waiting, seen = [msgspec.inspect.type_info(type)], set[int]()
    while waiting:
        shape = waiting.pop()
        if isinstance(shape, msgspec.inspect.DataclassType):
            return True
        if id(shape) not in seen:
            seen.add(id(shape))
            waiting += [field.type for field in getattr(shape, "fields", ())]
            parts = (getattr(shape, name, None) for name in ("type", "item_type", "value_type"))
            waiting += [part for part in (*parts, *getattr(shape, "types", ()), *getattr(shape, "item_types", ())) if part]
    return False


def _set_defaults(value: object) -> None:
    """Give each dataclass its defaulted fields as its own.

    msgspec leaves a plain default on the class where the field was absent, and then leaves the field out when it encodes.
    """
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _set_defaults(item)
    elif isinstance(value, dict):
        for item in value.values():
            _set_defaults(item)
    elif is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            _set_defaults(inner)
            if field.name not in getattr(value, "__dict__", {field.name: None}):
                object.__setattr__(value, field.name, inner)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _set_defaults(getattr(value, name))


def _list_fields(type: object) -> frozenset[str]:
    shape = msgspec.inspect.type_info(type)
    return frozenset(
        field.encode_name
        for field in getattr(shape, "fields", ())
        if any(isinstance(part, msgspec.inspect.CollectionType) for part in getattr(field.type, "types", (field.type,)))
    )


def _summary(errors: list[FieldError]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first.path}: {first.message}{more}"
