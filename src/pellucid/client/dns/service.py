"""Asks name servers for a host in the way the mode has it, and fills the Lookup: the system's resolvers, one server, or the
walk.

In: a `Resolving`. Out: its addresses as they come, and everything that was asked. It brings the generators of decisions
(`stub.py`, `walk.py`) and the driver together; it decides nothing about DNS.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from pellucid.client.dns.answers import Answer, addresses_in, aliases_in, listed, record_rows
from pellucid.client.dns.asking import Asking
from pellucid.client.dns.driver import Driver
from pellucid.client.dns.memory import Memory
from pellucid.client.dns.resolv_conf import SystemConfig, candidates, parse_server, read_system
from pellucid.client.dns.sorting import source_address
from pellucid.client.dns.stub import Resolvers, ask_resolvers
from pellucid.journey import Clock, Failure, Hop, Lookup

if TYPE_CHECKING:
    from pellucid.client.dns.walk import Walk

__all__ = ["Service", "load"]

_SEVERITY = ("secure", "insecure", "indeterminate", "bogus")


def load(mode: str) -> None:
    """Import what dnspython and we import on first use only: the record types, and for the walk the validator (100 ms)."""
    kinds = ["A 127.0.0.1", "AAAA ::1", "CNAME .", "SOA . . 1 1 1 1 1", "HTTPS 0 ."]
    if mode == "walk":
        import pellucid.client.dns.dnssec
        import pellucid.client.dns.walk  # noqa: F401

        kinds += ["NS .", "NSEC . A", "NSEC3 1 0 0 - 00 A"]
    for kind, _, text in (each.partition(" ") for each in kinds):
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text)


class _Options(Protocol):
    """What of the options concerns name servers (`resolve.ResolveOptions`)."""

    @property
    def mode(self) -> str: ...
    @property
    def hints(self) -> tuple[tuple[str, str], ...] | None: ...
    @property
    def anchors(self) -> tuple[str, ...] | None: ...
    @property
    def port(self) -> int: ...
    @property
    def services(self) -> bool: ...


class _Resolving(Protocol):
    """What of a lookup under way (`resolve.Resolving`) is used here."""

    lookup: Lookup
    host: str
    port: int
    scheme: str

    def arrived(self, addresses: list[str]) -> None: ...


class Service:
    """Name service for one run."""

    def __init__(self, clock: Clock, options: _Options, resolv_conf: Path, port: int) -> None:
        """`port`: where the servers of resolv.conf listen."""
        self._clock = clock
        self._options = options
        self._driver = Driver(clock)
        self._asking: dict[int, asyncio.Task[Answer]] = {}
        self._memory = Memory()
        self._routes: dict[str, bool] = {}
        self._config = SystemConfig(source="--dns")
        if options.mode == "system":
            self._config = read_system(resolv_conf)
            servers = tuple((each, port) for each in self._config.servers)
        else:
            servers = () if options.mode == "walk" else (parse_server(options.mode),)
        config = self._config
        self._resolvers = Resolvers(servers, config.source, config.timeout, config.attempts, config.rotate)

    async def addresses(self, resolving: _Resolving) -> Failure | None:
        """Ask for A and AAAA until both are known, and say why there are none; the HTTPS question is begun as well."""
        lookup = resolving.lookup
        try:
            names = [dns.name.from_text(each) for each in candidates(lookup.name, self._config)]
        except dns.exception.DNSException as error:
            return Failure("bad-name", f"{lookup.shown} cannot be asked for: {error}")
        if self._options.mode == "walk":
            return await self._walked(resolving, names[0])
        answers: list[Answer] = []
        for name in names:
            if self._options.services:
                await self.drop(resolving)  # the question for the name before, which is not there
                self._begin_services(resolving, name)
            answers = await self._both(resolving, name)
            if lookup.addresses:
                break
        return _failure(lookup, answers)

    async def services(self, resolving: _Resolving) -> None:
        """Wait for the HTTPS records that were asked for, and note them."""
        task = self._asking.get(resolving.lookup.id)
        if task is None:
            return
        answer = await task
        wanted = [rrset for rrset in answer.rrsets if rrset.rdtype == dns.rdatatype.HTTPS]
        resolving.lookup.services = record_rows(wanted, "answer")

    async def drop(self, resolving: _Resolving) -> None:
        """End the question for HTTPS records where it still waits."""
        task = self._asking.pop(resolving.lookup.id, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _begin_services(self, resolving: _Resolving, name: dns.name.Name) -> None:
        """RFC 9460, section 9.1: the host itself for port 443 (and 80, which has become https), else `_port._https.host`."""
        standard = resolving.port in (80, 443)
        asked = name if standard else dns.name.Name((f"_{resolving.port}".encode(), b"_https", *name.labels))
        self._asking[resolving.lookup.id] = asyncio.create_task(self._one(resolving, asked, "HTTPS"))

    async def _one(self, resolving: _Resolving, name: dns.name.Name, kind: str) -> Answer:
        hops = resolving.lookup.hops
        if self._options.mode == "walk":
            return await self._driver.run(self._walk(hops).resolve(name, kind))
        return await self._driver.run(ask_resolvers(self._resolvers, name, kind, hops))

    async def _both(self, resolving: _Resolving, name: dns.name.Name) -> list[Answer]:
        """A and AAAA at once; each is handed out when it is there."""

        async def family(kind: str) -> Answer:
            answer = await self._one(resolving, name, kind)
            _note(resolving.lookup, answer)
            resolving.arrived(addresses_in(answer.rrsets))
            return answer

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(family(kind)) for kind in ("AAAA", "A")]
        return [task.result() for task in tasks]

    async def _walked(self, resolving: _Resolving, name: dns.name.Name) -> Failure | None:
        """A first, which finds the servers on the way; then the other types, asked of the last of them; then the proof."""
        lookup = resolving.lookup
        self._remember(lookup, name)
        answers = [await self._one(resolving, name, "A")]
        if answers[0].outcome != "failed":
            if self._options.services and answers[0].outcome != "nxdomain":
                self._begin_services(resolving, name)
            answers.append(await self._one(resolving, name, "AAAA"))
        for answer in answers:
            _note(lookup, answer)
        good = await self._validated(lookup, answers)
        resolving.arrived([address for answer in good for address in addresses_in(answer.rrsets)])
        if lookup.verdict != "bogus":
            return _failure(lookup, answers)
        return Failure(
            "dnssec-bogus", f"The answer for {lookup.shown} was not signed as its zones say: {lookup.verdict_says}",
            "A resolver that validates gives no answer either; --dns system shows what yours makes of it",
        )  # fmt: skip

    async def _validated(self, lookup: Lookup, answers: list[Answer]) -> list[Answer]:
        """Follow the DNSSEC chain from the anchor to each answer, note it in the lookup, and leave out what is bogus."""
        from pellucid.client.dns.dnssec import IANA_ANCHORS, Validator

        walk = self._walk(lookup.hops)

        def fetch(name: dns.name.Name, kind: str) -> Asking[Answer]:
            return walk.one(name, kind, f"{kind} of {name}")

        anchors = IANA_ANCHORS if self._options.anchors is None else self._options.anchors
        validator = Validator(fetch, anchors)
        good: list[Answer] = []
        for answer in answers:
            found = await self._driver.run(validator.validate(answer))
            if lookup.verdict is None or _SEVERITY.index(found.verdict) > _SEVERITY.index(lookup.verdict):
                lookup.verdict, lookup.verdict_says = found.verdict, found.says
            lookup.chain += [link for link in found.chain if link not in lookup.chain]
            if found.verdict != "bogus":
                good.append(answer)
        return good

    def _walk(self, hops: list[Hop]) -> Walk:
        from pellucid.client.dns.walk import Walk

        return Walk(
            self._memory, self._clock, hops, hints=self._options.hints, port=self._options.port, reachable=self._has_route
        )

    def _has_route(self, address: str) -> bool:
        """Whether the kernel knows a way there: without IPv6, half of all servers need not be tried."""
        if address not in self._routes:
            self._routes[address] = source_address(address) is not None
        return self._routes[address]

    def _remember(self, lookup: Lookup, name: dns.name.Name) -> None:
        """Where the walk begins below the root, since a lookup before went there."""
        now = self._clock()
        cut = self._memory.closest(name, now)
        if cut is None:
            return
        servers = listed([server.to_text().rstrip(".") for server in cut.servers], 3)
        left = max(cut.ttl - (now - cut.learned) // 1_000_000_000, 0)
        says = f"Knew the servers of {cut.name} from a lookup before: {servers}; their TTL has {left} s left"
        lookup.hops.append(Hop(
            question=name.to_text(), type="A", server="", server_name=None, zone=cut.name.to_text(), transport="cache",
            started=now, ended=now, outcome="cached", says=says,
        ))  # fmt: skip


def _note(lookup: Lookup, answer: Answer) -> None:
    """Records, aliases and the TTL of what was found."""
    unsigned = [rrset for rrset in answer.rrsets if rrset.rdtype != dns.rdatatype.RRSIG]
    lookup.records += [row for row in record_rows(unsigned, "answer") if row not in lookup.records]
    lookup.aliases += [alias for alias in aliases_in(answer.rrsets) if alias not in lookup.aliases]
    if answer.outcome == "answer" and answer.ttl is not None:
        lookup.ttl = answer.ttl if lookup.ttl is None else min(lookup.ttl, answer.ttl)


def _failure(lookup: Lookup, answers: list[Answer]) -> Failure | None:
    """Why there is no address."""
    failed = next((answer.failure for answer in answers if answer.failure is not None), None)
    if failed is not None:
        return failed
    if any(answer.outcome == "nxdomain" for answer in answers):
        local = lookup.name.rstrip(".").lower().endswith(".local")
        hint = "Names under .local belong to multicast DNS (RFC 6762), which is not asked here"
        spelt = "Is it spelt as its owner spells it?"
        return Failure("name-not-found", f"There is no name {lookup.shown} (NXDOMAIN)", hint if local else spelt)
    return Failure("no-address", f"{lookup.shown} exists, but has neither an A nor an AAAA record", "Another name of it may")

