"""What the answer of an authoritative server means: classified, and stripped of what the server has no say in.

In: a message, the zone that its sender was asked as a server of, and the question. Out: a `Reading`. Pure.

Bailiwick: a server of `org.` may speak of everything at and below `org.`, and of nothing else. So records outside are dropped
before anything is decided, in the answer (else a server of one zone could poison another), in the authority section and among
the glue. What was dropped is noted. (To keep glue only inside the *child* would be stricter, and wrong: servers of one zone often
serve its siblings.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from pellucid.client.dns.answers import addresses_in, target_of
from pellucid.journey.names import Outcome

__all__ = ["Cut", "Reading", "alias_of", "covers", "read_message", "take_chain", "target_of_server"]

_MOST_SERVERS = 30
_MOST_ADDRESSES = 8


@dataclass
class Cut:
    """A zone and its servers: name, and the addresses that came as glue."""

    name: dns.name.Name
    servers: dict[dns.name.Name, list[str]]
    ttl: int = 0
    learned: int = 0
    """An instant of the journey."""


@dataclass
class Reading:
    """A message, understood."""

    kind: Outcome
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)
    cut: Cut | None = None
    """Whom a referral named."""
    glue: dict[dns.name.Name, list[str]] = field(default_factory=dict)
    """All addresses of the additional section that the sender may speak of."""
    rcode: int = 0
    notes: list[str] = field(default_factory=list)
    words: str = ""
    """For the narration, where the kind alone does not say it."""


def read_message(message: dns.message.Message, zone: dns.name.Name, name: dns.name.Name, kind: str) -> Reading:
    """Classify what a server of `zone` said to a question for `name` and `kind`."""
    notes: list[str] = []
    reading = Reading("servfail", rcode=int(message.rcode()), notes=notes)
    reading.answer = _inside(message.answer, zone, "answer", notes)
    reading.authority = _inside(message.authority, zone, "authority", notes)
    for each in _inside(message.additional, zone, "additional", []):
        if each.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            reading.glue.setdefault(each.name, []).extend(addresses_in([each])[:_MOST_ADDRESSES])
    code = message.rcode()
    if message.flags & dns.flags.TC:
        reading.kind = "truncated"
    elif code == dns.rcode.REFUSED:
        reading.kind, reading.words = "refused", "it refused (REFUSED)"
    elif code == dns.rcode.YXDOMAIN and alias_of(reading.answer, name, kind):
        reading.kind, reading.words = "servfail", "its DNAME makes the name too long (YXDOMAIN)"
    elif code in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
        reading.kind, reading.words = "formerr", f"it did not take the question ({dns.rcode.to_text(code)})"
    elif code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        reading.words = f"it failed ({dns.rcode.to_text(code)})"
    else:
        _classify(message, zone, name, kind, reading)
        inner = _served_too(reading, zone)
        if inner is not None:
            notes.append(f"It serves {inner} as well, so it answered at once instead of referring us there")
    return reading


def _served_too(reading: Reading, zone: dns.name.Name) -> dns.name.Name | None:
    """A zone below that the sender answered for: the owner of the SOA, or who signed the answer."""
    if reading.kind not in ("answer", "cname", "dname", "nodata", "nxdomain"):
        return None
    named = [each.name for each in reading.authority if each.rdtype == dns.rdatatype.SOA]
    named += [getattr(each[0], "signer", zone) for each in reading.answer if each.rdtype == dns.rdatatype.RRSIG]
    return next((name for name in named if name != zone and name.is_subdomain(zone)), None)


def _classify(message: dns.message.Message, zone: dns.name.Name, name: dns.name.Name, kind: str, reading: Reading) -> None:
    """NOERROR and NXDOMAIN: an answer, an alias, a referral, a denial, or a server that does not serve the zone."""
    authoritative = bool(message.flags & dns.flags.AA)
    soa = next((each for each in reading.authority if each.rdtype == dns.rdatatype.SOA), None)
    chain = take_chain(reading.answer, name, kind)
    alias = alias_of(reading.answer, name, kind)
    if chain or alias is not None:
        if not authoritative:
            reading.kind, reading.words = "lame", "it answered from memory (no AA flag), so it does not serve the zone"
        else:
            reading.kind = "answer" if alias is None else alias[0]
        return
    if message.rcode() == dns.rcode.NXDOMAIN:
        reading.kind = "nxdomain" if authoritative or soa is not None else "lame"
        reading.words = "" if reading.kind == "nxdomain" else "it denied the name without being an authority for it"
        return
    named = [each for each in reading.authority if each.rdtype == dns.rdatatype.NS]
    below = [each for each in named if each.name != zone and each.name.is_subdomain(zone) and name.is_subdomain(each.name)]
    if below and soa is None:
        deepest = max(below, key=lambda each: len(each.name.labels))
        reading.kind, reading.cut = "referral", _cut(message, zone, deepest, reading.notes)
    elif soa is not None or authoritative:
        reading.kind = "nodata"
    else:
        reading.kind = "lame"
        elsewhere = [each.name.to_text() for each in message.authority if each.rdtype == dns.rdatatype.NS]
        reading.words = (
            f"it referred us upward or sideways, to {elsewhere[0]}, so it does not serve {zone}"
            if elsewhere
            else f"it said nothing at all, so it does not serve {zone}"
        )


def _inside(
    rrsets: list[dns.rrset.RRset], zone: dns.name.Name, section: str, notes: list[str]
) -> list[dns.rrset.RRset]:
    kept = [each for each in rrsets if each.rdclass == dns.rdataclass.IN and each.name.is_subdomain(zone)]
    outside = [f"{each.name} {dns.rdatatype.to_text(each.rdtype)}" for each in rrsets if each not in kept]
    if outside:
        shown = ", ".join(outside[:3]) + (f" and {len(outside) - 3} more" if len(outside) > 3 else "")
        notes.append(f"Ignored in the {section} section, since a server of {zone} has no say in it: {shown}")
    return kept


def _cut(message: dns.message.Message, zone: dns.name.Name, named: dns.rrset.RRset, notes: list[str]) -> Cut:
    """The referral's servers with their glue, as far as the sender may speak of it."""
    targets = [target_of_server(rdata) for rdata in list(named)[:_MOST_SERVERS]]
    servers: dict[dns.name.Name, list[str]] = {target: [] for target in targets}
    addresses = (dns.rdatatype.A, dns.rdatatype.AAAA)
    glue = [each for each in message.additional if each.rdtype in addresses and each.rdclass == dns.rdataclass.IN]
    outside: list[str] = []
    for each in glue:
        if each.name not in servers:
            outside.append(f"{each.name} (no server of {named.name})")
        elif not each.name.is_subdomain(zone):
            outside.append(f"{each.name} (outside {zone})")
        else:
            servers[each.name] += addresses_in([each])[:_MOST_ADDRESSES]
    if outside:
        notes.append(f"Ignored addresses that came along: {', '.join(outside[:3])}{' ...' if len(outside) > 3 else ''}")
    return Cut(named.name, servers, int(named.ttl))


def target_of_server(rdata: object) -> dns.name.Name:
    """The server that an NS record names."""
    target = getattr(rdata, "target", None)
    return target if isinstance(target, dns.name.Name) else dns.name.root


def covers(rrset: dns.rrset.RRset) -> dns.rdatatype.RdataType:
    """The type of a record set; for signatures the type that they sign."""
    return rrset.covers if rrset.rdtype == dns.rdatatype.RRSIG else rrset.rdtype


def take_chain(answer: list[dns.rrset.RRset], name: dns.name.Name, kind: str) -> list[dns.rrset.RRset]:
    """The records at `name` of the type asked for, with their signatures."""
    wanted = dns.rdatatype.from_text(kind)
    here = [each for each in answer if each.name == name and covers(each) == wanted]
    return here if any(each.rdtype == wanted for each in here) else []


def alias_of(
    answer: list[dns.rrset.RRset], name: dns.name.Name, kind: str
) -> tuple[Outcome, dns.name.Name | None, list[dns.rrset.RRset]] | None:
    """The alias that leads on from `name`: which kind, whereto (None: too long), and its records with signatures.

    A DNAME above the name counts before the CNAME that was made out of it, which carries no signature: what it says is worked
    out here (RFC 6672, section 2.2) and the server's own is not believed.
    """
    if kind in ("CNAME", "ANY"):
        return None
    for each in answer:
        if each.rdtype == dns.rdatatype.DNAME and each.name != name and name.is_subdomain(each.name):
            records = [one for one in answer if one.name == each.name and covers(one) == dns.rdatatype.DNAME]
            return "dname", _substituted(name, each.name, target_of(each)), records
    records = [one for one in answer if one.name == name and covers(one) == dns.rdatatype.CNAME]
    alias = next((one for one in records if one.rdtype == dns.rdatatype.CNAME), None)
    return None if alias is None else ("cname", target_of(alias), records)


def _substituted(name: dns.name.Name, owner: dns.name.Name, target: dns.name.Name) -> dns.name.Name | None:
    try:
        return name.relativize(owner).concatenate(target)
    except dns.name.NameTooLong:
        return None
