"""The DNSSEC chain: from the trust anchor over each delegation to an answer, or to the proof that there is none (RFC 4035, 5).

In: an `Answer` with its signatures, and `fetch`, which gets further ones (DS and DNSKEY). Out: a `Validation`: secure, insecure,
bogus or indeterminate, the link that decided it in a sentence, and all links from the root down. No I/O: `validate` is a
generator that passes on whatever `fetch` asks.

    anchor -> keys of `.` -> DS of org. -> keys of org. -> DS of example.org. -> its keys -> the record set, or its denial

A delegation without DS is found by asking for the DS of each name on the way: proven absent where there is a delegation means
that the zone is not signed (insecure), proven absent elsewhere means that there is no border, and not proven means bogus.
Algorithms and digests that nobody here knows count as not signed (RFC 4035, 5.2), an answer that did not come is indeterminate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec
from dns.rdtypes.ANY.DS import DS

from pellucid.client.dns import denial, nsec3
from pellucid.client.dns.answers import Answer, target_of
from pellucid.client.dns.asking import Asking
from pellucid.client.dns.denial import Proof
from pellucid.client.dns.signatures import Budget, Keys, check, find, shown, signatures_of, signed_keys, supported_ds
from pellucid.journey import Link

__all__ = ["IANA_ANCHORS", "Fetch", "Validation", "Validator", "Verdict"]

IANA_ANCHORS = (
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)
"""The DS of the root's keys of 2017 and 2024 (https://data.iana.org/root-anchors/root-anchors.xml)."""

Verdict = Literal["secure", "insecure", "bogus", "indeterminate"]
Fetch = Callable[[dns.name.Name, str], Asking[Answer]]
"""Gets a name and type with its signatures. A DS is the parent's: it must come from the servers of the zone above the name."""

_WORST: tuple[Verdict, ...] = ("secure", "insecure", "indeterminate", "bogus")
_MOST_STEPS = 32
_MOST_POINTS = 32
_MOST_DENIALS = 16
_DENIALS = (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)


class Validation(msgspec.Struct, frozen=True):
    """What validating came to."""

    verdict: Verdict
    says: str
    """The link that decided it, in a sentence."""
    chain: tuple[Link, ...] = ()


class _Trust(msgspec.Struct, frozen=True):
    """How far the chain holds at a name: the keys of the zone that it is in, or why there are none."""

    verdict: Verdict
    says: str
    links: tuple[Link, ...]
    keys: Keys | None = None
    barren: bool = False
    """There is no such name, so nothing is below it."""


class Validator:
    """Validates the answers of one run; zones that were looked at are remembered."""

    def __init__(self, fetch: Fetch, anchors: Iterable[str] = IANA_ANCHORS, now: float | None = None) -> None:
        """`anchors`: DS of the root as text, `20326 8 2 E06D...`; raises ValueError for others. `now`: seconds since 1970."""
        self._fetch = fetch
        self._now = time.time() if now is None else now
        self._anchors = [_anchor(text) for text in anchors]
        self._points: dict[dns.name.Name, _Trust] = {}

    def validate(self, answer: Answer) -> Asking[Validation]:
        """The verdict on every step of the answer, aliases and the final denial included: the worst of them. Never raises."""
        work = _Work(self._fetch, self._anchors, self._now, self._points)
        return (yield from work.validate(answer))


class _Work:
    """Validating one answer: what was spent, and the links so far."""

    def __init__(self, fetch: Fetch, anchors: list[DS], now: float, points: dict[dns.name.Name, _Trust]) -> None:
        self.fetch = fetch
        self.anchors = anchors
        self.now = now
        self.points = points
        self.budget = Budget()
        self.links: dict[Link, None] = {}
        self.verdict: Verdict = "secure"
        self.says = ""

    def validate(self, answer: Answer) -> Asking[Validation]:
        """Follow the aliases from the name, validating each, to the records or their denial."""
        name, kind = answer.name, dns.rdatatype.from_text(answer.type)
        if answer.outcome == "failed":
            return Validation("indeterminate", f"No answer came for {name} {answer.type}, so there was nothing to validate")
        step: dns.rrset.RRset | None = None
        for _ in range(_MOST_STEPS):
            step = _step(answer.rrsets, name, kind)
            if step is None:
                yield from self._absent(name, kind, answer)
                break
            yield from self._present(step, answer)
            if (step.rdtype == kind and step.name == name) or self.verdict == "bogus":
                break
            try:
                name = _next(name, step)
            except dns.name.NameTooLong:
                self._decide("bogus", f"{shown(step)} makes a name of {name} that is too long")
                break
        if self.verdict == "secure":
            end = f"{name} {answer.type}" if step is not None else f"the proof that there is no {name}"
            end += f" {answer.type}" if step is None and answer.outcome != "nxdomain" else ""
            self.says = f"Each link from the root's trust anchor to {end} is signed"
        return Validation(self.verdict, self.says, tuple(self.links))

    def _decide(self, verdict: Verdict, says: str) -> None:
        """A link's verdict, which is the whole's where it is worse."""
        if _WORST.index(verdict) > _WORST.index(self.verdict):
            self.verdict, self.says = verdict, says

    def _link(self, name: dns.name.Name, what: str, verdict: Verdict, says: str) -> None:
        self.links[Link(name.to_text(), what, verdict, says)] = None
        self._decide(verdict, says)

    # A record set that is there -------------------------------------------------------------------------------------------------

    def _present(self, rrset: dns.rrset.RRset, answer: Answer) -> Asking[None]:
        name, what = rrset.name, dns.rdatatype.to_text(rrset.rdtype)
        signatures = signatures_of(rrset, answer.rrsets)
        above = name.parent() if rrset.rdtype == dns.rdatatype.DS and name != dns.name.root else name
        signers = [each.signer for each in signatures if above.is_subdomain(each.signer)]
        trust = yield from self._trust(max(signers, key=len, default=above))
        self.links.update(dict.fromkeys(trust.links))
        if trust.keys is None:
            self._decide(trust.verdict, trust.says)
            if trust.verdict != "bogus":
                self._link(name, what, trust.verdict, f"{shown(rrset)} is below that, so nobody vouches for it")
            return
        found = check(rrset, signatures, trust.keys, self.now, self.budget)
        if found.reason is not None:
            self._link(name, what, "bogus", found.reason)
            return
        self._link(name, what, "secure", f"{shown(rrset)} is signed by key {found.tag} of {trust.keys.zone}")
        if found.wildcard is not None:
            yield from self._expanded(rrset, found.wildcard, trust.keys, answer)

    def _expanded(self, rrset: dns.rrset.RRset, wild: dns.name.Name, keys: Keys, answer: Answer) -> Asking[None]:
        """A record set made from a wildcard needs the proof that there is no closer name."""
        proof = self._expansion(rrset.name, wild, keys, answer.authority)
        what = dns.rdatatype.to_text(rrset.rdtype)
        if proof.holds == "no" and what != answer.type:  # an alias: the answer has the last step's proofs, its own has this one
            again = yield from self.fetch(rrset.name, what)
            proof = self._expansion(rrset.name, wild, keys, again.authority)
        self._link(rrset.name, f"wildcard {what}", _verdict_of(proof), proof.says)

    def _expansion(self, name: dns.name.Name, wild: dns.name.Name, keys: Keys, authority: list[dns.rrset.RRset]) -> Proof:
        good, reason = self._denials(authority, keys)
        hashed = nsec3.hashed_records(good, keys.zone)
        if hashed is not None:
            return nsec3.prove_expansion(name, wild, hashed)
        if not good and reason is not None:
            return Proof("no", reason)
        return denial.prove_expansion(name, wild, keys.zone, denial.nsec_records(good))

    # What is not there ----------------------------------------------------------------------------------------------------------

    def _absent(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, answer: Answer) -> Asking[None]:
        what = dns.rdatatype.to_text(kind)
        above = name.parent() if kind == dns.rdatatype.DS and name != dns.name.root else name
        signers = [each.signer for rrset in answer.authority for each in signatures_of(rrset, answer.authority)]
        trust = yield from self._trust(max((each for each in signers if above.is_subdomain(each)), key=len, default=above))
        self.links.update(dict.fromkeys(trust.links))
        if trust.keys is None:
            self._decide(trust.verdict, trust.says)
            return
        proof = self._denied(name, kind, answer, trust.keys)
        self._link(name, f"denial of {what}", _verdict_of(proof), proof.says)

    def _denied(self, name: dns.name.Name, kind: dns.rdatatype.RdataType, answer: Answer, keys: Keys) -> Proof:
        """The proof that there is no such name, or no such type, as the answer said."""
        good, reason = self._denials(answer.authority, keys)
        if not good:
            what = name.to_text() if answer.outcome == "nxdomain" else f"{name} {dns.rdatatype.to_text(kind)}"
            return Proof("no", reason or f"{keys.zone} is signed, but no proof came that there is no {what}")
        gone = answer.outcome == "nxdomain"
        hashed = nsec3.hashed_records(good, keys.zone)
        if hashed is not None:
            return nsec3.prove_no_name(name, hashed) if gone else nsec3.prove_no_data(name, kind, hashed)
        nsec = denial.nsec_records(good)
        return denial.prove_no_name(name, keys.zone, nsec) if gone else denial.prove_no_data(name, kind, keys.zone, nsec)

    def _denials(self, authority: list[dns.rrset.RRset], keys: Keys) -> tuple[list[dns.rrset.RRset], str | None]:
        """The NSEC and NSEC3 records that are signed, and why another is not; those made from a wildcard prove nothing."""
        good: list[dns.rrset.RRset] = []
        reason = None
        for rrset in [each for each in authority if each.rdtype in _DENIALS][:_MOST_DENIALS]:
            found = check(rrset, signatures_of(rrset, authority), keys, self.now, self.budget)
            if found.reason is None and found.wildcard is None:
                good.append(rrset)
            else:
                reason = reason or found.reason
        return good, reason

    # The chain down to a name ---------------------------------------------------------------------------------------------------

    def _trust(self, name: dns.name.Name) -> Asking[_Trust]:
        """From the anchor down to the zone that the name is in, as far as it holds."""
        points = [name.split(labels)[1] for labels in range(1, len(name) + 1)]
        trust: _Trust | None = None
        for point in points[:_MOST_POINTS]:
            known = self.points.get(point)
            if known is None:
                known = (yield from self._anchored()) if trust is None else (yield from self._below(trust, point))
                self.points[point] = known
            trust = known
            if trust.keys is None or trust.barren:
                return trust
        assert trust is not None
        if len(points) > _MOST_POINTS:
            return _Trust("indeterminate", f"{name} has more than {_MOST_POINTS} labels, further down nobody looked", trust.links)
        return trust

    def _anchored(self) -> Asking[_Trust]:
        """The root's keys, where one of them is the anchor."""
        vouched = self.anchors and supported_ds(dns.rrset.from_rdata_list(dns.name.root, 0, self.anchors))
        if not vouched:
            return _Trust("indeterminate", "There is no trust anchor to begin with", ())
        return (yield from self._keys(dns.name.root, vouched, ()))

    def _below(self, trust: _Trust, point: dns.name.Name) -> Asking[_Trust]:
        """One label further down: into the zone that begins there, or still in the same one."""
        assert trust.keys is not None
        answer = yield from self.fetch(point, "DS")
        if answer.outcome == "failed":
            why = f": {answer.failure.message}" if answer.failure else ""
            return _worse(trust, point, "DS", "indeterminate", f"The DS of {point} did not come{why}")
        ds = find(answer.rrsets, point, dns.rdatatype.DS)
        if ds is not None:
            return (yield from self._into(trust, trust.keys, ds, answer))
        alias = _step(answer.rrsets, point, dns.rdatatype.DS)
        if alias is not None:  # an alias stands alone at its name (RFC 1034, section 3.6.2), so no zone begins there
            found = check(alias, signatures_of(alias, answer.rrsets), trust.keys, self.now, self.budget)
            if found.reason is None:
                return trust
            return _worse(trust, point, "DS", "bogus", found.reason)
        proof = self._denied(point, dns.rdatatype.DS, answer, trust.keys)
        if proof.holds == "no":
            return _worse(trust, point, "denial of DS", "bogus", proof.says)
        if proof.cut or proof.holds == "insecure":
            return _worse(trust, point, "denial of DS", "insecure", f"{point} is not signed: {proof.says}")
        return msgspec.structs.replace(trust, barren=answer.outcome == "nxdomain")

    def _into(self, trust: _Trust, keys: Keys, ds: dns.rrset.RRset, answer: Answer) -> Asking[_Trust]:
        """Over a delegation: the parent's DS, then the child's keys."""
        point = ds.name
        found = check(ds, signatures_of(ds, answer.rrsets), keys, self.now, self.budget)
        if found.reason is not None:
            return _worse(trust, point, "DS", "bogus", found.reason)
        vouched = supported_ds(ds)
        if not vouched:
            kinds = sorted({f"algorithm {int(each.algorithm)} with digest {int(each.digest_type)}" for each in ds})
            says = f"{point} counts as not signed, since its DS has only {' and '.join(kinds[:4])}, which cannot be checked here"
            return _worse(trust, point, "DS", "insecure", says)
        tags = " and ".join(str(each.key_tag) for each in vouched)
        says = f"{keys.zone} vouches for key {tags} of {point}, and signed that with its key {found.tag}"
        link = Link(point.to_text(), "DS", "secure", says)
        return (yield from self._keys(point, vouched, (*trust.links, link)))

    def _keys(self, zone: dns.name.Name, vouched: list[DS], links: tuple[Link, ...]) -> Asking[_Trust]:
        """The keys of a zone for which there is a DS."""
        above = _Trust("secure", "", links)
        answer = yield from self.fetch(zone, "DNSKEY")
        if answer.outcome == "failed":
            why = f": {answer.failure.message}" if answer.failure else ""
            return _worse(above, zone, "DNSKEY", "indeterminate", f"The keys of {zone} did not come{why}")
        rrset = find(answer.rrsets, zone, dns.rdatatype.DNSKEY)
        if rrset is None:
            return _worse(above, zone, "DNSKEY", "bogus", f"{zone} has no keys, though its DS says that it is signed")
        keys, tag, reason = signed_keys(zone, rrset, signatures_of(rrset, answer.rrsets), vouched, self.now, self.budget)
        if keys is None:
            return _worse(above, zone, "DNSKEY", "bogus", reason)
        source = "which is the trust anchor" if zone == dns.name.root else "for which its DS stands"
        count = f"The {len(rrset)} keys of {zone} are" if len(rrset) > 1 else f"The key of {zone} is"
        link = Link(zone.to_text(), "DNSKEY", "secure", f"{count} signed by key {tag}, {source}")
        return _Trust("secure", "", (*links, link), keys)


def _anchor(text: str) -> DS:
    try:
        made = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text)
    except dns.exception.DNSException as error:
        raise ValueError(f"{text[:80]!r} is no DS record such as '20326 8 2 E06D...': {error}") from None
    assert isinstance(made, DS)
    return made


def _step(rrsets: list[dns.rrset.RRset], name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """What the answer has for the name: the records, or the alias that leads on. A DNAME's CNAME is made, so never signed."""
    found = find(rrsets, name, kind)
    if found is not None:
        return found
    for rrset in rrsets:
        if rrset.rdtype == dns.rdatatype.DNAME and name != rrset.name and name.is_subdomain(rrset.name):
            return rrset
    return find(rrsets, name, dns.rdatatype.CNAME)


def _next(name: dns.name.Name, alias: dns.rrset.RRset) -> dns.name.Name:
    """Where the alias leads."""
    target = target_of(alias)
    if alias.rdtype == dns.rdatatype.DNAME:
        return name.relativize(alias.name).concatenate(target)
    return target


def _worse(trust: _Trust, name: dns.name.Name, what: str, verdict: Verdict, says: str) -> _Trust:
    """The chain ends here."""
    return _Trust(verdict, says, (*trust.links, Link(name.to_text(), what, verdict, says)))


def _verdict_of(proof: Proof) -> Verdict:
    return "bogus" if proof.holds == "no" else proof.holds
