"""Content codings: zstd, br and gzip for the bodies that gain from them (RFC 9110, section 8.4).

In: a request and the finished response. Out: the response, or one like it with a coded body. It knows no route and no model.

A body is left alone below `least` bytes, since up to about ten segments of 1460 bytes (RFC 6928) an answer arrives in the first
flight anyway and coding it buys no round trip. Levels are chosen for speed: an answer is coded once and sent once. A strong
entity tag gets the coding's ending (`"abc-br"`), because the bytes differ; `http/conditional` reads such tags as the same state.

Bodies above 1 MiB, and streams, are coded piece by piece in a thread, each piece flushed, so that neither the loop nor the reader
waits for the whole.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Protocol

import brotli

from pellucid.http.conditional import CODING_SUFFIXES
from pellucid.http.messages import Request, Response
from pellucid.http.negotiate import best_encoding, media_type, split_list

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["CODINGS", "Compress", "compress", "compressible", "with_suffix"]

CODINGS = ("zstd", "br", "gzip")
"""What we offer, the one we like best first: the quickest at the same size."""

_ZSTD_LEVEL, _BROTLI_QUALITY, _GZIP_LEVEL = 3, 4, 4
_PIECE = 256 * 1024
_AT_ONCE = 1024 * 1024

_GAINING = {
    "application/graphql-response+json",
    "application/javascript",
    "application/json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
}


class _Coder(Protocol):
    """One stream being coded: `piece` gives everything up to here, so that a reader need not wait; `end` gives what is left."""

    def piece(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstd.ZstdCompressor(level=_ZSTD_LEVEL)

    def piece(self, data: bytes) -> bytes:
        return self._stream.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._stream.flush()


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Compressor(quality=_BROTLI_QUALITY)

    def piece(self, data: bytes) -> bytes:
        return bytes(self._stream.process(data) + self._stream.flush())

    def end(self) -> bytes:
        return bytes(self._stream.finish())


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)

    def piece(self, data: bytes) -> bytes:
        return self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._stream.flush()


_CODERS: dict[str, Callable[[], _Coder]] = {"zstd": _Zstd, "br": _Brotli, "gzip": _Gzip}


def compress(data: bytes, coding: str) -> bytes:
    """Code a whole body; the same data always gives the same bytes."""
    match coding:
        case "zstd":
            return zstd.compress(data, _ZSTD_LEVEL)
        case "br":
            return bytes(brotli.compress(data, quality=_BROTLI_QUALITY))
        case _:
            return zlib.compress(data, _GZIP_LEVEL, 31)


@lru_cache(256)
def compressible(content_type: str | None) -> bool:
    """Whether bodies of this type get smaller: text and what is like it; images, films and archives already are."""
    kind = media_type(content_type or "")
    if kind is None:
        return False
    return kind.type == "text" or kind.name in _GAINING or kind.subtype.endswith(("+json", "+xml", "+yaml"))


def with_suffix(etag: str, coding: str) -> str:
    """The tag of the coded representation; a weak one stands for all codings already."""
    return etag if etag.startswith("W/") else f'{etag[:-1]}{CODING_SUFFIXES[coding]}"'


class Compress:
    """The last station before the bytes. Called only for streams and for bodies of at least `least` bytes."""

    def __init__(self, *, least: int = 14_000, codings: tuple[str, ...] = CODINGS) -> None:
        self.least = least
        self._codings = codings

    def __call__(self, request: Request, response: Response) -> Response:
        """The response with its body coded where that is wished for and gains; else as it is, with `Vary` where it depends."""
        body = response.body
        if isinstance(body, bytes) and len(body) < self.least:
            return response
        if not _may_be_coded(response):
            return response
        coding = best_encoding(request.headers, self._codings)
        if coding is None:
            return _varying(response)
        if isinstance(body, bytes):
            if len(body) <= _AT_ONCE:
                coded = compress(body, coding)
                return _coded(response, coded, coding) if len(coded) < len(body) else _varying(response)
            return _coded(response, _stream(_CODERS[coding](), _pieces(body)), coding)
        return _coded(response, _stream(_CODERS[coding](), body), coding)


def _may_be_coded(response: Response) -> bool:
    if response.status in (204, 206, 304) or response.header("content-encoding") is not None:
        return False
    if "no-transform" in (response.header("cache-control") or ""):
        return False
    return compressible(response.header("content-type"))


def _head(response: Response) -> list[tuple[str, str]]:
    """All header fields as pairs, those encoded at start among them, with Accept-Encoding in Vary."""
    lines = [line.decode("latin-1").partition(": ") for line in response.fixed.split(b"\r\n") if line]
    pairs = [(name, value) for name, _, value in lines] + response.headers
    named = [value for name, value in pairs if name == "vary"]
    fields = [field for value in named for field in split_list(value)]
    if "*" not in fields and "accept-encoding" not in [field.lower() for field in fields]:
        fields.append("Accept-Encoding")
    return [*((name, value) for name, value in pairs if name != "vary"), ("vary", ", ".join(fields))]


def _varying(response: Response) -> Response:
    return Response(response.status, response.body, headers=_head(response), length=response.length)


def _coded(response: Response, body: bytes | AsyncIterable[bytes], coding: str) -> Response:
    head: list[tuple[str, str]] = []
    for name, value in _head(response):
        if name == "etag":
            head.append((name, with_suffix(value, coding)))
        elif name not in ("content-length", "accept-ranges"):
            head.append((name, value))
    head.append(("content-encoding", coding))
    return Response(response.status, body, headers=head)


async def _stream(coder: _Coder, body: AsyncIterable[bytes] | Iterator[bytes]) -> AsyncIterator[bytes]:
    """Code a stream. Small pieces are coded here, since going to a thread costs more than they do."""
    source = body if isinstance(body, AsyncIterable) else _each(body)
    try:
        async for chunk in source:
            coded = coder.piece(chunk) if len(chunk) <= 16_384 else await asyncio.to_thread(coder.piece, chunk)
            if coded:
                yield coded
        yield coder.end()
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


async def _each(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    return (bytes(view[at : at + _PIECE]) for at in range(0, len(body), _PIECE))
