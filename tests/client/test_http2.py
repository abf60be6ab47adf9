"""HTTP/2: one connection that all share, with what servers really do to it, and Caddy for the truth."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256

import pytest
from h2.errors import ErrorCodes
from h2.events import WindowUpdated
from h2.settings import SettingCodes
from hpack import Decoder

from broken import Peer, served
from broken_h2 import OK, Peer2, served2
from caddy import Caddy, caddy
from pellucid.client.http2_fields import priority_of
from pellucid.journey import Early, Initiator, Kind, Priority, Received, Visit
from pooled import Asked, pooled

BIG = os.urandom(1 << 16) * 800
"""50 MB."""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    folder = tmp_path_factory.mktemp("caddy")
    root = folder / "root"
    root.mkdir()
    (root / "page.html").write_text("<p>a line\n" * 1000)
    (root / "big.bin").write_bytes(BIG)
    with caddy(folder / "own", root, "encode zstd gzip") as found:
        yield found


# -- over Caddy -----------------------------------------------------------------------------------------------------------


def test_one_connection_carries_all_where_nobody_knew_that_it_was_http2(front: Caddy) -> None:
    async def run() -> tuple[list[Visit], Asked]:
        async with pooled(authorities=(front.authority,)) as asked:
            visits = await asyncio.gather(*(asked.ask(f"{front.https}/page.html") for _ in range(150)))
            return list(visits), asked

    visits, asked = asyncio.run(run())
    (connection,) = asked.connections
    assert connection.protocol == "h2"
    assert connection.tls is not None
    assert connection.tls.alpn == "h2"
    assert {visit.failure for visit in visits} == {None}
    assert {visit.connection for visit in visits} == {connection.id}
    assert [visit.reused for visit in visits] == [False] + [True] * 149
    assert sorted(connection.visits) == list(range(150))
    assert all(visit.body.decoded == 10_000 and visit.body.framing == "frames" for visit in visits)
    assert connection.kernel is not None


def test_where_only_http_1_is_spoken_there_are_six_connections(front: Caddy) -> None:
    async def run() -> Asked:
        async with pooled(authorities=(front.authority,), alpn=("http/1.1",)) as asked:
            await asyncio.gather(*(asked.ask(f"{front.https}/page.html") for _ in range(20)))
            return asked

    asked = asyncio.run(run())
    assert len(asked.connections) == 6
    assert all(visit.received is not None and visit.received.version == "1.1" for visit in asked.visits)


def test_what_was_sent_is_in_the_frames_that_are_kept(front: Caddy) -> None:
    async def run() -> Visit:
        async with pooled(authorities=(front.authority,)) as asked:
            fields = (("User-Agent", "x"), ("Connection", "keep-alive"), ("Host", "localhost"), ("Accept-Encoding", "zstd"))
            return await asked.ask(f"{front.https}/page.html", headers=fields)

    visit = asyncio.run(run())
    assert visit.request is not None
    assert visit.request.headers == [
        (":method", "GET"), (":authority", "localhost"), (":scheme", "https"), (":path", "/page.html"),
        ("user-agent", "x"), ("accept-encoding", "zstd"), ("priority", "u=0, i"),
    ]  # fmt: skip
    frame = visit.request.head
    assert (int.from_bytes(frame[:3], "big"), frame[3], frame[4]) == (len(frame) - 9, 1, 5)
    decoded = [(str(name), str(value)) for name, value in Decoder().decode(frame[9:])]
    assert decoded == visit.request.headers
    assert visit.received is not None
    assert (visit.received.status, visit.received.version, visit.received.reason) == (200, "2", "")
    assert not any(name.startswith(":") for name, _ in visit.received.headers)
    assert visit.body.codings == ["zstd"]
    assert visit.body.kept == b"<p>a line\n" * 1000
    assert visit.body.coded == sum(chunk.size for chunk in visit.body.chunks) < visit.body.wire


def test_fifty_megabytes_come_in_bounded_memory(front: Caddy) -> None:
    async def run() -> Visit:
        async with pooled(authorities=(front.authority,)) as asked:
            await asked.ask(f"{front.https}/page.html")
            tracemalloc.start()
            visit = await asked.ask(f"{front.https}/big.bin", checksum=True)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
            return visit

    try:
        visit = asyncio.run(run())
    finally:
        tracemalloc.stop()
    assert visit.failure is None
    assert visit.body.decoded == len(BIG)
    assert visit.body.sha256 == sha256(BIG).hexdigest()
    assert len(visit.body.chunks) == 1000 < visit.body.chunk_count


def test_prior_knowledge_over_plain_http() -> None:
    async def talk(peer: Peer2) -> None:
        while (found := await peer.request()) is not None:
            await peer.answer(found[0], found[1][":scheme"].encode())

    async def run() -> None:
        async with served2(talk) as server, pooled(alpn=("h2",)) as asked:
            visits = [await asked.ask(server.url) for _ in range(3)]
            assert [visit.body.kept for visit in visits] == [b"http"] * 3
            assert server.connections == 1
            assert asked.connections[0].protocol == "h2"
            assert [visit.reused for visit in visits] == [False, True, True]

    asyncio.run(run())


# -- what servers do ------------------------------------------------------------------------------------------------------


def talk_with(talk: object, *urls: str, **more: object) -> Asked:
    """Serve `talk`, ask for each of `urls` one after the other."""

    async def run() -> Asked:
        async with served2(talk) as server, pooled(patience=more.pop("patience", 10.0), alpn=("h2",)) as asked:  # type: ignore[arg-type]
            for url in urls:
                await asked.ask(server.url + url, **more)  # type: ignore[arg-type]
            return asked

    return asyncio.run(run())


def test_interim_answers_and_trailers() -> None:
    heard: list[Early] = []
    heads: list[Received] = []
    go_on = asyncio.Event()

    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        peer.h2.send_headers(found[0], [(":status", "103"), ("link", "</a.css>; rel=preload")])
        await peer.flush()
        await go_on.wait()
        peer.h2.send_headers(found[0], OK)
        peer.h2.send_data(found[0], b"one")
        peer.h2.send_data(found[0], b"three", pad_length=10)
        peer.h2.send_headers(found[0], [("server-timing", "db;dur=3")], end_stream=True)
        await peer.flush()
        await peer.next()

    def early(found: Early) -> None:
        heard.append(found)
        go_on.set()

    asked = talk_with(talk, "/", early=early, head=heads.append)
    (visit,) = asked.visits
    assert [(each.status, each.headers) for each in heard] == [(103, [("link", "</a.css>; rel=preload")])]
    assert visit.first_byte is not None
    assert heard[0].at < visit.first_byte
    assert heads == [visit.received]
    assert visit.body.trailers == [("server-timing", "db;dur=3")]
    assert [(chunk.size, chunk.offset) for chunk in visit.body.chunks] == [(3, 0), (5, 3)]
    assert (visit.body.coded, visit.body.wire) == (8, 3 + 9 + 5 + 11 + 9)
    assert visit.failure is None


@pytest.mark.parametrize(
    ("code", "before", "message"),
    [
        (ErrorCodes.INTERNAL_ERROR, True, "after 5 bytes of the body (INTERNAL_ERROR: something went wrong inside it)"),
        (ErrorCodes.PROTOCOL_ERROR, False, "before the answer (PROTOCOL_ERROR: it found a mistake in what was sent)"),
        (ErrorCodes.HTTP_1_1_REQUIRED, False, "before the answer (HTTP_1_1_REQUIRED: it wants HTTP/1.1 for this)"),
        (0x99, False, "before the answer (error 0x99: a code of its own)"),
    ],
)  # fmt: skip
def test_a_stream_that_is_reset_says_why_and_leaves_the_connection(code: int, before: bool, message: str) -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        if before:
            peer.h2.send_headers(found[0], OK)
            peer.h2.send_data(found[0], b"hello")
        peer.h2.reset_stream(found[0], code)
        await peer.flush()
        while (found := await peer.request()) is not None:
            await peer.answer(found[0])

    first, second = talk_with(talk, "/", "/").visits
    assert first.failure is not None
    assert (first.failure.slug, first.failure.message) == ("stream-reset", f"The server reset the stream {message}")
    assert first.body.complete is False
    assert second.failure is None
    assert second.reused


def test_a_refused_stream_is_sent_again_whatever_its_method() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        peer.h2.reset_stream(found[0], ErrorCodes.REFUSED_STREAM)
        await peer.flush()
        while (found := await peer.request()) is not None:
            await peer.answer(found[0])

    (visit,) = talk_with(talk, "/", method="POST").visits
    assert visit.failure is None
    assert [(note.topic, note.source) for note in visit.notes] == [("retry", "RFC 9113, section 8.7")]


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    body = last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
    return len(body).to_bytes(3, "big") + b"\x07\0\0\0\0\0" + body


def test_after_goaway_accepted_streams_end_and_later_ones_go_elsewhere() -> None:
    both = asyncio.Event()

    async def talk(peer: Peer2) -> None:
        if peer.number > 1:
            while (found := await peer.request()) is not None:
                await peer.answer(found[0], b"second connection")
            return
        one, other = await peer.request(), await peer.request()
        assert one is not None
        assert other is not None
        both.set()
        await peer.raw(goaway(one[0]))
        await peer.answer(one[0], b"first connection")
        while await peer.next() is not None:
            pass

    async def run() -> None:
        async with served2(talk) as server, pooled(alpn=("h2",)) as asked:
            visits = await asyncio.gather(asked.ask(f"{server.url}/1"), asked.ask(f"{server.url}/2", "POST", body=b"x"))
            assert [visit.body.kept for visit in visits] == [b"first connection", b"second connection"]
            assert [visit.failure for visit in visits] == [None, None]
            assert [note.topic for note in visits[1].notes] == ["retry"]
            first, second = asked.connections
            assert first.closed_why == "the server had said that it would take no more requests"
            assert second.visits == [1]

    asyncio.run(run())


def test_goaway_with_an_error_says_what_the_server_said() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        await peer.raw(goaway(found[0], ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings"))
        await peer.next()

    (visit,) = talk_with(talk, "/").visits
    assert visit.failure is not None
    assert visit.failure.slug == "goaway"
    assert visit.failure.message == (
        "The server ended the connection (ENHANCE_YOUR_CALM: it was asked too much in too short a time, saying 'too_many_pings')"
    )


def test_a_connection_that_ends_says_where() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        if found[1][":path"] == "/body":
            peer.h2.send_headers(found[0], OK)
            peer.h2.send_data(found[0], b"hello")

    body, none = talk_with(talk, "/body", "/none").visits
    assert body.failure is not None
    assert (body.failure.slug, body.failure.message) == ("truncated-body", "The connection ended after 5 bytes of the body")
    assert body.body.kept == b"hello"
    assert none.failure is not None
    assert (none.failure.slug, none.failure.message) == ("no-answer", "The connection ended before the answer")


def test_a_connection_that_died_while_it_was_idle_is_replaced() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        await peer.answer(found[0])
        if peer.number == 1:
            await peer.request()  # it hears the second one, and goes

    first, second = talk_with(talk, "/", "/").visits
    assert first.failure is second.failure is None
    assert [note.topic for note in second.notes] == ["retry"]
    assert second.connection == 2


@pytest.mark.parametrize(
    ("frame", "slug"),
    [
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", "protocol-error"),  # larger than was allowed
        (b"\x00\x00\x05\x00\x00\x00\x00\x00\x63hello", "protocol-error"),  # a stream that nobody began
        (b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff", "protocol-error"),  # fields that cannot be unpacked
        (b"\x00\x00\x08\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82\x84\x87\x85", "protocol-error"),  # a push, which is off
    ],
)
def test_frames_against_the_rules_end_the_connection_and_nothing_else(frame: bytes, slug: str) -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        if peer.number == 1:
            await peer.raw(frame)
            await peer.peer.hear_all()
        else:
            await peer.answer(found[0])

    first, second = talk_with(talk, "/", "/").visits
    assert first.failure is not None
    assert first.failure.slug == slug
    assert second.failure is None


def test_a_body_of_another_length_than_announced_is_named() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        peer.h2.send_headers(found[0], [*OK, ("content-length", "100")])
        peer.h2.send_data(found[0], b"hello", end_stream=True)
        await peer.flush()
        await peer.peer.hear_all()

    visit, other = talk_with(talk, "/", "/").visits
    assert visit.failure is not None
    assert (visit.failure.slug, visit.failure.message) == ("truncated-body", "The body has 5 bytes, not the 100 announced")
    assert other.connection == 2


def test_time_runs_out_for_one_stream_alone() -> None:
    async def talk(peer: Peer2) -> None:
        while (found := await peer.request()) is not None:
            if found[1][":path"] != "/never":
                await peer.answer(found[0])

    first, second = talk_with(talk, "/never", "/", patience=0.5).visits
    assert first.failure is not None
    assert (first.failure.slug, first.failure.message) == ("timeout", "The time of 0.5 s was up, and no answer had come")
    assert second.failure is None
    assert second.reused


def test_a_body_goes_up_as_fast_as_the_server_allows() -> None:
    body = bytes(range(256)) * 8000

    async def talk(peer: Peer2) -> None:
        found = await peer.whole_request()
        assert found is not None
        await peer.answer(found[0], sha256(found[1]).hexdigest().encode())
        await peer.next()

    (visit,) = talk_with(talk, "/", method="PUT", body=body).visits
    assert visit.body.kept.decode() == sha256(body).hexdigest()
    assert visit.sent_last is not None
    assert visit.first_byte is not None
    assert visit.sent_last <= visit.first_byte


def test_a_refused_body_is_not_sent_to_its_end() -> None:
    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        await peer.answer(found[0], b"no", [(":status", "413")])
        await peer.peer.hear_all()

    (visit,) = talk_with(talk, "/", method="POST", body=bytes(1 << 20)).visits
    assert visit.received is not None
    assert visit.received.status == 413
    assert visit.body.kept == b"no"
    assert visit.failure is None
    assert visit.sent_last is None


def test_the_window_is_given_back_as_bytes_are_taken() -> None:
    updates: list[int] = []

    async def talk(peer: Peer2) -> None:
        found = await peer.request()
        assert found is not None
        stream, left = found[0], 20 << 20
        peer.h2.send_headers(stream, OK)
        while left:
            window = min(peer.h2.local_flow_control_window(stream), 16_384, left)
            if not window:
                event = await peer.next()
                if isinstance(event, WindowUpdated):
                    updates.append(event.delta)
                continue
            left -= window
            peer.h2.send_data(stream, bytes(window), end_stream=not left)
            await peer.flush()
        await peer.next()

    (visit,) = talk_with(talk, "/").visits
    assert visit.failure is None
    assert visit.body.decoded == 20 << 20
    assert updates


def test_no_more_streams_at_a_time_than_the_server_allows() -> None:
    most = 0

    async def talk(peer: Peer2) -> None:
        nonlocal most
        peer.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 3})
        await peer.flush()
        waiting: list[int] = []
        while (found := await peer.request()) is not None:
            waiting.append(found[0])
            most = max(most, peer.h2.open_inbound_streams)
            if len(waiting) == 3 or found[1][":path"] == "/alone":
                for stream in waiting:
                    await peer.answer(stream)
                waiting = []

    async def run() -> None:
        async with served2(talk) as server, pooled(alpn=("h2",)) as asked:
            await asked.ask(f"{server.url}/alone")
            await asyncio.gather(*(asked.ask(f"{server.url}/{number}") for number in range(30)))
            assert all(visit.failure is None for visit in asked.visits)
            assert server.connections == 1

    asyncio.run(run())
    assert most == 3


def test_what_goes_wrong_in_taking_a_body_is_raised_to_who_asked() -> None:
    async def talk(peer: Peer2) -> None:
        while (found := await peer.request()) is not None:
            await peer.answer(found[0])

    def take(data: bytes, at: int) -> None:
        raise LookupError("a mistake of ours")

    async def run() -> None:
        async with served2(talk) as server, pooled(alpn=("h2",)) as asked:
            with pytest.raises(LookupError):
                await asked.ask(server.url, take=take)
            assert (await asked.ask(server.url)).failure is None

    asyncio.run(run())


def test_a_stream_that_is_given_up_leaves_the_others() -> None:
    begun = asyncio.Event()

    async def talk(peer: Peer2) -> None:
        while (found := await peer.request()) is not None:
            if found[1][":path"] == "/":
                await peer.answer(found[0])
            else:
                begun.set()

    async def run() -> None:
        async with served2(talk) as server, pooled(alpn=("h2",)) as asked:
            task = asyncio.create_task(asked.ask(f"{server.url}/slow"))
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            visit = await asked.ask(f"{server.url}/")
            assert visit.failure is None
            assert visit.reused

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "priority", "value"),
    [("document", "VeryHigh", "u=0, i"), ("stylesheet", "VeryHigh", "u=0"), ("script", "High", "u=1"),
     ("image", "Medium", "u=2, i"), ("image", "Low", "i"), ("script", "Low", ""), ("image", "VeryLow", "u=4, i"),
     ("stylesheet", "VeryLow", "u=4")],
)  # fmt: skip
def test_priority_is_said_as_chrome_says_it(kind: Kind, priority: Priority, value: str) -> None:
    assert priority_of(Visit(0, "http://localhost/", "GET", kind, Initiator(None, "user"), 0, priority)) == value


def test_a_server_of_http_1_that_is_spoken_to_in_http_2_is_named() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def run() -> None:
        async with served(talk) as server, pooled(alpn=("h2",)) as asked:
            visit = await asked.ask(server.url)
            assert visit.failure is not None
            assert visit.failure.message.endswith("the server broke the rules of HTTP/2: it answered in HTTP/1.1")
            assert visit.failure.hint == "--http1.1 asks as it answers"

    asyncio.run(run())
