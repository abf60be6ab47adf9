"""Functions that SQLite lacks beside PostgreSQL: LIKE without regard to case, for all of Unicode; base64 of
bytes.

In: text and a LIKE pattern (`%` any run, `_` any one character, `\\` takes the next one literally). Out:
whether it fits. SQLite's own folds only ASCII. No regular expressions: strangers choose the patterns, and
this matcher takes at most length of text x length of pattern.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache

import apsw

__all__ = ["base64", "ilike", "register"]

_FLAGS = apsw.SQLITE_INNOCUOUS  # may stand in indexes and checks although the schema is not trusted

_ANY = None  # in a piece: `_`, any one character

Piece = tuple[str | None, ...]


def register(db: apsw.Connection) -> None:
    """Give a connection `pellucid_ilike(text, pattern)` and `pellucid_base64(blob)`."""
    db.create_scalar_function("pellucid_ilike", ilike, 2, deterministic=True, flags=_FLAGS)
    db.create_scalar_function("pellucid_base64", base64, 1, deterministic=True, flags=_FLAGS)


def ilike(*values: apsw.SQLiteValue) -> bool | None:
    """Whether a text fits a LIKE pattern, both folded; None where either is NULL."""
    text, pattern = values
    if text is None or pattern is None:
        return None
    return _matcher(str(pattern))(str(text).casefold())


def base64(*values: apsw.SQLiteValue) -> str | None:
    """Bytes, or a text's UTF-8, as base64 (RFC 4648, section 4); None for NULL."""
    (value,) = values
    if value is None:
        return None
    return b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """The cheapest test for a pattern: nearly all are `a`, `a%`, `%a` or `%a%`."""
    pieces = _pieces(pattern.casefold())
    plain = ["".join(piece) for piece in pieces if _ANY not in piece]  # type: ignore[arg-type]
    if len(plain) == len(pieces):
        if len(pieces) == 1:
            return plain[0].__eq__
        if len(pieces) == 2:
            head, tail = plain
            if not tail:
                return lambda text: text.startswith(head)
            if not head:
                return lambda text: text.endswith(tail)
        if len(pieces) == 3 and not plain[0] and not plain[2]:
            inner = plain[1]
            return lambda text: inner in text
    return lambda text: _fits(pieces, text)


def _pieces(pattern: str) -> list[Piece]:
    """The pattern cut at each `%`."""
    pieces: list[Piece] = []
    piece: list[str | None] = []
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            pieces.append(tuple(piece))
            piece = []
        elif character == "_":
            piece.append(_ANY)
        elif character == "\\":
            piece.append(next(characters, "\\"))
        else:
            piece.append(character)
    pieces.append(tuple(piece))
    return pieces


def _fits(pieces: list[Piece], text: str) -> bool:
    """First and last piece are anchored; those between are each taken where they first fit, which never
    misses a match.
    """
    head, *middle = pieces
    if not _at(head, text, 0):
        return False
    if not middle:
        return len(text) == len(head)
    *middle, tail = middle
    last = len(text) - len(tail)
    place = len(head)
    if last < place or not _at(tail, text, last):
        return False
    for piece in middle:
        while place + len(piece) <= last and not _at(piece, text, place):
            place += 1
        place += len(piece)
        if place > last:
            return False
    return True


def _at(piece: Piece, text: str, place: int) -> bool:
    return len(text) - place >= len(piece) and all(
        wanted is _ANY or wanted == found
        for wanted, found in zip(piece, text[place : place + len(piece)], strict=True)
    )
