"""Real servers over HTTP/1.1: nginx, Caddy, and our own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from caddy import caddy
from nginx import needs_nginx, site
from pellucid.http.messages import Request, Response
from pellucid.journey import Visit
from pellucid.server import worker
from pellucid.web.compress import Compress
from pooled import pooled

PAGE = b"<p>one line of many\n" * 2000
GZIP = "gzip on; gzip_min_length 1; gzip_http_version 1.0; keepalive_requests 4; if_modified_since before;"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("files")
    (root / "page.html").write_bytes(PAGE)
    (root / "random.bin").write_bytes(os.urandom(3 << 20))
    return root


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[str]:
    with site(tmp_path_factory.mktemp("nginx"), files, GZIP) as url:
        yield url


def ask(url: str, *targets: str, **more: object) -> list[Visit]:
    async def run() -> list[Visit]:
        async with pooled(limit=8 << 20) as asked:
            return [await asked.ask(url + target, **more) for target in targets]  # type: ignore[arg-type]

    return asyncio.run(run())


@needs_nginx
def test_nginx_whole(nginx: str, files: Path) -> None:
    (visit,) = ask(nginx, "/random.bin", checksum=True)
    data = (files / "random.bin").read_bytes()
    assert visit.failure is None
    assert visit.body.kept == data
    assert visit.body.sha256 == sha256(data).hexdigest()
    assert (visit.body.framing, visit.body.wire, visit.body.coded) == ("length", len(data), len(data))
    assert sum(chunk.size for chunk in visit.body.chunks) == len(data)


@needs_nginx
def test_nginx_coded_in_chunks(nginx: str) -> None:
    (visit,) = ask(nginx, "/page.html", headers=(("Accept-Encoding", "gzip"),))
    assert visit.failure is None
    assert visit.body.kept == PAGE
    assert (visit.body.framing, visit.body.codings) == ("chunked", ["gzip"])
    assert sum(chunk.size for chunk in visit.body.chunks) == visit.body.coded < visit.body.wire
    assert not visit.notes


@needs_nginx
def test_nginx_says_when_a_connection_ends(nginx: str) -> None:
    visits = ask(nginx, *["/page.html"] * 6)
    assert [visit.reused for visit in visits] == [False, True, True, True, False, True]
    assert not any(visit.notes for visit in visits)


@needs_nginx
@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "framing"),
    [
        ("HEAD", "/page.html", (), 200, "none"),
        ("GET", "/none", (), 404, "length"),
        ("GET", "/page.html", (("Range", "bytes=5-9"),), 206, "length"),
        ("GET", "/page.html", (("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),), 304, "none"),
        ("POST", "/page.html", (), 405, "length"),
    ],
)
def test_nginx_in_all_its_statuses(
    nginx: str, method: str, target: str, headers: tuple[tuple[str, str], ...], status: int, framing: str
) -> None:
    first, second = ask(nginx, target, target, method=method, headers=headers)
    assert first.failure is second.failure is None
    assert first.received is not None
    assert (first.received.status, first.body.framing) == (status, framing)
    assert first.body.complete
    assert second.reused


@needs_nginx
def test_many_at_once_over_nginx(nginx: str) -> None:
    async def run() -> None:
        async with pooled() as asked:
            visits = await asyncio.gather(*(asked.ask(f"{nginx}/page.html") for _ in range(60)))
            assert {visit.failure for visit in visits} == {None}
            assert {visit.body.decoded for visit in visits} == {len(PAGE)}
            # nginx ends each connection behind its fourth request.
            assert len(asked.connections) >= 15

    asyncio.run(run())


def test_caddy_over_plain_http(tmp_path: Path, files: Path) -> None:
    with caddy(tmp_path / "caddy", files, "encode zstd gzip") as front:
        first, second = ask(front.http, "/page.html", "/page.html", headers=(("Accept-Encoding", "zstd"),))
    assert first.failure is None
    assert first.body.codings == ["zstd"]
    assert first.body.kept == PAGE
    assert second.reused


async def _lines() -> AsyncIterator[bytes]:
    for number in range(20_000):
        yield b"line %d\n" % number


def answer(request: Request) -> Response:
    """The page whole, or in a stream."""
    body = PAGE if request.path == "/whole" else _lines()
    return Compress()(request, Response(200, body, [("content-type", "text/html")]))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "identity"])
def test_our_own_server(coding: str) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(worker.running(answer))
            asked = await stack.enter_async_context(pooled())
            whole = await asked.ask(f"{address}/whole", headers=(("Accept-Encoding", coding),))
            parts = await asked.ask(f"{address}/parts", headers=(("Accept-Encoding", coding),))
            assert whole.failure is parts.failure is None
            assert whole.body.kept == PAGE
            assert parts.body.kept == b"".join([line async for line in _lines()])
            assert parts.body.framing == "chunked"
            assert parts.body.codings == ([coding] if coding != "identity" else [])
            assert parts.reused
            assert not [note for visit in asked.visits for note in visit.notes]

    asyncio.run(run())


def test_on_plain_http_nothing_heavy_is_imported() -> None:
    heavy = ("h2", "brotli", "dns", "cryptography")
    code = f"import pellucid.client.pool, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
