"""The verdict on every name of the laboratory is Unbound's and delv's, and the sentence names the link that is broken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from hierarchy import Laboratory
from validated import validated
from zones import CASES, Case

ANSWERED = [case for case in CASES if case.end != "failure"]
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
    checked, unchecked = ask(unbound, case, check=True), ask(unbound, case, check=False)
    assert unchecked.rcode() == (dns.rcode.NXDOMAIN if case.end == "nxdomain" else dns.rcode.NOERROR)
    failed, validated = checked.rcode() == dns.rcode.SERVFAIL, checked.flags & dns.flags.AD
    assert ("bogus" if failed else "secure" if validated else "insecure") == case.verdict


def ask(resolver: tuple[str, int], case: Case, *, check: bool) -> dns.message.Message:
    query = dns.message.make_query(case.name, case.type, want_dnssec=True)
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
