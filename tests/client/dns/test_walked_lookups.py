"""`--dns walk` as a whole over real name servers: addresses, records, services and the verdict in one Lookup."""

from __future__ import annotations

import asyncio

import pytest

from hierarchy import Laboratory
from pellucid.client.resolve import ResolveOptions, Resolver, prepare
from pellucid.journey import Clock, Lookup


def walk(lab: Laboratory, *hosts: str, port: int = 443) -> list[Lookup]:
    async def walking() -> list[Lookup]:
        lookups: list[Lookup] = []
        options = ResolveOptions(mode="walk", hints=lab.hints, anchors=lab.anchor, port=lab.port)
        prepare(hosts[0], options)
        resolver = Resolver(Clock(), lookups, options)
        for host in hosts:
            await resolver.start(host, port, "https").wait()
        await resolver.close()
        return lookups

    return asyncio.run(walking())


def test_a_signed_host(lab: Laboratory) -> None:
    (lookup,) = walk(lab, "www.shop.lab")
    assert (lookup.how, lookup.verdict, lookup.failure, lookup.ttl) == ("walk", "secure", None, 300)
    assert sorted(lookup.addresses) == ["127.0.0.1", "::1"]
    assert {record.type for record in lookup.records} == {"A", "AAAA"}
    assert [record.text for record in lookup.services] == ['1 . alpn="h2,http/1.1"']
    assert [link.verdict for link in lookup.chain] == ["secure"] * len(lookup.chain)
    assert [
        hop.purpose for hop in lookup.hops if hop.type == "DNSKEY"
    ] == ["DNSKEY of .", "DNSKEY of lab.", "DNSKEY of shop.lab."], "each key once; their DS came along with the referrals"
    assert lookup.ended is not None


def test_an_alias_from_one_domain_into_another(lab: Laboratory) -> None:
    (lookup,) = walk(lab, "far.shop.lab")
    assert lookup.aliases == ["www.site.cdn."]
    assert sorted(lookup.addresses) == ["192.0.2.31", "2001:db8::31"]
    assert lookup.verdict == "secure"


def test_an_unsigned_host_is_insecure_and_used(lab: Laboratory) -> None:
    (lookup,) = walk(lab, "www.unsigned.lab")
    assert (lookup.verdict, lookup.addresses) == ("insecure", ["192.0.2.50"])


@pytest.mark.parametrize("host", ["www.expired.lab", "www.changed.lab", "www.wrongds.lab", "www.stripped.lab"])
def test_a_bogus_answer_is_shown_and_not_used(lab: Laboratory, host: str) -> None:
    (lookup,) = walk(lab, host)
    assert (lookup.verdict, lookup.addresses) == ("bogus", [])
    assert lookup.failure is not None
    assert lookup.failure.slug == "dnssec-bogus"
    assert lookup.records, "what was said is there to be looked at"
    assert any(link.verdict == "bogus" for link in lookup.chain)


def test_the_second_host_begins_where_the_first_one_got_to(lab: Laboratory) -> None:
    first, second = walk(lab, "www.shop.lab", "v4.shop.lab")
    assert second.hops[0].outcome == "cached"
    assert second.hops[0].says.startswith("Knew the servers of shop.lab. from a lookup before: ns1.shop.lab; their TTL has ")
    assert {hop.zone for hop in second.hops} == {"shop.lab."}
    assert [hop.type for hop in second.hops[1:]] == ["A", "AAAA", "HTTPS"]
    assert second.verdict == "secure"
    assert first.hops[0].purpose == "priming"


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("nothing.shop.lab", "name-not-found"),
        ("text.shop.lab", "no-address"),
        ("www.alllame.lab", "name-servers-failed"),
        ("www.dead.lab", "name-servers-failed"),
        ("www.loop1.lab", "server-loop"),
        ("round.shop.lab", "alias-loop"),
    ],
)
def test_why_there_is_no_address(lab: Laboratory, host: str, slug: str) -> None:
    (lookup,) = walk(lab, host)
    assert lookup.failure is not None
    assert lookup.failure.slug == slug
    assert lookup.addresses == []
