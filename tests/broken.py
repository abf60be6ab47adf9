"""Servers that break the rules of HTTP/1.1 in one way each, behind real sockets.

In: what to do with each connection. Out: an address. The good ones among them are there to be asked before or behind a bad one.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

__all__ = ["BEHAVIOURS", "Peer", "Served", "broken", "served", "with_nagle"]


class Peer:
    """A client's connection, as the server has it. `number` counts connections from 1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        self.target = ""

    async def request(self) -> bytes | None:
        """The head of the next request; None where no other came."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self.target = head.split(b" ")[1].decode()
        return head

    async def send(self, *pieces: bytes) -> None:
        """Each piece in a segment of its own: nothing else is written before the loop has run."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def hear_all(self) -> bytes:
        """Everything until the client closes."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Break the connection: the client gets a RST."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Talk = Callable[[Peer], Awaitable[None]]


class Served:
    """A running server: where it is, and how many connections have come."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[Served]:
    """Serve on a free port of 127.0.0.1, in the loop of whoever asks. A connection is closed when `talk` returns."""
    found = Served()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        task = asyncio.current_task()
        assert task is not None
        found.tasks.add(task)
        try:
            await talk(Peer(reader, writer, found.connections))
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            found.tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        for _ in range(5):  # what has been accepted by now gets its task
            await asyncio.sleep(0)
        for task in list(found.tasks):
            task.cancel()
        await asyncio.gather(*found.tasks, return_exceptions=True)
        await server.wait_closed()


# -- ways to be broken ----------------------------------------------------------------------------------------------------

_OK = b"HTTP/1.1 200 OK\r\n"


async def truncated_chunk(peer: Peer) -> None:
    """A chunk that ends before its size is reached."""
    await peer.request()
    await peer.send(_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n64\r\nonly this")


async def no_last_chunk(peer: Peer) -> None:
    """Whole chunks, and then nothing."""
    await peer.request()
    await peer.send(_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


async def bad_chunk(peer: Peer) -> None:
    """A chunk that has more bytes than its size says."""
    await peer.request()
    await peer.send(_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello world\r\n0\r\n\r\n")


async def too_short(peer: Peer) -> None:
    """Fewer bytes than Content-Length says."""
    await peer.request()
    await peer.send(_OK + b"Content-Length: 100\r\n\r\nhello")


async def too_long(peer: Peer) -> None:
    """More bytes than Content-Length says."""
    while await peer.request():
        await peer.send(_OK + b"Content-Length: 5\r\n\r\nhello and more")


async def two_lengths(peer: Peer) -> None:
    """Two lengths that contradict each other."""
    await peer.request()
    await peer.send(_OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello")


async def drip(peer: Peer) -> None:
    """A byte at a time, and then none."""
    await peer.request()
    await peer.send(_OK + b"Content-Length: 1000\r\n\r\n", *(b"." for _ in range(20)))
    await peer.hear_all()


async def silence(peer: Peer) -> None:
    """No answer at all."""
    await peer.hear_all()


async def reset(peer: Peer) -> None:
    """A RST in the middle of the body."""
    await peer.request()
    await peer.send(_OK + b"Content-Length: 100\r\n\r\nhello")
    peer.reset()


async def reset_at_once(peer: Peer) -> None:
    """A RST instead of an answer."""
    await peer.request()
    peer.reset()


async def bad_gzip(peer: Peer) -> None:
    """Bytes that are no gzip, and are said to be."""
    while await peer.request():
        await peer.send(_OK + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n<p>hello</p>")


async def cut_gzip(peer: Peer) -> None:
    """gzip without its end."""
    await peer.request()
    coded = gzip.compress(bytes(range(256)) * 40)[:-20]
    await peer.send(_OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(coded) + coded)


async def bomb(peer: Peer) -> None:
    """A little that unpacks to much."""
    await peer.request()
    coded = gzip.compress(gzip.compress(bytes(200 << 20), 1), 9)
    await peer.send(_OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(coded) + coded)


async def garbage(peer: Peer) -> None:
    """Something else than HTTP."""
    await peer.request()
    await peer.send(b"220 mail.example.org ESMTP ready\r\n")


async def endless_head(peer: Peer) -> None:
    """Header fields for ever."""
    await peer.request()
    await peer.send(_OK)
    while True:
        await peer.send(b"x-more: " + b"x" * 8000 + b"\r\n")


async def endless_interim(peer: Peer) -> None:
    """Interim answers for ever."""
    await peer.request()
    while True:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")


async def no_answer(peer: Peer) -> None:
    """Closes where an answer is due."""
    await peer.request()


async def half_head(peer: Peer) -> None:
    """Closes in the middle of the head."""
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")


async def redirect_for_ever(peer: Peer) -> None:
    """Each answer points to the next."""
    while await peer.request():
        number = int(peer.target.rpartition("/")[2] or 0)
        await peer.send(b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % (number + 1))


BEHAVIOURS: dict[str, Talk] = {
    talk.__name__.replace("_", "-"): talk
    for talk in (
        truncated_chunk, no_last_chunk, bad_chunk, too_short, too_long, two_lengths, drip, silence, reset, reset_at_once,
        bad_gzip, cut_gzip, bomb, garbage, endless_head, endless_interim, no_answer, half_head, redirect_for_ever,
    )
}  # fmt: skip


@asynccontextmanager
async def broken(name: str) -> AsyncIterator[Served]:
    """One of `BEHAVIOURS` by name."""
    async with served(BEHAVIOURS[name]) as found:
        yield found


@contextmanager
def with_nagle(pieces: tuple[bytes, ...]) -> Iterator[str]:
    """A server in a thread that leaves Nagle's algorithm on, and writes each answer in several pieces on a kept connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            connected, _ = listening.accept()
            with connected:
                while not ended.is_set() and connected.recv(65_536):
                    for piece in pieces:
                        connected.send(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        ended.set()
        socket.create_connection(listening.getsockname()).close()
        thread.join()
        listening.close()
