"""The smallest files that a browser takes for what they say they are: an image, a font, a sheet, a page, by ending.

In: a file's name. Out: its media type and bytes. The font has one glyph, which it gives to every printable ASCII character.
"""

from __future__ import annotations

import struct
import zlib

__all__ = ["FONT", "PNG", "small_file"]


def _png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80\x80\x80\xff" * side for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _font() -> bytes:
    """TrueType with the tables that browsers insist on."""
    square = struct.pack(">hhhhh", 1, 0, 0, 500, 500) + struct.pack(">HH", 3, 0) + b"\x01" * 4
    square += struct.pack(">hhhh", 0, 500, 0, -500) + struct.pack(">hhhh", 0, 0, 500, 0)
    square += b"\0" * (-len(square) % 4)
    codes = struct.pack(">HHHHHHH", 4, 32, 0, 4, 4, 1, 0) + struct.pack(">HH", 0x7E, 0xFFFF) + b"\0\0"
    codes += struct.pack(">HH", 0x20, 0xFFFF) + struct.pack(">HH", (1 - 0x20) & 0xFFFF, 1) + struct.pack(">HH", 0, 0)
    glyphs = 0x7F - 0x20 + 1
    words = [("Probe", 1), ("Regular", 2), ("Probe 1", 3), ("Probe", 4), ("1", 5), ("Probe", 6)]
    names, texts = b"", b""
    for text, number in words:
        coded = text.encode("utf-16-be")
        names += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(coded), len(texts))
        texts += coded
    os2 = struct.pack(">HhHHHhhhhhhhhhhh", 4, 500, 400, 5, 0, 100, 100, 0, 100, 100, 100, 0, 100, 50, 250, 0) + b"\0" * 10
    os2 += struct.pack(">IIII", 1, 0, 0, 0) + b"TEST" + struct.pack(">HHHhhhHH", 0x40, 0x20, 0x7E, 800, -200, 0, 800, 200)
    os2 += struct.pack(">II", 1, 0) + struct.pack(">hhHHH", 500, 700, 0, 0x20, 1)
    offsets = [0, 0, *([len(square)] * (glyphs - 1))]
    tables = {
        b"OS/2": os2,
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 1, 12) + codes,
        b"glyf": square,
        b"head": struct.pack(">IIIIHHqqhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, 1000, 0, 0, 0, 0, 500, 500, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, 800, -200, 0, 500, 0, 0, 500, 1, 0, 0, 0, 0, 0, 0, 0, glyphs),
        b"hmtx": struct.pack(">Hh", 500, 0) * glyphs,
        b"loca": struct.pack(f">{glyphs + 1}I", *offsets),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, glyphs, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": struct.pack(">HHH", 0, len(words), 6 + len(names)) + names + texts,
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    directory, body, start = b"", b"", 12 + 16 * len(tables)
    for tag, data in sorted(tables.items()):
        padded = data + b"\0" * (-len(data) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += tag + struct.pack(">III", total, start + len(body), len(data))
        body += padded
    return struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, len(tables) * 16 - 128) + directory + body


PNG = _png(16)
FONT = _font()
_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><rect id="a" width="9" height="9"/>'
    b'<defs><filter id="f"><feFlood/></filter><clipPath id="c"><rect width="9" height="9"/></clipPath></defs></svg>'
)
_FILES = {
    "png": ("image/png", PNG), "svg": ("image/svg+xml", _SVG), "ttf": ("font/ttf", FONT), "css": ("text/css", b"x-y{color:red}"),
    "js": ("text/javascript", b";"), "mjs": ("text/javascript", b";"), "html": ("text/html", b"<!doctype html><p>small"),
    "json": ("application/json", b"{}"), "webmanifest": ("application/manifest+json", b"{}"), "vtt": ("text/vtt", b"WEBVTT\n"),
    "webm": ("video/webm", b""), "mp3": ("audio/mpeg", b""), "ico": ("image/x-icon", PNG), "txt": ("text/plain", b"small"),
}  # fmt: skip


def small_file(name: str) -> tuple[str, bytes] | None:
    """The media type and the bytes of a file by this name; None for other endings."""
    return _FILES.get(name.rpartition(".")[2])
