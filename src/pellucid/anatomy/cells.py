"""Text in the cells of a terminal: how many it takes, how it is cut, and how it is kept from commanding the terminal.

In: text of anybody's making, such as a URL or a header. Out: text that is safe to print and fits. Wide letters take two cells,
combining marks none (Unicode TR 11); letters of ambiguous width take one, as everywhere outside of old East Asian locales.
"""

from __future__ import annotations

import textwrap
import unicodedata
from functools import lru_cache

__all__ = ["clean", "fit", "fit_middle", "pad", "width", "wrap"]

_MOST = 4096
_MOST_MARKS = 2


def clean(text: str) -> str:
    """The text without anything that a terminal obeys: control, format and bidirectional characters are written as escapes.

    What is longer than 4,096 characters is cut; of combining marks two are kept for a letter.
    """
    if text.isascii() and text.isprintable() and len(text) <= _MOST:
        return text
    kept: list[str] = []
    marks = 0
    for letter in text[:_MOST]:
        if letter in "\t\n\r\v\f" or unicodedata.category(letter) in ("Zs", "Zl", "Zp"):
            kept.append(" ")
        elif not letter.isprintable():
            kept.append(letter.encode("unicode_escape", "backslashreplace").decode("ascii"))
        elif unicodedata.category(letter) in ("Mn", "Me"):
            marks += 1
            if marks <= _MOST_MARKS and not "\ufe00" <= letter <= "\ufe0f":
                kept.append(letter)
            continue
        else:
            kept.append(letter)
        marks = 0
    return "".join(kept) + ("…" if len(text) > _MOST else "")


@lru_cache(1024)
def _cell(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def width(text: str) -> int:
    """How many cells a clean text takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _take(text: str, room: int) -> str:
    """As much of the beginning as fits."""
    at = 0
    for at, letter in enumerate(text):
        room -= _cell(letter)
        if room < 0:
            return text[:at]
    return text


def fit(text: str, room: int) -> str:
    """The text cut at its end to at most `room` cells."""
    if width(text) <= room:
        return text
    return f"{_take(text, room - 1)}…" if room > 0 else ""


def fit_middle(text: str, room: int) -> str:
    """The text cut in its middle to at most `room` cells: of an address both ends tell more than the middle does."""
    if width(text) <= room:
        return text
    if room < 8:
        return fit(text, room)
    tail = (room - 1) * 3 // 5
    end = _take(text[::-1], tail)[::-1]
    while end and _cell(end[0]) == 0:  # a mark without its letter
        end = end[1:]
    return f"{_take(text, room - 1 - width(end))}…{end}"


def pad(text: str, room: int, *, right: bool = False) -> str:
    """The text in exactly `room` cells, cut at its end or filled up with blanks."""
    text = fit(text, room)
    blanks = " " * (room - width(text))
    return blanks + text if right else text + blanks


def wrap(text: str, room: int, most: int = 99) -> list[str]:
    """The text in lines of at most `room` cells, broken at blanks where there are any; the last of `most` lines is cut."""
    room = max(room, 2)
    if text.isascii():
        lines = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    else:
        lines = [""]
        for word in text.split(" "):
            while True:
                joined = f"{lines[-1]} {word}" if lines[-1] else word
                if width(joined) <= room:
                    lines[-1] = joined
                    break
                if lines[-1]:
                    lines.append("")
                    continue
                lines[-1] = _take(word, room)
                word = word[len(lines[-1]) :]
                lines.append("")
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), room)]
    return [line for line in lines if line] or [""]
