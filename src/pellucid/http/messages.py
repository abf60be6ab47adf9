"""Request and Response: what travels between the server and the stations above it.

A Request points down only: it knows its bytes, its sender and its trace, never the application. A handler takes a
Request and returns a Response at once or an awaitable of one; the server drives both without a task for the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Protocol
from urllib.parse import unquote

import msgspec

from pellucid.http.headers import Headers
from pellucid.spans import Trace

__all__ = ["Body", "BodyStream", "Handler", "Observer", "Request", "Response"]


class BodyStream(Protocol):
    """A body that is still arriving. Iterating yields chunks as they come and applies back-pressure to the sender.

    Raises `Problem` (BODY_TOO_LARGE, REQUEST_TIMEOUT) and `ConnectionResetError` when the sender goes away.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Request:
    """One HTTP request.

    `target` is the request-target as sent (RFC 9112, section 3.2), `path` its decoded path, `query` its raw query
    without "?". `body` is the whole body when it arrived in one piece (the usual case), else None and `stream` yields
    it. `id` is 32 hex digits, unique per request; `trace` is None where nobody watches.
    """

    __slots__ = (
        "body",
        "client",
        "facts",
        "headers",
        "id",
        "method",
        "path",
        "query",
        "scheme",
        "stream",
        "target",
        "trace",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | None = b"",
        stream: BodyStream | None = None,
        version: str = "1.1",
        scheme: str = "http",
        client: str = "",
        id: str = "",
        trace: Trace | None = None,
    ) -> None:
        self.method = method
        self.target = target
        path, _, self.query = target.partition("?")
        self.path = unquote(path, errors="strict") if "%" in path else path
        self.headers = headers
        self.body = body
        self.stream = stream
        self.version = version
        self.scheme = scheme
        self.client = client
        self.id = id
        self.trace = trace
        self.facts: dict[str, object] | None = None

    async def read(self) -> bytes:
        """The whole body. The server's limit on its size applies; calling it twice gives the same bytes."""
        if self.body is None:
            assert self.stream is not None
            self.body = b"".join([chunk async for chunk in self.stream])
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece, whether it has arrived already or not."""
        if self.body is not None:
            if self.body:
                yield self.body
            return
        assert self.stream is not None
        async for chunk in self.stream:
            yield chunk

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"


Body = bytes | AsyncIterable[bytes]


class Response(msgspec.Struct, eq=False):
    """One HTTP response: a status, header fields and a body.

    `fixed` holds header lines encoded once at start (`b"content-type: application/json\\r\\n"`), `headers` those that
    vary per answer. The server adds Date, Server, Connection, Content-Length or Transfer-Encoding and the request's
    ids. `length` is the body's size in bytes where a streamed body has a known one. `body` of None is a body that must
    not exist (204, 304). (A Struct, since one is made per request in a third of the time.)
    """

    status: int = 200
    body: Body = b""
    headers: list[tuple[str, str]] = []
    fixed: bytes = b""
    length: int | None = None

    def header(self, name: str) -> str | None:
        """The first value of a field by lower-case name, wherever it stands."""
        for key, value in self.headers:
            if key == name:
                return value
        for line in self.fixed.split(b"\r\n"):
            key_bytes, _, value_bytes = line.partition(b": ")
            if key_bytes.decode("latin-1") == name:
                return value_bytes.decode("latin-1")
        return None

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


Handler = Callable[[Request], "Response | Awaitable[Response]"]

Observer = Callable[[Request, Response, int], None]
"""Called once after the last byte of an answer was handed to the kernel, with the instant in nanoseconds."""
