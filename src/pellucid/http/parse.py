"""Bytes to requests: the request line, the header block, and the chunked body (RFC 9112).

In: the request line and the header block of one head, cut apart by the caller, and a bound for each. Out: what the message is
and how its body is framed; for a chunked body, its pieces. It never reads a socket and holds no connection.

Requests are smuggled where two parsers read the same bytes differently. So there is one grammar, and it is strict: what
RFC 9112 lets a server repair (bare LF, folded lines, blanks before a colon, repeated lengths) is refused, always with 400.
Two readers must agree on each header block: a regular expression that is RFC 9110's grammar for fields and nothing more,
and llhttp, which then says what the fields are. What llhttp lets pass and this file must catch: a fragment in the target,
several blanks in the request line, Transfer-Encoding in HTTP/1.0 or with other codings, several Hosts, HTTP/2.0. What it
would refuse and HTTP does not: methods it has never heard of, which the handler answers with 405.

What a header block means doesn't depend on the request line, once CONNECT is refused and the version is known to be 1.1.
`Fields` is that meaning, and `parse_fields` is never shown the request line. A caller that has parsed a block may therefore
keep its `Fields` for a later head whose block is byte for byte the same; only the request line is then read, as always.

Most blocks differ from an earlier one in a line or two (If-None-Match, Cookie). Lines are independent of one another, but for
those that frame the message; so lines that both readers have passed are remembered, and a block of known lines, none of which
frames, is put together from them. A new line in such a block is read by the same grammar, one line at a time (`_put_together`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import httptools
import msgspec

from pellucid.errors import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    EXPECTATION_FAILED,
    HEADERS_TOO_LARGE,
    NOT_IMPLEMENTED,
    URI_TOO_LONG,
    VERSION_NOT_SUPPORTED,
    Problem,
    shorten,
)
from pellucid.http.headers import Headers

__all__ = [
    "ChunkedBody",
    "Fields",
    "Head",
    "Line",
    "bad_line",
    "known_block",
    "parse_fields",
    "parse_line",
    "plain_line",
    "too_large",
    "with_authority",
]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([!-~]+) HTTP/([0-9]\.[0-9])\r\n").fullmatch
# RFC 9110, section 5.5: a value is visible ASCII, blanks and obs-text; possessive, so that no input makes it slow.
_BLOCK = re.compile(rb"(?:" + _TOKEN + rb"++:[\t -~\x80-\xff]*+\r\n)*+\r\n").fullmatch
_NAME = re.compile(_TOKEN + rb"+").fullmatch
_VALUE = re.compile(rb"[\t -~\x80-\xff]*").fullmatch
plain_line = re.compile(rb"GET (/[!\"$-~]*) HTTP/1\.1\r\n").fullmatch
"""The plainest request lines, in one look: a part of what `parse_line` accepts, read alike. Their length is the caller's."""
_ABSOLUTE = re.compile(r"[hH][tT][tT][pP][sS]?://([^/?#]*)([/?][!-~]*)?").fullmatch
# RFC 9110, section 7.2: uri-host [":" port]; a registered name, an IPv4 address, or an IP literal in brackets.
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
).fullmatch
_LENGTH = re.compile(rb"[0-9]{1,18}").fullmatch
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?").fullmatch

_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"traceparent"})


class Line(msgspec.Struct, frozen=True):
    """A request line: the target is in origin form or "*"; `authority` is what an absolute-form target named."""

    method: str
    target: str
    version: str = "1.1"
    authority: str | None = None


class Fields(msgspec.Struct, frozen=True):
    """What a header block means. `length` is the body's size in bytes, None when it is chunked.

    `parent` is the caller's trace id and span id (W3C Trace Context), None where it sent no valid one.
    """

    headers: Headers
    length: int | None = 0
    keep_alive: bool = True
    expects_continue: bool = False
    parent: tuple[str, str] | None = None


class Head(msgspec.Struct, frozen=True):
    """A whole head: its line, and what its header block means."""

    line: Line
    fields: Fields


def parse_line(line: bytes, limit: int = 8192) -> Line:
    """Read a request line with its CRLF (RFC 9112, section 3).

    Raises Problem: BAD_REQUEST, URI_TOO_LONG, VERSION_NOT_SUPPORTED, NOT_IMPLEMENTED.
    """
    if len(line) > limit + 2:
        raise Problem(URI_TOO_LONG, f"The request line has {len(line) - 2} bytes", hint=f"At most {limit} are accepted")
    found = _LINE(line.decode("latin-1"))
    if found is None:
        raise bad_line(line)
    method, target, version = found.groups()
    if version not in ("1.1", "1.0"):
        raise Problem(VERSION_NOT_SUPPORTED, f"HTTP/{version} isn't spoken here", hint="Use HTTP/1.1")
    if method == "CONNECT":
        raise Problem(NOT_IMPLEMENTED, "This server is no proxy: CONNECT is not offered")
    if "#" in target:
        raise _bad("The request-target has a fragment (#), which is never sent")
    if target[0] == "/":
        return Line(method, target, version)
    if target == "*" and method == "OPTIONS":
        return Line(method, target, version)
    return _absolute(method, target, version)


def _absolute(method: str, target: str, version: str) -> Line:
    """The target a proxy is sent (RFC 9112, section 3.2.2), made into what an origin server is sent."""
    found = _ABSOLUTE(target)
    if found is None:
        raise _bad(f"The request-target {shorten(target)} is neither a path nor an http URL")
    authority, rest = found.groups()
    if _HOST(authority.encode("ascii")) is None:
        raise _bad(f"The request-target names no valid host: {shorten(authority)}")
    if not rest:
        # Section 3.2.4: the last proxy turns an OPTIONS for the whole server into the asterisk form.
        rest = "*" if method == "OPTIONS" else "/"
    elif rest[0] == "?":
        rest = f"/{rest}"
    return Line(method, rest, version, authority)


_FIELD = re.compile(rb"(" + _TOKEN + rb"++):[\t ]*+([\t -~\x80-\xff]*+)").fullmatch
_FRAMES = _FRAMING | {b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
"""Fields that decide about more than themselves: a block that has one of them goes the long way, a valid Host excepted."""
_MOST_LINES = 4096
_LONGEST_LINE = 1024

_KnownLine = tuple[tuple[bytes, bytes], str, str]
_known_lines: dict[bytes, _KnownLine] = {}
"""Lines that both readers have passed: name and value as bytes, and as text. Strangers choose them, so there is an end to it."""


def _remember(block: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    """Keep the lines of a block that was read the long way; `pairs` are what its lines say, in order."""
    if len(_known_lines) >= _MOST_LINES:
        _known_lines.clear()
    for line, pair in zip(block[:-4].split(b"\r\n"), pairs, strict=True):
        name, value = pair
        harmless = name not in _FRAMES or name == b"host" or (name == b"connection" and value.lower() == b"keep-alive")
        if harmless and len(line) <= _LONGEST_LINE:
            _known_lines[line] = (pair, name.decode("latin-1"), value.decode("latin-1"))


def _put_together(block: bytes) -> Headers | None:
    """What a block of HTTP/1.1 means, if its lines are known or plain and one is Host; else None: it goes the long way."""
    get = _known_lines.get
    pairs: list[tuple[bytes, bytes]] = []
    by_name: dict[str, str] = {}
    lines = block[:-4].split(b"\r\n")
    for line in lines:
        known = get(line)
        if known is None:
            found = _FIELD(line)
            if found is None or (name := found[1].lower()) in _FRAMES:
                return None
            value = found[2].rstrip(b" \t")
            known = ((name, value), name.decode("latin-1"), value.decode("latin-1"))
        pairs.append(known[0])
        by_name[known[1]] = known[2]
    # A field that comes twice has to be joined, and two Hosts have to be refused: both is left to the long way.
    return Headers.of(pairs, by_name) if len(by_name) == len(lines) and "host" in by_name else None


def known_block(data: bytes, start: int, size_limit: int = 32_768, count_limit: int = 100) -> Headers | None:
    """The fields of a plain block that is all of `data` behind `start`, where its lines allow the short way; else None.

    Such a block belongs to HTTP/1.1, has no body, and concerns nothing but its request.
    """
    if data[-4:] != b"\r\n\r\n" or len(data) - start > size_limit or data.count(b"\n", start) > count_limit:
        return None
    return _put_together(data[start:]) if data.find(b"\r\n\r\n", start) == len(data) - 4 else None


class _Collector:
    """What llhttp calls back with: fields in order, names made lower case, values without the blanks round them."""

    __slots__ = ("pairs", "whole")

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole = True


def parse_fields(version: str, block: bytes, count_limit: int = 100) -> Fields:
    """Read a header block with its blank line, and settle how the body is framed (RFC 9112, section 6).

    Raises Problem: BAD_REQUEST, HEADERS_TOO_LARGE, EXPECTATION_FAILED.
    """
    if block.count(b"\n") - 1 > count_limit:
        raise Problem(HEADERS_TOO_LARGE, f"There are more than {count_limit} header fields")
    if version == "1.1" and (known := _put_together(block)) is not None:
        return Fields(known)
    if _BLOCK(block) is None:
        raise _bad_block(block)
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data((b"GET / HTTP/1.1\r\n" if version == "1.1" else b"GET / HTTP/1.0\r\n") + block)
    except httptools.HttpParserUpgrade:
        pass  # RFC 9110, section 7.8: an offer to switch protocols may be ignored, and is
    except httptools.HttpParserError as error:
        raise _bad(f"The header section is not valid: {error}") from None
    if not collector.whole:
        raise _bad("The header section is not valid")
    fields = _settle(version, collector.pairs)
    if collector.pairs:
        _remember(block, collector.pairs)
    return fields


def _settle(version: str, pairs: list[tuple[bytes, bytes]]) -> Fields:
    """The few fields that decide what happens to the connection; everything else is left to the handler."""
    own: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        if name in _FRAMING:
            own.setdefault(name, []).append(value)
    hosts = own.get(b"host", ())
    if len(hosts) > 1:
        raise _bad("There are several Host fields")
    if not hosts and version == "1.1":
        raise _bad("There is no Host field", hint="HTTP/1.1 requires exactly one")
    if hosts and _HOST(hosts[0]) is None:
        raise _bad(f"The Host {shorten(hosts[0].decode('latin-1'))} is not valid")
    tokens = {token.strip(b" \t").lower() for value in own.get(b"connection", ()) for token in value.split(b",")}
    # Trace Context, section 3.2.2: a traceparent that cannot be read, or more than one, is as good as none.
    parents = own.get(b"traceparent", ())
    parent = _TRACEPARENT(parents[0]) if len(parents) == 1 else None
    return Fields(
        headers=Headers(pairs),
        length=_body_length(version, own),
        keep_alive=b"close" not in tokens and (version == "1.1" or b"keep-alive" in tokens),
        expects_continue=_expects_continue(version, own.get(b"expect", ())),
        parent=(parent[1].decode("ascii"), parent[2].decode("ascii")) if parent else None,
    )


def _body_length(version: str, own: dict[bytes, list[bytes]]) -> int | None:
    """The body's length by RFC 9112, section 6.3; None is chunked. Whatever is ambiguous there is refused here."""
    lengths, codings = own.get(b"content-length", ()), own.get(b"transfer-encoding", ())
    if codings:
        if lengths:
            raise _bad("Content-Length and Transfer-Encoding exclude each other")
        if version == "1.0":
            raise _bad("HTTP/1.0 has no Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            named = shorten(b", ".join(codings).decode("latin-1"))
            raise _bad(f"The Transfer-Encoding {named} is unknown", hint="Only chunked is accepted")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise _bad("There are several Content-Length fields")
    if _LENGTH(lengths[0]) is None:
        raise _bad(f"The Content-Length {shorten(lengths[0].decode('latin-1'))} is not a number of bytes")
    return int(lengths[0])


def _expects_continue(version: str, values: list[bytes] | tuple[()]) -> bool:
    """RFC 9110, section 10.1.1: the only expectation there is; HTTP/1.0 has none, so it is ignored there."""
    if not values or version == "1.0":
        return False
    if len(values) > 1 or values[0].lower() != b"100-continue":
        named = shorten(values[0].decode("latin-1"))
        raise Problem(EXPECTATION_FAILED, f"The expectation {named} is unknown", hint="100-continue is the only one")
    return True


def with_authority(line: Line, fields: Fields) -> Fields:
    """RFC 9112, section 3.2.2: the host in an absolute-form target replaces the Host field."""
    if line.authority is None:
        return fields
    pairs = [(b"host", line.authority.encode("ascii"))]
    pairs += [(name, value) for name, value in fields.headers.pairs if name != b"host"]
    return msgspec.structs.replace(fields, headers=Headers(pairs))


class ChunkedBody:
    """Takes a chunked body apart (RFC 9112, section 7.1). Extensions and trailers are checked, bounded and dropped.

    `feed` returns the pieces found; once `rest` is not None the body has ended, and `rest` holds the bytes behind it.
    `announced` is the size of all chunks so far, the one that is still coming included.
    """

    __slots__ = ("_held", "_left", "_overhead", "_step", "announced", "rest")

    _SIZE_LINE = 256
    """Bytes that a chunk-size line may have, extensions included."""
    _OVERHEAD = 16_384
    """Bytes that all extensions and trailers of one body may have, so that a body of ten bytes cannot cost megabytes."""
    _EXTENSION = rb"[ \t]*;[ \t]*" + _TOKEN + rb"+(?:=(?:" + _TOKEN + rb'+|"[\t !#-~\x80-\xff]*"))?'
    _SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:" + _EXTENSION + rb")*)").fullmatch

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._overhead = 0
        self.announced = 0
        self._step: Callable[[list[bytes]], bool] = self._size
        self.rest: bytes | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, in whatever pieces they come. Raises Problem: BAD_REQUEST, HEADERS_TOO_LARGE."""
        self._held = self._held + data if self._held else data
        pieces: list[bytes] = []
        while self.rest is None and self._step(pieces):
            pass
        return pieces

    def _take_line(self, limit: int, what: str) -> bytes | None:
        """The next whole line without its CRLF, or None where it has not arrived yet."""
        end = self._held.find(b"\n")
        if end < 0:
            if len(self._held) > limit:
                raise _bad(f"The {what} is too long")
            return None
        line = self._held[: end + 1]
        if len(line) > limit:
            raise _bad(f"The {what} is too long")
        if line[-2:] != b"\r\n":
            raise _bad(f"The {what} ends with a bare LF")
        self._held = self._held[end + 1 :]
        return line[:-2]

    def _size(self, _pieces: list[bytes]) -> bool:
        line = self._take_line(self._SIZE_LINE, "chunk-size line")
        if line is None:
            return False
        found = self._SIZE(line)
        if found is None:
            raise _bad(f"The chunk-size line {shorten(line.decode('latin-1'))} is not valid")
        self._spend(len(found[2]))
        self._left = int(found[1], 16)
        self.announced += self._left
        self._step = self._data if self._left else self._trailer
        return True

    def _data(self, pieces: list[bytes]) -> bool:
        if not self._held:
            return False
        piece = self._held[: self._left]
        pieces.append(piece)
        self._held = self._held[len(piece) :]
        self._left -= len(piece)
        if self._left == 0:
            self._step = self._data_end
        return True

    def _data_end(self, _pieces: list[bytes]) -> bool:
        if not b"\r\n".startswith(self._held[:2]):
            raise _bad("A chunk is longer than its size says")
        if len(self._held) < 2:
            return False
        self._held = self._held[2:]
        self._step = self._size
        return True

    def _trailer(self, _pieces: list[bytes]) -> bool:
        line = self._take_line(8192, "trailer field")
        if line is None:
            return False
        if not line:
            self.rest = self._held
            return False
        name, colon, value = line.partition(b":")
        if not colon or _NAME(name) is None or _VALUE(value) is None:
            raise _bad(f"The trailer field {shorten(line.decode('latin-1'))} is not valid")
        self._spend(len(line))
        return True

    def _spend(self, size: int) -> None:
        self._overhead += size
        if self._overhead > self._OVERHEAD:
            hint = f"At most {self._OVERHEAD} bytes are accepted"
            raise Problem(HEADERS_TOO_LARGE, "The chunk extensions and trailers are too large", hint=hint)


def too_large(limit: int) -> Problem:
    """The problem of a body beyond its bound."""
    return Problem(BODY_TOO_LARGE, "The body is too large", hint=f"At most {limit} bytes are accepted")


def _bad(message: str, hint: str | None = None) -> Problem:
    return Problem(BAD_REQUEST, message, hint=hint)


def bad_line(line: bytes) -> Problem:
    """Say what is wrong with a request line; it is wrong in any case."""
    if line[:2] == b"\x16\x03":
        return _bad("These bytes begin a TLS handshake", hint="This port speaks plain HTTP: use http://")
    if not line.endswith(b"\r\n"):
        return _bad("The request line ends with a bare LF")
    if not line.isascii():
        return _bad("The request line has bytes beyond ASCII", hint="Percent-encode them: ü is %C3%BC")
    text = line[:-2].decode("ascii")
    if not text.isprintable():
        return _bad("The request line has control characters")
    parts = text.split(" ")
    if len(parts) != 3 or not all(parts):
        return _bad(f"The request line {shorten(text)} is not a method, a target and a version, with one blank between")
    return _bad(f"The request line {shorten(text)} is not valid")


def _bad_block(block: bytes) -> Problem:
    """Say which line of a header block is wrong, and how. Values are never repeated: they may be secrets."""
    for number, line in enumerate(block.split(b"\n")[:-2], 1):
        where = f"Header line {number}"
        if line[:1] in (b" ", b"\t"):
            return _bad(f"{where} begins with a blank", hint="Folded lines are not accepted (RFC 9112, section 5.2)")
        if line[-1:] != b"\r":
            return _bad(f"{where} ends with a bare LF")
        name, colon, value = line[:-1].partition(b":")
        if not colon:
            return _bad(f"{where} has no colon")
        if name.endswith((b" ", b"\t")):
            return _bad(f"{where} has a blank before the colon")
        if _NAME(name) is None:
            return _bad(f"{where} has an invalid name: {shorten(name.decode('latin-1'))}")
        if _VALUE(value) is None:
            return _bad(f"{where} ({shorten(name.decode('latin-1'))}) has control characters in its value")
    return _bad("The header section is not valid")
