"""Which connection carries a request: at most six of HTTP/1.1 to a host, or one of HTTP/2, with reuse and a queue.

In: visits with a priority, and what to send for each. Out: the visits filled, and the connections in the journey's list. The
rules are Chrome's: a request that waits gets whatever becomes free first, an idle connection or a new one; those of high priority
come first, among equals those discovered first; and while nobody knows whether a host speaks HTTP/2, one connection is made and
the others wait for it. How bytes travel on a connection is `http1`'s and `http2`'s business, where hosts are is `connect`'s.

HTTP/2 over plain http is spoken where `alpn` is ("h2",) alone: with prior knowledge (RFC 9113, section 3.3), since there is
no upgrade any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from pellucid.client.connect import ConnectError, ConnectOptions, open_connection
from pellucid.client.exchange import Ending, Intake
from pellucid.client.http1 import Http1
from pellucid.client.outgoing import RANKS, Outgoing, Taker
from pellucid.http.url import Url
from pellucid.journey import Body, Clock, Connection, Early, Failure, Initiator, Note, Received, Visit

if TYPE_CHECKING:
    from pellucid.client.http2 import Http2
    from pellucid.client.resolve import Resolver, Resolving

__all__ = ["PER_HOST", "Pool"]

PER_HOST = 6
"""HTTP/1.1 connections to one host at a time, as browsers have it."""
_MOST_TRIES = 4
"""Of a request that the server says it has not acted upon; one that was not heard of is sent twice at most."""
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Pool:
    """All connections of a journey. `limit` bounds the bytes kept of each body, `timeout` the seconds of each exchange."""

    def __init__(
        self,
        clock: Clock,
        connections: list[Connection],
        resolver: Resolver,
        connect: ConnectOptions,
        *,
        timeout: float,
        limit: int,
    ) -> None:
        self.clock = clock
        self.connections = connections
        self.resolver = resolver
        self.options = connect
        self._timeout = timeout
        self._limit = limit
        self._hosts: dict[tuple[str, str, int], _Host] = {}

    async def send(
        self,
        visit: Visit,
        request: Outgoing,
        take: Taker | None = None,
        early: Callable[[Early], None] | None = None,
        *,
        head: Callable[[Received], None] | None = None,
        checksum: bool = False,
    ) -> None:
        """Send a request and take its answer, without following redirects. Raises only CancelledError: see `visit.failure`.

        `take` gets the decoded body as it arrives, `early` each interim answer, `head` the final head before the body. With
        `checksum` the body's SHA-256 is taken.
        """
        try:
            for attempt in range(_MOST_TRIES):
                intake = Intake(visit, take, limit=self._limit, early=early, head=head, checksum=checksum)
                if await self._once(visit, request, intake, attempt):
                    return
        finally:
            visit.finished = self.clock()

    async def _once(self, visit: Visit, request: Outgoing, intake: Intake, attempt: int) -> bool:
        """One try. False: the connection died before any byte of the answer, and the request may be sent again."""
        host = self._host(request.url)
        try:
            connection = await host.get(visit)
        except ConnectError as error:
            visit.failure = error.failure
            return True
        ending = Ending.OVER
        try:
            ending = await connection.exchange(request, visit, intake, within=self._timeout)
        finally:
            host.give_back(connection, ending)
        if ending is not Ending.UNHEARD and ending is not Ending.REFUSED:
            return True
        last = _MOST_TRIES if ending is Ending.REFUSED else 2
        if attempt + 1 >= last or (ending is Ending.UNHEARD and request.method not in _IDEMPOTENT):
            message = "The connection ended before any byte of the answer had come"
            intake.end(self.clock(), Failure("no-answer", message, "Ask again; whether the server acted upon it is not known"))
            return True
        host.close_idle("closed, since another of the same age had died")
        _forget(visit, ending)
        return False

    def preconnect(self, url: Url, because: Initiator | None = None) -> None:
        """Open a connection that nobody waits for yet, unless there is one; `because` of what stood in a page."""
        if url.scheme in ("http", "https"):
            self._host(url).preconnect(because)

    async def close(self) -> None:
        """Close every connection, and stop making others."""
        tasks = [task for host in self._hosts.values() for task in host.tasks()]
        for host in self._hosts.values():
            host.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _host(self, url: Url) -> _Host:
        key = (url.scheme, url.host, url.port)
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(self, url)
        return host


def _forget(visit: Visit, ending: Ending) -> None:
    """Make a visit as it was before its request was sent, and say that it is sent again."""
    if ending is Ending.REFUSED:
        said = "The server did not act on the request and left it to be sent again, on another connection"
        source = "RFC 9113, section 8.7"
    else:
        said = "The connection, used before, had died while it was idle: the request was sent again on another"
        source = "RFC 9110, section 9.2.2"
    visit.notes.append(Note("retry", "info", said, source))
    visit.queued_until = visit.connection_ready = visit.connection = visit.lookup = None
    visit.sent_first = visit.sent_last = visit.request = visit.failure = None
    visit.body = Body()


class _Waiter:
    """A visit that has no connection yet, and the one that is being made for it, if any."""

    __slots__ = ("future", "job", "visit")

    def __init__(self, visit: Visit, future: asyncio.Future[Http1 | Http2]) -> None:
        self.visit = visit
        self.future = future
        self.job: _Job | None = None


class _Job:
    """A connection that is being made."""

    __slots__ = ("record", "task")

    def __init__(self, record: Connection) -> None:
        self.record = record
        self.task: asyncio.Task[None] | None = None


class _Host:
    """The connections to one scheme, name and port, and who waits for one."""

    def __init__(self, pool: Pool, url: Url) -> None:
        self._pool = pool
        self._url = url
        self._protocol: str | None = None
        self._queue: list[tuple[int, int, int, _Waiter]] = []
        self._serial = count()
        self._idle: list[Http1] = []
        self._live: list[Http1 | Http2] = []
        self._jobs: list[_Job] = []
        self._shared: Http2 | None = None
        self._resolving: Resolving | None = None
        self._closed = False
        offers = pool.options.alpn
        self._prior = url.scheme == "http" and offers == ("h2",)
        self._may_share = self._prior or (url.scheme == "https" and "h2" in offers)

    # -- asking and giving back -------------------------------------------------------------------------------------------

    async def get(self, visit: Visit) -> Http1 | Http2:
        """A connection for one request. Raises ConnectError."""
        future: asyncio.Future[Http1 | Http2] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(visit, future)
        heappush(self._queue, (RANKS[visit.priority], visit.id, next(self._serial), waiter))
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.give_back(future.result(), Ending.OVER)
            else:
                self._queue = [entry for entry in self._queue if entry[3] is not waiter]
                self._queue.sort()
            raise

    def give_back(self, connection: Http1 | Http2, ending: Ending) -> None:
        """An exchange is over."""
        if isinstance(connection, Http1):
            if ending is Ending.AGAIN and not self._closed:
                self._idle.append(connection)
            else:
                connection.close("given up")
                self._drop(connection)
        else:
            connection.left()
        self._serve()
        self._rest()

    def preconnect(self, because: Initiator | None) -> None:
        """See Pool."""
        if not self._live and not self._jobs and not self._closed:
            self._start().record.ahead = because

    def close_idle(self, why: str) -> None:
        """Close what nobody uses at the moment."""
        for connection in list(self._idle):
            connection.close(why)
            self._drop(connection)

    def close(self) -> None:
        """Close everything; who waits is left without a connection."""
        self._closed = True
        for job in self._jobs:
            assert job.task is not None
            job.task.cancel()
        for connection in list(self._live):
            connection.close("the trace was over")
        for _, _, _, waiter in self._queue:
            waiter.future.cancel()

    def tasks(self) -> list[asyncio.Task[object]]:
        """What has to end before the loop does."""
        found: list[asyncio.Task[object]] = [job.task for job in self._jobs if job.task is not None]
        return found + [task for each in self._live for task in each.tasks()]

    # -- who gets what ----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Give what is free to those who wait, the most urgent first, and make more where that is not enough."""
        while self._queue and (connection := self._free()) is not None:
            _, _, _, waiter = heappop(self._queue)
            if waiter.future.done():
                self._put_back(connection)
                continue
            self._assign(waiter, connection)
        if self._queue and not self._closed:
            self._grow()

    def _free(self) -> Http1 | Http2 | None:
        if self._shared is not None and self._shared.finishing:
            self._shared = None  # it goes on with what it has; others need another
        if self._shared is not None:
            return self._shared if self._shared.enter() else None
        while self._idle:
            connection = self._idle.pop()
            if not connection.over:
                return connection
            self._live.remove(connection)
            connection.close("closed by the server while it was idle")
        return None

    def _put_back(self, connection: Http1 | Http2) -> None:
        if isinstance(connection, Http1):
            self._idle.append(connection)
        else:
            connection.left()

    def _assign(self, waiter: _Waiter, connection: Http1 | Http2) -> None:
        visit, record, at = waiter.visit, connection.record, self._pool.clock()
        if waiter.job is None or waiter.job.record is not record:
            visit.queued_until = at
        visit.connection = record.id
        visit.connection_ready = at
        visit.reused = connection.used > 0 or bool(record.visits)
        visit.lookup = None if visit.reused else record.lookup
        record.visits.append(visit.id)
        waiter.future.set_result(connection)

    def _rest(self) -> None:
        """Watch those for which there was nothing to do."""
        for connection in self._idle:
            connection.watch()

    def _grow(self) -> None:
        """Make connections for those who wait and have none in the making."""
        if self._shared is not None:
            return
        taken = {waiter.job for _, _, _, waiter in self._queue if waiter.job is not None}
        free = [job for job in self._jobs if job not in taken]
        one_for_all = self._may_share and self._protocol != "http/1.1"
        for _, _, _, waiter in sorted(self._queue, key=lambda entry: entry[:3]):
            if waiter.job is not None or waiter.future.done():
                continue
            if one_for_all and self._jobs:
                job = self._jobs[0]
            elif free:
                job = free.pop()
            elif len(self._live) + len(self._jobs) < PER_HOST:
                job = self._start()
            else:
                return
            waiter.job = job
            waiter.visit.connection = job.record.id
            waiter.visit.queued_until = self._pool.clock()

    # -- making connections -----------------------------------------------------------------------------------------------

    def _start(self) -> _Job:
        pool, url = self._pool, self._url
        record = Connection(len(pool.connections) + 1, url.scheme, url.host, url.port, pool.clock())
        pool.connections.append(record)
        job = _Job(record)
        self._jobs.append(job)
        job.task = asyncio.get_running_loop().create_task(self._open(job))
        return job

    async def _open(self, job: _Job) -> None:
        pool, record = self._pool, job.record
        if self._resolving is None or self._resolving.lookup.failure is not None:
            self._resolving = pool.resolver.start(self._url.host, self._url.port, self._url.scheme)
        try:
            wire = await open_connection(self._url, self._resolving, record, pool.clock, pool.options)
        except ConnectError as error:
            self._jobs.remove(job)
            self._failed(job, error)
            return
        except BaseException:
            self._jobs.remove(job)
            if record.closed is None:
                record.closed, record.closed_why = pool.clock(), "given up before it was ready"
            raise
        self._jobs.remove(job)
        if self._prior:
            record.protocol = "h2"
        if record.protocol == "h2":
            from pellucid.client.http2 import Http2  # late: h2 is slow to import, and most of loopback is HTTP/1.1

            shared = Http2(wire, pool.clock)
            shared.on_end = self._drop
            shared.on_room = self._serve
            self._live.append(shared)
            self._shared = shared
        else:
            plain = Http1(wire, pool.clock)
            plain.on_idle_end = self._idle_ended
            self._live.append(plain)
            self._idle.append(plain)
        self._protocol = record.protocol
        self._serve()
        self._leave(job)
        self._rest()

    def _leave(self, job: _Job) -> None:
        """Those who had waited for this connection and got none wait for another."""
        for _, _, _, waiter in self._queue:
            if waiter.job is job:
                waiter.job = waiter.visit.queued_until = waiter.visit.connection = None
        if self._queue:
            self._grow()

    def _failed(self, job: _Job, error: ConnectError) -> None:
        """Nobody is left to wait for what cannot be had: where there is no connection at all, those in the queue fail as well."""
        hopeless = not self._live
        left: list[tuple[int, int, int, _Waiter]] = []
        for entry in self._queue:
            waiter = entry[3]
            if (waiter.job is job or (hopeless and waiter.job is None)) and not waiter.future.done():
                waiter.visit.connection = job.record.id
                waiter.visit.lookup = job.record.lookup
                waiter.visit.queued_until = waiter.visit.queued_until or self._pool.clock()
                waiter.future.set_exception(ConnectError(error.failure))
            else:
                left.append(entry)
        self._queue = sorted(left, key=lambda entry: entry[:3])
        self._serve()

    def _idle_ended(self, connection: Http1, why: str) -> None:
        connection.close(why)
        self._drop(connection)

    def _drop(self, connection: Http1 | Http2) -> None:
        """A connection is over."""
        if connection in self._live:
            self._live.remove(connection)
        if connection is self._shared:
            self._shared = None
        if isinstance(connection, Http1) and connection in self._idle:
            self._idle.remove(connection)
        self._serve()
