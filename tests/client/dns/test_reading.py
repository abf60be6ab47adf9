"""What an answer means, as a table: who said it, what was asked, what stood in it, and what that comes to."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from pellucid.client.dns.reading import Reading, alias_of, read_message

ZONE, WWW = dns.name.from_text("example."), dns.name.from_text("www.shop.example.")
AA, TC = dns.flags.AA, dns.flags.TC
SOA = "example. 60 SOA ns.example. host.example. 1 2 3 4 5"


def read(
    *answer: str,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    flags: int = 0,
    rcode: int = 0,
    kind: str = "A",
    zone: dns.name.Name = ZONE,
) -> Reading:
    message = dns.message.make_response(dns.message.make_query(WWW, kind, use_edns=0))
    message.flags |= flags
    message.set_rcode(rcode)  # type: ignore[arg-type]
    for section, texts in ((message.answer, answer), (message.authority, authority), (message.additional, additional)):
        for text in texts:
            name, ttl, type_, value = text.split(" ", 3)
            section.append(dns.rrset.from_text(name, int(ttl), "IN", type_, *value.split(" | ")))
    return read_message(message, zone, WWW, kind)


HERE = "www.shop.example. 60 A 192.0.2.1"
ALIAS = "www.shop.example. 60 CNAME other.example."
DNAME = "shop.example. 60 DNAME store.example."
CUT = "shop.example. 60 NS ns1.shop.example. | ns.else."
TABLE = [
    ("an answer", read(HERE, flags=AA), "answer"),
    ("an answer from memory", read(HERE), "lame"),
    ("an alias", read(ALIAS, flags=AA), "cname"),
    ("an alias from memory", read(ALIAS), "lame"),
    ("the alias itself", read(ALIAS, flags=AA, kind="CNAME"), "answer"),
    ("a DNAME above", read(DNAME, flags=AA), "dname"),
    ("a DNAME with the CNAME made of it", read(DNAME, "www.shop.example. 60 CNAME www.store.example.", flags=AA), "dname"),
    ("a DNAME that makes the name too long", read(DNAME, flags=AA, rcode=dns.rcode.YXDOMAIN), "servfail"),
    ("servers of a zone below", read(authority=(CUT,)), "referral"),
    ("servers of a zone below, from one with AA", read(authority=(CUT,), flags=AA), "referral"),
    ("servers of a zone below and the SOA", read(authority=(CUT, SOA), flags=AA), "nodata"),
    ("servers of the zone itself", read(authority=("example. 60 NS ns.example.",)), "lame"),
    ("servers of the root", read(authority=(". 60 NS a.root-servers.net.",)), "lame"),
    ("servers of a zone beside", read(authority=("com. 60 NS ns.com.",)), "lame"),
    ("servers of a zone below that we did not ask for", read(authority=("else.example. 60 NS ns.example.",)), "lame"),
    ("nothing", read(), "lame"),
    ("nothing, with authority", read(flags=AA), "nodata"),
    ("nothing, with the SOA", read(authority=(SOA,)), "nodata"),
    ("nothing of this type", read(authority=(SOA,), flags=AA), "nodata"),
    ("a record of another type", read("www.shop.example. 60 TXT hello", flags=AA), "nodata"),
    ("a denial", read(authority=(SOA,), flags=AA, rcode=dns.rcode.NXDOMAIN), "nxdomain"),
    ("a denial without the SOA", read(flags=AA, rcode=dns.rcode.NXDOMAIN), "nxdomain"),
    ("a denial by nobody", read(rcode=dns.rcode.NXDOMAIN), "lame"),
    ("REFUSED", read(rcode=dns.rcode.REFUSED), "refused"),
    ("SERVFAIL", read(rcode=dns.rcode.SERVFAIL), "servfail"),
    ("NOTAUTH", read(rcode=dns.rcode.NOTAUTH), "servfail"),
    ("FORMERR", read(rcode=dns.rcode.FORMERR), "formerr"),
    ("BADVERS", read(rcode=dns.rcode.BADVERS), "formerr"),
    ("half an answer", read(HERE, flags=AA | TC), "truncated"),
    ("another's record only", read("www.else. 60 A 192.0.2.66", flags=AA), "nodata"),
]


@pytest.mark.parametrize(("reading", "kind"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_classification(reading: Reading, kind: str) -> None:
    assert reading.kind == kind
    assert reading.words or kind in ("answer", "cname", "dname", "referral", "nodata", "nxdomain", "truncated")


def test_a_referral_names_servers_and_the_addresses_that_the_sender_may_know() -> None:
    glue = (
        "ns1.shop.example. 60 A 192.0.2.1 | 192.0.2.2",
        "ns1.shop.example. 60 AAAA 2001:db8::1",
        "ns.else. 60 A 192.0.2.66",
        "other.example. 60 A 192.0.2.67",
    )
    reading = read(authority=(CUT,), additional=glue)
    assert reading.cut is not None
    assert reading.cut.name.to_text() == "shop.example."
    assert {name.to_text(): addresses for name, addresses in reading.cut.servers.items()} == {
        "ns1.shop.example.": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
        "ns.else.": [],
    }
    assert reading.notes == [
        "Ignored addresses that came along: ns.else. (outside example.), other.example. (no server of shop.example.)"
    ]


def test_glue_of_a_sibling_zone_is_taken() -> None:
    reading = read(authority=("shop.example. 60 NS ns.other.example.",), additional=("ns.other.example. 60 A 192.0.2.9",))
    assert reading.cut is not None
    assert list(reading.cut.servers.values()) == [["192.0.2.9"]]


def test_records_outside_of_the_zone_are_ignored_wherever_they_stand() -> None:
    servers = ("bank. 9 NS ns.shop.example.", ". 9 NS ns.shop.example.")
    reading = read(HERE, "www.bank. 9 A 192.0.2.66", authority=servers, flags=AA)
    assert [rrset.name for rrset in reading.answer] == [WWW]
    assert reading.authority == []
    assert reading.notes == [
        "Ignored in the answer section, since a server of example. has no say in it: www.bank. A",
        "Ignored in the authority section, since a server of example. has no say in it: bank. NS, . NS",
    ]


def test_the_deepest_of_two_cuts_counts() -> None:
    reading = read(authority=("shop.example. 60 NS a.example.", "www.shop.example. 60 NS b.example."))
    assert reading.cut is not None
    assert reading.cut.name == WWW


def test_where_an_alias_leads_is_worked_out_from_the_dname_and_not_believed() -> None:
    forged = read(DNAME, "www.shop.example. 60 CNAME evil.example.", flags=AA)
    alias = alias_of(forged.answer, WWW, "A")
    assert alias is not None
    assert alias[:2] == ("dname", dns.name.from_text("www.store.example."))
    long = ".".join(["x" * 60] * 4)
    endless = read(f"shop.example. 60 DNAME {long}.", flags=AA)
    alias = alias_of(endless.answer, dns.name.from_text("much.longer.shop.example."), "A")
    assert alias is not None
    assert alias[1] is None


def test_signatures_stay_with_what_they_sign() -> None:
    signature = "www.shop.example. 60 RRSIG {} 13 3 60 20300101000000 20200101000000 1 example. AAAA"
    reading = read(HERE, signature.format("A"), signature.format("TXT"), flags=AA)
    assert reading.kind == "answer"
    assert read(signature.format("A"), flags=AA).kind == "nodata", "a signature alone is no answer"
