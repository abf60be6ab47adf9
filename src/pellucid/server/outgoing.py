"""Answers out: whole ones in one write, streamed ones at the pace of the client that takes them.

In: responses, and the event loop's word that its buffer is full or empty again. Out: writes on the transport. It never decides
whether the connection lives on; that is `server/protocol.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from math import inf

from pellucid.http.encode import LAST_CHUNK, Encoder, bodiless, chunk
from pellucid.http.messages import Request, Response

__all__ = ["CHUNKED", "Outgoing", "as_bytes", "framing_of"]

CHUNKED = "transfer-encoding: chunked\r\n"

_JOIN_BELOW = 65_536
"""A body up to this size is copied behind its head, to be one write; a longer one is written on its own."""


def as_bytes(body: object) -> bytes:
    """A body that is there as a whole. Raises TypeError for what is no body at all."""
    if body is None:
        return b""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"a response's body is bytes or an async iterable of bytes, not {type(body).__name__}")


def framing_of(request: Request, response: Response) -> str:
    """How the end of a streamed body is known (RFC 9112, section 6.3): its length, or chunks.

    Empty where there is no body, and for HTTP/1.0 without a length, where only the connection's end can say it.
    """
    if bodiless(response.status):
        return ""
    if response.length is not None:
        return f"content-length: {response.length}\r\n"
    return CHUNKED if request.version == "1.1" else ""


class Outgoing:
    """One connection's answers. `blocked` says that the client doesn't take them as fast as they come."""

    __slots__ = ("_encoder", "_taken", "_timeout", "_transport", "_unsent", "blocked", "until")

    def __init__(self, transport: asyncio.Transport, encoder: Encoder, timeout: float) -> None:
        self._transport = transport
        self._encoder = encoder
        self._timeout = timeout
        self._taken: asyncio.Future[None] | None = None
        self._unsent = 0
        self.blocked = False
        self.until = inf

    def write(self, request: Request, response: Response, body: bytes, trace_id: str, said: str) -> None:
        """Write a whole answer; `said` is its Connection line, or nothing. Raises ValueError for what cannot be said."""
        encoder, head_only = self._encoder, request.method == "HEAD"
        if len(body) <= _JOIN_BELOW or head_only or bodiless(response.status):
            self._transport.write(encoder.whole(response, body, request.id, trace_id, said, head_only))
            return
        self._transport.write(encoder.head(response, request.id, trace_id, said, f"content-length: {len(body)}\r\n"))
        self._transport.write(body)

    def begin(self, request: Request, response: Response, trace_id: str, said: str, framing: str) -> None:
        """Write the head of a streamed answer. Raises ValueError for what cannot be said."""
        self._transport.write(self._encoder.head(response, request.id, trace_id, said, framing))

    async def send(self, body: AsyncIterable[bytes], length: int | None, chunked: bool) -> None:
        """Write a body piece by piece. Raises ValueError where its length isn't the promised one, and what the body raises."""
        transport, sent = self._transport, 0
        try:
            async for piece in body:
                if not piece:
                    continue
                sent += len(piece)
                if length is not None and sent > length:
                    raise ValueError(f"the body is longer than the {length} bytes that its response promised")
                transport.write(chunk(piece) if chunked else piece)
                if self.blocked:
                    await self._until_taken()
            if length is not None and sent < length:
                raise ValueError(f"the body has {sent} bytes, its response promised {length}")
            if chunked:
                transport.write(LAST_CHUNK)
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _until_taken(self) -> None:
        self._taken = asyncio.get_running_loop().create_future()
        try:
            await self._taken
        finally:
            self._taken = None

    def pause(self, at: float) -> None:
        """The transport's buffer is full."""
        self.blocked = True
        self._unsent = self._transport.get_write_buffer_size()
        self.until = at + self._timeout

    def resume(self) -> None:
        """The transport's buffer is empty: everything written was taken."""
        self.blocked = False
        self.until = inf
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)

    def ended(self) -> None:
        """Nothing more will be written; from now on `progress` watches what is left."""
        self._unsent = self._transport.get_write_buffer_size()

    def progress(self, at: float) -> bool:
        """Whether the client has taken anything since this was last asked; if so, it has more time."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0 or unsent >= self._unsent:
            return False
        self._unsent = unsent
        self.until = at + self._timeout
        return True
