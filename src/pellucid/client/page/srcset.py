"""Responsive images: which of several URLs a browser takes (WHATWG HTML, sections 4.8.4.2 to 4.8.4.3.12).

In: the attributes `srcset`, `sizes` and `src`, and the viewport. Out: one URL as written, or None. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pellucid.client.page.media import length, matches_condition
from pellucid.client.page.tokens import significant
from pellucid.journey import Viewport

__all__ = ["Candidate", "choose", "parse_sizes", "parse_srcset", "supported_image"]

_WHITE = " \t\n\f\r"
_INTEGER = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_TYPES = frozenset(
    {
        "image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/apng", "image/x-png", "image/gif", "image/webp",
        "image/avif", "image/jxl", "image/svg+xml", "image/bmp",
        "image/x-ms-bmp", "image/x-windows-bmp", "image/x-xbitmap", "image/x-icon",
        "image/vnd.microsoft.icon",
    }
)  # fmt: skip


class Candidate(NamedTuple):
    """One image of a `srcset`: at most one of width and density is there."""

    url: str
    width: int | None
    density: float | None


def supported_image(type: str) -> bool:
    """Whether Chrome shows images of this type; an empty one it tries."""
    essence = type.partition(";")[0].strip(_WHITE).lower()
    return not essence or essence in _TYPES


def parse_srcset(text: str) -> list[Candidate]:
    """The candidates of a `srcset` attribute; those with a wrong descriptor are left out (section 4.8.4.3.10)."""
    found: list[Candidate] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _WHITE + ",":
            at += 1
        if at >= end:
            return found
        start = at
        while at < end and text[at] not in _WHITE:
            at += 1
        url = text[start:at]
        descriptors: list[str] = []
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            descriptors, at = _descriptors(text, at)
        candidate = _candidate(url, descriptors)
        if candidate is not None:
            found.append(candidate)


def _descriptors(text: str, at: int) -> tuple[list[str], int]:
    """The words up to the next comma outside of parentheses."""
    words: list[str] = []
    word = ""
    deep = False
    while at < len(text):
        character = text[at]
        at += 1
        if not deep and character == ",":
            break
        if not deep and character in _WHITE:
            if word:
                words.append(word)
            word = ""
            continue
        word += character
        deep = character == "(" or (deep and character != ")")
    if word:
        words.append(word)
    return words, at


def _candidate(url: str, descriptors: list[str]) -> Candidate | None:
    width: int | None = None
    density: float | None = None
    height: int | None = None
    for word in descriptors:
        number, unit = word[:-1], word[-1]
        if unit == "w" and _INTEGER.fullmatch(number) and width is None and density is None and int(number) > 0:
            width = int(number)
        elif unit == "x" and _NUMBER.fullmatch(number) and width is None and density is None and height is None:
            density = float(number)
            if density < 0:
                return None
        elif unit == "h" and _INTEGER.fullmatch(number) and height is None and density is None and int(number) > 0:
            height = int(number)
        else:
            return None
    if height is not None and width is None:
        return None
    return Candidate(url, width, density)


def parse_sizes(text: str | None, viewport: Viewport) -> float:
    """The width in CSS pixels that a `sizes` attribute gives the image; 100vw where it says nothing (section 4.8.4.3.11).

    `auto` needs layout, which is not computed: it counts as 100vw.
    """
    from pellucid.client.page.tokens import CssToken, css_tokens

    parts: list[list[CssToken]] = [[]]
    for token in css_tokens(text or ""):
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        tokens = significant(part)
        if not tokens:
            continue
        if part is parts[0] and len(tokens) == 1 and tokens[0].type == "ident" and tokens[0].lower_value == "auto":
            break
        size = length(tokens[-1:], viewport)
        if size is None or size < 0:
            continue
        if len(tokens) == 1 or matches_condition(tokens[:-1], viewport):
            return size
    return float(viewport.width)


def choose(srcset: str | None, sizes: str | None, src: str | None, viewport: Viewport) -> str | None:
    """The URL that Chrome takes: of all densities the lowest that is not below the screen's."""
    candidates = parse_srcset(srcset) if srcset else []
    if src and not any(each.width is not None or each.density == 1 or each.density is None for each in candidates):
        candidates.append(Candidate(src, None, None))
    if not candidates:
        return None
    if len(candidates) == 1:
        return candidates[0].url
    size = parse_sizes(sizes, viewport) if any(each.width is not None for each in candidates) else 0.0
    by_density: dict[float, str] = {}
    for each in candidates:
        density = each.width / size if each.width is not None and size else each.density
        if each.width is not None and not size:
            density = float("inf")
        by_density.setdefault(1.0 if density is None else density, each.url)
    # Chrome 156, measured: an image too small never while there is a larger one.
    enough = [density for density in by_density if density >= viewport.density]
    return by_density[min(enough) if enough else max(by_density)]
