"""Media queries (Media Queries 4) as a desktop Chrome answers them.

In: the text of a `media` attribute, of `@media` or `@import`, or of a condition in `sizes`; and the viewport. Out: whether it
applies. What is written wrongly is `not all`, and what is not known is neither true nor false (section 3.1), as in a browser.
It never looks at a page. `supports.py` answers `@supports`.

tinycss2 makes tokens; it is imported only where a query is more than a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from pellucid.client.page.conditions import Malformed, Truth, condition, grouped
from pellucid.client.page.supports import supports
from pellucid.client.page.tokens import CssToken, number, significant
from pellucid.journey import Viewport

__all__ = ["length", "matches", "matches_condition", "supports"]

_NEVER = frozenset({"print", "speech", "aural", "braille", "embossed", "handheld", "projection", "tty", "tv"})
_RESERVED = frozenset({"only", "not", "and", "or", "layer"})

_PIXELS = {
    "px": 1.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "in": 96.0, "pt": 96 / 72, "pc": 16.0,
    "em": 16.0, "rem": 16.0, "ex": 7.2, "rex": 7.2, "ch": 8.0, "rch": 8.0, "cap": 11.0, "ic": 16.0, "ric": 16.0,
    "lh": 18.0, "rlh": 18.0,
}  # fmt: skip
_DOTS = {"dppx": 1.0, "x": 1.0, "dpi": 1 / 96, "dpcm": 2.54 / 96}

_WORDS = {
    "hover": "hover", "any-hover": "hover", "pointer": "fine", "any-pointer": "fine", "update": "fast", "scripting": "enabled",
    "overflow-block": "scroll", "overflow-inline": "scroll", "dynamic-range": "standard",
    "prefers-contrast": "no-preference", "forced-colors": "none", "prefers-reduced-motion": "no-preference",
    "prefers-reduced-transparency": "no-preference", "display-mode": "browser",
    "device-posture": "continuous",
}  # fmt: skip
_ALLOWED = {
    "hover": "none hover", "any-hover": "none hover", "pointer": "none coarse fine", "any-pointer": "none coarse fine",
    "update": "none slow fast", "scripting": "none initial-only enabled", "overflow-block": "none scroll paged",
    "overflow-inline": "none scroll", "dynamic-range": "standard high",
    "prefers-contrast": "no-preference more less custom", "forced-colors": "none active",
    "prefers-reduced-motion": "no-preference reduce", "prefers-reduced-transparency": "no-preference reduce",
    "orientation": "portrait landscape", "prefers-color-scheme": "light dark",
    "display-mode": "browser standalone minimal-ui fullscreen window-controls-overlay picture-in-picture tabbed",
    "color-gamut": "srgb p3 rec2020", "device-posture": "continuous folded",
}  # fmt: skip
_FALSE_WORDS = frozenset({"none", "no-preference", "0"})
_INTEGERS = {
    "color": 8, "color-index": 0, "monochrome": 0, "grid": 0, "-webkit-transform-3d": 1,
    "horizontal-viewport-segments": 1, "vertical-viewport-segments": 1,
}  # fmt: skip
_LENGTHS = frozenset({"width", "height", "device-width", "device-height"})
_RATIOS = frozenset({"aspect-ratio", "device-aspect-ratio"})
_DENSITIES = frozenset({"resolution", "-webkit-device-pixel-ratio"})


def matches(query: str | Sequence[CssToken] | None, viewport: Viewport) -> bool:
    """Whether a list of media queries, as text or as tinycss2's tokens, applies; an empty one does."""
    if query is None:
        return True
    if isinstance(query, str):
        word = query.strip().lower()
        if word in ("", "all", "screen"):
            return True
        if word in _NEVER:
            return False
    parts = _parts(query)
    return parts == [[]] or any(_query(part, viewport) for part in parts)


def matches_condition(query: str | Sequence[CssToken], viewport: Viewport) -> bool:
    """Whether a media condition applies: a query without a media type, as `sizes` has them."""
    try:
        return condition(significant(query), lambda token: _in_parentheses(token, viewport)) is True
    except Malformed:
        return False


def length(tokens: str | Sequence[CssToken], viewport: Viewport) -> float | None:
    """A length in CSS pixels, `calc()`, `min()`, `max()` and `clamp()` included; None where it is none. Fonts count as 16 px."""
    found = significant(tokens)
    if len(found) != 1:
        return None
    try:
        value, unit = _value(found[0], viewport)
    except Malformed:
        return None
    if unit == "px" or (unit == "" and value == 0):
        return value
    return None


def _parts(query: str | Sequence[CssToken]) -> list[list[CssToken]]:
    parts: list[list[CssToken]] = [[]]
    for node in significant(query):
        if node.type == "literal" and node.value == ",":
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _query(tokens: list[CssToken], viewport: Viewport) -> bool:
    """One query: `not screen and (...)` or a condition. Without anything it is malformed, unless it is alone."""
    try:
        return _one_query(tokens, viewport)
    except Malformed:
        return False


def _one_query(tokens: list[CssToken], viewport: Viewport) -> bool:
    if not tokens:
        raise Malformed

    def test(token: CssToken) -> Truth:
        return _in_parentheses(token, viewport)

    words = [node.lower_value if node.type == "ident" else None for node in tokens[:2]]
    negated = words[0] == "not" and len(words) > 1 and words[1] is not None
    if words[0] == "only" and words[1:] in ([], [None]):
        raise Malformed
    if negated or words[0] == "only":
        tokens = tokens[1:]
        words = words[1:]
    kind = words[0]
    if kind is None or (kind == "not" and not negated):
        return condition(tokens, test) is True
    if kind in _RESERVED:
        raise Malformed
    truth: Truth = kind in ("all", "screen")
    if len(tokens) > 1:
        if not (tokens[1].type == "ident" and tokens[1].lower_value == "and") or len(tokens) < 3:
            raise Malformed
        rest = condition(tokens[2:], test, either=False)
        truth = False if truth is False else rest
    if truth is None:
        return False
    return truth != negated


def _in_parentheses(node: CssToken, viewport: Viewport) -> Truth:
    if node.type == "function":
        return None
    if node.type != "() block":
        raise Malformed
    inside = grouped(node)
    if inside is not None:
        try:
            return condition(inside, lambda token: _in_parentheses(token, viewport))
        except Malformed:
            return None
    try:
        _insist_on_whole_signs(node.content)
        return _feature(significant(node.content), viewport)
    except Malformed:
        return None


def _insist_on_whole_signs(tokens: Sequence[CssToken]) -> None:
    """`< =` is not `<=`."""
    marks = [token.value if token.type == "literal" else " " if token.type == "whitespace" else "x" for token in tokens]
    text = "".join(marks)
    if re.search(r"[<>] +=", text):
        raise Malformed


def _feature(tokens: list[CssToken], viewport: Viewport) -> Truth:
    """`(name)`, `(name: value)`, or a range."""
    if not tokens:
        raise Malformed
    marks = [index for index, node in enumerate(tokens) if node.type == "literal" and node.value in ("<", ">", "=", ":")]
    first = tokens[0]
    if not marks:
        if len(tokens) != 1 or first.type != "ident":
            raise Malformed
        return _alone(first.lower_value, viewport)
    if tokens[marks[0]].value == ":":
        if marks[0] != 1 or first.type != "ident":
            raise Malformed
        name = first.lower_value
        for prefix, compare in (("min-", ">="), ("max-", "<="), ("-webkit-min-", ">="), ("-webkit-max-", "<=")):
            if name.startswith(prefix):
                bare = ("-webkit-" if prefix.startswith("-") else "") + name[len(prefix) :]
                return _compare(_known(bare, viewport), compare, _side(bare, tokens[2:], viewport))
        return _equals(name, tokens[2:], viewport)
    return _range(tokens, viewport)


def _range(tokens: list[CssToken], viewport: Viewport) -> Truth:
    """`width >= 400px`, `400px <= width < 700px` (section 2.4.3)."""
    sides: list[list[CssToken]] = [[]]
    signs: list[str] = []
    previous = ""
    for node in tokens:
        mark = node.value if node.type == "literal" and node.value in ("<", ">", "=") else ""
        if mark == "=" and previous in ("<", ">"):
            signs[-1] += "="
        elif mark:
            signs.append(mark)
            sides.append([])
        else:
            sides[-1].append(node)
        previous = mark
    names = [side[0].lower_value if len(side) == 1 and side[0].type == "ident" else None for side in sides]
    if len(signs) == 1:
        name, other, sign = (names[0], sides[1], signs[0]) if names[0] else (names[1], sides[0], _FLIPPED[signs[0]])
        if not name:
            raise Malformed
        return _compare(_known(name, viewport), sign, _side(name, other, viewport))
    name = names[1] if len(signs) == 2 else None
    if name is None or signs[0][0] != signs[1][0] or "=" in (signs[0], signs[1]):
        raise Malformed
    known = _known(name, viewport)
    low = _compare(known, _FLIPPED[signs[0]], _side(name, sides[0], viewport))
    return low and _compare(known, signs[1], _side(name, sides[2], viewport))


_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


def _compare(known: float, sign: str, value: float) -> bool:
    if sign == "=":
        return math.isclose(known, value, rel_tol=1e-6)
    if sign in ("<=", ">=") and math.isclose(known, value, rel_tol=1e-6):
        return True
    return known < value if sign.startswith("<") else known > value


def _known(name: str, viewport: Viewport) -> float:
    """What the viewport says of a feature that has an order."""
    if name in ("width", "device-width"):
        return float(viewport.width)
    if name in ("height", "device-height"):
        return float(viewport.height)
    if name in _RATIOS:
        return viewport.width / viewport.height
    if name in _DENSITIES:
        return viewport.density
    if name in _INTEGERS and name != "grid":
        return float(_INTEGERS[name])
    raise Malformed


def _alone(name: str, viewport: Viewport) -> bool:
    if name in _WORDS:
        return _WORDS[name] not in _FALSE_WORDS
    if name in ("orientation", "prefers-color-scheme", "color-gamut"):
        return True
    if name == "grid":
        return False
    return _known(name, viewport) != 0


def _equals(name: str, tokens: list[CssToken], viewport: Viewport) -> bool:
    if name in _ALLOWED:
        word = tokens[0].lower_value if len(tokens) == 1 and tokens[0].type == "ident" else ""
        if word not in _ALLOWED[name].split():
            raise Malformed
        if name == "orientation":
            return word == ("portrait" if viewport.height >= viewport.width else "landscape")
        if name == "prefers-color-scheme":
            return word == ("dark" if viewport.dark else "light")
        if name == "color-gamut":
            return word == "srgb"
        return word == _WORDS[name]
    if name == "grid":
        return _side(name, tokens, viewport) == 0
    return _compare(_known(name, viewport), "=", _side(name, tokens, viewport))


def _side(name: str, tokens: list[CssToken], viewport: Viewport) -> float:
    """The value that a feature is held against, in the unit of `_known`."""
    if name in _RATIOS:
        return _ratio(tokens, viewport)
    if len(tokens) != 1:
        raise Malformed
    value, unit = _value(tokens[0], viewport)
    wanted = "px" if name in _LENGTHS else "dppx" if name == "resolution" else ""
    if unit != wanted and not (wanted == "px" and value == 0 and unit == ""):
        raise Malformed
    if unit == "" and wanted == "" and name in _INTEGERS and not float(value).is_integer():
        raise Malformed
    return value


def _ratio(tokens: list[CssToken], viewport: Viewport) -> float:
    parts = [_value(node, viewport) for node in tokens[::2]]
    slashes = [node.value if node.type == "literal" else "" for node in tokens[1::2]]
    if slashes not in ([], ["/"]) or any(unit or value < 0 for value, unit in parts):
        raise Malformed
    if len(parts) == 1:
        return parts[0][0]
    return parts[0][0] / parts[1][0] if parts[1][0] else math.inf


def _value(node: CssToken, viewport: Viewport) -> tuple[float, str]:
    """A number with its unit made `px`, `dppx` or nothing."""
    if node.type == "number":
        return number(node), ""
    if node.type == "dimension":
        unit = node.lower_unit
        if unit in _PIXELS:
            return number(node) * _PIXELS[unit], "px"
        if unit in _DOTS:
            return number(node) * _DOTS[unit], "dppx"
        return number(node) * _of_viewport(unit, viewport) / 100, "px"
    if node.type == "function" or node.type == "() block":
        from pellucid.client.page.calculations import calculate

        result = calculate(node, lambda leaf: _value(leaf, viewport))
        if result is not None:
            return result
    raise Malformed


def _of_viewport(unit: str, viewport: Viewport) -> float:
    bare = unit[1:] if unit[:1] in ("s", "l", "d") and len(unit) > 2 else unit
    sizes = {
        "vw": viewport.width, "vi": viewport.width, "vh": viewport.height, "vb": viewport.height,
        "vmin": min(viewport.width, viewport.height), "vmax": max(viewport.width, viewport.height),
    }  # fmt: skip
    if bare not in sizes:
        raise Malformed
    return float(sizes[bare])
