"""Cuts heads out of what arrived: bytes in any pieces in, request lines and header blocks out.

In: bytes as they were received, and bounds. Out: a `Head` when one is whole. It knows no socket and no handler. A head that
arrives byte by byte is read exactly as one that arrives at once; each byte is searched once, and an error is raised as soon as
it is certain, so that a bad sender doesn't hold a connection until its time is over.
"""

from __future__ import annotations

import re

from pellucid.errors import BAD_REQUEST, HEADERS_TOO_LARGE, URI_TOO_LONG, Problem
from pellucid.http.headers import Headers
from pellucid.http.parse import Fields, Head, Line, bad_line, parse_fields, parse_line, with_authority
from pellucid.server.connection import Limits

__all__ = ["HeadReader"]

_BARE_LF = re.compile(rb"(?<!\r)\n").search
_BEGINS_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]").match

_KNOWN_BLOCKS = 8
"""Header blocks that a connection remembers: a browser sends a few (page, style, script, image, API)."""
_KNOWN_BLOCK_BYTES = 2048


class HeadReader:
    """The bytes of a connection that no request has used yet.

    `block` is the last head's header block where the next request may be the same but for its request line, and `fields` its
    meaning: it was HTTP/1.1, without a body, and nothing in it concerns that one request only. Else `block` is (), with which
    no bytes end.
    """

    __slots__ = ("_known", "_limits", "_line", "_scanned", "block", "buffer", "fields")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[bytes, Fields] = {}
        self._line: Line | None = None
        self._scanned = 0
        self.buffer = b""
        self.block: bytes | tuple[()] = ()
        self.fields = Fields(Headers())

    def add(self, data: bytes) -> None:
        """Take what was received."""
        self.buffer = self.buffer + data if self.buffer else data

    def take_bytes(self, size: int) -> bytes:
        """Cut off the first bytes, which belong to a body; fewer where there aren't as many."""
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def clear(self) -> None:
        """Forget what was received; no request will follow."""
        self.buffer = b""
        self.block = ()

    def take(self) -> Head | None:
        """Cut off the next head, or None where it isn't whole yet. Raises Problem (see `http/parse.py`)."""
        line = self._line or self._take_line()
        if line is None:
            return None
        buffer, limits = self.buffer, self._limits
        end = 2 if buffer.startswith(b"\r\n") else buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
        whole = end != 3
        if (end if whole else len(buffer)) > limits.header_bytes:
            raise Problem(HEADERS_TOO_LARGE, hint=f"At most {limits.header_bytes} bytes are accepted")
        if not whole:
            if _BARE_LF(buffer, self._scanned) is not None:
                raise Problem(BAD_REQUEST, "A header line ends with a bare LF")
            self._line, self._scanned = line, len(buffer)
            return None
        block, self.buffer = buffer[:end], buffer[end:]
        self._line, self._scanned = None, 0
        return Head(line, self._read_block(line, block))

    def _take_line(self) -> Line | None:
        buffer, limit = self.buffer, self._limits.request_line
        # RFC 9112, section 2.2: blank lines before a request are ignored.
        while buffer.startswith(b"\r\n"):
            buffer = self.buffer = buffer[2:]
            self._scanned = 0
        end = buffer.find(b"\n", self._scanned) + 1
        if end:
            line = parse_line(buffer[:end], limit)
            self.buffer, self._scanned = buffer[end:], 0
            return line
        if buffer and buffer != b"\r" and _BEGINS_LINE(buffer) is None:
            raise bad_line(buffer[:64] + b"\r\n")
        if len(buffer) > limit + 1:
            raise Problem(URI_TOO_LONG, hint=f"At most {limit} bytes are accepted")
        self._scanned = len(buffer)
        return None

    def _read_block(self, line: Line, block: bytes) -> Fields:
        """What a block means: asked once per block."""
        newest = line.version == "1.1"
        fields = self._known.get(block) if newest else None
        if fields is None:
            fields = parse_fields(line.version, block, self._limits.header_count)
            if newest and fields.parent is None and len(block) <= _KNOWN_BLOCK_BYTES:
                if len(self._known) >= _KNOWN_BLOCKS:
                    del self._known[next(iter(self._known))]
                self._known[block] = fields
        if line.authority is not None:
            self.block = ()  # the target's host stands in for the block's
            return with_authority(line, fields)
        plain = newest and fields.length == 0 and fields.keep_alive and fields.parent is None
        self.block = block if plain else ()
        self.fields = fields
        return fields
