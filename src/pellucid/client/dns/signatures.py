"""Whether a record set is signed by a zone's keys, and whether a zone's keys are those that its parent vouches for (DS).

In: record sets of dnspython with their RRSIGs. Out: the key set, or the reason why not as a sentence. dnspython does the
cryptography; here is which signature may count at all (RFC 4035, section 5.3.1), and how much is tried: whoever serves a zone
chooses how many keys and signatures there are, and each costs (CVE-2023-50387, "KeyTrap"). No I/O; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import dns.dnssec
import dns.exception
import dns.name
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import msgspec
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

__all__ = ["Budget", "Keys", "Signed", "check", "find", "shown", "signatures_of", "signed_keys", "supported_ds"]

MOST_SIGNATURES = 8
"""How many signatures of one record set are looked at, as in Unbound."""
MOST_SAME_TAG = 4
"""How many keys with the tag of a signature are tried."""
MOST_DS = 8
MOST_CHECKS = 200
"""How many times a key is tried on a signature for one name, whatever its chain is made of."""

_ZONE_KEY, _REVOKED = 0x0100, 0x0080
"""Flags of DNSKEY (RFC 4034, section 2.1.1; RFC 5011, section 7)."""

_ALGORITHMS = frozenset({5, 7, 8, 10, 13, 14, 15, 16})
"""RSA with SHA-1, SHA-256 and SHA-512, ECDSA, Ed25519 and Ed448: all that RFC 9904 has for validation and dnspython can do."""

_DIGESTS = {1: 20, 2: 32, 4: 48}
"""The digests of DS that we can make (SHA-1, SHA-256, SHA-384), and their length in bytes."""


class Budget:
    """What may still be spent on a name."""

    __slots__ = ("checks",)

    def __init__(self, checks: int = MOST_CHECKS) -> None:
        self.checks = checks

    def take(self, some: int) -> bool:
        """Whether that many more checks may be made; they are taken off."""
        self.checks -= some
        return self.checks >= 0


class Keys(msgspec.Struct, frozen=True):
    """The keys of a zone, believed."""

    zone: dns.name.Name
    rdataset: dns.rdataset.Rdataset


class Signed(msgspec.Struct, frozen=True):
    """What `check` found: by which key a record set is signed, or why it counts as not signed."""

    reason: str | None = None
    """None where a signature holds; else a sentence that names the record set."""
    tag: int = 0
    """The tag of the key."""
    wildcard: dns.name.Name | None = None
    """The `*.` name that the record set was made from, where it was (RFC 4035, section 5.3.4)."""


def shown(rrset: dns.rrset.RRset) -> str:
    """A record set in words: `www.example.org. A`."""
    return f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)}"


def find(rrsets: Iterable[dns.rrset.RRset], name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """The record set of that name and type."""
    return next((rrset for rrset in rrsets if rrset.name == name and rrset.rdtype == kind), None)


def signatures_of(rrset: dns.rrset.RRset, among: Iterable[dns.rrset.RRset]) -> list[RRSIG]:
    """Its signatures, wherever they stand."""
    found: list[RRSIG] = []
    for other in among:
        if other.rdtype == dns.rdatatype.RRSIG and other.name == rrset.name:
            found += [rdata for rdata in other if isinstance(rdata, RRSIG) and rdata.type_covered == rrset.rdtype]
    return found


def check(rrset: dns.rrset.RRset, signatures: list[RRSIG], keys: Keys, now: float, budget: Budget) -> Signed:
    """Whether one of the signatures is of one of the keys and holds. Never raises."""
    what = shown(rrset)
    mine = [each for each in signatures if each.signer == keys.zone]
    if not mine:
        others = sorted({each.signer.to_text() for each in signatures})
        if others:
            return Signed(f"{what} is signed by {', '.join(others[:3])} and not by {keys.zone}, whose it is")
        return Signed(f"{what} has no signature, though {keys.zone} is signed")
    mine.sort(key=lambda each: not each.inception <= now <= each.expiration)  # those that may hold come first
    reasons: list[str] = []
    for signature in mine[:MOST_SIGNATURES]:
        reason = _check_one(rrset, signature, keys, now, budget)
        if reason is None:
            return Signed(None, signature.key_tag, _wildcard(rrset.name, signature))
        reasons.append(reason)
    return Signed(reasons[0])


def _check_one(rrset: dns.rrset.RRset, signature: RRSIG, keys: Keys, now: float, budget: Budget) -> str | None:
    """Why this signature does not count; None where it holds."""
    what = shown(rrset)
    if signature.expiration < now:
        return f"The signature of {what} ended on {_day(signature.expiration)}"
    if signature.inception > now:
        return f"The signature of {what} begins only on {_day(signature.inception)}"
    if signature.labels > _labels(rrset.name):
        return f"The signature of {what} is for a longer name"
    fitting = [
        key
        for key in keys.rdataset
        if isinstance(key, DNSKEY) and key.algorithm == signature.algorithm and key.key_id() == signature.key_tag
    ]
    fitting = fitting[:MOST_SAME_TAG]
    if not fitting:
        return f"The signature of {what} is by key {signature.key_tag}, which is not among the keys of {keys.zone}"
    if not supported(signature.algorithm):
        return f"The signature of {what} has algorithm {_algorithm(signature.algorithm)}, which cannot be checked here"
    if not budget.take(len(fitting)):
        return f"The signature of {what} was not checked, since too many had been: that is how servers are kept busy"
    some = dns.rdataset.from_rdata_list(keys.rdataset.ttl, fitting)
    try:
        dns.dnssec.validate_rrsig(rrset, signature, {keys.zone: some}, now=now)
    except (dns.exception.DNSException, ValueError):
        return f"The signature of {what} by key {signature.key_tag} of {keys.zone} does not fit it: one of them was changed"
    return None


def supported(algorithm: int) -> bool:
    """Whether signatures of that algorithm can be checked; those that may not be relied upon any more count as unknown."""
    return algorithm in _ALGORITHMS


def supported_ds(rrset: dns.rrset.RRset) -> list[DS]:
    """The DS records that can be followed: known algorithm and digest; SHA-1 only where there is none better (RFC 4509, 3)."""
    found = [each for each in rrset if isinstance(each, DS) and supported(each.algorithm)]
    found = [each for each in found if len(each.digest) == _DIGESTS.get(each.digest_type)]
    better = [each for each in found if each.digest_type != 1]
    return (better or found)[:MOST_DS]


def signed_keys(
    zone: dns.name.Name, keys: dns.rrset.RRset, signatures: list[RRSIG], vouched: list[DS], now: float, budget: Budget
) -> tuple[Keys | None, int, str]:
    """The keys of a zone, where they are signed by one that a DS fits (RFC 4035, section 5): keys, that key's tag, why not."""
    entries = [key for key in keys if isinstance(key, DNSKEY) and key.flags & (_ZONE_KEY | _REVOKED) == _ZONE_KEY]
    tags = {key.key_id() for key in entries}
    reason = unfit = ""
    for ds in vouched:
        candidates = [key for key in entries if key.key_id() == ds.key_tag and key.algorithm == ds.algorithm][:MOST_SAME_TAG]
        for key in candidates:
            if not budget.take(1):
                return None, 0, f"The keys of {zone} were not checked, since too many had been"
            if dns.dnssec.make_ds(zone, key, ds.digest_type, policy=dns.dnssec.allow_all_policy).digest != ds.digest:
                unfit = f"Key {ds.key_tag} of {zone} is not the one that the DS of {zone} stands for: the digests differ"
                continue
            entry = Keys(zone, dns.rdataset.from_rdata(keys.ttl, key))
            found = check(keys, [each for each in signatures if each.key_tag == ds.key_tag], entry, now, budget)
            if found.reason is None:
                return Keys(zone, dns.rdataset.from_rdata_list(keys.ttl, entries)), ds.key_tag, ""
            reason = found.reason
    if not reason and not unfit:
        wanted = " or ".join(str(ds.key_tag) for ds in vouched)
        there = ", ".join(map(str, sorted(tags)[:8])) or "none"
        source = "The trust anchor is key" if zone == dns.name.root else f"The DS of {zone} stands for key"
        reason = f"{source} {wanted}, which is not among the keys of {zone} ({there})"
    return None, 0, reason or unfit


def _labels(name: dns.name.Name) -> int:
    """The labels that count in a signature: without the root's and a leading `*` (RFC 4034, section 3.1.3)."""
    return len(name) - 1 - name.is_wild()


def _wildcard(name: dns.name.Name, signature: RRSIG) -> dns.name.Name | None:
    if signature.labels == _labels(name):
        return None
    return dns.name.from_text("*", name.split(signature.labels + 1)[1])


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _algorithm(number: int) -> str:
    return dns.dnssec.algorithm_to_text(number)
