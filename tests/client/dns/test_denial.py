"""Proofs of absence over zones of any shape: they hold exactly where something is absent, and for nothing else."""

from __future__ import annotations

import base64
import itertools

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdtypes.ANY.NSEC3 import NSEC3
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pellucid.client.dns import denial, nsec3

ZONE = dns.name.from_text("zone.")
A, AAAA, DS = dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.DS

labels = st.sampled_from(["a", "b", "z", "*", "A", "aa", "\\000", "\\255"])
below = st.lists(labels, min_size=1, max_size=3).map(lambda words: dns.name.from_text(".".join(words), ZONE))
plain = st.lists(labels.filter(lambda label: label != "*"), min_size=1, max_size=4).map(
    lambda words: dns.name.from_text(".".join(words), ZONE)
)
zones = st.sets(below, max_size=6).map(lambda names: sorted({ZONE, *names}))


def record(kind: str, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, kind, text)


def nsec_chain(names: list[dns.name.Name], types: str = "A") -> list[dns.rrset.RRset]:
    """The NSEC records of a zone with these names, in any order."""
    following = [*names[1:], names[0]]
    apex = "NS SOA RRSIG NSEC DNSKEY"
    return [
        dns.rrset.from_rdata(name, 60, record("NSEC", f"{after} {apex if name == ZONE else f'{types} RRSIG NSEC'}"))
        for name, after in zip(names, following, strict=True)
    ]


def all_names(names: list[dns.name.Name]) -> set[dns.name.Name]:
    """Those and the empty ones between them and the zone."""
    return {name.split(count)[1] for name in names for count in range(len(ZONE), len(name) + 1)}


def nsec3_chain(names: list[dns.name.Name], types: str = "A", flags: int = 0, rounds: int = 2) -> list[dns.rrset.RRset]:
    """The same with NSEC3."""
    hashes = sorted((dns.dnssec.nsec3_hash(name, "AB", rounds, 1).lower(), name) for name in all_names(names))
    found = []
    for (own, name), (after, _) in zip(hashes, [*hashes[1:], hashes[0]], strict=True):
        has = "NS SOA RRSIG DNSKEY NSEC3PARAM" if name == ZONE else f"{types} RRSIG" if name in names else ""
        rdata = record("NSEC3", f"1 {flags} {rounds} AB {after} {has}")
        found.append(dns.rrset.from_rdata(dns.name.from_text(own, ZONE), 60, rdata))
    return found


def encloser(name: dns.name.Name, there: set[dns.name.Name]) -> dns.name.Name:
    return next(up for count in range(len(name), 0, -1) if (up := name.split(count)[1]) in there)


def truth(name: dns.name.Name, names: list[dns.name.Name]) -> str:
    """What a server says of a name of which A is asked: `answer`, `nodata`, `nxdomain`, `expansion`."""
    there = all_names(names)
    if name in there:
        return "answer" if name in names and name != ZONE else "nodata"
    wild = dns.name.from_text("*", encloser(name, there))
    return "expansion" if wild in names else "nodata" if wild in there else "nxdomain"


def verdicts(name: dns.name.Name, kind: dns.rdatatype.RdataType, chain: list[dns.rrset.RRset]) -> tuple[str, str]:
    """What the whole chain proves: that the name is not there, that the type is not."""
    hashed = nsec3.hashed_records(chain, ZONE)
    if hashed is not None:
        return nsec3.prove_no_name(name, hashed).holds, nsec3.prove_no_data(name, kind, hashed).holds
    records = denial.nsec_records(chain)
    return denial.prove_no_name(name, ZONE, records).holds, denial.prove_no_data(name, kind, ZONE, records).holds


@pytest.mark.parametrize("chain", [nsec_chain, nsec3_chain])
@settings(max_examples=50, deadline=None)
@given(names=zones, name=plain, order=st.randoms(use_true_random=False))
def test_proofs_say_what_is_so(chain: object, names: list[dns.name.Name], name: dns.name.Name, order: object) -> None:
    assert callable(chain)
    made = chain(names)
    order.shuffle(made)  # type: ignore[attr-defined]
    no_name, no_a = verdicts(name, A, made)
    what = truth(name, names)
    assert (no_name == "secure") == (what == "nxdomain")
    assert (no_a == "secure") == (what == "nodata")
    _, no_aaaa = verdicts(name, AAAA, made)
    assert (no_aaaa == "secure") == (what != "nxdomain"), "it has no AAAA, itself or made from a wildcard"


@settings(max_examples=50, deadline=None)
@given(names=zones, name=plain)
def test_no_part_of_a_chain_proves_more_than_the_whole(names: list[dns.name.Name], name: dns.name.Name) -> None:
    for chain in (nsec_chain(names), nsec3_chain(names)):
        whole = verdicts(name, A, chain)
        for size in range(1, min(len(chain), 4)):
            for part in itertools.combinations(chain, size):
                both = zip(verdicts(name, A, list(part)), whole, strict=True)
                assert all(some != "secure" or every == "secure" for some, every in both)


@settings(max_examples=50, deadline=None)
@given(names=zones, name=plain)
def test_a_wildcard_may_stand_only_where_nothing_is_closer(names: list[dns.name.Name], name: dns.name.Name) -> None:
    there = all_names(names)
    if name in there:
        return
    closest = encloser(name, there)
    for count in range(len(ZONE), len(name)):
        wild = dns.name.from_text("*", name.split(count)[1])
        right = wild.parent() == closest
        assert (denial.prove_expansion(name, wild, ZONE, denial.nsec_records(nsec_chain(names))).holds == "secure") == right
        hashed = nsec3.hashed_records(nsec3_chain(names), ZONE)
        assert hashed is not None
        # NSEC3 shows that the next closer name is not there; that the wildcard's parent is, its own signature has shown.
        found = nsec3.prove_expansion(name, wild, hashed).holds == "secure"
        assert found == (name.split(count + 1)[1] not in there)


@settings(max_examples=50, deadline=None)
@given(names=zones, name=plain)
def test_with_opt_out_nothing_is_denied_for_sure(names: list[dns.name.Name], name: dns.name.Name) -> None:
    no_name, no_ds = verdicts(name, DS, nsec3_chain(names, flags=1))
    what = truth(name, names)
    assert (no_name == "insecure") == (what == "nxdomain")
    assert no_name != "secure"
    if what == "nxdomain":
        assert no_ds == "insecure"


@settings(max_examples=50, deadline=None)
@given(names=zones, name=plain)
def test_a_delegation_or_a_dname_hides_what_is_below_it(names: list[dns.name.Name], name: dns.name.Name) -> None:
    """RFC 6840, section 4.1; RFC 5155, section 8.3: the record of a cut or a DNAME must not deny the names below."""
    assume(not any(one != other and one.is_subdomain(other) for one in names for other in names if other != ZONE))
    for types in ("NS", "DNAME"):
        for chain in (nsec_chain(names, types), nsec3_chain(names, types)):
            no_name, no_a = verdicts(name, A, chain)
            above = [each for each in names if each != ZONE and name.is_subdomain(each) and name != each]
            if above:
                assert (no_name, no_a) == ("no", "no") or truth(name, names) != "nxdomain"
            if types == "NS" and name in names:
                assert no_a == "no", "the parent's record knows nothing of an A below the cut"


@given(names=st.lists(below, min_size=2, max_size=8, unique=True), name=below)
def test_between_is_the_canonical_order_gone_round(names: list[dns.name.Name], name: dns.name.Name) -> None:
    ordered = sorted(names)
    gaps = [denial.between(one, name, after) for one, after in zip(ordered, [*ordered[1:], ordered[0]], strict=True)]
    assert sum(gaps) == (0 if name in names else 1)


def test_the_canonical_order_is_that_of_the_standard() -> None:
    """RFC 4034, section 6.1."""
    texts = ["example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example.", "\\001.z.example."]
    names = [dns.name.from_text(text) for text in [*texts, "*.z.example.", "\\200.z.example."]]
    assert sorted(names) == names
    for one, name, after in zip(names, names[1:], names[2:], strict=False):
        assert denial.between(one, name, after)
        assert not denial.between(name, one, after)


@pytest.mark.parametrize(
    ("name", "hashed"),
    [
        ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"),
        ("ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
        ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ("2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"),
    ],
)
def test_hashes_are_those_of_the_standard(name: str, hashed: str) -> None:
    """RFC 5155, appendix A: salt AABBCCDD, twelve rounds; a record is found by the hash of its name."""
    zone = dns.name.from_text("example")
    rdata = record("NSEC3", "1 0 12 AABBCCDD 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG")
    rrset = dns.rrset.from_rdata(dns.name.from_text(hashed.upper(), zone), 60, rdata)
    found = nsec3.hashed_records([rrset], zone)
    assert found is not None
    assert nsec3.prove_no_data(dns.name.from_text(name), AAAA, found).holds == "secure"
    assert nsec3.prove_no_data(dns.name.from_text(f"x{name}"), AAAA, found).holds == "no"


@given(st.binary(max_size=40))
def test_base32hex_comes_back(data: bytes) -> None:
    assert nsec3.unbase32(base64.b32hexencode(data).rstrip(b"=").lower()) == data


@given(st.binary(max_size=40))
def test_no_label_breaks_base32hex(label: bytes) -> None:
    found = nsec3.unbase32(label)
    assert found is None or isinstance(found, bytes)


def test_what_is_foreign_or_unknown_is_left_out() -> None:
    (good,) = nsec3_chain([ZONE])
    rdata = good[0]
    assert isinstance(rdata, NSEC3)
    for other in (rdata.replace(algorithm=2), rdata.replace(flags=2)):
        assert nsec3.hashed_records([dns.rrset.from_rdata(good.name, 60, other)], ZONE) is None
    assert nsec3.hashed_records([good], dns.name.from_text("other.")) is None
    salted = dns.rrset.from_rdata(dns.name.from_text("0" * 32, ZONE), 60, rdata.replace(salt=b"x"))
    both = nsec3.hashed_records([good, salted], ZONE)
    assert both is not None
    assert len(both.records) == 1, "one salt at a time"
    assert nsec3.hashed_records([dns.rrset.from_rdata(dns.name.from_text("!", ZONE), 60, rdata)], ZONE).records == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(("rounds", "holds"), [(150, "secure"), (151, "insecure"), (2500, "insecure")])
def test_too_many_rounds_are_not_hashed(rounds: int, holds: str) -> None:
    chain = nsec3_chain([ZONE], rounds=rounds)
    assert verdicts(dns.name.from_text("a", ZONE), A, chain) == (holds, "insecure" if rounds > 150 else "no")


def test_no_more_names_are_hashed_than_is_reasonable(monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2023-50868: a name of 120 labels, each of which would be hashed 150 times."""
    hashed = nsec3.hashed_records(nsec3_chain([dns.name.from_text("a", ZONE)], rounds=150)[:1], ZONE)
    assert hashed is not None
    found = nsec3.prove_no_name(dns.name.from_text("x." * 120, ZONE), hashed)
    assert found.holds == "no"
    assert "too many names" in found.says
    assert len(hashed.known) == 64
