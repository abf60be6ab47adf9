"""Names into addresses: `Resolver` begins a lookup, `Resolving` is one under way, and the journey's `Lookup` tells what happened.

In: a host as a URL has it, and the options. Out: addresses as they become known, and every question and answer in the Lookup.
The order: an IP address stands for itself, then `--resolve`, then `localhost` (RFC 6761 6.3: never asked for), then what the mode
says: the system's way (hosts file and resolv.conf, in the order of nsswitch.conf), one named server, or the walk from the root.

Nothing heavy is imported until a question must be asked: `prepare` does it ahead of time, so that it is not taken for waiting.
A host asked again in the same run is answered from memory, for its TTL but at least 60 seconds, as browsers keep names.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from pathlib import Path

import ada_url
import msgspec

from pellucid.client.dns.hosts_file import find_in_hosts
from pellucid.client.dns.resolv_conf import read_sources
from pellucid.client.dns.sorting import interleaved, sorted_addresses, source_address
from pellucid.journey import Clock, Failure, Hop, Lookup, Record

__all__ = ["ResolveOptions", "Resolver", "Resolving", "SystemFiles", "prepare"]

_LEAST_KEPT = 60
"""Seconds; Chromium's least (net/dns/host_resolver_manager.cc)."""
_SECOND = 1_000_000_000
_ASKING = {"dns", "resolve"}
"""The sources of nsswitch.conf that ask name servers; systemd's `resolve` is found through resolv.conf as well."""
_GRACE = 1.0
"""Seconds that HTTPS records may come later than the addresses."""


class ResolveOptions(msgspec.Struct, frozen=True):
    """How names are resolved."""

    mode: str = "system"
    """`system`, `walk`, or a server: `9.9.9.9`, `127.0.0.1:5300`, `[::1]:53`."""
    overrides: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    """`--resolve HOST:PORT:ADDRESS[,ADDRESS]`; port 0 means any."""
    timeout: float = 10.0
    """Seconds for a whole lookup."""
    hints: tuple[tuple[str, str], ...] | None = None
    """The root's servers: name, address. None: the Internet's."""
    anchors: tuple[str, ...] | None = None
    """DS records of the root as text. None: IANA's."""
    port: int = 53
    """Where name servers listen in the walk; a laboratory's may listen elsewhere."""
    services: bool = True
    """Ask for HTTPS records as well."""


class SystemFiles(msgspec.Struct, frozen=True):
    """Where the system says how it resolves names."""

    hosts: Path = Path("/etc/hosts")
    resolv_conf: Path = Path("/etc/resolv.conf")
    nsswitch: Path = Path("/etc/nsswitch.conf")
    port: int = 53
    """Where the servers of resolv.conf listen, which has no word for it."""


_AS_THE_SYSTEM = ResolveOptions()
_SYSTEM_FILES = SystemFiles()


def prepare(host: str, options: ResolveOptions, files: SystemFiles = _SYSTEM_FILES) -> None:
    """Import what a question about `host` will need, if one will be asked: call it before the clock starts (50 to 100 ms)."""
    if _address(host) or _is_localhost(host) or any(_fits(wanted, host) for wanted, _, _ in options.overrides):
        return
    if options.mode == "system" and find_in_hosts(files.hosts, host):
        return
    from pellucid.client.dns.service import load

    load(options.mode)


class Resolving:
    """A lookup under way. `lookup` is in the journey at once and is filled while it goes on."""

    def __init__(self, lookup: Lookup, host: str, port: int, scheme: str) -> None:
        self.lookup = lookup
        self.host = host
        self.port = port
        self.scheme = scheme
        self._batches: list[list[str]] = []
        self._settled = False
        self._over = False
        self._changed = asyncio.Event()

    async def addresses(self) -> AsyncIterator[list[str]]:
        """Lists of addresses as the families arrive, AAAA and A in any order, each list sorted; ends when both are known.

        Any number may listen, from the start or later: each gets everything. None at all means `lookup.failure` is set.
        """
        seen = 0
        while True:
            while seen < len(self._batches):
                yield self._batches[seen]
                seen += 1
            if self._settled:
                return
            await self._changed.wait()

    async def wait(self) -> Lookup:
        """Wait until nothing more is to come, HTTPS records included. Never raises: see `lookup.failure`."""
        while not self._over:
            await self._changed.wait()
        return self.lookup

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def arrived(self, addresses: Iterable[str]) -> None:
        """A family is known: hand it out, sorted."""
        batch = sorted_addresses([each for each in addresses if each not in self.lookup.addresses])
        if batch and not self._settled:
            self._batches.append(batch)
            self.lookup.addresses += batch
            self._wake()

    def settle(self, at: int, failure: Failure | None = None) -> None:
        """All addresses are known, at the instant `at`; or there are none, and `failure` says why."""
        if self._settled:
            return
        lookup = self.lookup
        lookup.addresses = interleaved(sorted_addresses(lookup.addresses))
        lookup.failure = failure if not lookup.addresses else None
        lookup.ended = at
        self._settled = True
        self._wake()

    def finish(self) -> None:
        """Nothing more is to come."""
        self._over = True
        self._wake()


class Resolver:
    """All lookups of one run. Its Lookups go into `lookups`, in the order in which they began."""

    def __init__(
        self,
        clock: Clock,
        lookups: list[Lookup],
        options: ResolveOptions = _AS_THE_SYSTEM,
        files: SystemFiles = _SYSTEM_FILES,
    ) -> None:
        self.clock = clock
        self.options = options
        self.files = files
        self._lookups = lookups
        self._known: dict[str, Resolving] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._service: object = None

    def start(self, host: str, port: int, scheme: str) -> Resolving:
        """Begin a lookup of a URL's host (ASCII, no brackets); again, it comes from memory. Needs a running loop."""
        shown = str(ada_url.idna.decode(host)) if "xn--" in host else host
        lookup = Lookup(id=len(self._lookups) + 1, name=host, shown=shown, how="literal", started=self.clock())
        self._lookups.append(lookup)
        resolving = Resolving(lookup, host, port, scheme)
        if self._at_once(resolving):
            return resolving
        key = host.lower()
        known = self._known.get(key)
        if known is not None and self._lasts(known.lookup):
            lookup.how = "cache"
            self._spawn(self._again(resolving, known))
        else:
            self._known[key] = resolving
            self._spawn(self._ask(resolving))
        return resolving

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _at_once(self, resolving: Resolving) -> bool:
        """What needs no question: an address, an override, localhost, a line of the hosts file."""
        lookup, host = resolving.lookup, resolving.host
        literal = _address(host)
        overridden = _overridden(self.options.overrides, host, resolving.port)
        if literal is not None:
            addresses: Sequence[str] = [literal]
        elif overridden is not None:
            lookup.how, addresses = "override", overridden
        elif _is_localhost(host):
            lookup.how = "reserved"
            addresses = [each for each in ("::1", "127.0.0.1") if source_address(each) is not None]
        elif self.options.mode == "system" and self._files_first() and (addresses := self._from_hosts(lookup)):
            lookup.how = "hosts"
        else:
            return False
        # The order of an override is its author's; everything else is sorted.
        lookup.addresses = list(addresses)
        if lookup.how != "override":
            lookup.addresses = interleaved(sorted_addresses(lookup.addresses))
        resolving._batches = [list(lookup.addresses)]
        resolving.settle(self.clock()) if lookup.how != "override" else _settled_as_is(resolving, self.clock())
        resolving.finish()
        return True

    def _files_first(self) -> bool:
        sources = read_sources(self.files.nsswitch)
        asking = [each for each in sources if each in _ASKING]
        return "files" in sources and not (asking and sources.index("files") > sources.index(asking[0]))

    def _from_hosts(self, lookup: Lookup) -> list[str]:
        """The hosts file's addresses, with one Hop that says in which lines."""
        started = self.clock()
        entries = find_in_hosts(self.files.hosts, lookup.name)
        if not entries:
            return []
        addresses = list(dict.fromkeys(entry.address for entry in entries))
        lines = ", ".join(f"line {entry.line} says {entry.address}" for entry in entries[:4])
        more = f", and {len(entries) - 4} more lines" if len(entries) > 4 else ""
        name = f"{lookup.name.rstrip('.')}."
        lookup.hops.append(Hop(
            question=name, type="A, AAAA", server="", server_name=str(self.files.hosts), zone=None, transport="file",
            started=started, ended=self.clock(), outcome="answer",
            says=f"Looked into {self.files.hosts} for {lookup.name}: {lines}{more}",
            records=[Record("answer", name, 0, "AAAA" if ":" in each else "A", each) for each in addresses],
        ))  # fmt: skip
        canonical = entries[0].canonical
        lookup.aliases = [canonical] if canonical.lower() != lookup.name.rstrip(".").lower() else []
        lookup.records = list(lookup.hops[-1].records)
        return addresses

    async def _ask(self, resolving: Resolving) -> None:
        """Ask name servers, bounded in time; whatever happens, the lookup ends."""
        from pellucid.client.dns.service import Service

        lookup = resolving.lookup
        if not isinstance(self._service, Service):
            self._service = Service(self.clock, self.options, self.files.resolv_conf, self.files.port)
        lookup.how = "system" if self.options.mode == "system" else "walk" if self.options.mode == "walk" else "server"
        system = self.options.mode == "system"
        try:
            failure: Failure | None = None
            if system and not _ASKING & set(read_sources(self.files.nsswitch)):
                why = f"{lookup.shown} is not in the hosts file, and {self.files.nsswitch} has no dns for hosts"
                failure = Failure("name-not-found", why)
            else:
                failure = await self._within(self._service.addresses(resolving), lookup)
            if system and not lookup.addresses:
                self._files_last(resolving)
            resolving.settle(self.clock(), failure)
            try:
                async with asyncio.timeout(_GRACE):
                    await self._service.services(resolving)
            except TimeoutError:
                pass
        finally:
            await self._service.drop(resolving)
            resolving.settle(self.clock(), Failure("cancelled", "The lookup was given up"))
            resolving.finish()

    async def _within(self, asking: Coroutine[None, None, Failure | None], lookup: Lookup) -> Failure | None:
        """Ask for no longer than a lookup may take."""
        limit = self.options.timeout
        try:
            async with asyncio.timeout(limit):
                return await asking
        except TimeoutError:
            asked = "1 question" if len(lookup.hops) == 1 else f"{len(lookup.hops)} questions"
            mute = self.options.mode == "walk" and all(hop.outcome in ("timeout", "unreachable") for hop in lookup.hops)
            hint = "Port 53 may be closed from here; --dns system asks the resolver of this network" if mute else None
            return Failure("name-timeout", f"{lookup.shown} was not resolved within {limit:g} s, after {asked}", hint)

    def _files_last(self, resolving: Resolving) -> None:
        """`hosts: dns files` in nsswitch.conf: the hosts file is the last resort."""
        if "files" in read_sources(self.files.nsswitch) and (addresses := self._from_hosts(resolving.lookup)):
            resolving.lookup.how = "hosts"
            resolving.arrived(addresses)

    def _lasts(self, lookup: Lookup) -> bool:
        """Whether a lookup made before may still be used: while it goes on, then for its TTL, 60 seconds at least."""
        if lookup.ended is None:
            return True
        return self.clock() - lookup.ended < max(lookup.ttl or 0, _LEAST_KEPT) * _SECOND

    async def _again(self, resolving: Resolving, known: Resolving) -> None:
        """The same host again: everything from the lookup before, as soon as that has it."""
        lookup, before = resolving.lookup, known.lookup
        waited = before.ended is None
        try:
            async for batch in known.addresses():
                resolving.arrived(batch)
            ended = self.clock()
            left = None
            if before.ttl is not None and before.ended is not None:
                left = max(before.ttl - (lookup.started - before.ended) // _SECOND, 0)
            lookup.aliases, lookup.records = list(before.aliases), list(before.records)
            lookup.verdict, lookup.verdict_says, lookup.chain = before.verdict, before.verdict_says, list(before.chain)
            lookup.ttl = left
            lookup.hops.append(_remembered(lookup, before, ended, waited, left))
            resolving.settle(ended, before.failure)
            await known.wait()
            if known.port == resolving.port or {known.port, resolving.port} <= {80, 443}:  # else they stand under another name
                lookup.services = list(before.services)
        finally:
            resolving.settle(self.clock(), Failure("cancelled", "The lookup was given up"))
            lookup.addresses = list(before.addresses)
            resolving.finish()


def _remembered(lookup: Lookup, before: Lookup, ended: int, waited: bool, left: int | None) -> Hop:
    if waited:
        says = f"Waited for lookup {before.id}, which was asking for {lookup.shown} already"
    else:
        ago = (lookup.started - (before.ended or 0)) / 1_000_000
        rest = f"; its TTL has {left} s left" if left else "" if left is None else "; its TTL is over, names are kept for 60 s"
        what = "what it found" if before.failure is None else "its failure"
        says = f"Took {what} from lookup {before.id}, which ended {ago:.0f} ms before{rest}"
    return Hop(
        question=f"{lookup.name.rstrip('.')}.", type="A, AAAA", server="", server_name=None, zone=None, transport="cache",
        started=lookup.started, ended=ended, outcome="cached", says=says,
    )  # fmt: skip


def _settled_as_is(resolving: Resolving, at: int) -> None:
    kept = list(resolving.lookup.addresses)
    resolving.settle(at)
    resolving.lookup.addresses = kept


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def _is_localhost(host: str) -> bool:
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def _fits(wanted: str, host: str) -> bool:
    return wanted.lower().removesuffix(".") in (host.lower().removesuffix("."), "*")


def _overridden(overrides: Sequence[tuple[str, int, tuple[str, ...]]], host: str, port: int) -> tuple[str, ...] | None:
    for wanted, wanted_port, addresses in overrides:
        if _fits(wanted, host) and wanted_port in (0, port):
            return tuple(each.strip("[]") for each in addresses)
    return None
