"""Proofs that something is not there: NSEC (RFC 4035, section 5.4; RFC 6840, section 4), and which kind of proof is at hand.

In: the name, the type, the zone, and NSEC or NSEC3 records whose signatures were checked. Out: a `Proof`: whether they prove it,
and in a sentence how or why not. Names are compared in canonical order (RFC 4034, section 6.1), which is dnspython's. NSEC3 is in
`nsec3.py`, with the same three questions. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import dns.name
import dns.rdatatype
import dns.rrset
import msgspec
from dns.rdtypes.ANY.NSEC import NSEC
from dns.rdtypes.ANY.NSEC3 import NSEC3

__all__ = [
    "Nsec",
    "Proof",
    "between",
    "nsec_records",
    "of_bitmap",
    "prove_expansion",
    "prove_no_data",
    "prove_no_name",
    "seals_below",
]

_APEX = dns.rdatatype.SOA
_CUT = dns.rdatatype.NS


class Proof(msgspec.Struct, frozen=True):
    """Whether a denial is proven."""

    holds: Literal["secure", "insecure", "no"]
    """`insecure`: proven as far as the zone lets anybody prove it (opt-out, or too many NSEC3 rounds)."""
    says: str
    cut: bool = False
    """Of a denied DS: that the name is delegated, so what is below it is not signed."""


class Nsec(msgspec.Struct, frozen=True):
    """An NSEC record: nothing stands between its owner and the next name."""

    owner: dns.name.Name
    rdata: NSEC


def nsec_records(rrsets: Iterable[dns.rrset.RRset]) -> list[Nsec]:
    """Those of the record sets."""
    return [Nsec(rrset.name, rdata) for rrset in rrsets for rdata in rrset if isinstance(rdata, NSEC)]


def _has_type(rdata: NSEC | NSEC3, kind: int) -> bool:
    """Whether the type stands in the bitmap (RFC 4034, section 4.1.2)."""
    window, at = kind >> 8, kind & 0xFF
    windows: Iterable[tuple[int, bytes]] = rdata.windows
    return any(number == window and at >> 3 < len(bits) and bits[at >> 3] & 0x80 >> (at & 7) != 0 for number, bits in windows)


def between(owner: dns.name.Name, name: dns.name.Name, after: dns.name.Name) -> bool:
    """Whether the name stands strictly between the two; the last record of a zone leads back to its first."""
    above, below = name.fullcompare(owner)[1] > 0, name.fullcompare(after)[1] < 0
    return above and below if owner.fullcompare(after)[1] < 0 else above or below


def prove_no_data(name: dns.name.Name, kind: dns.rdatatype.RdataType, zone: dns.name.Name, records: list[Nsec]) -> Proof:
    """That the name is there, and the type is not (RFC 4035, section 5.4); for DS also whether the name is a zone cut."""
    text = dns.rdatatype.to_text(kind)
    for record in records:
        if record.owner == name and name.is_subdomain(zone):
            return of_bitmap(name, kind, record.rdata, f"NSEC of {name}")
    cover = _cover(name, zone, records)
    if cover is None:
        return Proof("no", f"No NSEC record shows that {name} has no {text}")
    if cover.rdata.next.is_subdomain(name):
        return Proof("secure", f"NSEC of {cover.owner} shows that {name} has only names below it")
    wild = dns.name.from_text("*", _encloser(name, cover))
    for record in records:
        if record.owner == wild:
            return of_bitmap(wild, kind, record.rdata, f"NSEC of {wild}, for which {name} stands,")
    also = _cover(wild, zone, records)
    if also is not None and also.rdata.next.is_subdomain(wild):  # it has no types, but is there (RFC 4592, section 2.2.2)
        return Proof("secure", f"NSEC of {also.owner} shows that {wild}, for which {name} stands, has only names below it")
    return Proof("no", f"NSEC of {cover.owner} shows that {name} is not there, which is not what was answered")


def prove_no_name(name: dns.name.Name, zone: dns.name.Name, records: list[Nsec]) -> Proof:
    """That the name is not there, and no wildcard that it could be made from."""
    cover = _cover(name, zone, records)
    if cover is None:
        return Proof("no", f"No NSEC record shows that {name} is not there")
    if cover.rdata.next.is_subdomain(name):
        return Proof("no", f"NSEC of {cover.owner} shows that there are names below {name}: it does exist")
    wild = dns.name.from_text("*", _encloser(name, cover))
    also = _cover(wild, zone, records)
    if also is None or also.rdata.next.is_subdomain(wild):
        return Proof("no", f"No NSEC record shows that there is no {wild}, of which {name} could be made")
    both = f"NSEC of {cover.owner}" if also is cover else f"NSEC of {cover.owner} and of {also.owner}"
    return Proof("secure", f"{both} {'shows' if also is cover else 'show'} that there is no {name}, and no {wild}")


def prove_expansion(name: dns.name.Name, wild: dns.name.Name, zone: dns.name.Name, records: list[Nsec]) -> Proof:
    """That the name itself is not there, so that the wildcard may stand for it (RFC 4035, section 5.3.4)."""
    cover = _cover(name, zone, records)
    if cover is None or _encloser(name, cover) != wild.parent():
        return Proof("no", f"No NSEC record shows that {wild} may stand for {name}")
    return Proof("secure", f"NSEC of {cover.owner} shows that there is no closer name than {wild}")


def of_bitmap(name: dns.name.Name, kind: dns.rdatatype.RdataType, rdata: NSEC | NSEC3, source: str) -> Proof:
    """What the record of the very name says of a type."""
    text = dns.rdatatype.to_text(kind)
    if _has_type(rdata, kind):
        return Proof("no", f"{source} says that there is a {text}")
    if _has_type(rdata, dns.rdatatype.CNAME) and kind != dns.rdatatype.CNAME:
        return Proof("no", f"{source} says that there is a CNAME")
    apex, cut = _has_type(rdata, _APEX), _has_type(rdata, _CUT)
    if kind == dns.rdatatype.DS:
        if apex and name != dns.name.root:
            return Proof("no", f"{source} is of the zone itself, while only its parent knows of its DS")
        if cut:
            return Proof("secure", f"{source} shows that {name} is delegated without a DS", cut=True)
    elif cut and not apex:
        return Proof("no", f"{source} is of the zone above it, which knows nothing of its {text}")
    return Proof("secure", f"{source} shows that there is no {text}")


def _cover(name: dns.name.Name, zone: dns.name.Name, records: list[Nsec]) -> Nsec | None:
    """The record that the name would stand after, if it may speak of it: not from above a cut or a DNAME (RFC 6840, 4.1)."""
    if not name.is_subdomain(zone):
        return None
    for record in records:
        if not record.owner.is_subdomain(zone) or not between(record.owner, name, record.rdata.next):
            continue
        if name.is_subdomain(record.owner) and seals_below(record.rdata):
            continue
        return record
    return None


def seals_below(rdata: NSEC | NSEC3) -> bool:
    """Whether names below the record's are somebody else's: a delegation, or a DNAME."""
    return _has_type(rdata, dns.rdatatype.DNAME) or (_has_type(rdata, _CUT) and not _has_type(rdata, _APEX))


def _encloser(name: dns.name.Name, cover: Nsec) -> dns.name.Name:
    """The closest name above that exists, as the record round the name shows."""
    shared = max(_shared(name, cover.owner), _shared(name, cover.rdata.next))
    return name.split(shared)[1]


def _shared(one: dns.name.Name, other: dns.name.Name) -> int:
    """How many labels from the root on are the same."""
    return one.fullcompare(other)[2]
