"""A waterfall as data: what the terminal, the SVG and the HTML report draw, each with its own pencil.

In: nothing; `waterfall.py` makes it. Out: rows with text and pieces of time on one axis. It knows no widths, cells, pixels or
colours, and no journey either.

A phase has a texture besides its colour, so that a picture without colours loses nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["LOOKS", "Drawing", "Look", "Phase", "Piece", "Role", "Row", "Tone", "ticks"]

Phase = Literal["queue", "dns", "connect", "lost", "tls", "send", "wait", "receive", "server", "sql", "timing", "more"]
Role = Literal["lookup", "attempt", "tls", "visit", "server", "sql", "timing", "more"]
Tone = Literal["plain", "good", "moved", "warning", "bad", "quiet"]


class Look(msgspec.Struct, frozen=True):
    """How a phase is told from the others: its texture, and its name in the legend."""

    glyph: str
    meaning: str


LOOKS: dict[Phase, Look] = {
    "queue": Look("░", "queued"),
    "dns": Look("▒", "dns"),
    "connect": Look("▓", "connect"),
    "lost": Look("×", "lost attempt"),
    "tls": Look("▞", "tls"),
    "send": Look("─", "send"),
    "wait": Look("·", "wait"),
    "receive": Look("█", "receive"),
    "server": Look("╌", "inside the server"),
    "sql": Look("▪", "sql"),
    "timing": Look("▫", "told by the server, start unknown"),
    "more": Look("┄", "several"),
}


class Piece(msgspec.Struct, frozen=True):
    """A stretch of one phase, from instant to instant in nanoseconds. Where `sure` is False its place is a guess."""

    phase: Phase
    start: int
    end: int
    name: str = ""
    """Of a station inside the server."""
    sure: bool = True


class Row(msgspec.Struct, frozen=True):
    """One row: its place in the tree, its text, its pieces on the axis. All text is safe to print."""

    role: Role
    ref: int | None = None
    """The id of the lookup, connection or visit that it is about."""
    tree: tuple[bool, ...] = ()
    """For each level below the root, whether a sibling follows: `(True, False)` is drawn `│ └ `."""
    lead: str = ""
    """What it is: `dns`, `tcp`, `tls`, `GET`, `server`, `sql`."""
    label: str = ""
    aside: str = ""
    """More of it, where there is room beside the label: `3 hops`."""
    kind: str = ""
    status: str = ""
    size: int | None = None
    duration: int | None = None
    """Nanoseconds from the first piece to the end of the last."""
    tone: Tone = "plain"
    pieces: tuple[Piece, ...] = ()
    note: str = ""
    """Said where its bar leaves room, else below."""
    unsure: bool = False
    """Its figures are guesses, marked with `~`."""
    failed: bool = False
    visits: tuple[int, ...] = ()
    """The visits that it stands for: its own, or those that were left out."""

    @property
    def spans(self) -> bool:
        """Whether its text takes the columns of kind, status and size as well."""
        return self.role not in ("visit", "more")


class Drawing(msgspec.Struct, frozen=True):
    """A waterfall: a title, the axis from `start` to `end` in nanoseconds of the journey, rows from top to bottom."""

    title: str
    start: int
    end: int
    rows: list[Row]

    @property
    def phases(self) -> list[Phase]:
        """The phases that occur, in the order of the legend."""
        found = {piece.phase for row in self.rows for piece in row.pieces}
        return [phase for phase in LOOKS if phase in found]


def ticks(start: int, end: int, most: int) -> tuple[list[tuple[int, str]], str]:
    """At most `most` round instants of the axis with their labels, counted from its start; and the unit: `ms` or `s`."""
    length = max(end - start, 1)
    unit, scale = ("s", 10**9) if length >= 10 * 10**9 else ("ms", 10**6)
    step = 1000
    for step in (factor * 10**power for power in range(3, 20) for factor in (1, 2, 5)):
        if length / step < max(most, 2):
            break
    return [(start + at, f"{at / scale:,.10g}") for at in range(0, length + 1, step)], unit
