"""The chain: what it shows, how it ends early, and that nothing taken out or changed on the way makes an answer better."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from functools import cache

import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdtypes.ANY.RRSIG import RRSIG

from hierarchy import Laboratory
from pellucid.client.dns.answers import Answer
from pellucid.client.dns.dnssec import IANA_ANCHORS, Validator
from validated import Fetched, Key, replay, run, validated
from zones import CASES, Case

# Servers that keep us waiting add nothing here.
QUICK = [case for case in CASES if case.end != "failure" and not case.name.startswith(("www.slow", "www.half", "www.lossy"))]
SIGNED = [case for case in QUICK if case.verdict == "secure"]


Finds = Callable[[Case], Fetched]


@pytest.fixture(scope="module")
def find(lab: Laboratory) -> Finds:
    """Walks to a name and validates it, once."""
    return cache(lambda case: validated(lab, case.name, case.type))


@pytest.fixture(scope="module")
def tried() -> set[str]:
    """Links that were taken out under another name already: all names share those near the root."""
    return set()


def name_of(case: Case) -> str:
    return f"{case.name}-{case.type}"


def test_the_links_run_from_the_anchor_down(lab: Laboratory) -> None:
    found = validated(lab, "www.sub.shop.lab.").validation
    assert [(link.name, link.what, link.verdict) for link in found.chain] == [
        (".", "DNSKEY", "secure"),
        ("lab.", "DS", "secure"),
        ("lab.", "DNSKEY", "secure"),
        ("shop.lab.", "DS", "secure"),
        ("shop.lab.", "DNSKEY", "secure"),
        ("sub.shop.lab.", "DS", "secure"),
        ("sub.shop.lab.", "DNSKEY", "secure"),
        ("www.sub.shop.lab.", "A", "secure"),
    ]
    assert found.says == "Each link from the root's trust anchor to www.sub.shop.lab. A is signed"
    anchor = lab.anchor[0].split()[0]
    assert found.chain[0].says == f"The 2 keys of . are signed by key {anchor}, which is the trust anchor"


def test_each_step_of_aliases_is_a_link(lab: Laboratory) -> None:
    found = validated(lab, "farther.shop.lab.").validation
    steps = [(link.name, link.what) for link in found.chain if link.what in ("CNAME", "A")]
    assert steps == [("farther.shop.lab.", "CNAME"), ("alias.site.cdn.", "CNAME"), ("www.site.cdn.", "A")]
    moved = validated(lab, "www.old.shop.lab.").validation
    assert ("old.shop.lab.", "DNAME") in [(link.name, link.what) for link in moved.chain]


def test_what_is_denied_is_shown_with_its_proof(lab: Laboratory) -> None:
    last = validated(lab, "nothing.shop.lab.").validation.chain[-1]
    assert last.what == "denial of A"
    assert last.says == "NSEC of www.new.shop.lab. and of shop.lab. show that there is no nothing.shop.lab., and no *.shop.lab."
    wild = validated(lab, "any.wild.shop.lab.").validation.chain[-1]
    assert (wild.name, wild.what) == ("any.wild.shop.lab.", "wildcard A")
    bare = validated(lab, "www.bare.shop.lab.").validation
    assert (bare.chain[-2].name, bare.chain[-2].what, bare.chain[-2].verdict) == ("bare.shop.lab.", "denial of DS", "insecure")


def test_only_keys_and_what_is_not_known_yet_are_asked_for(lab: Laboratory) -> None:
    """DS records came with the referrals of the walk."""
    found = validated(lab, "www.shop.lab.")
    purposes = [hop.purpose for hop in found.hops if hop.purpose and hop.purpose.startswith(("DNSKEY", "DS"))]
    assert purposes == ["DNSKEY of .", "DNSKEY of lab.", "DNSKEY of shop.lab."]


@pytest.mark.parametrize("case", QUICK, ids=name_of)
def test_nothing_taken_out_makes_it_better(lab: Laboratory, find: Finds, tried: set[str], case: Case) -> None:
    """Whoever sits between can take out any record set. Then it must not pass for signed, nor for rightly unsigned."""
    found = find(case)
    assert replay(lab, found.answer, found.fetched).verdict == case.verdict
    for answer, fetched, what in without_one(found.answer, found.fetched):
        if what in tried:
            continue
        if not what.endswith("the answer"):
            tried.add(what)
        verdict = replay(lab, answer, fetched).verdict
        assert case.verdict == "insecure" or verdict != "insecure", what
        assert case.verdict == "secure" or verdict != "secure", what
        if verdict == "secure":  # nothing rests upon it: more proofs than needed, or the same twice
            spare = " of authority of " in what or what.endswith("'CNAME')")
            assert spare or what.split()[1] in ("NSEC", "NSEC3", "RRSIG"), what


def without_one(answer: Answer, fetched: dict[Key, Answer]) -> Iterator[tuple[Answer, dict[Key, Answer], str]]:
    """The same with one record set missing, wherever it stands."""
    for key, one in [(None, answer), *fetched.items()]:
        for section in ("rrsets", "authority"):
            for at, rrset in enumerate(getattr(one, section)):
                less = copy.copy(one)
                setattr(less, section, [other for index, other in enumerate(getattr(one, section)) if index != at])
                what = f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} of {section} of {key or 'the answer'}"
                if key is None:
                    yield less, fetched, what
                else:
                    yield answer, {**fetched, key: less}, what


@pytest.mark.parametrize("case", SIGNED, ids=name_of)
def test_nothing_changed_passes_for_signed(lab: Laboratory, find: Finds, case: Case) -> None:
    """One bit of any signature that counts, or of the records, and the verdict falls."""
    found = find(case)
    for rrset in [each for each in found.answer.rrsets if each.rdtype != dns.rdatatype.RRSIG]:
        changed = copy.copy(found.answer)
        changed.rrsets = [retold(each) if each is rrset else each for each in changed.rrsets]
        assert replay(lab, changed, found.fetched).verdict == "bogus", rrset
    for key in found.fetched:
        if key[1] == "DNSKEY":
            forged = copy.copy(found.fetched[key])
            forged.rrsets = [resigned(each) for each in forged.rrsets]
            verdict = replay(lab, found.answer, {**found.fetched, key: forged})
            assert verdict.verdict == "bogus"
            assert f"{key[0]} DNSKEY" in verdict.says


def retold(rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """With one record less, or another in its place."""
    records = list(rrset)
    if len(records) > 1:
        return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, records[1:])
    others = {"A": "192.0.2.254", "AAAA": "2001:db8::254", "CNAME": "www.", "DNAME": "cdn.", "HTTPS": "2 . alpn=h3"}
    kind = dns.rdatatype.to_text(rrset.rdtype)
    if kind in others:
        return dns.rrset.from_text(rrset.name, rrset.ttl, "IN", kind, others[kind])
    text = records[0].to_text()
    digit = next(at for at in range(len(text) - 1, 0, -1) if text[at] in "0123456789")
    other = f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}"
    return dns.rrset.from_text(rrset.name, rrset.ttl, "IN", kind, other)


def resigned(rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """With a bit of each signature turned round."""
    if rrset.rdtype != dns.rdatatype.RRSIG:
        return rrset
    signatures = [each for each in rrset if isinstance(each, RRSIG)]
    turned = [each.replace(signature=bytes([each.signature[0] ^ 1]) + each.signature[1:]) for each in signatures]
    return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, turned)


@pytest.mark.parametrize("case", [case for case in SIGNED if case.end in ("nodata", "nxdomain")], ids=name_of)
def test_a_proof_proves_one_thing_only(lab: Laboratory, find: Finds, case: Case) -> None:
    """That a type is missing is no proof that the name is, nor the other way round."""
    found = find(case)
    turned = copy.copy(found.answer)
    turned.outcome = "nodata" if case.end == "nxdomain" else "nxdomain"
    assert replay(lab, turned, found.fetched).verdict == "bogus"


def test_a_denial_of_another_name_proves_nothing(lab: Laboratory) -> None:
    other = validated(lab, "nothing.site.cdn.").answer
    found = validated(lab, "www.site.cdn.")
    denied = Answer(found.answer.name, "A", "nxdomain", authority=other.authority)
    assert replay(lab, denied, found.fetched).verdict == "bogus"
    nodata = Answer(found.answer.name, "A", "nodata", authority=validated(lab, "text.site.cdn.").answer.authority)
    assert replay(lab, nodata, found.fetched).verdict == "bogus"


def test_the_parents_denial_of_a_ds_does_not_deny_what_the_child_has(lab: Laboratory) -> None:
    """RFC 6840, section 4.1: NSEC of a delegation, signed by the zone above, says nothing of the types below it."""
    ds = validated(lab, "bare.shop.lab.", "DS")
    denied = Answer(dns.name.from_text("bare.shop.lab."), "A", "nodata", authority=ds.answer.authority)
    assert replay(lab, denied, ds.fetched).verdict == "bogus"
    below = Answer(dns.name.from_text("www.bare.shop.lab."), "A", "nxdomain", authority=ds.answer.authority)
    assert replay(lab, below, ds.fetched).verdict == "bogus"


def test_another_anchor_is_not_this_roots(lab: Laboratory) -> None:
    found = validated(lab, "www.shop.lab.", anchors=IANA_ANCHORS).validation
    assert found.verdict == "bogus"
    assert found.says.startswith("The trust anchor is key 20326 or 38696, which is not among the keys of . (")
    assert [link.name for link in found.chain] == ["."]


def test_without_an_anchor_nothing_can_be_said(lab: Laboratory) -> None:
    found = validated(lab, "www.shop.lab.", anchors=()).validation
    assert (found.verdict, found.says) == ("indeterminate", "There is no trust anchor to begin with")


def test_an_anchor_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'20326 8' is no DS record such as"):
        Validator(lambda name, kind: iter(()), ["20326 8"])  # type: ignore[arg-type, return-value]


def test_what_does_not_come_is_indeterminate(lab: Laboratory) -> None:
    found = validated(lab, "www.shop.lab.")
    less = {key: answer for key, answer in found.fetched.items() if key != (dns.name.from_text("shop.lab."), "DNSKEY")}
    verdict = replay(lab, found.answer, less)
    assert (verdict.verdict, verdict.says) == ("indeterminate", "The keys of shop.lab. did not come: nobody was there")
    less = {key: answer for key, answer in found.fetched.items() if key != (dns.name.from_text("lab."), "DS")}
    assert replay(lab, found.answer, less).says == "The DS of lab. did not come: nobody was there"


def test_time_is_an_argument(lab: Laboratory) -> None:
    found = validated(lab, "www.shop.lab.", now=time.time() + 90 * 86_400).validation
    assert found.verdict == "bogus"
    assert found.says.startswith("The signature of . DNSKEY ended on 20")
    before = validated(lab, "www.shop.lab.", now=1_600_000_000).validation
    assert before.says.startswith("The signature of . DNSKEY begins only on 20")


def test_a_validator_remembers_the_zones_that_it_looked_at(lab: Laboratory) -> None:
    found = validated(lab, "www.shop.lab.")
    asked: list[Key] = []

    def fetch(name: dns.name.Name, kind: str) -> Iterator[Answer]:
        asked.append((name, kind))
        return found.fetched[name, kind]
        yield

    validator = Validator(fetch, lab.anchor)  # type: ignore[arg-type]
    first = run(validator.validate(found.answer))
    before = len(asked)
    assert run(validator.validate(found.answer)) == first
    assert len(asked) == before == 5


def test_a_very_long_name_is_not_followed_all_the_way(lab: Laboratory) -> None:
    name = dns.name.from_text("a." * 60 + "shop.lab.")
    found = validated(lab, name.to_text())
    assert found.validation.verdict == "secure", "the proof is signed by a zone near the root"
    bare = Answer(name, "A", "nxdomain")
    assert replay(lab, bare, {**found.fetched}).verdict in ("bogus", "indeterminate")
