"""HTTP/2 on one connection that many requests share (RFC 9113), over h2's state machine.

In: a Wire whose other end speaks HTTP/2, requests with their Intakes. Out: each request's header block as its exact frames, every
part of each answer in its Intake with its instant, and an `Ending` for each. Which requests come here is the pool's business.

What has arrived is handed on at once and its window is given back, so the server may go on and nothing piles up here. Settings
and windows are Chrome's. Pushing is off. A PING is answered by h2.

GOAWAY is kept from h2, whose state machine then takes nothing more, while the standard lets the streams that the server has
accepted come to their end (section 6.8). So frames are told apart here, and go to h2 one at a time: an error in one leaves those
before it whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error, InvalidBodyLengthError, ProtocolError, TooManyStreamsError
from h2.settings import SettingCodes, Settings

from pellucid.client.connect import Wire
from pellucid.client.exchange import IDLE, Ending, Intake, bad_field, seconds, sent_of
from pellucid.client.http2_fields import fields_of, read_fields, read_trailers, said_by
from pellucid.client.outgoing import Outgoing
from pellucid.journey import Clock, Failure, Note, Received, Visit

__all__ = ["Http2"]

_MOST_STREAMS = 100
"""At a time; a server may allow fewer."""
_STREAM_WINDOW = 6 * 1024 * 1024
_WINDOW = 15 * 1024 * 1024
_HEADER_LIST = 262_144
_TABLE = 65_536
_FRAME = 16_384
"""The largest frame we allow, the standard's smallest choice, and Chrome's."""
_GOAWAY = 7
_MOST_EARLY = 64
_OLDER = "it answered in HTTP/1.1"


class _Stream:
    """One request and what has come of it so far."""

    def __init__(self, request: Outgoing, visit: Visit, intake: Intake) -> None:
        self.request = request
        self.visit = visit
        self.intake = intake
        self.over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.window = asyncio.Event()
        self.touched: Callable[[], None] = lambda: None
        self.last_at = 0
        self.interim = 0
        self.uploaded = 0
        self.closed = False
        """Both sides have ended it, or the server has reset it."""

    def end(self, at: int, failure: Failure | None = None, ending: Ending = Ending.AGAIN) -> None:
        """It is over; calling it again does nothing."""
        if self.over.done():
            return
        try:
            if ending in (Ending.AGAIN, Ending.OVER):
                self.intake.end(at, failure)
            self.over.set_result(ending)
        except Exception as error:  # a mistake of whoever takes the body: theirs, and not this connection's
            self.over.set_exception(error)
        self.window.set()


class Http2:
    """One HTTP/2 connection. `enter` takes a place for a request, `left` gives it back; `on_end` is called when it is over."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.wire = wire
        self.record = wire.record
        self.used = 0
        self.finishing = False
        """The server takes no further requests, or cannot be understood any more."""
        self.on_end: Callable[[Http2], None] | None = None
        self.on_room: Callable[[], None] | None = None
        self._clock = clock
        self._inside = 0
        self._streams: dict[int, _Stream] = {}
        self._held = b""
        self._settled = False
        self._done = 0
        self._h2 = _state()
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW - 65_535)
        self._flush()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    # -- places -----------------------------------------------------------------------------------------------------------

    def enter(self) -> bool:
        """Take a place for one request, if there is one."""
        allowed = self._h2.remote_settings.max_concurrent_streams if self._settled else _MOST_STREAMS
        if self.finishing or self._inside >= min(allowed, _MOST_STREAMS):
            return False
        self._inside += 1
        return True

    def left(self) -> None:
        """Give a place back."""
        self._inside -= 1
        if self.finishing and not self._inside:
            self.close("the server had said that it would take no more requests")

    def close(self, why: str) -> None:
        """Close it; requests that are under way fail."""
        if self.record.closed is not None:
            return
        self.finishing = True
        try:
            self._h2.close_connection()
            self._flush()
        except H2Error:
            pass
        self.wire.close(why)
        self._reader.cancel()
        self._end_all(Failure("connection-closed", f"The connection was closed: {why}"))
        if self.on_end is not None:
            self.on_end(self)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What goes on between exchanges."""
        return [self._reader]

    # -- one exchange -----------------------------------------------------------------------------------------------------

    async def exchange(self, request: Outgoing, visit: Visit, intake: Intake, *, within: float, idle: float = IDLE) -> Ending:
        """Send a request on a stream of its own and take its answer; see `Http1.exchange`."""
        failure = bad_field(request)
        if failure is not None:
            intake.end(self._clock(), failure)
            return Ending.AGAIN
        if self.finishing:
            return Ending.REFUSED
        self.used += 1
        stream = _Stream(request, visit, intake)
        try:
            id = self._send_head(stream)
        except TooManyStreamsError:
            return Ending.REFUSED  # its settings came between, and allow fewer than was thought
        except H2Error as error:
            intake.end(self._clock(), Failure("bad-request", f"The request was not sent: {error}"))
            return Ending.AGAIN
        idle = min(idle, within)
        upload = asyncio.get_running_loop().create_task(self._send_body(id, stream)) if request.body else None
        try:
            async with asyncio.timeout(within) as limit:
                loop = asyncio.get_running_loop()
                until = limit.when() or loop.time()
                stream.touched = lambda: limit.reschedule(min(until, loop.time() + idle))
                stream.touched()
                await asyncio.shield(stream.over)
        except TimeoutError:
            self._timed_out(stream, within, idle)
        finally:
            stream.touched = lambda: None
            if upload is not None:
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            self._forget(id, stream)
        return stream.over.result()

    def _send_head(self, stream: _Stream) -> int:
        request, visit = stream.request, stream.visit
        fields = fields_of(request, visit)
        self._flush()
        id = self._h2.get_next_available_stream_id()
        self._h2.send_headers(id, fields, end_stream=not request.body)
        frames = self._h2.data_to_send()
        visit.request = sent_of(request, fields, frames)
        self._streams[id] = stream
        visit.sent_first = self._clock()
        self.wire.write(frames)
        if not request.body:
            visit.sent_last = self._clock()
        return id

    async def _send_body(self, id: int, stream: _Stream) -> None:
        body = memoryview(stream.request.body)
        try:
            while stream.uploaded < len(body) and not stream.over.done():
                size = min(self._h2.local_flow_control_window(id), self._h2.max_outbound_frame_size, len(body) - stream.uploaded)
                if size <= 0:
                    stream.window.clear()
                    await stream.window.wait()
                    continue
                piece = bytes(body[stream.uploaded : stream.uploaded + size])
                last = stream.uploaded + size == len(body)
                self._h2.send_data(id, piece, end_stream=last)
                self._flush()
                await self.wire.drain()
                stream.uploaded += size
                stream.touched()
            if stream.uploaded == len(body):
                stream.visit.sent_last = self._clock()
        except (ConnectionError, H2Error):
            pass  # reading tells what happened

    def _timed_out(self, stream: _Stream, within: float, idle: float) -> None:
        came = f"after {stream.visit.body.coded:,} bytes of the body" if stream.visit.received else "and no answer had come"
        since = (self._clock() - (stream.last_at or stream.visit.sent_first or 0)) / 1e9
        nothing = idle < within and since >= idle * 0.9
        message = f"The server sent nothing for {seconds(idle)}" if nothing else f"The time of {seconds(within)} was up"
        stream.end(self._clock(), Failure("timeout", f"{message}, {came}", "--timeout sets how long to wait"))

    def _forget(self, id: int, stream: _Stream) -> None:
        """The exchange is over for us; where it is not for the server, it is told."""
        self._streams.pop(id, None)
        self._done += 1
        if not stream.closed:
            try:
                self._h2.reset_stream(id, ErrorCodes.CANCEL)
            except H2Error:
                pass  # the connection is over
        self._flush()
        if not stream.over.done():
            stream.over.set_result(Ending.AGAIN)
        self.record.kernel = self.wire.kernel() or self.record.kernel

    # -- what arrives -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read until the connection ends; it belongs to no one exchange."""
        id = 0
        try:
            while True:
                data, at = await self.wire.read()
                if not data:
                    self._lost("closed by the server", at)
                    return
                for frame in self._frames(data):
                    id = int.from_bytes(frame[5:9], "big")
                    if frame[3] == _GOAWAY:
                        self._goaway(frame, at)
                    else:
                        self._events(self._h2.receive_data(frame), at)
                self._flush()
        except ConnectionError:
            self._lost("reset by the server", self._clock())
        except InvalidBodyLengthError as error:
            sizes = f"{error.actual_length:,} bytes, not the {error.expected_length:,} announced"
            if id in self._streams:
                self._streams[id].end(self._clock(), Failure("truncated-body", f"The body has {sizes}"))
            self._broken("the body of another answer had a wrong length")
        except ProtocolError as error:
            self._broken(f"the server broke the rules of HTTP/2: {error}")

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """Whole frames, out of the bytes as they come."""
        self._held += data
        if not self._settled and self._held[:5].upper() == b"HTTP/"[: len(self._held)]:
            raise ProtocolError(_OLDER)
        begin = 0
        while len(self._held) >= begin + 9:
            size = int.from_bytes(self._held[begin : begin + 3], "big")
            if size > _FRAME:
                raise ProtocolError(f"a frame of {size:,} bytes came, where {_FRAME:,} are allowed")
            if len(self._held) < begin + 9 + size:
                break
            yield self._held[begin : begin + 9 + size]
            begin += 9 + size
        self._held = self._held[begin:]

    def _events(self, events: list[Event], at: int) -> None:
        for event in events:
            if isinstance(event, RemoteSettingsChanged):
                self._settled = True
                self._wake()
                if self.on_room is not None:
                    self.on_room()
            elif isinstance(event, WindowUpdated):
                self._wake()
            else:
                if isinstance(event, DataReceived):
                    self._give_back(event)
                stream = self._streams.get(getattr(event, "stream_id", None) or 0)
                if stream is not None and not stream.over.done():
                    stream.last_at = at
                    stream.touched()
                    try:
                        self._about(stream, event, at)
                    except Exception as error:  # as in `_Stream.end`
                        stream.over.set_exception(error)

    def _give_back(self, event: DataReceived) -> None:
        """What has come is taken at once: its room in the windows is free again."""
        try:
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        except H2Error:
            pass  # the stream is over

    def _data(self, stream: _Stream, event: DataReceived, at: int) -> None:
        size = event.flow_controlled_length
        body = stream.visit.body
        body.wire += size + 9
        if event.data:
            stream.intake.chunk(at, len(event.data), body.coded)
            stream.intake.data(bytes(event.data), at)
            if stream.intake.refused:
                stream.end(at)

    def _about(self, stream: _Stream, event: Event, at: int) -> None:
        """Something happened to one stream."""
        if isinstance(event, DataReceived):
            self._data(stream, event, at)
        elif isinstance(event, InformationalResponseReceived):
            status, headers = read_fields(event.headers)
            stream.interim += 1
            stream.intake.early(status, headers, at)
            if stream.interim > _MOST_EARLY:
                message = f"The server sent more than {_MOST_EARLY} interim answers and no final one"
                stream.end(at, Failure("bad-answer", message))
        elif isinstance(event, ResponseReceived):
            status, headers = read_fields(event.headers)
            bare = event.stream_ended is not None or stream.request.method == "HEAD" or status in (204, 304)
            stream.intake.head(Received(status, "", "2", headers), "none" if bare else "frames", at)
            self._stop_if_refused(stream, status)
        elif isinstance(event, TrailersReceived):
            stream.visit.body.trailers = read_trailers(event.headers)
        elif isinstance(event, StreamEnded):
            stream.closed = stream.uploaded == len(stream.request.body)
            stream.end(at)
        elif isinstance(event, StreamReset):
            stream.closed = True
            self._reset(stream, event, at)

    def _stop_if_refused(self, stream: _Stream, status: int) -> None:
        """An error before the whole body was sent: the server does not want the rest (section 8.1)."""
        whole = len(stream.request.body)
        if status >= 400 and stream.uploaded < whole and stream.visit.sent_last is None:
            sent = stream.uploaded
            said = f"The server answered when {sent:,} of {whole:,} bytes of the body had been sent"
            stream.visit.notes.append(Note("framing", "info", said, "RFC 9113, section 8.1"))

    def _reset(self, stream: _Stream, event: StreamReset, at: int) -> None:
        name, meaning = said_by(event.error_code)
        if name == "REFUSED_STREAM" and stream.visit.received is None:
            stream.end(at, ending=Ending.REFUSED)
            return
        when = f"after {stream.visit.body.coded:,} bytes of the body" if stream.visit.received else "before the answer"
        hint = "Ask with --http1.1" if name == "HTTP_1_1_REQUIRED" else None
        stream.end(at, Failure("stream-reset", f"The server reset the stream {when} ({name}: {meaning})", hint))

    def _goaway(self, frame: bytes, at: int) -> None:
        """The server takes no more (section 6.8): streams up to its last one come to their end, later ones may be sent again."""
        last = int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF
        code = int.from_bytes(frame[13:17], "big")
        self.finishing = True
        for id, stream in list(self._streams.items()):
            if id > last and stream.visit.received is None:
                stream.end(at, ending=Ending.REFUSED)
        if code:
            name, meaning = said_by(code)
            debug = frame[17:].decode("latin-1")[:100]
            more = f", saying {debug!r}" if debug else ""
            self._fail_all(Failure("goaway", f"The server ended the connection ({name}: {meaning}{more})"))
        if not self._inside:
            self.close("the server had said that it would take no more requests")

    # -- the end ----------------------------------------------------------------------------------------------------------

    def _lost(self, why: str, at: int) -> None:
        """The connection is over."""
        for stream in list(self._streams.values()):
            if stream.visit.received is None and not stream.visit.early and self._done:
                stream.end(at, ending=Ending.UNHEARD)
        self.finishing = True
        self.wire.close(why)
        self._end_all(None)
        if self.on_end is not None:
            self.on_end(self)

    def _broken(self, why: str) -> None:
        """What arrived cannot be understood; h2 has written a GOAWAY that says so."""
        self._flush()
        hint = "--http1.1 asks as it answers" if why.endswith(_OLDER) else None
        self._fail_all(Failure("protocol-error", f"The connection was closed: {why}", hint))
        self.close(why)

    def _fail_all(self, failure: Failure) -> None:
        for stream in list(self._streams.values()):
            stream.end(self._clock(), failure)

    def _end_all(self, failure: Failure | None) -> None:
        """Every stream still open fails, for `failure` or because the connection ended."""
        for stream in list(self._streams.values()):
            body = stream.visit.body
            if stream.visit.received is None:
                ended = Failure("no-answer", "The connection ended before the answer")
            else:
                ended = Failure("truncated-body", f"The connection ended after {body.coded:,} bytes of the body")
            stream.end(self._clock(), failure or ended)

    def _wake(self) -> None:
        for stream in self._streams.values():
            stream.window.set()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self.record.closed is None:
            self.wire.write(data)


def _state() -> H2Connection:
    """h2's state machine with Chrome's settings."""
    state = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    chosen = {
        SettingCodes.HEADER_TABLE_SIZE: _TABLE,
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_LIST,
    }
    state.local_settings = Settings(client=True, initial_values=chosen)
    del state.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
    state.decoder.max_header_list_size = _HEADER_LIST
    state.decoder.max_allowed_table_size = _TABLE
    return state
