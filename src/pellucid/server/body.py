"""A request's body while it arrives: taken apart by its framing, counted, handed to the handler piece by piece.

In: bytes as they were received. Out: an async iterator of pieces, and the bytes behind the body's end. It knows no socket:
whoever makes it is told when the handler waits for more, and stops reading while pieces are held back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from pellucid.http.parse import ChunkedBody, too_large

__all__ = ["IncomingBody"]


class IncomingBody:
    """One body. `length` is its size in bytes, None when it is chunked; `limit` is the most that is taken.

    `held` is the size of what the handler has not taken yet; `ended` says that the last byte is in.
    """

    __slots__ = ("_chunked", "_error", "_left", "_limit", "_pieces", "_waiter", "discarded", "ended", "held", "on_wait", "size")

    def __init__(self, length: int | None, limit: int, on_wait: Callable[[], None]) -> None:
        self._chunked = ChunkedBody() if length is None else None
        self._left = length or 0
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.on_wait = on_wait
        self.discarded = False
        self.ended = False
        self.held = 0
        self.size = 0

    @property
    def left(self) -> int | None:
        """Bytes that have yet to come; None where only the sender knows."""
        return None if self._chunked is not None else self._left

    @property
    def failed(self) -> bool:
        """Whether the rest will never be read."""
        return self._error is not None

    @property
    def waiting(self) -> bool:
        """Whether the handler waits for the next piece."""
        return self._waiter is not None

    def feed(self, data: bytes) -> bytes:
        """Take what was received; returns the bytes behind the body's end, empty while it lasts.

        Raises Problem: BAD_REQUEST where the chunks are not valid, BODY_TOO_LARGE beyond the limit.
        """
        if self._error is not None:
            return b""  # never find a way back into a body that was not valid
        if self._chunked is None:
            piece, rest = data[: self._left], data[self._left :]
            self._left -= len(piece)
            self._keep(piece)
            self.ended = self._left == 0
        else:
            for piece in self._chunked.feed(data):
                self._keep(piece)
            if self._chunked.announced > self._limit:
                raise too_large(self._limit)
            rest = self._chunked.rest or b""
            self.ended = self._chunked.rest is not None
        if self.ended or self._pieces:
            self._wake()
        return rest

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._limit:
            raise too_large(self._limit)
        if piece and not self.discarded:
            self._pieces.append(piece)
            self.held += len(piece)

    def fail(self, error: Exception) -> None:
        """The rest will not come: the handler sees this once it has taken what came before."""
        if not self.ended and self._error is None:
            self._error = error
            self._wake()

    def discard(self) -> None:
        """Nobody will read it any more: drop what is held and what still comes."""
        self.discarded = True
        self._pieces.clear()
        self.held = 0

    def whole(self) -> bytes:
        """Everything held, in one piece."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        return body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.ended:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("the body is being read by somebody else already")
            self._waiter = asyncio.get_running_loop().create_future()
            self.on_wait()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces.popleft()
        self.held -= len(piece)
        return piece

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
