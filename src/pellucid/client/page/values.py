"""Values of properties that can name a resource: which longhands a declaration sets, which URLs a browser takes from one.

In: the text of a value. Out: longhands; `var()` replaced; the addresses in images, of `image-set()` the one for the density. What
a browser does not understand is told apart from what names nothing, since a declaration that is not understood overrides none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from pellucid.client.page.fonts import families
from pellucid.client.page.tokens import CssToken, css_tokens, number

__all__ = ["IMAGES", "WIDE", "addresses", "is_valid", "longhands", "seconds", "substitute"]

WIDE = frozenset({"inherit", "initial", "unset", "revert", "revert-layer"})
"""Keywords that any property takes."""

_SHORTHANDS = {
    "background": ("background-image",),
    "border": ("border-image-source",),
    "border-image": ("border-image-source",),
    "-webkit-border-image": ("border-image-source",),
    "list-style": ("list-style-image", "list-style-type"),
    "mask": ("mask-image",),
    "-webkit-mask": ("mask-image",),
    "-webkit-mask-image": ("mask-image",),
    "-webkit-mask-box-image": ("-webkit-mask-box-image-source",),
    "-webkit-filter": ("filter",),
    "-webkit-backdrop-filter": ("backdrop-filter",),
    "-webkit-clip-path": ("clip-path",),
    "-webkit-shape-outside": ("shape-outside",),
    "-webkit-animation": ("animation-name", "animation-duration", "animation-delay", "animation-play-state"),
    "-webkit-animation-name": ("animation-name",),
    "-webkit-animation-duration": ("animation-duration",),
    "-webkit-animation-delay": ("animation-delay",),
    "animation": ("animation-name", "animation-duration", "animation-delay", "animation-play-state"),
    "container": ("container-name", "container-type"),
    "overflow": ("overflow-x", "overflow-y"),
    "font": ("font-family", "font-style", "font-weight", "font-width"),
    "font-stretch": ("font-width",),
    "marker": ("marker-start", "marker-mid", "marker-end"),
}
IMAGES: dict[str, str] = {
    "background-image": "no-cors",
    "border-image-source": "no-cors",
    "list-style-image": "no-cors",
    "cursor": "no-cors",
    "content": "no-cors",
    "-webkit-mask-box-image-source": "no-cors",
    "-webkit-box-reflect": "no-cors",
    "mask-image": "cors",
    "shape-outside": "cors",
    "clip-path": "cors",
    "fill": "cors",
    "stroke": "cors",
    "marker-start": "cors",
    "marker-mid": "cors",
    "marker-end": "cors",
    "filter": "same-origin",
    "backdrop-filter": "same-origin",
}
"""The longhands that name resources, and Fetch's mode for each, as measured with Chromium 156."""

_NAMES = re.compile(r"url\(|image-set\(|src\(|image\(|\\", re.IGNORECASE)
_GRADIENT = re.compile(r"(?:-webkit-)?(?:repeating-)?(?:linear|radial|conic)-gradient|-webkit-gradient")
_DENSITY = {"x": 1.0, "dppx": 1.0, "dpi": 1 / 96, "dpcm": 2.54 / 96}
_TYPES = frozenset(
    {
        "image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/avif", "image/jxl", "image/svg+xml",
        "image/bmp", "image/apng", "image/x-icon", "image/vnd.microsoft.icon",
    }
)  # fmt: skip
_CURSORS = frozenset(
    {
        "auto", "default", "none", "context-menu", "help", "pointer", "progress", "wait", "cell", "crosshair", "text",
        "vertical-text", "alias", "copy", "move", "no-drop", "not-allowed", "grab", "grabbing", "all-scroll", "col-resize",
        "row-resize", "n-resize", "e-resize", "s-resize", "w-resize", "ne-resize", "nw-resize", "se-resize", "sw-resize",
        "ew-resize", "ns-resize", "nesw-resize", "nwse-resize", "zoom-in", "zoom-out", "-webkit-grab", "-webkit-grabbing",
        "-webkit-zoom-in", "-webkit-zoom-out",
    }
)  # fmt: skip
_LAYER_WORDS = frozenset(
    {
        "none", "repeat", "repeat-x", "repeat-y", "no-repeat", "space", "round", "scroll", "fixed", "local", "center", "top",
        "bottom", "left", "right", "cover", "contain", "auto", "border-box", "padding-box", "content-box", "text",
        "border-area", "add", "subtract", "intersect", "exclude", "alpha", "luminance", "match-source", "no-clip", "fill-box",
        "stroke-box", "view-box", "border", "padding", "content", "source-over",
    }
)  # fmt: skip
_DISPLAYS = frozenset(
    {
        "none", "block", "inline", "inline-block", "flex", "inline-flex", "grid", "inline-grid", "table", "inline-table",
        "table-row", "table-cell", "table-column", "table-row-group", "table-header-group", "table-footer-group",
        "table-column-group", "table-caption", "list-item", "contents", "flow-root", "ruby", "ruby-text", "math", "-webkit-box",
        "-webkit-inline-box", "-webkit-flex", "-webkit-inline-flex", "grid-lanes", "inline-grid-lanes",
    }
)  # fmt: skip
_MOST_EXPANDED = 65536
_MOST_STEPS = 10_000
_MOST_VARIABLES = 64


class _Misunderstood(Exception):
    """A value that a browser drops."""


def longhands(name: str, value: str) -> Sequence[tuple[str, str]]:
    """What a declaration sets. The image of a shorthand is the whole text, from which `addresses` takes what it needs."""
    if name.startswith("--"):
        return ((name, value),)
    names = _SHORTHANDS.get(name, (name,))
    if value.lower() in WIDE or "var(" in value:
        return [(longhand, value) for longhand in names]
    if name == "font":
        return _font(value)
    if name.endswith("animation"):
        return _animation(value)
    if name == "container":
        name, _, kind = value.partition("/")
        return (("container-name", name.strip()), ("container-type", kind.strip() or "normal"))
    if name == "border":
        return (("border-image-source", "none"),)
    return [(longhand, value) for longhand in names]


def _animation(value: str) -> Sequence[tuple[str, str]]:
    """The first time is how long it lasts, the second how long it waits; of several animations the first one decides."""
    times = re.findall(r"(?<![\w.-])-?(?:\d*\.)?\d+m?s\b", re.sub(r"\([^()]*+\)", "", value).partition(",")[0])
    paused = "paused" if "paused" in value.lower().split() else "running"
    lasts, waits = (*times, "0s", "0s")[:2] if times else ("0s", "0s")
    return (
        ("animation-name", value), ("animation-duration", lasts), ("animation-delay", waits), ("animation-play-state", paused),
    )  # fmt: skip


def seconds(text: str) -> float:
    """The first of a list of times."""
    match = re.match(r"\s*(-?(?:\d*\.)?\d+)(m?s)\b", text, re.IGNORECASE)
    return float(match.group(1)) / (1000 if match.group(2).lower() == "ms" else 1) if match else 0.0


def _font(value: str) -> Sequence[tuple[str, str]]:
    """`italic 700 12px/1.5 A, B`: the family is what follows the size (CSS Fonts 4, section 2.7)."""
    match = re.match(
        r"((?:[a-z-]+\s+|(?:\d{1,4}(?:\.\d+)?)\s+|oblique\s+-?[\d.]+deg\s+)*?)"
        r"(?:(?:\d*\.)?\d+(?:[a-z%]+|(?=\s*/))?|calc\([^;]*?\)|clamp\([^;]*?\)|(?:xx-|x-)?(?:small|large)|medium|xxx-large|smaller|larger|0)"
        r"(?:\s*/\s*(?:normal|calc\([^;]*?\)|[\d.]+[a-z%]*))?\s+([^\d\s].*)\Z",
        value,
        re.IGNORECASE | re.DOTALL,
    )
    if match is None:
        return ()  # `caption`, `menu`, ...: fonts of the system; or nothing that is understood
    words = match.group(1).lower().split()
    style = next((word for word in words if word in ("italic", "oblique")), "normal")
    weight = next((word for word in words if word in ("bold", "bolder", "lighter") or word.isdigit()), "normal")
    width = next((word for word in words if word.endswith(("condensed", "expanded"))), "normal")
    return (("font-family", match.group(2)), ("font-style", style), ("font-weight", weight), ("font-width", width))


@lru_cache(maxsize=4096)
def is_valid(longhand: str, value: str) -> bool:
    """Whether a browser understands it; only what decides about resources is looked into. `var()` is settled later."""
    lower = value.lower()
    if longhand.startswith("--") or lower in WIDE or "var(" in lower:
        return True
    if longhand == "display":
        words = lower.split()
        return all(word in _DISPLAYS or word in ("flow",) for word in words) and 0 < len(words) < 4
    if longhand == "font-family":
        return families(value) is not None
    if longhand not in IMAGES:
        return "\\9" not in lower
    if lower == "none":
        return True
    try:
        check = _CHECKS.get(longhand)
        tokens = [token for token in css_tokens(value) if token.type != "comment"]
        for token in tokens:
            if token.type in ("error", "literal") and getattr(token, "value", "") not in (",", "/"):
                return False
        if check is not None:
            check(tokens)
        _collect(tokens, 1.0, False)
    except _Misunderstood:
        return False
    return True


def substitute(value: str, custom: Mapping[str, str], depth: int = 0, left: list[int] | None = None) -> str | None:
    """Replace `var()` (CSS Variables 1, section 3); None where one is not defined and has no fallback. `left`: steps to go, since
    variables that name one another, each with a fallback that does, take twice as many with each.
    """
    at = value.lower().find("var(")
    if at < 0:
        return value
    left = [_MOST_STEPS] if left is None else left
    left[0] -= 1
    if depth > _MOST_VARIABLES or len(value) > _MOST_EXPANDED or left[0] < 0:
        return None
    parts: list[str] = []
    start = 0
    size = 0
    while at >= 0:
        parts.append(value[start:at])
        end = _closing(value, at + 3)
        name, comma, fallback = value[at + 4 : end].partition(",")
        known = custom.get(name.strip())
        put = substitute(known, custom, depth + 1, left) if known is not None else None
        if put is None:
            if not comma:
                return None
            put = substitute(fallback.strip(), custom, depth + 1, left)
            if put is None:
                return None
        parts.append(put)
        size += len(put)
        if size > _MOST_EXPANDED:
            return None
        start = end + 1
        at = value.lower().find("var(", start)
    parts.append(value[start:])
    return "".join(parts).strip()


def _closing(text: str, opened: int) -> int:
    depth = 0
    for place in range(opened, len(text)):
        sign = text[place]
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return place
    return len(text)


@lru_cache(maxsize=4096)
def addresses(value: str, density: float, dark: bool = False) -> tuple[str, ...]:
    """The addresses that a browser takes from the value of an image property, in order; none where it does not understand it."""
    if _NAMES.search(value) is None:
        return ()
    try:
        return tuple(_collect(css_tokens(value), density, dark))
    except _Misunderstood:
        return ()


def _collect(tokens: Sequence[CssToken], density: float, dark: bool) -> list[str]:
    found: list[str] = []
    for token in tokens:
        if token.type == "url":
            found.append(token.value)
        elif token.type == "error":
            raise _Misunderstood
        elif token.type == "function":
            found += _function(token, density, dark)
    return found


def _function(token: CssToken, density: float, dark: bool) -> list[str]:
    name = token.lower_name
    arguments = [part for part in token.arguments if part.type not in ("whitespace", "comment")]
    if name == "url":
        if len(arguments) != 1 or arguments[0].type != "string":
            raise _Misunderstood
        return [arguments[0].value]
    if name in ("image-set", "-webkit-image-set"):
        return _chosen(arguments, density, dark)
    if name == "-webkit-cross-fade":
        return _collect(arguments, density, dark)
    if name == "light-dark":
        halves = _split(arguments)
        return _collect(halves[int(dark)], density, dark) if len(halves) == 2 else []
    if name in ("cross-fade", "image", "element", "src") or name.startswith(("-moz-", "-o-", "-ms-")):
        raise _Misunderstood
    return []


def _chosen(arguments: Sequence[CssToken], density: float, dark: bool) -> list[str]:
    """The option of `image-set()`: of a type that is shown, the lowest density that suffices, else the highest there is."""
    options: list[tuple[float, list[str]]] = []
    for option in _split(arguments):
        if not option:
            raise _Misunderstood
        first, rest = option[0], option[1:]
        named = [first.value] if first.type == "string" else _collect([first], density, dark)
        dots = 1.0
        shown = True
        for token in rest:
            if token.type == "dimension" and token.lower_unit in _DENSITY:
                dots = number(token) * _DENSITY[token.lower_unit]
            elif token.type == "function" and token.lower_name == "type":
                kinds = [part.value.lower() for part in token.arguments if part.type == "string"]
                shown = bool(kinds) and kinds[0] in _TYPES
            else:
                raise _Misunderstood
        if shown:
            options.append((dots, named))
    enough = [option for option in options if option[0] >= density]
    if enough:
        return min(enough, key=lambda option: option[0])[1]
    return max(options, key=lambda option: option[0])[1] if options else []


def _split(tokens: Sequence[CssToken]) -> list[list[CssToken]]:
    parts: list[list[CssToken]] = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        elif token.type not in ("whitespace", "comment"):
            parts[-1].append(token)
    return parts


def _is_image(token: CssToken) -> bool:
    if token.type == "url":
        return True
    if token.type != "function":
        return False
    names = ("url", "image-set", "-webkit-image-set", "-webkit-cross-fade", "light-dark", "paint", "-webkit-named-image")
    return token.lower_name in names or _GRADIENT.fullmatch(token.lower_name) is not None


def _check_layers(tokens: Sequence[CssToken]) -> None:
    """`background` and `mask`: at most one image in a layer, words that are known, and else only sizes and colours."""
    layers = _split(tokens)
    for layer in layers:
        if not layer or sum(_is_image(token) for token in layer) > 1:
            raise _Misunderstood
        for token in layer:
            word = _word(token)
            if token.type == "string":
                raise _Misunderstood
            if (word is not None and word not in _LAYER_WORDS) or token.type in ("hash", "function"):
                # A colour stands in the last layer only.
                coloured = not _is_image(token) and _is_colour(token)
                if (coloured and layer is not layers[-1]) or (word is not None and not coloured):
                    raise _Misunderstood


def _check_background(tokens: Sequence[CssToken]) -> None:
    """Of the shorthand and of the longhand: nothing is a value of both but images, so that the looser test will do."""
    _check_layers(tokens)


def _check_cursor(tokens: Sequence[CssToken]) -> None:
    *images, last = _split(tokens)
    if len(last) != 1 or _word(last[0]) not in _CURSORS:
        raise _Misunderstood
    for layer in images:
        if not layer or not _is_image(layer[0]) or [token.type for token in layer[1:]] not in ([], ["number", "number"]):
            raise _Misunderstood


def _check_list(tokens: Sequence[CssToken]) -> None:
    """An image, a type and a position, each once."""
    (parts,) = _split(tokens) if len(_split(tokens)) == 1 else ([],)
    words = [_word(token) or token.type for token in parts if not _is_image(token)]
    types = [word for word in words if word not in ("inside", "outside", "none")]
    if not parts or len(types) > 1 or words.count("none") > 2 or len(parts) > 3 or sum(map(_is_image, parts)) > 1:
        raise _Misunderstood


def _check_one(tokens: Sequence[CssToken]) -> None:
    """Nothing may stand beside a url."""
    parts = [token for token in tokens if token.type != "whitespace"]
    if len(parts) > 1 and any(map(_is_image, parts)):
        raise _Misunderstood


def _check_words(known: frozenset[str]) -> Callable[[Sequence[CssToken]], None]:
    def check(tokens: Sequence[CssToken]) -> None:
        if any(token.type == "ident" and token.lower_value not in known for token in tokens):
            raise _Misunderstood

    return check


def _is_colour(token: CssToken) -> bool:
    from tinycss2.color4 import parse_color

    return _word(token) in _SYSTEM_COLOURS or parse_color(token.serialize()) is not None


_SYSTEM_COLOURS = frozenset(
    {
        "accentcolor", "accentcolortext", "activetext", "buttonborder", "buttonface", "buttontext", "canvas", "canvastext",
        "field", "fieldtext", "graytext", "highlight", "highlighttext", "linktext", "mark", "marktext", "selecteditem",
        "selecteditemtext", "visitedtext", "window", "windowtext", "activeborder", "background", "menu", "menutext",
        "infobackground", "infotext", "threedface", "threedshadow", "-webkit-link", "-webkit-text", "-webkit-focus-ring-color",
    }
)  # fmt: skip


def _word(token: CssToken) -> str | None:
    return token.lower_value if token.type == "ident" else None


_CHECKS: dict[str, Callable[[Sequence[CssToken]], None]] = {
    "background-image": _check_background,
    "mask-image": _check_layers,
    "cursor": _check_cursor,
    "list-style-image": _check_list,
    "shape-outside": _check_one,
    "clip-path": _check_one,
    "border-image-source": _check_words(frozenset({"none", "stretch", "repeat", "round", "space", "fill", "auto"})),
    "content": _check_words(frozenset({"none", "normal", "open-quote", "close-quote", "no-open-quote", "no-close-quote"})),
}
