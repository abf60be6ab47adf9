"""`Answer`: what became of a question for one name and type; and what answers say in words and in Records.

In: messages and record sets of dnspython. Out: plain data for the journey. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import msgspec

from pellucid.client.dns.asking import Ask, Reply
from pellucid.journey import Failure, Hop, Record
from pellucid.journey.names import Outcome

__all__ = [
    "Answer",
    "addresses_in",
    "aliases_in",
    "extended_errors",
    "hop",
    "listed",
    "lowest_ttl",
    "record_rows",
    "target_of",
]

_MOST_RECORDS = 100
_MOST_TEXT = 600

_EXTENDED = {  # RFC 8914, section 4, and IANA's table
    0: "other error", 1: "unsupported DNSKEY algorithm", 2: "unsupported DS digest type", 3: "stale answer", 4: "forged answer",
    5: "DNSSEC indeterminate", 6: "DNSSEC bogus", 7: "signature expired", 8: "signature not yet valid", 9: "DNSKEY missing",
    10: "RRSIGs missing", 11: "no zone key bit set", 12: "NSEC missing", 13: "cached error", 14: "not ready", 15: "blocked",
    16: "censored", 17: "filtered", 18: "prohibited", 19: "stale NXDOMAIN answer", 20: "not authoritative", 21: "not supported",
    22: "no reachable authority", 23: "network error", 24: "invalid data", 25: "signature expired before valid",
    26: "too early", 27: "unsupported NSEC3 iterations value", 28: "unable to conform to policy", 29: "synthesized",
}  # fmt: skip


class Answer(msgspec.Struct):
    """What is known of a name and type in the end."""

    name: dns.name.Name
    type: str
    outcome: Literal["answer", "nodata", "nxdomain", "failed"]
    rrsets: list[dns.rrset.RRset] = []
    """CNAMEs and DNAMEs on the way, then the records asked for; signatures among them where they were asked for."""
    authority: list[dns.rrset.RRset] = []
    """The SOA and the denial of a negative answer."""
    ttl: int | None = None
    secure: bool = False
    """The server said (AD) that it validated."""
    failure: Failure | None = None


def record_rows(rrsets: Iterable[dns.rrset.RRset], section: Literal["answer", "authority", "additional"]) -> list[Record]:
    """Record sets as rows of text, at most 100 of them, each at most 600 characters."""
    rows: list[Record] = []
    for rrset in rrsets:
        kind = dns.rdatatype.to_text(rrset.rdtype)
        for rdata in rrset:
            if len(rows) >= _MOST_RECORDS:
                return rows
            text = rdata.to_text()
            shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "..."
            rows.append(Record(section, rrset.name.to_text(), rrset.ttl, kind, shown))
    return rows


def hop(ask: Ask, reply: Reply, outcome: Outcome, says: str, *, server_name: str | None = None, zone: str | None = None) -> Hop:
    """The Hop of a question and its reply."""
    found = Hop(
        question=ask.name.to_text(),
        type=ask.type,
        server=ask.server,
        server_name=server_name,
        zone=zone,
        transport=ask.transport,
        started=reply.started,
        ended=reply.ended,
        outcome=outcome,
        says=says,
        sent=reply.sent,
        received=reply.received,
        notes=list(reply.notes),
    )
    if reply.message is not None:
        message = reply.message
        flags = dns.flags.to_text(message.flags).lower().split()
        found.flags = [flag for flag in flags if flag in ("aa", "tc", "ra", "ad", "rd", "cd")]
        found.records = record_rows(message.answer, "answer")
        found.records += record_rows(message.authority, "authority")
        found.records += record_rows(message.additional, "additional")
        found.notes += extended_errors(message)
    return found


def extended_errors(message: dns.message.Message) -> list[str]:
    """What the server said beyond its code (RFC 8914)."""
    found: list[str] = []
    for option in message.options[:20]:
        if isinstance(option, dns.edns.EDEOption):
            meaning = _EXTENDED.get(int(option.code), "an extended error")
            text = f": {option.text[:200]}" if option.text else ""
            found.append(f"The server said: {meaning} (extended error {int(option.code)}){text}")
    return found


def listed(words: list[str], most: int = 4) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def addresses_in(rrsets: Iterable[dns.rrset.RRset]) -> list[str]:
    """The addresses of A and AAAA sets."""
    wanted = (dns.rdatatype.A, dns.rdatatype.AAAA)
    return [rdata.to_text() for rrset in rrsets if rrset.rdtype in wanted for rdata in rrset]


def target_of(rrset: dns.rrset.RRset) -> dns.name.Name:
    """Where a CNAME or DNAME points to."""
    target = getattr(rrset[0], "target", None)
    return target if isinstance(target, dns.name.Name) else dns.name.root


def aliases_in(rrsets: Iterable[dns.rrset.RRset]) -> list[str]:
    """The targets of CNAMEs in order."""
    return [target_of(rrset).to_text() for rrset in rrsets if rrset.rdtype == dns.rdatatype.CNAME]


def lowest_ttl(rrsets: Iterable[dns.rrset.RRset]) -> int | None:
    """The TTL of the whole: the lowest of its parts."""
    return min((rrset.ttl for rrset in rrsets), default=None)
