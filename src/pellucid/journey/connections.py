"""How an address was made into a connection: attempts, the TLS handshake, and what the kernel knows of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from pellucid.journey.remarks import Failure
from pellucid.journey.visits import Initiator

__all__ = ["Attempt", "Certificate", "Connection", "Kernel", "Tls", "TlsMessage"]


class Attempt(msgspec.Struct):
    """One try to connect (RFC 8305): winners and losers alike."""

    address: str
    port: int
    started: int
    ended: int | None = None
    outcome: Literal["won", "lost", "refused", "unreachable", "timeout", "failed"] | None = None
    says: str = ""
    """Why it was started when it was, and how it ended: `250 ms after the one before, which had not answered; lost to ...`."""


class Certificate(msgspec.Struct, frozen=True):
    """One certificate of the chain, the server's own first."""

    subject: str
    issuer: str
    names: list[str]
    not_before: float
    """Seconds since 1970, UTC, as `not_after`."""
    not_after: float
    serial: str
    key: str
    """`EC P-256`, `RSA 2048 bits`."""
    signature: str
    """`ECDSA with SHA-256`."""
    fingerprint: str
    """SHA-256, hexadecimal."""
    authority: bool
    size: int
    sent: bool = True
    """False where it was not sent by the server but found in the local store."""


class TlsMessage(msgspec.Struct, frozen=True):
    """One handshake message or record, as the TLS library reported it."""

    at: int
    sent: bool
    name: str
    """`ClientHello`, `Certificate`, `Finished`, `ChangeCipherSpec`, `Alert: certificate expired`, ..."""
    size: int


class Tls(msgspec.Struct):
    """A TLS handshake."""

    started: int
    ended: int | None = None
    server_name: str | None = None
    offered: list[str] = []
    """ALPN as offered."""
    alpn: str | None = None
    version: str | None = None
    """`TLSv1.3`"""
    cipher: str | None = None
    group: str | None = None
    """The key exchange, where Python tells it."""
    resumed: bool = False
    verified: bool = False
    chain: list[Certificate] = []
    messages: list[TlsMessage] = []
    failure: Failure | None = None
    """What is wrong with the certificate or the handshake; with `--insecure` it is set although the connection was used."""


class Kernel(msgspec.Struct, frozen=True):
    """What the kernel knows of a connection (Linux: TCP_INFO); times in microseconds."""

    at: int
    rtt: int
    rtt_variance: int
    min_rtt: int | None
    retransmits: int
    """Segments sent again over the life of the connection."""
    congestion_window: int
    mss: int
    delivery_rate: int | None = None
    """Bytes a second, where the kernel tells it."""


class Connection(msgspec.Struct):
    """A connection, from the first attempt to its close."""

    id: int
    scheme: str
    host: str
    port: int
    started: int
    lookup: int | None = None
    connected: int | None = None
    """The winner's handshake was done; TLS begins here."""
    ready: int | None = None
    """The first byte of a request could be sent."""
    address: str | None = None
    local: str | None = None
    protocol: Literal["http/1.1", "h2"] | None = None
    attempts: list[Attempt] = []
    tls: Tls | None = None
    kernel: Kernel | None = None
    """As it was when the last request on it was done."""
    visits: list[int] = []
    ahead: Initiator | None = None
    """The hint (preconnect) for which it was made before anything was to be asked for."""
    closed: int | None = None
    closed_why: str | None = None
    failure: Failure | None = None
