"""Content codings undone while they arrive: gzip, deflate, br, zstd, alone or one in another (RFC 9110, section 8.4).

In: the codings in the order in which they were applied, then the coded bytes in any pieces. Out: decoded pieces of about 128 kB
at most, remarks, and a failure where the bytes are not what their coding says. It knows neither framing nor sockets.
Importing it takes milliseconds, for the decoders' sake: who measures imports it beforehand.

Problem: a few kilobytes may unpack to gigabytes, and a broken stream may be noticed only at its end. Naive: unpack the whole.
Choice: every decoder is asked for a bounded piece at a time, so memory doesn't depend on what was sent; and what has unpacked to
more than 64 MB and 200 times its size is given up as a bomb. (The best that gzip can do is 1 to 1,032, and real pages with
their repetitions reach about 1 to 50.)
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli

from pellucid.errors import shorten
from pellucid.journey import Failure, Note

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Decoding"]

PIECE = 128 * 1024
BOMB_SIZE = 64 * 1024 * 1024
BOMB_RATIO = 200
_MOST_LAYERS = 5
_SOURCE = "RFC 9110, section 8.4.1"


class _NotValid(Exception):
    """The bytes are not what their coding says."""


class _Layer(Protocol):
    """One coding being undone."""

    remark: str | None

    @property
    def behind(self) -> int:
        """Bytes that came behind the end of the stream."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes]: ...
    def whole(self) -> bool: ...


class _Zlib:
    """What zlib reads. `window` is its wbits: 31 gzip, 15 zlib, -15 raw deflate."""

    remark: str | None = None

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream: zlib._Decompress | None = None
        self.behind = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream is None or self._stream.eof:
                # Behind a gzip member another may follow (RFC 1952, section 2.2); anything else is ignored, as in browsers.
                if self.behind or (self._stream is not None and (self._window != 31 or data[0] != 0x1F)):
                    self.behind += len(data)
                    return
                self._stream = zlib.decompressobj(self._window)
            stream = self._stream
            while True:
                try:
                    piece = stream.decompress(data, PIECE)
                except zlib.error as error:
                    raise _NotValid(str(error).rpartition(": ")[2]) from None
                if piece:
                    yield piece
                data = stream.unconsumed_tail
                if stream.eof or (not data and len(piece) < PIECE):
                    break
            data = stream.unused_data if stream.eof else b""

    def whole(self) -> bool:
        return self._stream is None or self._stream.eof


class _Deflate:
    """"deflate" is zlib's format by the standard, and raw in the hands of some servers; browsers read both."""

    def __init__(self) -> None:
        self._first = b""
        self._layer: _Zlib | None = None
        self.remark: str | None = None

    @property
    def behind(self) -> int:
        return self._layer.behind if self._layer is not None else 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._layer is None:
            self._first += data
            if len(self._first) < 2:
                return
            data = self._first
            # RFC 1950, section 2.2: the method is 8, and the first two bytes are a multiple of 31.
            framed = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._layer = _Zlib(15 if framed else -15)
            if not framed:
                self.remark = "The coding deflate came raw, without the frame of zlib that it should have; browsers read both"
        yield from self._layer.feed(data)

    def whole(self) -> bool:
        return self._layer.whole() if self._layer is not None else not self._first


class _Brotli:
    """RFC 7932. Nothing may follow: the library then says no more than that the bytes are wrong."""

    remark: str | None = None
    behind = 0

    def __init__(self) -> None:
        self._error: type[Exception] = brotli.error
        self._stream = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            raise _NotValid("bytes came behind its end")
        self._begun = True
        try:
            piece: bytes = self._stream.process(data, output_buffer_limit=PIECE)
            # It may hold output although it would take more input: ask until nothing comes.
            while piece or not (self._stream.can_accept_more_data() or self._stream.is_finished()):
                yield piece
                piece = self._stream.process(b"", output_buffer_limit=PIECE)
        except self._error:
            raise _NotValid("the decoder found bytes that no encoder makes") from None

    def whole(self) -> bool:
        return not self._begun or bool(self._stream.is_finished())


class _Zstd:
    """RFC 8878, with the window of at most 8 MB that RFC 9659 sets for the web."""

    remark: str | None = None
    behind = 0
    _WINDOW = 23

    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: self._WINDOW}
        self._make: Callable[[], zstd.ZstdDecompressor] = lambda: zstd.ZstdDecompressor(options=options)
        self._error: type[Exception] = zstd.ZstdError
        self._stream: zstd.ZstdDecompressor | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream is None or self._stream.eof:
                self._stream = self._make()  # frames follow one another (section 3.1)
            stream = self._stream
            try:
                piece = stream.decompress(data, PIECE)
                while True:
                    if piece:
                        yield piece
                    if stream.eof or stream.needs_input:
                        break
                    piece = stream.decompress(b"", PIECE)
            except self._error as error:
                raise _NotValid(str(error).rpartition(": ")[2]) from None
            data = stream.unused_data if stream.eof else b""

    def whole(self) -> bool:
        return self._stream is None or self._stream.eof


_LAYERS: dict[str, Callable[[], _Layer]] = {
    "gzip": lambda: _Zlib(31),
    "x-gzip": lambda: _Zlib(31),
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


class Decoding:
    """Undoes the codings of one body. `failure` is set where it had to be given up, `bomb` where that was for its size.

    A coding that is not known ends the undoing: what lies within it stays as it is, and a Note says so.
    """

    def __init__(self, codings: list[str], notes: list[Note]) -> None:
        self.failure: Failure | None = None
        self.bomb = False
        self._notes = notes
        self._layers: list[tuple[str, _Layer]] = []
        self._coded = 0
        self._made = 0
        self._first = b""
        undone = [coding for coding in reversed(codings) if coding != "identity"]
        if len(undone) > _MOST_LAYERS:
            hint = f"At most {_MOST_LAYERS} are undone"
            self.failure = Failure("bad-coding", f"The body is said to have {len(undone)} codings, one in another", hint)
            return
        for coding in undone:
            make = _LAYERS.get(coding)
            if make is None:
                said = f"The coding {shorten(coding)} is not known: what it holds was left as it came"
                notes.append(Note("coding", "warning", said, _SOURCE))
                break
            self._layers.append((coding, make()))

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The next coded bytes; decoded pieces come out as they are ready. After a failure nothing more does."""
        if self.failure is not None:
            return
        self._coded += len(data)
        if len(self._first) < 4:
            self._first += data[:4]
        yield from self._through(data, 0)

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield data
            return
        coding, layer = self._layers[depth]
        pieces = layer.feed(data)
        while self.failure is None:
            try:
                piece = next(pieces, None)
            except _NotValid as error:
                self._spoiled(coding, depth, str(error))
                return
            if piece is None:
                return
            self._made += len(piece)
            if self._made > BOMB_SIZE and self._made > BOMB_RATIO * self._coded:
                self._exploded()
                return
            yield from self._through(piece, depth + 1)

    def _spoiled(self, coding: str, depth: int, why: str) -> None:
        hint = None
        if depth == 0 and self._first.lstrip()[:1] in (b"<", b"{", b"["):
            begun = shorten(self._first.decode("latin-1"))
            hint = f"It begins with {begun}: perhaps it was never coded, and only its label is wrong"
        self.failure = Failure("bad-coding", f"The body is not valid {coding}: {why}", hint)

    def _exploded(self) -> None:
        self.bomb = True
        sizes = f"{self._coded:,} bytes unpacked to more than {self._made:,}"
        hint = "No page needs that: it looks like an attack"
        self.failure = Failure("decompression-bomb", f"The body was given up: {sizes}", hint)

    def end(self, whole: bool) -> Iterator[bytes]:
        """The body is over. Where all of it had come (`whole`), an unfinished stream is a failure."""
        for coding, layer in self._layers:
            if layer.remark is not None:
                self._notes.append(Note("coding", "warning", layer.remark, f"{_SOURCE}.2"))
            if layer.behind:
                said = f"{layer.behind:,} bytes came behind the end of the {coding} data and were ignored"
                self._notes.append(Note("coding", "warning", said, _SOURCE))
            if whole and self.failure is None and not layer.whole():
                self.failure = Failure("bad-coding", f"The {coding} data ended before its end mark: a part is missing")
        return iter(())
