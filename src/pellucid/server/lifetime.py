"""The lifetime of a connection: where it stands, which clock runs, how it ends.

In: events from `server/protocol.py`, and the worker's clock. Out: states that follow the table in `connection.py`, and an
end that fits each: at once, after what was written is taken, or lingering. It never looks at what a request or an answer says.
"""

from __future__ import annotations

import asyncio
from math import inf

from pellucid.errors import REQUEST_TIMEOUT, Problem
from pellucid.http.messages import Response
from pellucid.server.body import IncomingBody
from pellucid.server.connection import Event, State, after
from pellucid.server.outgoing import Outgoing, as_bytes
from pellucid.server.reader import HeadReader
from pellucid.server.service import Service, log, problem_response

__all__ = ["CLOSE", "LifetimeProtocol"]

CLOSE = "connection: close\r\n"

_FIRST_REQUEST = 1.0
"""Seconds that a connection without any request so far has for its first one when the worker stops."""


class LifetimeProtocol(asyncio.Protocol):
    """A connection from its first byte to its last, whatever is said on it."""

    __slots__ = (
        "_block", "_body", "_eof", "_keep", "_loop", "_out", "_reader", "_reading", "_sending", "_service", "_state", "_task",
        "_trace_id", "_transport", "deadline",
    )  # fmt: skip

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = service.loop
        self._state = State.IDLE
        self._transport: asyncio.Transport
        self._out: Outgoing
        self.deadline = service.idle_deadline
        self._reader = HeadReader(service.limits)
        self._reading = True
        self._eof = False
        # The header block that the next request may repeat (see `server/protocol.py`). `endswith(())` is never true.
        self._block: bytes | tuple[()] = ()
        self._body: IncomingBody | None = None
        # The handler's work, the sending of its answer, and whether the connection outlives that.
        self._task: asyncio.Future[Response] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._keep = True
        self._trace_id = ""

    @property
    def blocked(self) -> bool:
        """Whether the client doesn't take its answer."""
        return self._out.blocked

    def _enter(self, event: Event) -> None:
        """Go where the table says, and start the clock of that state."""
        self._state = state = after(self._state, event)
        self.deadline = self._loop.time() + self._service.timeouts[state]

    def _read(self, wanted: bool) -> None:
        """Read from the client, or let it wait: back-pressure travels through TCP's window."""
        if wanted is not self._reading and not self._transport.is_closing():
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _refuse(self, problem: Problem) -> None:
        """Answer what never became a request, and end the connection."""
        id = self._service.new_id()
        log.info("refused with %d: %s, request %s", problem.status, problem.message, id)
        response = problem_response(problem, id)
        self._transport.write(self._service.encoder.whole(response, as_bytes(response.body), id, id, CLOSE))
        self._linger()

    def _finish(self) -> None:
        """The last answer is written: close, unless the client may still be sending."""
        if self._state is State.HANDLING and not self._reader.buffer and self._reading:
            self._close()
        else:
            self._linger()

    def _close(self) -> None:
        self._enter(Event.LAST)
        self._block = ()
        self._out.ended()
        self._transport.close()

    def _linger(self) -> None:
        """End our side and drop what still comes: a close with unread bytes is a reset, which destroys the answer on its way."""
        if self._eof:
            self._close()
            return
        self._enter(Event.LAST)
        self._block = ()
        self._reader.clear()
        if self._body is not None:
            self._body.discard()
        self._out.ended()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._read(True)

    def stop(self) -> None:
        """The worker stops: an idle connection ends, any other after its answer."""
        self._block = ()
        self._keep = False
        if self._state is State.IDLE and not self._trace_id:
            # Whoever has just connected is about to ask, and cannot know that it may have to ask again.
            self.deadline = self._loop.time() + _FIRST_REQUEST
        elif self._state is State.IDLE or self._state is State.FLUSHING:
            # A proxy may be using it at this very moment, and must not send a POST twice: it is told with the next answer.
            self._loop.call_later(self._service.limits.parting_timeout, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._state is State.IDLE or self._state is State.FLUSHING:
            self._close()

    def give_up(self) -> None:
        """Time is over: a handler that still works is cancelled, and its caller told; anything else just ends."""
        if self._task is not None:
            self._task.cancel()
        else:
            self.abort()

    def abort(self) -> None:
        """End it now, whatever is under way."""
        for task in (self._task, self._sending):
            if task is not None:
                task.cancel()
        self._transport.abort()

    def check(self, at: float) -> None:
        """The worker's clock passes by (see `Service.sweep`)."""
        if self._out.until <= at and not self._out.progress(at):
            self.abort()
        elif self.deadline > at:
            return
        elif self._state is State.HEAD or self._state is State.BODY:
            self._refuse(Problem(REQUEST_TIMEOUT))
        elif self._state is State.STREAMING and self._body is not None:
            self.deadline = inf
            self._keep = False
            self._body.fail(Problem(REQUEST_TIMEOUT, "The body did not arrive in time"))
        elif self._state is State.LINGERING and self._out.progress(at):
            self.deadline = self._out.until
        elif self._state is State.LINGERING and not self._transport.get_write_buffer_size():
            self.deadline = inf
            self._transport.close()
        elif self._state is State.IDLE:
            self._close()
        else:
            self.abort()
