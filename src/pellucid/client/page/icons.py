"""Which icons of a page Chrome asks for: its tabs show them at 16 pixels, or 32 on dense screens (read off Chromium 156).

In: the `<link rel=icon>` of a document, in order. Out: those that are asked for. Chrome ranks them by the sizes that they
declare, those that declare none before all others, later ones before earlier ones, and goes on down as long as the next one
promises more than what has come fits. What has come is not looked at here: a declared size counts as true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Icon", "chosen_icons"]

_WANTED = (16, 32)


class Icon(NamedTuple):
    """A `<link rel=icon>` and its place."""

    href: str
    sizes: str
    offset: int | None
    line: int | None


def chosen_icons(icons: Sequence[Icon]) -> list[Icon]:
    """The icons that are asked for, in their order."""
    later_first = list(reversed(icons))
    ranked = sorted(later_first, key=lambda icon: -_score(icon.sizes))
    open_ended = [icon for icon in ranked if not _sides(icon.sizes)]
    return open_ended or ranked[:1]


def _sides(sizes: str) -> list[int]:
    """The widths that are declared; `any` declares none."""
    found: list[int] = []
    for word in sizes.lower().split():
        width, _, height = word.partition("x")
        if width.isascii() and width.isdigit() and height.isascii() and height.isdigit() and len(width) < 6:
            found.append(int(width))
    return [side for side in found if side]


def _score(sizes: str) -> float:
    """How well the declared sizes fit the wanted ones: to shrink an image is better than to enlarge it."""
    sides = _sides(sizes)
    if not sides:
        return float(len(_WANTED)) + 1
    return sum(
        max(1.0 if side == wanted else 0.9 * wanted / side if side > wanted else 0.6 * side / wanted for side in sides)
        for wanted in _WANTED
    )
