"""What happened when somebody typed a URL, as plain data: names, connections, requests with their answers, what was left out.

In: `client/` fills it while it works. Out: `anatomy/` draws it, `--json` prints it as it stands. Neither knows the other, so the
data stand on the ground between them. It has no I/O, and formats nothing.

Every instant is an integer: nanoseconds since `Journey.started` on the clock of `spans.now`, so that one axis holds all of
them and durations are derived by whoever needs them. `None` is "did not happen". Sizes are bytes. Text shown to people is whole
sentences without a full stop; secrets are in here as they were sent, and whoever writes a file leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pellucid.journey.connections import Attempt, Certificate, Connection, Kernel, Tls, TlsMessage
from pellucid.journey.names import Hop, Link, Lookup, Record
from pellucid.journey.remarks import Failure, Note
from pellucid.journey.visits import (
    Body,
    Chunk,
    CookieFate,
    Early,
    Initiator,
    Inside,
    InsideSpan,
    Kind,
    Priority,
    Received,
    Sent,
    Timing,
    Visit,
)
from pellucid.spans import now

__all__ = [
    "Attempt",
    "Body",
    "Certificate",
    "Chunk",
    "Clock",
    "Connection",
    "CookieFate",
    "Early",
    "Failure",
    "Hop",
    "Initiator",
    "Inside",
    "InsideSpan",
    "Journey",
    "Kernel",
    "Kind",
    "Link",
    "Lookup",
    "Note",
    "Priority",
    "Received",
    "Record",
    "Sent",
    "Skipped",
    "Timing",
    "Tls",
    "TlsMessage",
    "Viewport",
    "Visit",
    "document_visit",
    "last_instant",
]


class Clock:
    """Nanoseconds since it was made: `clock()` is an instant of the journey."""

    __slots__ = ("started",)

    def __init__(self) -> None:
        self.started = now()

    def __call__(self) -> int:
        return now() - self.started


class Skipped(msgspec.Struct, frozen=True):
    """A resource that was named and not fetched, with the reason."""

    url: str
    kind: Kind
    initiator: Initiator
    why: str
    source: str | None = None


class Viewport(msgspec.Struct, frozen=True):
    """What media queries and srcset are answered for: CSS pixels, and device pixels per CSS pixel."""

    width: int = 1280
    height: int = 720
    density: float = 1.0
    dark: bool = False


class Journey(msgspec.Struct):
    """Everything that happened from the URL as typed to the last byte of the page."""

    typed: str
    url: str
    """As parsed, with the scheme that was assumed."""
    shown: str
    """The same with its host in Unicode."""
    began: float
    """Seconds since 1970."""
    started: int
    """`spans.now()` at the instant 0."""
    trace_id: str
    boot: str | None = None
    """The boot id of this host (Linux), to compare clocks by."""
    finished: int | None = None
    lookups: list[Lookup] = []
    connections: list[Connection] = []
    visits: list[Visit] = []
    """In the order in which they were discovered; the first is what was typed."""
    skipped: list[Skipped] = []
    notes: list[Note] = []
    """About the whole: JavaScript was not run, a limit was reached, ..."""
    viewport: Viewport = Viewport()
    failure: Failure | None = None
    """Set where not even the document came."""


def document_visit(visits: Sequence[Visit], round: int = 1) -> Visit | None:
    """The visit that brought the document: the last one of the chain of redirects from what was typed."""
    found = next((visit for visit in visits if visit.round == round and visit.initiator.by == "user"), None)
    while found is not None:
        after = next((visit for visit in visits if visit.redirected_from == found.id and visit.round == round), None)
        if after is None:
            return found
        found = after
    return None


def last_instant(journey: Journey) -> int:
    """The end of the axis: when the last thing was over."""
    if journey.finished is not None:
        return journey.finished
    ends = [visit.finished or visit.last_byte or visit.discovered for visit in journey.visits]
    ends += [lookup.ended or lookup.started for lookup in journey.lookups]
    ends += [connection.ready or connection.started for connection in journey.connections]
    return max(ends, default=0)
