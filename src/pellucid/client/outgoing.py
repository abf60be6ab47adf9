"""`Outgoing`, a request that is ready to go; `Taker`, who gets the body of its answer; `RANKS`, which request goes first."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pellucid.http.url import Url
from pellucid.journey import Priority

__all__ = ["RANKS", "Outgoing", "Taker"]

RANKS: dict[Priority, int] = {"VeryHigh": 0, "High": 1, "Medium": 2, "Low": 3, "VeryLow": 4}
"""What goes first, as a number to sort by; the urgency of RFC 9218 is the same number."""

Taker = Callable[[bytes, int], None]
"""Called with decoded bytes and the instant at which their last wire byte came; called with `b""` once when the body is over."""


class Outgoing(msgspec.Struct, frozen=True):
    """A request to send. Host (or :authority), Content-Length and Connection are added by whoever writes it for its protocol."""

    url: Url
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    """In the order to send; names as a browser writes them in HTTP/1.1 (h2 makes them lower case)."""
    body: bytes = b""
