"""Static files over HTTP: conditional, partial and coded answers for what a `Folder` has.

In: a request and a decoded path. Out: a Response; small files from memory, large ones as a stream that a thread reads. It is the
router's fallback, so that every endpoint beats a file. It never lists a folder.

A request with Range gets ranges of the file itself, never of a coded variant, since parts of one coding cannot be put together
with those of another.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

from pellucid.errors import METHOD_NOT_ALLOWED, NOT_FOUND, PRECONDITION_FAILED, Problem
from pellucid.http.conditional import Outcome, byte_ranges, matched_tag, preconditions, range_applies
from pellucid.http.messages import Request, Response
from pellucid.http.negotiate import best_encoding
from pellucid.web.folder import File, Folder, Variant

__all__ = ["StaticFiles"]

_ALLOW = "GET, HEAD, OPTIONS"
_CHUNK = 256 * 1024
_BOUNDARY = "pellucid-part-5b1f7e0c9a"


class StaticFiles:
    """Serves one folder. With `dev` even files with hashed names are asked for again each time."""

    def __init__(self, folder: Path | str, *, dev: bool = False, memory: int = 32 * 1024 * 1024, small: int = 256 * 1024) -> None:
        self._folder = Folder(folder, memory=memory, small=small, immutable=not dev)

    def __call__(self, request: Request, values: tuple[str, ...]) -> Response:
        """The file at the path that is the last of `values`.

        Raises NOT_FOUND, METHOD_NOT_ALLOWED, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE.
        """
        path = values[-1] if values[-1].startswith("/") else f"/{values[-1]}"
        file = self._folder.find(path)
        if file is None:
            if self._folder.is_folder(path):
                return _to_index(request)
            raise Problem(NOT_FOUND, f"there is nothing at {path[:200]!r}")
        if request.method not in ("GET", "HEAD"):
            if request.method == "OPTIONS":
                return Response(204, headers=[("allow", _ALLOW)])
            raise Problem(METHOD_NOT_ALLOWED, f"{request.method} is not offered for a file", headers=[("allow", _ALLOW)])
        response = self._answer(request, path, file)
        if request.trace is not None:
            request.trace.mark("file")
        return response

    def _answer(self, request: Request, path: str, file: File) -> Response:
        headers = request.headers
        partial = "range" in headers and request.method == "GET"
        variant = file.plain
        if file.codings and not partial:
            coding = best_encoding(headers, file.codings)
            if coding is not None:
                variant = self._folder.variant(path, file, coding)
        match preconditions(request.method, headers, etag=file.plain.etag, modified=file.modified):
            case Outcome.NOT_MODIFIED:
                return Response(304, headers=[("etag", matched_tag(headers, variant.etag))], fixed=file.always)
            case Outcome.FAILED:
                raise Problem(PRECONDITION_FAILED, "the file is not the one that the request requires")
            case Outcome.PROCEED:
                pass
        if partial and range_applies(headers, etag=file.plain.etag, modified=file.modified):
            ranges = byte_ranges(headers["range"], file.plain.size)
            if ranges is not None:
                return _partial(file, ranges)
        if variant.body is not None:
            return Response(200, variant.body, fixed=variant.fixed)
        return Response(200, _read(variant, [(b"", 0, variant.size)]), fixed=variant.fixed, length=variant.size)


def _to_index(request: Request) -> Response:
    """The page of a folder stands under its path with a slash, so that its relative links work."""
    path, mark, query = request.target.partition("?")
    local = "/" + path.lstrip("/\\").replace("\\", "%5C")
    return Response(308, headers=[("location", f"{local}/{mark}{query}")])


def _partial(file: File, ranges: list[tuple[int, int]]) -> Response:
    """One range as it is, several as multipart/byteranges (RFC 9110, section 15.3.7)."""
    plain = file.plain
    if len(ranges) == 1:
        start, stop = ranges[0]
        headers = [("content-range", f"bytes {start}-{stop - 1}/{plain.size}")]
        return _pieces(plain, [(b"", start, stop)], b"", headers, plain.fixed)
    pieces: list[tuple[bytes, int, int]] = []
    for start, stop in ranges:
        head = (
            f"\r\n--{_BOUNDARY}\r\ncontent-type: {file.content_type}\r\n"
            f"content-range: bytes {start}-{stop - 1}/{plain.size}\r\n\r\n"
        )
        pieces.append((head.encode("latin-1"), start, stop))
    lines = [line for line in plain.fixed.split(b"\r\n") if not line.startswith(b"content-type:")]
    headers = [("content-type", f"multipart/byteranges; boundary={_BOUNDARY}")]
    return _pieces(plain, pieces, f"\r\n--{_BOUNDARY}--\r\n".encode(), headers, b"\r\n".join(lines))


def _pieces(
    plain: Variant, pieces: Sequence[tuple[bytes, int, int]], end: bytes, headers: list[tuple[str, str]], fixed: bytes
) -> Response:
    if plain.body is not None:
        body = b"".join(part for head, start, stop in pieces for part in (head, plain.body[start:stop])) + end
        return Response(206, body, headers=headers, fixed=fixed)
    length = sum(len(head) + stop - start for head, start, stop in pieces) + len(end)
    return Response(206, _read(plain, pieces, end), headers=headers, fixed=fixed, length=length)


async def _read(variant: Variant, pieces: Sequence[tuple[bytes, int, int]], end: bytes = b"") -> AsyncIterator[bytes]:
    """The pieces of a file, each after its own head.

    A file that changes meanwhile breaks the answer off: half of the old one and half of the new one would be neither.
    """
    file = await asyncio.to_thread(_open, variant)
    try:
        for head, start, stop in pieces:
            if head:
                yield head
            await asyncio.to_thread(file.seek, start)
            left = stop - start
            while left:
                chunk = await asyncio.to_thread(file.read, min(left, _CHUNK))
                if not chunk:
                    raise OSError(f"{variant.path} became shorter while it was sent")
                left -= len(chunk)
                yield chunk
        if end:
            yield end
    finally:
        file.close()


def _open(variant: Variant) -> IO[bytes]:
    file = open(variant.path, "rb", buffering=0)  # noqa: SIM115 (closed by the stream)
    found = os.fstat(file.fileno())
    if (found.st_mtime_ns, found.st_size, found.st_ino) != variant.signature:
        file.close()
        raise OSError(f"{variant.path} changed while it was to be sent")
    return file
