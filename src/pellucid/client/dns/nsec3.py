"""Proofs that something is not there by hashed names: NSEC3 (RFC 5155, section 8; RFC 9276 for the rounds of hashing).

In and out: as `denial.py` has them. A zone with more than 150 rounds counts as not signed where it denies, as RFC 9276 (section
3.2) allows and Unbound, BIND and Knot do. Hashing is what the asked servers could make expensive (CVE-2023-50868), so no more
than 64 names are hashed per proof. No I/O.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
import msgspec
from dns.rdtypes.ANY.NSEC3 import NSEC3

from pellucid.client.dns.denial import Proof, of_bitmap, seals_below

__all__ = ["MOST_ROUNDS", "Hashed", "hash_between", "hashed_records", "prove_expansion", "prove_no_data", "prove_no_name"]

MOST_ROUNDS = 150
_MOST_HASHES = 64
_OPT_OUT = 1


class Hashed(msgspec.Struct, frozen=True):
    """The NSEC3 records of a zone that go together: one salt, one number of rounds."""

    zone: dns.name.Name
    salt: bytes
    rounds: int
    records: dict[bytes, NSEC3]
    """By the hash that is their owner's first label."""
    known: dict[dns.name.Name, bytes]
    """Hashes of names, once made."""


class _Exhausted(Exception):
    """More names were to be hashed than is reasonable."""


def hashed_records(rrsets: Iterable[dns.rrset.RRset], zone: dns.name.Name) -> Hashed | None:
    """Those of the zone that share the parameters of the first; others are left out (section 8.2)."""
    first: NSEC3 | None = None
    records: dict[bytes, NSEC3] = {}
    for rrset in rrsets:
        for rdata in rrset:
            if not isinstance(rdata, NSEC3) or rdata.algorithm != 1 or rdata.flags & ~_OPT_OUT or rrset.name.parent() != zone:
                continue
            first = first or rdata
            owner = unbase32(rrset.name.labels[0])
            if owner is not None and (rdata.salt, rdata.iterations) == (first.salt, first.iterations):
                records[owner] = rdata
    return None if first is None else Hashed(zone, first.salt, first.iterations, records, {})


def unbase32(label: bytes) -> bytes | None:
    """A label as the hash that it writes down (base32hex without padding, RFC 4648, section 7); None where it is none."""
    try:
        return base64.b32hexdecode(label.upper() + b"=" * (-len(label) % 8))
    except ValueError:
        return None


def hash_between(owner: bytes, hashed: bytes, after: bytes) -> bool:
    """Whether the hash stands strictly between the two; the last record leads back to the first."""
    if owner == after:
        return hashed != owner
    if owner < after:
        return owner < hashed < after
    return hashed > owner or hashed < after


def prove_no_data(name: dns.name.Name, kind: dns.rdatatype.RdataType, hashed: Hashed) -> Proof:
    """That the name is there and the type is not (sections 8.5 to 8.7); for DS also whether a zone may begin there."""
    if hashed.rounds > MOST_ROUNDS:
        return _too_many(hashed)
    try:
        return _no_data(name, kind, hashed)
    except _Exhausted:
        return _exhausted(name)


def prove_no_name(name: dns.name.Name, hashed: Hashed) -> Proof:
    """That the name is not there, and no wildcard that it could be made from (section 8.4)."""
    if hashed.rounds > MOST_ROUNDS:
        return _too_many(hashed)
    try:
        encloser, closer = _closest(name, hashed)
        if encloser is None or closer is None:
            return Proof("no", f"The NSEC3 records do not show that there is no {name}")
        wild = dns.name.from_text("*", encloser)
        if _covering(wild, hashed) is None:
            return Proof("no", f"No NSEC3 record shows that there is no {wild}, of which {name} could be made")
    except _Exhausted:
        return _exhausted(name)
    if closer.flags & _OPT_OUT:
        return Proof("insecure", f"NSEC3 of {hashed.zone} with opt-out: {name} may be delegated and not signed")
    return Proof("secure", f"NSEC3 records of {hashed.zone} show that below {encloser} there is no {name}, and no {wild}")


def prove_expansion(name: dns.name.Name, wild: dns.name.Name, hashed: Hashed) -> Proof:
    """That no name between the wildcard's and the asked one is there (section 8.8)."""
    if hashed.rounds > MOST_ROUNDS:
        return _too_many(hashed)
    try:
        cover = _covering(name.split(len(wild))[1], hashed)
    except _Exhausted:
        return _exhausted(name)
    if cover is None:
        return Proof("no", f"No NSEC3 record shows that {wild} may stand for {name}")
    if cover.flags & _OPT_OUT:
        return Proof("insecure", f"NSEC3 of {hashed.zone} with opt-out: a name closer than {wild} may be delegated, not signed")
    return Proof("secure", f"NSEC3 of {hashed.zone} shows that there is no closer name than {wild}")


def _no_data(name: dns.name.Name, kind: dns.rdatatype.RdataType, hashed: Hashed) -> Proof:
    text = dns.rdatatype.to_text(kind)
    own = _matching(name, hashed)
    if own is not None:
        return of_bitmap(name, kind, own, f"NSEC3 of {name}")
    encloser, closer = _closest(name, hashed)
    if encloser is None or closer is None:
        return Proof("no", f"The NSEC3 records do not show that {name} has no {text}")
    wild = dns.name.from_text("*", encloser)
    of_wild = _matching(wild, hashed)
    if of_wild is not None:
        return of_bitmap(wild, kind, of_wild, f"NSEC3 of {wild}, for which {name} stands,")
    if closer.flags & _OPT_OUT:  # section 8.6; for other types the name may stand empty above a delegation that is left out
        cut = kind == dns.rdatatype.DS
        return Proof("insecure", f"NSEC3 of {hashed.zone} with opt-out: {name} may be delegated, and is not signed then", cut=cut)
    return Proof("no", f"NSEC3 records of {hashed.zone} show that {name} is not there, which is not what was answered")


def _closest(name: dns.name.Name, hashed: Hashed) -> tuple[dns.name.Name | None, NSEC3 | None]:
    """The closest name above that exists, and the record over the next closer one, which does not (section 8.3)."""
    closer: dns.name.Name | None = None
    for labels in range(len(name), len(hashed.zone) - 1, -1):
        at = name.split(labels)[1]
        record = _matching(at, hashed)
        if record is not None:
            if closer is None or seals_below(record):
                return None, None
            return at, _covering(closer, hashed)
        closer = at
    return None, None


def _matching(name: dns.name.Name, hashed: Hashed) -> NSEC3 | None:
    return hashed.records.get(_hash(name, hashed))


def _covering(name: dns.name.Name, hashed: Hashed) -> NSEC3 | None:
    it = _hash(name, hashed)
    return next((record for owner, record in hashed.records.items() if hash_between(owner, it, record.next)), None)


def _hash(name: dns.name.Name, hashed: Hashed) -> bytes:
    found = hashed.known.get(name)
    if found is None:
        if len(hashed.known) >= _MOST_HASHES:
            raise _Exhausted
        text = dns.dnssec.nsec3_hash(name, hashed.salt, hashed.rounds, 1)
        found = hashed.known[name] = base64.b32hexdecode(text)
    return found


def _too_many(hashed: Hashed) -> Proof:
    return Proof(
        "insecure",
        f"{hashed.zone} hashes names in {hashed.rounds} more rounds; above {MOST_ROUNDS} nobody checks them (RFC 9276)",
        cut=True,
    )


def _exhausted(name: dns.name.Name) -> Proof:
    return Proof("no", f"The proof about {name} was given up: too many names would have had to be hashed")
