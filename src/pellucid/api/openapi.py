"""The API's description: an OpenAPI 3.1 document of every collection and every endpoint.

In: the models and the endpoints as data. Out: JSON. A verb is described where its rule could allow it to anybody; what the
rules say of one caller is decided per request. It reads no request and no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pellucid.api.openapi_endpoints import endpoint_paths
from pellucid.api.openapi_parts import HEADERS, PARAMETERS, PROBLEM, filter_parameter, problems, refer
from pellucid.plan.query import OPERATORS
from pellucid.schema.json_schema import REFERENCE, Schema, field_schema, intake_schema, own_types, row_schema
from pellucid.schema.names import snake_case
from pellucid.schema.rules import AllOf, AnyOf, Anyone, Nobody, Rule
from pellucid.schema.spec import Catalog, Default, FieldSpec, Kind, ModelSpec
from pellucid.web.signature import EndpointSpec

__all__ = ["openapi", "openapi_document"]

Operation = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What tells one verb from another: parameters, good answers, the statuses of bad ones, and the body it takes."""

    parameters: list[object]
    responses: dict[str, object]
    statuses: tuple[int, ...]
    body: dict[str, object] | None = None


_GRAMMAR = (
    "Collections are read and written in PostgREST's grammar: filters as `field=operator.value`, `select`, `order`, `limit`, "
    "`offset`, and paging by the cursor in `Link`. HEAD is answered wherever GET is, OPTIONS everywhere. "
    "Errors are `application/problem+json` with a stable `code`."
)


def openapi_document(
    catalog: Catalog,
    endpoints: Sequence[EndpointSpec] = (),
    *,
    title: str = "API",
    version: str = "1.0.0",
    description: str | None = None,
) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(openapi(catalog, endpoints, title=title, version=version, description=description))


def openapi(
    catalog: Catalog,
    endpoints: Sequence[EndpointSpec] = (),
    *,
    title: str = "API",
    version: str = "1.0.0",
    description: str | None = None,
) -> dict[str, object]:
    """The document as plain data."""
    models = list(catalog.models.values())
    schemas: dict[str, object] = {"Problem": PROBLEM}
    paths: dict[str, object] = {}
    for model in models:
        schemas |= _schemas(model, catalog)
        paths |= {path: item for path, item in _model_paths(model).items() if item}
    own, components = endpoint_paths(endpoints, schemas)
    document: dict[str, object] = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": f"{description}\n\n{_GRAMMAR}" if description else _GRAMMAR},
        "servers": [{"url": "/"}],
        "paths": {**paths, **own, **_HEALTH},
        "components": {"schemas": {**schemas, **components}, "parameters": dict(PARAMETERS), "headers": dict(HEADERS)},
        "tags": [_tag(model) for model in models] + ([{"name": "endpoints"}] if own else []) + [{"name": "health"}],
    }
    return document


def _tag(model: ModelSpec) -> dict[str, object]:
    return {"name": model.collection, **({"description": model.description} if model.description else {})}


def _health(name: str, says: str) -> Operation:
    answered = {"description": says, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"get": {"operationId": name, "tags": ["health"], "summary": says, "responses": {"200": answered, **problems(503)}}}


_HEALTH: Mapping[str, Operation] = {
    "/healthz": _health("healthz", "The process answers"),
    "/readyz": _health("readyz", "The database answers"),
}


def possible(rule: Rule) -> bool:
    """Whether a rule could allow anybody anything."""
    match rule:
        case Nobody():
            return False
        case AnyOf(parts=parts):
            return any(possible(part) for part in parts)
        case AllOf(parts=parts):
            return all(possible(part) for part in parts)
        case _:
            return True


def _schemas(model: ModelSpec, catalog: Catalog) -> dict[str, object]:
    schemas: dict[str, object] = {name: schema for field in model.fields for name, schema in own_types(field).items()}
    schemas[model.name] = row_schema(model, catalog)
    if possible(model.rules.create):
        schemas[f"{model.name}Create"] = intake_schema(model, partial=False)
    if possible(model.rules.update):
        schemas[f"{model.name}Update"] = intake_schema(model, partial=True)
    if _replaced(model) == f"{model.name}Replace":
        schemas[f"{model.name}Replace"] = intake_schema(model, partial=False, keyed=True)
    return schemas


def _replaced(model: ModelSpec) -> str:
    """The schema of what PUT takes: that of a new row, but for a key that must be given, since the path gives it."""
    if model.key.default is not Default.REQUIRED or not (possible(model.rules.create) and possible(model.rules.update)):
        return f"{model.name}Create"
    return f"{model.name}Replace"


def _model_paths(model: ModelSpec) -> dict[str, dict[str, object]]:
    rules, names, one = model.rules, model.collection, snake_case(model.name)
    many: dict[str, object] = {}
    single: dict[str, object] = {}
    if possible(rules.read):
        many["get"] = _operation(model, f"list_{names}", f"Find {names}", rules.read, _list(model))
        single["get"] = _operation(model, f"get_{one}", f"Get one of {names} by its key", rules.read, _get(model))
    if possible(rules.create):
        many["post"] = _operation(model, f"create_{one}", f"Create {names}, one or several", rules.create, _create(model))
    if possible(rules.update):
        some, each = _change(model, key=False), _change(model, key=True)
        many["patch"] = _operation(model, f"update_many_{names}", f"Change the {names} that fit a filter", rules.update, some)
        single["patch"] = _operation(model, f"update_{one}", f"Change one of {names} (RFC 7396)", rules.update, each)
    if possible(rules.create) and possible(rules.update):
        single["put"] = _operation(model, f"replace_{one}", f"Replace or create one of {names}", rules.update, _replace(model))
    if possible(rules.delete):
        some, each = _delete(model, key=False), _delete(model, key=True)
        many["delete"] = _operation(model, f"delete_many_{names}", f"Delete the {names} that fit a filter", rules.delete, some)
        single["delete"] = _operation(model, f"delete_{one}", f"Delete one of {names}", rules.delete, each)
    if single:
        single["parameters"] = [_key_parameter(model)]
    return {f"/api/{names}": many, f"/api/{names}/{{{model.key.name}}}": single}


def _operation(model: ModelSpec, name: str, summary: str, rule: Rule, parts: _Parts) -> Operation:
    denials = () if isinstance(rule, Anyone) else (401, 403)
    operation: Operation = {
        "operationId": name,
        "tags": [model.collection],
        "summary": summary,
        "parameters": parts.parameters,
        "responses": {**parts.responses, **problems(*sorted({400, 406, 429, 503, *parts.statuses, *denials}))},
    }
    return operation if parts.body is None else {**operation, "requestBody": parts.body}


def _shared(*names: str) -> list[object]:
    return [refer("parameters", name) for name in names]


def _headers(*names: str) -> dict[str, object]:
    return {name: refer("headers", name) for name in names}


def _key_parameter(model: ModelSpec) -> dict[str, object]:
    return {"name": model.key.name, "in": "path", "required": True, "schema": field_schema(model.key, incoming=True)}


_EXAMPLES: Mapping[Kind, str] = {
    Kind.INT: "gte.10", Kind.FLOAT: "lt.0.5", Kind.STR: "ilike.*tea*", Kind.BOOL: "is.true", Kind.DECIMAL: "lte.19.90",
    Kind.DATETIME: "gte.2026-11-21T10:00:00Z", Kind.DATE: "eq.2026-11-21", Kind.TIME: "lt.10:30:00", Kind.DURATION: "gt.PT90S",
    Kind.UUID: "eq.01a1fdb4-5338-76a6-b42c-1b258ddfae8c", Kind.BYTES: "is.null", Kind.JSON: "is.null",
}  # fmt: skip


def _filters(model: ModelSpec) -> list[object]:
    """One parameter for each field that may be filtered by. `order` as a field is reached through `and`, its name being taken."""
    return [
        filter_parameter(field.name, f"Filter by {field.name}", _example(field), OPERATORS)
        for field in model.fields
        if field.visible and field.name not in PARAMETERS
    ]


def _example(field: FieldSpec) -> str:
    if field.kind is Kind.ENUM:
        return f"eq.{field.choices[0]}"
    return "eq.1" if field.ref and field.kind is Kind.INT else _EXAMPLES[field.kind]


def _row(model: ModelSpec) -> Schema:
    return {"$ref": REFERENCE.format(name=model.name)}


def _rows(model: ModelSpec) -> dict[str, object]:
    """The forms of an answer with several rows."""
    several = {"schema": {"type": "array", "items": _row(model)}}
    return {
        "application/json": several,
        "application/vnd.pgrst.array+json": several,
        "application/vnd.pgrst.object+json": {"schema": _row(model)},
        "text/csv": {"schema": {"type": "string"}},
    }


def _one_row(model: ModelSpec) -> dict[str, object]:
    one = {"schema": _row(model)}
    return {**_rows(model), "application/json": one}


def _list(model: ModelSpec) -> _Parts:
    headers = _headers("ETag", "Content-Range", "Link", "Preference-Applied")
    page = {"description": "The rows", "headers": headers, "content": _rows(model)}
    return _Parts(
        [
            *_filters(model),
            *_shared(*_CONDITIONS, "select", "order", "limit", "offset", "after", "prefer", "range", "if_none_match"),
        ],
        {
            "200": page,
            "206": {**page, "description": "Some of the rows, where a count was asked for"},
            "304": {"description": "Not modified", "headers": _headers("ETag")},
        },
        (416,),
    )


def _get(model: ModelSpec) -> _Parts:
    row = {"description": "The row", "headers": _headers("ETag"), "content": _one_row(model)}
    unmodified = {"description": "Not modified", "headers": _headers("ETag")}
    return _Parts(_shared("select", "prefer", "if_none_match"), {"200": row, "304": unmodified}, (404,))


def _written(model: ModelSpec, description: str, *, one: bool, created: bool = False) -> dict[str, object]:
    """The rows as they are after a write; without them where `return=minimal` leaves them out."""
    headers = _headers("ETag", "Preference-Applied", *(("Location",) if created else ()))
    answer: dict[str, object] = {"description": description, "headers": headers}
    if not possible(model.rules.read):
        return answer
    content = _one_row(model) if one else {**_rows(model), "application/json": {"schema": _one_or_many(_row(model))}}
    return {**answer, "content": content}


def _one_or_many(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _create(model: ModelSpec) -> _Parts:
    schema: Schema = {"$ref": REFERENCE.format(name=f"{model.name}Create")}
    content = {
        "application/json": {"schema": _one_or_many(schema)},
        **{form: {"schema": schema} for form in _FORMS},
        "text/csv": {"schema": {"type": "string"}},
    }
    return _Parts(
        _shared("columns", "on_conflict", "select", "prefer", "idempotency_key"),
        {
            "201": _written(model, "Created", one=False, created=True),
            "204": {**_SILENT, "description": "The row existed, and was left as it is"},
        },
        (409, 413, 415, 422),
        {"required": True, "content": content},
    )


def _body(name: str, *media: str) -> dict[str, object]:
    return {"required": True, "content": {each: {"schema": {"$ref": REFERENCE.format(name=name)}} for each in media}}


def _selection(model: ModelSpec, key: bool) -> list[object]:
    """What a write acts on and answers: one row by its key, or those that fit a filter."""
    return _shared("select", "prefer", "if_match") if key else [*_filters(model), *_shared(*_CONDITIONS, "select", "prefer")]


def _change(model: ModelSpec, *, key: bool) -> _Parts:
    return _Parts(
        _selection(model, key),
        {"200": _written(model, "Changed", one=key), "204": _SILENT},
        (409, 413, 415, 422, *(_STALE if key else ())),
        _body(f"{model.name}Update", "application/json", "application/merge-patch+json", *_FORMS),
    )


def _replace(model: ModelSpec) -> _Parts:
    return _Parts(
        _selection(model, True),
        {
            "200": _written(model, "Replaced", one=True),
            "201": _written(model, "Created", one=True, created=True),
            "204": _SILENT,
        },
        (409, 413, 415, 422, *_STALE),
        _body(_replaced(model), "application/json", *_FORMS),
    )


def _delete(model: ModelSpec, *, key: bool) -> _Parts:
    answers: dict[str, object] = {"200": _written(model, "Deleted; the rows as they were", one=key), "204": _SILENT}
    return _Parts(_selection(model, key), answers, (409, *(_STALE if key else ())))


_CONDITIONS = ("and", "or")
_STALE = (404, 412)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_SILENT: Mapping[str, object] = {
    "description": "Done; nothing to say",
    "headers": _headers("ETag", "Content-Range", "Preference-Applied"),
}
