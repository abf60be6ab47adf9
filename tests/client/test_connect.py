"""Connections over real sockets on loopback: races, refusals, silence, pressure, and nothing left open afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pellucid.client.connect import ConnectError, ConnectOptions, Wire, open_connection
from pellucid.client.resolve import ResolveOptions, Resolver
from pellucid.client.wire import HIGH
from pellucid.http.url import parse_url
from pellucid.journey import Clock, Connection, Failure, Lookup
from wires import serving

LOOPS: list[Any] = [asyncio.new_event_loop]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append(uvloop.new_event_loop)

Go = Callable[[Awaitable[None]], None]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"][: len(LOOPS)])
def go(request: pytest.FixtureRequest) -> Go:
    """Runs a coroutine on one of the loops; afterwards no task and no file may be left."""

    def run(body: Awaitable[None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as first:  # uvloop opens two files once and for all
            first.run(asyncio.sleep(0))
        before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()

        async def bounded() -> None:
            async with asyncio.timeout(20):
                await body
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert not left

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())
        if before:
            assert set(os.listdir("/proc/self/fd")) <= before

    return run


class Told:
    """A lookup whose addresses come when the test says so."""

    def __init__(self, *batches: list[str], failure: Failure | None = None) -> None:
        self.lookup = Lookup(7, "race.test", "race.test", "override", 0, failure=failure)
        self._batches = list(batches)
        self.more: asyncio.Event | None = None

    async def addresses(self) -> AsyncIterator[list[str]]:
        for batch in self._batches:
            yield batch
        if self.more is not None:
            await self.more.wait()


def record_for(port: int, scheme: str = "http", host: str = "race.test") -> Connection:
    return Connection(1, scheme, host, port, 0)


async def connect(told: Told, record: Connection, clock: Clock | None = None, **options: Any) -> Wire:
    url = parse_url(f"{record.scheme}://{record.host}:{record.port}/")
    return await open_connection(url, told, record, clock or Clock(), ConnectOptions(**options))


@contextmanager
def listening(address: str = "127.0.0.1", backlog: int = 16, port: int = 0) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(backlog)
        yield listener


@contextmanager
def black_hole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that answers nothing: its queue is full, so the kernel drops every further SYN."""
    with listening(address, 0, port) as listener:
        waiting = []
        for _ in range(2):
            caller = socket.socket(listener.family, socket.SOCK_STREAM)
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
            waiting.append(caller)
        try:
            yield listener.getsockname()[1]
        finally:
            for caller in waiting:
                caller.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_a_plain_connection_says_everything(go: Go) -> None:
    async def body() -> None:
        clock, lookups = Clock(), list[Lookup]()
        resolver = Resolver(clock, lookups, ResolveOptions())
        async with serving(echo) as port:
            record = record_for(port, host="127.0.0.1")
            url = parse_url(f"http://127.0.0.1:{port}/")
            wire = await open_connection(url, resolver.start("127.0.0.1", port, "http"), record, clock, ConnectOptions())
            wire.write(b"hello")
            await wire.drain()
            data, at = await wire.read()
            now = clock()
            kernel = wire.kernel()
            wire.close("done")
            wire.close("again")
        await resolver.close()
        assert data == b"hello"
        assert record.lookup == lookups[0].id
        assert (record.address, record.local, record.protocol, record.tls) == ("127.0.0.1", "127.0.0.1", "http/1.1", None)
        assert record.closed_why == "done"
        (attempt,) = record.attempts
        assert (attempt.outcome, attempt.address, attempt.port) == ("won", "127.0.0.1", port)
        assert attempt.says.startswith("Tried first; connected in ")
        assert record.connected is not None
        assert record.ready is not None
        assert record.closed is not None
        assert attempt.started < record.connected <= record.ready < at <= now <= record.closed
        if os.uname().sysname == "Linux":
            assert kernel is not None
            assert record.kernel is not None
            assert 0 < kernel.rtt < 1_000_000
            assert kernel.retransmits == 0
            assert kernel.mss > 500
            assert kernel.congestion_window > 0

    go(body())


def test_the_second_address_gets_its_turn_when_the_first_is_silent(go: Go) -> None:
    async def body() -> None:
        with black_hole("127.0.0.2") as port:
            async with serving(echo, "127.0.0.1", port):
                record = record_for(port)
                wire = await connect(Told(["127.0.0.2", "127.0.0.1"]), record, attempt_delay=0.05)
                wire.close("done")
        silent, won = record.attempts
        assert (silent.address, silent.outcome) == ("127.0.0.2", "lost")
        assert silent.says == "Tried first; lost to 127.0.0.1, which was there first"
        assert silent.ended is not None
        assert won.ended is not None
        assert silent.ended >= won.ended
        assert (won.address, won.outcome) == ("127.0.0.1", "won")
        assert "ms after the one before, which had not answered; connected in" in won.says
        assert 50e6 <= won.started - silent.started < 1e9

    go(body())


def test_families_race_and_a_refusal_makes_room_at_once(go: Go) -> None:
    async def body() -> None:
        async with serving(echo) as port:
            record = record_for(port)
            wire = await connect(Told(["127.0.0.1", "::1"][::-1]), record, attempt_delay=10)
            wire.close("done")
        six, four = record.attempts
        assert six.outcome in ("refused", "unreachable")
        assert four.outcome == "won"
        assert four.says.startswith("Tried at once, since the one before ")

    go(body())


def test_a_family_that_is_late_does_not_hold_up_the_other(go: Go) -> None:
    async def body() -> None:
        async with serving(echo) as port:
            told = Told(["127.0.0.1"])
            told.more = asyncio.Event()  # AAAA never comes
            record = record_for(port)
            wire = await connect(told, record, resolution_delay=0.03)
            wire.close("done")
        (attempt,) = record.attempts
        assert attempt.started >= 30e6
        assert attempt.says.startswith("Tried first, after waiting 3")

    go(body())


def test_refused_by_all_is_said_of_all(go: Go) -> None:
    async def body() -> None:
        with listening() as listener:
            port = listener.getsockname()[1]
        record = record_for(port)
        with pytest.raises(ConnectError) as caught:
            await connect(Told(["127.0.0.1", "127.0.0.2"]), record)
        failure = caught.value.failure
        assert failure.slug == "connection-refused"
        assert "127.0.0.1 refused the connection, 127.0.0.2 refused the connection" in failure.message
        assert failure.hint == "Is the server running, and is that its port?"
        assert record.failure == failure
        assert [attempt.outcome for attempt in record.attempts] == ["refused", "refused"]

    go(body())


def test_an_address_that_no_route_leads_to(go: Go) -> None:
    async def body() -> None:
        record = record_for(80)
        with pytest.raises(ConnectError) as caught:
            await connect(Told(["224.0.0.1"]), record)  # nobody can connect to a group
        assert caught.value.failure.slug == record.attempts[0].outcome == "unreachable"
        assert caught.value.failure.message == "There is no way to race.test port 80: 224.0.0.1 could not be reached"
        assert "it could not be reached (Network is unreachable)" in record.attempts[0].says

    go(body())


def test_a_name_without_an_address_fails_as_the_lookup_did(go: Go) -> None:
    async def body() -> None:
        failure = Failure("name-not-found", "There is no race.test")
        with pytest.raises(ConnectError) as caught:
            await connect(Told(failure=failure), record_for(80))
        assert caught.value.failure is failure

    go(body())


def test_silence_ends_with_the_timeout_and_says_what_was_tried(go: Go) -> None:
    async def body() -> None:
        with black_hole() as port:
            record = record_for(port)
            with pytest.raises(ConnectError) as caught:
                await connect(Told(["127.0.0.1"]), record, timeout=0.1)
        assert caught.value.failure == Failure(
            "timeout", f"No connection to race.test port {port} within 0.1 s", "Tried 127.0.0.1: timeout"
        )
        (attempt,) = record.attempts
        assert attempt.outcome == "timeout"
        assert attempt.says == "Tried first; given up, since it had not answered"

    go(body())


def test_names_that_never_come_end_with_the_timeout(go: Go) -> None:
    async def body() -> None:
        told = Told()
        told.more = asyncio.Event()
        with pytest.raises(ConnectError) as caught:
            await connect(told, record_for(80), timeout=0.05)
        assert caught.value.failure.message == "No address of race.test port 80 was known within 0.05 s"

    go(body())


def test_cancelling_leaves_nothing_behind(go: Go) -> None:
    async def body() -> None:
        with black_hole() as port:
            record = record_for(port)
            task = asyncio.ensure_future(connect(Told(["127.0.0.1"]), record))
            while not record.attempts:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert record.attempts[0].ended is not None

    go(body())


def test_who_does_not_read_holds_up_who_sends(go: Go) -> None:
    async def body() -> None:
        sent, whole = 0, 16 * 1024 * 1024
        stuck = asyncio.Event()

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.transport.set_write_buffer_limits(high=0)
            while sent < whole:
                writer.write(b"x" * 65536)
                try:
                    async with asyncio.timeout(0.1):
                        await writer.drain()
                except TimeoutError:
                    stuck.set()
                    await writer.drain()
                sent += 65536
            writer.close()

        async with serving(flood) as port:
            wire = await connect(Told(["127.0.0.1"]), record_for(port))
            await stuck.wait()
            assert sent < whole
            assert wire._flow._unread < HIGH + 512 * 1024
            got = 0
            while data := (await wire.read())[0]:
                got += len(data)
            wire.close("done")
        assert got == whole

    go(body())


def test_drain_waits_for_a_slow_reader(go: Go) -> None:
    async def body() -> None:
        start, got = asyncio.Event(), 0

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal got
            await start.wait()
            while data := await reader.read(65536):
                got += len(data)
            writer.close()

        async with serving(slow) as port:
            wire = await connect(Told(["127.0.0.1"]), record_for(port))
            whole = 32 * 1024 * 1024
            wire.write(b"x" * whole)
            draining = asyncio.ensure_future(wire.drain())
            await asyncio.sleep(0)
            assert not draining.done()
            start.set()
            await draining
            while got < whole - 4 * 1024 * 1024:  # noqa: ASYNC110
                await asyncio.sleep(0)
            wire.close("done")

    go(body())


def test_a_reset_is_an_error_and_an_end_is_not(go: Go) -> None:
    async def body() -> None:
        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            plain = writer.get_extra_info("socket")
            fd = socket.fromfd(plain.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            fd.close()
            writer.transport.abort()

        async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"last words")
            writer.close()

        async with serving(reset) as port:
            wire = await connect(Told(["127.0.0.1"]), record_for(port))
            wire.write(b"!")
            with pytest.raises(ConnectionError):
                await wire.read()
            assert wire.over
            with pytest.raises(ConnectionError):
                await wire.drain()
            wire.write(b"into the void")
            wire.close("it broke")
        async with serving(end) as port:
            wire = await connect(Told(["127.0.0.1"]), record_for(port))
            wire.write(b"!")
            assert (await wire.read())[0] == b"last words"
            assert (await wire.read())[0] == b""
            assert (await wire.read())[0] == b""
            assert wire.over
            assert not wire.cut_short
            wire.close("the server closed it")

    go(body())
