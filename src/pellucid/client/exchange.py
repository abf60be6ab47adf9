"""What comes of one request, written into its visit: heads, the body from the wire to characters, how it ended.

In: what a protocol (`http1`, `http2`) has read, with the instant at which it came. Out: the visit, filled; the decoded bytes for
whoever takes them. It knows no socket and no connection, and neither protocol knows what a visit keeps.

A body is counted to its end and kept only in part, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from pellucid.client.outgoing import Outgoing, Taker
from pellucid.journey import Chunk, Early, Failure, Received, Sent, Visit

if TYPE_CHECKING:
    from pellucid.client.decode import Decoding

__all__ = ["IDLE", "Ending", "Intake", "bad_field", "seconds", "sent_of"]

_WHOLE = frozenset({"document", "iframe", "stylesheet", "script", "manifest"})
"""Kinds whose content is looked into: kept whole, up to the limit."""
_SAMPLE = 65_536
_MOST_CHUNKS = 1000
IDLE = 30.0
"""Seconds without a byte after which an answer is given up."""
_MOST_EARLY = 64


class Ending(Enum):
    """How an exchange left its connection."""

    AGAIN = "it can carry another"
    OVER = "it cannot be used any more"
    UNHEARD = "it died before any byte of the answer, so that the request may be sent once more"
    REFUSED = "the server said that it had not acted on the request, which may be sent once more"


class Intake:
    """Takes what arrives for one visit. One is made per request; `again` makes it new where the request is sent once more."""

    def __init__(
        self,
        visit: Visit,
        take: Taker | None,
        *,
        limit: int,
        early: Callable[[Early], None] | None = None,
        head: Callable[[Received], None] | None = None,
        checksum: bool = False,
    ) -> None:
        self.visit = visit
        self._take = take
        self._early = early
        self._head = head
        self._left = limit if visit.kind in _WHOLE else min(limit, _SAMPLE)
        self._kept: list[bytes] = []
        self._decoding: Decoding | None = None
        self._hash: Any = None
        if checksum:
            from hashlib import sha256  # late: most bodies are asked for no checksum

            self._hash = sha256()

    def early(self, status: int, headers: list[tuple[str, str]], at: int) -> None:
        """An interim answer."""
        found = Early(at, status, headers)
        if len(self.visit.early) < _MOST_EARLY:
            self.visit.early.append(found)
        if self._early is not None:
            self._early(found)

    def head(
        self,
        received: Received,
        framing: Literal["none", "length", "chunked", "close", "frames"],
        at: int,
        transfer: tuple[str, ...] = (),
    ) -> None:
        """The final head, whose first byte came `at`; `transfer` are transfer codings beside chunked, in the order applied."""
        visit = self.visit
        visit.first_byte = at
        visit.received = received
        body = visit.body
        body.framing = framing
        named = [value for name, value in received.headers if name == "content-encoding"]
        body.codings = [coding for value in named for coding in (part.strip().lower() for part in value.split(",")) if coding]
        if framing != "none" and (body.codings or transfer):
            from pellucid.client.decode import Decoding  # late: a plain body needs no decoder

            self._decoding = Decoding([*body.codings, *transfer], visit.notes)
        if self._head is not None:
            self._head(received)

    def data(self, data: bytes, at: int) -> None:
        """Bytes of the body without the framing."""
        body = self.visit.body
        body.coded += len(data)
        if self._decoding is None:
            self._decoded(data, at)
            return
        for piece in self._decoding.feed(data):
            self._decoded(piece, at)
        self._settle(self._decoding)

    def _decoded(self, data: bytes, at: int) -> None:
        self.visit.body.decoded += len(data)
        if self._left > 0:
            kept = data if len(data) <= self._left else data[: self._left]
            self._left -= len(kept)
            self._kept.append(kept)
        if self._hash is not None:
            self._hash.update(data)
        if self._take is not None:
            self._take(data, at)

    def _settle(self, decoding: Decoding) -> None:
        if decoding.failure is not None and self.visit.failure is None:
            self.visit.failure = decoding.failure

    @property
    def refused(self) -> bool:
        """Whether the rest of the body is not wanted: it would unpack to more than anybody can hold."""
        return self._decoding is not None and self._decoding.bomb

    def chunk(self, at: int, size: int, offset: int, extensions: str = "") -> None:
        """A chunk, a DATA frame or a read is over."""
        body = self.visit.body
        body.chunk_count += 1
        if len(body.chunks) < _MOST_CHUNKS:
            body.chunks.append(Chunk(at, size, offset, extensions))

    def end(self, at: int, failure: Failure | None = None) -> None:
        """Nothing more comes, whole or (`failure`) not. To be called once, whatever happened."""
        visit, body = self.visit, self.visit.body
        if failure is not None:
            body.complete = False
            visit.failure = failure
        if visit.received is None:
            return
        visit.last_byte = at
        if self._decoding is not None:
            for piece in self._decoding.end(whole=failure is None):
                self._decoded(piece, at)
            self._settle(self._decoding)
            body.complete = body.complete and not self.refused
        body.kept = b"".join(self._kept)
        self._kept = []
        if self._hash is not None and visit.failure is None:
            body.sha256 = self._hash.hexdigest()
        take, self._take = self._take, None
        if take is not None:
            take(b"", at)


def sent_of(request: Outgoing, headers: list[tuple[str, str]], head: bytes) -> Sent:
    """What left, as the visit keeps it."""
    kind = next((value for name, value in headers if name.lower() == "content-type"), None)
    return Sent(request.url.target, headers, head, request.body[:_SAMPLE], len(request.body), kind if request.body else None)


def bad_field(request: Outgoing) -> Failure | None:
    """Why a request must not leave: a line break or NUL in it would forge a field, or a request."""
    for name, value in (("method", request.method), *request.headers):
        if any(mark in f"{name}{value}" for mark in "\r\n\0") or not name or ":" in name[1:] or " " in name:
            hint = "A field has a name without blanks and colons, and a value on one line"
            return Failure("bad-request", f"The request was not sent: {name!r} is not a valid field", hint)
    return None


def seconds(value: float) -> str:
    """A number of seconds for a sentence."""
    return f"{value:g} s"

