"""Servers of HTTP/2 that do unusual or wrong things, behind real sockets, without TLS (prior knowledge).

In: what to do with each connection, over h2's state machine. Out: an address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from broken import Peer, Served, served

__all__ = ["OK", "Peer2", "served2"]

OK = [(":status", "200"), ("content-type", "text/plain")]


class Peer2:
    """A client's HTTP/2 connection, as the server has it. `number` counts connections from 1."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.number = peer.number
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False))
        self.bodies: dict[int, bytes] = {}
        self._events: list[Event] = []

    async def flush(self) -> None:
        """Send what h2 has to say."""
        await self.peer.send(self.h2.data_to_send())

    async def raw(self, frame: bytes) -> None:
        """Send bytes that h2 knows nothing of."""
        await self.flush()
        await self.peer.send(frame)

    async def next(self) -> Event | None:
        """The next event; None at the end."""
        while not self._events:
            data = await self.peer.reader.read(65_536)
            if not data:
                return None
            self._events += self.h2.receive_data(data)
            for event in self._events:
                if isinstance(event, DataReceived):
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            await self.flush()
        return self._events.pop(0)

    async def request(self) -> tuple[int, dict[str, str]] | None:
        """The next request's stream and its fields; None where no other came."""
        while (event := await self.next()) is not None:
            if isinstance(event, RequestReceived):
                return event.stream_id, {str(name): str(value) for name, value in event.headers}
        return None

    async def whole_request(self) -> tuple[int, bytes] | None:
        """The next stream whose request has come to its end, and its body."""
        while (event := await self.next()) is not None:
            if isinstance(event, StreamEnded):
                return event.stream_id, self.bodies.get(event.stream_id, b"")
        return None

    async def answer(self, stream: int, body: bytes = b"hello", headers: list[tuple[str, str]] = OK) -> None:
        """A plain answer."""
        self.h2.send_headers(stream, headers)
        self.h2.send_data(stream, body, end_stream=True)
        await self.flush()


@asynccontextmanager
async def served2(talk: Callable[[Peer2], Awaitable[None]]) -> AsyncIterator[Served]:
    """Serve HTTP/2 on a free port of 127.0.0.1, in the loop of whoever asks."""

    async def begin(peer: Peer) -> None:
        two = Peer2(peer)
        two.h2.initiate_connection()
        await two.flush()
        await talk(two)
        await two.flush()

    async with served(begin) as found:
        yield found
        await asyncio.sleep(0)
