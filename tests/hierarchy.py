"""A hierarchy of real name servers on loopback: its own root, top-level domains, signed zones, some spoiled on purpose.

In: the data of `zones.py`. Out: `laboratory(folder)`, within which the servers run: NSD and Knot on 127.0.53.x, one port for all
of them that needs no rights, keys and signatures by ldns, and by Knot where a zone opts out, since ldns lists unsigned
delegations even there. Everything stands in one folder, and every process ends with the one that started it. Unbound and delv,
as other opinions of what a name comes to, are asked with `Laboratory.resolver` and `Laboratory.delv`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from badservers import BAD, BadServers
from zones import PARTS, SERVERS, ZONES, Zone

__all__ = ["MISSING", "Laboratory", "laboratory"]

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
PROGRAMS = ("nsd", "knotd", "keymgr", "ldns-keygen", "ldns-signzone", "dig", "delv", "drill", "unbound")
MISSING = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
"""The programs that are not installed; with any of them there is no laboratory."""
DEADLINE = 20.0
DAY = 86_400

NSD = """\
server:
    port: {port}
    server-count: 1
    username: ""
    database: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/{server}.pid"
    xfrdfile: "{folder}/{server}.xfrd"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/{server}.list"
    rrl-ratelimit: 0
    verbosity: 0
{addresses}
remote-control:
    control-enable: no
{zones}
"""
KNOT = """\
server:
    rundir: "{folder}/{server}"
    pidfile: "{folder}/{server}.pid"
    listen: [{addresses}]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: "{folder}/{server}"
template:
  - id: default
    storage: "{folder}"
    semantic-checks: off
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
policy:
  - id: opt-out
    manual: on
    algorithm: ed25519
    nsec3: on
    nsec3-opt-out: on
    nsec3-iterations: 0
    nsec3-salt-length: 0
zone:
{zones}
"""
UNBOUND = """\
server:
    interface: 127.0.53.1
    port: {own}
    access-control: 127.0.0.0/8 allow
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-ip6: no
    do-not-query-localhost: no
    verbosity: 1
    val-log-level: 2
    num-threads: 1
    module-config: "validator iterator"
    trust-anchor-file: "{folder}/anchor"
    qname-minimisation: no
    edns-buffer-size: 1232
remote-control:
    control-enable: no
{stubs}
"""


class Laboratory:
    """The running hierarchy, and how to ask it."""

    def __init__(self, folder: Path, port: int, anchor: tuple[str, ...]) -> None:
        self.folder = folder
        self.port = port
        """The port of every name server."""
        self.anchor = anchor
        """The root's DS, as text: `12345 13 2 ab12...`."""
        self.hints = (("a.root.", "127.0.53.10"), ("b.root.", "127.0.53.11"))
        """The root's servers: name, address."""
        self.zones = ZONES

    def dig(self, *arguments: str) -> str:
        """What dig prints: `laboratory.dig("@127.0.53.10", "lab.", "NS", "+norec")`."""
        return _run("dig", "-p", str(self.port), *arguments)

    def drill(self, *arguments: str) -> str:
        """What drill prints, with this root as its own: `laboratory.drill("-T", "www.shop.lab.", "A")`."""
        root = ("-r", str(self.folder / "hints"), "-k", str(self.folder / "anchor.key"))
        return _run("drill", "-p", str(self.port), *root, *arguments)

    @contextmanager
    def resolver(self) -> Iterator[tuple[str, int]]:
        """Unbound with this root's anchor, as a resolver of its own: its address and port.

        It has a stub for each zone, since it goes to port 53 of whatever a referral names.
        """
        own = free_port(("127.0.53.1",))
        stubs = "".join(_stub(zone, self.port) for zone in ZONES)
        config = self.folder / "unbound.conf"
        config.write_text(UNBOUND.format(folder=self.folder, own=own, stubs=stubs))
        log = self.folder / "unbound.log"
        with _daemon(["unbound", "-d", "-c", str(config)], log):
            _wait_until_it_answers(("127.0.53.1", own), ".", log)
            yield "127.0.53.1", own

    def delv(self, resolver: tuple[str, int], name: str, type: str) -> str:
        """What delv prints of a name, asking that resolver for the records and believing only this root's anchor."""
        where = (f"@{resolver[0]}", "-p", str(resolver[1]))
        return _run("delv", *where, "-a", str(self.folder / "bind.keys"), "+root=.", "+multiline", name, type)


@contextmanager
def laboratory(folder: Path) -> Iterator[Laboratory]:
    """Sign the zones into the folder, start the servers, and stop them at the end."""
    port = free_port([address for addresses in SERVERS.values() for address in addresses])
    keys = _make_keys(folder)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda zone: _write_zone(folder, zone, keys), ZONES))
    anchor = _write_anchors(folder, keys)
    with contextlib.ExitStack() as stack:
        for server, program in PARTS.items():
            command = _configure_nsd(folder, server, port) if program == "nsd" else _configure_knot(folder, server, port, keys)
            stack.enter_context(_daemon(command, folder / f"{server}.log"))
        served = {zone.server: (folder / file_of(zone)).read_text() for zone in ZONES if zone.server in BAD}
        bad = BadServers(served, port)
        stack.callback(bad.close)
        for zone in ZONES:
            if zone.server in PARTS:
                for address in SERVERS[zone.server]:
                    _wait_until_it_answers((address, port), zone.name, folder / f"{zone.server}.log")
        yield Laboratory(folder, port, anchor)


def free_port(addresses: Sequence[str]) -> int:
    """A port that is free on all of these addresses, for UDP and TCP."""
    for _ in range(100):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            port = 0
            for address in addresses:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    probe = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    probe.bind((address, port))
                    port = probe.getsockname()[1]
            return port
    raise AssertionError("no port was free on all addresses")


def file_of(zone: Zone) -> str:
    """The name of its file in the folder."""
    return f"{zone.name}zone"


def parent_of(zone: Zone) -> Zone | None:
    """The zone that delegates it."""
    above = [other for other in ZONES if other.name != zone.name and (other.name == "." or zone.name.endswith("." + other.name))]
    return max(above, key=lambda other: len(other.name), default=None)


def delegation_of(zone: Zone) -> tuple[tuple[str, str | None], ...]:
    """Name and glue of its servers as the parent has them."""
    if zone.delegation is not None:
        return zone.delegation
    return tuple((f"ns{number}.{zone.name}", address) for number, address in enumerate(SERVERS[zone.server], 1))


# Keys ---------------------------------------------------------------------------------------------------------------------------


class _Key:
    """A key pair of a zone: where it lies, and its DS."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base = base
        self.folder = folder
        ds = folder / f"{base}.ds"
        self.ds = ds.read_text().split("DS", 1)[1].strip() if ds.exists() else ""  # only keys that a parent vouches for have one
        self.line = (folder / f"{base}.key").read_text()


def _make_keys(folder: Path) -> dict[str, list[_Key]]:
    """The keys of each signed zone, those of the parent's DS first."""
    signed = [(zone, algorithm) for zone in ZONES for algorithm in zone.algorithms]
    wanted = [(zone, algorithm, entry) for zone, algorithm in signed for entry in ((True, False) if zone.split else (True,))]

    def make(want: tuple[Zone, str, bool]) -> _Key:
        zone, algorithm, entry = want
        bits = ("-b", "2048" if entry else "1024") if algorithm == "RSASHA256" else ()
        where = folder / f"keys{zone.name}"
        where.mkdir(exist_ok=True)
        flags = ("-k",) if entry else ()
        base = _run("ldns-keygen", "-r", "/dev/urandom", "-a", algorithm, *bits, *flags, zone.name, folder=where).strip()
        return _Key(base, where)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, wanted))
    keys: dict[str, list[_Key]] = {zone.name: [] for zone in ZONES}
    for (zone, _, _), key in zip(wanted, made, strict=True):
        keys[zone.name].append(key)
    return keys


def _entry_keys(zone: Zone, keys: dict[str, list[_Key]]) -> list[_Key]:
    return keys[zone.name][:: 2 if zone.split else 1]


def _ds_lines(zone: Zone, keys: dict[str, list[_Key]]) -> Iterator[str]:
    """The DS records for it in its parent."""
    if zone.ds == "none":
        return
    for key in _entry_keys(zone, keys):
        tag, algorithm, digest, text = key.ds.split()
        if zone.ds == "wrong":
            text = text[::-1]
        elif zone.ds == "algorithm":
            algorithm = "200"
        elif zone.ds == "digest":
            digest = "200"
        yield f"{zone.name} DS {tag} {algorithm} {digest} {text}"


def _write_anchors(folder: Path, keys: dict[str, list[_Key]]) -> tuple[str, ...]:
    """The root's key in the words of Unbound, delv and drill, and the root's addresses for drill."""
    root = ZONES[0]
    texts = tuple(key.ds for key in _entry_keys(root, keys))
    (folder / "anchor").write_text("".join(f". IN DS {text}\n" for text in texts))
    (folder / "anchor.key").write_text("".join(key.line for key in _entry_keys(root, keys)))
    lines = []
    for text in texts:
        tag, algorithm, digest, hexadecimal = text.split()
        lines.append(f'  . static-ds {tag} {algorithm} {digest} "{hexadecimal}";\n')
    (folder / "bind.keys").write_text("trust-anchors {\n" + "".join(lines) + "};\n")
    hints = "".join(f". 3600 IN NS {name}\n{name} 3600 IN A {address}\n" for name, address in delegation_of(root))
    (folder / "hints").write_text(hints)
    return texts


# Zones --------------------------------------------------------------------------------------------------------------------------


def _write_zone(folder: Path, zone: Zone, keys: dict[str, list[_Key]]) -> None:
    """Its file, signed and spoiled as it says."""
    file = folder / file_of(zone)
    file.write_text(_zone_text(zone, keys))
    if not zone.algorithms or zone.server == "signing":
        return
    now = int(time.time())
    start, end = {
        "now": (str(now - DAY), str(now + 30 * DAY)),
        "past": ("20190101000000", "20200101000000"),
        "future": (str(now + 300 * DAY), str(now + 400 * DAY)),
    }[zone.dates]
    flags = ["-U"] if len(zone.algorithms) > 1 else []
    if zone.denial != "nsec":
        flags += ["-n", "-t", str(zone.iterations)]
        flags += ["-s", zone.salt] if zone.salt else []
        flags += ["-p"] if zone.denial == "opt-out" else []
    mine = [str(key.folder / key.base) for key in keys[zone.name]]
    _run("ldns-signzone", *flags, "-i", start, "-e", end, "-o", zone.name, "-f", f"{file}.signed", str(file), *mine)
    signed = Path(f"{file}.signed").read_text()
    file.write_text(_spoiled(signed, zone))


def _zone_text(zone: Zone, keys: dict[str, list[_Key]]) -> str:
    servers = delegation_of(zone)
    lines = [f"$ORIGIN {zone.name}", "$TTL 300", f"@ SOA {servers[0][0]} hostmaster.lab. 1 3600 600 86400 60"]
    lines += [f"@ NS {name}" for name, _ in servers]
    inside = [f"{name} A {address}" for name, address in servers if address is not None and name.endswith(zone.name)]
    lines += [line for line in inside if line not in zone.records]
    lines += zone.records.splitlines()
    for child in ZONES:
        if parent_of(child) is zone:
            for name, address in delegation_of(child):
                lines.append(f"{child.name} NS {name}")
                if address is not None:
                    lines.append(f"{name} A {address}")
            lines += _ds_lines(child, keys)
    return "\n".join(lines) + "\n"


def _spoiled(text: str, zone: Zone) -> str:
    """The signed zone with something taken out or changed, as if on the way."""
    lines = text.splitlines()
    if zone.spoiled == "changed":
        lines = [re.sub(r"^(www\..*\tA\t).*", r"\g<1>203.0.113.66", line) for line in lines]
    elif zone.spoiled == "nodenial":
        lines = [line for line in lines if not re.search(r"\t(NSEC3?|RRSIG\s+NSEC3?|NSEC3PARAM|RRSIG\s+NSEC3PARAM)\s", line)]
    elif zone.spoiled == "stripped":
        lines = [line for line in lines if not re.search(r"\t(RRSIG|NSEC3?|NSEC3PARAM|DNSKEY)\s", line)]
    elif zone.spoiled == "nokey":
        lines = [line for line in lines if not re.search(r"\t(DNSKEY|RRSIG\s+DNSKEY)\s", line)]
    elif zone.spoiled == "unsigned-record":
        lines = [line for line in lines if not re.search(r"^www\..*\tRRSIG\s+A\s", line)]
    return "\n".join(lines) + "\n"


# Programs -----------------------------------------------------------------------------------------------------------------------


def _configure_nsd(folder: Path, server: str, port: int) -> list[str]:
    addresses = "".join(f"    ip-address: {address}\n" for address in SERVERS[server])
    served = [zone for zone in ZONES if zone.server == server]
    zones = "".join(f'zone:\n    name: "{zone.name}"\n    zonefile: "{file_of(zone)}"\n' for zone in served)
    config = folder / f"{server}.conf"
    config.write_text(NSD.format(folder=folder, server=server, port=port, addresses=addresses, zones=zones))
    return ["nsd", "-d", "-c", str(config)]


def _configure_knot(folder: Path, server: str, port: int, keys: dict[str, list[_Key]]) -> list[str]:
    (folder / server).mkdir()
    addresses = ", ".join(f"{address}@{port}" for address in SERVERS[server])
    served = [zone for zone in ZONES if zone.server == server]
    extra = "    dnssec-signing: on\n    dnssec-policy: opt-out\n" if server == "signing" else ""
    zones = "".join(f'  - domain: "{zone.name}"\n    file: "{file_of(zone)}"\n{extra}' for zone in served)
    config = folder / f"{server}.conf"
    config.write_text(KNOT.format(folder=folder, server=server, addresses=addresses, zones=zones))
    if extra:
        for zone in served:
            for key in keys[zone.name]:
                _run("keymgr", "-c", str(config), zone.name, "import-bind", str(key.folder / f"{key.base}.key"))
    return ["knotd", "-c", str(config)]


def _stub(zone: Zone, port: int) -> str:
    addresses = SERVERS[zone.server] if zone.server != "nobody" else ("127.0.53.99",)
    return f'stub-zone:\n    name: "{zone.name}"\n' + "".join(f"    stub-addr: {address}@{port}\n" for address in addresses)


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, cwd=folder, env={**os.environ, "PATH": PATH})
    if done.returncode and command[0].startswith("ldns"):
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout + done.stderr


@contextmanager
def _daemon(command: list[str], log: Path) -> Iterator[None]:
    """A server that runs meanwhile; it is told to end even where this process is killed."""
    command = ["setpriv", "--pdeathsig", "TERM", "--", *command] if sys.platform == "linux" else command
    environment = {**os.environ, "PATH": PATH}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_it_answers(where: tuple[str, int], zone: str, log: Path) -> None:
    """A server tells nobody when it is ready, so it is asked for the zone until it has it."""
    until = time.monotonic() + DEADLINE
    question = dns.message.make_query(zone, "SOA")
    question.flags |= dns.flags.CD
    while True:
        try:
            answer = dns.query.udp(question, where[0], timeout=0.1, port=where[1])
            if answer.rcode() == dns.rcode.NOERROR:
                return
        except (OSError, dns.exception.DNSException):
            pass
        if time.monotonic() > until:
            raise AssertionError(f"{where} did not answer for {zone}: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.01)
