"""`Wire`: a connection that is ready for requests, and `Flow`, the bytes below it with the instants at which they came.

In: a connected socket, perhaps a TLS layer. Out: decrypted bytes with their instants, and pressure back to the sender where
nobody reads. It runs on asyncio's loop and on uvloop, and knows no HTTP.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, cast

from pellucid.client.kernel import kernel_of
from pellucid.journey import Clock, Connection, Kernel

if TYPE_CHECKING:
    from pellucid.client.tls import Layer

__all__ = ["Flow", "Wire"]

HIGH = 256 * 1024
"""Unread bytes above which no more are taken from the socket."""
LOW = 64 * 1024


class Flow(asyncio.Protocol):
    """The bytes of a socket as they come, each piece with its instant."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._unread = 0
        self._paused = False
        self._full = False
        self._over: int | None = None
        self._lost: Exception | None = None
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The transport below, once it is connected."""
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append((data, self._clock()))
        self._unread += len(data)
        if self._unread > HIGH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._over = self._clock()
        self._wake()
        return True  # whoever holds the wire closes it

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc or ConnectionResetError("The connection was closed")
        self._over = self._over if self._over is not None else self._clock()
        self._wake()
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_exception(self._reset())

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)

    @property
    def over(self) -> int | None:
        """When the other end had nothing more to say, or the connection broke."""
        return self._over

    async def read(self) -> tuple[bytes, int]:
        """The next bytes as they came; `b""` at the end. Raises ConnectionError where the connection broke."""
        while not self._pieces:
            if self._over is not None:
                if isinstance(self._lost, OSError) and not self._closed:
                    raise self._reset()
                return b"", self._over
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data, at = self._pieces.popleft()
        self._unread -= len(data)
        if self._paused and self._unread <= LOW and self._lost is None:
            self._paused = False
            self.transport.resume_reading()
        return data, at

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        if self._lost is None:
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until little is left to send. Raises ConnectionError where the connection broke."""
        if self._lost is not None:
            raise self._reset()
        if self._full:
            drainer = asyncio.get_running_loop().create_future()
            self._drainers.append(drainer)
            try:
                await drainer
            finally:
                self._drainers.remove(drainer)

    def close(self) -> None:
        """Close; what has not been sent by then is not sent."""
        self._closed = True
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _reset(self) -> ConnectionError:
        return self._lost if isinstance(self._lost, ConnectionError) else ConnectionResetError(str(self._lost))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Wire:
    """A connection that is ready for requests. One task reads; any may write."""

    def __init__(
        self,
        record: Connection,
        clock: Clock,
        connected: socket.socket,
        flow: Flow,
        layer: Layer | None = None,
        early: tuple[bytes, int] = (b"", 0),
    ) -> None:
        """`early`: decrypted bytes that came with the end of the handshake."""
        self.record = record
        self._clock = clock
        self._socket = connected
        self._flow = flow
        self._layer = layer
        self._early = early

    @property
    def over(self) -> bool:
        """Whether the other end has closed already; seen without reading, so that an idle wire can be judged."""
        return self._flow.over is not None or (self._layer is not None and self._layer.ended)

    @property
    def cut_short(self) -> bool:
        """Whether a TLS connection ended without saying so: what came before may have been cut by somebody on the way."""
        return self._flow.over is not None and self._layer is not None and not self._layer.ended

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent (see `drain`)."""
        self._flow.write(data if self._layer is None else self._layer.send(data))

    async def drain(self) -> None:
        """Wait until little is left to send. Raises ConnectionError where the connection broke."""
        await self._flow.drain()

    async def read(self) -> tuple[bytes, int]:
        """Decrypted bytes and the instant at which they came; `b""` at the end. Raises ConnectionError where it broke."""
        layer = self._layer
        if layer is None:
            return await self._flow.read()
        if self._early[0]:
            early, self._early = self._early, (b"", 0)
            return early
        while True:
            if layer.ended:
                return b"", self._clock()
            data, at = await self._flow.read()
            if not data:
                return b"", at
            plain = layer.receive(data, at)
            if answer := layer.outgoing():
                self._flow.write(answer)
            if plain:
                return plain, at

    def kernel(self) -> Kernel | None:
        """Ask the kernel now, and keep what it says in the record."""
        if self.record.closed is None and (found := kernel_of(self._socket, self._clock())) is not None:
            self.record.kernel = found
        return self.record.kernel

    def close(self, why: str) -> None:
        """Close once and for all, and write down when and why; a second call changes nothing."""
        if self.record.closed is not None:
            return
        self.kernel()
        self.record.closed, self.record.closed_why = self._clock(), why
        if self._layer is not None:
            self._flow.write(self._layer.close())
            self._layer.describe()
        self._flow.close()
