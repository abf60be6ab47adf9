"""Responses to bytes (RFC 9112): the head in one piece, bodies whole or chunked.

In: a Response, the ids of its request, and what the connection wants said. Out: bytes. It adds Date, Server, Connection,
Content-Length or Transfer-Encoding, `x-request-id` and `traceresponse` (W3C Trace Context); a handler's own fields of
those names are dropped, since two of them in one message would be read differently by different readers. It knows no
socket; the caller says once a second that time has passed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from pellucid.http.messages import Response

__all__ = ["CONTINUE", "LAST_CHUNK", "Encoder", "bodiless", "chunk"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_OURS = frozenset(
    {
        "connection", "content-length", "date", "keep-alive", "server", "traceresponse", "trailer", "transfer-encoding",
        "upgrade", "x-request-id",
    }
)  # fmt: skip
_BODILESS = frozenset({204, 304})
_NOTHING: tuple[tuple[str, str], ...] = ()


def bodiless(status: int) -> bool:
    """Whether a response of this status has no body, whatever its handler says (RFC 9110, section 6.4.1)."""
    return status in _BODILESS


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body. Empty data would be the last chunk, so the caller leaves it out."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Encoder:
    """Makes heads. One per worker: it keeps the first lines of each status, which change once a second with the date."""

    __slots__ = ("_first", "_second", "_server")

    def __init__(self, server_name: str = "pellucid") -> None:
        self._server = server_name
        self._second = -1
        self._first: dict[int, bytes] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take the time again. Called at least once a second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._first.clear()

    def whole(self, response: Response, body: bytes, id: str, trace_id: str, connection: str, head_only: bool = False) -> bytes:
        """A whole response in one piece. `connection` is a header line with its CRLF, or nothing; `head_only` answers HEAD."""
        status = response.status
        if head_only or status in _BODILESS:
            length = len(body) if response.length is None else response.length
            framing = "" if status in _BODILESS else f"content-length: {length}\r\n"
            return self.head(response, id, trace_id, connection, framing)
        first = self._first.get(status) or self._lines(status)
        if response.headers:
            connection += _lines_of(response.headers)
        raw = id.encode()
        trace = raw if trace_id is id else trace_id.encode()
        more = connection.encode("latin-1") if connection else b""
        # fmt: off
        return b"%b%b\r\ntraceresponse: 00-%b-%b-01\r\n%bcontent-length: %d\r\n%b\r\n%b" % (
            first, raw, trace, raw[16:], more, len(body), response.fixed, body
        )
        # fmt: on

    def head(self, response: Response, id: str, trace_id: str, connection: str, framing: str) -> bytes:
        """The head of a streamed response. `framing` is the Content-Length or Transfer-Encoding line, or nothing."""
        status = response.status
        first = self._first.get(status) or self._lines(status)
        more = _lines_of(response.headers)
        text = f"{id}\r\ntraceresponse: 00-{trace_id}-{id[16:]}-01\r\n{connection}{framing}{more}"
        return b"".join((first, text.encode("latin-1"), response.fixed, b"\r\n"))

    def _lines(self, status: int) -> bytes:
        """The status line, Date, Server and the name of the request id; here each status is checked, once a second."""
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise ValueError(f"a response's status is a number from 200 to 999, not {status!r}")
        date = formatdate(self._second, usegmt=True)
        lines = f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\ndate: {date}\r\nserver: {self._server}\r\nx-request-id: "
        self._first[status] = first = lines.encode("latin-1")
        return first


def _lines_of(headers: Sequence[tuple[str, str]]) -> str:
    """A handler's header fields as lines. Raises ValueError on a line break in one, which would forge a field or a response."""
    kept = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in _OURS]
    lines = "".join(kept)
    # Each line has one CR and one LF of ours: any more came in with a name or a value.
    if lines.count("\n") != len(kept) or lines.count("\r") != len(kept) or "\0" in lines:
        raise ValueError("a response header has a line break or NUL in its name or value")
    return lines
