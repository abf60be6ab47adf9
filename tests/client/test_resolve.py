"""A host into addresses by every way there is: no question, as the system does, by one server; and the memory of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec
import pytest

from answering import Answering, answering, reply_to
from pellucid.client.dns.sorting import source_address
from pellucid.client.resolve import ResolveOptions, Resolver, Resolving, SystemFiles, prepare
from pellucid.journey import Clock, Lookup

ADDRESS = "127.0.53.201"
LOOPBACK = [each for each in ("::1", "127.0.0.1") if source_address(each)]


def run(options: ResolveOptions, *hosts: str, files: SystemFiles | None = None, port: int = 443) -> list[Lookup]:
    """Resolve the hosts one after another; what `addresses` hands out must be what the lookup has in the end."""

    async def resolving() -> list[Lookup]:
        lookups: list[Lookup] = []
        resolver = Resolver(Clock(), lookups, options, files or SystemFiles())
        for host in hosts:
            one = resolver.start(host, port, "https")
            handed = [address async for batch in one.addresses() for address in batch]
            await one.wait()
            assert sorted(handed) == sorted(one.lookup.addresses)
            assert bool(handed) == (one.lookup.failure is None)
        await resolver.close()
        return lookups

    return asyncio.run(resolving())


def files(folder: Path, *, hosts: str = "", resolv_conf: str = "", nsswitch: str = "") -> SystemFiles:
    for name, text in (("hosts", hosts), ("resolv.conf", resolv_conf), ("nsswitch.conf", nsswitch)):
        (folder / name).write_text(text)
    return SystemFiles(folder / "hosts", folder / "resolv.conf", folder / "nsswitch.conf")


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "127.0.0.1"])
def test_an_address_stands_for_itself(host: str) -> None:
    (lookup,) = run(ResolveOptions(), host)
    assert (lookup.how, lookup.addresses, lookup.hops) == ("literal", [host], [])
    assert lookup.ended is not None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "shop.localhost"])
@pytest.mark.parametrize("mode", ["system", "walk", "192.0.2.53"])
def test_localhost_is_never_asked_for(host: str, mode: str) -> None:
    (lookup,) = run(ResolveOptions(mode=mode), host)
    assert (lookup.how, lookup.addresses, lookup.hops) == ("reserved", LOOPBACK, [])


@pytest.mark.parametrize(
    ("override", "port", "fits"),
    [
        (("shop.example", 443, ("192.0.2.2", "192.0.2.1")), 443, True),
        (("Shop.Example.", 0, ("192.0.2.2", "192.0.2.1")), 8443, True),
        (("*", 443, ("192.0.2.2", "[2001:db8::1]")), 443, True),
        (("shop.example", 80, ("192.0.2.2",)), 443, False),
        (("www.shop.example", 443, ("192.0.2.2",)), 443, False),
    ],
)
def test_overrides_come_before_names(tmp_path: Path, override: tuple[str, int, tuple[str, ...]], port: int, fits: bool) -> None:
    system = files(tmp_path, hosts="192.0.2.99 shop.example")
    (lookup,) = run(ResolveOptions(overrides=(override,)), "shop.example", files=system, port=port)
    assert lookup.how == ("override" if fits else "hosts")
    if fits:
        assert lookup.addresses == [each.strip("[]") for each in override[2]], "in the order of who gave them"


def test_the_hosts_file_comes_first_and_its_lines_are_named(tmp_path: Path) -> None:
    text = "127.0.0.1 localhost\n192.0.2.5 shop.example www.shop.example\n192.0.2.6 www.shop.example\n"
    (lookup,) = run(ResolveOptions(), "www.shop.example", files=files(tmp_path, hosts=text))
    assert (lookup.how, lookup.addresses, lookup.aliases) == ("hosts", ["192.0.2.5", "192.0.2.6"], ["shop.example"])
    (hop,) = lookup.hops
    assert hop.transport == "file"
    assert hop.says == f"Looked into {tmp_path}/hosts for www.shop.example: line 2 says 192.0.2.5, line 3 says 192.0.2.6"


def test_what_needs_no_question_needs_no_loop_turn_and_no_imports(tmp_path: Path) -> None:
    async def at_once() -> None:
        resolver = Resolver(Clock(), [], ResolveOptions())
        resolving = resolver.start("127.0.0.1", 80, "http")
        assert resolving.lookup.ended is not None
        await resolver.close()

    asyncio.run(at_once())
    prepare("127.0.0.1", ResolveOptions())
    prepare("shop.example", ResolveOptions(), files(tmp_path, hosts="192.0.2.1 shop.example"))


# Servers ----------------------------------------------------------------------------------------------------------------------

ZONE = {
    ("shop.example.", "A"): ["shop.example. 60 IN A 192.0.2.1", "shop.example. 60 IN A 192.0.2.2"],
    ("shop.example.", "AAAA"): ["shop.example. 30 IN AAAA 2001:db8::1"],
    ("shop.example.", "HTTPS"): ["shop.example. 60 IN HTTPS 1 . alpn=h2,h3"],
    ("_8443._https.shop.example.", "HTTPS"): ["_8443._https.shop.example. 60 IN HTTPS 1 other.example. port=8443"],
    ("www.example.", "A"): ["www.example. 60 IN CNAME shop.example.", "shop.example. 20 IN A 192.0.2.1"],
    ("inner.house.example.", "A"): ["inner.house.example. 60 IN A 192.0.2.3"],
    ("nothing.house.example.", "A"): [],
}


def zone(data: bytes, tcp: bool) -> Sequence[bytes]:
    """Answers from ZONE; names without any type are denied."""
    question = dns.message.from_wire(data).question[0]
    name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
    known = any(name == other for other, _ in ZONE)
    return [reply_to(data, *ZONE.get((name, kind), []), rcode=0 if known else dns.rcode.NXDOMAIN)]


def asked_of(
    says: Callable[[bytes, bool], Sequence[bytes]], *hosts: str, port: int = 443, **settings: object
) -> tuple[list[Lookup], Answering]:
    async def resolving() -> tuple[list[Lookup], Answering]:
        async with answering(says, ADDRESS) as server:
            lookups: list[Lookup] = []
            options = ResolveOptions(mode=f"{ADDRESS}:{server.port}", **settings)  # type: ignore[arg-type]
            resolver = Resolver(Clock(), lookups, options)
            for host in hosts:
                await resolver.start(host, port, "https").wait()
            await resolver.close()
            return lookups, server

    return asyncio.run(resolving())


def test_one_server_is_asked_for_both_families_and_https_at_once() -> None:
    (lookup,), _ = asked_of(zone, "shop.example")
    assert (lookup.how, lookup.failure, lookup.ttl, lookup.verdict) == ("server", None, 30, None)
    assert sorted(lookup.addresses) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert sorted(hop.type for hop in lookup.hops) == ["A", "AAAA", "HTTPS"]
    assert {hop.zone for hop in lookup.hops} == {None}
    assert max(hop.started for hop in lookup.hops) < min(hop.ended for hop in lookup.hops), "all before any answer"
    assert [record.text for record in lookup.services] == ['1 . alpn="h2,h3"']
    assert len(lookup.records) == 3


def test_https_records_of_another_port_stand_under_a_name_of_their_own() -> None:
    (lookup,), server = asked_of(zone, "shop.example", port=8443)
    assert [record.text for record in lookup.services] == ['1 other.example. port="8443"']
    assert "_8443._https.shop.example. IN HTTPS" in [str(message.question[0]) for message, _ in server.asked]


def test_services_can_be_left_out() -> None:
    (lookup,), server = asked_of(zone, "shop.example", services=False)
    assert lookup.services == []
    assert len(server.asked) == 2


def test_aliases_are_told() -> None:
    (lookup,), _ = asked_of(zone, "www.example")
    assert (lookup.addresses, lookup.aliases, lookup.ttl) == (["192.0.2.1"], ["shop.example."], 20)


def test_a_silent_https_question_delays_nothing() -> None:
    def without_https(data: bytes, tcp: bool) -> Sequence[bytes]:
        kind = dns.message.from_wire(data).question[0].rdtype
        return [] if kind == dns.rdatatype.HTTPS else zone(data, tcp)

    async def resolving() -> None:
        async with answering(without_https, ADDRESS) as server:
            resolver = Resolver(Clock(), [], ResolveOptions(mode=f"{ADDRESS}:{server.port}"))
            resolving = resolver.start("shop.example", 443, "https")
            got = [address async for batch in resolving.addresses() for address in batch]
            assert len(got) == 3
            assert resolving.lookup.ended is not None
            await resolver.close()
            assert resolving.lookup.services == []

    asyncio.run(resolving())


def test_the_families_are_handed_out_as_they_arrive() -> None:
    """AAAA comes at once, A only when the first list has been taken."""

    async def resolving() -> None:
        held: list[tuple[bytes, tuple[str, int]]] = []
        server = Holding(held)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=(ADDRESS, 0))
        port = transport.get_extra_info("sockname")[1]
        resolver = Resolver(Clock(), [], ResolveOptions(mode=f"{ADDRESS}:{port}", services=False))
        resolving = resolver.start("shop.example", 443, "https")
        batches: list[list[str]] = []
        async for batch in resolving.addresses():
            batches.append(batch)
            if len(batches) == 1:
                assert resolving.lookup.ended is None
                for data, address in held:
                    transport.sendto(*zone(data, False), address)
        assert batches == [["2001:db8::1"], ["192.0.2.1", "192.0.2.2"]]
        late = [batch async for batch in resolving.addresses()]
        assert late == batches, "who comes later gets everything"
        transport.close()
        await resolver.close()

    asyncio.run(resolving())


class Holding(asyncio.DatagramProtocol):
    """Answers AAAA and keeps A back."""

    def __init__(self, held: list[tuple[bytes, tuple[str, int]]]) -> None:
        self._held = held

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if dns.message.from_wire(data).question[0].rdtype == dns.rdatatype.A:
            self._held.append((data, addr))
        else:
            self._transport.sendto(*zone(data, False), addr)


@pytest.mark.parametrize(
    ("host", "slug", "message"),
    [
        ("nowhere.example", "name-not-found", "There is no name nowhere.example (NXDOMAIN)"),
        ("nothing.house.example", "no-address", "nothing.house.example exists, but has neither an A nor an AAAA record"),
        ("a" * 64 + ".example", "bad-name", "cannot be asked for"),
        ("xn--bcher-kva.example", "name-not-found", "There is no name bücher.example (NXDOMAIN)"),
    ],
)
def test_why_there_is_no_address(host: str, slug: str, message: str) -> None:
    (lookup,), _ = asked_of(zone, host)
    assert lookup.failure is not None
    assert lookup.failure.slug == slug
    assert message in lookup.failure.message
    assert lookup.ended is not None


def test_a_lookup_has_an_end_in_time() -> None:
    (lookup,), _ = asked_of(lambda data, tcp: [], "shop.example", timeout=0.05, services=False)
    assert lookup.failure is not None
    assert lookup.failure.slug == "name-timeout"
    assert lookup.failure.message == "shop.example was not resolved within 0.05 s, after 2 questions"
    assert {hop.outcome for hop in lookup.hops} == {"timeout"}


def test_closing_ends_what_is_under_way() -> None:
    async def resolving() -> None:
        async with answering(lambda data, tcp: [], ADDRESS) as server:
            resolver = Resolver(Clock(), [], ResolveOptions(mode=f"{ADDRESS}:{server.port}"))
            first, second = (resolver.start("shop.example", 443, "https") for _ in range(2))
            listener = asyncio.create_task(first.wait())
            await asyncio.sleep(0)
            await resolver.close()
            for lookup in (await listener, await second.wait()):
                assert lookup.failure is not None
                assert lookup.failure.slug == "cancelled"

    asyncio.run(resolving())


# The memory of a run ----------------------------------------------------------------------------------------------------------


def test_a_host_asked_again_comes_from_memory_with_what_is_left_of_its_ttl() -> None:
    (first, second), server = asked_of(zone, "shop.example", "SHOP.example")
    assert len(server.asked) == 3
    assert (second.how, second.addresses, second.records, second.services) == (
        "cache", first.addresses, first.records, first.services,
    )  # fmt: skip
    assert second.ttl in (29, 30)
    assert second.hops[0].says.startswith("Took what it found from lookup 1, which ended ")
    assert second.hops[0].transport == "cache"


def test_https_records_of_one_port_are_not_those_of_another() -> None:
    async def resolving() -> None:
        async with answering(zone, ADDRESS) as server:
            resolver = Resolver(Clock(), [], ResolveOptions(mode=f"{ADDRESS}:{server.port}"))
            several = [resolver.start("shop.example", port, "https") for port in (443, 80, 8443)]
            services = [len((await each.wait()).services) for each in several]
            assert services == [1, 1, 0], "the second waits for the first one's"
            await resolver.close()

    asyncio.run(resolving())


def test_a_failure_is_remembered_too() -> None:
    (first, second), server = asked_of(zone, "nowhere.example", "nowhere.example")
    assert second.failure == first.failure
    assert len(server.asked) == 3


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    async def resolving() -> None:
        async with answering(zone, ADDRESS) as server:
            lookups: list[Lookup] = []
            resolver = Resolver(Clock(), lookups, ResolveOptions(mode=f"{ADDRESS}:{server.port}", services=False))
            several: list[Resolving] = [resolver.start("shop.example", 443, "https") for _ in range(3)]
            found = [await each.wait() for each in several]
            assert len(server.asked) == 2
            assert [lookup.how for lookup in found] == ["server", "cache", "cache"]
            assert found[0].addresses == found[1].addresses == found[2].addresses
            assert found[2].hops[0].says == "Waited for lookup 1, which was asking for shop.example already"
            await resolver.close()

    asyncio.run(resolving())


# The system's way -------------------------------------------------------------------------------------------------------------


def system(folder: Path, host: str, *, hosts: str = "", conf: str = "", nsswitch: str = "") -> Lookup:
    """Resolve as the system does, its resolver being the test's (resolv.conf has no place for a port, so the test gives it)."""

    async def resolving() -> Lookup:
        async with answering(zone, ADDRESS) as server:
            system_files = files(folder, hosts=hosts, resolv_conf=f"nameserver {ADDRESS}\n{conf}\n", nsswitch=nsswitch)
            lookups: list[Lookup] = []
            resolver = Resolver(Clock(), lookups, ResolveOptions(), msgspec.structs.replace(system_files, port=server.port))
            await resolver.start(host, 443, "https").wait()
            await resolver.close()
            return lookups[0]

    return asyncio.run(resolving())


def test_the_system_s_resolver_is_asked(tmp_path: Path) -> None:
    lookup = system(tmp_path, "shop.example")
    assert (lookup.how, len(lookup.addresses)) == ("system", 3)
    assert all(hop.says.startswith(f"Asked {ADDRESS} (resolv.conf) for shop.example. ") for hop in lookup.hops)


def test_search_domains_are_tried_for_short_names(tmp_path: Path) -> None:
    lookup = system(tmp_path, "shop.example", conf="search house.example")
    assert (len(lookup.addresses), len(lookup.services), len(lookup.hops)) == (3, 1, 3), "nothing is searched for"
    lookup = system(tmp_path, "inner", conf="search wrong.example house.example")
    assert lookup.addresses == ["192.0.2.3"]
    questions = [hop.question for hop in lookup.hops if hop.type == "A"]
    assert questions == ["inner.wrong.example.", "inner.house.example."]


def test_a_name_with_a_final_dot_is_not_searched_for(tmp_path: Path) -> None:
    lookup = system(tmp_path, "inner.", conf="search house.example")
    assert lookup.failure is not None
    assert [hop.question for hop in lookup.hops if hop.type == "A"] == ["inner."]


def test_nsswitch_may_put_the_hosts_file_last_or_leave_it_out(tmp_path: Path) -> None:
    hosts = "192.0.2.99 shop.example only.example"
    assert system(tmp_path, "shop.example", hosts=hosts).how == "hosts"
    assert system(tmp_path, "shop.example", hosts=hosts, nsswitch="hosts: dns files").how == "system"
    last = system(tmp_path, "only.example", hosts=hosts, nsswitch="hosts: dns files")
    assert (last.how, last.addresses, last.failure) == ("hosts", ["192.0.2.99"], None)
    assert system(tmp_path, "only.example", hosts=hosts, nsswitch="hosts: dns").failure is not None
    nothing = system(tmp_path, "shop.example", nsswitch="hosts: files")
    assert nothing.failure is not None
    assert nothing.hops == []
