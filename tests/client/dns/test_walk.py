"""The walk's decisions without a socket: a world of scripted servers, the limits, the choice of servers, the memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.dns.answers import Answer, addresses_in
from pellucid.client.dns.asking import Ask, Asking, Reply
from pellucid.client.dns.memory import Fetched, Memory
from pellucid.client.dns.reading import Cut
from pellucid.client.dns.roots import ROOT_HINTS
from pellucid.client.dns.walk import Limits, Walk, minimised
from pellucid.journey import Clock, Hop

MS = 1_000_000
Says = Callable[[Ask], Reply | None]


class StoppedClock(Clock):
    """Stands still until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    def __call__(self) -> int:
        return self.at


class World:
    """Servers by address; time goes on by what each takes to answer."""

    def __init__(self, servers: dict[str, Says], hints: tuple[tuple[str, str], ...] = (("a.root.", "192.0.2.1"),)) -> None:
        self.servers = servers
        self.hints = hints
        self.clock = StoppedClock()
        self.memory = Memory()
        self.hops: list[Hop] = []
        self.asked: list[Ask] = []
        self.takes: dict[str, int] = {}
        self.unreachable: set[str] = set()

    def walk(self, limits: Limits = Limits()) -> Walk:  # noqa: B008
        return Walk(
            self.memory, self.clock, self.hops, hints=self.hints, limits=limits,
            reachable=lambda address: address not in self.unreachable, shuffle=lambda _: None,
        )  # fmt: skip

    def play(self, steps: Asking[Answer]) -> Answer:
        try:
            ask = next(steps)
            while True:
                self.asked.append(ask)
                started = self.clock.at
                reply = self.servers[ask.server](ask) if ask.server in self.servers else None
                self.clock.at += self.takes.get(ask.server, 1) * MS if reply is not None else int(ask.timeout * 1e9)
                if reply is None:
                    reply = Reply(started, self.clock.at, trouble="timeout", why="silence")
                reply.started, reply.ended = started, self.clock.at
                ask = steps.send(reply)
        except StopIteration as end:
            found: Answer = end.value
            return found

    def resolve(self, name: str, kind: str = "A", limits: Limits = Limits()) -> Answer:  # noqa: B008
        return self.play(self.walk(limits).resolve(dns.name.from_text(name), kind))


AA = dns.flags.AA
Texts = tuple[str, ...]


def say(ask: Ask, *answer: str, authority: Texts = (), additional: Texts = (), rcode: int = 0, flags: int = AA) -> Reply:
    """What a server replies: records as `www.example. 60 A 192.0.2.1 | 192.0.2.2`."""
    query = dns.message.make_query(ask.name, ask.type, use_edns=0 if ask.payload else False)
    message = dns.message.make_response(query)
    message.flags |= flags
    message.set_rcode(rcode)  # type: ignore[arg-type]
    for section, texts in ((message.answer, answer), (message.authority, authority), (message.additional, additional)):
        for text in texts:
            name, ttl, type_, value = text.split(" ", 3)
            section.append(dns.rrset.from_text(name, int(ttl), "IN", type_, *value.split(" | ")))
    return Reply(0, 0, message)


def refer(ask: Ask, zone: str, *servers: tuple[str, str | None]) -> Reply:
    names = " | ".join(name for name, _ in servers)
    glue = tuple(f"{name} 60 A {address}" for name, address in servers if address)
    return say(ask, authority=(f"{zone} 60 NS {names}",), additional=glue, flags=0)


def root(zone: str, *servers: tuple[str, str | None]) -> Says:
    """A root that knows one zone."""

    def says(ask: Ask) -> Reply:
        if ask.name == dns.name.root:
            return say(ask, ". 60 NS a.root.", additional=("a.root. 60 A 192.0.2.1",))
        return refer(ask, zone, *servers)

    return says


def serving(zone: str, **records: str) -> Says:
    """A server of a zone that has addresses for some first labels."""

    def says(ask: Ask) -> Reply:
        label = ask.name.labels[0].decode()
        if ask.type == "A" and label in records:
            return say(ask, f"{ask.name} 60 A {records[label]}")
        soa = f"{zone} 60 SOA ns.{zone} host.{zone} 1 2 3 4 30"
        return say(ask, authority=(soa,), rcode=0 if label in records else dns.rcode.NXDOMAIN)

    return says


def small_world() -> World:
    server = serving("example.", www="192.0.2.80")
    return World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": server})


def test_from_the_root_to_the_answer() -> None:
    world = small_world()
    assert addresses_in(world.resolve("www.example.").rrsets) == ["192.0.2.80"]
    assert [(ask.server, ask.name.to_text(), ask.type) for ask in world.asked] == [
        ("192.0.2.1", ".", "NS"),
        ("192.0.2.1", "example.", "A"),
        ("192.0.2.2", "www.example.", "A"),
    ]
    assert {(ask.recursive, ask.payload, ask.dnssec) for ask in world.asked} == {(False, 1232, True)}
    assert [hop.says for hop in world.hops] == [
        "Asked a.root (192.0.2.1) for . NS: it answered a.root.",
        "Asked a.root (192.0.2.1) for example. A: it referred us to 1 server of example. (ns.example)",
        "Asked ns.example (192.0.2.2) for www.example. A: it answered 192.0.2.80",
    ]


LABELS = st.lists(st.from_regex(r"[a-z]{1,3}", fullmatch=True), min_size=1, max_size=60)


@given(LABELS, st.integers(0, 3))
def test_at_most_ten_questions_lead_to_any_name(labels: list[str], zone_labels: int) -> None:
    name = dns.name.from_text(".".join(labels) + ".")
    reached = name.split(min(zone_labels, len(labels)) + 1)[1]
    if reached == name:
        return
    asked = []
    while reached != name:
        following = minimised(name, reached, len(asked))
        assert following.is_subdomain(reached)
        assert following != reached
        asked.append(following)
        reached = following
    assert len(asked) <= 10
    assert all(len(after) - len(before) == 1 for before, after in pairwise(asked[:4]))


def test_what_is_known_to_be_no_zone_is_not_asked_again_and_underscores_are_asked_at_once() -> None:
    world = small_world()
    world.resolve("www.example.")
    before = len(world.asked)
    world.resolve("_8443._https.www.example.", "HTTPS")
    assert [(ask.name.to_text(), ask.type) for ask in world.asked[before:]] == [("_8443._https.www.example.", "HTTPS")]


def test_the_root_is_known_with_both_addresses_of_thirteen_servers() -> None:
    assert len(ROOT_HINTS) == 26
    assert len({name for name, _ in ROOT_HINTS}) == 13
    assert sum(":" in address for _, address in ROOT_HINTS) == 13
    assert len({address for _, address in ROOT_HINTS}) == 26


def test_untried_servers_come_first_and_then_the_quickest() -> None:
    servers = [(f"ns{number}.example.", f"192.0.2.{number}") for number in (2, 3, 4)]
    world = World({"192.0.2.1": root("example.", *servers)})
    for number in (2, 3, 4):
        world.servers[f"192.0.2.{number}"] = serving("example.", **{f"w{at}": "192.0.2.80" for at in range(9)})
    world.takes = {"192.0.2.2": 50, "192.0.2.3": 5, "192.0.2.4": 20}
    for at in range(6):
        world.resolve(f"w{at}.example.")
    assert [ask.server[-1] for ask in world.asked if ask.name.labels[0].startswith(b"w")] == list("234333")


def test_servers_that_cannot_be_reached_from_here_are_not_tried() -> None:
    world = World({"192.0.2.1": root("example.", ("ns.example.", None)), "192.0.2.2": serving("example.", www="192.0.2.80")})
    world.servers["192.0.2.1"] = lambda ask: (
        root("example.")(ask)
        if ask.name == dns.name.root
        else say(
            ask,
            authority=("example. 60 NS ns.example.",),
            additional=("ns.example. 60 AAAA 2001:db8::2", "ns.example. 60 A 192.0.2.2"),
            flags=0,
        )
    )
    world.unreachable = {"2001:db8::2"}
    assert world.resolve("www.example.").outcome == "answer"
    assert "2001:db8::2" not in {ask.server for ask in world.asked}
    world = World(world.servers)
    world.unreachable = {"2001:db8::2", "192.0.2.2"}
    failure = world.resolve("www.example.").failure
    assert failure is not None
    assert "there is no route to it from here" in failure.message


def test_a_silent_server_is_asked_again_after_all_others() -> None:
    world = World({"192.0.2.1": root("example.", ("ns1.example.", "192.0.2.2"), ("ns2.example.", "192.0.2.3"))})
    failure = world.resolve("www.example.").failure
    assert failure is not None
    assert failure.slug == "name-servers-failed"
    assert failure.message.startswith("None of the 2 servers of example. gave an answer for www.example. A: ns1.example. (")
    asked = [(ask.server, ask.payload, ask.timeout) for ask in world.asked[2:]]
    assert asked == [("192.0.2.2", 1232, 1.5), ("192.0.2.3", 1232, 1.5), ("192.0.2.2", 1232, 3.0), ("192.0.2.3", 1232, 3.0)]


def test_where_the_shortened_name_fails_the_whole_name_is_asked() -> None:
    def only_whole(ask: Ask) -> Reply:
        if len(ask.name) < 4:
            return say(ask, rcode=dns.rcode.REFUSED)
        return say(ask, "a.b.example. 60 A 192.0.2.80")

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": only_whole})
    assert addresses_in(world.resolve("a.b.example.").rrsets) == ["192.0.2.80"]
    assert any("RFC 9156" in note for hop in world.hops for note in hop.notes)


# Limits -------------------------------------------------------------------------------------------------------------------------


def test_a_referral_to_a_crowd_of_nameless_servers_is_given_up() -> None:
    """NXNSAttack (2020): each referral names many servers elsewhere, each to be looked up, and leads to as many again."""

    def attack(ask: Ask) -> Reply:
        zone = ask.name.to_text()
        return refer(ask, zone, *((f"ns.x{number}-{len(zone)}.example.", None) for number in range(30)))

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": attack})
    failure = world.resolve("www.victim.example.").failure
    assert failure is not None
    assert failure.slug == "work-limit"
    assert failure.message == "The walk was given up after 30 servers whose addresses had to be found first"
    assert len(world.asked) <= 60


def test_walks_within_walks_have_an_end() -> None:
    """Each zone's server lies in a further zone."""

    def ever_on(ask: Ask) -> Reply:
        label = ask.name.labels[-3].decode()
        return refer(ask, f"{label}.example.", (f"ns.{label}n.example.", None))

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": ever_on})
    failure = world.resolve("www.z.example.").failure
    assert failure is not None
    assert max(hop.depth for hop in world.hops) == 8
    assert failure.slug == "depth-limit"
    assert failure.message.endswith(" was not looked up: 8 walks within walks are enough")
    assert len(world.asked) <= 60


@pytest.mark.parametrize(
    ("target", "slug", "words"),
    [
        (lambda name: f"n{name}", "alias-limit", "more than 16 aliases"),
        (lambda name: name, "alias-loop", "go round in a circle: www.example. -> www.example."),
    ],
)
def test_aliases_have_an_end(target: Callable[[str], str], slug: str, words: str) -> None:
    def alias(ask: Ask) -> Reply:
        return say(ask, f"{ask.name} 60 CNAME {target(ask.name.to_text())}")

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": alias})
    failure = world.resolve("www.example.").failure
    assert failure is not None
    assert failure.slug == slug
    assert words in failure.message


def test_a_dname_that_makes_names_longer_and_longer_ends() -> None:
    def longer(ask: Ask) -> Reply:
        return say(ask, f"d.example. 60 DNAME {'x' * 50}.d.example.")

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": longer})
    failure = world.resolve("www.d.example.").failure
    assert failure is not None
    assert failure.slug == "name-too-long"


def test_a_server_that_truncates_over_tcp_too_is_passed_over() -> None:
    def always(ask: Ask) -> Reply:
        return say(ask, flags=dns.flags.TC | dns.flags.AA)

    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2")), "192.0.2.2": always})
    assert world.resolve("www.example.").failure is not None
    assert [ask.transport for ask in world.asked[2:]] == ["udp", "tcp"]


def test_a_server_that_never_takes_the_question_is_passed_over() -> None:
    world = World({"192.0.2.1": root("example.", ("ns.example.", "192.0.2.2"))})
    world.servers["192.0.2.2"] = lambda ask: say(ask, rcode=dns.rcode.FORMERR)
    assert world.resolve("www.example.").failure is not None
    assert [ask.payload for ask in world.asked[2:]] == [1232, 0]


def test_without_any_root_server_the_hint_is_another_way() -> None:
    failure = World({}).resolve("www.example.").failure
    assert failure is not None
    assert failure.slug == "no-root"
    assert failure.hint is not None
    assert "--dns system" in failure.hint


# Memory -------------------------------------------------------------------------------------------------------------------------


def test_answers_and_denials_are_kept_for_their_time() -> None:
    world = small_world()
    for _ in range(2):
        world.resolve("www.example.")
        world.resolve("no.example.")
        world.resolve("no.example.", "AAAA")
    assert len(world.asked) == 4, "NXDOMAIN is of all types"
    world.clock.at += 31 * 1000 * MS
    world.resolve("www.example.")
    world.resolve("no.example.")
    assert len(world.asked) == 5, "30 s is what the SOA says for denials"
    world.clock.at += 30 * 1000 * MS
    world.resolve("www.example.")
    assert len(world.asked) == 8, "and all is over after 60 s, the root included"


def test_a_failure_is_kept_for_five_seconds() -> None:
    world = small_world()
    world.servers["192.0.2.2"] = lambda ask: say(ask, rcode=dns.rcode.SERVFAIL)
    first = world.resolve("www.example.")
    again = world.resolve("www.example.")
    assert first.failure == again.failure is not None
    assert len(world.asked) == 3
    world.clock.at += 6 * 1000 * MS
    world.resolve("www.example.")
    assert len(world.asked) == 4


def test_the_deepest_zone_that_holds_is_where_a_walk_begins() -> None:
    memory = Memory()
    names = [dns.name.from_text(text) for text in (".", "example.", "shop.example.")]
    for name, ttl in zip(names, (1000, 100, 10), strict=True):
        memory.keep_cut(Cut(name, {}, ttl), 0)
    www = dns.name.from_text("www.shop.example.")
    found = [memory.closest(www, seconds * 1000 * MS) for seconds in (9, 11, 101, 1001)]
    assert [cut.name if cut else None for cut in found] == [names[2], names[1], names[0], None]


def test_memory_is_bounded() -> None:
    memory = Memory()
    for number in range(6000):
        name = dns.name.from_text(f"w{number}.example.")
        memory.keep(Fetched(name, "A", "answer"), 0)
        memory.keep_cut(Cut(name, {}), 0)
    assert len(memory.answers) == len(memory.cuts) == 5000


def test_a_denial_with_an_unusable_soa_is_kept_briefly() -> None:
    memory = Memory()
    name = dns.name.from_text("no.example.")
    memory.keep(Fetched(name, "A", "nxdomain"), 0)
    assert memory.answer(name, "AAAA", 4_000 * MS) is not None
    assert memory.answer(name, "AAAA", 6_000 * MS) is None
