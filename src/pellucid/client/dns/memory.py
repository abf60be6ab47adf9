"""What a run has learned of the name space: zone cuts, answers and denials with their TTLs, and how servers behave.

In: what the walk found out, and instants of the journey. Out: what still holds. It asks nobody.

Kept: positive answers for their TTL, negative ones for the lower of the SOA's TTL and its last field (RFC 2308, section 5),
failures for 5 seconds (RFC 9520, section 3.2), all for 5 seconds at least, so that one walk sees one state of the world.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.name
import dns.rdatatype
import dns.rrset
import msgspec

from pellucid.client.dns.reading import Cut
from pellucid.journey import Failure
from pellucid.journey.names import Outcome

__all__ = ["Fetched", "Memory"]

_SECOND = 1_000_000_000
_LEAST, _MOST, _MOST_NEGATIVE = 5, 86_400, 10_800
_FAILED = 5
_MOST_KEPT = 5_000


class Fetched(msgspec.Struct):
    """What authoritative servers say of one name and type: one step, no alias followed."""

    name: dns.name.Name
    type: str
    outcome: Outcome
    """`answer`, `cname`, `dname`, `nodata`, `nxdomain`; `servfail` where `failure` is set."""
    answer: list[dns.rrset.RRset] = []
    """Records and their RRSIGs: those at `name` of the type; or a CNAME at it; or a DNAME above it (nothing synthesized)."""
    authority: list[dns.rrset.RRset] = []
    """The authority section as it came, inside the server's zone: SOA, NSEC, NSEC3 and their RRSIGs."""
    zone: dns.name.Name = dns.name.root
    """The zone that the server was asked as a server of (it may serve a zone below as well: see the RRSIGs' signer)."""
    target: dns.name.Name | None = None
    """Where an alias leads; None with outcome `dname`: the name became too long."""
    rcode: int = 0
    ttl: int = 0
    at: int = 0
    """When it was learned."""
    failure: Failure | None = None


@dataclass
class Memory:
    """One per run; every walk adds to it."""

    cuts: dict[dns.name.Name, Cut] = field(default_factory=dict)
    answers: dict[tuple[dns.name.Name, str], Fetched] = field(default_factory=dict)
    round_trips: dict[str, float] = field(default_factory=dict)
    """Smoothed, in seconds, by address."""
    without_edns: set[str] = field(default_factory=set)
    bad: dict[tuple[dns.name.Name, str], tuple[int, str]] = field(default_factory=dict)
    """Servers that did not serve a zone: until when not to ask, and why."""

    def closest(self, name: dns.name.Name, now: int) -> Cut | None:
        """The deepest known zone at or above `name`; None before the root is known."""
        while True:
            cut = self.cuts.get(name)
            if cut is not None and (now - cut.learned) < max(cut.ttl, _LEAST) * _SECOND:
                return cut
            if name == dns.name.root:
                return None
            name = name.parent()

    def keep_cut(self, cut: Cut, now: int) -> None:
        """A zone and its servers were learned."""
        cut.learned, cut.ttl = now, min(cut.ttl, _MOST)
        if len(self.cuts) < _MOST_KEPT:
            self.cuts[cut.name] = cut

    def answer(self, name: dns.name.Name, kind: str, now: int) -> Fetched | None:
        """What is known of a name and type, or of the name as a whole (NXDOMAIN, an alias)."""
        for key in ((name, kind), (name, "")):
            found = self.answers.get(key)
            if found is not None and now - found.at < max(found.ttl, _LEAST) * _SECOND:
                return found
        return None

    def keep(self, fetched: Fetched, now: int) -> None:
        """Something was learned of a name: NXDOMAIN and aliases of all its types, else of one."""
        fetched.at = now
        negative = fetched.outcome in ("nodata", "nxdomain")
        fetched.ttl = _FAILED if fetched.failure else _negative_ttl(fetched) if negative else _ttl(fetched)
        if len(self.answers) < _MOST_KEPT:
            whole = fetched.outcome in ("nxdomain", "cname", "dname")
            self.answers[fetched.name, "" if whole else fetched.type] = fetched

    def answered(self, address: str, seconds: float) -> None:
        """A server answered after `seconds`."""
        before = self.round_trips.get(address)
        self.round_trips[address] = seconds if before is None else 0.7 * before + 0.3 * seconds

    def silent(self, address: str, seconds: float) -> None:
        """A server did not answer: it comes after those that do."""
        self.round_trips[address] = max(2 * self.round_trips.get(address, 0.0), seconds)

    def blame(self, zone: dns.name.Name, address: str, why: str, now: int) -> None:
        """A server does not serve a zone: not to be asked about it for a while."""
        self.bad[zone, address] = (now + _FAILED * _SECOND, why)

    def blamed(self, zone: dns.name.Name, address: str, now: int) -> str | None:
        """Why a server is not to be asked about a zone now."""
        until, why = self.bad.get((zone, address), (0, ""))
        return why if until > now else None


def _ttl(fetched: Fetched) -> int:
    return min(min((rrset.ttl for rrset in fetched.answer), default=0), _MOST)


def _negative_ttl(fetched: Fetched) -> int:
    soa = next((rrset for rrset in fetched.authority if rrset.rdtype == dns.rdatatype.SOA), None)
    return 0 if soa is None else min(soa.ttl, getattr(soa[0], "minimum", 0), _MOST_NEGATIVE)
