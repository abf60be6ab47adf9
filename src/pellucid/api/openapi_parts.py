"""The parts of the API's description that every collection shares: query parameters, header fields, problems.

Out: plain dicts in the terms of OpenAPI 3.1, one per name, to be referred to. They describe what `api/filters.py`,
`api/asked.py` and `errors.py` do; whoever changes one changes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pellucid.errors import CODES
from pellucid.plan.query import OPERATORS

__all__ = ["HEADERS", "PARAMETERS", "PROBLEM", "filter_parameter", "problems", "refer"]

Part = dict[str, object]


def refer(kind: str, name: str) -> Part:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _query(name: str, description: str, schema: Part, examples: Mapping[str, str] | None = None) -> Part:
    part: Part = {"name": name, "in": "query", "description": description, "schema": schema}
    if examples:
        part["examples"] = {key: {"value": value} for key, value in examples.items()}
    return part


def _header(name: str, description: str, example: str | None = None) -> Part:
    part: Part = {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
    return part if example is None else {**part, "example": example}


_TEXT: Part = {"type": "string"}
_WHOLE: Part = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999_999}

PARAMETERS: Mapping[str, Part] = {
    "select": _query(
        "select",
        "What to answer: fields, renamed by `alias:field`, relations with their own fields in brackets, `!inner` to drop rows "
        "without any. All visible fields by default.",
        _TEXT,
        {"fields": "id,name", "renamed": "title:name", "embedded": "*,lines(quantity,product(name))"},
    ),
    "order": _query(
        "order",
        "What to sort by, most important first: `field.desc`, `field.asc.nullsfirst`, `relation(field)`.",
        _TEXT,
        {"latest": "created.desc", "nulls": "price.asc.nullslast"},
    ),
    "limit": _query("limit", "The most rows to answer.", _WHOLE),
    "offset": _query("offset", "Rows to leave out at the front; `after` stays quick where this grows slow.", _WHOLE),
    "after": _query("after", "The cursor of the page before, as its `Link` header gives it.", _TEXT),
    "or": _query("or", "Conditions of which one must hold.", _TEXT, {"either": "(stock.eq.0,price.lt.5)"}),
    "and": _query("and", "Conditions that must all hold, for use inside `or` or on one field twice.", _TEXT),
    "columns": _query("columns", "The fields to take from the body; others are ignored.", _TEXT),
    "on_conflict": _query("on_conflict", "The unique fields by which a row is found that exists already.", _TEXT),
    "prefer": _header(
        "Prefer",
        "Wishes (RFC 7240): `return=representation|minimal|headers-only`, `count=exact`, `resolution=merge-duplicates|"
        "ignore-duplicates`, `missing=default`, `max-affected=N`, `handling=strict`, `tx=rollback`.",
        "return=representation",
    ),
    "if_match": _header("If-Match", "Act only if the row still has this ETag; else 412."),
    "if_none_match": _header("If-None-Match", "Answer 304 if the ETag is still this one."),
    "range": _header("Range", "The first and last row, counted from 0.", "0-19"),
    "idempotency_key": _header("Idempotency-Key", "Any text of your choice: the same request with the same key is done once."),
}
"""By name in the components; every key is stable, since documents refer to it."""

HEADERS: Mapping[str, Part] = {
    "ETag": {"description": "A validator of this answer, for If-Match and If-None-Match", "schema": _TEXT},
    "Content-Range": {"description": "Which rows these are, `0-19/*`, or with the count `0-19/240`", "schema": _TEXT},
    "Link": {"description": 'The next page: `<…>; rel="next"`', "schema": _TEXT},
    "Location": {"description": "The path of the new row", "schema": {"type": "string", "format": "uri-reference"}},
    "Preference-Applied": {"description": "The wishes of `Prefer` that were met", "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before another try", "schema": {"type": "integer"}},
    "Allow": {"description": "The methods that are offered here", "schema": _TEXT},
}

PROBLEM: Part = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "message"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string", "description": "the same for every problem of this kind"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what was wrong in this request"},
        "code": {"type": "string", "enum": [code.id for code in CODES], "description": "stable, for programs"},
        "message": {"type": "string", "description": "the same as detail"},
        "hint": {"type": ["string", "null"], "description": "what would be right"},
        "details": {},
        "errors": {
            "type": "array",
            "description": "every bad part of the body",
            "items": {
                "type": "object",
                "required": ["path", "code", "message"],
                "properties": {"path": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "trace_id": {"type": "string", "description": "names the request in the server's log"},
    },
}

_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be understood", 401: "This needs a signed-in account", 403: "This account may not do that",
    404: "There is nothing here, or nothing that you may see", 405: "This method is not offered here",
    406: "No form of the answer fits", 409: "It conflicts with other rows", 412: "It has changed meanwhile",
    413: "The body is too large", 415: "The body's media type is not understood", 416: "The range lies outside",
    422: "Some of the body is not valid; every bad part is named", 429: "Too many requests",
    503: "Too busy; try again in a moment",
}  # fmt: skip


def problems(*statuses: int) -> dict[str, object]:
    """The responses for these statuses, and for any other."""
    answer: dict[str, object] = {}
    for status in statuses:
        part: Part = {"description": _MEANINGS[status], "content": _CONTENT}
        if status in (429, 503):
            part["headers"] = {"Retry-After": refer("headers", "Retry-After")}
        answer[str(status)] = part
    return {**answer, "default": {"description": "A problem", "content": _CONTENT}}


_CONTENT: Part = {"application/problem+json": {"schema": refer("schemas", "Problem")}}

_FILTER = rf"^(not\.)?({'|'.join(OPERATORS)})(\((any|all)\))?\."


def filter_parameter(name: str, description: str, example: str, words: Iterable[str]) -> Part:
    """The query parameter that filters by a field: `op.value`, several of which must all hold."""
    return {
        "name": name,
        "in": "query",
        "description": f"{description}: `{example}`. Operators: {', '.join(words)}; `not.` before one negates it.",
        "style": "form",
        "explode": True,
        "schema": {"type": "array", "items": {"type": "string", "pattern": _FILTER}},
        "example": [example],
    }
