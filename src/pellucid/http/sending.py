"""Form bodies as browsers write them (URL, section 5.2; HTML, sections 4.10.21.5 to 4.10.21.8; RFC 7578).

In: fields and files in the order of the form. Out: bytes, and for multipart the Content-Type that names the boundary. No I/O:
whoever has a file reads it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

import msgspec

__all__ = ["File", "guess_type", "multipart", "plain", "urlencoded"]

_KEPT = frozenset(b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_ENCODED = [chr(byte) if byte in _KEPT else "+" if byte == 0x20 else f"%{byte:02X}" for byte in range(256)]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AB"
# Chrome knows some endings itself and asks the system for the others, which differs from machine to machine.
_TYPES = {
    "html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript",
    "json": "application/json", "txt": "text/plain", "text": "text/plain", "csv": "text/csv", "md": "text/markdown",
    "xml": "text/xml", "xhtml": "application/xhtml+xml", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "ico": "image/vnd.microsoft.icon",
    "bmp": "image/bmp", "mp3": "audio/mpeg", "ogg": "audio/ogg", "oga": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac",
    "m4a": "audio/x-m4a", "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg",
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip", "wasm": "application/wasm",
    "woff": "application/font-woff",
    "woff2": "font/woff2", "ics": "text/calendar", "vcf": "text/vcard", "webmanifest": "application/manifest+json",
}  # fmt: skip


class File(msgspec.Struct, frozen=True):
    """A file of a form: the name that is told, its bytes, its type (None: guessed by the name)."""

    name: str
    data: bytes
    type: str | None = None


def guess_type(name: str) -> str:
    """The media type by a file name's ending; `application/octet-stream` where it says nothing, as browsers do."""
    return _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream") if "." in name else "application/octet-stream"


def _lines(text: str) -> str:
    """CR and LF alone become CR LF (HTML, "normalize newlines")."""
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def _utf_8(text: str) -> bytes:
    """UTF-8; half a surrogate pair becomes U+FFFD, as everywhere on the web."""
    return re.sub("[\ud800-\udfff]", "�", text).encode()


def urlencoded(fields: Sequence[tuple[str, str | File]]) -> bytes:
    """`application/x-www-form-urlencoded`; of a file only the name is sent."""
    pairs = [(name, value.name if isinstance(value, File) else value) for name, value in fields]
    return "&".join(f"{_percent(_lines(name))}={_percent(_lines(value))}" for name, value in pairs).encode()


def _percent(text: str) -> str:
    return "".join([_ENCODED[byte] for byte in _utf_8(text)])


def _quoted(name: str) -> bytes:
    """A name inside quotes: the three characters that would break out are escaped, and no others."""
    return _utf_8(name).replace(b"\n", b"%0A").replace(b"\r", b"%0D").replace(b'"', b"%22")


def new_boundary() -> str:
    """A boundary as Chrome makes them: 16 random letters and digits behind a fixed beginning."""
    return "----WebKitFormBoundary" + "".join(_LETTERS[byte & 63] for byte in secrets.token_bytes(16))


def multipart(fields: Sequence[tuple[str, str | File]], boundary: str | None = None) -> tuple[str, bytes]:
    """Content-Type and body of `multipart/form-data`. Without a boundary a random one is made that is in none of the values."""
    while boundary is None:
        made = new_boundary()
        if not any(made.encode() in (value.data if isinstance(value, File) else _utf_8(value)) for _, value in fields):
            boundary = made
    mark = boundary.encode("ascii")
    parts: list[bytes] = []
    for name, value in fields:
        parts.append(b"--" + mark + b'\r\nContent-Disposition: form-data; name="' + _quoted(_lines(name)) + b'"')
        if isinstance(value, File):
            kind = (value.type or guess_type(value.name)).encode("latin-1", "replace")
            if re.search(rb"[\r\n\x00]", kind):
                raise ValueError(f"The type of {value.name!r} has a line break in it")
            parts.append(
                b'; filename="' + _quoted(value.name) + b'"\r\nContent-Type: ' + kind + b"\r\n\r\n" + value.data + b"\r\n"
            )
        else:
            parts.append(b"\r\n\r\n" + _utf_8(_lines(value)) + b"\r\n")
    parts.append(b"--" + mark + b"--\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def plain(fields: Sequence[tuple[str, str | File]]) -> bytes:
    """`text/plain`: for people to read, not to be parsed."""
    pairs = [(name, value.name if isinstance(value, File) else value) for name, value in fields]
    return b"".join(_utf_8(f"{_lines(name)}={_lines(value)}\r\n") for name, value in pairs)
