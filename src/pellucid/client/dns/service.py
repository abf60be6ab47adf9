"""Asks name servers for a host in the way the mode has it, and fills the Lookup: the system's resolvers, one server, or the
walk.

In: a `Resolving`. Out: its addresses as they come, and everything that was asked. It brings the generators of decisions
(`stub.py`, `walk.py`) and the driver together; it decides nothing about DNS.
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Protocol

import dns.exception
import dns.name
import dns.rdatatype

from pellucid.client.dns.answers import Answer, addresses_in, aliases_in, record_rows
from pellucid.client.dns.driver import Driver
from pellucid.client.dns.resolv_conf import SystemConfig, candidates, read_system
from pellucid.client.dns.stub import Resolvers, ask_resolvers
from pellucid.journey import Clock, Failure, Lookup

__all__ = ["Service"]


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
    def settle(self, at: int, failure: Failure | None = None) -> None: ...


class Service:
    """Name service for one run."""

    def __init__(self, clock: Clock, options: _Options, resolv_conf: Path) -> None:
        self._clock = clock
        self._options = options
        self._driver = Driver(clock)
        self._asking: dict[int, asyncio.Task[Answer]] = {}
        self._config = SystemConfig(source="--dns")
        if options.mode == "system":
            self._config = read_system(resolv_conf)
            servers = tuple((each, 53) for each in self._config.servers)
        else:
            servers = () if options.mode == "walk" else (_server(options.mode),)
        config = self._config
        self._resolvers = Resolvers(servers, config.source, config.timeout, config.attempts, config.rotate)

    async def addresses(self, resolving: _Resolving) -> None:
        """Ask for A and AAAA until both are known, and settle; the HTTPS question is begun as well."""
        lookup = resolving.lookup
        try:
            names = [dns.name.from_text(each) for each in candidates(lookup.name, self._config)]
        except dns.exception.DNSException as error:
            resolving.settle(self._clock(), Failure("bad-name", f"{lookup.shown} cannot be asked for: {error}"))
            return
        answers: list[Answer] = []
        for name in names:
            if self._options.services and name is names[-1]:
                self._begin_services(resolving, name)
            answers = await self._both(resolving, name)
            if lookup.addresses:
                break
        resolving.settle(self._clock(), _failure(lookup, answers))

    async def services(self, resolving: _Resolving) -> None:
        """Wait for the HTTPS records that were asked for, and note them."""
        task = self._asking.pop(resolving.lookup.id, None)
        if task is None:
            return
        try:
            answer = await task
        finally:
            task.cancel()
        wanted = [rrset for rrset in answer.rrsets if rrset.rdtype == dns.rdatatype.HTTPS]
        resolving.lookup.services = record_rows(wanted, "answer")

    def _begin_services(self, resolving: _Resolving, name: dns.name.Name) -> None:
        """RFC 9460, section 9.1: the host itself for port 443 (and 80, which has become https), else `_port._https.host`."""
        standard = resolving.port in (80, 443)
        asked = name if standard else dns.name.Name((f"_{resolving.port}".encode(), b"_https", *name.labels))
        self._asking[resolving.lookup.id] = asyncio.create_task(self._one(resolving, asked, "HTTPS"))

    async def _one(self, resolving: _Resolving, name: dns.name.Name, kind: str) -> Answer:
        return await self._driver.run(ask_resolvers(self._resolvers, name, kind, resolving.lookup.hops))

    async def _both(self, resolving: _Resolving, name: dns.name.Name) -> list[Answer]:
        """A and AAAA at once; each is handed out when it is there."""
        lookup = resolving.lookup

        async def family(kind: str) -> Answer:
            answer = await self._one(resolving, name, kind)
            resolving.arrived(addresses_in(answer.rrsets))
            return answer

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(family(kind)) for kind in ("AAAA", "A")]
        answers = [task.result() for task in tasks]
        _note(lookup, answers)
        return answers


def _note(lookup: Lookup, answers: list[Answer]) -> None:
    """Records, aliases and the TTL of what was found."""
    for answer in answers:
        rows = [row for row in record_rows(answer.rrsets, "answer") if row not in lookup.records]
        lookup.records += rows
        lookup.aliases += [alias for alias in aliases_in(answer.rrsets) if alias not in lookup.aliases]
    lookup.ttl = min((answer.ttl for answer in answers if answer.outcome == "answer" and answer.ttl is not None), default=None)


def _failure(lookup: Lookup, answers: list[Answer]) -> Failure | None:
    """Why there is no address."""
    failed = next((answer.failure for answer in answers if answer.failure is not None), None)
    if failed is not None:
        return failed
    if any(answer.outcome == "nxdomain" for answer in answers):
        return Failure("name-not-found", f"There is no name {lookup.shown} (NXDOMAIN)", "Is it spelt as its owner spells it?")
    return Failure("no-address", f"{lookup.shown} exists, but has neither an A nor an AAAA record", "Another name of it may")


def _server(text: str) -> tuple[str, int]:
    """`9.9.9.9`, `127.0.0.1:5300`, `[::1]:53`, `::1`."""
    address, port = text, "53"
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    ipaddress.ip_address(address)
    return address, int(port)
