"""Asking resolvers that do the walk for us: the system's (resolv.conf) or one that was named.

In: the servers and how to ask them. Out: an `Answer` per name and type, and a Hop per question. No I/O: `ask_resolvers` is a
generator of `Ask`s. Each server is asked in turn, with EDNS first; one that does not answer is asked without it in the next
round, since some middleboxes drop what they do not know. SERVFAIL, REFUSED and NOTIMP mean "ask the next one", as in glibc.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from pellucid.client.dns.answers import Answer, hop, listed, lowest_ttl, target_of
from pellucid.client.dns.asking import PAYLOAD, Ask, Asking, Reply
from pellucid.journey import Failure, Hop
from pellucid.journey.names import Outcome

__all__ = ["Resolvers", "ask_resolvers", "follow"]

_MOST_ALIASES = 16


@dataclass
class Resolvers:
    """Whom to ask, and what was learned of them in this run."""

    servers: tuple[tuple[str, int], ...]
    source: str
    """Where they are from: `resolv.conf`, `--dns`."""
    timeout: float = 5.0
    attempts: int = 2
    rotate: bool = False
    without_edns: set[str] = field(default_factory=set)
    turn: int = 0


def ask_resolvers(
    resolvers: Resolvers, name: dns.name.Name, kind: str, hops: list[Hop], purpose: str | None = None
) -> Asking[Answer]:
    """Ask until somebody answers: per round all servers once, `attempts` rounds. Never raises; a failure is in the Answer."""
    order = list(resolvers.servers)
    if resolvers.rotate:
        at = resolvers.turn % len(order)
        order, resolvers.turn = order[at:] + order[:at], resolvers.turn + 1
    said: list[str] = []
    for round_ in range(resolvers.attempts):
        for address, port in order:
            answer = yield from _ask_one(resolvers, Ask(
                server=address, port=port, name=name, type=kind, recursive=True, timeout=resolvers.timeout,
                payload=0 if address in resolvers.without_edns or round_ else PAYLOAD,
            ), hops, purpose)  # fmt: skip
            if answer.outcome != "failed":
                return answer
            if answer.failure is not None:
                said.append(answer.failure.message)
    every = "; ".join(dict.fromkeys(said))
    return Answer(name, kind, "failed", failure=Failure(
        "name-servers-failed", f"No name server answered for {name} {kind}: {every}",
        f"The servers are from {resolvers.source}; --dns walk asks from the root down, --dns 9.9.9.9 another resolver",
    ))  # fmt: skip


def _ask_one(resolvers: Resolvers, ask: Ask, hops: list[Hop], purpose: str | None) -> Asking[Answer]:
    """One server, with TCP where it truncates and without EDNS where it does not know it."""
    while True:
        reply = yield ask
        outcome, words, again = _judge(ask, reply)
        who = f"{ask.server} ({resolvers.source})" if resolvers.source else ask.server
        over = " over TCP" if ask.transport == "tcp" else ""
        made = hop(ask, reply, outcome, f"Asked {who}{over} for {ask.name} {ask.type}: {words}")
        made.purpose = purpose
        hops.append(made)
        if again is None:
            return _answer(ask, reply, outcome, f"{ask.server} {words.removeprefix('it ')}")
        if ask.payload and not again.payload:
            resolvers.without_edns.add(ask.server)
        ask = again


def _judge(ask: Ask, reply: Reply) -> tuple[Outcome, str, Ask | None]:
    """What the reply is, in a word and in words, and the same question in another way where that helps."""
    message = reply.message
    if message is None:
        if reply.trouble == "timeout":
            return "timeout", f"it did not answer ({reply.why})", None
        if reply.trouble == "malformed":
            return "malformed", f"what came could not be read ({reply.why})", None
        return "unreachable", f"it could not be reached ({reply.why})", None
    if message.flags & dns.flags.TC and ask.transport == "udp":
        return "truncated", "the answer did not fit into a datagram, so it was asked again over TCP", _over_tcp(ask)
    code = message.rcode()
    if code in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS) and ask.payload:
        return "formerr", f"it does not know EDNS ({dns.rcode.to_text(code)}), so it was asked again without", _plain(ask)
    if code == dns.rcode.NXDOMAIN:
        return "nxdomain", f"there is no such name (NXDOMAIN){_validated(message)}", None
    if code == dns.rcode.REFUSED:
        return "refused", "it refused (REFUSED)", None
    if code == dns.rcode.FORMERR:
        return "formerr", "it could not read the question (FORMERR)", None
    if code != dns.rcode.NOERROR:
        return "servfail", f"it failed ({dns.rcode.to_text(code)})", None
    chain = follow(message, ask.name, ask.type)
    if not chain or chain[-1].rdtype != dns.rdatatype.from_text(ask.type):
        walks = message.flags & dns.flags.RA
        if not walks and chain:
            return "lame", f"it is an alias of {target_of(chain[-1])}, and it goes no further for others (no RA flag)", None
        if not walks and not message.flags & dns.flags.AA:
            return "lame", "it does not resolve for others (no RA flag)", None
        alias = f" (an alias of {target_of(chain[-1])})" if chain else ""
        return "nodata", f"the name exists{alias}, but has no {ask.type} record{_validated(message)}", None
    found = [rdata.to_text() for rdata in chain[-1]]
    alias = f"an alias of {chain[-1].name}, " if len(chain) > 1 else ""
    return "answer", f"it answered {alias}{listed([each[:80] for each in found])}{_validated(message)}", None


def follow(message: dns.message.Message, name: dns.name.Name, kind: str) -> list[dns.rrset.RRset]:
    """The chain of CNAMEs in the answer section from `name`, ended by the records of the type where they are there."""
    chain: list[dns.rrset.RRset] = []
    wanted = dns.rdatatype.from_text(kind)
    sets = {(rrset.name, rrset.rdtype): rrset for rrset in message.answer}
    while len(chain) < _MOST_ALIASES:
        found = sets.get((name, wanted))
        if found is not None:
            return [*chain, found]
        alias = sets.pop((name, dns.rdatatype.CNAME), None)
        if alias is None:
            return chain
        chain.append(alias)
        name = target_of(alias)
    return chain


def _answer(ask: Ask, reply: Reply, outcome: Outcome, words: str) -> Answer:
    message = reply.message
    if message is None or outcome not in ("answer", "nodata", "nxdomain"):
        return Answer(ask.name, ask.type, "failed", failure=Failure("name-server-failed", words))
    chain = follow(message, ask.name, ask.type)
    return Answer(
        ask.name, ask.type, "answer" if outcome == "answer" else "nxdomain" if outcome == "nxdomain" else "nodata",
        rrsets=chain, authority=list(message.authority), ttl=lowest_ttl(chain), secure=bool(message.flags & dns.flags.AD),
    )  # fmt: skip


def _validated(message: dns.message.Message) -> str:
    return ", and says that it validated this" if message.flags & dns.flags.AD else ""


def _over_tcp(ask: Ask) -> Ask:
    return Ask(ask.server, ask.port, ask.name, ask.type, "tcp", ask.payload, ask.dnssec, ask.recursive, ask.timeout)


def _plain(ask: Ask) -> Ask:
    return Ask(ask.server, ask.port, ask.name, ask.type, ask.transport, 0, False, ask.recursive, ask.timeout)


