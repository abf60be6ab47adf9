"""Servers of whole sites for traces: what each address answers is written down beforehand, what was asked is kept.

In: answers by host and path. Out: a loopback server within the running event loop, whose hosts are reached by overriding names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from pellucid.client.options import TraceOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.client.trace import begin, trace
from pellucid.http.cookies import Jar
from pellucid.journey import Journey, Visit

__all__ = ["Answer", "Asked", "Scripted", "paths", "scripted", "visit_to"]


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """One answer, sent with Content-Length."""

    body: bytes | str = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    type: str | None = "text/html; charset=utf-8"
    interim: bytes = b""
    """Bytes sent before the answer: early hints."""


Site = Mapping[str, "Answer | Callable[[Asked], Answer]"]


class Scripted:
    """The running server. Paths are `/x` for every host, or `//shop.example/x` for one."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = dict(site)
        self.port = port
        self.asked: list[Asked] = []

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """An address of the site."""
        return f"http://{host}:{self.port}{path}"

    def answer(self, asked: Asked) -> Answer:
        path = asked.target.partition("?")[0]
        host = asked.host.partition(":")[0]
        found = self.site.get(f"//{host}{path}") or self.site.get(path)
        if found is None:
            return Answer("nothing here", 404, type="text/plain")
        return found(asked) if callable(found) else found

    async def traced(self, path: str = "/", host: str = "127.0.0.1", jar: Jar | None = None, **options: object) -> Journey:
        """A whole trace of one of its addresses."""
        hosts = ("shop.example", "www.shop.example", "cdn.example", "other.example")
        overrides = tuple((name, 0, ("127.0.0.1",)) for name in hosts)
        told = TraceOptions(resolve=ResolveOptions(overrides=overrides, services=False), timeout=20, **options)  # type: ignore[arg-type]
        journey, clock, assumed = begin(self.url(path, host), told)
        await trace(journey, clock, told, assumed=assumed, jar=jar)
        return journey


@asynccontextmanager
async def scripted(site: Site) -> AsyncIterator[Scripted]:
    """Serve the site on a free port of 127.0.0.1 until the block is left."""
    server_side: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_side.append(writer)
        try:
            while head := await _head(reader):
                asked = await _request(head, reader)
                running.asked.append(asked)
                writer.write(_bytes(running.answer(asked), asked))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    running = Scripted(site, server.sockets[0].getsockname()[1])
    try:
        yield running
    finally:
        server.close()
        for writer in server_side:
            writer.close()
        await server.wait_closed()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The next head; nothing at the end, or where what comes is TLS, which is hung up on."""
    try:
        first = await reader.readexactly(1)
        return b"" if first == b"\x16" else first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _request(head: bytes, reader: asyncio.StreamReader) -> Asked:
    line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, headers.get("host", ""), target, headers, body)


def _bytes(answer: Answer, asked: Asked) -> bytes:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(body)}"]
    if answer.type is not None:
        lines.append(f"Content-Type: {answer.type}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    sent = b"" if asked.method == "HEAD" or answer.status == 304 else body
    if answer.status == 304:
        lines[1:2] = []
    return answer.interim + "\r\n".join([*lines, "", ""]).encode("latin-1") + sent


def paths(journey: Journey, round: int = 1) -> list[str]:
    """The path and query of every request, in the order of discovery."""
    return ["/" + visit.url.split("/", 3)[3] for visit in journey.visits if visit.round == round]


def visit_to(journey: Journey, end: str, round: int = 1) -> Visit:
    """The one visit whose URL ends so."""
    found = [visit for visit in journey.visits if visit.url.endswith(end) and visit.round == round]
    assert len(found) == 1, f"{len(found)} visits to {end} among {[visit.url for visit in journey.visits]}"
    return found[0]
