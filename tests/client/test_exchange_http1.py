"""Requests and answers over HTTP/1.1: the exact bytes, their instants, bodies that go up and come down."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from hashlib import sha256

import brotli
import pytest

from broken import Peer, served
from pellucid.client.http1 import delay_of
from pellucid.journey import Early, Kind, Received
from pooled import pooled

OK = b"HTTP/1.1 200 OK\r\n"


def test_the_bytes_sent_are_the_bytes_kept() -> None:
    heard: list[bytes] = []

    async def talk(peer: Peer) -> None:
        head = await peer.request()
        assert head is not None
        heard.append(head + await peer.reader.readexactly(9))
        await peer.send(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 0\r\nx-a: 2\r\n\r\n")

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            fields = (("Content-Type", "text/plain"), ("X-Name", "Zürich"))
            visit = await asked.ask(f"{server.url}/a?b=c#d", "POST", headers=fields, body=b"some text")
            authority = server.url.removeprefix("http://")
            assert visit.request is not None
            assert visit.request.headers == [
                ("Host", authority), ("Connection", "keep-alive"), ("Content-Length", "9"), *fields
            ]  # fmt: skip
            assert heard == [visit.request.head + visit.request.body]
            assert visit.request.head.startswith(b"POST /a?b=c HTTP/1.1\r\nHost: " + authority.encode())
            assert (visit.request.target, visit.request.body_size, visit.request.body_type) == ("/a?b=c", 9, "text/plain")
            assert visit.received is not None
            assert visit.received.headers == [("x-a", "1"), ("content-length", "0"), ("x-a", "2")]
            assert visit.received.head == b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 0\r\nx-a: 2\r\n\r\n"
            assert (visit.received.status, visit.received.reason, visit.received.version) == (201, "Created", "1.1")

    asyncio.run(run())


def test_what_the_caller_says_itself_is_not_said_twice() -> None:
    async def talk(peer: Peer) -> None:
        head = await peer.request()
        assert head is not None
        await peer.send(OK + b"Content-Length: %d\r\n\r\n" % len(head) + head)

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, headers=(("host", "example.org"), ("Connection", "close")))
            assert visit.body.kept == b"GET / HTTP/1.1\r\nhost: example.org\r\nConnection: close\r\n\r\n"

    asyncio.run(run())


@pytest.mark.parametrize("field", [("X-A", "1\r\nHost: evil"), ("X A", "1"), ("", "1"), ("X:A", "1"), ("X-A", "\0")])
def test_a_field_that_would_forge_another_is_not_sent(field: tuple[str, str]) -> None:
    heard: list[bytes] = []

    async def talk(peer: Peer) -> None:
        heard.append(await peer.hear_all())

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, headers=(field,))
            assert visit.failure is not None
            assert visit.failure.slug == "bad-request"
            assert visit.request is None
        assert not any(heard)

    asyncio.run(run())


def test_chunks_have_their_places_and_the_instants_of_their_last_bytes() -> None:
    taken: list[tuple[bytes, int]] = []
    go_on = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5;n=1\r\nhel")
        await go_on.wait()
        await peer.send(b"lo\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n")

    def take(data: bytes, at: int) -> None:
        taken.append((data, at))
        go_on.set()

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, take=take)
            body = visit.body
            assert [(chunk.size, chunk.offset, chunk.extensions) for chunk in body.chunks] == [(5, 0, ";n=1"), (6, 5, "")]
            assert [data for data, _ in taken] == [b"hel", b"lo", b" world", b""]
            assert body.chunks[0].at == taken[1][1] > taken[0][1] == visit.first_byte
            assert (body.framing, body.wire, body.coded, body.decoded, body.chunk_count) == ("chunked", 40, 11, 11, 2)
            assert body.trailers == [("x-sum", "7")]
            assert body.kept == b"hello world"
            assert body.complete

    asyncio.run(run())


def test_interim_answers_are_told_at_once_and_the_first_byte_is_the_final_answers() -> None:
    heard: list[Early] = []
    heads: list[Received] = []
    go_on, body_may_come = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n")
        await go_on.wait()
        await peer.send(OK + b"Content-Length: 2\r\n\r\n")
        await body_may_come.wait()
        await peer.send(b"ok")

    def early(found: Early) -> None:
        heard.append(found)
        go_on.set()

    def head(found: Received) -> None:
        heads.append(found)
        body_may_come.set()

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, early=early, head=head)
            assert visit.early == heard
            assert [(each.status, each.headers) for each in heard] == [(103, [("link", "</a.css>; rel=preload; as=style")])]
            assert heads == [visit.received]
            assert visit.first_byte is not None
            assert visit.last_byte is not None
            assert heard[0].at < visit.first_byte < visit.last_byte
            assert not [note for note in visit.notes if note.topic == "delay"]

    asyncio.run(run())


def raw_deflate(data: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


@pytest.mark.parametrize(
    ("codings", "code"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate), ("br", brotli.compress),
     ("GZIP, br", lambda data: brotli.compress(gzip.compress(data))), ("identity", bytes)],
)  # fmt: skip
def test_codings_are_undone_and_counted(codings: str, code: type) -> None:
    text = b"".join(b"line %d\n" % number for number in range(1000))
    coded = code(text)

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + f"Content-Encoding: {codings}\r\n\r\n".encode(), coded)

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, checksum=True)
            assert visit.failure is None
            assert visit.body.kept == text
            assert (visit.body.coded, visit.body.decoded) == (len(coded), len(text))
            assert visit.body.codings == codings.lower().split(", ")
            assert visit.body.sha256 == sha256(text).hexdigest()
            assert visit.body.framing == "close"

    asyncio.run(run())


def test_transfer_codings_are_undone_before_content_codings() -> None:
    coded = zlib.compress(gzip.compress(b"inner"))

    async def talk(peer: Peer) -> None:
        await peer.request()
        head = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: deflate, chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(coded), coded))

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url)
            assert visit.body.kept == b"inner"
            assert visit.body.codings == ["gzip"]
            assert [note.source for note in visit.notes] == ["RFC 9112, section 7.4"]

    asyncio.run(run())


@pytest.mark.parametrize(("kind", "kept"), [("document", 200_000), ("stylesheet", 200_000), ("image", 65_536), ("font", 65_536)])
def test_what_matters_is_kept_whole_and_the_rest_in_part(kind: Kind, kept: int) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"Content-Length: 300000\r\n\r\n" + bytes(300_000))

    async def run() -> None:
        async with served(talk) as server, pooled(limit=200_000) as asked:
            visit = await asked.ask(server.url, kind=kind)
            assert (len(visit.body.kept), visit.body.decoded) == (kept, 300_000)
            assert visit.body.sha256 is None

    asyncio.run(run())


def test_fifty_megabytes_come_in_bounded_memory() -> None:
    size, piece = 50 << 20, bytes(1 << 16)
    taken = 0

    def take(data: bytes, at: int) -> None:
        nonlocal taken
        taken += len(data)

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            await peer.send(piece)

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, take=take)
            assert visit.failure is None
            assert visit.body.decoded == taken == size
            assert len(visit.body.chunks) <= 1000 < visit.body.chunk_count + 1000

    tracemalloc.start()
    try:
        asyncio.run(run())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_large_body_goes_up_while_the_answer_may_come() -> None:
    body = bytes(range(256)) * 40_000

    async def talk(peer: Peer) -> None:
        await peer.request()
        heard = await peer.reader.readexactly(len(body))
        await peer.send(OK + b"Content-Length: 64\r\n\r\n" + sha256(heard).hexdigest().encode())

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, "PUT", body=body)
            assert visit.body.kept.decode() == sha256(body).hexdigest()
            assert visit.request is not None
            assert (len(visit.request.body), visit.request.body_size) == (65_536, len(body))
            assert visit.sent_first is not None
            assert visit.sent_last is not None
            assert visit.first_byte is not None
            assert visit.sent_first < visit.sent_last < visit.first_byte

    asyncio.run(run())


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_may_refuse_a_body_before_its_end(reset: bool) -> None:
    gone = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", b"no!")
        if reset:
            return  # what was not read makes it a RST
        await gone.wait()

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, "POST", body=bytes(20 << 20))
            gone.set()
            assert visit.received is not None
            assert visit.received.status == 413
            assert visit.body.kept == b"no!"
            assert visit.failure is None
            assert visit.sent_last is None
            assert asked.connections[0].closed is not None
            assert [note.source for note in visit.notes] == ["RFC 9112, section 9.3"]

    asyncio.run(run())


def test_an_answer_with_success_does_not_end_the_upload() -> None:
    body = bytes(4 << 20)

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"Content-Length: 3\r\n\r\n")
        await peer.reader.readexactly(len(body))
        await peer.send(b"yes")

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            visit = await asked.ask(server.url, "POST", body=body)
            assert visit.body.kept == b"yes"
            assert visit.failure is None
            assert visit.sent_last is not None

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arrivals", "named"),
    [
        ([(0, 100), (40, 100)], True),
        ([(0, 100), (1, 20), (45, 1)], True),
        ([(0, 100), (30, 100)], False),
        ([(0, 100), (60, 100)], False),
        ([(0, 9000), (40, 100)], False),
        ([(0, 100)], False),
        ([], False),
    ],
)
def test_forty_milliseconds_behind_a_small_write_are_named(arrivals: list[tuple[int, int]], named: bool) -> None:
    found = delay_of([(at * 1_000_000, size) for at, size in arrivals])
    assert (found is not None) == named
