"""The attempts of one connection, done for real and written down: `Race` decides, this opens sockets.

In: addresses as they become known. Out: the socket that was first, and every attempt in the record, losers included. It knows
nothing of TLS and HTTP.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from typing import Literal, Protocol

from pellucid.client.race import Race, Start
from pellucid.client.wire import Flow
from pellucid.journey import Attempt, Clock, Connection, Failure, Lookup

__all__ = ["Addresses", "ConnectError", "Dialing"]

Outcome = Literal["refused", "unreachable", "timeout", "failed"]

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN, errno.EHOSTDOWN}


class ConnectError(Exception):
    """There is no connection; `failure` says why, and what was tried."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Addresses(Protocol):
    """A lookup that is under way, as `resolve.Resolving` is one."""

    lookup: Lookup

    def addresses(self) -> AsyncIterator[list[str]]: ...


class Dialing:
    """All attempts for one connection. Use once."""

    def __init__(
        self, resolving: Addresses, record: Connection, clock: Clock, attempt_delay: float, resolution_delay: float
    ) -> None:
        self._resolving, self._record, self._clock = resolving, record, clock
        self._race = Race(round(attempt_delay * 1e9), round(resolution_delay * 1e9))
        self._attempts: dict[asyncio.Task[socket.socket], Attempt] = {}
        self._news = asyncio.Event()

    async def run(self) -> tuple[socket.socket, Flow]:
        """The first connection that came about; the other attempts are cancelled and written down as lost.

        Raises ConnectError where nothing is left to try. Cancelling it ends all attempts.
        """
        names = asyncio.ensure_future(self._listen())
        try:
            while True:
                self._news.clear()
                won = self._settle()
                if won is not None:
                    self._end_the_rest("lost", f"lost to {won[1].address}, which was there first")
                    return await self._adopt(*won)
                step = self._race.next(self._clock())
                if step is None:
                    await names  # a mistake in there is not to be taken for a name without addresses
                    raise ConnectError(self._nothing_left())
                if isinstance(step, Start):
                    self._start(step)
                    continue
                await self._until(step.until)
        except asyncio.CancelledError:
            self._end_the_rest("timeout", "given up, since it had not answered")
            raise
        finally:
            names.cancel()
            await asyncio.gather(names, return_exceptions=True)
            await self._put_away()

    async def _listen(self) -> None:
        try:
            async for addresses in self._resolving.addresses():
                self._race.found(addresses, self._clock())
                self._news.set()
        finally:
            self._race.resolved()
            self._news.set()

    async def _until(self, instant: int | None) -> None:
        try:
            async with asyncio.timeout(None if instant is None else max(0.0, (instant - self._clock()) / 1e9)):
                await self._news.wait()
        except TimeoutError:
            pass

    def _start(self, step: Start) -> None:
        attempt = Attempt(step.address, self._record.port, self._clock(), says=step.why)
        self._record.attempts.append(attempt)
        task = asyncio.ensure_future(_connect(attempt, self._clock))
        task.add_done_callback(lambda _: self._news.set())
        self._attempts[task] = attempt

    def _settle(self) -> tuple[socket.socket, Attempt] | None:
        """Write down the attempts that have ended; returns the winner if there is one."""
        won = None
        for task, attempt in list(self._attempts.items()):
            if not task.done() or attempt.outcome is not None:
                continue
            error = task.exception()
            if error is None:
                if won is None:
                    del self._attempts[task]
                    attempt.outcome = "won"
                    attempt.says += f"; connected in {_took(attempt)}"
                    won = task.result(), attempt
                continue
            attempt.outcome, how = _outcome(error)
            attempt.ended = attempt.ended if attempt.ended is not None else self._clock()
            attempt.says += f"; it {how} after {_took(attempt)}"
            self._race.failed(how)
        return won

    async def _adopt(self, connected: socket.socket, attempt: Attempt) -> tuple[socket.socket, Flow]:
        record = self._record
        record.address, record.connected = attempt.address, attempt.ended
        record.local = connected.getsockname()[0]
        flow = Flow(self._clock)
        try:
            await asyncio.get_running_loop().create_connection(lambda: flow, sock=connected)
        except BaseException:
            connected.close()
            raise
        return connected, flow

    def _end_the_rest(self, outcome: str, says: str) -> None:
        for task, attempt in self._attempts.items():
            task.cancel()
            if attempt.outcome is None:
                attempt.outcome = "lost" if outcome == "lost" else "timeout"
                attempt.ended = self._clock()
                attempt.says += f"; {says}"

    async def _put_away(self) -> None:
        """Cancel what still runs, and close what came about too late."""
        for task in self._attempts:
            task.cancel()
        for ended in await asyncio.gather(*self._attempts, return_exceptions=True):
            if isinstance(ended, socket.socket):
                ended.close()

    def _nothing_left(self) -> Failure:
        lookup, attempts = self._resolving.lookup, self._record.attempts
        where = f"{lookup.shown} port {self._record.port}"
        if not attempts:
            return lookup.failure or Failure("name-not-found", f"{lookup.shown} has no address")
        tried = ", ".join(f"{attempt.address} {_SAID[attempt.outcome or 'failed']}" for attempt in attempts)
        outcomes = {attempt.outcome for attempt in attempts}
        if outcomes == {"refused"}:
            return Failure(
                "connection-refused",
                f"Nobody listens on {where}: {tried}",
                "Is the server running, and is that its port?",
            )
        if outcomes == {"unreachable"}:
            return Failure("unreachable", f"There is no way to {where}: {tried}", "Is this computer connected to that network?")
        return Failure("connection-failed", f"No connection to {where} came about: {tried}")


_SAID = {
    "refused": "refused the connection",
    "unreachable": "could not be reached",
    "timeout": "did not answer",
    "failed": "failed",
    "lost": "was not waited for",
    "won": "answered",
}


def _took(attempt: Attempt) -> str:
    assert attempt.ended is not None
    return f"{(attempt.ended - attempt.started) / 1e6:.1f} ms"


async def _connect(attempt: Attempt, clock: Clock) -> socket.socket:
    """A connected socket without Nagle's delay, at an address that is not looked up."""
    family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
    place: object = (attempt.address, attempt.port)
    if "%" in attempt.address:  # a zone, by name
        place = socket.getaddrinfo(attempt.address, attempt.port, family, flags=socket.AI_NUMERICHOST)[0][4]
    trying = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # without the protocol, asyncio leaves Nagle on
    try:
        trying.setblocking(False)
        trying.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(trying, place)  # type: ignore[arg-type]
    except BaseException:
        trying.close()
        raise
    finally:
        if attempt.ended is None:
            attempt.ended = clock()
    return trying


def _outcome(error: BaseException) -> tuple[Outcome, str]:
    """What an error means for an attempt: its outcome, and how to say it after "it"."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return "refused", "was refused"
    if number == errno.ETIMEDOUT:
        return "timeout", "got no answer"
    if number in _UNREACHABLE:
        return "unreachable", f"could not be reached ({os.strerror(number)})"
    return "failed", f"failed ({os.strerror(number) if number else error})"
