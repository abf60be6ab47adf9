"""HTML into tags (WHATWG HTML, section 13.2.5), while its bytes arrive.

In: bytes in any split, and their encoding. Out: start tags with their attributes, end tags, and the text of those elements whose
text is not markup (`<script>`, `<style>`, ...), each with the byte offset at which it begins and its line. Any split gives the
same tokens. It builds no tree: of that it knows only what changes how bytes are read (SVG and MathML, section 13.2.6.5).

The tokenizer of the standard has 80 states and takes a character at a time; here one regular expression takes one construct, and
what the buffer does not hold to its end is left for the next feed. An attribute that was read is not read again, and nothing is
tried before the byte has come that could end it, so that a hostile page costs no more than its length.

It reads bytes because offsets are what is wanted: in every encoding of the web but two, a byte below 0x40 that is no digit is
that character. UTF-16 and ISO-2022-JP are made UTF-8 first, and offsets are then those of the UTF-8 text.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from pellucid.client.page.references import decode_references
from pellucid.client.page.spaces import Spaces

__all__ = ["EndTag", "RawText", "StartTag", "Token", "Tokenizer"]


class StartTag(NamedTuple):
    """`<name attribute=value>`: names in lower case, the first of attributes with the same name, references decoded."""

    name: str
    attributes: dict[str, str]
    offset: int
    line: int
    self_closing: bool
    space: str
    """`html`, `svg` or `math`: whose element it is."""


class EndTag(NamedTuple):
    """`</name>`"""

    name: str
    offset: int
    line: int


class RawText(NamedTuple):
    """All the text of an element whose text is not markup; `offset` is where the text begins, not the tag."""

    name: str
    text: str
    offset: int
    line: int


Token = StartTag | EndTag | RawText

RAW = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "title", "textarea", "plaintext"})
"""Section 13.2.6.4: elements after whose start tag the tokenizer changes its state. Scripting counts as on: so is `noscript`."""
_REFERENCES = frozenset({"title", "textarea"})

_NAME = re.compile(rb"[^\t\n\f\r />]*")
_BETWEEN = re.compile(rb"[\t\n\f\r /]*")
_ATTRIBUTE = re.compile(rb"(=?[^\t\n\f\r />=]*)[\t\n\f\r ]*(?:(=)[\t\n\f\r ]*)?")
_UNQUOTED = re.compile(rb"[^\t\n\f\r >]*")
_COMMENT_END = re.compile(rb"--!?>")
_SCRIPT_MARK = re.compile(rb"(?i)<!--|-->|</?script[\t\n\f\r />]")
_ENCODINGS_TO_CONVERT = re.compile(r"(?i)utf-?16|utf-?32|iso-?2022")


class _Tag:
    """A tag of which the end has not come yet: what was read of it so far."""

    __slots__ = ("attributes", "name", "start")

    def __init__(self, start: int, name: str) -> None:
        self.start = start
        self.name = name
        self.attributes: dict[str, str] = {}


class Tokenizer:
    """Give it bytes with `feed` as they come, and say `end` once; both return the tokens that are now known."""

    def __init__(self, charset: str = "utf-8") -> None:
        self._charset = _codec(charset)
        self._convert: codecs.IncrementalDecoder | None = None
        if _ENCODINGS_TO_CONVERT.match(self._charset):
            self._convert = codecs.getincrementaldecoder(self._charset)(errors="replace")
            self._charset = "utf-8"
        self._buffer = bytearray()
        self._base = 0
        """The offset of the buffer's first byte."""
        self._at = 0
        """Where in the buffer reading goes on."""
        self._wanted = b""
        """Nothing is tried before these bytes are found at or after `_from`."""
        self._from = 0
        self._line = 1
        self._counted = 0
        """Up to where in the buffer lines were counted."""
        self._tag: _Tag | None = None
        self._raw: str | None = None
        self._raw_start = 0
        self._escaped = 0
        """Script data: 0, 1 escaped, 2 double escaped (sections 13.2.5.15 to 13.2.5.31)."""
        self._spaces = Spaces()
        self._style: tuple[int, int, list[bytes]] | None = None
        """Offset, line and text of an SVG `<style>` that is open: its text is markup, and a sheet all the same."""
        self._over = False
        self.text_bytes = 0
        """How much text there was so far between tags."""
        self._tokens: list[Token] = []

    @property
    def offsets_exact(self) -> bool:
        """Whether offsets are those of the body: not where its encoding had to be converted."""
        return self._convert is None

    @property
    def bytes_are_utf8(self) -> bool:
        """Whether a place in the text can be made one in the bytes by encoding what stands before it."""
        return self._charset in ("utf-8", "ascii")

    def feed(self, data: bytes) -> list[Token]:
        """Take the next bytes."""
        if self._convert is not None:
            data = self._convert.decode(data).encode("utf-8", "replace")
        self._buffer += data
        if not self._wanted or self._buffer.find(self._wanted, self._from) >= 0:
            self._wanted = b""
            self._run()
        else:
            self._from = max(self._from, len(self._buffer) - len(self._wanted) + 1)
        return self._given()

    def end(self) -> list[Token]:
        """There are no more bytes: what was left open is closed as the standard has it (an open tag is dropped)."""
        if self._convert is not None:
            self._buffer += self._convert.decode(b"", True).encode("utf-8", "replace")
        self._over = True
        self._wanted = b""
        self._run()
        return self._given()

    # The machinery: each of these reads one construct at `_at`, or returns False and says what to wait for.

    def _given(self) -> list[Token]:
        tokens, self._tokens = self._tokens, []
        keep = self._at if self._tag is None else min(self._at, self._tag.start)
        if self._raw is not None and self._tag is None:
            keep = self._raw_start
        if keep > 65_536 or self._over:
            self._count_to(keep)
            del self._buffer[:keep]
            self._base += keep
            self._at -= keep
            self._from = max(0, self._from - keep)
            self._raw_start -= keep
            self._counted -= keep
            if self._tag is not None:
                self._tag.start -= keep
        return tokens

    def _run(self) -> None:
        while True:
            if self._tag is not None:
                going = self._attributes(self._tag)
            elif self._raw is not None:
                going = self._raw_text(self._raw)
            else:
                going = self._data()
            if not going:
                return

    def _wait(self, wanted: bytes = b"", start: int | None = None) -> bool:
        self._wanted = wanted
        self._from = self._at if start is None else start
        return False

    def _count_to(self, place: int) -> None:
        if place > self._counted:
            self._line += self._buffer.count(b"\n", self._counted, place)
            self._counted = place

    def _data(self) -> bool:
        """Section 13.2.5.1, 13.2.5.6, 13.2.5.7 and 13.2.5.42: text up to a `<`, and what that begins."""
        buffer = self._buffer
        place = buffer.find(b"<", self._at)
        text_end = len(buffer) if place < 0 else place
        self.text_bytes += text_end - self._at
        if self._style is not None:
            self._style[2].append(bytes(buffer[self._at : text_end]))
        self._at = text_end
        if place < 0:
            return False
        head = bytes(buffer[place + 1 : place + 9])
        first = head[:1]
        if first.isalpha():
            return self._tag_name(place, place + 1)
        if first == b"/" and len(head) > 1:
            if head[1:2].isalpha():
                return self._tag_name(place, place + 2)
            if head[1:2] == b">":
                self._at = place + 3
                return True
            return self._until(b">", place + 2)
        if first == b"!":
            return self._declaration(head)
        if first == b"?":
            return self._until(b">", place + 1)
        if (not first or head == b"/") and not self._over:
            return False
        self._at = place + 1
        return True

    def _declaration(self, head: bytes) -> bool:
        place = self._at
        if head.startswith(b"!--"):
            return self._comment(place + 4)
        if not self._spaces.in_html and head.startswith(b"![CDATA["):
            whole = self._until(b"]]>", place + 9)
            if whole and self._style is not None:
                self._style[2].append(bytes(self._buffer[place + 9 : self._at - 3]).replace(b"&", b"&amp;"))
            return whole
        if not self._over and (b"!--".startswith(head) or b"![CDATA[".startswith(head)):
            return False
        return self._until(b">", place + 2)

    def _until(self, mark: bytes, start: int) -> bool:
        found = self._buffer.find(mark, start)
        if found < 0:
            if not self._over:
                return self._wait(mark, max(start, len(self._buffer) - len(mark) + 1))
            self._at = len(self._buffer)
            return False
        self._at = found + len(mark)
        return True

    def _comment(self, start: int) -> bool:
        """Sections 13.2.5.43 to 13.2.5.52; `<!-->` and `<!--->` are whole comments."""
        buffer = self._buffer
        for short in (b">", b"->"):
            if buffer.startswith(short, start):
                self._at = start + len(short)
                return True
        if found := _COMMENT_END.search(buffer, start):
            self._at = found.end()
            return True
        if not self._over:
            if len(buffer) < start + 2:
                return False
            return self._wait(b">", len(buffer))
        self._at = len(buffer)
        return False

    def _tag_name(self, place: int, start: int) -> bool:
        match = _NAME.match(self._buffer, start)
        assert match is not None
        if match.end() == len(self._buffer):
            if self._over:
                self._at = len(self._buffer)
                return False
            return self._wait()
        name = _lower(match.group())
        self._tag = _Tag(place, name)
        self._at = match.end()
        return True

    def _attributes(self, tag: _Tag) -> bool:
        """Sections 13.2.5.32 to 13.2.5.40: attributes one by one up to the `>`."""
        buffer = self._buffer
        while True:
            match = _BETWEEN.match(buffer, self._at)
            assert match is not None
            place = match.end()
            if place == len(buffer):
                return self._cut(b">", place)
            if buffer[place] == 0x3E:
                closing = place > self._at and buffer[place - 1] == 0x2F
                self._at = place + 1
                self._finish(tag, closing)
                return True
            match = _ATTRIBUTE.match(buffer, place)
            assert match is not None
            name, stop = match.group(1), match.end()
            if stop == len(buffer):
                return self._cut(b">", stop)
            value = b""
            if match.group(2):
                quote = buffer[stop]
                if quote in b"\"'":
                    found = buffer.find(quote, stop + 1)
                    if found < 0:
                        return self._cut(bytes((quote,)), len(buffer))
                    value, stop = bytes(buffer[stop + 1 : found]), found + 1
                else:
                    unquoted = _UNQUOTED.match(buffer, stop)
                    assert unquoted is not None
                    if unquoted.end() == len(buffer):
                        return self._cut(b">", len(buffer))
                    value, stop = unquoted.group(), unquoted.end()
            self._at = stop
            tag.attributes.setdefault(_lower(name), self._text(value, attribute=True))

    def _cut(self, wanted: bytes, start: int) -> bool:
        """The tag is not whole: wait, or drop it where nothing more comes."""
        if not self._over:
            return self._wait(wanted, start)
        self._tag = None
        self._at = len(self._buffer)
        return False

    def _finish(self, tag: _Tag, self_closing: bool) -> None:
        self._tag = None
        self._count_to(tag.start)
        offset = self._base + tag.start
        if self._buffer[tag.start + 1] == 0x2F:
            if tag.name == "style" and self._style is not None:
                start, line, pieces = self._style
                self._tokens.append(RawText("style", self._text(b"".join(pieces)), start, line))
                self._style = None
            self._spaces.close(tag.name)
            self._tokens.append(EndTag(tag.name, offset, self._line))
            return
        space = self._spaces.open(tag.name, tag.attributes, self_closing)
        self._tokens.append(StartTag(tag.name, tag.attributes, offset, self._line, self_closing, space))
        if tag.name == "style" and space == "svg" and not self_closing:
            self._count_to(self._at)
            self._style = (self._base + self._at, self._line, [])
        elif space == "html" and tag.name in RAW:
            self._raw = tag.name
            self._raw_start = self._at
            self._escaped = 0

    def _raw_text(self, name: str) -> bool:
        """RCDATA, RAWTEXT, script data and PLAINTEXT (sections 13.2.5.2 to 13.2.5.5, and on to 13.2.5.31)."""
        buffer = self._buffer
        if name == "plaintext":
            self._at = len(buffer)
        elif name == "script":
            return self._script_data()
        else:
            pattern = re.compile(rb"(?i)</%b[\t\n\f\r />]" % name.encode())
            if found := pattern.search(buffer, self._at):
                return self._raw_end(found.start())
            self._at = max(self._at, len(buffer) - len(name) - 2)
        if self._over:
            self._at = len(buffer)
            return self._raw_end(self._at)
        return False

    def _script_data(self) -> bool:
        buffer = self._buffer
        while found := _SCRIPT_MARK.search(buffer, self._at):
            mark = found.group()
            if mark == b"<!--":
                if self._escaped == 0:
                    self._escaped = 1
                # Its dashes may be those of `-->` as well.
                self._at = found.start() + 2
            elif mark == b"-->":
                self._escaped = 0
                self._at = found.end()
            elif mark.startswith(b"</"):
                if self._escaped < 2:
                    return self._raw_end(found.start())
                self._escaped = 1
                self._at = found.end() - 1
            else:
                if self._escaped == 1:
                    self._escaped = 2
                self._at = found.end() - 1
        if self._over:
            self._at = len(buffer)
            return self._raw_end(self._at)
        self._at = max(self._at, len(buffer) - 8)
        return False

    def _raw_end(self, stop: int) -> bool:
        assert self._raw is not None
        self._count_to(self._raw_start)
        text = bytes(self._buffer[self._raw_start : stop])
        decoded = self._text(text) if self._raw in _REFERENCES else self._decode(text)
        self._tokens.append(RawText(self._raw, decoded, self._base + self._raw_start, self._line))
        self._raw = None
        self._at = stop
        return stop < len(self._buffer)

    # Text.

    def _decode(self, data: bytes) -> str:
        text = data.decode(self._charset, "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def _text(self, data: bytes, *, attribute: bool = False) -> str:
        text = self._decode(data)
        if "\0" in text:
            text = text.replace("\0", "\ufffd")
        return decode_references(text, attribute=attribute) if "&" in text else text


def _lower(name: bytes) -> str:
    return name.lower().replace(b"\0", b"\xef\xbf\xbd").decode("utf-8", "replace")


def _codec(charset: str) -> str:
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return "utf-8"
