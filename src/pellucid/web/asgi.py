"""The handler as an ASGI application (ASGI 3, HTTP and lifespan), for those who run it under another server.

In: scope, receive, send. Out: the same Request and Response that our own server makes. What only our server can see
(the instants of the socket) is missing here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, cast

from pellucid.errors import BODY_TOO_LARGE, Problem
from pellucid.http.headers import Headers
from pellucid.http.messages import Handler, Request, Response
from pellucid.spans import new_trace_id

__all__ = ["Receive", "Scope", "Send", "serve_http", "serve_lifespan"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Body:
    """The body as ASGI messages bring it, counted against the limit."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError("the client went away while it sent the body")
            chunk = message.get("body", b"")
            seen += len(chunk)
            if seen > self._most:
                raise Problem(BODY_TOO_LARGE, f"the body is larger than {self._most} bytes")
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return


def _request(scope: Scope, receive: Receive, most: int) -> Request:
    raw = cast("list[tuple[bytes, bytes]]", scope["headers"])
    headers = Headers([(name.lower(), value) for name, value in raw])
    path = cast("bytes", scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    query = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
    empty = "content-length" not in headers and "transfer-encoding" not in headers and scope.get("http_version", "1.1") < "2"
    client = scope.get("client")
    return Request(
        scope["method"],
        f"{path}?{query}" if query else path,
        headers,
        body=b"" if empty or headers.get("content-length") == "0" else None,
        stream=_Body(receive, most),
        version=scope.get("http_version", "1.1"),
        scheme=scope.get("scheme", "http"),
        client=client[0] if client else "",
        id=new_trace_id(),
    )


def _head(request: Request, response: Response) -> list[tuple[bytes, bytes]]:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    for line in response.fixed.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b": ")
            pairs.append((name, value))
    pairs.append((b"x-request-id", request.id.encode()))
    length = len(response.body) if isinstance(response.body, bytes) else response.length
    if length is not None and response.status not in (204, 304):
        pairs.append((b"content-length", str(length).encode()))
    return pairs


async def serve_http(handler: Handler, scope: Scope, receive: Receive, send: Send, *, most: int) -> None:
    """Answer one HTTP scope; `most` bounds the body in bytes."""
    request = _request(scope, receive, most)
    answer = handler(request)
    response = answer if isinstance(answer, Response) else await answer
    await send({"type": "http.response.start", "status": response.status, "headers": _head(request, response)})
    body = response.body
    if request.method == "HEAD" or response.status in (204, 304):
        body = b""
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
        return
    async for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def serve_lifespan(
    start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]], receive: Receive, send: Send
) -> None:
    """Run `start` and `stop` as the server's lifespan protocol asks, and tell it when one of them fails."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await start()
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            try:
                await stop()
            except Exception as error:
                await send({"type": "lifespan.shutdown.failed", "message": str(error)})
                return
            await send({"type": "lifespan.shutdown.complete"})
            return
