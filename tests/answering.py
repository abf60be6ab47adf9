"""A name server of a few lines, in the loop of the test: it says what a function tells it to, over UDP and TCP, byte by byte.

In: an address and a function from the question's bytes and "was it TCP?" to the datagrams (or messages) to send back. Out: the
port, and everything that was asked.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rrset

__all__ = ["Answering", "answering", "reply_to"]

Says = Callable[[bytes, bool], Sequence[bytes]]


class Answering(asyncio.DatagramProtocol):
    """The running server."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self.port = 0
        self.asked: list[tuple[dns.message.Message, bool]] = []
        """The questions, and whether they came over TCP."""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append((dns.message.from_wire(data), False))
        assert self._transport is not None
        for datagram in self._says(data, False):
            self._transport.sendto(datagram, addr)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question over TCP."""
        try:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            data = await reader.readexactly(size)
            self.asked.append((dns.message.from_wire(data), True))
            for message in self._says(data, True):
                writer.write(struct.pack("!H", len(message)) + message)
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def answering(says: Says, address: str = "127.0.53.200", port: int = 0) -> AsyncIterator[Answering]:
    """Run the server meanwhile, on one port for UDP and TCP (a given one, or a free one)."""
    loop = asyncio.get_running_loop()
    server = Answering(says)
    tcp = await asyncio.start_server(server.connected, address, port)
    server.port = tcp.sockets[0].getsockname()[1]
    udp, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=(address, server.port))
    try:
        yield server
    finally:
        udp.close()
        tcp.close()
        await tcp.wait_closed()


def reply_to(data: bytes, *records: str, rcode: int = 0, flags: int = dns.flags.RA, authority: Sequence[str] = ()) -> bytes:
    """An answer to that question: records as `www.example. 60 IN A 192.0.2.1`."""
    answer = dns.message.make_response(dns.message.from_wire(data))
    answer.flags |= flags
    answer.set_rcode(rcode)  # type: ignore[arg-type]
    for section, texts in ((answer.answer, records), (answer.authority, authority)):
        for text in texts:
            name, ttl, _, kind, value = text.split(" ", 4)
            section.append(dns.rrset.from_text(name, int(ttl), "IN", kind, value))
    return answer.to_wire()
