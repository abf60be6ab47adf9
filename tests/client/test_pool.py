"""Which connection carries a request: six to a host, the queue by priority, reuse, retries, and no leaks."""

from __future__ import annotations

import asyncio
import random

import pytest

from broken import Peer, served
from pellucid.client.pool import PER_HOST
from pellucid.http.url import parse_url
from pellucid.journey import Connection, Priority, Visit
from pooled import Asked, pooled

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def hello(peer: Peer) -> None:
    while await peer.request():
        await peer.send(HELLO)


async def until_closed(connection: Connection) -> None:
    """Let the loop run until a connection has been found closed."""
    async with asyncio.timeout(5):
        while connection.closed is None:  # noqa: ASYNC110 - a record is data, and tells nobody that it has changed
            await asyncio.sleep(0)


def instants(visit: Visit) -> list[int | None]:
    return [
        visit.discovered, visit.queued_until, visit.connection_ready, visit.sent_first, visit.sent_last, visit.first_byte,
        visit.last_byte, visit.finished,
    ]  # fmt: skip


def in_order(visit: Visit) -> bool:
    found = instants(visit)
    return None not in found and found == sorted(instant for instant in found if instant is not None)


def test_a_connection_is_used_again() -> None:
    async def run() -> None:
        async with served(hello) as server, pooled() as asked:
            visits = [await asked.ask(f"{server.url}/{number}") for number in range(5)]
            (connection,) = asked.connections
            assert server.connections == 1
            assert [visit.reused for visit in visits] == [False, True, True, True, True]
            assert [visit.connection for visit in visits] == [connection.id] * 5
            assert [visit.lookup for visit in visits] == [connection.lookup, None, None, None, None]
            assert connection.visits == [0, 1, 2, 3, 4]
            assert all(in_order(visit) for visit in visits)
            assert connection.kernel is not None
            assert connection.protocol == "http/1.1"
        assert connection.closed_why == "the trace was over"

    asyncio.run(run())


class Gate:
    """A server that answers nothing until it is opened, and notes what it was asked, in order."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked: list[str] = []
        self.at_once = 0
        self._now = 0
        self.full = asyncio.Event()

    async def talk(self, peer: Peer) -> None:
        while await peer.request():
            self.asked.append(peer.target)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
            if self._now == PER_HOST:
                self.full.set()
            await self.open.wait()
            self._now -= 1
            await peer.send(HELLO)


def test_six_connections_at_most_and_the_queue_goes_by_priority_and_discovery() -> None:
    wanted: list[Priority] = ["Low", "VeryLow", "High", "Medium", "VeryHigh", "Low", "High"]

    async def run() -> tuple[Gate, list[Visit], Asked]:
        gate = Gate()
        async with served(gate.talk) as server, pooled() as asked:
            first = [asyncio.create_task(asked.ask(f"{server.url}/first")) for _ in range(PER_HOST)]
            await gate.full.wait()
            rest = [
                asyncio.create_task(asked.ask(f"{server.url}/{priority}{number}", priority=priority))
                for number, priority in enumerate(wanted)
            ]
            await asyncio.sleep(0)
            assert len(asked.connections) == PER_HOST
            gate.open.set()
            await asyncio.gather(*first, *rest)
            assert server.connections == PER_HOST
            return gate, asked.visits, asked

    gate, visits, asked = asyncio.run(run())
    assert gate.at_once == PER_HOST
    # Each connection is handed on as soon as it is free, so the order in which they were given out is the queue's.
    given = sorted(visits[PER_HOST:], key=lambda visit: visit.queued_until or 0)
    assert [visit.url.rpartition("/")[2] for visit in given] == [
        "VeryHigh4", "High2", "High6", "Medium3", "Low0", "Low5", "VeryLow1"
    ]  # fmt: skip
    assert all(in_order(visit) and visit.failure is None for visit in visits)
    assert all(visit.reused for visit in visits[PER_HOST:])
    assert len(asked.lookups) == 1


def test_who_waits_takes_an_old_connection_where_that_is_free_before_a_new_one() -> None:
    async def run() -> None:
        async with served(hello) as server, pooled() as asked:
            await asked.ask(f"{server.url}/")
            visits = await asyncio.gather(*(asked.ask(f"{server.url}/{number}") for number in range(3)))
            assert visits[0].connection == asked.connections[0].id
            assert visits[0].reused
            assert not visits[1].failure

    asyncio.run(run())


def test_a_request_on_a_connection_that_had_died_is_sent_again_once() -> None:
    async def dies(peer: Peer) -> None:
        await peer.request()
        await peer.send(HELLO)
        if peer.number == 1:
            await peer.request()
            return  # it hears the second request, and goes
        await hello(peer)

    async def run() -> None:
        async with served(dies) as server, pooled() as asked:
            await asked.ask(f"{server.url}/")
            visit = await asked.ask(f"{server.url}/")
            assert visit.failure is None
            assert visit.body.kept == b"hello"
            assert not visit.reused
            assert visit.connection == 2
            assert [(note.topic, note.source) for note in visit.notes] == [("retry", "RFC 9110, section 9.2.2")]
            assert asked.connections[0].visits == [0, 1]
            assert asked.connections[0].closed_why == "it had died while it was idle"
            assert in_order(visit)

    asyncio.run(run())


def test_what_is_not_idempotent_is_not_sent_twice() -> None:
    heard: list[bytes] = []

    async def dies(peer: Peer) -> None:
        await peer.request()
        await peer.send(HELLO)
        heard.append(await peer.request() or b"")

    async def run() -> None:
        async with served(dies) as server, pooled() as asked:
            await asked.ask(f"{server.url}/")
            visit = await asked.ask(f"{server.url}/", "POST", body=b"order")
            assert visit.failure is not None
            assert visit.failure.slug == "no-answer"
            assert len(heard) == 1

    asyncio.run(run())


def test_a_new_connection_that_dies_is_no_reason_to_try_again() -> None:
    async def dies(peer: Peer) -> None:
        await peer.request()

    async def run() -> None:
        async with served(dies) as server, pooled() as asked:
            visit = await asked.ask(f"{server.url}/")
            assert visit.failure is not None
            assert visit.failure.slug == "no-answer"
            assert server.connections == 1
            assert not visit.notes

    asyncio.run(run())


@pytest.mark.parametrize(
    ("behind", "why"),
    [(b"", "closed by the server while it was idle"),
     (b"HTTP/1.1 408 Request Timeout\r\n\r\n", "the server sent bytes that nobody had asked for")],
)  # fmt: skip
def test_an_idle_connection_that_ends_is_noticed(behind: bytes, why: str) -> None:
    over = asyncio.Event()

    async def goes(peer: Peer) -> None:
        if peer.number > 1:
            await hello(peer)
            return
        await peer.request()
        await peer.send(HELLO)
        await over.wait()
        if behind:
            await peer.send(behind)

    async def run() -> None:
        async with served(goes) as server, pooled() as asked:
            await asked.ask(f"{server.url}/")
            over.set()
            await until_closed(asked.connections[0])
            assert asked.connections[0].closed_why == why
            visit = await asked.ask(f"{server.url}/")
            assert not visit.reused
            assert not visit.notes

    asyncio.run(run())


def test_a_connection_may_be_made_before_anybody_needs_it() -> None:
    async def run() -> None:
        async with served(hello) as server, pooled() as asked:
            url = parse_url(f"{server.url}/")
            asked.pool.preconnect(url)
            asked.pool.preconnect(url)
            visits = await asyncio.gather(asked.ask(url.href), asked.ask(url.href))
            assert len(asked.connections) == 2
            assert {visit.connection for visit in visits} == {1, 2}
            assert not any(visit.reused for visit in visits)
            assert all(in_order(visit) for visit in visits)

    asyncio.run(run())


def test_where_nobody_listens_all_who_wait_fail_at_once() -> None:
    async def run() -> None:
        async with served(hello) as server:
            url = server.url
        async with pooled() as asked:
            visits = await asyncio.gather(*(asked.ask(f"{url}/{number}") for number in range(50)))
            assert {visit.failure.slug for visit in visits if visit.failure} == {"connection-refused"}
            assert len(asked.connections) <= PER_HOST
            assert all(visit.connection is not None and visit.finished is not None for visit in visits)
            again = await asked.ask(url)
            assert again.failure is not None

    asyncio.run(run())


def test_a_request_may_be_given_up_at_any_time() -> None:
    async def run() -> None:
        gate = Gate()
        async with served(gate.talk) as server, pooled() as asked:
            tasks = [asyncio.create_task(asked.ask(f"{server.url}/{number}")) for number in range(10)]
            await gate.full.wait()
            tasks[0].cancel()  # under way
            tasks[9].cancel()  # in the queue
            gate.open.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [number for number, result in enumerate(results) if isinstance(result, BaseException)] == [0, 9]
            assert all(visit.failure is None for visit in asked.visits[1:9])
            assert "/9" not in gate.asked
            assert asked.connections[0].closed_why == "the request was given up"

    asyncio.run(run())


def test_closing_ends_what_is_under_way() -> None:
    async def run() -> None:
        gate = Gate()
        async with served(gate.talk) as server:
            async with pooled() as asked:
                tasks = [asyncio.create_task(asked.ask(f"{server.url}/{number}")) for number in range(8)]
                await gate.full.wait()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert all(visit.finished is not None for visit in asked.visits)

    asyncio.run(run())


def test_hosts_are_apart() -> None:
    async def run() -> None:
        async with served(hello) as one, served(hello) as other, pooled() as asked:
            await asyncio.gather(asked.ask(one.url), asked.ask(other.url))
            assert {connection.port for connection in asked.connections} == {
                int(one.url.rpartition(":")[2]),
                int(other.url.rpartition(":")[2]),
            }

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_connections_do_every_request_comes_to_an_end(seed: int) -> None:
    chance = random.Random(seed)

    async def talk(peer: Peer) -> None:
        while await peer.request():
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
            match chance.randrange(8):
                case 0:
                    return
                case 1:
                    peer.reset()
                    return
                case 2:
                    await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
                    return
                case 3:
                    await peer.send(HELLO)
                    return
                case 4:
                    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                case 5:
                    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")
                    return
                case _:
                    await peer.send(HELLO)

    async def run() -> None:
        async with served(talk) as server, pooled() as asked:
            tasks = [
                asyncio.create_task(asked.ask(f"{server.url}/{number}", priority=chance.choice(("High", "Low", "VeryLow"))))
                for number in range(150)
            ]
            for task in chance.sample(tasks, 20):
                await asyncio.sleep(0)
                task.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks, return_exceptions=True)
            whole = [task.result() for task in tasks if not task.cancelled() and task.result().failure is None]
            assert len(whole) > 60
            assert all(visit.body.kept == b"hello" and in_order(visit) for visit in whole)
            known = {"no-answer", "connection-reset", "truncated-body"}
            assert {visit.failure.slug for visit in asked.visits if visit.failure} <= known
            assert sum(connection.closed is None for connection in asked.connections) <= PER_HOST

    asyncio.run(run())
