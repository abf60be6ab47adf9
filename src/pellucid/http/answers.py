"""Bytes to answers, as a client reads them: status line, fields, and where the body ends (RFC 9112).

In: the request's method, and an answer's bytes in whatever pieces they come. Out: heads, pieces of the body and the borders of
its chunks, in order, and in the end how it stood. It reads no socket and knows no clock; a caller notes the instants.

A server may refuse what is not well formed, and ours does (`http/parse`). A client that did so would show less of the web than
a browser does, so this one reads on where browsers do: bare LF, folded lines, a blank before the colon, a line without a colon.
Each such thing is remarked on. What leaves it open where the answer ends is a fault, for browsers too.

The pieces in which the bytes come make no difference: any split of the same bytes gives the same heads, body, chunks and fault.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pellucid.errors import shorten
from pellucid.http.chunks import ChunkEnd, Chunks, Fault
from pellucid.http.fields import TCHAR
from pellucid.http.remark import Remark

__all__ = ["AnswerHead", "AnswerReader", "ChunkEnd", "Fault", "Framing", "Step", "frame"]

HEAD_LIMIT = 262_144
"""Bytes of one head, as Chrome has it."""
_MOST_INTERIM = 64
_MOST_REMARKS = 20
_BLANKS = " \t"
_SLOP = 4
"""Line breaks before a status line that are passed over, as Chrome does."""

_STATUS = re.compile(r"(?i:http)/([0-9])\.([0-9])[ \t]+([0-9]{3})(?:[ \t]+([^\r\n]*))?").fullmatch
_END = re.compile(rb"\n\r?\n").search
_TOKEN = re.compile(f"{TCHAR}+").fullmatch
_DIGITS = re.compile(r"[0-9]{1,18}").fullmatch


class AnswerHead(msgspec.Struct, frozen=True):
    """The head of an answer, an interim one (status below 200) or the final one."""

    status: int
    reason: str
    version: Literal["1.0", "1.1"]
    headers: list[tuple[str, str]]
    """Names in lower case, in order; values decoded as ISO-8859-1, folded lines put together."""
    raw: bytes
    """The exact bytes, to the blank line and with it."""
    remarks: list[Remark]

    def values(self, name: str) -> list[str]:
        """Every value of a field by its lower-case name, in order."""
        return [value for key, value in self.headers if key == name]


class Framing(msgspec.Struct, frozen=True):
    """Where a body ends (RFC 9112, section 6.3), and whether the connection can be used afterwards."""

    kind: Literal["none", "length", "chunked", "close"]
    length: int | None = None
    """Bytes announced; None where they are not."""
    transfer: tuple[str, ...] = ()
    """Transfer codings beside chunked, in the order in which they were applied."""
    keep_alive: bool = True
    remarks: tuple[Remark, ...] = ()


Step = AnswerHead | bytes | ChunkEnd
"""What a reader finds: a head, a piece of the body, the end of a chunk whose bytes are all there."""


class AnswerReader:
    """Reads one answer, the interim ones before it included. `feed` it until `done` or `bad`; `finish` it when the stream ends.

    `rest` holds the bytes behind the answer, which belong to nothing; `wire` counts the bytes of the body with its framing,
    `coded` those without.
    """

    __slots__ = (
        "_chunks",
        "_held",
        "_interim",
        "_method",
        "_searched",
        "_slop",
        "bad",
        "coded",
        "done",
        "framing",
        "head",
        "rest",
        "wire",
    )

    def __init__(self, method: str = "GET") -> None:
        self._method = method
        self._held = bytearray()
        self._searched = 0
        self._slop = 0
        self._interim = 0
        self._chunks: Chunks | None = None
        self.head: AnswerHead | None = None
        self.framing: Framing | None = None
        self.done = False
        self.bad: Fault | None = None
        self.rest = b""
        self.coded = 0
        self.wire = 0

    @property
    def fresh(self) -> bool:
        """Whether the next byte is the first of a head."""
        return self.head is None and not self._held and not self._slop

    @property
    def begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return self.head is not None or bool(self._held) or bool(self._slop) or bool(self._interim)

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The trailer fields of a chunked body, as far as they have come."""
        return self._chunks.trailers if self._chunks is not None else []

    def feed(self, data: bytes) -> list[Step]:
        """Take the next bytes. What is wrong with them is in `bad`, behind what was right before it."""
        steps: list[Step] = []
        if self.head is None:
            data = self._feed_head(data, steps)
        if data and self.head is not None and self.bad is None:
            self._feed_body(data, steps)
        return steps

    def finish(self) -> None:
        """The stream has ended: settle whether the answer is whole. Sets `done`, or `bad`."""
        if self.done or self.bad is not None:
            return
        if self.head is None:
            self.bad = self._no_head()
            return
        assert self.framing is not None
        if self.framing.kind == "close":
            self.done = True
        elif self._chunks is not None:
            self.bad = self._chunks.cut_short()
        else:
            came = f"{self.coded:,} of {self.framing.length:,} bytes of the body"
            self.bad = Fault("truncated-body", f"The connection ended after {came}")

    def _feed_head(self, data: bytes, steps: list[Step]) -> bytes:
        """Take bytes of a head; what comes back belongs to the body."""
        held = self._held
        held += data
        while self.head is None and held:
            if not self._searched and not self._starts_well():
                break
            end = _END(held, max(0, self._searched - 2))
            size = end.end() if end is not None else len(held)
            if size > HEAD_LIMIT:
                hint = "Browsers accept as much, most servers send a few hundred bytes"
                self.bad = Fault("head-too-large", f"The head of the answer passed {HEAD_LIMIT:,} bytes without an end", hint)
                break
            if end is None:
                self._searched = size
                break
            raw = bytes(held[:size])
            del held[:size]
            self._searched = 0
            self._whole_head(raw, steps)
            if self.bad is not None:
                break
        if self.head is None or self.bad is not None:
            return b""
        rest = bytes(held)
        held.clear()
        return rest

    def _starts_well(self) -> bool:
        """Pass over line breaks before a status line, and see early that what comes is none. False: wait for more, or `bad`."""
        held = self._held
        while held and held[0] in b"\r\n":
            self._slop += 1
            if self._slop > _SLOP:
                self.bad = Fault("bad-answer", "The answer begins with blank lines, not with a status line")
                return False
            del held[0]
        if bytes(held[:5]).upper() == b"HTTP/":
            return True
        line, broken, _ = bytes(held[:16]).partition(b"\n")
        if broken or len(held) >= 16:
            self.bad = _no_status(line)
        return False

    def _no_head(self) -> Fault:
        if self._held:
            begun = bytes(self._held[:16])
            if begun[:5].upper() != b"HTTP/"[: len(begun)]:
                return _no_status(begun.partition(b"\n")[0])
            return Fault("truncated-head", f"The connection ended after {len(self._held):,} bytes of the head of the answer")
        if self._interim:
            return Fault("no-answer", "The connection ended after an interim answer, without the final one")
        return Fault("no-answer", "The server closed the connection without an answer")

    def _whole_head(self, raw: bytes, steps: list[Step]) -> None:
        head = _parse_head(raw, self._slop)
        self._slop = 0
        if isinstance(head, Fault):
            self.bad = head
            return
        steps.append(head)
        if head.status < 200:
            self._interim += 1
            if head.status == 101:
                self.bad = Fault("bad-answer", "The server switched protocols (101), which it was not asked to do")
            elif self._interim > _MOST_INTERIM:
                self.bad = Fault("bad-answer", f"The server sent more than {_MOST_INTERIM} interim answers and no final one")
            return
        self.head = head
        framing = frame(self._method, head)
        if isinstance(framing, Fault):
            self.bad = framing
            return
        self.framing = framing
        if framing.kind == "chunked":
            self._chunks = Chunks()
        elif framing.kind == "none" or framing.length == 0:
            self.done = True
            self.rest = bytes(self._held)
            self._held.clear()

    def _feed_body(self, data: bytes, steps: list[Step]) -> None:
        assert self.framing is not None
        if self.done:
            self.rest += data
            return
        if self._chunks is not None:
            chunks = self._chunks
            steps.extend(chunks.feed(data))
            self.coded, self.wire, self.bad = chunks.coded, chunks.wire, chunks.bad
            if chunks.rest is not None:
                self.done = True
                self.rest = chunks.rest
            return
        if self.framing.length is not None and self.coded + len(data) >= self.framing.length:
            left = self.framing.length - self.coded
            self.rest = data[left:]
            data = data[:left]
            self.done = True
        if data:
            steps.append(data)
            self.coded += len(data)
            self.wire += len(data)


def _no_status(begun: bytes) -> Fault:
    """Say what came instead of a status line, by its first bytes."""
    if begun[:2] == b"\x15\x03":
        return Fault("bad-answer", "The server answered with a TLS alert: it speaks TLS on this port", "Use https://")
    if begun[:2] == b"\0\0" and begun[3:4] == b"\x04":
        return Fault("bad-answer", "The server answered with frames of HTTP/2", "Ask with HTTP/2")
    sample = shorten(begun.strip(b"\r").decode("latin-1"))
    return Fault("bad-answer", f"The answer begins with {sample}, not with a status line", "HTTP/1.1 200 OK would be one")


def _parse_head(raw: bytes, slop: int) -> AnswerHead | Fault:
    """A whole head. What is remarked on is bounded, since strangers choose how many lines there are."""
    remarks: list[Remark] = []
    lines = raw.decode("latin-1").split("\n")[:-2]
    if slop:
        remarks.append(_odd("A line break came before the status line"))
    if raw.count(b"\r\n") != raw.count(b"\n"):
        remarks.append(_odd("A line of the head ended with a bare LF, where CRLF is right", "RFC 9112, section 2.2"))
    first = lines[0].rstrip("\r")
    found = _STATUS(first)
    if found is None or found[3] < "100":
        return Fault("bad-answer", f"The status line {shorten(first, 60)} is not valid", "HTTP/1.1 200 OK would be one")
    major, minor = found[1], found[2]
    if major != "1":
        return Fault("bad-answer", f"The status line says HTTP/{major}.{minor}, in the form of HTTP/1.x")
    headers: list[tuple[str, str]] = []
    for number, line in enumerate(lines[1:], 1):
        _take_line(line.removesuffix("\r"), number, headers, remarks)
    status, reason = int(found[3]), found[4] or ""
    return AnswerHead(status, reason.rstrip(" \t"), "1.0" if minor == "0" else "1.1", headers, raw, remarks[:_MOST_REMARKS])


def _take_line(line: str, number: int, headers: list[tuple[str, str]], remarks: list[Remark]) -> None:
    """One line of a header section: read as browsers do, remarked on where it is not as RFC 9112, section 5, has it."""
    if "\r" in line or "\0" in line:
        remarks.append(_odd(f"Header line {number} has a bare CR or a NUL, read as a blank", "RFC 9110, section 5.5"))
        line = line.replace("\r", " ").replace("\0", " ")
    if line[:1] in (" ", "\t"):
        if not headers:
            remarks.append(_odd("The first header line begins with a blank: it was passed over", "RFC 9112, section 2.2"))
            return
        remarks.append(_odd(f"Header line {number} continues the one before (folded), long deprecated", "RFC 9112, section 5.2"))
        name, value = headers[-1]
        headers[-1] = (name, f"{value} {line.strip(_BLANKS)}".strip(" "))
        return
    name, colon, value = line.partition(":")
    if not colon:
        remarks.append(_odd(f"Header line {number} has no colon: it was passed over", "RFC 9112, section 5"))
        return
    if name[-1:] in (" ", "\t"):
        remarks.append(_odd(f"Header line {number} has a blank before its colon, which was removed", "RFC 9112, section 5.1"))
        name = name.rstrip(" \t")
    if _TOKEN(name) is None:
        said = f"Header line {number} has an invalid name, {shorten(name)}: it was passed over"
        remarks.append(_odd(said, "RFC 9110, section 5.1"))
        return
    headers.append((name.lower(), value.strip(" \t")))


def frame(method: str, head: AnswerHead) -> Framing | Fault:
    """How the body of a final answer is framed, by the rules of RFC 9112, section 6.3, in their order."""
    tokens = {token.strip().lower() for value in head.values("connection") for token in value.split(",")}
    alive = "close" not in tokens and (head.version == "1.1" or "keep-alive" in tokens)
    if method == "HEAD" or head.status in (204, 304):
        return Framing("none", keep_alive=alive)
    sent = [coding.strip().lower() for value in head.values("transfer-encoding") for coding in value.split(",")]
    codings = [coding for coding in sent if coding]
    lengths = {length.strip() for value in head.values("content-length") for length in value.split(",")}
    remarks: list[Remark] = []
    if codings and head.version == "1.0":
        said = "Transfer-Encoding came with HTTP/1.0, which has none: it was not acted upon"
        remarks.append(_odd(said, "RFC 9112, section 6.1"))
        codings, alive = [], False
    if codings:
        return _transferred(codings, bool(lengths), alive, remarks)
    if not lengths:
        return Framing("close", keep_alive=False, remarks=tuple(remarks))
    if len(lengths) > 1:
        named = " and ".join(sorted(lengths)[:3])
        return Fault("bad-length", f"The answer has several lengths ({shorten(named)}): where it ends cannot be known")
    length = lengths.pop()
    if _DIGITS(length) is None:
        return Fault("bad-length", f"The Content-Length {shorten(length)} is not a number of bytes")
    if len(head.values("content-length")) > 1 or "," in head.values("content-length")[0]:
        remarks.append(_odd("Content-Length came more than once, each time the same", "RFC 9112, section 6.3"))
    return Framing("length", int(length), keep_alive=alive, remarks=tuple(remarks))


def _transferred(codings: list[str], lengths: bool, alive: bool, remarks: list[Remark]) -> Framing:
    """A body with transfer codings: they win over a length, and tell an attack from a mistake to nobody."""
    if lengths:
        said = "Content-Length came beside Transfer-Encoding, which wins; two readers may disagree where the answer ends"
        remarks.append(Remark("framing", "warning", said, "RFC 9112, section 6.3"))
        alive = False
    *others, last = codings
    if others:
        said = f"The transfer coding {shorten(', '.join(others))} was not asked for (no TE field was sent)"
        remarks.append(_odd(said, "RFC 9112, section 7.4"))
    if last == "chunked":
        return Framing("chunked", None, tuple(others), alive, tuple(remarks))
    return Framing("close", None, tuple(codings), False, tuple(remarks))


def _odd(message: str, source: str | None = None) -> Remark:
    return Remark("framing", "warning", message, source)
