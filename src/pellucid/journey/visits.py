"""One request and its answer: `Visit`, with everything that led to it and came of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from pellucid.journey.remarks import Failure, Note

__all__ = [
    "Body",
    "Chunk",
    "CookieFate",
    "Early",
    "Initiator",
    "Inside",
    "InsideSpan",
    "Kind",
    "Priority",
    "Received",
    "Sent",
    "Timing",
    "Visit",
]


Kind = Literal[
    "document", "iframe", "stylesheet", "script", "image", "font", "manifest", "media", "icon", "preload", "fetch", "other"
]
Priority = Literal["VeryHigh", "High", "Medium", "Low", "VeryLow"]
"""Chrome's, as its protocol names them; people see Highest, High, Medium, Low, Lowest."""


class Initiator(msgspec.Struct, frozen=True):
    """What revealed a resource: the visit whose bytes named it, how, and where in them."""

    visit: int | None
    """None: the user."""
    by: Literal["user", "redirect", "parser", "style", "script", "header", "early", "browser", "push"]
    what: str = ""
    """`<link rel=stylesheet>`, `@import`, `url() of .hero`, `Link header`, `import`, ..."""
    offset: int | None = None
    """The byte of the decoded body at which the tag, rule or statement begins."""
    line: int | None = None


class Sent(msgspec.Struct):
    """A request as it left."""

    target: str
    headers: list[tuple[str, str]] = []
    """In the order sent; for h2 the pseudo-header fields first."""
    head: bytes = b""
    """The exact bytes of the request line and the fields (HTTP/1.1); for h2 the frames of the header block as sent."""
    body: bytes = b""
    """The first 64 kB of it."""
    body_size: int = 0
    body_type: str | None = None


class Early(msgspec.Struct, frozen=True):
    """An interim answer: 100, 103."""

    at: int
    status: int
    headers: list[tuple[str, str]]


class Chunk(msgspec.Struct, frozen=True):
    """Bytes of a body as they came: a chunk of the chunked coding, a DATA frame of h2, or else a read from the socket."""

    at: int
    """Its last byte."""
    size: int
    offset: int
    """Where it begins in the coded body."""
    extensions: str = ""
    """Of a chunk of the chunked coding, as sent: `;name=value`."""


class Body(msgspec.Struct):
    """An answer's body, from the wire to characters. Counting goes on where keeping has stopped."""

    framing: Literal["none", "length", "chunked", "close", "frames"] = "none"
    wire: int = 0
    """Bytes as they came, with chunk lines and trailers."""
    coded: int = 0
    """Without the framing."""
    decoded: int = 0
    """Without the content codings."""
    codings: list[str] = []
    chunks: list[Chunk] = []
    """At most 1,000; `chunk_count` counts all."""
    chunk_count: int = 0
    trailers: list[tuple[str, str]] = []
    kept: bytes = b""
    """The decoded bytes, for a page and its parts whole up to the limit, else the first 64 kB."""
    complete: bool = True
    supplied_type: str | None = None
    computed_type: str | None = None
    """After MIME sniffing."""
    type_rule: str | None = None
    charset: str | None = None
    charset_rule: str | None = None
    sha256: str | None = None


class Received(msgspec.Struct):
    """An answer's head."""

    status: int
    reason: str
    version: Literal["1.0", "1.1", "2"]
    headers: list[tuple[str, str]] = []
    """Names in lower case, in the order received."""
    head: bytes = b""
    """The exact bytes (HTTP/1.x)."""


class CookieFate(msgspec.Struct, frozen=True):
    """One cookie of a request or an answer: sent or kept back, stored or refused, and why."""

    name: str
    value: str
    fate: Literal["sent", "withheld", "stored", "refused", "deleted"]
    says: str
    domain: str = ""
    path: str = ""
    source: str | None = None


class Timing(msgspec.Struct, frozen=True):
    """One entry of Server-Timing: a duration whose start nobody knows. Milliseconds."""

    name: str
    duration: float | None
    description: str | None = None


class InsideSpan(msgspec.Struct, frozen=True):
    """A station inside the server."""

    name: str
    start: int
    """An instant of the journey."""
    duration: int
    depth: int = 0
    detail: object = None
    """Plain data: `{"sql": ..., "rows": ..., "plan": [...]}` for a statement."""


class Inside(msgspec.Struct):
    """What a Pellucid server told of a request."""

    request_id: str
    spans: list[InsideSpan] = []
    aligned: Literal["clock", "wait"] = "wait"
    """`clock`: both ran on one host and its monotonic clock, offsets are exact. `wait`: placed in the middle of the wait."""
    slack: int = 0
    """Nanoseconds that the wait has beyond the server's time: network and kernel; how they divide is not known."""
    says: str = ""


class Visit(msgspec.Struct):
    """One request and its answer, with everything that led to it."""

    id: int
    url: str
    method: str
    kind: Kind
    initiator: Initiator
    discovered: int
    """When its URL became known."""
    priority: Priority = "VeryHigh"
    blocking: bool = False
    """Nothing is painted before it is there: a stylesheet that applies, a plain script in the head."""
    first_party: str = ""
    """The origin of the page that asks; its own where a user typed it."""
    lookup: int | None = None
    connection: int | None = None
    reused: bool = False
    queued_until: int | None = None
    """When it got a connection of its own, or began to open one: before that it waited for a free one, or for its turn."""
    connection_ready: int | None = None
    """When it could be sent; `queued_until` to here is dns, connect and tls, which the connection tells apart."""
    sent_first: int | None = None
    sent_last: int | None = None
    first_byte: int | None = None
    last_byte: int | None = None
    finished: int | None = None
    """When nothing more was to come of it, whether well or not."""
    request: Sent | None = None
    early: list[Early] = []
    received: Received | None = None
    body: Body = msgspec.field(default_factory=Body)
    redirected_from: int | None = None
    redirected_to: str | None = None
    from_cache: Literal["fresh", "validated"] | None = None
    caching: list[Note] = []
    cookies: list[CookieFate] = []
    notes: list[Note] = []
    timings: list[Timing] = []
    inside: Inside | None = None
    round: int = 1
    """2 for the second visit of `--twice`."""
    failure: Failure | None = None
