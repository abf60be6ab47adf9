"""The verdict on every name of the laboratory is Unbound's and delv's, and the sentence names the link that is broken."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from hierarchy import Laboratory
from validated import validated
from zones import CASES, PARTS, ZONES, Case

ANSWERED = [case for case in CASES if case.end != "failure"]
KEEP_WAITING = {"alllame", "dead", "halfdead", "halfsilent", "loop1", "lossy", "missingglue", "silent", "slow"}
OPTED_OUT = {("nothing.open.", "A"), ("unsigned.open.", "DS")}
"""delv does not say that such a denial leaves room for delegations; Unbound does, as RFC 5155 (section 9.2) has it."""


def name_of(case: Case) -> str:
    return f"{case.name}-{case.type}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_our_verdict(lab: Laboratory, case: Case) -> None:
    found = validated(lab, case.name, case.type)
    assert (found.answer.outcome if found.answer.outcome != "failed" else "failure") == case.end
    assert found.validation.verdict == case.verdict, found.validation
    assert case.names in found.validation.says
    links = found.validation.chain
    if case.end != "failure":
        assert (links[0].name, links[0].what) == (".", "DNSKEY"), "the chain begins at the anchor"
        assert case.verdict in [link.verdict for link in links]
        assert (case.verdict == "bogus") == (links[-1].verdict == "bogus"), "and ends where it is broken"


@pytest.mark.parametrize("case", ANSWERED, ids=name_of)
def test_unbounds_verdict(unbound: tuple[str, int], case: Case) -> None:
    unchecked = ask(unbound, case.name, case.type, check=False)
    assert unchecked.rcode() == (dns.rcode.NXDOMAIN if case.end == "nxdomain" else dns.rcode.NOERROR)
    assert unbounds_verdict(unbound, case.name, case.type) == case.verdict


def test_random_questions(lab: Laboratory, unbound: tuple[str, int]) -> None:
    """Names put together from the laboratory's own labels, of any type: nothing but the verdict is known of them."""
    dice = random.Random(20_300_118)
    labels = sorted({label for case in CASES for label in case.name.split(".") if label} - KEEP_WAITING | {"*", "a", "ns1"})
    zones = sorted(zone.name for zone in ZONES if zone.server in PARTS and zone.name.split(".")[0] not in KEEP_WAITING)
    # Without DNAME: asked for one, Unbound 1.17 wants a signature of the CNAME that was made from the DNAME above the name.
    types = ("A", "A", "AAAA", "CNAME", "DNSKEY", "DS", "HTTPS", "NS", "NSEC3PARAM", "SOA", "TXT")
    differing = []
    for _ in range(120):
        words = [dice.choice(labels) for _ in range(dice.choice((0, 1, 1, 2, 2, 3)))]
        name = ".".join([*words, dice.choice(zones).rstrip(".")]).rstrip(".") + "."
        kind = dice.choice(types)
        theirs, ours = unbounds_verdict(unbound, name, kind), validated(lab, name, kind).validation.verdict
        if theirs != ours:
            differing.append((name, kind, theirs, ours))
    assert not differing


def unbounds_verdict(unbound: tuple[str, int], name: str, kind: str) -> str:
    checked = ask(unbound, name, kind, check=True)
    if checked.rcode() != dns.rcode.SERVFAIL:
        return "secure" if checked.flags & dns.flags.AD else "insecure"
    return "indeterminate" if ask(unbound, name, kind, check=False).rcode() == dns.rcode.SERVFAIL else "bogus"


def ask(resolver: tuple[str, int], name: str, kind: str, *, check: bool) -> dns.message.Message:
    query = dns.message.make_query(name, kind, want_dnssec=True)
    query.flags |= 0 if check else dns.flags.CD
    answer, _ = dns.query.udp_with_fallback(query, resolver[0], timeout=15, port=resolver[1])
    return answer


@pytest.fixture(scope="module")
def delved(lab: Laboratory, unbound: tuple[str, int]) -> dict[Case, str]:
    """What delv prints, a few at a time, since most of it is the start of a process."""
    with ThreadPoolExecutor(4) as pool:
        texts = pool.map(lambda case: lab.delv(unbound, case.name, case.type), ANSWERED)
        return dict(zip(ANSWERED, texts, strict=True))


@pytest.mark.parametrize("case", [case for case in ANSWERED if (case.name, case.type) not in OPTED_OUT], ids=name_of)
def test_delvs_verdict(delved: dict[Case, str], case: Case) -> None:
    text = delved[case]
    # ("resolution failed: ncache nxdomain" is how it says that there is no such name.)
    verdict = "bogus" if "resolution failed: failure" in text else "insecure" if "unsigned answer" in text else "secure"
    assert verdict == "bogus" or "fully validated" in text or "unsigned answer" in text, text
    assert verdict == case.verdict, text
