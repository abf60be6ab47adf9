"""The user's own endpoints in the terms of OpenAPI 3.1.

In: `EndpointSpec`s. Out: path items, and the components that their types need. Types are described by msgspec, which also
reads the bodies.
"""

from __future__ import annotations

import re
import typing
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from pellucid.api.openapi_parts import problems
from pellucid.http.forms import UploadFile
from pellucid.http.messages import Response
from pellucid.schema.json_schema import REFERENCE, Schema
from pellucid.schema.model import Model
from pellucid.web.signature import EndpointSpec, ParameterSpec, Place
from pellucid.web.strict import twin_with_limits
from pellucid.web.templates import Page

__all__ = ["endpoint_paths"]

_PLACEHOLDER = re.compile(r"\{(\w+)(?::\w+)?\}")
Components = dict[str, Schema]


def endpoint_paths(specs: Sequence[EndpointSpec], taken: Mapping[str, object]) -> tuple[dict[str, dict[str, object]], Components]:
    """The path items of all endpoints and the components they refer to; none of those has a name that is taken."""
    paths: dict[str, dict[str, object]] = {}
    components: Components = {}
    ids: set[str] = set()
    for spec in specs:
        name, number = spec.name, 2
        while name in ids:
            name, number = f"{spec.name}_{number}", number + 1
        ids.add(name)
        operation = _operation(spec, name, _Schemas(components, taken))
        paths.setdefault(_PLACEHOLDER.sub(r"{\1}", spec.path), {})[spec.method.lower()] = operation
    return paths, components


class _Schemas:
    """Turns types into schemas and collects the components that they need."""

    def __init__(self, components: Components, taken: Mapping[str, object]) -> None:
        self._components = components
        self._taken = taken

    def of(self, annotation: object) -> Schema:
        """The schema of a type; anything at all where it has none."""
        if isinstance(annotation, type) and issubclass(annotation, Model):
            return {"$ref": REFERENCE.format(name=annotation.__name__)}
        arguments = typing.get_args(annotation)
        if typing.get_origin(annotation) in (list, tuple) and arguments and _is_model(arguments[0]):
            return {"type": "array", "items": self.of(arguments[0])}
        if typing.get_origin(annotation) is not None and any(_is_model(argument) for argument in arguments):
            return {"anyOf": [{"type": "null"} if part is type(None) else self.of(part) for part in arguments]}
        try:
            (schema,), found = msgspec.json.schema_components([annotation], ref_template=REFERENCE)
        except TypeError:
            return {}
        components = typing.cast("dict[str, Schema]", found)
        strict, kept = _strictly(annotation)
        for name in kept.keys() & components.keys():
            components[name] = _tightened(components[name], kept[name])
        return self._adopt({**schema, **strict}, components)

    def _adopt(self, schema: Schema, found: dict[str, Schema]) -> Schema:
        """Take over components, renamed where a model or another class has the name already."""
        names = {}
        for name, component in found.items():
            fresh, number = name, 2
            while fresh in self._taken or self._components.get(fresh, component) != component:
                fresh, number = f"{name}_{number}", number + 1
            names[REFERENCE.format(name=name)] = REFERENCE.format(name=fresh)
            self._components[fresh] = component
        renamed = {old: new for old, new in names.items() if old != new}
        if not renamed:
            return schema
        for new in names.values():
            key = new.rpartition("/")[2]
            self._components[key] = typing.cast(Schema, _renamed(self._components[key], renamed))
        return typing.cast(Schema, _renamed(schema, renamed))


def _strictly(annotation: object) -> tuple[Schema, Components]:
    """The schema of a type's strict twin, which knows the constraints and takes no unknown fields; nothing where none can
    be made, as for a result that nobody checks.
    """
    try:
        (schema,), found = msgspec.json.schema_components([twin_with_limits(annotation)[0]], ref_template=REFERENCE)
    except TypeError:
        return {}, {}
    return dict(schema), typing.cast(Components, found)


def _tightened(component: Schema, strict: Schema) -> Schema:
    """A class as its author wrote it, with what its strict twin knows of its fields, defaults apart."""
    if strict.get("additionalProperties") is not False:
        return component
    written = typing.cast("dict[str, Schema]", component.get("properties", {}))
    twins = typing.cast("dict[str, Schema]", strict.get("properties", {}))
    properties = {
        name: {**field, **{key: part for key, part in twins.get(name, {}).items() if key != "default"}}
        for name, field in written.items()
    }
    return {**component, "properties": properties, "additionalProperties": False}


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)


def _renamed(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {
            key: names.get(part, part) if key == "$ref" and isinstance(part, str) else _renamed(part, names)
            for key, part in value.items()
        }
    return [_renamed(part, names) for part in value] if isinstance(value, list) else value


def _operation(spec: EndpointSpec, name: str, schemas: _Schemas) -> dict[str, object]:
    operation: dict[str, object] = {"operationId": name, "tags": ["endpoints"]}
    if spec.summary:
        operation["summary"] = spec.summary
    if spec.description:
        operation["description"] = spec.description
    parameters = [_parameter(parameter, schemas) for parameter in spec.at(Place.PATH, Place.QUERY)]
    if parameters:
        operation["parameters"] = parameters
    if (body := _body(spec, schemas)) is not None:
        operation["requestBody"] = body
    codes = [400]
    if spec.at(Place.PATH):
        codes.append(404)
    if body is not None:
        codes += [413, 415]
    operation["responses"] = {**_answer(spec, schemas), **problems(*codes, 422, 503)}
    return operation


def _parameter(parameter: ParameterSpec, schemas: _Schemas) -> dict[str, object]:
    schema = schemas.of(parameter.type)
    if parameter.many and schema.get("type") != "array":
        schema = {"type": "array", "items": schema}
    if not parameter.required and parameter.default is not None:
        try:
            schema = {**schema, "default": msgspec.to_builtins(parameter.default)}
        except TypeError:
            pass
    described: dict[str, object] = {"name": parameter.name, "in": parameter.where.value, "schema": schema}
    if parameter.where is Place.PATH or parameter.required:
        described["required"] = True
    if parameter.description:
        described["description"] = parameter.description
    return described


def _body(spec: EndpointSpec, schemas: _Schemas) -> dict[str, object] | None:
    files = spec.at(Place.FILE)
    body = spec.body
    if files:
        properties: dict[str, object] = {}
        for parameter in files:
            one: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
            properties[parameter.name] = {"type": "array", "items": one} if parameter.many else one
        parts: Schema = {"type": "object", "properties": properties}
        if required := [parameter.name for parameter in files if parameter.required]:
            parts["required"] = required
        schema: Schema = parts if body is None else {"allOf": [schemas.of(body.type), parts]}
        return {"content": {"multipart/form-data": {"schema": schema}}, "required": any(each.required for each in files)}
    if body is None:
        return None
    if body.type is bytes:
        return {"content": {"application/octet-stream": {}}, "required": body.required}
    content: dict[str, object] = {"application/json": {"schema": schemas.of(body.type)}}
    return {"content": content, "required": body.required}


def _answer(spec: EndpointSpec, schemas: _Schemas) -> dict[str, object]:
    """What the function returns decides status and media type, as `web/endpoint.py` says."""
    returns = spec.returns
    if returns in (None, type(None)):
        return {str(spec.status or 204): {"description": "Done"}}
    status = str(spec.status or 200)
    if returns is object or returns is UploadFile or (isinstance(returns, type) and issubclass(returns, Response)):
        return {status: {"description": "Done", "content": {"*/*": {}}}}
    for kind, media in ((Page, "text/html"), (str, "text/plain"), (bytes, "application/octet-stream")):
        if isinstance(returns, type) and issubclass(returns, kind):
            return {status: {"description": "Done", "content": {media: {"schema": {"type": "string"}}}}}
    origin = typing.get_origin(returns) or returns
    if isinstance(origin, type) and issubclass(origin, AsyncIterator):
        media = "text/plain" if str in typing.get_args(returns) else "application/octet-stream"
        return {status: {"description": "A stream", "content": {media: {}}}}
    answer: dict[str, object] = {
        status: {"description": "Done", "content": {"application/json": {"schema": schemas.of(returns)}}}
    }
    if type(None) in typing.get_args(returns):
        answer["204"] = {"description": "Nothing"}
    return answer
