"""A chunked body as a client reads it (RFC 9112, section 7.1): its pieces, the border of each chunk, extensions and trailers.

In: bytes behind the head of an answer. Out: pieces of the body as they come, and a `ChunkEnd` behind each chunk's last byte. The
server's reader of the same coding (`http/parse.ChunkedBody`) is strict, and drops what a trace is there to show; this one reads
what browsers read (a bare LF, blanks behind a size), and what nobody can read is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from pellucid.errors import shorten

__all__ = ["ChunkEnd", "Chunks", "Fault"]

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r?").fullmatch
_LONGEST_LINE = 4096
_OVERHEAD = 65_536
"""Bytes that all extensions and trailers of one body may have."""


class Fault(msgspec.Struct, frozen=True):
    """Why an answer could not be read on: a stable slug, what was wrong, what would be right."""

    slug: str
    message: str
    hint: str | None = None


class ChunkEnd(msgspec.Struct, frozen=True):
    """A chunk whose last byte has come: where it began in the body, its size, its extensions as sent (`;name=value`)."""

    offset: int
    size: int
    extensions: str = ""


class Chunks:
    """Takes a chunked body apart. Once `rest` is not None the body has ended, and `rest` holds the bytes behind it."""

    __slots__ = ("_began", "_extensions", "_held", "_left", "_overhead", "_step", "bad", "coded", "rest", "trailers", "wire")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._began = 0
        self._extensions = ""
        self._overhead = 0
        self._step: Callable[[list[bytes | ChunkEnd]], bool] = self._size
        self.bad: Fault | None = None
        self.coded = 0
        self.wire = 0
        self.rest: bytes | None = None
        self.trailers: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> list[bytes | ChunkEnd]:
        """Take the next bytes. What is wrong with them is in `bad`, behind what was right before it."""
        steps: list[bytes | ChunkEnd] = []
        self._held = self._held + data if self._held else data
        while self.rest is None and self.bad is None and self._step(steps):
            pass
        self.wire += len(data) - len(self.rest or b"") - (len(self._held) if self.bad is not None else 0)
        return steps

    def cut_short(self) -> Fault:
        """The stream ended before the last chunk: what is to be said of it."""
        where = f"The connection ended after {self.coded:,} bytes of the body"
        if self._step == self._data:
            size = self.coded - self._began
            return Fault("truncated-body", f"{where}, {size:,} bytes into a chunk of {size + self._left:,}")
        if self._step == self._trailer:
            return Fault("truncated-body", f"{where}, behind the last chunk and before the blank line that ends the trailers")
        return Fault("truncated-body", f"{where}, without the last chunk")

    def _line(self, what: str) -> bytes | None:
        """The next line without its LF, or None where it has not come yet."""
        end = self._held.find(b"\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._held) >= _LONGEST_LINE:
                self.bad = Fault("bad-chunk", f"The {what} behind {self.coded:,} bytes of the body has no end")
            return None
        line = self._held[:end]
        self._held = self._held[end + 1 :]
        return line

    def _size(self, _steps: list[bytes | ChunkEnd]) -> bool:
        line = self._line("chunk-size line")
        if line is None:
            return False
        found = _SIZE(line)
        if found is None:
            named = shorten(line.rstrip(b"\r").decode("latin-1"))
            message = f"Behind {self.coded:,} bytes of the body came {named}, where the size of a chunk belongs"
            self.bad = Fault("bad-chunk", message)
            return False
        self._spend(len(found[2] or b""))
        self._extensions = (found[2] or b"").decode("latin-1").rstrip(" \t")
        self._left = int(found[1], 16)
        self._began = self.coded
        self._step = self._data if self._left else self._trailer
        return True

    def _data(self, steps: list[bytes | ChunkEnd]) -> bool:
        if not self._held:
            return False
        if len(self._held) <= self._left:
            piece, self._held = self._held, b""
        else:
            piece, self._held = self._held[: self._left], self._held[self._left :]
        steps.append(piece)
        self.coded += len(piece)
        self._left -= len(piece)
        if self._left == 0:
            steps.append(ChunkEnd(self._began, self.coded - self._began, self._extensions))
            self._step = self._data_end
        return True

    def _data_end(self, _steps: list[bytes | ChunkEnd]) -> bool:
        if self._held[:1] == b"\n":  # browsers let it pass
            size = 1
        elif b"\r\n".startswith(self._held[:2]):
            if len(self._held) < 2:
                return False
            size = 2
        else:
            length = self.coded - self._began
            self.bad = Fault("bad-chunk", f"A chunk is longer than the {length:,} bytes that its size line says")
            return False
        self._held = self._held[size:]
        self._step = self._size
        return True

    def _trailer(self, _steps: list[bytes | ChunkEnd]) -> bool:
        line = self._line("trailer section")
        if line is None:
            return False
        text = line.removesuffix(b"\r").decode("latin-1")
        if not text:
            self.rest, self._held = self._held, b""
            return False
        self._spend(len(line))
        name, colon, value = text.partition(":")
        if colon:
            self.trailers.append((name.strip(" \t").lower(), value.strip(" \t")))
        return True

    def _spend(self, size: int) -> None:
        self._overhead += size
        if self._overhead > _OVERHEAD:
            self.bad = Fault("bad-chunk", f"The chunk extensions and trailers passed {_OVERHEAD:,} bytes")
