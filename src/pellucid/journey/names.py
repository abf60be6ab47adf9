"""How a name was made into addresses: every question asked, every answer, and the DNSSEC chain."""

from __future__ import annotations

from typing import Literal

import msgspec

from pellucid.journey.remarks import Failure

__all__ = ["Hop", "Link", "Lookup", "Record"]


class Record(msgspec.Struct, frozen=True):
    """One resource record as text."""

    section: Literal["answer", "authority", "additional"]
    name: str
    ttl: int
    type: str
    text: str


Outcome = Literal[
    "answer", "referral", "cname", "dname", "nodata", "nxdomain", "truncated", "lame", "refused", "servfail", "formerr",
    "timeout", "unreachable", "malformed", "cached",
]  # fmt: skip


class Hop(msgspec.Struct):
    """One question to one server, and what came of it."""

    question: str
    """The name asked for, with its final dot."""
    type: str
    server: str
    """The address asked; empty where the answer came from the cache of this run."""
    server_name: str | None
    zone: str | None
    """The zone it was asked as a server of: `.`, `org.`; None where it is a resolver that does the walk for us."""
    transport: Literal["udp", "tcp", "cache", "file"]
    started: int
    ended: int
    outcome: Outcome
    says: str
    """One sentence, past tense: `Asked a.nic.org (192.0.2.1) for example.org. A: it referred us to 2 servers of example.org.`"""
    purpose: str | None = None
    """Why it was asked, where it is not for the name itself: `priming`, `address of ns1.example.net.`, `DNSKEY of org.`"""
    depth: int = 0
    """How deep in sub-walks: 0 is the name itself."""
    sent: int = 0
    received: int = 0
    records: list[Record] = []
    flags: list[str] = []
    """`aa`, `tc`, `ra`, `ad`, ... of the answer."""
    notes: list[str] = []
    """Extended errors (RFC 8914), records ignored as out of bailiwick, a minimised name given up, ..."""


class Link(msgspec.Struct, frozen=True):
    """One step of the DNSSEC chain from the trust anchor down: a zone or a record set, and whether it held."""

    name: str
    what: str
    """`DNSKEY`, `DS`, `A`, `denial of DS`, ..."""
    verdict: Literal["secure", "insecure", "bogus", "indeterminate"]
    says: str


class Lookup(msgspec.Struct):
    """A name made into addresses."""

    id: int
    name: str
    """As asked, ASCII (`xn--...`)."""
    shown: str
    """The same in Unicode, for people."""
    how: Literal["literal", "override", "reserved", "hosts", "system", "walk", "server", "cache"]
    """`reserved`: localhost and what is below it, which are never asked for (RFC 6761 6.3)."""
    started: int
    ended: int | None = None
    addresses: list[str] = []
    """In the order in which connecting tries them (RFC 6724, then interleaved as RFC 8305 has it)."""
    aliases: list[str] = []
    """The chain of CNAMEs and DNAMEs, the asked name left out."""
    records: list[Record] = []
    """What the answer was made of."""
    services: list[Record] = []
    """HTTPS records (RFC 9460), shown and not acted upon."""
    hops: list[Hop] = []
    verdict: Literal["secure", "insecure", "bogus", "indeterminate"] | None = None
    """DNSSEC's; None where nobody validated."""
    verdict_says: str | None = None
    chain: list[Link] = []
    ttl: int | None = None
    failure: Failure | None = None
