"""Servers that break the rules: each is named for what it is, in the words a person needs, and nothing hangs or piles up."""

from __future__ import annotations

import asyncio

import pytest

from broken import BEHAVIOURS, broken, with_nagle
from pellucid.client.connect import ConnectOptions, open_connection
from pellucid.client.exchange import Ending, Intake
from pellucid.client.http1 import Http1
from pellucid.client.outgoing import Outgoing
from pellucid.http.url import parse_url
from pellucid.journey import Connection, Visit
from pooled import pooled


def ask(name: str, *, timeout: float = 10.0, times: int = 1, method: str = "GET") -> Visit:
    async def run() -> Visit:
        async with broken(name) as server, pooled(patience=timeout) as asked:
            for _ in range(times):
                visit = await asked.ask(f"{server.url}/", method)
            return visit

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "slug", "message"),
    [
        ("truncated-chunk", "truncated-body", "The connection ended after 14 bytes of the body, 9 bytes into a chunk of 100"),
        ("no-last-chunk", "truncated-body", "The connection ended after 5 bytes of the body, without the last chunk"),
        ("bad-chunk", "bad-chunk", "A chunk is longer than the 5 bytes that its size line says"),
        ("too-short", "truncated-body", "The connection ended after 5 of 100 bytes of the body"),
        ("two-lengths", "bad-length", "The answer has several lengths ('5 and 7'): where it ends cannot be known"),
        ("reset", "connection-reset", "The connection was reset after 5 of 100 bytes of the body"),
        ("reset-at-once", "connection-reset", "The connection was reset before the answer"),
        ("bad-gzip", "bad-coding", "The body is not valid gzip: incorrect header check"),
        ("cut-gzip", "bad-coding", "The gzip data ended before its end mark: a part is missing"),
        ("garbage", "bad-answer", "The answer begins with '220 mail.example', not with a status line"),
        ("endless-head", "head-too-large", "The head of the answer passed 262,144 bytes without an end"),
        ("endless-interim", "bad-answer", "The server sent more than 64 interim answers and no final one"),
        ("no-answer", "no-answer", "The server closed the connection without an answer"),
        ("half-head", "truncated-head", "The connection ended after 27 bytes of the head of the answer"),
    ],
)
def test_what_is_wrong_is_named(name: str, slug: str, message: str) -> None:
    visit = ask(name)
    assert visit.failure is not None
    assert (visit.failure.slug, visit.failure.message) == (slug, message)
    assert visit.finished is not None
    assert visit.body.complete == (slug == "bad-coding")


def test_what_came_before_the_fault_is_kept() -> None:
    visit = ask("truncated-chunk")
    assert visit.body.kept == b"helloonly this"
    assert visit.body.coded == 14
    assert [(chunk.size, chunk.offset) for chunk in visit.body.chunks] == [(5, 0)]
    assert visit.received is not None
    assert visit.received.status == 200


def test_bytes_behind_the_end_are_remarked_on_and_the_connection_is_not_used_again() -> None:
    async def run() -> None:
        async with broken("too-long") as server, pooled() as asked:
            for _ in range(2):
                visit = await asked.ask(f"{server.url}/")
                assert visit.failure is None
                assert visit.body.kept == b"hello"
                assert [note.message for note in visit.notes] == [
                    "9 bytes came behind the end of the answer; the connection was closed"
                ]
                assert not visit.reused
            assert asked.connections[0].closed_why == "bytes came behind the end of the answer"

    asyncio.run(run())


def test_a_body_that_is_not_what_its_coding_says_does_not_spoil_the_connection() -> None:
    assert ask("bad-gzip", times=2).reused


def test_gzip_that_was_never_coded_gets_a_hint() -> None:
    failure = ask("bad-gzip").failure
    assert failure is not None
    assert failure.hint == "It begins with '<p>h': perhaps it was never coded, and only its label is wrong"


def test_a_bomb_is_given_up_before_it_is_unpacked() -> None:
    visit = ask("bomb")
    assert visit.failure is not None
    assert visit.failure.slug == "decompression-bomb"
    assert not visit.body.complete
    assert visit.body.decoded < 80 << 20
    assert len(visit.body.kept) <= 1 << 20


@pytest.mark.parametrize(
    ("name", "came"), [("silence", "and no byte of the answer had come"), ("drip", "after 20 bytes of the body")]
)
def test_time_runs_out(name: str, came: str) -> None:
    visit = ask(name, timeout=0.4)
    assert visit.failure is not None
    assert visit.failure.slug == "timeout"
    assert visit.failure.message == f"The time of 0.4 s was up {came}"


def test_a_long_silence_ends_an_answer_before_its_time_is_up() -> None:
    async def run() -> Visit:
        async with broken("drip") as server, pooled() as asked:
            url = parse_url(server.url)
            record = Connection(1, "http", url.host, url.port, asked.clock())
            resolving = asked.resolver.start(url.host, url.port, "http")
            wire = await open_connection(url, resolving, record, asked.clock, ConnectOptions())
            visit = asked.visit(server.url)
            intake = Intake(visit, None, limit=1000)
            assert await Http1(wire, asked.clock).exchange(Outgoing(url), visit, intake, within=10, idle=0.3) is Ending.OVER
            assert record.closed_why == "given up: time was up"
            return visit

    visit = asyncio.run(run())
    assert visit.failure is not None
    assert visit.failure.message == "The server sent nothing for 0.3 s, after 20 bytes of the body"
    assert visit.body.kept == b"." * 20


def test_head_of_an_answer_that_cannot_be_framed_is_shown() -> None:
    visit = ask("two-lengths")
    assert visit.received is not None
    assert visit.received.headers == [("content-length", "5"), ("content-length", "7")]


def test_nothing_of_the_body_is_waited_for_where_there_is_none() -> None:
    visit = ask("too-short", method="HEAD")
    assert visit.failure is None
    assert visit.body.framing == "none"


def test_nagle_meeting_a_delayed_acknowledgement_is_named() -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", b"\r\nhello", b"world")

    async def run(url: str) -> list[str]:
        async with pooled() as asked:
            for _ in range(100):
                visit = await asked.ask(f"{url}/")
                if said := [note.message for note in visit.notes if note.topic == "delay"]:
                    return said
        return []

    with with_nagle(pieces) as url:
        (said,) = asyncio.run(run(url))
    assert "held back what it wrote next until those were acknowledged" in said


def test_every_behaviour_is_survived() -> None:
    async def run() -> None:
        async with pooled(patience=0.5) as asked:
            for name in BEHAVIOURS:
                if name != "bomb":
                    async with broken(name) as server:
                        await asyncio.gather(*(asked.ask(f"{server.url}/") for _ in range(3)))

    asyncio.run(run())
