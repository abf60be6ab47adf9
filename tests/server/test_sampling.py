"""What the observer is told of where not every request is seen through."""

from __future__ import annotations

import asyncio

from pellucid.http.messages import Request, Response
from pellucid.server.service import Sampling
from pellucid.server.worker import running


async def ask(address: str, *paths: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"ok")
    writer.close()
    await writer.wait_closed()


def seen(sampling: Sampling, *paths: str) -> list[tuple[str, bool]]:
    """(path, whether it was seen through) of what the observer was told."""
    told: list[tuple[str, bool]] = []

    def handler(request: Request) -> Response:
        return Response(500 if request.path == "/broken" else 200, b"ok")

    def observer(request: Request, response: Response, finished: int) -> None:
        assert request.trace is not None
        assert finished >= request.trace.started
        told.append((request.path, bool(request.trace.marks)))

    async def run() -> None:
        async with running(handler, observer=observer, sampling=sampling) as address:
            await ask(address, *paths)

    asyncio.run(run())
    return told


def test_all_are_seen_through_where_nothing_else_is_said() -> None:
    assert seen(Sampling(), "/a", "/b") == [("/a", True), ("/b", True)]


def test_beyond_the_rate_only_failed_ones_are_told_of() -> None:
    assert seen(Sampling(2, 60.0), "/a", "/b", "/c", "/broken") == [("/a", True), ("/b", True), ("/broken", False)]


def test_slow_ones_are_told_of_whatever_the_rate() -> None:
    assert seen(Sampling(0, 0.0), "/a") == [("/a", False)]
