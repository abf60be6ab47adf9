"""`Outgoing`: a request that is ready to go, and `Taker`, who gets its answer's body while it arrives."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pellucid.http.url import Url

__all__ = ["Outgoing", "Taker"]

Taker = Callable[[bytes, int], None]
"""Called with decoded bytes and the instant at which their last wire byte came; called with `b""` once when the body is over."""


class Outgoing(msgspec.Struct, frozen=True):
    """A request to send. Host (or :authority), Content-Length and Connection are added by whoever writes it for its protocol."""

    url: Url
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    """In the order to send; names as a browser writes them in HTTP/1.1 (h2 makes them lower case)."""
    body: bytes = b""
