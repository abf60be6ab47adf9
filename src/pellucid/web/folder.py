"""A folder of files as it may be shown to strangers: safe names, what is known of each file, small ones kept in memory.

In: a path as a request decoded it. Out: a `File` with its tag, type and coded variants, or None. It knows no requests and no
responses.

No name leads out: `..`, dotfiles (but `.well-known`), backslashes, control characters and empty segments are refused before the
file system is asked; then the real path, all links followed, must lie in the real folder, and be a regular file. What is kept is
compared with the file's size, time and inode each time, so a changed file is never served stale.
"""

from __future__ import annotations

import mimetypes
import os
import re
import stat
import time
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path

import msgspec

from pellucid.http.conditional import format_date
from pellucid.web.compress import CODINGS, compress, compressible, with_suffix

__all__ = ["File", "Folder", "FolderError", "Variant", "content_type_of"]

_SIBLINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_HASHED = re.compile(r"[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}\.")
_NEVER = re.compile(r"[\x00-\x1f\x7f\\]")
_LEAST_COMPRESSED = 1024
_MOST_FILES = 4096

_TYPES = mimetypes.MimeTypes(filenames=())
for _kind, _ending in (
    ("application/manifest+json", ".webmanifest"),
    ("application/wasm", ".wasm"),
    ("application/yaml", ".yaml"),
    ("audio/flac", ".flac"),
    ("font/otf", ".otf"),
    ("font/ttf", ".ttf"),
    ("font/woff", ".woff"),
    ("font/woff2", ".woff2"),
    ("image/avif", ".avif"),
    ("image/jxl", ".jxl"),
    ("image/webp", ".webp"),
    ("image/x-icon", ".ico"),
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("text/markdown", ".md"),
    ("text/vtt", ".vtt"),
):
    _TYPES.add_type(_kind, _ending)

Signature = tuple[int, int, int]
"""What changes when a file does: time in nanoseconds, size, inode."""


class FolderError(ValueError):
    """A folder that the App names is not there: raised while it starts, never while it serves."""

    def __init__(self, option: str, folder: Path | str) -> None:
        what = "is no folder" if os.path.exists(folder) else "does not exist"
        super().__init__(f"the folder of {option}= {what}: {folder}; make it, or leave {option}= out of App(...)")


class Variant(msgspec.Struct, frozen=True):
    """One coding of a file: its bytes where they are kept, else the path to read them from. `fixed` are its header lines."""

    coding: str | None
    path: str
    signature: Signature
    size: int
    etag: str
    body: bytes | None
    fixed: bytes


class File(msgspec.Struct):
    """A file and its variants by coding; `plain` is the file itself. `codings` are what it has, in our order of preference."""

    plain: Variant
    modified: int
    content_type: str
    shared: bytes
    """The header lines that all its variants have."""
    always: bytes
    """Those of them that a 304 has too (RFC 9110, section 15.4.5)."""
    coded: dict[str, Variant]
    codings: tuple[str, ...]

    @property
    def weight(self) -> int:
        """The bytes that it holds in memory."""
        own = len(self.plain.body or b"")
        return own + 1024 + sum(len(made.body or b"") for made in self.coded.values() if made is not self.plain)


class Folder:
    """A folder on disk. `memory` bounds what is kept, `small` what one file may be to be kept; both in bytes."""

    def __init__(
        self, folder: Path | str, *, memory: int = 32 * 1024 * 1024, small: int = 256 * 1024, immutable: bool = True
    ) -> None:
        self._root = os.path.realpath(folder)
        if not os.path.isdir(self._root):
            raise FolderError("static", folder)
        self._inside = self._root.rstrip(os.sep) + os.sep
        self._memory = memory
        self._small = small
        self._immutable = immutable
        self._kept: OrderedDict[str, File] = OrderedDict()
        self._weight = 0

    def find(self, path: str) -> File | None:
        """The file at a decoded path; a path that ends in a slash is its folder's index.html."""
        kept = self._kept.get(path)
        if kept is not None:
            if _signature(kept.plain.path) == kept.plain.signature:
                self._kept.move_to_end(path)
                return kept
            self._forget(path)
        real = self._real(path + "index.html" if path.endswith("/") else path)
        if real is None:
            return None
        file = self._look(real)
        if file is not None:
            self._keep(path, file)
        return file

    def is_folder(self, path: str) -> bool:
        """Whether the path with a slash added would be an index page."""
        return not path.endswith("/") and self._real(path) is None and self._real(path + "/index.html") is not None

    def variant(self, path: str, file: File, coding: str) -> Variant:
        """A file's coded variant; made now where it is the first time that somebody wants it."""
        known = file.coded.get(coding)
        if known is not None:
            return known
        assert file.plain.body is not None
        body = compress(file.plain.body, coding)
        if len(body) >= len(file.plain.body):
            file.coded[coding] = file.plain
            return file.plain
        made = _variant(file.shared, coding, file.plain.path, file.plain.signature, file.plain.etag, len(body), body)
        file.coded[coding] = made
        if self._kept.get(path) is file:
            self._weight += len(body)
            self._shrink()
        return made

    def _real(self, path: str) -> str | None:
        """The real path of a regular file inside of the folder, or None."""
        if not path.startswith("/") or len(path) > 4096 or _NEVER.search(path) or not _is_shown(path[1:]):
            return None
        real = os.path.realpath(self._inside + path[1:])
        # A link may lead on to another file of the folder, but not to one that has no address of its own.
        if not real.startswith(self._inside) or not _is_shown(real[len(self._inside) :]):
            return None
        return real if _signature(real) is not None else None

    def _look(self, real: str) -> File | None:
        """Read what is to be known of a file. What is small is read and hashed; the tag of others comes from its signature."""
        signature = _signature(real)
        if signature is None:
            return None
        time_ns, size, inode = signature
        body: bytes | None = None
        if size <= self._small:
            try:
                body = Path(real).read_bytes()
            except OSError:
                return None
            size = len(body)
            etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        else:
            etag = f'"{time_ns:x}-{size:x}-{inode:x}"'
        kind = content_type_of(real)
        # A time in the future would make every later answer look changed (RFC 9110, section 8.8.2.1).
        modified = min(time_ns // 1_000_000_000, int(time.time()))
        hashed = self._immutable and _HASHED.search(os.path.basename(real))
        cached = "public, max-age=31536000, immutable" if hashed else "no-cache"
        gains = compressible(kind) and size >= _LEAST_COMPRESSED
        vary = "vary: Accept-Encoding\r\n" if gains else ""
        always = f"last-modified: {format_date(modified)}\r\ncache-control: {cached}\r\n{vary}"
        shared = f"content-type: {kind}\r\nx-content-type-options: nosniff\r\n{always}".encode("latin-1")
        siblings = self._siblings(real, etag, shared, signature) if gains else {}
        codings = tuple(coding for coding in CODINGS if coding in siblings or (gains and body is not None))
        plain = _variant(shared, None, real, signature, etag, size, body)
        return File(plain, modified, kind, shared, always.encode("latin-1"), dict(siblings), codings)

    def _siblings(self, real: str, etag: str, shared: bytes, signature: Signature) -> dict[str, Variant]:
        """The files beside it that hold it coded already; one that is older than the file is out of date."""
        found: dict[str, Variant] = {}
        for coding, ending in _SIBLINGS.items():
            path = os.path.realpath(real + ending)
            other = _signature(path) if path.startswith(self._inside) else None
            if other is not None and other[0] >= signature[0]:
                body = Path(path).read_bytes() if other[1] <= self._small else None
                found[coding] = _variant(shared, coding, path, other, etag, other[1], body)
        return found

    def _keep(self, path: str, file: File) -> None:
        if file.weight > self._memory // 4:
            return
        self._kept[path] = file
        self._weight += file.weight
        self._shrink()

    def _shrink(self) -> None:
        while self._kept and (self._weight > self._memory or len(self._kept) > _MOST_FILES):
            self._forget(next(iter(self._kept)))

    def _forget(self, path: str) -> None:
        self._weight -= self._kept.pop(path).weight


def _is_shown(name: str) -> bool:
    """Whether a path below the folder has neither empty nor hidden parts; `.well-known` (RFC 8615) is the one exception."""
    parts = name.removeprefix(".well-known/").split("/")
    return not any(not part or part.startswith(".") for part in parts)


def _signature(path: str) -> Signature | None:
    """A regular file's signature, or None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _variant(
    shared: bytes, coding: str | None, path: str, signature: Signature, etag: str, size: int, body: bytes | None
) -> Variant:
    if coding is None:
        return Variant(None, path, signature, size, etag, body, shared + f"etag: {etag}\r\naccept-ranges: bytes\r\n".encode())
    tag = with_suffix(etag, coding)
    return Variant(coding, path, signature, size, tag, body, shared + f"etag: {tag}\r\ncontent-encoding: {coding}\r\n".encode())


def content_type_of(path: str) -> str:
    """A file's media type by its ending, with the charset where the type has one."""
    kind, packed = _TYPES.guess_type(os.path.basename(path))
    if packed is not None:
        # An archive is what was asked for; it is not a coding of something else.
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(
            packed, "application/octet-stream"
        )
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
