"""The life of a connection as a table: its states, what may happen in each, and which clock runs meanwhile.

In: a state and an event. Out: the next state. It knows no socket and no bytes; `server/protocol.py` does what the table says.

    IDLE        between requests; nothing of the next one has arrived
    HEAD        a part of a head has arrived
    BODY        the head is read; the body is collected before the handler is called
    HANDLING    the whole request is in; the handler works, or its answer is being sent
    STREAMING   the handler works, or its answer is being sent, while the body still arrives
    DRAINING    answered before the body had ended; its small rest is read and dropped
    FLUSHING    answered; the client does not take the answer fast enough to be served the next one
    LINGERING   the last answer is out; what the client still sends is dropped, so that no reset destroys that answer
    CLOSED      gone
"""

from __future__ import annotations

from enum import IntEnum, auto
from math import inf

import msgspec

__all__ = ["TRANSITIONS", "Event", "Limits", "State", "after", "timeouts"]


class Limits(msgspec.Struct, frozen=True):
    """Every bound of a connection: sizes in bytes, times in seconds."""

    request_line: int = 8192
    header_count: int = 100
    header_bytes: int = 32_768
    body_bytes: int = 10 * 1024 * 1024
    header_timeout: float = 10.0
    """From a request's first byte to the end of its head."""
    body_timeout: float = 30.0
    """Between two pieces of a body."""
    keepalive_timeout: float = 75.0
    """Between an answer and the next request's first byte, and before the first request."""
    write_timeout: float = 30.0
    """Without the client taking any of its answer."""
    parting_timeout: float = 0.25
    """For requests on their way on idle connections when the worker stops; their answers say that the connection ends."""
    linger_timeout: float = 2.0
    """For a client to notice the last answer and close."""
    connections: int = 10_000
    pipeline_bytes: int = 65_536
    """Read ahead of the request that is being handled; beyond it reading stops."""
    write_buffer: int = 65_536
    """Kept for a client that is slow to take its answer; beyond it a streamed answer waits."""
    drain_bytes: int = 65_536
    """Of an unread body that are read and dropped to keep the connection; a longer one is cut off."""
    linger_bytes: int = 64 * 1024 * 1024
    """Dropped meanwhile; enough for a proxy that looks for an early answer only now and then while it passes an upload on."""
    stream_above: int = 65_536
    """Bodies up to this size reach the handler whole; longer ones as a stream."""


class State(IntEnum):
    """Where a connection stands. (An integer only because its hash costs a tenth of a plain Enum's.)"""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    HANDLING = auto()
    STREAMING = auto()
    DRAINING = auto()
    FLUSHING = auto()
    LINGERING = auto()
    CLOSED = auto()


class Event(IntEnum):
    """What can happen to it."""

    BYTES = auto()
    """The first bytes of a request."""
    COLLECT = auto()
    """The head is read and its body will be collected."""
    STREAM = auto()
    """The handler is called before the body has ended."""
    WHOLE = auto()
    """The request's last byte."""
    ANSWERED = auto()
    """The answer's last byte was written."""
    BLOCKED = auto()
    """The client takes no more."""
    TAKEN = auto()
    """The client has taken everything."""
    LAST = auto()
    """The connection's last answer was written."""
    LOST = auto()
    """The connection is closed, by whomever."""


_I, _H, _B, _W, _S, _D, _F, _L, _C = State

TRANSITIONS: dict[tuple[State, Event], State] = {
    (_I, Event.BYTES): _H,
    (_H, Event.COLLECT): _B,
    (_H, Event.STREAM): _S,
    (_H, Event.WHOLE): _W,
    (_B, Event.STREAM): _S,
    (_B, Event.WHOLE): _W,
    (_S, Event.WHOLE): _W,
    (_S, Event.ANSWERED): _D,
    (_D, Event.WHOLE): _I,
    (_W, Event.ANSWERED): _I,
    (_I, Event.BLOCKED): _F,
    (_F, Event.TAKEN): _I,
    **{(state, Event.LAST): _L for state in (_I, _H, _B, _W, _S, _D, _F)},
    **{(state, Event.LOST): _C for state in State},
}


def after(state: State, event: Event) -> State:
    """The state that follows. Raises RuntimeError where the table has none, which is a bug of ours."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RuntimeError(f"a connection that is {state.name} cannot see {event.name}") from None


def timeouts(limits: Limits) -> dict[State, float]:
    """How long a connection may stay in each state. While the handler works, it is the handler who counts the time."""
    return {
        State.IDLE: limits.keepalive_timeout,
        State.HEAD: limits.header_timeout,
        State.BODY: limits.body_timeout,
        State.HANDLING: inf,
        State.STREAMING: inf,
        State.DRAINING: limits.body_timeout,
        State.FLUSHING: inf,
        State.LINGERING: limits.linger_timeout,
        State.CLOSED: inf,
    }
