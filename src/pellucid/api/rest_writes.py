"""REST, the verbs that change: POST, PUT, PATCH, DELETE, alone and in bulk, conditional, repeatable, undoable.

In: a Request. Out: an awaitable Response. What must hold together with the write is a script of the resource layer's;
this file reads the request, picks the script, and answers with what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote

import msgspec

from pellucid.api.asked import Asked, Form, Return, asked_of
from pellucid.api.bodies import MERGE_PATCH, media_of, read_changes, read_new, read_whole
from pellucid.api.filters import parse
from pellucid.api.hooked import Deed, HookedWrites
from pellucid.api.hooks import Action
from pellucid.api.idempotency import Idempotency
from pellucid.api.lookup import by_key
from pellucid.api.rest import Who
from pellucid.db.database import Database, Script, Value
from pellucid.errors import (
    BAD_HEADER,
    FILTER_REQUIRED,
    INVALID_BODY,
    NOT_ONE_ROW,
    PRECONDITION_FAILED,
    FieldError,
    Problem,
)
from pellucid.http.conditional import Outcome, preconditions
from pellucid.http.messages import Request, Response
from pellucid.plan.query import Query, Shape
from pellucid.resource.bounded import Bounded
from pellucid.resource.codec import etag
from pellucid.resource.intake import New
from pellucid.resource.merge import merged_json
from pellucid.resource.resource import Resource
from pellucid.resource.writes import Guard, Writes, Written, unmatched
from pellucid.schema.rules import Actor
from pellucid.schema.spec import Kind

__all__ = ["Changes"]

_NOTHING: Final = Query("", Shape())

Answer = Callable[[Written], Response]


class Changes:
    """The writing half of one resource."""

    def __init__(
        self, resource: Resource, writes: Writes, hooked: HookedWrites, database: Database, who: Who, path: str, once: Idempotency
    ) -> None:
        self._resource = resource
        self._model = resource.model
        self._intake = resource.intake
        self._writes = writes
        self._hooked = hooked
        self._database = database
        self._who = who
        self._path = path
        self._once = once
        self._admitted: Bounded[object, bool] = Bounded(256)
        self._json = tuple(field.name for field in resource.intake.fields if field.kind is Kind.JSON)

    # The verbs

    async def post(self, request: Request, _: tuple[str, ...]) -> Response:
        """POST /api/<collection>: one object, or an array or table in one transaction. 201 with Location and the
        object.
        """
        asked = asked_of(request.headers)
        _one_only(asked)
        actor = self._who(request)
        self._admit("create", actor)
        body = request.body if request.body is not None else await request.read()
        parameters = dict(parse_qsl(request.query)) if request.query else {}
        columns = [name for name in parameters.get("columns", "").split(",") if name]
        rows, listed = await read_new(request, body, self._intake, actor, columns)
        query = self._query(request)
        script = self._writes.create(
            rows,
            actor,
            query.shape,
            returning=asked.returns is not Return.MINIMAL,
            resolution=asked.resolution,
            on_conflict=tuple(name for name in parameters.get("on_conflict", "").split(",") if name),
            many=listed,
        )

        def answer(written: Written) -> Response:
            return self._created(asked, written, listed)

        return await self._run("create", request, asked, actor, body, script, answer, rows=rows)

    async def put(self, request: Request, values: tuple[str, ...]) -> Response:
        """PUT /api/<collection>/<key>: create the row (201) or replace all of it (200)."""
        asked = asked_of(request.headers)
        actor = self._who(request)
        body = await request.read()
        query = self._at(request, values[0])
        rows = [self._keyed(await read_whole(request, body, self._intake, actor), values[0])]
        script = self._writes.replace(
            rows, query, actor, returning=asked.returns is not Return.MINIMAL, guard=self._guard(request)
        )

        def answer(written: Written) -> Response:
            return self._created(asked, written, False) if written.created else self._changed(asked, written, one=True)

        return await self._run("replace", request, asked, actor, body, script, answer, query=query, rows=rows)

    async def patch_one(self, request: Request, values: tuple[str, ...]) -> Response:
        """PATCH /api/<collection>/<key>: change the fields that are named (RFC 7396). 200 with the object."""
        return await self._patch(request, self._row(request, values[0]))

    async def patch_many(self, request: Request, _: tuple[str, ...]) -> Response:
        """PATCH /api/<collection>?filter: change the fields that are named in every row that fits."""
        return await self._patch(request, self._filtered(request))

    async def _patch(self, request: Request, query: Query) -> Response:
        asked = asked_of(request.headers)
        actor = self._who(request)
        self._admit("update", actor)
        body = await request.read()
        changes = await read_changes(request, body, self._intake)
        one = query.shape.key is not None
        nested = (
            tuple(name for name in self._json if changes.get(name) is not None)
            if one and media_of(request) == MERGE_PATCH
            else ()
        )
        script = self._writes.update(
            changes,
            query,
            actor,
            returning=asked.returns is not Return.MINIMAL,
            most=asked.max_affected,
            guard=self._guard(request) if one else None,
            merge=_merger(changes, nested) if nested else None,
        )

        def answer(written: Written) -> Response:
            return self._changed(asked, written, one=one)

        return await self._run("update", request, asked, actor, body, script, answer, query=query, changes=changes)

    async def delete_one(self, request: Request, values: tuple[str, ...]) -> Response:
        """DELETE /api/<collection>/<key>: 204."""
        return await self._delete(request, self._row(request, values[0]))

    async def delete_many(self, request: Request, _: tuple[str, ...]) -> Response:
        """DELETE /api/<collection>?filter: 204."""
        return await self._delete(request, self._filtered(request))

    async def _delete(self, request: Request, query: Query) -> Response:
        asked = asked_of(request.headers)
        actor = self._who(request)
        one = query.shape.key is not None
        shown = asked.returns is Return.REPRESENTATION
        script = self._writes.delete(
            query, actor, returning=shown, most=asked.max_affected, guard=self._guard(request) if one else None
        )

        def answer(written: Written) -> Response:
            if shown:
                return self._changed(asked, written, one=one)
            return Response(204, fixed=asked.said("return", "tx") if one else self._count_head(asked, written))

        return await self._run("delete", request, asked, actor, b"", script, answer, query=query)

    # The request

    def _query(self, request: Request) -> Query:
        return parse(self._model.name, request.query) if request.query else Query(self._model.name, _NOTHING.shape)

    def _at(self, request: Request, key: str) -> Query:
        query = by_key(self._query(request))
        return msgspec.structs.replace(query, values=(*query.values[:-1], key))

    def _row(self, request: Request, key: str) -> Query:
        """The row at a key; what cannot be a key is the key of nothing."""
        if not self._intake.is_key(key):
            raise self._resource.missing(key)
        return self._at(request, key)

    def _filtered(self, request: Request) -> Query:
        query = self._query(request)
        _one_only(asked_of(request.headers))
        if query.shape.where is None:
            raise Problem(
                FILTER_REQUIRED,
                f"{request.method} {self._path} would touch every row",
                hint="add a filter, such as ?id=in.(1,2,3), or a key to the path",
            )
        return query

    def _keyed(self, new: New, key: str) -> New:
        """The row of a PUT, with the key of its path; a key in the body must be the same."""
        values, guarded = new
        field = self._model.key
        at = self._intake.columns.index(field.name)
        wanted = self._intake.key_of(key)
        if values[at] is not None and values[at] != wanted:
            raise Problem(INVALID_BODY, errors=[FieldError(f"$.{field.name}", "wrong-value", f"the path says {key}")])
        changed = list(values)
        changed[at] = wanted
        return changed, guarded

    def _guard(self, request: Request) -> Guard | None:
        headers = request.headers
        if "if-match" not in headers and "if-none-match" not in headers:
            return None

        def guard(current: bytes | None) -> None:
            tag = None if current is None else etag(current)
            if preconditions(request.method, headers, etag=tag, exists=current is not None) is Outcome.FAILED:
                if current is not None and "if-none-match" in headers:
                    raise Problem(PRECONDITION_FAILED, "the row exists already", hint="leave If-None-Match out to replace it")
                raise unmatched(tag or "none")

        return guard

    def _admit(self, action: Action, actor: Actor) -> None:
        """Refuse who may not do this whatever the row, before anything is said of the body."""
        kind = (action, *actor.kind)
        if kind not in self._admitted:
            self._writes.admit(action, actor)
            self._admitted[kind] = True

    # The run

    async def _run(
        self,
        action: Deed,
        request: Request,
        asked: Asked,
        actor: Actor,
        body: bytes,
        script: Script[Written],
        answer: Answer,
        **hooked: Any,
    ) -> Response:
        trace = request.trace
        if trace is not None:
            trace.mark("query")
        repeatable = request.headers.get("idempotency-key") if action != "delete" else None
        once = self._once.of(request, body, repeatable) if repeatable is not None else None
        if self._hooked.wanted(action):
            return await self._hooked.run(action, request, actor, script, answer, once=once, rollback=asked.rollback, **hooked)
        if once is not None:
            return await self._database.write(once.around(script, answer), trace, rollback=asked.rollback)
        if asked.form is Form.OBJECT:
            # The answer may still refuse: then nothing is written.
            return await self._database.write(_answered(script, answer), trace, rollback=asked.rollback)
        response = answer(await self._database.write(script, trace, rollback=asked.rollback))
        if trace is not None:
            trace.mark("encode")
        return response

    # The answer

    def _created(self, asked: Asked, written: Written, listed: bool) -> Response:
        if not listed and not written.count:
            return Response(204, fixed=asked.said("return", "resolution", "missing", "tx"))  # a duplicate, ignored
        if listed:
            head = self._count_head(asked, written)
        else:
            head = f"location: {self._path}/{self._key_text(written.keys[0])}\r\n".encode() + asked.said(
                "return", "resolution", "missing", "tx"
            )
        if asked.returns in (Return.MINIMAL, Return.HEADERS_ONLY) or written.codec is None:
            return Response(201, b"", fixed=head)
        return self._body(201, asked, written, head, one=not listed)

    def _changed(self, asked: Asked, written: Written, *, one: bool) -> Response:
        head = asked.said("return", "tx", "max-affected") if one else self._count_head(asked, written)
        if asked.returns in (Return.MINIMAL, Return.HEADERS_ONLY) or written.codec is None:
            return Response(204, fixed=head)
        return self._body(200, asked, written, head, one=one)

    def _body(self, status: int, asked: Asked, written: Written, head: bytes, *, one: bool) -> Response:
        codec = written.codec
        assert codec is not None
        if asked.form is Form.CSV:
            body = codec.csv(written.rows)
        elif (one and asked.form is not Form.ARRAY) or asked.form is Form.OBJECT:
            if one and not written.rows:
                return Response(201 if status == 201 else 204, fixed=head)  # written, but not for these eyes
            if len(written.rows) != 1:
                raise Problem(NOT_ONE_ROW, f"{len(written.rows)} rows came back", hint="ask for application/json")
            body = codec.one(written.rows[0])
            head += b"etag: %b\r\n" % etag(body).encode()
        else:
            body = codec.many(written.rows)
        return Response(status, body, fixed=asked.head + head)

    def _key_text(self, key: Value) -> str:
        if isinstance(key, int):
            return str(key)
        assert isinstance(key, str)
        return quote(key, safe="")

    def _count_head(self, asked: Asked, written: Written) -> bytes:
        last = f"0-{written.count - 1}" if written.count else "*"
        said = asked.said("return", "resolution", "missing", "tx", "max-affected", "count")
        return f"content-range: {last}/{written.count if asked.count else '*'}\r\n".encode() + said


def _answered(script: Script[Written], answer: Answer) -> Script[Response]:
    return answer((yield from script))


def _one_only(asked: Asked) -> None:
    """Refuse If-Match where many rows are written: it would have to be ignored, which it must never be."""
    if asked.required:
        raise Problem(BAD_HEADER, "If-Match tells of the state of one row", hint="put the row's key into the path")


def _merger(changes: Mapping[str, Value], nested: tuple[str, ...]) -> Callable[[dict[str, Value]], dict[str, Value]]:
    """What merges JSON columns with what they hold (RFC 7396), inside the transaction."""

    def merge(stored: dict[str, Value]) -> dict[str, Value]:
        merged = dict(changes)
        for name in nested:
            merged[name] = merged_json(cast("str | None", stored.get(name)), cast("str", changes[name]))
        return merged

    return merge
