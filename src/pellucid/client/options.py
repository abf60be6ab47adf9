"""What a trace may be told: one frozen Struct from the command line to the client."""

from __future__ import annotations

import msgspec

from pellucid.client.connect import ConnectOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.journey import Viewport

__all__ = ["TraceOptions"]


class TraceOptions(msgspec.Struct, frozen=True):
    """How to ask, and how far to go."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    """Fields to send with what was typed, in place of those that would be sent anyway; an empty value leaves one out."""
    body: bytes = b""
    content_type: str | None = None
    only_document: bool = False
    twice: bool = False
    """Visit again, from what a private cache has kept."""
    timeout: float = 60.0
    """Seconds for everything."""
    limit: int = 300
    """Requests for a page and its parts."""
    viewport: Viewport = Viewport()
    resolve: ResolveOptions = ResolveOptions()
    connect: ConnectOptions = ConnectOptions()
    token: str | None = None
    """What a Pellucid server in production wants to hear before it shows its inside."""
    inside: bool = True
    """Whether to ask a Pellucid server for its inside."""
