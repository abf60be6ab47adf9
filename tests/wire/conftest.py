"""A connection without a socket: bytes in, bytes out, so that a thousand cases take a second."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import pytest

from pellucid.http.messages import Handler, Request, Response
from pellucid.server.connection import Limits
from pellucid.server.protocol import HttpProtocol
from pellucid.server.service import Service


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; closes as a peer would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: HttpProtocol
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def write_eof(self) -> None:
        self.close()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Conversation:
    """What came back, and whether the server ended the connection."""

    answers: list[Answer] = field(default_factory=list)
    closed: bool = False

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


def echo(request: Request) -> Response:
    """Say back what was understood."""
    seen = (request.method, request.target, request.path, request.query, request.version, list(request.headers), request.body)
    return Response(200, msgspec.json.encode(seen))


async def slow_echo(request: Request) -> Response:
    """The same, later, and with whatever body there is."""
    await asyncio.sleep(0)
    body = await request.read()
    assert request.body is body
    return echo(request)


async def converse(
    pieces: Iterable[bytes], handler: Handler = echo, limits: Limits | None = None, *, eof: bool = False
) -> Conversation:
    service = Service(handler, limits=limits)
    protocol, transport = HttpProtocol(service), MemoryTransport()
    transport.protocol = protocol
    protocol.connection_made(transport)
    for piece in pieces:
        if transport.closed:
            break
        protocol.data_received(piece)
    if eof and not transport.closed and not protocol.eof_received():
        transport.close()
    for _ in range(200):
        await asyncio.sleep(0)
    conversation = Conversation(parse_answers(bytes(transport.written)), transport.closed)
    await service.stop(0)
    return conversation


def parse_answers(data: bytes) -> list[Answer]:
    """Read answers by Content-Length or chunks, and check on the way that each is well-formed to the last byte."""
    answers = []
    while data:
        head, blank, data = data.partition(b"\r\n\r\n")
        assert blank, head
        status_line, *lines = head.split(b"\r\n")
        found = re.fullmatch(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z' -]*", status_line)
        assert found is not None, status_line
        pairs = [re.fullmatch(rb"([a-zA-Z-]+): ([ -~]*)", line) for line in lines]
        headers = {pair[1].decode().lower(): pair[2].decode() for pair in pairs if pair is not None}
        assert len(headers) == len(lines), lines
        status, body = int(found[1]), b""
        if "content-length" in headers and status not in (304,):
            length = int(headers["content-length"])
            assert len(data) >= length, (headers, data)
            body, data = data[:length], data[length:]
        elif headers.get("transfer-encoding") == "chunked":
            body, data = dechunk(data)
        answers.append(Answer(status, headers, body))
    return answers


def dechunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        piece, data = data[: int(size, 16)], data[int(size, 16) :]
        assert data[:2] == b"\r\n", data
        data = data[2:]
        if not piece:
            return body, data
        body += piece


Converse = Callable[..., Conversation]


@pytest.fixture(scope="module")
def talk() -> Converse:
    """Hold one conversation: `talk(pieces, handler, limits, eof=...)`."""

    def held(
        pieces: Iterable[bytes], handler: Handler = echo, limits: Limits | None = None, *, eof: bool = False
    ) -> Conversation:
        return asyncio.run(converse(pieces, handler, limits, eof=eof))

    return held


@pytest.fixture(scope="module")
def handlers() -> dict[str, Handler]:
    return {"at once": echo, "later": slow_echo}
