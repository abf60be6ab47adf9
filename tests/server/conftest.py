"""Raw connections to a server that runs in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import ClassVar, TypeVar

import pytest

from pellucid.server import worker

T = TypeVar("T")


class Client:
    """One raw connection: what is sent is exactly what is written here."""

    opened: ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def connect(cls, address: str, **options: object) -> Client:
        if address.startswith("unix:"):
            return cls(*await asyncio.open_unix_connection(address[5:]))
        host, _, port = address.partition("://")[2].rpartition(":")
        return cls(*await asyncio.open_connection(host.strip("[]"), int(port), **options))  # type: ignore[arg-type]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """The next answer with a Content-Length or in chunks."""
        head = await self.head()
        first, *lines = head[:-4].split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while size := int(await asyncio.wait_for(self.reader.readline(), 10), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
        else:
            body = await asyncio.wait_for(self.reader.readexactly(int(headers.get(b"content-length", b"0"))), 10)
        return int(first.split()[1]), headers, body

    async def ask(self, data: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Everything until the server ends the connection."""
        return await asyncio.wait_for(self.reader.read(), 10)

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
def connect():
    return Client.connect


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest):
    """Run a coroutine on either event loop: a platform without uvloop is served by the same code."""

    async def and_close(main: Coroutine[object, object, T]) -> T:
        try:
            return await main
        finally:
            for client in Client.opened:
                client.writer.transport.abort()
            Client.opened.clear()
            await asyncio.sleep(0)

    def ran(main: Coroutine[object, object, T]) -> T:
        return worker.run(and_close(main)) if request.param == "uvloop" else asyncio.run(and_close(main))

    return ran
