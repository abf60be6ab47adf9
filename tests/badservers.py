"""Name servers that do what they should not: slow, silent, poisoning, truncating, without EDNS, blind to empty names, lossy.

In: the zones of `zones.py` that they serve, an address each, one port. Out: answers over UDP and TCP from one thread, until
`close()`. What each does wrong stands in its function.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

from zones import SERVERS

__all__ = ["BAD", "DELAY", "BadServers"]

DELAY = 0.3
"""Seconds that the slow server takes."""

Behaviour = Callable[[dns.message.Message, dns.zone.Zone, bool], dns.message.Message | None]


def plain(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool = False) -> dns.message.Message:
    """What a good server without delegations and wildcards would say."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    question = query.question[0]
    assert zone.origin is not None
    if not question.name.is_subdomain(zone.origin):
        answer.flags &= ~dns.flags.AA
        answer.set_rcode(dns.rcode.REFUSED)
        return answer
    found = zone.get_rrset(question.name, question.rdtype)
    if found is not None:
        answer.answer.append(absolute(found, zone))
        return answer
    soa = zone.get_rrset(zone.origin, "SOA")
    assert soa is not None
    answer.authority.append(absolute(soa, zone))
    names = [name.derelativize(zone.origin) for name in zone.nodes]
    if not any(name.is_subdomain(question.name) for name in names):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer


def absolute(rrset: dns.rrset.RRset, zone: dns.zone.Zone) -> dns.rrset.RRset:
    """The same with its owner's name written out."""
    assert zone.origin is not None
    name = rrset.name.derelativize(zone.origin)
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))


def silent(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool) -> None:
    """Hears and says nothing."""


def poison(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool) -> dns.message.Message:
    """Says things about names that are not its own: a cache that believed it would be poisoned."""
    answer = plain(query, zone)
    answer.answer.append(dns.rrset.from_text("www.shop.lab.", 3600, "IN", "A", "127.6.6.6"))
    answer.authority.append(dns.rrset.from_text("lab.", 3600, "IN", "NS", "ns.poison.lab."))
    answer.authority.append(dns.rrset.from_text(".", 3600, "IN", "NS", "ns.poison.lab."))
    answer.additional.append(dns.rrset.from_text("ns1.lab.", 3600, "IN", "A", "127.6.6.6"))
    answer.additional.append(dns.rrset.from_text("a.root.", 3600, "IN", "A", "127.6.6.6"))
    return answer


def noedns(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool) -> dns.message.Message:
    """Knows nothing of EDNS (RFC 6891) and says that the message was malformed."""
    if query.edns < 0:
        return plain(query, zone)
    answer = dns.message.Message(query.id)
    answer.flags = dns.flags.QR
    answer.set_rcode(dns.rcode.FORMERR)
    answer.question = list(query.question)
    return answer


def truncating(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool) -> dns.message.Message:
    """Says everything over TCP only."""
    answer = plain(query, zone)
    if not tcp:
        answer.flags |= dns.flags.TC
        answer.answer, answer.authority, answer.additional = [], [], []
    return answer


def noempty(query: dns.message.Message, zone: dns.zone.Zone, tcp: bool) -> dns.message.Message:
    """Says NXDOMAIN of a name that only has others below it, against RFC 8020, and minimisation (RFC 9156) trips over it."""
    answer = plain(query, zone)
    if not answer.answer and query.question[0].name != zone.origin:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer


BAD: dict[str, Behaviour] = {
    "slow": plain,
    "silent": silent,
    "poison": poison,
    "noedns": noedns,
    "truncating": truncating,
    "noempty": noempty,
}


class BadServers:
    """All of them, on their addresses of `SERVERS`, until closed."""

    def __init__(self, zones: dict[str, str], port: int) -> None:
        """`zones`: the text of the zone file by the server's name; each begins with its `$ORIGIN`."""
        self._port = port
        self._lost: set[str] = set()
        self._zones = {server: dns.zone.from_text(text, relativize=False, check_origin=False) for server, text in zones.items()}
        self._selector = selectors.DefaultSelector()
        self._later: list[tuple[float, int, bytes, socket.socket, tuple[str, int]]] = []
        self._sockets: list[socket.socket] = []
        for server in (*zones, "lossy"):
            for address in SERVERS[server]:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    self._listen(server, address, port, kind)
        self._wake, waker = socket.socketpair()
        self._sockets += [self._wake, waker]
        self._selector.register(waker, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="bad name servers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and let go of the sockets."""
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for each in self._sockets:
            each.close()

    def _listen(self, server: str, address: str, port: int, kind: socket.SocketKind) -> None:
        listener = socket.socket(socket.AF_INET, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        self._sockets.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, server)

    def _run(self) -> None:
        while True:
            timeout = max(self._later[0][0] - time.monotonic(), 0) if self._later else None
            for key, _ in self._selector.select(timeout):
                if key.data is None:
                    return
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError, ValueError):
                    self._hear(key.data, key.fileobj)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, wire, listener, peer = heapq.heappop(self._later)
                with contextlib.suppress(OSError):
                    listener.sendto(wire, peer)

    def _hear(self, server: str, listener: socket.socket) -> None:
        if listener.type == socket.SOCK_STREAM:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(2)
                self._converse(server, connection)
            return
        wire, peer = listener.recvfrom(65535)
        answer = self._forward(wire) if server == "lossy" else self._answer(server, wire, False)
        if answer is not None:
            when = time.monotonic() + (DELAY if server == "slow" else 0)
            heapq.heappush(self._later, (when, len(self._later), answer, listener, peer))

    def _forward(self, wire: bytes) -> bytes | None:
        """A good server behind a bad line: of each question every other packet is lost on the way."""
        question = dns.message.from_wire(wire).question[0].to_text()
        if question not in self._lost:
            self._lost.add(question)
            return None
        self._lost.remove(question)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(2)
            line.connect((SERVERS["leaves"][0], self._port))
            line.send(wire)
            return line.recv(65535)

    def _converse(self, server: str, connection: socket.socket) -> None:
        """One question and its answer: those who ask more open another connection."""
        with connection.makefile("rb") as stream:
            head = stream.read(2)
            if len(head) == 2:
                answer = self._answer(server, stream.read(struct.unpack("!H", head)[0]), True)
                if answer is not None:
                    connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, server: str, wire: bytes, tcp: bool) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            return None
        answer = BAD[server](query, self._zones[server], tcp)
        return None if answer is None else answer.to_wire()
