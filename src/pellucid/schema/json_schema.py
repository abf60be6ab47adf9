"""Fields and models as JSON Schema (2020-12, as OpenAPI 3.1 uses it).

In: `FieldSpec`s and `ModelSpec`s. Out: plain dicts. What comes in and what goes out differ: a decimal may come as a number
and always goes out as text, a default is filled in, what the server sets is never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast

import msgspec

from pellucid.schema.spec import Catalog, Default, FieldSpec, Kind, ModelSpec, RelationKind
from pellucid.schema.types import storage_type, to_storage, to_wire

__all__ = ["REFERENCE", "Schema", "field_schema", "intake_schema", "own_types", "row_schema"]

Schema = dict[str, object]
REFERENCE = "#/components/schemas/{name}"

_LARGEST = 2**63 - 1
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$"
_DURATION = r"^-?P(\d{1,6}D(T(\d{1,4}H)?(\d{1,4}M)?(\d{1,4}(\.\d{1,6})?S))?|T(\d{1,4}H)?(\d{1,4}M)?\d{1,4}(\.\d{1,6})?S)$"
_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_PLAIN: Mapping[Kind, Schema] = {
    Kind.FLOAT: {"type": "number", "format": "double"},
    Kind.STR: {"type": "string"},
    Kind.BOOL: {"type": "boolean"},
    Kind.DATETIME: {"type": "string", "format": "date-time", "examples": ["2026-11-21T10:00:00Z"]},
    Kind.DATE: {"type": "string", "format": "date", "examples": ["2026-11-21"]},
    # Not `format: time`, which demands an offset from UTC (RFC 3339, full-time).
    Kind.TIME: {"type": "string", "pattern": _CLOCK, "examples": ["10:30:00"]},
    Kind.DURATION: {"type": "string", "pattern": _DURATION, "examples": ["PT90S"]},
    Kind.UUID: {"type": "string", "format": "uuid", "examples": ["01a1fdb4-5338-76a6-b42c-1b258ddfae8c"]},
    Kind.BYTES: {"type": "string", "contentEncoding": "base64", "pattern": _BASE64, "examples": ["aGVsbG8="]},
}
_NUMERIC = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum", "multiple_of": "multipleOf"}


def field_schema(field: FieldSpec, *, incoming: bool) -> Schema:
    """What a field's value looks like, to a caller who sends it (`incoming`) or receives it."""
    schema = _MAKERS.get(field.kind, _plain)(field, incoming)
    if field.key and field.kind is Kind.STR and incoming:
        schema["minLength"] = 1  # an empty key has no path
    for check in field.checks:
        _constrain(schema, field, check.name, check.bound)
    spoken = [field.description] if field.description else []
    spoken += [check.message for check in field.checks if not _stated(field, check.name)]
    if field.ref:
        spoken.append(f"the key of a {field.ref}")
    if field.nullable:
        schema = _or_null(schema)
    if spoken:
        schema["description"] = "; ".join(spoken)
    return schema


def _plain(field: FieldSpec, incoming: bool) -> Schema:
    del incoming
    return dict(_PLAIN[field.kind])


def _int(_: FieldSpec, incoming: bool) -> Schema:
    bounds = {"minimum": -_LARGEST - 1, "maximum": _LARGEST} if incoming else {}
    return {"type": "integer", "format": "int64", **bounds}


def _decimal(field: FieldSpec, incoming: bool) -> Schema:
    places = field.places
    example = f"19.{'9' * places}" if places else "19"
    if not incoming:
        pattern = rf"^-?\d+\.\d{{{places}}}$" if places else r"^-?\d+$"
        return {"type": "string", "format": "decimal", "pattern": pattern, "examples": [example]}
    # Text is not bound by `minimum`, so that its sign must be said in the pattern.
    sign = "" if any(check.name in ("ge", "gt") and cast(Decimal, check.bound) >= 0 for check in field.checks) else "-?"
    pattern = rf"^{sign}\d{{1,{18 - places}}}(\.\d{{1,{places}}})?$" if places else rf"^{sign}\d{{1,18}}$"
    most = 10 ** (18 - places)
    return {"type": ["string", "number"], "pattern": pattern, "minimum": -most, "maximum": most, "examples": [example]}


def _enum(field: FieldSpec, incoming: bool) -> Schema:
    del incoming
    return {"type": "integer" if storage_type(field) == "INTEGER" else "string", "enum": list(field.choices)}


def _json(field: FieldSpec, incoming: bool) -> Schema:
    del incoming
    (schema,), _ = msgspec.json.schema_components([field.python_type], ref_template=REFERENCE)
    return dict(schema)


_MAKERS: Mapping[Kind, Callable[[FieldSpec, bool], Schema]] = {
    Kind.INT: _int, Kind.DECIMAL: _decimal, Kind.ENUM: _enum, Kind.JSON: _json,
}  # fmt: skip


def own_types(field: FieldSpec) -> Mapping[str, Schema]:
    """The user's classes that a JSON field consists of, as components by name."""
    if field.kind is not Kind.JSON:
        return {}
    _, components = msgspec.json.schema_components([field.python_type], ref_template=REFERENCE)
    return cast("Mapping[str, Schema]", components)


def _constrain(schema: Schema, field: FieldSpec, name: str, bound: object) -> None:
    if name in _NUMERIC and field.kind in (Kind.INT, Kind.FLOAT):
        schema[_NUMERIC[name]] = bound
        # The bounds of 64 bits say nothing once there are narrower ones.
        if name == "gt":
            schema.pop("minimum", None)
        elif name == "lt":
            schema.pop("maximum", None)
    elif name in _NUMERIC and field.kind is Kind.DECIMAL and "number" in cast("list[str]", schema["type"]):
        schema[_NUMERIC[name]] = float(cast(Decimal, bound))
    elif name in ("min_length", "max_length") and field.kind in (Kind.STR, Kind.JSON):
        noun = {"string": "Length", "array": "Items", "object": "Properties"}.get(str(schema.get("type")), "Length")
        schema[f"{name[:3]}{noun}"] = bound
    elif name == "pattern":
        schema["pattern"] = bound


def _stated(field: FieldSpec, name: str) -> bool:
    """Whether the schema states a constraint by itself, so that the description need not."""
    if name in _NUMERIC:
        return field.kind in (Kind.INT, Kind.FLOAT)
    return name == "pattern" or (name in ("min_length", "max_length") and field.kind is not Kind.BYTES)


def _or_null(schema: Schema) -> Schema:
    if "$ref" in schema or "anyOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" not in schema:
        return schema
    kind = schema["type"]
    nullable: Schema = {**schema, "type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
    if "enum" in schema:
        nullable["enum"] = [*cast("list[object]", schema["enum"]), None]
    return nullable


def row_schema(model: ModelSpec, catalog: Catalog) -> Schema:
    """A row as it is answered. Nothing is required, since `select` picks; a relation shows its rows where it is embedded."""
    properties: dict[str, object] = {}
    for field in model.fields:
        if field.visible:
            schema = field_schema(field, incoming=False)
            if field.key or field.read_only or field.computed:
                schema["readOnly"] = True
            properties[field.name] = schema
    for relation in model.relations:
        target = {"$ref": REFERENCE.format(name=catalog.models[relation.target].name)}
        if relation.kind is not RelationKind.TO_ONE:
            properties[relation.name] = {
                "type": "array",
                "items": target,
                "description": f"embedded by select={relation.name}(*)",
            }
        elif relation.name in properties:
            key = properties[relation.name]
            properties[relation.name] = {
                "anyOf": [key, target],
                "description": f"the key, or the row with select={relation.name}(*)",
            }
    described: Schema = {"type": "object", "properties": properties}
    if model.description:
        described["description"] = model.description
    return described


def intake_schema(model: ModelSpec, *, partial: bool, keyed: bool = False) -> Schema:
    """A body that makes a row, or with `partial` one that changes some of its fields (RFC 7396); `keyed` where the
    path says the key already.
    """
    properties: dict[str, object] = {}
    required: list[str] = []
    for field in model.fields:
        if not field.stored or field.read_only:
            continue
        schema = field_schema(field, incoming=True)
        if field.default is Default.VALUE and not partial:
            schema["default"] = _default(field)
        elif field.default is not Default.REQUIRED and not partial:
            schema["description"] = "; ".join(
                filter(None, [cast("str | None", schema.get("description")), _ORIGINS[field.default]])
            )
        if field.write_only or field.secret:
            schema["writeOnly"] = True
        properties[field.name] = schema
        if field.default is Default.REQUIRED and not partial and not (keyed and field.key):
            required.append(field.name)
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


_ORIGINS: Mapping[Default, str] = {
    Default.FACTORY: "made by the server where it is left out", Default.NOW: "now, where it is left out",
    Default.ME: "whoever creates the row, where it is left out", Default.UUID7: "a new UUID, where it is left out",
    Default.KEY: "made by the database where it is left out",
}  # fmt: skip


def _default(field: FieldSpec) -> object:
    stored = to_storage(field)(field.default_value)
    convert = to_wire(field)
    wire = stored if convert is None else convert(stored)
    return msgspec.json.decode(msgspec.json.encode(wire))
