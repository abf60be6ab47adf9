"""The walk from the root down, as a recursive resolver does it: whom to ask next, and what to make of what they say.

In: a name and a type. Out: an `Answer` (`Walk.resolve`, aliases followed) or a `Fetched` (`Walk.fetch`, one step), and a Hop for
every question. No I/O: both are generators that yield `Ask`s and are sent `Reply`s; sub-walks are composed by `yield from`.

For validators: `walk.fetch(name, type, purpose)` (or `walk.one`, the same as an Answer) gives record sets with their RRSIGs, the
return code and the authority section of what the authoritative servers say of exactly this name and type, from memory where it
was asked in this run. DS is asked of the parent's servers. An alias is not followed: `outcome` says `cname` or `dname`, `target`
where to. It never raises: see `Fetched.failure`. A walk with a budget of its own is another `Walk` with the same memory.

How it goes, with the rules: start at the deepest zone known (at first the root, by priming, RFC 9609); ask its servers, the
untried and the quick ones first, for one label more than the zone has (RFC 9156: at most ten such questions, and the whole name
where a server stumbles over that); a referral leads a zone down; servers without an address are looked up in a sub-walk, one at
a time and only as needed. A server that fails, refuses or does not serve the zone is passed over for the next. Work is bounded:
60 questions, 30 servers looked up, eight sub-walks deep, sixteen aliases; each limit has a failure of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.name
import dns.rdatatype
import dns.rrset

from pellucid.client.dns.answers import Answer, addresses_in, hop, lowest_ttl
from pellucid.client.dns.asking import PAYLOAD, Ask, Asking, Reply
from pellucid.client.dns.memory import Fetched, Memory
from pellucid.client.dns.reading import Cut, Reading, alias_of, read_message, take_chain, target_of_server
from pellucid.client.dns.roots import ROOT_HINTS
from pellucid.client.dns.wording import failed_words, told
from pellucid.journey import Clock, Failure, Hop

__all__ = ["Limits", "Walk", "minimised"]

_GOOD = ("answer", "cname", "dname", "nodata", "nxdomain", "referral")
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Limits:
    """How much a walk may cost."""

    questions: int = 60
    servers: int = 30
    """Servers that came without an address and were looked up."""
    depth: int = 8
    aliases: int = 16
    patience: float = 1.5
    """Seconds to wait for a server whose round trip is not known; twice that in the second round."""


class _Stop(Exception):
    """The walk, or a part of it, cannot go on."""

    def __init__(self, failure: Failure, whole: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.whole = whole
        """The whole walk ends, not just this branch."""


@dataclass(frozen=True)
class _Asked:
    """Why a question is asked: for the Hop."""

    purpose: str | None
    depth: int


class Walk:
    """One walk with its budget. `hops` is appended to; `memory` is the run's."""

    def __init__(
        self,
        memory: Memory,
        clock: Clock,
        hops: list[Hop],
        *,
        hints: Sequence[tuple[str, str]] | None = None,
        port: int = 53,
        reachable: Callable[[str], bool] = lambda _: True,
        shuffle: Callable[[list[tuple[str, str]]], None] = random.shuffle,
        limits: Limits = Limits(),
    ) -> None:
        self.memory = memory
        self.hops = hops
        self._clock = clock
        self._hints = ROOT_HINTS if hints is None else hints
        self._port = port
        self._reachable = reachable
        self._shuffle = shuffle
        self._limits = limits
        self._asked = 0
        self._looked_up = 0
        self._under_way: list[tuple[dns.name.Name, str]] = []
        self._endless: Failure | None = None

    def resolve(self, name: dns.name.Name, kind: str, purpose: str | None = None, depth: int = 0) -> Asking[Answer]:
        """Find the records of a name, following aliases across zones. Never raises: see `Answer.failure`."""
        chain: list[dns.rrset.RRset] = []
        seen, current = [name], name
        while True:
            fetched = yield from self.fetch(current, kind, purpose, depth)
            chain += fetched.answer
            if fetched.outcome not in ("cname", "dname"):
                break
            if fetched.target is None:
                return _failed(name, kind, chain, "name-too-long", f"The DNAME for {current} leads to a name that is too long")
            if fetched.target in seen:
                around = " -> ".join(each.to_text() for each in [*seen[seen.index(fetched.target):], fetched.target])  # fmt: skip
                return _failed(name, kind, chain, "alias-loop", f"The aliases of {name} go round in a circle: {around}")
            if len(seen) > self._limits.aliases:
                return _failed(name, kind, chain, "alias-limit", f"{name} has more than {self._limits.aliases} aliases in a row")
            current = fetched.target
            seen.append(current)
        outcome = fetched.outcome
        ended = outcome if outcome == "answer" or outcome == "nodata" or outcome == "nxdomain" else "failed"
        return Answer(name, kind, ended, chain, fetched.authority, lowest_ttl(chain), False, fetched.failure)

    def one(self, name: dns.name.Name, kind: str, purpose: str | None = None) -> Asking[Answer]:
        """What `fetch` finds, as an Answer: the alias itself where there is one."""
        fetched = yield from self.fetch(name, kind, purpose)
        outcome = fetched.outcome
        ended = outcome if outcome == "nodata" or outcome == "nxdomain" else "failed" if fetched.failure else "answer"
        return Answer(name, kind, ended, list(fetched.answer), fetched.authority, fetched.ttl, False, fetched.failure)

    def fetch(self, name: dns.name.Name, kind: str, purpose: str | None = None, depth: int = 0) -> Asking[Fetched]:
        """Ask the authoritative servers for exactly this name and type; from memory where it is there."""
        known = self.memory.answer(name, kind, self._clock())
        if known is not None:
            return known
        key = (name, kind)
        if key in self._under_way:
            circle = " -> ".join(each.to_text() for each, _ in [*self._under_way[self._under_way.index(key):], key])  # fmt: skip
            return _unfetched(name, kind, Failure(
                "server-loop", f"To find {name} we would have to know it already: {circle}",
                "Addresses of the servers in the zone above (glue) would break the circle; only its owner can put them there",
            ))  # fmt: skip
        self._under_way.append(key)
        try:
            fetched = yield from self._descend(name, kind, _Asked(purpose, depth))
        except _Stop as stop:
            if stop.whole and depth:
                raise
            fetched = _unfetched(name, kind, stop.failure)
            if stop.failure.slug == "name-servers-failed":
                self.memory.keep(fetched, self._clock())
        finally:
            self._under_way.pop()
        return fetched

    def _descend(self, name: dns.name.Name, kind: str, why: _Asked) -> Asking[Fetched]:
        """From the deepest zone known to the one that answers."""
        if why.depth > self._limits.depth:
            raise _Stop(Failure("depth-limit", f"{name} was not looked up: {self._limits.depth} walks within walks are enough"))
        above = name.parent() if kind == "DS" and name != dns.name.root else name
        cut = self.memory.closest(above, self._clock())
        if cut is None:
            cut = yield from self._prime()
        reached, count, whole = cut.name, 0, False
        while True:
            asked = name if whole else minimised(name, reached, count)
            final = asked == name
            if not final and self._is_inside(asked):
                reached = asked
                continue
            count += 1
            purpose = why.purpose if final or why.purpose else f"servers of {asked}"
            try:
                reading = yield from self._ask_zone(cut, asked, kind if final else "A", _Asked(purpose, why.depth), final)
            except _Stop as stop:
                if final or stop.whole:
                    raise
                whole = True
                self._remark("The shortened name got no answer, so the whole name was asked next (RFC 9156, section 2.3)")
                continue
            if reading.kind == "referral" and reading.cut is not None:
                if kind == "DS" and reading.cut.name == name:
                    return self._kept(name, kind, cut.name, _without_ds(reading))
                cut = self._learned(reading, cut.name)
                reached, whole = cut.name, False
            elif final:
                return self._kept(name, kind, cut.name, reading)
            elif reading.kind == "nxdomain":
                whole = True
                self._remark("Some servers deny a name that only has names below it, so the whole name was asked next (RFC 8020)")
            else:
                reached = asked

    def _is_inside(self, name: dns.name.Name) -> bool:
        """Whether it is known already that no zone begins at a name: it was answered for by the zone above."""
        known = self.memory.answer(name, "A", self._clock())
        return known is not None and known.outcome in ("answer", "nodata", "cname") and known.zone != name

    def _prime(self) -> Asking[Cut]:
        """Ask one of the hinted servers who serves the root now (RFC 9609)."""
        hinted: dict[dns.name.Name, list[str]] = {}
        for server, address in self._hints:
            hinted.setdefault(dns.name.from_text(server), []).append(address)
        hints = Cut(dns.name.root, hinted, 0)
        try:
            reading = yield from self._ask_zone(hints, dns.name.root, "NS", _Asked("priming", 0), True)
        except _Stop as stop:
            hint = "Port 53 may be closed from here; --dns system asks the resolver of this network"
            raise _Stop(Failure("no-root", f"No walk without the root: {stop.failure.message}", hint)) from None
        sets = [rrset for rrset in take_chain(reading.answer, dns.name.root, "NS") if rrset.rdtype == dns.rdatatype.NS]
        named = [target_of_server(rdata) for rrset in sets for rdata in rrset]
        servers = {name: reading.glue.get(name) or hinted.get(name, []) for name in named}
        cut = Cut(dns.name.root, servers, lowest_ttl(sets) or 0) if any(servers.values()) else hints
        self.memory.keep_cut(cut, self._clock())
        self._kept(dns.name.root, "NS", dns.name.root, reading)
        return cut

    def _learned(self, reading: Reading, parent: dns.name.Name) -> Cut:
        """A referral: the zone, its servers, and what the parent says of its key."""
        cut = reading.cut
        assert cut is not None
        now = self._clock()
        self.memory.keep_cut(cut, now)
        types = {rrset.rdtype for rrset in reading.authority}
        if types & {dns.rdatatype.DS, dns.rdatatype.NSEC, dns.rdatatype.NSEC3}:
            self._kept(cut.name, "DS", parent, _without_ds(reading))
        return cut

    def _kept(self, name: dns.name.Name, kind: str, zone: dns.name.Name, reading: Reading) -> Fetched:
        """Keep what was read: the step asked for, and the next ones of the chain that came along."""
        first: Fetched | None = None
        seen: set[dns.name.Name] = set()
        while True:
            fetched = Fetched(name, kind, reading.kind, [], reading.authority, zone, None, reading.rcode)
            alias = alias_of(reading.answer, name, kind)
            direct = take_chain(reading.answer, name, kind)
            if direct:
                fetched.outcome, fetched.answer = "answer", direct
            elif alias is not None:
                fetched.outcome, fetched.target, fetched.answer = alias
            elif first is not None:
                return first
            self.memory.keep(fetched, self._clock())
            first = first or fetched
            seen.add(name)
            if fetched.target is None or fetched.target in seen or not fetched.target.is_subdomain(zone):
                return first
            name = fetched.target

    def _ask_zone(self, cut: Cut, name: dns.name.Name, kind: str, why: _Asked, final: bool) -> Asking[Reading]:
        """Ask servers of a zone until one gives something to go on with; raises _Stop where none does."""
        tried: dict[str, str] = {}
        silent: list[tuple[str, str]] = []
        looked_up: set[dns.name.Name] = set()
        while True:
            server = self._choose(cut, tried)
            if server is None:
                more = yield from self._find_servers(cut, looked_up, tried, why)
                if more:
                    continue
                break
            reading = yield from self._ask_server(server, cut.name, name, kind, why, again=False)
            if reading.kind in _GOOD:
                return reading
            tried[server[1]] = f"{server[0]} ({server[1]}): {reading.words}"
            if reading.kind in ("timeout", "unreachable"):
                silent += [server] if reading.kind == "timeout" else []
            if final and reading.kind in ("lame", "refused"):
                self.memory.blame(cut.name, server[1], reading.words, self._clock())
        for server in silent if final else ():
            reading = yield from self._ask_server(server, cut.name, name, kind, why, again=True)
            if reading.kind in _GOOD:
                return reading
        # Where nothing but a circle (or too deep a chain) kept us from asking anybody, that is what is wrong.
        nobody_asked = not any(_is_address(each) for each in tried)
        raise _Stop(self._endless if self._endless and nobody_asked else _nobody(cut, name, kind, list(tried.values())))

    def _choose(self, cut: Cut, tried: dict[str, str]) -> tuple[str, str] | None:
        """The next server: one never asked before, else the quickest. (name, address)"""
        known: list[tuple[str, str]] = []
        for server, glue in cut.servers.items():
            found = [*glue]
            for kind in ("A", "AAAA"):
                fetched = self.memory.answer(server, kind, self._clock())
                if fetched is not None and fetched.outcome == "answer":
                    found += addresses_in(fetched.answer)
            known += [(server.to_text(), address) for address in dict.fromkeys(found)]
        fit: list[tuple[str, str]] = []
        for server_name, address in known:
            if address in tried or not _is_address(address):
                continue
            blame = self.memory.blamed(cut.name, address, self._clock())
            if blame is None and self._reachable(address):
                fit.append((server_name, address))
            else:
                tried[address] = f"{server_name} ({address}): " + (blame or "there is no route to it from here")
        self._shuffle(fit)
        trips = self.memory.round_trips
        return min(fit, key=lambda each: trips.get(each[1], -1.0), default=None)

    def _find_servers(self, cut: Cut, looked_up: set[dns.name.Name], tried: dict[str, str], why: _Asked) -> Asking[bool]:
        """Look up the address of one server that came without; whether there was one to look up."""
        for server, glue in cut.servers.items():
            if server in looked_up or any(self._reachable(address) for address in glue):
                continue
            looked_up.add(server)
            self._looked_up += 1
            if self._looked_up > self._limits.servers:
                raise self._enough(f"{self._limits.servers} servers whose addresses had to be found first")
            purpose = f"address of {server}"
            answer = yield from self.resolve(server, "A", purpose, why.depth + 1)
            if not addresses_in(answer.rrsets) and answer.failure is None:
                answer = yield from self.resolve(server, "AAAA", purpose, why.depth + 1)
            if answer.failure is not None:
                if answer.failure.slug in ("server-loop", "depth-limit"):
                    self._endless = answer.failure
                # Failures within failures would grow without end.
                tried[server.to_text()] = f"{server}: its address was not found ({_brief(answer.failure.message)})"
            elif answer.outcome != "answer":
                tried[server.to_text()] = f"{server}: it has no address"
            else:
                cut.servers[server] = [*glue, *addresses_in(answer.rrsets)]
            return True
        return False

    def _ask_server(
        self, server: tuple[str, str], zone: dns.name.Name, name: dns.name.Name, kind: str, why: _Asked, *, again: bool
    ) -> Asking[Reading]:
        """One server: over TCP where it truncates, without EDNS where it does not know it. Every question is a Hop."""
        server_name, address = server
        # Silence is no reason to give up EDNS (DNS flag day 2019): without it no signatures come, and loss looks like forgery.
        plain = address in self.memory.without_edns
        trip = self.memory.round_trips.get(address)
        patience = self._limits.patience if trip is None else min(max(4 * trip, 0.5), self._limits.patience)
        ask = Ask(
            address, self._port, name, kind, "udp", 0 if plain else PAYLOAD, not plain, False, 2 * patience if again else patience
        )
        while True:
            self._asked += 1
            if self._asked > self._limits.questions:
                raise self._enough(f"{self._limits.questions} questions")
            reply = yield ask
            reading = self._read(ask, reply, zone)
            made = hop(ask, reply, reading.kind, told(ask, server_name, reading), server_name=server_name, zone=zone.to_text())
            made.purpose, made.depth = why.purpose, why.depth
            made.notes += reading.notes
            self.hops.append(made)
            if reading.kind == "truncated" and ask.transport == "udp":
                ask = Ask(address, self._port, name, kind, "tcp", ask.payload, ask.dnssec, False, 2 * patience)
            elif reading.kind == "formerr" and ask.payload:
                self.memory.without_edns.add(address)
                ask = Ask(address, self._port, name, kind, ask.transport, 0, False, False, patience)
            else:
                return reading

    def _read(self, ask: Ask, reply: Reply, zone: dns.name.Name) -> Reading:
        """The reply understood; what it says about the server is remembered."""
        if reply.message is None:
            self.memory.silent(ask.server, ask.timeout)
            return Reading(reply.trouble or "timeout", words=failed_words(reply))
        self.memory.answered(ask.server, (reply.ended - reply.started) / _SECOND)
        return read_message(reply.message, zone, ask.name, ask.type)

    def _enough(self, what: str) -> _Stop:
        hint = "The zones on the way send it from one to the next; --show dns lists every step"
        return _Stop(Failure("work-limit", f"The walk was given up after {what}", hint), whole=True)

    def _remark(self, text: str) -> None:
        if self.hops:
            self.hops[-1].notes.append(text)


def minimised(name: dns.name.Name, reached: dns.name.Name, count: int) -> dns.name.Name:
    """The name to ask for next, a part of `name`, after `count` questions that went as far as `reached` (RFC 9156, 2.3).

    The first four questions add one label each, six more share the rest evenly, so that ten do for any name. Zones hardly ever
    begin at a label such as `_https`, so from there on the whole name is asked for.
    """
    left = len(name.labels) - len(reached.labels)
    step = 1 if count < 4 else -(-left // (10 - count)) if count < 10 else left
    if name.labels[left - step].startswith(b"_"):
        step = left
    return dns.name.Name(name.labels[max(left - step, 0) :])


def _brief(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"


def _is_address(text: str) -> bool:
    return bool(text) and all(character in "0123456789abcdefABCDEF:." for character in text)


def _without_ds(reading: Reading) -> Reading:
    """What a referral says of the child's DS: the set, or the proof that there is none."""
    sets = [each for each in reading.authority if each.rdtype != dns.rdatatype.NS]
    return Reading("nodata", sets, sets, rcode=reading.rcode)


def _unfetched(name: dns.name.Name, kind: str, failure: Failure) -> Fetched:
    return Fetched(name, kind, "servfail", rcode=2, failure=failure)


def _failed(name: dns.name.Name, kind: str, chain: list[dns.rrset.RRset], slug: str, message: str) -> Answer:
    return Answer(name, kind, "failed", chain, failure=Failure(slug, message))


def _nobody(cut: Cut, name: dns.name.Name, kind: str, said: list[str]) -> Failure:
    count = len(cut.servers)
    who = f"The only server of {cut.name}" if count == 1 else f"None of the {count} servers of {cut.name}"
    verb = "gave no answer" if count == 1 else "gave an answer"
    return Failure("name-servers-failed", f"{who} {verb} for {name} {kind}: {'; '.join(said[:6]) or 'none has an address'}")
