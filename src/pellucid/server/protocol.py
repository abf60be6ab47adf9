"""One connection: bytes in, requests to the handler, answers out, in order.

In: what the event loop received. Out: what it shall write. States and what may follow are in `connection.py`, grammar in
`http/parse.py`, framing of answers in `http/encode.py`; this file joins them and knows nothing of paths, models or people.

One request at a time: the next one is read ahead, up to a bound, and its handler is called when the previous answer has been
handed over. So answers are in order by construction.

The fast lane. A client on a kept connection sends the same header block again and again and changes the request line only.
What a block means doesn't depend on the request line (see `http/parse.py`), so a block that was read once need not be read
again. `data_received` takes the lane where what arrived is one plain request line followed by exactly the bytes of the last
block: the line is checked as strictly as ever, and as it has no CRLF but its last and the block ends at its only blank line,
the bytes are one whole request without a body. A block that differs in lines which stand for themselves (`known_block`) takes
the lane too. Everything else goes the long way, through `_advance`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable
from functools import partial
from math import inf
from types import CoroutineType
from typing import cast

from pellucid.errors import SHUTTING_DOWN, TOO_MANY_CONNECTIONS, Problem
from pellucid.http.encode import CONTINUE, bodiless
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.http.parse import Head, known_block, plain_line, too_large
from pellucid.server.body import IncomingBody
from pellucid.server.connection import Event, State, after
from pellucid.server.lifetime import CLOSE, LifetimeProtocol
from pellucid.server.outgoing import CHUNKED, Outgoing, as_bytes, framing_of
from pellucid.server.service import Service, bad_path, cut_short, nonsense
from pellucid.spans import Trace, now

__all__ = ["HttpProtocol"]

_IDLE, _HEAD, _BODY, _HANDLING, _STREAMING, _DRAINING, _FLUSHING, _LINGERING, _CLOSED = State

_AT_ONCE = 16
"""Pipelined requests answered before other connections have their turn."""
_RETRY = (("Retry-After", "1"),)
_KEEP_ALIVE = "connection: keep-alive\r\n"


class HttpProtocol(LifetimeProtocol):
    """The server's side of one HTTP/1.1 connection."""

    __slots__ = (
        "_block_size", "_client", "_continue", "_head", "_headers", "_lingered", "_news", "_received", "_said", "_scheme",
        "_started", "_unobserved",
    )  # fmt: skip

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._client = ""
        self._scheme = "http"
        self._news: list[tuple[str, object]] = []
        # The fast lane: the size of the last block, and what it says.
        self._block_size = 0
        self._headers = Headers()
        # The request under way: its head while its body is collected, instants for its trace, the answer's Connection field.
        self._head: Head | None = None
        self._continue = False
        self._started = self._received = 0
        self._said = ""
        self._unobserved: tuple[Request, Response] | None = None
        self._lingered = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting it
        service, limits = self._service, self._service.limits
        self._out = Outgoing(transport, service.encoder, limits.write_timeout)
        transport.set_write_buffer_limits(high=limits.write_buffer, low=0)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else ""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._scheme = "https"
        if service.observer is not None:
            self._news.append(("accept", self._client))
            if tls is not None:
                self._news.append(("tls", (tls.version(), tls.cipher())))
        has_room = service.add(self)
        if service.stopping:
            self.stop()  # accepted at the last moment: served like those that were a moment earlier
        if not has_room and service.has_room_to_refuse():
            self._refuse(Problem(TOO_MANY_CONNECTIONS, headers=_RETRY))
        elif not has_room:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._state is _IDLE and self._block:
            service, line_ends = self._service, len(data) - self._block_size
            headers: Headers | None = self._headers
            if not data.endswith(self._block):
                line_ends = data.find(b"\n") + 1
                headers = known_block(data, line_ends, service.limits.header_bytes, service.limits.header_count)
            line = plain_line(data, 0, line_ends)
            if headers is not None and line is not None and line_ends <= service.limits.request_line:
                if service.observer is not None:
                    self._started = self._received = now()
                try:
                    # By position: a class called with keywords costs half as much again.
                    request = Request(
                        "GET", line[1].decode(), headers, b"", None, "1.1", self._scheme, self._client, service.new_id()
                    )
                except UnicodeDecodeError:
                    self._refuse(bad_path())
                    return
                self._state = _HANDLING  # BYTES and WHOLE in one step
                self._trace_id = request.id
                self._handle(request)
                return
        self._receive(data)

    def eof_received(self) -> bool:
        self._eof = True
        self._block = ()
        match self._state:
            case State.HEAD | State.BODY:
                self._refuse(cut_short())
            case State.STREAMING if self._body is not None:
                self._keep = False
                self._body.fail(ConnectionResetError("the client closed its side before the body was whole"))
            case State.HANDLING | State.FLUSHING:
                self._keep = self._keep and bool(self._reader.buffer)
            case _:
                return False
        # A client may close its side and still wait for its answer (RFC 9112, section 9.6). TLS is never half closed here.
        return self._scheme == "http"

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._state = after(self._state, Event.LOST)
        self.deadline = inf
        self._block = ()
        self._service.remove(self)
        self._out.resume()
        if self._body is not None:
            self._body.fail(ConnectionResetError("the client went away"))
        # Sending to nobody is stopped. A handler comes to its end: what it does must not be left half done.
        if self._sending is not None:
            self._sending.cancel()
        self._observe_late()

    def pause_writing(self) -> None:
        self._out.pause(self._loop.time())
        if self._state is _IDLE:
            self._enter(Event.BLOCKED)

    def resume_writing(self) -> None:
        self._out.resume()
        self._observe_late()
        if self._state is _FLUSHING:
            self._enter(Event.TAKEN)
            self._advance()

    # Reading.

    def _receive(self, data: bytes) -> None:
        """The long way, for everything that the fast lane doesn't take."""
        if self._service.observer is not None:
            self._received = now()
        state = self._state
        if state is _IDLE or state is _HEAD:
            self._reader.add(data)
            self._advance()
        elif state is _HANDLING or state is _FLUSHING:
            self._reader.add(data)
            if len(self._reader.buffer) > self._service.limits.pipeline_bytes:
                self._read(False)
        elif state is _LINGERING:
            self._lingered += len(data)
            if self._lingered > self._service.limits.linger_bytes:
                self.abort()
        elif state is not _CLOSED:
            self._take_body(data)
            self._advance()

    def _advance(self) -> None:
        """Take what has been read, as far as the state allows: the next request, or several pipelined ones."""
        reader = self._reader
        for _ in range(_AT_ONCE):
            if self._state is _IDLE:
                if not reader.buffer:
                    if self._eof:
                        self._transport.close()
                    break
                self._started = self._received
                self._enter(Event.BYTES)
            if self._state is not _HEAD:
                break
            try:
                head = reader.take()
                if head is None:
                    if self._eof:
                        raise cut_short()
                    break
                self._begin(head)
            except Problem as problem:
                self._refuse(problem)
        else:
            self._loop.call_soon(self._advance)
        if not self._reading and self._state is not _STREAMING and len(reader.buffer) <= self._service.limits.pipeline_bytes:
            self._read(True)

    def _begin(self, head: Head) -> None:
        """A head was read: call the handler, or wait for the body first."""
        limits, reader, line, fields = self._service.limits, self._reader, head.line, head.fields
        stopping = self._service.stopping
        self._keep = fields.keep_alive and not stopping
        self._said = _KEEP_ALIVE if line.version == "1.0" and self._keep else ""
        self._block = () if stopping or self._eof else reader.block
        self._block_size = len(reader.block)
        self._headers = fields.headers
        length = fields.length
        if length is not None and length > limits.body_bytes:
            raise too_large(limits.body_bytes)
        if length is not None and length <= min(limits.stream_above, len(reader.buffer)):
            self._enter(Event.WHOLE)
            self._call(head, reader.take_bytes(length) if length else b"")
            return
        self._head = head
        self._body = IncomingBody(length, limits.body_bytes, self._want_body)
        self._continue = fields.expects_continue and not reader.buffer
        early = self._continue or (length is not None and length > limits.stream_above)
        self._enter(Event.STREAM if early else Event.COLLECT)
        if reader.buffer:
            self._take_body(reader.take_bytes(len(reader.buffer)))
        if early:
            self._call(head, None)

    def _call(self, head: Head, body: bytes | None) -> None:
        """Hand the request to the handler, with its body or with the stream of it."""
        self._head = None
        if self._eof and not self._reader.buffer:
            self._keep = False
        line, fields = head.line, head.fields
        id = self._service.new_id()
        try:
            request = Request(
                line.method, line.target, fields.headers, body=body, stream=self._body, version=line.version,
                scheme=self._scheme, client=self._client, id=id,
            )  # fmt: skip
        except UnicodeDecodeError:
            self._refuse(bad_path())
            return
        self._trace_id = id if fields.parent is None else fields.parent[0]
        self._handle(request, None if fields.parent is None else fields.parent[1])

    def _take_body(self, data: bytes) -> None:
        """Bytes of a body, and perhaps the beginning of the next request."""
        body, state, limits = self._body, self._state, self._service.limits
        assert body is not None
        self._continue = False  # the client didn't wait, or needn't any more
        try:
            rest = body.feed(data)
        except Problem as problem:
            self._fail_body(body, problem)
            return
        if body.ended:
            self._reader.add(rest)
            self._enter(Event.WHOLE)
            if state is _BODY and self._head is not None:
                if body.size > limits.stream_above:
                    self._call(self._head, None)
                    return
                self._body = None
                self._call(self._head, body.whole())
        elif state is _BODY and self._head is not None:
            self.deadline = self._loop.time() + limits.body_timeout
            if body.size > limits.stream_above:
                self._enter(Event.STREAM)
                self._call(self._head, None)
        elif state is _STREAMING:
            self.deadline = self._loop.time() + limits.body_timeout if body.waiting else inf
            if body.held > limits.write_buffer:
                self._read(False)

    def _fail_body(self, body: IncomingBody, problem: Problem) -> None:
        """A body that cannot be read to its end is the connection's last: nobody knows where the next request begins."""
        self._keep = False
        self._block = ()
        if self._state is _STREAMING:
            body.fail(problem)
            self._read(False)
        else:
            self._refuse(problem)

    def _want_body(self) -> None:
        """The handler waits for more of the body."""
        if self._state is _STREAMING:
            if self._continue:
                self._continue = False
                self._transport.write(CONTINUE)
            self.deadline = self._loop.time() + self._service.limits.body_timeout
            self._read(True)

    # Handling and answering.

    def _handle(self, request: Request, parent: str | None = None) -> None:
        """Call the handler and answer: at once if it does, with no task made for it."""
        service = self._service
        if service.observer is not None and service.traces_left > 0:
            service.traces_left -= 1
            request.trace = self._trace(parent)
        try:
            answer = service.handler(request)
        except Exception as error:
            answer = service.fault(request, error)
        if not isinstance(answer, Response):
            self._await(request, answer)
            return
        body = answer.body
        if not isinstance(body, bytes) or not self._keep or self._state is not _HANDLING or request.method == "HEAD":
            self._respond(request, answer)
            return
        try:
            self._transport.write(service.encoder.whole(answer, body, request.id, self._trace_id, self._said))
        except Exception as error:  # a response that cannot be said
            self._respond(request, service.fault(request, error))
            return
        self._answered(request, answer)

    def _trace(self, parent: str | None) -> Trace:
        """The trace of the request that begins; the connection's first one carries what is known of the connection."""
        trace = Trace(self._trace_id, self._started, parent)
        if self._news:
            trace.marks += [(name, self._started, detail, 0) for name, detail in self._news]
            self._news = []
        if self._received != self._started:
            trace.marks.append(("read", self._received, None, 0))
        trace.marks.append(("parse", now(), None, 0))
        return trace

    def _await(self, request: Request, answer: Awaitable[Response]) -> None:
        """The handler answers later. A coroutine becomes a task of its own, so that what users expect of tasks holds in it."""
        try:
            # Most are coroutines; asking for that alone costs half of what `ensure_future` asks.
            if isinstance(answer, CoroutineType):
                self._task = future = self._loop.create_task(answer)
            else:
                self._task = future = asyncio.ensure_future(answer, loop=self._loop)
        except TypeError:
            self._respond(request, self._service.fault(request, nonsense(answer)))
            return
        self.deadline = inf
        future.add_done_callback(partial(self._completed, request))

    def _completed(self, request: Request, future: asyncio.Future[Response]) -> None:
        self._task = None
        error: BaseException | None
        if future.cancelled():
            error = Problem(SHUTTING_DOWN, headers=_RETRY) if self._service.stopping else asyncio.CancelledError()
        else:
            error = future.exception()
        answer = future.result() if error is None else self._service.fault(request, error)
        if not isinstance(answer, Response):
            answer = self._service.fault(request, nonsense(answer))
        self._respond(request, answer)
        self._advance()

    def _respond(self, request: Request, response: Response) -> None:
        """Write any answer; a streamed one begins here and goes on in a task."""
        if self._state is _CLOSED:
            self._unobserved = (request, response)
            self._observe_late()
            return
        if self._state is not _HANDLING or not self._keep:
            self._settle_keep()
        body = response.body
        try:
            if isinstance(body, AsyncIterable):
                framing = framing_of(request, response)
                if not framing and not bodiless(response.status):
                    self._keep, self._said = False, CLOSE
                self._out.begin(request, response, self._trace_id, self._said, framing)
                if request.method != "HEAD" and not bodiless(response.status):
                    self._sending = self._loop.create_task(self._send(request, response, body, framing == CHUNKED))
                    return
            else:
                self._out.write(request, response, as_bytes(body), self._trace_id, self._said)
        except Exception as error:  # a response that cannot be said: nothing was written yet
            response = self._service.fault(request, error)
            self._out.write(request, response, as_bytes(response.body), self._trace_id, self._said)
        self._answered(request, response)

    async def _send(self, request: Request, response: Response, body: AsyncIterable[bytes], chunked: bool) -> None:
        """Send a streamed body. If it fails the connection is cut, so that a part is never taken for the whole."""
        try:
            await self._out.send(body, response.length, chunked)
        except (Exception, asyncio.CancelledError) as error:
            self._transport.abort()
            if self._state is not _CLOSED and isinstance(error, Exception):
                self._service.report(request, error)
            self._keep = False
        self._sending = None
        self._answered(request, response)
        self._advance()

    def _settle_keep(self) -> None:
        """Whether the connection outlives this answer; asked where it isn't plain that it does."""
        body = self._body
        if self._state is _STREAMING and body is not None:
            left = body.left
            small = left is not None and left <= self._service.limits.drain_bytes
            # A client that waits for "100 Continue" may send the body now or leave it: nobody could tell it from a request.
            self._keep = self._keep and small and not self._continue and not body.failed
        self._continue = False
        if not self._keep:
            self._said = CLOSE

    def _answered(self, request: Request, response: Response) -> None:
        """The answer is written: tell who watches, and let the connection go on or end."""
        service = self._service
        if service.observer is not None:
            at, blocked = now(), self._out.blocked
            if request.trace is None and (blocked or response.status >= 500 or at - self._started >= service.slow):
                request.trace = Trace(self._trace_id, self._started)
            if blocked:
                self._unobserved = (request, response)
            elif request.trace is not None:
                service.observe(request, response, at)
        if self._state is _HANDLING and self._keep:
            self._body = None
            self._state = _IDLE  # the table's step, and its clock as of the last sweep
            self.deadline = service.idle_deadline
            if self._out.blocked:
                self._enter(Event.BLOCKED)
        elif self._state is _CLOSED or self._transport.is_closing():
            self._observe_late()
        elif not self._keep:
            self._finish()
        elif self._body is not None:
            self._body.discard()
            self._enter(Event.ANSWERED)
            self._read(True)

    def _observe_late(self) -> None:
        """An answer has left the process."""
        late, self._unobserved = self._unobserved, None
        if late is not None:
            self._service.observe(*late, now())
