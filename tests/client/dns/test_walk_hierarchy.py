"""The walk over real name servers: it finds what is there, by the path that dig and drill print, and survives what goes wrong."""

from __future__ import annotations

import asyncio
import re

import dns.name
import dns.rdatatype
import pytest

from hierarchy import Laboratory
from pellucid.client.dns.answers import Answer, addresses_in, record_rows
from pellucid.client.dns.driver import Driver
from pellucid.client.dns.memory import Fetched, Memory
from pellucid.client.dns.walk import Limits, Walk
from pellucid.journey import Clock, Hop
from zones import CASES, Case

BRISK = Limits(patience=0.4)


class Walked:
    """Walks of one run, with their hops."""

    def __init__(self, lab: Laboratory, limits: Limits = BRISK) -> None:
        self.clock = Clock()
        self.memory = Memory()
        self.hops: list[Hop] = []
        self._lab, self._limits = lab, limits

    def walk(self) -> Walk:
        lab = self._lab
        return Walk(self.memory, self.clock, self.hops, hints=lab.hints, port=lab.port, limits=self._limits)

    def resolve(self, name: str, kind: str = "A") -> Answer:
        return asyncio.run(Driver(self.clock).run(self.walk().resolve(dns.name.from_text(name), kind)))

    def fetch(self, name: str, kind: str) -> Fetched:
        return asyncio.run(Driver(self.clock).run(self.walk().fetch(dns.name.from_text(name), kind)))

    @property
    def said(self) -> str:
        return "\n".join(hop.says for hop in self.hops)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.type}")
def test_it_finds_what_is_there(lab: Laboratory, case: Case) -> None:
    answer = Walked(lab).resolve(case.name, case.type)
    assert (answer.outcome if answer.outcome != "failed" else "failure") == case.end
    texts = [rdata.to_text() for rrset in answer.rrsets for rdata in rrset]
    assert not case.first or case.first in texts
    assert (answer.failure is None) == (case.end != "failure")


def test_everything_in_one_run_comes_to_the_same(lab: Laboratory) -> None:
    """What one walk has learned must not lead the next astray, whatever a poisonous or a broken server said in between."""
    run = Walked(lab)
    for case in sorted(CASES, key=lambda case: "poison" not in case.name):
        answer = run.resolve(case.name, case.type)
        assert (answer.outcome if answer.outcome != "failed" else "failure") == case.end, case


@pytest.mark.parametrize("name", ["www.shop.lab.", "www.sub.shop.lab.", "www.deep.under.lab.", "www.site.cdn.", "www.plain."])
def test_the_hops_are_those_of_dig_trace(lab: Laboratory, name: str) -> None:
    """`dig +trace` from this root: per zone the set of servers, then the answer."""
    printed = trace_of(lab, name)
    run = Walked(lab)
    answer = run.resolve(name)
    cuts = [hop for hop in run.hops if hop.outcome == "referral" or hop.purpose == "priming"]
    walked = [
        (records[0].name, {record.text for record in records})
        for hop in cuts
        if (records := [record for record in hop.records if record.type == "NS"])
    ]
    assert walked == printed[:-1]
    assert (name, set(addresses_in(answer.rrsets))) == printed[-1]


def trace_of(lab: Laboratory, name: str) -> list[tuple[str, set[str]]]:
    """What `dig +trace` shows, asked step by step as it does: dig itself finds servers by the system's resolver only."""
    steps: list[tuple[str, set[str]]] = []
    address = lab.hints[0][1]
    text = lab.dig(f"@{address}", ".", "NS", "+norec", "+noall", "+answer")
    steps.append(rows(text, "NS"))
    while True:
        text = lab.dig(f"@{address}", name, "A", "+norec", "+noall", "+answer", "+authority", "+additional", "+nocookie")
        if re.search(rf"^{re.escape(name)}\s+\d+\s+IN\s+A\s", text, re.MULTILINE):
            steps.append(rows(text, "A", name))
            return steps
        steps.append(rows(text, "NS"))
        glue = re.search(r"^\S+\s+\d+\s+IN\s+A\s+(\S+)$", text, re.MULTILINE)
        assert glue is not None
        address = glue[1]


def rows(text: str, kind: str, owner: str | None = None) -> tuple[str, set[str]]:
    found = re.findall(rf"^(\S+)\s+\d+\s+IN\s+{kind}\s+(\S+)$", text, re.MULTILINE)
    wanted = owner or found[0][0]
    return wanted, {value for name, value in found if name == wanted}


@pytest.mark.parametrize("name", ["www.lab.", "www.sub.shop.lab.", "www.deep.under.lab.", "www.inner.site.cdn."])
def test_zones_and_keys_are_those_of_drill(lab: Laboratory, name: str) -> None:
    """`drill -T` goes down the same delegations, sees the same DS at each and the same answer."""
    printed = re.findall(r"^\[T\] (\S+)\s+\d+\s+IN\s+(DNSKEY|DS|A)\s+(.*?)\s*(?:;.*)?$", lab.drill("-T", name, "A"), re.MULTILINE)
    run = Walked(lab)
    answer = run.resolve(name)
    # Where one server has both a zone and its child it does not refer: drill asks it for DS and DNSKEY, as the validator does.
    inner = [note.split()[2] for hop in run.hops for note in hop.notes if note.startswith("It serves ")]
    cuts = list(dict.fromkeys([hop.zone for hop in run.hops] + inner))
    assert cuts == list(dict.fromkeys(zone for zone, kind, _ in printed if kind == "DNSKEY"))
    vouched = [
        (record.name, record.text) for zone in cuts[1:] for record in record_rows(run.fetch(zone, "DS").answer, "answer")
        if record.type == "DS"
    ]  # fmt: skip
    assert [zone for zone, _ in vouched] == cuts[1:]
    printed_keys = [(zone, text.replace(" ", "").lower()) for zone, kind, text in printed if kind == "DS"]
    assert [(zone, text.replace(" ", "").lower()) for zone, text in vouched] == printed_keys
    assert addresses_in(answer.rrsets) == [text for _, kind, text in printed if kind == "A"]


def test_an_alias_leads_through_the_zones_of_its_target(lab: Laboratory) -> None:
    run = Walked(lab)
    answer = run.resolve("farther.shop.lab.")
    kinds = [dns.rdatatype.to_text(rrset.rdtype) for rrset in answer.rrsets if rrset.rdtype != dns.rdatatype.RRSIG]
    assert kinds == ["CNAME", "CNAME", "A"]
    assert [hop.zone for hop in run.hops] == [".", ".", "lab.", "shop.lab.", ".", "cdn.", "site.cdn."]
    assert "for farther.shop.lab. A: it is an alias of alias.site.cdn." in run.said


def test_a_dname_moves_all_that_is_below_it(lab: Laboratory) -> None:
    run = Walked(lab)
    answer = run.resolve("www.old.shop.lab.")
    assert addresses_in(answer.rrsets) == ["192.0.2.31"]
    assert "all below old.shop.lab. is below site.cdn. (DNAME), so it is an alias of www.site.cdn." in run.said


def test_minimised_names_reveal_one_label_a_time(lab: Laboratory) -> None:
    run = Walked(lab)
    run.resolve("any.thing.wild.shop.lab.")
    asked = [(hop.zone, hop.question) for hop in run.hops[1:]]
    assert asked == [
        (".", "lab."),
        ("lab.", "shop.lab."),
        ("shop.lab.", "wild.shop.lab."),
        ("shop.lab.", "thing.wild.shop.lab."),
        ("shop.lab.", "any.thing.wild.shop.lab."),
    ]


def test_a_server_that_denies_empty_names_is_asked_for_the_whole_name(lab: Laboratory) -> None:
    run = Walked(lab)
    answer = run.resolve("www.a.b.noempty.lab.")
    assert addresses_in(answer.rrsets) == ["192.0.2.87"]
    assert any("RFC 8020" in note for hop in run.hops for note in hop.notes)


def test_an_empty_name_is_neither_there_nor_denied(lab: Laboratory) -> None:
    run = Walked(lab)
    assert run.resolve("empty.shop.lab.").outcome == "nodata"
    assert run.resolve("nothing.shop.lab.").outcome == "nxdomain"
    assert [hop.outcome for hop in run.hops[-2:]] == ["nodata", "nxdomain"]


def test_a_truncated_answer_is_fetched_over_tcp(lab: Laboratory) -> None:
    run = Walked(lab)
    answer = run.resolve("big.shop.lab.")
    assert len(addresses_in(answer.rrsets)) == 120
    assert [(hop.transport, hop.outcome) for hop in run.hops[-2:]] == [("udp", "truncated"), ("tcp", "answer")]
    assert "tc" in run.hops[-2].flags
    assert run.hops[-1].received > 1232


def test_a_server_without_edns_is_asked_without(lab: Laboratory) -> None:
    run = Walked(lab)
    run.resolve("www.noedns.lab.")
    assert [hop.outcome for hop in run.hops[-2:]] == ["formerr", "answer"]
    assert run.resolve("noedns.lab.", "TXT").outcome == "nodata"
    assert run.hops[-1].outcome == "nodata", "and that is remembered"
    assert [hop.outcome for hop in run.hops].count("formerr") == 1


def test_lame_and_dead_servers_are_passed_over(lab: Laboratory) -> None:
    for name in ("www.lame.lab.", "www.halfdead.lab."):
        kinds = set()
        for _ in range(12):  # servers are chosen by chance
            run = Walked(lab)
            assert run.resolve(name).outcome == "answer"
            kinds |= {hop.outcome for hop in run.hops}
        assert kinds & {"lame", "refused", "unreachable"}, name


def test_a_silent_server_is_given_up_in_time_and_the_failure_kept(lab: Laboratory) -> None:
    run = Walked(lab, Limits(patience=0.2))
    answer = run.resolve("www.silent.lab.")
    assert answer.failure is not None
    assert answer.failure.slug == "name-servers-failed"
    assert "The only server of silent.lab. gave no answer" in answer.failure.message
    timeouts = [hop for hop in run.hops if hop.zone == "silent.lab."]
    assert len(timeouts) == 2, "once more, with more patience"
    asked = len(run.hops)
    run.resolve("www.silent.lab.")
    assert len(run.hops) == asked, "RFC 9520: a failure is remembered"


def test_a_slow_server_is_waited_for(lab: Laboratory) -> None:
    run = Walked(lab, Limits(patience=1.5))
    run.resolve("www.slow.lab.")
    assert run.hops[-1].ended - run.hops[-1].started > 290_000_000


def test_what_a_server_says_of_other_zones_is_ignored(lab: Laboratory) -> None:
    run = Walked(lab)
    assert addresses_in(run.resolve("www.poison.lab.").rrsets) == ["192.0.2.84"]
    notes = run.hops[-1].notes
    assert "Ignored in the answer section, since a server of poison.lab. has no say in it: www.shop.lab. A" in notes
    assert "Ignored in the authority section, since a server of poison.lab. has no say in it: lab. NS, . NS" in notes
    assert addresses_in(run.resolve("www.shop.lab.").rrsets) == ["127.0.0.1"]
    assert not any("127.6.6.6" in hop.server for hop in run.hops)


def test_servers_without_glue_are_looked_up_in_a_walk_of_their_own(lab: Laboratory) -> None:
    run = Walked(lab)
    assert addresses_in(run.resolve("www.glueless.lab.").rrsets) == ["192.0.2.90"]
    inner = [hop for hop in run.hops if hop.depth == 1]
    assert {hop.purpose for hop in inner} == {"address of ns.site.cdn."}
    assert [hop.zone for hop in inner] == [".", "cdn.", "site.cdn."]


@pytest.mark.parametrize("name", ["www.loop1.lab.", "www.missingglue.lab."])
def test_servers_that_need_one_another_are_a_circle(lab: Laboratory, name: str) -> None:
    answer = Walked(lab).resolve(name)
    assert answer.failure is not None
    assert answer.failure.slug == "server-loop"
    assert "we would have to know it already" in answer.failure.message


@pytest.mark.parametrize("name", ["round.shop.lab.", "self.shop.lab."])
def test_aliases_that_go_round_are_named(lab: Laboratory, name: str) -> None:
    answer = Walked(lab).resolve(name)
    assert answer.failure is not None
    assert answer.failure.slug == "alias-loop"
    assert name in answer.failure.message


def test_the_second_type_is_asked_of_the_last_server_only(lab: Laboratory) -> None:
    run = Walked(lab)
    run.resolve("www.shop.lab.", "A")
    before = len(run.hops)
    assert addresses_in(run.resolve("www.shop.lab.", "AAAA").rrsets) == ["::1"]
    assert [hop.zone for hop in run.hops[before:]] == ["shop.lab."]
    run.resolve("www.shop.lab.", "AAAA")
    assert len(run.hops) == before + 1


def test_fetch_gives_signatures_and_asks_the_parent_for_ds(lab: Laboratory) -> None:
    run = Walked(lab)
    run.resolve("www.shop.lab.")
    asked = len(run.hops)
    ds = run.fetch("shop.lab.", "DS")
    assert len(run.hops) == asked, "it came with the referral"
    assert ds.zone.to_text() == "lab."
    assert {dns.rdatatype.to_text(rrset.rdtype) for rrset in ds.answer} == {"DS", "RRSIG"}
    keys = run.fetch("shop.lab.", "DNSKEY")
    assert keys.zone.to_text() == "shop.lab."
    assert {dns.rdatatype.to_text(rrset.rdtype) for rrset in keys.answer} == {"DNSKEY", "RRSIG"}
    again = Walked(lab)
    assert again.fetch("shop.lab.", "DS").answer == ds.answer
    assert again.hops[-1].zone == "lab."
    none = run.fetch("bare.shop.lab.", "DS")
    assert none.outcome == "nodata"
    assert dns.rdatatype.NSEC in {rrset.rdtype for rrset in none.authority}


def test_work_is_limited(lab: Laboratory) -> None:
    run = Walked(lab, Limits(questions=3))
    answer = run.resolve("www.sub.shop.lab.")
    assert answer.failure is not None
    assert answer.failure.slug == "work-limit"
    assert len(run.hops) == 3
