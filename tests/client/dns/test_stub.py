"""Asking resolvers: in turn, over TCP where they truncate, without EDNS where they do not know it, until one answers."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from pellucid.client.dns.answers import Answer
from pellucid.client.dns.asking import Ask, Asking, Reply
from pellucid.client.dns.stub import Resolvers, ask_resolvers
from pellucid.journey import Hop

WWW = dns.name.from_text("www.example.")
TWO = (("192.0.2.1", 53), ("192.0.2.2", 53))


def reply(ask: Ask, *records: str, rcode: int = 0, flags: int = 0, trouble: str | None = None) -> Reply:
    """What a resolver says to `ask`, or the trouble."""
    if trouble is not None:
        return Reply(0, 1, trouble=trouble, why="it is only a test")  # type: ignore[arg-type]
    query = dns.message.make_query(ask.name, ask.type, use_edns=0 if ask.payload else False)
    message = dns.message.make_response(query)
    message.flags |= dns.flags.RA | flags
    message.set_rcode(rcode)  # type: ignore[arg-type]
    for record in records:
        name, ttl, kind, value = record.split(" ", 3)
        message.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, *value.split(" | ")))
    return Reply(0, 1, message)


def play(steps: Asking[Answer], *script: object) -> tuple[Answer, list[Ask]]:
    """Run the generator against functions from the Ask to its Reply; all of the script must be used."""
    asked: list[Ask] = []
    left = list(script)
    try:
        ask = next(steps)
        while True:
            asked.append(ask)
            says = left.pop(0)
            ask = steps.send(says(ask))  # type: ignore[operator]
    except StopIteration as end:
        assert not left, "it asked less than expected"
        return end.value, asked


def good(ask: Ask) -> Reply:
    return reply(ask, "www.example. 60 A 192.0.2.80 | 192.0.2.81")


def resolvers(**settings: object) -> Resolvers:
    return Resolvers(TWO, "resolv.conf", **settings)  # type: ignore[arg-type]


def test_the_first_server_is_asked_and_told_of() -> None:
    hops: list[Hop] = []
    answer, asked = play(ask_resolvers(resolvers(), WWW, "A", hops), good)
    assert answer.outcome == "answer"
    assert answer.ttl == 60
    assert [(ask.server, ask.recursive, ask.payload, ask.timeout) for ask in asked] == [("192.0.2.1", True, 1232, 5.0)]
    assert hops[0].says == "Asked 192.0.2.1 (resolv.conf) for www.example. A: it answered 192.0.2.80 and 192.0.2.81"
    assert (hops[0].zone, hops[0].outcome, hops[0].transport) == (None, "answer", "udp")


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        ({"trouble": "timeout"}, "timeout"),
        ({"trouble": "unreachable"}, "unreachable"),
        ({"trouble": "malformed"}, "malformed"),
        ({"rcode": dns.rcode.SERVFAIL}, "servfail"),
        ({"rcode": dns.rcode.REFUSED}, "refused"),
    ],
)
def test_the_next_server_is_asked_where_one_fails(first: dict[str, object], outcome: str) -> None:
    hops: list[Hop] = []
    answer, asked = play(ask_resolvers(resolvers(), WWW, "A", hops), lambda ask: reply(ask, **first), good)
    assert [ask.server for ask in asked] == ["192.0.2.1", "192.0.2.2"]
    assert [hop.outcome for hop in hops] == [outcome, "answer"]
    assert answer.outcome == "answer"


def test_a_server_that_was_silent_is_asked_without_edns_in_the_second_round() -> None:
    def silent(ask: Ask) -> Reply:
        return reply(ask, trouble="timeout")

    answer, asked = play(ask_resolvers(resolvers(attempts=2), WWW, "A", []), silent, silent, silent, silent)
    assert [(ask.server, ask.payload) for ask in asked] == [
        ("192.0.2.1", 1232), ("192.0.2.2", 1232), ("192.0.2.1", 0), ("192.0.2.2", 0),
    ]  # fmt: skip
    assert answer.failure is not None
    assert answer.failure.slug == "name-servers-failed"
    assert "192.0.2.1 did not answer" in answer.failure.message
    assert "192.0.2.2 did not answer" in answer.failure.message


def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    hops: list[Hop] = []
    answer, asked = play(ask_resolvers(resolvers(), WWW, "A", hops), lambda ask: reply(ask, flags=dns.flags.TC), good)
    assert [ask.transport for ask in asked] == ["udp", "tcp"]
    assert [hop.outcome for hop in hops] == ["truncated", "answer"]
    assert "over TCP" in hops[1].says
    assert answer.outcome == "answer"


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
def test_a_server_that_does_not_know_edns_is_asked_without_and_remembered(rcode: int) -> None:
    some = resolvers()
    _, asked = play(ask_resolvers(some, WWW, "A", []), lambda ask: reply(ask, rcode=rcode), good)
    assert [(ask.server, ask.payload) for ask in asked] == [("192.0.2.1", 1232), ("192.0.2.1", 0)]
    _, asked = play(ask_resolvers(some, WWW, "AAAA", []), lambda ask: reply(ask, "www.example. 60 AAAA ::1"))
    assert asked[0].payload == 0


def test_rotate_begins_with_another_server_each_time() -> None:
    some = resolvers(rotate=True)
    servers = [play(ask_resolvers(some, WWW, "A", []), good)[1][0].server for _ in range(3)]
    assert servers == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]


def test_no_such_name_and_no_such_type_are_answers() -> None:
    hops: list[Hop] = []
    answer, _ = play(ask_resolvers(resolvers(), WWW, "A", hops), lambda ask: reply(ask, rcode=dns.rcode.NXDOMAIN))
    assert answer.outcome == "nxdomain"
    answer, _ = play(ask_resolvers(resolvers(), WWW, "AAAA", hops), lambda ask: reply(ask, "www.example. 9 CNAME x.example."))
    assert answer.outcome == "nodata"
    assert [hop.says.partition(": ")[2] for hop in hops] == [
        "there is no such name (NXDOMAIN)",
        "the name exists (an alias of x.example.), but has no AAAA record",
    ]


@pytest.mark.parametrize(
    ("records", "flags", "words"),
    [
        ((), 0, "it does not resolve for others (no RA flag)"),
        (("www.example. 9 CNAME x.else.",), dns.flags.AA, "it is an alias of x.else., and it goes no further"),
    ],
)
def test_a_server_that_does_not_resolve_for_others_is_passed_over(records: tuple[str, ...], flags: int, words: str) -> None:
    def authority(ask: Ask) -> Reply:
        made = reply(ask, *records, flags=flags)
        assert made.message is not None
        made.message.flags &= ~dns.flags.RA
        return made

    hops: list[Hop] = []
    answer, _ = play(ask_resolvers(resolvers(), WWW, "A", hops), authority, good)
    assert answer.outcome == "answer"
    assert hops[0].outcome == "lame"
    assert words in hops[0].says


def test_the_chain_of_aliases_is_followed_in_the_answer_whatever_its_order() -> None:
    def chain(ask: Ask) -> Reply:
        aliases = ("a.example. 90 CNAME b.example.", "www.example. 60 CNAME a.example.")
        return reply(ask, "b.example. 30 A 192.0.2.9", *aliases, "x. 1 A 192.0.2.66")

    hops: list[Hop] = []
    answer, _ = play(ask_resolvers(resolvers(), WWW, "A", hops), chain)
    assert [rrset.name.to_text() for rrset in answer.rrsets] == ["www.example.", "a.example.", "b.example."]
    assert answer.ttl == 30
    assert hops[0].says.endswith("it answered an alias of b.example., 192.0.2.9")


def test_aliases_in_a_circle_end() -> None:
    records = ("www.example. 60 CNAME a.example.", "a.example. 60 CNAME www.example.")
    answer, _ = play(ask_resolvers(resolvers(), WWW, "A", []), lambda ask: reply(ask, *records))
    assert answer.outcome == "nodata"


def test_what_the_server_says_beyond_its_code_is_noted() -> None:
    def blocked(ask: Ask) -> Reply:
        made = reply(ask, rcode=dns.rcode.NXDOMAIN, flags=dns.flags.AD)
        assert made.message is not None
        made.message.use_edns(0, options=[dns.edns.EDEOption(15, "listed by the house")])
        return made

    hops: list[Hop] = []
    play(ask_resolvers(resolvers(), WWW, "A", hops), blocked)
    assert hops[0].notes == ["The server said: blocked (extended error 15): listed by the house"]
    assert "says that it validated this" in hops[0].says
    assert "ad" in hops[0].flags
