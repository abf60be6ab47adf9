"""Bodies of REST writes: whatever form they come in, as checked rows.

In: a request and what its model takes in. Out: new rows or changes; problems name every bad field. JSON is read whole
by the resource layer; forms and CSV are taken apart here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from typing import Final, cast

import msgspec

from pellucid.db.database import Value
from pellucid.errors import (
    INVALID_BODY,
    MALFORMED_BODY,
    UNKNOWN_FIELD,
    UNSUPPORTED_MEDIA_TYPE,
    FieldError,
    Problem,
    near,
    shorten,
)
from pellucid.http.forms import read_form
from pellucid.http.messages import Request
from pellucid.http.negotiate import content_type
from pellucid.resource.intake import UNREADABLE, Intake, New
from pellucid.schema.rules import Actor
from pellucid.validation import malformed

__all__ = ["MERGE_PATCH", "media_of", "read_changes", "read_new", "read_whole"]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
CSV: Final = "text/csv"
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "POST": (JSON, CSV, *FORMS), "PUT": (JSON, *FORMS), "PATCH": (MERGE_PATCH, JSON, *FORMS),
}  # fmt: skip
"""What each method takes: a table makes rows, a patch changes them, a whole row is one object."""

_MOST_ROWS: Final = 100_000
# The values stay as they were sent, so that no number passes through a float.
_decode_single: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_several: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_FACT: Final = "media"


def media_of(request: Request) -> str:
    """The media type of the body. Raises UNSUPPORTED_MEDIA_TYPE, also where there is none: a page elsewhere may send an
    untyped body without asking.
    """
    facts = request.headers.facts
    known = cast("str | None", facts.get(_FACT))
    if known is None:
        found = content_type(request.headers)
        name = found.name if found is not None else ""
        if name.endswith("+json") and name != MERGE_PATCH:
            name = JSON
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(
                UNSUPPORTED_MEDIA_TYPE,
                "a coded body is not taken here",
                hint="send it without Content-Encoding",
                headers=[("accept-encoding", "identity")],
            )
        known = facts[_FACT] = name
    if known not in _TAKEN.get(request.method, _TAKEN["PUT"]):
        raise _not_taken(request)
    return known


def _not_taken(request: Request) -> Problem:
    """415, naming what would be taken (RFC 9110, section 15.5.16; Accept-Patch is RFC 5789's, section 2.2)."""
    taken = ", ".join(_TAKEN.get(request.method, _TAKEN["PUT"]))
    field = {"POST": "accept-post", "PATCH": "accept-patch"}.get(request.method, "accept")
    sent = request.headers.get("content-type")
    return Problem(
        UNSUPPORTED_MEDIA_TYPE,
        f"{request.method} takes no body of type {shorten(sent)} here" if sent else "the body has no Content-Type",
        hint=f"send {taken}",
        headers=[(field, taken)],
    )


async def read_new(
    request: Request, body: bytes, intake: Intake, actor: Actor, columns: Collection[str] = ()
) -> tuple[list[New], bool]:
    """The new rows of a body, and whether they came as a list. `columns` are the members to take from JSON, others are
    left; none is all.
    """
    media = media_of(request)
    if media == JSON and columns:
        return _chosen(body, intake, actor, columns)
    if media == JSON:
        if body.lstrip()[:1] == b"[":
            return intake.many(body, actor), True
        return [intake.one(body, actor)], False
    if media == CSV:
        return _csv(body, intake, actor), True
    return [intake.form(await _form(request), actor)], False


async def read_whole(request: Request, body: bytes, intake: Intake, actor: Actor) -> New:
    """The row of a PUT: one object, with or without its key."""
    media = media_of(request)
    if media in FORMS:
        return intake.form(await _form(request), actor, keyed=True)
    return intake.put(body, actor)


async def read_changes(request: Request, body: bytes, intake: Intake) -> dict[str, Value]:
    """The columns that a body changes, by name."""
    media = media_of(request)
    if media in FORMS:
        return intake.form_patch(await _form(request))
    return intake.patch(body)


def _chosen(body: bytes, intake: Intake, actor: Actor, columns: Collection[str]) -> tuple[list[New], bool]:
    """PostgREST's `columns`: a body that holds more than the rows need."""
    unknown = sorted(set(columns) - set(intake.columns))
    if unknown:
        raise Problem(UNKNOWN_FIELD, f"columns: there is no field {unknown[0]!r}", hint=near(unknown[0], intake.columns))
    listed = body.lstrip()[:1] == b"["
    take = intake.many if listed else intake.one
    try:
        given = _decode_several(body) if listed else [_decode_single(body)]
    except msgspec.ValidationError:
        given = []  # Not objects at all: the intake says where.
    except UNREADABLE as error:
        raise malformed(error) from None
    if given:
        chosen = [{name: value for name, value in item.items() if name in columns} for item in given]
        body = msgspec.json.encode(chosen if listed else chosen[0])
    taken = take(body, actor)
    return (taken, True) if isinstance(taken, list) else ([taken], False)


async def _form(request: Request) -> dict[str, str]:
    form = await read_form(request)
    try:
        if form.files:
            errors = [FieldError(f"$.{file.name}", "wrong-type", "a model's field holds no file") for file in form.files]
            raise Problem(INVALID_BODY, errors=errors)
        # Of a field that comes twice the last counts, as in a form that has a hidden default before its checkbox.
        return dict(form.fields)
    finally:
        form.close()


def _csv(body: bytes, intake: Intake, actor: Actor) -> list[New]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(MALFORMED_BODY, f"the CSV is not UTF-8: {error}") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[New] = []
    errors: list[FieldError] = []
    try:
        header = next(lines, None)
        if not header:
            raise Problem(MALFORMED_BODY, "the CSV has no header line", hint="the first line names the fields")
        read = intake.texts(header)
        for position, cells in enumerate(lines):
            if not cells:
                continue
            if len(rows) >= _MOST_ROWS:
                raise Problem(INVALID_BODY, f"more than {_MOST_ROWS} rows at once", hint="use 'pellucid load' for large tables")
            try:
                rows.append(read(cells, actor))
            except Problem as problem:
                errors += [FieldError(f"$[{position}]{error.path[1:]}", error.code, error.message) for error in problem.errors]
                if len(errors) >= 100:
                    break
    except csv.Error as error:
        raise Problem(MALFORMED_BODY, f"line {lines.line_num} is not CSV: {error}") from None
    if errors:
        raise Problem(INVALID_BODY, errors=errors)
    return rows
