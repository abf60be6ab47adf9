"""What all connections of a worker share: the handler, the bounds, the encoder, and one clock that looks after their time.

In: what the worker was started with. Out: deadlines kept, connections counted, and a way to end them all. Timers cost a loop
more than the requests they guard, so there is one for the whole worker: it passes over the connections once a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from itertools import chain, count
from math import inf
from typing import Protocol

import msgspec

from pellucid.errors import BAD_REQUEST, INTERNAL, Problem
from pellucid.http.encode import Encoder
from pellucid.http.messages import Handler, Observer, Request, Response
from pellucid.server.connection import Limits, timeouts

__all__ = [
    "OnError",
    "Sampling",
    "Served",
    "Service",
    "bad_path",
    "cut_short",
    "log",
    "log_error",
    "nonsense",
    "problem_response",
]

OnError = Callable[[Request, BaseException], None]

_PROBLEM_JSON = b"content-type: application/problem+json\r\n"
_ROOM_TO_REFUSE = 256
_LAST_WORDS = 0.5
"""Seconds for the answers to requests that were given up when the worker stopped."""
log = logging.getLogger("pellucid.server")


class Served(Protocol):
    """What the service asks of a connection."""

    deadline: float

    @property
    def blocked(self) -> bool: ...
    def check(self, at: float) -> None: ...
    def stop(self) -> None: ...
    def give_up(self) -> None: ...
    def abort(self) -> None: ...


def problem_response(problem: Problem, trace_id: str) -> Response:
    """A problem that the server itself answers (RFC 9457)."""
    return Response(problem.status, problem.as_json(trace_id), headers=list(problem.headers), fixed=_PROBLEM_JSON)


def bad_path() -> Problem:
    """A path that is no text."""
    return Problem(BAD_REQUEST, "The percent-encoded bytes of the path are not UTF-8")


def cut_short() -> Problem:
    """A connection that ended too early."""
    return Problem(BAD_REQUEST, "The connection ended in the middle of a request")


def nonsense(answer: object) -> TypeError:
    """A handler that answered with something else."""
    return TypeError(f"the handler answered with {type(answer).__name__}, not with a Response or an awaitable of one")


def log_error(request: Request, error: BaseException) -> None:
    """What happens to a handler's exception where nobody asked for it."""
    log.error("%s %s failed, request %s", request.method, request.path, request.id, exc_info=error)


def _ids() -> Iterator[str]:
    """Ids of 32 hex digits, as `spans.new_trace_id` makes them, a few times faster: one is made for each request.

    Joining a prefix to one of 4096 known endings takes 50 ns, formatting a number 200.
    """
    endings = tuple(f"{number:03x}" for number in range(4096))
    process, first = os.urandom(8).hex(), int.from_bytes(os.urandom(5), "big")
    return chain.from_iterable(map(f"{process}{number:013x}".__add__, endings) for number in count(first))


class Sampling(msgspec.Struct, frozen=True):
    """What of the requests the observer sees: `rate` of them a second with a trace, and of the others those that fail with a
    5xx or take at least `slow` seconds, with nothing but their beginning and end. The rest costs two looks at the clock.
    """

    rate: float = inf
    slow: float = 0.5


class Service:
    """One worker's serving side. `idle_deadline` is when a connection that is idle from now on will have been idle too long."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: Limits | None = None,
        observer: Observer | None = None,
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
        on_error: OnError = log_error,
        server_name: str = "pellucid",
    ) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.observer = observer
        self.traces_left = self._rate = sampling.rate
        self.slow = int(sampling.slow * 1e9)
        self._refill_at = 0.0
        self.on_error = on_error
        self.encoder = Encoder(server_name)
        self.connections: set[Served] = set()
        self.refused: set[Served] = set()
        self.stopping = False
        self.new_id = _ids().__next__
        self.timeouts = timeouts(self.limits)
        self.loop = asyncio.get_running_loop()
        self._interval = self._sweep_interval()
        self.idle_deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self.sweep()

    def _sweep_interval(self) -> float:
        return max(0.005, min(1.0, *(seconds / 4 for seconds in (*self.timeouts.values(), self.limits.write_timeout))))

    def sweep(self) -> None:
        """Pass over all connections: the one timer of the worker."""
        at = self.loop.time()
        self.encoder.refresh()
        if at >= self._refill_at:
            self.traces_left, self._refill_at = self._rate, at + 1.0
        # Connections that turn idle before the next pass take this deadline; the interval is added so that none is cut short.
        self.idle_deadline = at + self.limits.keepalive_timeout + self._interval
        late = [one for group in (self.connections, self.refused) for one in group if one.deadline <= at or one.blocked]
        for connection in late:
            connection.check(at)
        self._timer = self.loop.call_later(self._interval, self.sweep)

    def add(self, connection: Served) -> bool:
        """Take a new connection; False where there is no room, and it can only be told so."""
        if len(self.connections) < self.limits.connections:
            self.connections.add(connection)
            return True
        # Kept apart, so that those who are refused take no room from those who are not.
        self.refused.add(connection)
        return False

    def has_room_to_refuse(self) -> bool:
        """Whether a refused connection may be told so, or must just be cut."""
        return len(self.refused) <= _ROOM_TO_REFUSE

    def remove(self, connection: Served) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.refused.discard(connection)
        if not self.connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def fault(self, request: Request, error: BaseException) -> Response:
        """The answer to a handler's exception: a problem it raised, else a 500 that carries the request's id and nothing else."""
        if isinstance(error, Problem):
            return problem_response(error, request.id)
        self.report(request, error)
        return problem_response(Problem(INTERNAL, hint="The server's log has more under this trace id"), request.id)

    def report(self, request: Request, error: BaseException) -> None:
        """Hand an exception to whoever logs; a failure there must not cost the caller its answer."""
        try:
            self.on_error(request, error)
        except Exception:
            log.exception("on_error failed")

    def observe(self, request: Request, response: Response, at: int) -> None:
        """Tell the observer, if there is one; a failure there must not cost the connection."""
        try:
            if self.observer is not None:
                self.observer(request, response, at)
        except Exception as error:
            self.report(request, error)

    async def _until_empty(self, seconds: float) -> None:
        if self.connections:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=seconds)

    async def stop(self, grace: float) -> None:
        """End all connections: idle ones in a moment, busy ones after their answer, all others after `grace` seconds."""
        self.stopping = True
        for connection in tuple(self.connections):
            connection.stop()
        await self._until_empty(grace)
        for connection in tuple(self.connections):
            connection.give_up()
        await self._until_empty(_LAST_WORDS)
        for connection in (*self.connections, *self.refused):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
