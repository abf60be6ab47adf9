"""One connection: bytes in, requests to the handler, answers out, in order.

In: what the event loop received. Out: what it shall write. States and what may follow are in `connection.py`, grammar in
`http/parse.py`, framing of answers in `http/encode.py`; this file joins them and knows nothing of paths, models or people.

One request at a time: the next one is read ahead, up to a bound, and its handler is called when the previous answer has been
handed over. So answers are in order by construction.

The fast lane. A client on a kept connection sends the same header block again and again and changes the request line only.
What a block means doesn't depend on the request line (see `http/parse.py`), so a block that was read once need not be read
again. `data_received` takes the lane where what arrived is one plain request line followed by exactly the bytes of the last
block: the line is checked as strictly as ever, and as it has no CRLF but its last and the block ends at its only blank line,
the bytes are one whole request without a body. Everything else goes the long way, through `_advance`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable
from functools import partial
from math import inf
from typing import cast

from pellucid.errors import (
    BAD_REQUEST,
    HEADERS_TOO_LARGE,
    REQUEST_TIMEOUT,
    SHUTTING_DOWN,
    TOO_MANY_CONNECTIONS,
    URI_TOO_LONG,
    Problem,
)
from pellucid.http.encode import CONTINUE, LAST_CHUNK, bodiless, chunk
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.http.parse import Fields, Line, bad_line, parse_fields, parse_line, plain_target, too_large, with_authority
from pellucid.server.body import IncomingBody
from pellucid.server.connection import Event, State, after
from pellucid.server.service import Service, problem_response
from pellucid.spans import Trace, new_trace_id, now

__all__ = ["HttpProtocol"]

_IDLE, _HANDLING = State.IDLE, State.HANDLING
_BARE_LF = re.compile(rb"(?<!\r)\n").search
_BEGINS_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]").match

_KNOWN_BLOCKS = 8
"""Header blocks that a connection remembers: a browser sends a few (page, style, script, image, API)."""
_KNOWN_BLOCK_BYTES = 2048
_AT_ONCE = 16
"""Pipelined requests answered before other connections have their turn."""
_CLOSE = "connection: close\r\n"
_KEEP_ALIVE = "connection: keep-alive\r\n"
_CHUNKED = "transfer-encoding: chunked\r\n"
_SENDING = "pellucid sends a streamed answer"
_NO_FIELDS = Fields(Headers())
_JOIN_BELOW = 65_536
"""A body up to this size is copied behind its head to be one write; a longer one is written on its own."""


class HttpProtocol(asyncio.Protocol):
    """The server's side of one HTTP/1.1 connection."""

    __slots__ = (
        "_block", "_body", "_buffer", "_client", "_continue", "_cut", "_eof", "_fields", "_keep", "_known", "_line",
        "_lingered", "_loop", "_news", "_reading", "_received", "_said", "_scanned", "_scheme", "_service", "_started", "_state",
        "_task", "_taken", "_trace_id", "_transport", "_unobserved", "_unsent", "_unsent_until", "blocked", "deadline",
    )  # fmt: skip

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = service.loop
        self._state = _IDLE
        self._transport: asyncio.Transport
        self._client = ""
        self._scheme = "http"
        self._news: list[tuple[str, object]] = []
        self.deadline = service.idle_deadline
        # What was read: bytes not used yet, how far they were searched, the request they belong to.
        self._buffer = bytearray()
        self._scanned = 0
        self._reading = True
        self._eof = False
        self._line: Line | None = None
        self._fields = _NO_FIELDS
        self._body: IncomingBody | None = None
        self._continue = False
        self._started = self._received = 0
        # The blocks read before, and the last one if its request was plain. `endswith(())` is never true.
        self._known: dict[bytes, Fields] = {}
        self._block: bytes | tuple[()] = ()
        self._cut = 0
        # The answer: whether the connection outlives it, what its Connection field says, who waits for the client to take it.
        self._keep = True
        self._said = ""
        self._trace_id = ""
        self._task: asyncio.Future[Response] | asyncio.Task[None] | None = None
        self.blocked = False
        self._taken: asyncio.Future[None] | None = None
        self._unobserved: tuple[Request, Response] | None = None
        self._unsent = 0
        self._unsent_until = inf
        self._lingered = 0

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting it
        service = self._service
        transport.set_write_buffer_limits(high=service.limits.write_buffer, low=0)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else ""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._scheme = "https"
        if service.observer is not None:
            self._news = [("accept", self._client), *([("tls", (tls.version(), tls.cipher()))] if tls is not None else [])]
        has_room = service.add(self)
        if service.stopping:
            self._refuse(Problem(SHUTTING_DOWN, headers=[("Retry-After", "1")]))
        elif not has_room and service.has_room_to_refuse():
            self._refuse(Problem(TOO_MANY_CONNECTIONS, headers=[("Retry-After", "1")]))
        elif not has_room:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._state is _IDLE and data.endswith(self._block):
            target = plain_target(data[: self._cut])
            if target is not None:
                if self._service.observer is not None:
                    self._started = self._received = now()
                self._state = _HANDLING  # BYTES and WHOLE in one step
                self._handle("GET", target, self._fields, b"")
                return
        self._receive(data)

    def eof_received(self) -> bool:
        self._eof = True
        self._block = ()
        body, state = self._body, self._state
        if state in (State.DRAINING, State.LINGERING) or (state is _IDLE and not self._buffer):
            return False
        if state in (State.HEAD, State.BODY):
            self._refuse(Problem(BAD_REQUEST, "The connection ended in the middle of a request"))
        elif state is State.STREAMING and body is not None:
            self._keep = False
            body.fail(ConnectionResetError("the client closed its side before the body was whole"))
        elif not self._buffer:
            self._keep = False
        # A client may close its side and still wait for the answer (RFC 9112, section 9.6). TLS has no half-closed state here.
        return self._scheme == "http"

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = after(self._state, Event.LOST)
        self._service.remove(self)
        self.deadline = inf
        self.blocked = False
        self._block = ()
        if self._body is not None:
            self._body.fail(ConnectionResetError("the client went away"))
        if self._taken is not None and not self._taken.done():
            self._taken.set_exception(ConnectionResetError("the client went away"))
        elif isinstance(self._task, asyncio.Task) and self._task.get_name() == _SENDING:
            self._task.cancel()
        self._observe_late()

    def pause_writing(self) -> None:
        self.blocked = True
        self._unsent = self._transport.get_write_buffer_size()
        self._unsent_until = self._loop.time() + self._service.limits.write_timeout
        if self._state is _IDLE:
            self._state = after(self._state, Event.BLOCKED)

    def resume_writing(self) -> None:
        self.blocked = False
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        self._observe_late()
        if self._state is State.FLUSHING:
            self._enter(Event.TAKEN)
            self._advance()

    # Reading.

    def _enter(self, event: Event) -> None:
        """Go where the table says, and start the clock of that state."""
        self._state = state = after(self._state, event)
        limits = self._service.limits
        match state:
            case State.IDLE:
                self.deadline = self._service.idle_deadline
            case State.HEAD:
                self.deadline = self._loop.time() + limits.header_timeout
            case State.BODY | State.DRAINING:
                self.deadline = self._loop.time() + limits.body_timeout
            case State.LINGERING:
                self.deadline = self._loop.time() + limits.linger_timeout
            case _:
                self.deadline = inf

    def _receive(self, data: bytes) -> None:
        """The long way: every byte that the fast lane doesn't take."""
        if self._service.observer is not None:
            self._received = now()
        match self._state:
            case State.IDLE | State.HEAD:
                self._buffer += data
                self._advance()
            case State.HANDLING | State.FLUSHING:
                self._buffer += data
                if len(self._buffer) > self._service.limits.pipeline_bytes:
                    self._read(False)
            case State.BODY | State.STREAMING | State.DRAINING:
                self._take_body(data)
                self._advance()
            case State.LINGERING:
                self._lingered += len(data)
                if self._lingered > self._service.limits.linger_bytes:
                    self.abort()
            case State.CLOSED:
                pass

    def _read(self, wanted: bool) -> None:
        """Read from the client, or let it wait: back-pressure travels through TCP's window."""
        if wanted is not self._reading and not self._transport.is_closing():
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _advance(self) -> None:
        """Take what the buffer holds, as far as the state allows: the next head, or several pipelined requests."""
        for _ in range(_AT_ONCE):
            if self._state is _IDLE:
                if not self._buffer:
                    if self._eof:
                        self._transport.close()
                    break
                self._started = self._received
                self._enter(Event.BYTES)
            if self._state is not State.HEAD:
                break
            try:
                if not self._take_head():
                    if self._eof:
                        raise Problem(BAD_REQUEST, "The connection ended in the middle of a request")
                    break
            except Problem as problem:
                self._refuse(problem)
        else:
            self._loop.call_soon(self._advance)
        if len(self._buffer) <= self._service.limits.pipeline_bytes and self._state is not State.STREAMING:
            self._read(True)

    def _take_head(self) -> bool:
        """Cut the next head out of the buffer and begin its request; False where it isn't whole yet."""
        buffer, limits = self._buffer, self._service.limits
        if self._line is None:
            # RFC 9112, section 2.2: blank lines before a request are ignored.
            while buffer.startswith(b"\r\n"):
                del buffer[:2]
            end = buffer.find(b"\n", self._scanned) + 1
            if not end:
                if buffer and buffer != b"\r" and _BEGINS_LINE(buffer) is None:
                    raise bad_line(bytes(buffer[:64]) + b"\r\n")
                if len(buffer) > limits.request_line + 1:
                    raise Problem(URI_TOO_LONG, hint=f"At most {limits.request_line} bytes are accepted")
                self._scanned = len(buffer)
                return False
            self._line = parse_line(bytes(buffer[:end]), limits.request_line)
            del buffer[:end]
            self._scanned = 0
        end = 2 if buffer.startswith(b"\r\n") else buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
        if max(end, len(buffer) if end == 3 else 0) > limits.header_bytes:
            raise Problem(HEADERS_TOO_LARGE, hint=f"At most {limits.header_bytes} bytes are accepted")
        if end == 3:
            if _BARE_LF(buffer, self._scanned) is not None:
                raise Problem(BAD_REQUEST, "A header line ends with a bare LF")
            self._scanned = len(buffer)
            return False
        block = bytes(buffer[:end])
        del buffer[:end]
        self._scanned = 0
        line, self._line = self._line, None
        self._begin(line, self._read_block(line, block))
        return True

    def _read_block(self, line: Line, block: bytes) -> Fields:
        """What a header block means, asked once per block; remember it if the next request may be as plain as this one."""
        fields = self._known.get(block) if line.version == "1.1" else None
        if fields is None:
            fields = parse_fields(line.version, block, self._service.limits.header_count)
            if line.version == "1.1" and fields.parent is None and len(block) <= _KNOWN_BLOCK_BYTES:
                if len(self._known) >= _KNOWN_BLOCKS:
                    del self._known[next(iter(self._known))]
                self._known[block] = fields
        plain = line.version == "1.1" and fields.length == 0 and fields.keep_alive and fields.parent is None
        self._block = block if plain and not self._service.stopping else ()
        self._cut = -len(block)
        self._fields = with_authority(line, fields)
        if line.authority is not None:
            self._block = ()  # these fields have the target's host
        return self._fields

    def _begin(self, line: Line, fields: Fields) -> None:
        """The head is read: call the handler, or wait for the body first."""
        limits, buffer, length = self._service.limits, self._buffer, fields.length
        self._keep = fields.keep_alive and not self._service.stopping
        self._said = _KEEP_ALIVE if line.version == "1.0" and self._keep else ""
        if length is not None and length > limits.body_bytes:
            raise too_large(limits.body_bytes)
        early = length != 0 and fields.expects_continue
        if length is not None and not early and length <= min(limits.stream_above, len(buffer)):
            body = bytes(buffer[:length])
            del buffer[:length]
            self._enter(Event.WHOLE)
            self._end_with(line, fields, body)
            return
        self._continue = early
        self._body = IncomingBody(length, limits.body_bytes, self._want_body)
        early = early or (length is not None and length > limits.stream_above)
        self._enter(Event.STREAM if early else Event.COLLECT)
        self._line = line
        arrived = bytes(buffer)
        buffer.clear()
        if arrived:
            self._take_body(arrived)
        if early:
            self._end_with(line, fields, None)

    def _end_with(self, line: Line, fields: Fields, body: bytes | None) -> None:
        """Hand the request to the handler, with its body or with the stream of it."""
        self._line = None
        if self._eof and not self._buffer:
            self._keep = False
        self._handle(line.method, line.target, fields, body, line.version)

    def _take_body(self, data: bytes) -> None:
        """Bytes of a body, and perhaps the beginning of the next request."""
        body, state, limits = self._body, self._state, self._service.limits
        assert body is not None
        self._continue = False  # the client didn't wait, or was answered
        try:
            rest = body.feed(data)
        except Problem as problem:
            self._fail_body(body, problem)
            return
        if body.ended:
            self._buffer += rest
            self._enter(Event.WHOLE)
            if state is State.BODY:
                self._body = None
                assert self._line is not None
                self._end_with(self._line, self._fields, body.whole())
        elif state is State.BODY:
            self.deadline = self._loop.time() + limits.body_timeout
            if body.size > limits.stream_above:
                self._enter(Event.STREAM)
                assert self._line is not None
                self._end_with(self._line, self._fields, None)
        elif state is State.STREAMING:
            self.deadline = self._loop.time() + limits.body_timeout if body.waiting else inf
            if body.held > limits.write_buffer:
                self._read(False)

    def _fail_body(self, body: IncomingBody, problem: Problem) -> None:
        """A body that cannot be read to its end: where it ends nobody knows, so it is the connection's last."""
        self._keep = False
        self._block = ()
        if self._state is State.STREAMING:
            body.fail(problem)
            self._read(False)
        else:
            self._refuse(problem)

    def _want_body(self) -> None:
        """The handler waits for more of the body."""
        if self._state is State.STREAMING:
            if self._continue:
                self._continue = False
                self._transport.write(CONTINUE)
            self.deadline = self._loop.time() + self._service.limits.body_timeout
            self._read(True)

    # Handling and answering.

    def _handle(self, method: str, target: str, fields: Fields, body: bytes | None, version: str = "1.1") -> None:
        """Call the handler, and answer at once if it does."""
        service = self._service
        id = new_trace_id()
        parent = fields.parent
        self._trace_id = id if parent is None else parent[0]
        try:
            request = Request(
                method, target, fields.headers, body=body, stream=self._body, version=version, scheme=self._scheme, client=self._client, id=id
            )  # fmt: skip
        except UnicodeDecodeError:
            self._refuse(Problem(BAD_REQUEST, "The percent-encoded bytes of the path are not UTF-8"))
            return
        if service.observer is not None:
            request.trace = self._trace(parent)
        try:
            answer = service.handler(request)
        except Exception as error:
            answer = service.fault(request, error)
        if isinstance(answer, Response):
            self._respond(request, answer)
        else:
            self._await(request, answer)

    def _trace(self, parent: tuple[str, str] | None) -> Trace:
        """The trace of the request that begins; the connection's first one carries what is known of the connection."""
        trace = Trace(self._trace_id, self._started, None if parent is None else parent[1])
        if self._news:
            trace.marks += [(name, self._started, detail, 0) for name, detail in self._news]
            self._news = []
        if self._received != self._started:
            trace.marks.append(("read", self._received, None, 0))
        trace.mark("parse")
        return trace

    def _await(self, request: Request, answer: Awaitable[Response]) -> None:
        """The handler answers later. A coroutine becomes a task of its own, so that what users expect of tasks holds in it."""
        try:
            future = asyncio.ensure_future(answer, loop=self._loop)
        except TypeError:
            self._respond(request, self._service.fault(request, _nonsense(answer)))
            return
        self._task = future
        future.add_done_callback(partial(self._completed, request))

    def _completed(self, request: Request, future: asyncio.Future[Response]) -> None:
        self._task = None
        error: BaseException | None = asyncio.CancelledError() if future.cancelled() else future.exception()
        answer = future.result() if error is None else self._service.fault(request, error)
        self._respond(request, answer)
        self._advance()

    def _respond(self, request: Request, response: Response) -> None:
        """Write an answer whose body is there, or start the task that streams it."""
        service = self._service
        if self._state is State.CLOSED:
            self._observe(request, response)
            return
        if self._state is not _HANDLING or not self._keep:
            self._settle_keep()
        try:
            if not isinstance(response, Response):
                raise _nonsense(response)
            body = response.body
            if isinstance(body, bytes):
                self._write(request, response, body)
            elif not isinstance(body, AsyncIterable):
                self._write(request, response, _as_bytes(body))
            else:
                framing = self._framing(request, response)
                head = service.encoder.head(response, request.id, self._trace_id, self._said, framing)
                self._transport.write(head)
                if request.method != "HEAD" and not bodiless(response.status):
                    sending = self._send(request, response, body, framing == _CHUNKED)
                    self._task = self._loop.create_task(sending, name=_SENDING)
                    return
        except Exception as error:  # a response that cannot be said: nothing was written yet
            response = service.fault(request, error)
            self._write(request, response, _as_bytes(response.body))
        self._answered(request, response)

    def _write(self, request: Request, response: Response, body: bytes) -> None:
        encoder, head_only = self._service.encoder, request.method == "HEAD"
        if len(body) <= _JOIN_BELOW or head_only:
            self._transport.write(encoder.whole(response, body, request.id, self._trace_id, self._said, head_only))
            return
        framing = "" if bodiless(response.status) else f"content-length: {len(body)}\r\n"
        self._transport.write(encoder.head(response, request.id, self._trace_id, self._said, framing))
        if framing:
            self._transport.write(body)

    def _settle_keep(self) -> None:
        """Whether the connection outlives this answer; asked where it isn't plain that it does."""
        body = self._body
        if self._state is State.STREAMING and body is not None:
            left = body.left
            small = left is not None and left <= self._service.limits.drain_bytes
            # A client that still waits for "100 Continue" may send the body or leave it: nobody could tell it from a request.
            self._keep = self._keep and small and not self._continue and not body.failed
        self._continue = False
        if not self._keep:
            self._said = _CLOSE

    def _framing(self, request: Request, response: Response) -> str:
        """How a streamed body's end is known (RFC 9112, section 6.3): its length, chunks, or for HTTP/1.0 the connection's end."""
        if bodiless(response.status):
            return ""
        if response.length is not None:
            return f"content-length: {response.length}\r\n"
        if request.version == "1.1":
            return _CHUNKED
        self._keep = False
        self._said = _CLOSE
        return ""

    async def _send(self, request: Request, response: Response, body: AsyncIterable[bytes], chunked: bool) -> None:
        """Send a streamed body at the client's pace. If it fails, the connection is cut, so that a part never looks whole."""
        transport, sent = self._transport, 0
        try:
            async for piece in body:
                if not piece:
                    continue
                sent += len(piece)
                if response.length is not None and sent > response.length:
                    raise ValueError(f"the body is longer than the {response.length} bytes its response promised")
                transport.write(chunk(piece) if chunked else piece)
                if self.blocked:
                    await self._until_taken()
            if response.length is not None and sent < response.length:
                raise ValueError(f"the body has {sent} bytes, its response promised {response.length}")
            if chunked:
                transport.write(LAST_CHUNK)
        except BaseException as error:
            transport.abort()
            if not isinstance(error, (ConnectionResetError, asyncio.CancelledError)):
                self._service.report(request, error)
            self._unobserved = (request, response)
            return
        finally:
            self._task = None
            if isinstance(body, AsyncGenerator):
                await body.aclose()
        self._answered(request, response)
        self._advance()

    async def _until_taken(self) -> None:
        """Wait until the client has taken what was written. Raises ConnectionResetError when it goes away."""
        self._taken = self._loop.create_future()
        try:
            await self._taken
        finally:
            self._taken = None

    def _answered(self, request: Request, response: Response) -> None:
        """The answer is written: tell who watches, and let the connection go on or end."""
        if self._service.observer is not None:
            if self.blocked:
                self._unobserved = (request, response)
            else:
                self._service.observe(request, response, now())
        if self._state is _HANDLING and self._keep:
            self._body = None
            self._state = _IDLE
            self.deadline = self._service.idle_deadline
            if self.blocked:
                self._enter(Event.BLOCKED)
            return
        if self._state is State.CLOSED:
            return
        if not self._keep:
            self._finish()
            return
        assert self._body is not None
        self._body.discard()
        self._enter(Event.ANSWERED)
        self._read(True)

    def _observe_late(self) -> None:
        """An answer that the client was slow to take is out now."""
        if self._unobserved is not None:
            request, response = self._unobserved
            self._unobserved = None
            if self._service.observer is not None:
                self._service.observe(request, response, now())

    # Ending.

    def _refuse(self, problem: Problem) -> None:
        """Answer what never became a request, and end the connection."""
        id = new_trace_id()
        response = problem_response(problem, id)
        self._transport.write(self._service.encoder.whole(response, _as_bytes(response.body), id, id, _CLOSE))
        self._linger()

    def _finish(self) -> None:
        """The last answer is written. Close, unless the client may still be sending."""
        if self._state is _HANDLING and not self._buffer and self._reading:
            self._enter(Event.LAST)
            self._unsent = self._transport.get_write_buffer_size()
            self._transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """End our side and drop what still comes: closing with unread bytes would reset the connection, and the answer with it."""
        self._enter(Event.LAST)
        self._block = ()
        self._buffer.clear()
        if self._body is not None:
            self._body.discard()
        self._unsent = self._transport.get_write_buffer_size()
        if self._eof:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._read(True)

    def stop(self) -> None:
        """The worker stops: an idle connection ends, any other after its answer."""
        self._block = ()
        self._keep = False
        # Whatever has arrived already is served first.
        self._loop.call_soon(self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._state is _IDLE or self._state is State.FLUSHING:
            self._enter(Event.LAST)
            self._unsent = self._transport.get_write_buffer_size()
            self._transport.close()

    def abort(self) -> None:
        """End it now, whatever is under way."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    def check(self, at: float) -> None:
        """The worker's clock passes by (see `Service.sweep`)."""
        if self.blocked and at >= self._unsent_until and not self._progress(at):
            self.abort()
            return
        if self.deadline > at:
            return
        match self._state:
            case State.HEAD | State.BODY:
                self._refuse(Problem(REQUEST_TIMEOUT, "The request did not arrive in time"))
            case State.STREAMING if self._body is not None:
                self.deadline = inf
                self._keep = False
                self._body.fail(Problem(REQUEST_TIMEOUT, "The body did not arrive in time"))
            case State.IDLE:
                self._enter(Event.LAST)
                self._transport.close()
            case State.LINGERING if self._progress(at):
                self.deadline = self._unsent_until
            case _:
                self.abort()

    def _progress(self, at: float) -> bool:
        """Whether the client has taken any of what was written since this was last asked; if so, it has more time."""
        unsent = self._transport.get_write_buffer_size()
        if unsent == 0 or unsent >= self._unsent:
            return False
        self._unsent = unsent
        self._unsent_until = at + self._service.limits.write_timeout
        return True


def _as_bytes(body: object) -> bytes:
    """A body that is there as a whole."""
    if body is None:
        return b""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"a response's body is bytes or an async iterable of bytes, not {type(body).__name__}")


def _nonsense(answer: object) -> TypeError:
    return TypeError(f"the handler answered with {type(answer).__name__}, not with a Response or an awaitable of one")
