"""HTTP/1.1 on one connection, one exchange after the other (RFC 9112).

In: a Wire that is ready, a request, an Intake. Out: the exact bytes of the request on the wire, every part of the answer in the
Intake with its instant, and an `Ending`: whether the connection may carry another exchange. How bytes become an answer is
`http/answers`; which connection a request gets is the pool's business.

A body goes up while the answer is read, because a server may refuse it long before its end, and closes soon after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

from pellucid.client.connect import Wire
from pellucid.client.exchange import IDLE, Ending, Intake, bad_field, seconds, sent_of
from pellucid.client.outgoing import Outgoing
from pellucid.http.answers import AnswerHead, AnswerReader, ChunkEnd
from pellucid.journey import Clock, Failure, Note, Received, Visit

__all__ = ["Http1", "delay_of", "head_of"]

_AT_ONCE = 65_536
"""Bytes of a body that go out with the head."""
_PIECE = 65_536
_SMALL = 4096
"""Bytes of a write that Nagle's algorithm holds back, generously."""
_MOST_ARRIVALS = 8


def head_of(request: Outgoing) -> tuple[bytes, list[tuple[str, str]]]:
    """The head of a request, exactly as sent, and its fields in order. What the caller names itself is not added."""
    named = {name.lower() for name, _ in request.headers}
    fields: list[tuple[str, str]] = []
    if "host" not in named:
        fields.append(("Host", request.url.authority))
    if "connection" not in named:
        fields.append(("Connection", "keep-alive"))
    if "content-length" not in named and (request.body or request.method in ("POST", "PUT", "PATCH")):
        fields.append(("Content-Length", str(len(request.body))))
    fields.extend(request.headers)
    lines = [f"{request.method} {request.url.target} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]
    text = "".join(lines)
    return text.encode("latin-1" if all(mark < "\u0100" for mark in text) else "utf-8"), fields


def delay_of(arrivals: list[tuple[int, int]]) -> Note | None:
    """Whether an answer waited for our acknowledgement: `arrivals` are its reads, instant and size, the first few of them.

    A sender with Nagle's algorithm on (RFC 9293, section 3.7.4) holds a small second write back until the first is acknowledged,
    and a receiver delays that by about 40 ms (Linux; RFC 1122, section 4.2.3.2, allows 500). Nothing else takes so exact a time.
    """
    before = 0
    for (at, size), (after, _) in pairwise(arrivals):
        before += size
        if before > _SMALL:
            return None
        if 38_000_000 <= after - at <= 48_000_000:
            gap = f"{(after - at) / 1e6:.0f} ms passed behind the first {before:,} bytes of the answer"
            why = "held back what it wrote next until those were acknowledged, and acknowledging is delayed by 40 ms"
            advice = "with TCP_NODELAY, or with one write, it would not have"
            return Note("delay", "warning", f"{gap}: the server {why}; {advice}", "RFC 9293, section 3.7.4")
    return None


class Http1:
    """One HTTP/1.1 connection. Between exchanges it watches for the server to close it: `on_idle_end` is called with why."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.wire = wire
        self.record = wire.record
        self.used = 0
        self.on_idle_end: Callable[[Http1, str], None] | None = None
        self._clock = clock
        self._ahead: asyncio.Task[tuple[bytes, int]] | None = None

    @property
    def over(self) -> bool:
        """Whether an idle one has ended already, which its watch may not have told yet."""
        return self.wire.over or (self._ahead is not None and self._ahead.done())

    def watch(self) -> None:
        """Nobody uses it for now: notice when it ends."""
        if self._ahead is None:
            self._ahead = asyncio.get_running_loop().create_task(self.wire.read())
            self._ahead.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[tuple[bytes, int]]) -> None:
        if self._ahead is not task or task.cancelled() or self.on_idle_end is None:
            return
        if task.exception() is not None:
            why = "reset by the server while it was idle"
        elif task.result()[0]:
            why = "the server sent bytes that nobody had asked for"
        else:
            why = "closed by the server while it was idle"
        self.on_idle_end(self, why)

    def tasks(self) -> list[asyncio.Task[object]]:
        """What goes on between exchanges."""
        return [self._ahead] if self._ahead is not None else []

    def close(self, why: str) -> None:
        """Close it. Calling it again does nothing."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
        self.wire.close(why)

    async def _read(self) -> tuple[bytes, int]:
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return await ahead
        return await self.wire.read()

    async def exchange(self, request: Outgoing, visit: Visit, intake: Intake, *, within: float, idle: float = IDLE) -> Ending:
        """Send a request and take its whole answer, `within` seconds and with no byte missing for more than `idle`.

        What goes wrong is in the visit; only CancelledError is raised.
        """
        failure = bad_field(request)
        if failure is not None:
            intake.end(self._clock(), failure)
            return Ending.AGAIN
        self.used += 1
        talk = _Talk(self, request, visit, intake)
        try:
            async with asyncio.timeout(within) as limit:
                ending = await talk.run(limit, min(idle, within))
        except TimeoutError:
            ending = talk.timed_out(within, min(idle, within))
        except BaseException:
            self.close("the request was given up")
            raise
        finally:
            await talk.stop_upload()
        if ending is not Ending.AGAIN:
            self.close(talk.why)
        self.record.kernel = self.wire.kernel() or self.record.kernel
        return ending


class _Talk:
    """One exchange: what has been sent and what has come so far."""

    def __init__(self, connection: Http1, request: Outgoing, visit: Visit, intake: Intake) -> None:
        self.connection = connection
        self.request = request
        self.visit = visit
        self.intake = intake
        self.reader = AnswerReader(request.method)
        self.clock = connection._clock
        self.why = ""
        self._uploaded = 0
        self._upload: asyncio.Task[None] | None = None
        self._head_at = 0
        self._last_at = 0
        self._arrived: list[tuple[int, int]] = []

    async def run(self, limit: asyncio.Timeout, idle: float) -> Ending:
        """Send, then read to the end of the answer."""
        loop = asyncio.get_running_loop()
        until = limit.when() or loop.time()
        await self._send()
        reader = self.reader
        while not reader.done and reader.bad is None:
            limit.reschedule(min(until, loop.time() + idle))
            try:
                data, at = await self.connection._read()
            except ConnectionError as error:
                return self._broken(error)
            if not data:
                return self._ended()
            self._take(data, at)
            if self.intake.refused:
                return self._over("the rest of the answer was not wanted", None)
            self._stop_if_refused()
        return self._settle()

    async def _send(self) -> None:
        wire, visit, body = self.connection.wire, self.visit, self.request.body
        head, fields = head_of(self.request)
        visit.request = sent_of(self.request, fields, head)
        visit.sent_first = self.clock()
        try:
            if len(body) <= _AT_ONCE:
                wire.write(head + body)
                self._uploaded = len(body)
                await wire.drain()
                visit.sent_last = self.clock()
            else:
                wire.write(head)
                self._upload = asyncio.get_running_loop().create_task(self._send_body())
        except ConnectionError:
            pass  # reading tells what happened, and an answer may have come first

    async def _send_body(self) -> None:
        wire, body = self.connection.wire, memoryview(self.request.body)
        try:
            while self._uploaded < len(body):
                piece = bytes(body[self._uploaded : self._uploaded + _PIECE])
                wire.write(piece)
                await wire.drain()
                self._uploaded += len(piece)
            self.visit.sent_last = self.clock()
        except ConnectionError:
            pass

    async def stop_upload(self) -> None:
        """End the upload, if it is still going on."""
        if self._upload is not None:
            self._upload.cancel()
            await asyncio.gather(self._upload, return_exceptions=True)

    def _stop_if_refused(self) -> None:
        """An error before the whole body was sent: the server does not want the rest (RFC 9112, section 9.3)."""
        head = self.reader.head
        if self._upload is None or self._upload.done() or head is None or head.status < 400:
            return
        self._upload.cancel()
        sent, whole = self._uploaded, len(self.request.body)
        said = f"The server answered after {sent:,} of {whole:,} bytes of the body had been sent; the rest was not sent"
        self.visit.notes.append(Note("framing", "info", said, "RFC 9112, section 9.3"))
        self.why = "the server refused the body before its end"

    # -- what has come ----------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, at: int) -> None:
        reader, intake = self.reader, self.intake
        if reader.fresh:
            self._head_at = at
        self._last_at = at
        if len(self._arrived) < _MOST_ARRIVALS:
            self._arrived.append((at, len(data)))
        before = reader.coded
        for step in reader.feed(data):
            if isinstance(step, bytes):
                intake.data(step, at)
            elif isinstance(step, ChunkEnd):
                intake.chunk(at, step.size, step.offset, step.extensions)
            else:
                self._take_head(step, at)
        if reader.framing is not None and reader.framing.kind != "chunked" and reader.coded > before:
            intake.chunk(at, reader.coded - before, before)
        self.visit.body.wire = reader.wire

    def _take_head(self, head: AnswerHead, at: int) -> None:
        visit = self.visit
        visit.notes += [Note(each.topic, each.level, each.message, each.source) for each in head.remarks]
        if head.status < 200:
            self.intake.early(head.status, head.headers, at)
            self._head_at = at  # the next one begins behind it, in the same read or in a later one
            self._arrived.clear()
            return
        received = Received(head.status, head.reason, head.version, head.headers, head.raw)
        framing = self.reader.framing
        if framing is None:  # a fault of the framing: the head is shown all the same
            self.intake.head(received, "none", self._head_at)
            return
        visit.notes += [Note(each.topic, each.level, each.message, each.source) for each in framing.remarks]
        self.intake.head(received, framing.kind, self._head_at, framing.transfer)

    # -- how it ended -----------------------------------------------------------------------------------------------------

    def _settle(self) -> Ending:
        """The answer is whole, or cannot be read on."""
        reader, visit = self.reader, self.visit
        visit.body.trailers = reader.trailers
        if reader.bad is not None:
            return self._over("the answer could not be read on", self._failure())
        assert reader.framing is not None
        self.intake.end(self._last_at)
        if (delayed := delay_of(self._arrived)) is not None:
            visit.notes.append(delayed)
        if reader.rest:
            said = f"{len(reader.rest):,} bytes came behind the end of the answer; the connection was closed"
            visit.notes.append(Note("framing", "warning", said, "RFC 9112, section 6.3"))
            self.why = "bytes came behind the end of the answer"
        elif self._uploaded < len(self.request.body):
            self.why = self.why or "the answer came before the whole request was sent"
        elif not reader.framing.keep_alive:
            self.why = "the answer's end closed it"
        return Ending.OVER if self.why else Ending.AGAIN

    def _ended(self) -> Ending:
        """The server closed the connection."""
        reader = self.reader
        if self._unheard():
            return Ending.UNHEARD
        reader.finish()
        self._last_at = self._last_at or self.clock()
        self.visit.body.trailers = reader.trailers
        return self._over("closed by the server", self._failure())

    def _broken(self, error: ConnectionError) -> Ending:
        """The connection was reset."""
        if self._unheard():
            return Ending.UNHEARD
        reader = self.reader
        if reader.head is None:
            message = "The connection was reset before the answer" + (" was whole" if reader.begun else "")
        elif reader.framing is not None and reader.framing.length is not None:
            message = f"The connection was reset after {reader.coded:,} of {reader.framing.length:,} bytes of the body"
        else:
            message = f"The connection was reset after {reader.coded:,} bytes of the body"
        return self._over(f"reset by the server ({type(error).__name__})", Failure("connection-reset", message))

    def timed_out(self, timeout: float, idle: float) -> Ending:
        """Time is up: say for what."""
        reader = self.reader
        if reader.head is not None:
            came = f"after {reader.coded:,} bytes of the body"
        else:
            came = "before the answer was whole" if reader.begun else "and no byte of the answer had come"
        since = self._last_at or self.visit.sent_first or 0
        if (self.clock() - since) / 1e9 >= idle * 0.9 and idle < timeout:
            message = f"The server sent nothing for {seconds(idle)}, {came}"
        else:
            message = f"The time of {seconds(timeout)} was up {came}"
        return self._over("given up: time was up", Failure("timeout", message, "--timeout sets how long to wait"))

    def _unheard(self) -> bool:
        """Whether the connection was an old one and died before any byte of the answer; the caller may then ask once more."""
        if self.connection.used < 2 or self.reader.begun:
            return False
        self.why = "it had died while it was idle"
        return True

    def _failure(self) -> Failure | None:
        bad = self.reader.bad
        return Failure(bad.slug, bad.message, bad.hint) if bad is not None else None

    def _over(self, why: str, failure: Failure | None) -> Ending:
        self.why = self.why or why
        self.intake.end(self._last_at or self.clock(), failure)
        return Ending.OVER
