"""The picture as an SVG: well-formed, self-contained, and safe whatever a URL says."""

from __future__ import annotations

import re
from xml.etree import ElementTree as etree

import pytest

import journeys
from pellucid.anatomy.svg import picture

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["shop", "simple", "nameless", "expired"])
@pytest.mark.parametrize("width", [40, 110])
def test_it_is_well_formed_and_nothing_leaves_its_frame(name: str, width: int) -> None:
    text = picture(getattr(journeys, name)(), width)
    root = etree.fromstring(text)
    across, down = float(root.attrib["width"]), float(root.attrib["height"])
    for word in root.iter(f"{NAMESPACE}text"):
        assert float(word.attrib["x"]) + float(word.attrib.get("textLength", 0)) <= across - 20
        assert float(word.attrib["y"]) <= down - 8
    for box in root.iter(f"{NAMESPACE}rect"):
        assert float(box.attrib.get("x", 0)) + float(box.attrib["width"]) <= across
        assert float(box.attrib["width"]) > 0


def test_it_loads_nothing_and_has_both_grounds() -> None:
    text = picture(journeys.shop())
    assert not re.search(r"url\(|<script|<image|href|@import|@font-face", text)
    assert "prefers-color-scheme:dark" in text


def test_every_style_has_a_colour() -> None:
    text = picture(journeys.shop())
    used = set(re.findall(r'class="([\w-]+)"', text))
    assert used <= set(re.findall(r"\.([\w-]+)\{color", text))


def test_what_a_url_says_stays_text() -> None:
    evil = journeys.journey([journeys.visit(0, 'http://x/<script>alert("1")</script>&amp;\x1b[31m')])
    root = etree.fromstring(picture(evil, command='trace "<b>" & \x00'))
    words = " ".join(word.text or "" for word in root.iter(f"{NAMESPACE}text"))
    assert "<script>" in words
    assert not list(root.iter(f"{NAMESPACE}script"))


def test_the_colours_are_legible_on_both_grounds() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    text = picture(journeys.shop())
    style = re.search(r"<style>(.*)</style>", text)
    assert style is not None
    for rules in style[1].split("@media"):
        colours = dict(re.findall(r"\.([\w-]+)\{color:(#\w+)\}", rules))
        for name in {"plain", "label", "dim", "note", "size", "time", "good", "bad", "moved", "verdict-good"} & set(colours):
            pair = sorted((light(colours[name]), light(colours["ground"])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (name, colours[name])
