"""First bytes by which formats are known (WHATWG MIME Sniffing, section 6): the tables, and the two formats that need more.

In: bytes. Out: whether they fit. Pure.
"""

from __future__ import annotations

import re

import msgspec

__all__ = ["ARCHIVES", "AUDIO_VIDEO", "FONTS", "IMAGES", "Signature", "is_mp4", "is_webm", "starts_html"]


class Signature(msgspec.Struct, frozen=True):
    """A pattern of first bytes, the type it stands for, and what people call that."""

    pattern: bytes
    type: str
    what: str
    mask: bytes | None = None
    """The bits that count; None: all."""

    def matches(self, head: bytes) -> bool:
        """Whether `head` begins so."""
        if self.mask is None:
            return head.startswith(self.pattern)
        size = len(self.pattern)
        if len(head) < size:
            return False
        return all(byte & bits == wanted for byte, bits, wanted in zip(head, self.mask, self.pattern, strict=False))


def _gap(pattern: bytes, type: str, what: str) -> Signature:
    """A pattern whose `?` stand for any byte."""
    mask = bytes(0 if byte == 0x3F else 0xFF for byte in pattern)
    return Signature(bytes(byte & bits for byte, bits in zip(pattern, mask, strict=True)), type, what, mask)


IMAGES: tuple[Signature, ...] = (
    Signature(b"\x00\x00\x01\x00", "image/x-icon", "a Windows icon"),
    Signature(b"\x00\x00\x02\x00", "image/x-icon", "a Windows cursor"),
    Signature(b"BM", "image/bmp", "a BMP image"),
    Signature(b"GIF87a", "image/gif", "a GIF image"),
    Signature(b"GIF89a", "image/gif", "a GIF image"),
    _gap(b"RIFF????WEBPVP", "image/webp", "a WebP image"),
    Signature(b"\x89PNG\r\n\x1a\n", "image/png", "a PNG image"),
    Signature(b"\xff\xd8\xff", "image/jpeg", "a JPEG image"),
    # Beyond the standard's table, which lags behind what browsers show.
    _gap(b"????ftypavif", "image/avif", "an AVIF image"),
    _gap(b"????ftypavis", "image/avif", "an AVIF image sequence"),
)
AUDIO_VIDEO: tuple[Signature, ...] = (
    _gap(b"FORM????AIFF", "audio/aiff", "an AIFF file"),
    Signature(b"ID3", "audio/mpeg", "an MP3 file"),
    Signature(b"OggS\x00", "application/ogg", "an Ogg file"),
    Signature(b"MThd\x00\x00\x00\x06", "audio/midi", "a MIDI file"),
    _gap(b"RIFF????AVI ", "video/avi", "an AVI file"),
    _gap(b"RIFF????WAVE", "audio/wave", "a WAVE file"),
    # No ID3 tag, but the frame of MPEG 1, layer 3: the standard reads its header, whose first eleven bits these are.
    Signature(b"\xff\xfa", "audio/mpeg", "an MP3 file", b"\xff\xfe"),
)
FONTS: tuple[Signature, ...] = (
    Signature(b"\x00\x01\x00\x00", "font/ttf", "a TrueType font"),
    Signature(b"OTTO", "font/otf", "an OpenType font"),
    Signature(b"ttcf", "font/collection", "a font collection"),
    Signature(b"wOFF", "font/woff", "a WOFF font"),
    Signature(b"wOF2", "font/woff2", "a WOFF2 font"),
    Signature(b"\x00" * 34 + b"LP", "application/vnd.ms-fontobject", "an embedded OpenType font", b"\x00" * 34 + b"\xff\xff"),
)
ARCHIVES: tuple[Signature, ...] = (
    Signature(b"\x1f\x8b\x08", "application/x-gzip", "a gzip file"),
    Signature(b"PK\x03\x04", "application/zip", "a ZIP file"),
    Signature(b"Rar \x1a\x07\x00", "application/x-rar-compressed", "a RAR file"),
    Signature(b"Rar!\x1a\x07", "application/x-rar-compressed", "a RAR file"),
)

_HTML = re.compile(
    rb"[\t\n\x0c\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[ >]", re.IGNORECASE
)
_COMMENT = re.compile(rb"[\t\n\x0c\r ]*<!--")


def starts_html(head: bytes) -> bool:
    """Whether a text begins with one of the tags by which HTML is known, ended by a space or `>` (section 7.1)."""
    return _HTML.match(head) is not None or _COMMENT.match(head) is not None


def is_mp4(head: bytes) -> bool:
    """Section 6.2.1: a first box `ftyp` that names a brand `mp4?`."""
    if len(head) < 12:
        return False
    size = int.from_bytes(head[:4], "big")
    if size % 4 or len(head) < size or head[4:8] != b"ftyp":
        return False
    return head[8:11] == b"mp4" or any(head[at : at + 3] == b"mp4" for at in range(16, size, 4))


def is_webm(head: bytes) -> bool:
    """Section 6.2.2: an EBML header whose document type is `webm`."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return False
    at = head.find(b"\x42\x82", 4, 38)
    if at < 0 or at + 2 >= len(head):
        return False
    first = head[at + 2]
    width = 9 - first.bit_length() if first else 9  # a variable-size integer: its leading zeros tell how many bytes it has
    return head[at + 2 + width : at + 2 + width + 12].lstrip(b"\x00").startswith(b"webm")
