"""`Ask` and `Reply`: what passes between those who decide whom to ask and the driver who does it.

Whoever decides is a generator: it yields an `Ask`, is sent a `Reply`, and returns what it found out. It knows no socket; the
driver (`driver.py`) knows no rules. Tests play the driver with scripted replies.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name

__all__ = ["PAYLOAD", "Ask", "Asking", "Reply"]

PAYLOAD = 1232
"""The UDP payload that we say we take: what passes every path without fragments (RFC 6891 6.2.5; DNS flag day 2020)."""

T = TypeVar("T")


class Ask(msgspec.Struct, frozen=True):
    """One question to one server."""

    server: str
    """An IP address."""
    port: int
    name: Name
    type: str
    transport: Literal["udp", "tcp"] = "udp"
    payload: int = PAYLOAD
    """0: without EDNS."""
    dnssec: bool = False
    """The DO bit: signatures are wanted."""
    recursive: bool = False
    """The RD bit: the server is to do the walk for us; AD is set as well, so that it says whether it validated (RFC 6840 5.7)."""
    timeout: float = 2.0


class Reply(msgspec.Struct):
    """What came of an `Ask`: a message that answers this very question, or why there is none."""

    started: int
    ended: int
    message: Message | None = None
    trouble: Literal["timeout", "unreachable", "malformed"] | None = None
    why: str = ""
    """The trouble in a few words: `connection refused`, `no answer within 2 s`."""
    sent: int = 0
    received: int = 0
    notes: list[str] = []
    """What else came: datagrams with another id or question, which were ignored."""


Asking = Generator[Ask, Reply, T]
"""A generator of decisions that ends in a T."""
