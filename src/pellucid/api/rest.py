"""REST: paths and verbs to queries and scripts, results to responses (DESIGN: PostgREST's grammar, RFC 9110's
semantics).

In: a Request. Out: a Response, at once where the database answers at once. It builds no SQL and makes no JSON: both are
the resource's. This file answers GET and HEAD; `rest_writes.py` the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pellucid.api.asked import ALWAYS, Asked, Form, asked_of
from pellucid.api.lookup import Lookup, Warm, by_key
from pellucid.db.database import Database, Rows
from pellucid.errors import NOT_ONE_ROW, RANGE_NOT_SATISFIABLE, Problem
from pellucid.http.conditional import Outcome, matched_tag, not_modified, preconditions
from pellucid.http.messages import Request, Response
from pellucid.plan.query import Query
from pellucid.resource.codec import etag
from pellucid.resource.resource import Resource
from pellucid.resource.writes import unmatched
from pellucid.schema.rules import Actor

__all__ = ["Reads", "Who"]

Who = Callable[[Request], Actor]
"""Who asks: handed in by the composition root."""


class _Page(msgspec.Struct, frozen=True, gc=False):
    """A request for many rows on its way through this file."""

    request: Request
    asked: Asked
    actor: Actor
    query: str
    """The query string, with what a Range header adds to it."""
    warm: Warm
    texts: list[str]


class Reads:
    """The reading half of one resource: `/api/<collection>` and `/api/<collection>/<key>`."""

    def __init__(self, resource: Resource, database: Database, who: Who, path: str) -> None:
        self._resource = resource
        self._read = database.read
        self._who = who
        self._path = path
        self._limit = str(resource.most_rows)
        self._many = Lookup(resource, self._page)
        self._counted = Lookup(resource, self._page_counted)
        self.one = Lookup(resource, by_key)

    def _page(self, query: Query) -> Query:
        """Every page has a limit, and asks for what its next cursor is made of."""
        shape = msgspec.structs.replace(query.shape, cursor=True)
        if shape.limit is not None:
            return msgspec.structs.replace(query, shape=shape)
        shape = msgspec.structs.replace(shape, limit=len(query.values))
        return msgspec.structs.replace(query, shape=shape, values=(*query.values, self._limit))

    def _page_counted(self, query: Query) -> Query:
        paged = self._page(query)
        return msgspec.structs.replace(paged, shape=msgspec.structs.replace(paged.shape, count=True))

    # One row by its key

    def read_one(self, request: Request, values: tuple[str, ...]) -> Response | Awaitable[Response]:
        """GET /api/<collection>/<key>: 200, 304, or 404."""
        asked = asked_of(request.headers)
        actor = self._who(request)
        warm, texts = self.one.find(request.query, actor, values)
        trace = request.trace
        if trace is not None:
            trace.mark("lookup")
        try:
            parameters = warm.template.bind(texts, actor.id)
        except Problem:
            if self._resource.intake.is_key(values[0]):
                raise
            raise self._resource.missing(values[0]) from None  # what cannot be a key is the key of nothing
        rows = self._read(warm.reading.text, parameters, trace)
        if isinstance(rows, list):
            return self._answer_one(request, asked, warm, values[0], rows)
        return self._later_one(request, asked, warm, values[0], rows)

    async def _later_one(self, request: Request, asked: Asked, warm: Warm, key: str, rows: Awaitable[Rows]) -> Response:
        return self._answer_one(request, asked, warm, key, await rows)

    def _answer_one(self, request: Request, asked: Asked, warm: Warm, key: str, rows: Rows) -> Response:
        if not rows:
            raise self._resource.missing(key)
        codec = warm.reading.codec
        if asked.form is Form.CSV:
            body = codec.csv(rows)
        elif asked.form is Form.ARRAY:
            body = codec.many(rows)
        else:
            body = codec.one(rows[0])
        tag = etag(body)
        if request.trace is not None:
            request.trace.mark("encode")
        if asked.conditional and (unchanged := _unchanged(request, asked, tag)) is not None:
            return unchanged
        return Response(200, body, fixed=b"%betag: %b\r\n" % (asked.head, tag.encode()))

    # Many rows

    def read_many(self, request: Request, _: tuple[str, ...]) -> Response | Awaitable[Response]:
        """GET /api/<collection>: 200, 206 (a counted part), 304, or 416."""
        asked = asked_of(request.headers)
        actor = self._who(request)
        query = request.query
        if asked.first is not None and not _pages(query):
            limit = "" if asked.rows is None else f"&limit={asked.rows}"
            query = f"{query}&offset={asked.first}{limit}" if query else f"offset={asked.first}{limit}"
        warm, texts = (self._counted if asked.count else self._many).find(query, actor)
        page = _Page(request, asked, actor, query, warm, texts)
        parameters = warm.template.bind(texts, actor.id)
        trace = request.trace
        if trace is not None:
            trace.mark("lookup")
        rows = self._read(warm.reading.text, parameters, trace)
        if isinstance(rows, list) and not (asked.count and not rows):
            return self._answer_many(page, rows, None)
        return self._later_many(page, rows)

    async def _later_many(self, page: _Page, waiting: Rows | Awaitable[Rows]) -> Response:
        rows = waiting if isinstance(waiting, list) else await waiting
        # A page without rows has none to carry the count.
        total = await self._count(page) if page.asked.count and not rows else None
        return self._answer_many(page, rows, total)

    async def _count(self, page: _Page) -> int:
        prepared = page.warm.reading.prepared
        assert prepared.count is not None
        values = page.warm.full(page.texts)
        counted = self._read(prepared.count.text, prepared.bind(values, page.actor.id, count=True))
        rows = counted if isinstance(counted, list) else await counted
        total = rows[0][0]
        assert isinstance(total, int)
        return total

    def _answer_many(self, page: _Page, rows: Rows, total: int | None) -> Response:
        request, asked = page.request, page.asked
        codec = page.warm.reading.codec
        if asked.form is Form.OBJECT:
            if len(rows) != 1:
                raise Problem(NOT_ONE_ROW, f"{len(rows)} rows fit", hint="ask for application/json, or filter by the key")
            body = codec.one(rows[0])
        elif asked.form is Form.CSV:
            body = codec.csv(rows)
        else:
            body = codec.many(rows)
        tag = etag(body)
        if request.trace is not None:
            request.trace.mark("encode")
        if asked.conditional and (unchanged := _unchanged(request, asked, tag)) is not None:
            return unchanged
        if page.warm.reading.counts and total is None:
            last = rows[-1][-1]
            assert isinstance(last, int)
            total = last
        head = f"etag: {tag}\r\n{self._place(page, rows, total)}".encode("latin-1")
        status = 206 if total is not None and len(rows) < total and asked.form is not Form.OBJECT else 200
        return Response(status, body, fixed=asked.head + asked.counted + head)

    def _place(self, page: _Page, rows: Rows, total: int | None) -> str:
        """Where the page lies among all rows (Content-Range), and the way to the next one (Link)."""
        warm, texts, count = page.warm, page.texts, len(rows)
        first = int(texts[warm.offset]) if warm.offset >= 0 else warm.skipped
        if total is not None and first > 0 and first >= total:
            raise Problem(
                RANGE_NOT_SATISFIABLE,
                f"the page begins at row {first}, but there are {total}",
                headers=[("content-range", f"*/{total}")],
            )
        of = "*" if total is None else total
        if not count:
            return f"content-range: */{of}\r\n"
        here = f"content-range: {first}-{first + count - 1}/{of}\r\n"
        limit = int(texts[warm.limit]) if warm.limit >= 0 else warm.most
        if count >= min(limit, self._resource.most_rows) and (total is None or first + count < total):
            here += self._next(page.query, warm, rows)
        return here

    def _next(self, query: str, warm: Warm, rows: Rows) -> str:
        """The link to the page after this one: the same query with the cursor of its last row."""
        if "after=" in query or "offset=" in query:
            query = "&".join([part for part in query.split("&") if not part.startswith(("after=", "offset="))])
        if ">" in query or "<" in query:
            query = query.replace("<", "%3C").replace(">", "%3E")  # a JSON path's arrow would end the link
        cursor = warm.reading.prepared.cursor(rows[-1])
        return f'link: <{self._path}?{query}{"&" if query else ""}after={cursor}>; rel="next"\r\n'


def _unchanged(request: Request, asked: Asked, tag: str) -> Response | None:
    """304 where the caller has this state already. With If-Match it wants this state or none (RFC 9110, section 13.1.1)."""
    headers = request.headers
    if asked.required and preconditions(request.method, headers, etag=tag) is Outcome.FAILED:
        raise unmatched(tag)
    if not not_modified(headers, tag):
        return None
    return Response(304, fixed=b"%betag: %b\r\n" % (ALWAYS, matched_tag(headers, tag).encode()))


def _pages(query: str) -> bool:
    """Whether a query string says itself which rows to show; then it counts, and not Range, which may be ignored."""
    return any(part.startswith(("limit=", "offset=", "after=")) for part in query.split("&"))
