"""The drawings as they look: every width, with colours and without, against files that were looked at."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import journeys
from pellucid.anatomy.cells import width as cells
from pellucid.anatomy.terminal import Color, overview

WIDTHS = (40, 60, 80, 100, 160)
Held = Callable[[str, str], None]
COLORS: tuple[Color, ...] = ("16", "256", "truecolor")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_shop_at_every_width(width: int, held: Held) -> None:
    text = overview(journeys.shop(), width)
    assert max(map(cells, text.splitlines())) <= width
    held(f"shop-{width}", text)


@pytest.mark.parametrize("color", COLORS)
def test_colours_add_nothing_but_colour(color: Color, held: Held) -> None:
    text = overview(journeys.shop(), 100, color)
    held(f"shop-100-{color}", text)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert [line.rstrip() for line in bare.splitlines()] == overview(journeys.shop(), 100).splitlines()


@pytest.mark.parametrize("name", ["simple", "nameless", "expired"])
@pytest.mark.parametrize("width", [40, 80])
def test_smaller_journeys(name: str, width: int, held: Held) -> None:
    held(f"{name}-{width}", overview(getattr(journeys, name)(), width))
