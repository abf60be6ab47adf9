"""Sends questions and takes answers, over UDP and TCP: the only file of the name station that opens sockets.

In: an `Ask`. Out: a `Reply`, always: whatever a stranger sends, nothing is raised. A datagram counts only where its id and its
question are those of the ask (RFC 5452 9.1); anything else is ignored, counted, and noted. Every question goes out from a socket
of its own, so the kernel chooses a random port, and the socket is connected, so the kernel drops what comes from elsewhere and
tells us at once where nobody listens.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from secrets import randbelow

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

from pellucid.client.dns.asking import Ask, Asking, Reply, T
from pellucid.journey import Clock

__all__ = ["Driver"]

_MOST_IGNORED = 100
"""Datagrams that are not our answer; beyond that many, somebody floods us and the question is given up."""


class _Inbox(asyncio.DatagramProtocol):
    """Datagrams as they come, with their instants, until an answer is among them."""

    def __init__(self, query: dns.message.Message, clock: Clock) -> None:
        self._query = query
        self._clock = clock
        self.done: asyncio.Future[tuple[dns.message.Message | None, str, int, int]] = asyncio.get_running_loop().create_future()
        self.notes: list[str] = []
        self.ignored = 0

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:  # noqa: ARG002
        if self.done.done():
            return
        message, why = _read(self._query, data)
        if message is None and not why.startswith("malformed"):
            self.ignored += 1
            if self.ignored <= 3:
                self.notes.append(f"A datagram was ignored: {why}")
            if self.ignored >= _MOST_IGNORED:
                self.done.set_result((None, f"malformed: {self.ignored} datagrams came that do not answer", self._clock(), 0))
            return
        self.done.set_result((message, why, self._clock(), len(data)))

    def error_received(self, exc: Exception) -> None:
        if not self.done.done():
            self.done.set_result((None, _reason(exc), self._clock(), 0))

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.error_received(exc)


class Driver:
    """Runs generators of decisions; one for a whole run."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def run(self, steps: Asking[T]) -> T:
        """Do what the generator asks until it returns. What it raises is raised here."""
        try:
            ask = next(steps)
            while True:
                started = self.clock()
                try:
                    reply = await self.ask(ask)
                except asyncio.CancelledError:
                    # So that the question which took too long is told of as well.
                    with suppress(StopIteration):
                        steps.send(Reply(started, self.clock(), trouble="timeout", why="no answer until the lookup was given up"))
                    raise
                ask = steps.send(reply)
        except StopIteration as end:
            found: T = end.value
            return found
        finally:
            steps.close()

    async def ask(self, ask: Ask) -> Reply:
        """Ask one question and wait for its answer, at most `ask.timeout` seconds."""
        query = _query(ask)
        data = query.to_wire()
        reply = Reply(started=self.clock(), ended=0, sent=len(data), notes=[])
        try:
            async with asyncio.timeout(ask.timeout):
                if ask.transport == "udp":
                    await self._udp(ask, query, data, reply)
                else:
                    await self._tcp(ask, query, data, reply)
        except TimeoutError:
            reply.trouble, reply.why = "timeout", f"no answer within {ask.timeout:g} s"
        except OSError as error:
            reply.trouble, reply.why = "unreachable", _reason(error)
        reply.ended = reply.ended or self.clock()
        return reply

    async def _udp(self, ask: Ask, query: dns.message.Message, data: bytes, reply: Reply) -> None:
        loop = asyncio.get_running_loop()
        transport, inbox = await loop.create_datagram_endpoint(
            lambda: _Inbox(query, self.clock), remote_addr=(ask.server, ask.port)
        )
        try:
            reply.started = self.clock()
            transport.sendto(data)
            message, why, reply.ended, reply.received = await inbox.done
            _settle(reply, message, why)
        finally:
            reply.notes += inbox.notes
            if inbox.ignored > 3:
                reply.notes.append(f"{inbox.ignored} datagrams were ignored in all")
            transport.close()

    async def _tcp(self, ask: Ask, query: dns.message.Message, data: bytes, reply: Reply) -> None:
        reader, writer = await asyncio.open_connection(ask.server, ask.port)
        try:
            writer.write(struct.pack("!H", len(data)) + data)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            answer = await reader.readexactly(size)
            reply.ended, reply.received = self.clock(), size
            message, why = _read(query, answer)
            _settle(reply, message, why if message is not None else f"malformed: {why.removeprefix('malformed: ')}")
        except asyncio.IncompleteReadError:
            reply.trouble, reply.why = "malformed", "the connection was closed before the answer was whole"
        finally:
            writer.transport.abort()


def _settle(reply: Reply, message: dns.message.Message | None, why: str) -> None:
    reply.message = message
    if message is None:
        reply.trouble = "malformed" if why.startswith("malformed") else "unreachable"
        reply.why = why.removeprefix("malformed: ")


def _query(ask: Ask) -> dns.message.Message:
    flags = (dns.flags.RD | dns.flags.AD) if ask.recursive else 0
    query = dns.message.make_query(
        ask.name,
        dns.rdatatype.from_text(ask.type),
        use_edns=0 if ask.payload else False,
        want_dnssec=ask.dnssec and bool(ask.payload),
        payload=ask.payload or None,
        id=randbelow(65536),
        flags=flags,
    )
    return query


def _read(query: dns.message.Message, data: bytes) -> tuple[dns.message.Message | None, str]:
    """The message where it answers the query; else why it does not, beginning with `malformed: ` where it claims to."""
    if len(data) < 12:
        return None, f"it has {len(data)} bytes, fewer than a header"
    if struct.unpack("!H", data[:2])[0] != query.id:
        return None, "its id is not that of our question"
    if not data[2] & 0x80:
        return None, "it is a question itself"
    try:
        message = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError) as error:
        return None, f"malformed: {error or type(error).__name__}"
    # FORMERR and the like may come without a question (RFC 1035 4.1.1 does not say; servers differ).
    if (message.question or not message.rcode()) and message.question != query.question:
        asked = ", ".join(str(each) for each in message.question) or "nothing"
        return None, f"it answers another question: {asked[:100]}"
    return message, ""


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nobody listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error) or type(error).__name__
