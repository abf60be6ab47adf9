"""Which characters of a page are shown in which font.

In: the computed styles of a document. Out: to `Fonts`, for each font that is asked for, the characters.

A font is needed for the text set in it; and, text or none, for the height of a line in it. So a block with anything in its lines
wants its font, and so does an inline element; a browser looks for the space then (CSS Inline 3, section 5.1: the strut). A block
that holds only blocks has no lines. Measured with Chromium 156: an empty inline-block or button asks for nothing, `::before`
with an empty `content` does, list markers do (bullets are drawn, but stand in a line), the options of a closed `<select>` do not,
its own font is wanted for the one shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pellucid.client.page.computed import Computed
from pellucid.client.page.controls import is_checked
from pellucid.client.page.elements import Element, descendants
from pellucid.client.page.escapes import unescape
from pellucid.client.page.fonts import Fonts, Wanted
from pellucid.client.page.tokens import css_tokens

__all__ = ["collect_text"]

_REPLACED = frozenset({"img", "video", "audio", "canvas", "iframe", "embed", "object", "svg", "math", "noscript"})
_MUTE = frozenset(
    {
        "noscript", "canvas", "script", "style", "option", "optgroup", "iframe", "object", "frameset", "video", "audio", "meter",
        "progress",
    }
)  # fmt: skip
"""Their text is not shown, or not as text of the page."""
_SVG_TEXT = frozenset({"text", "tspan", "textPath", "textpath", "a"})
_SILENT_INPUTS = frozenset({"checkbox", "radio", "range", "color", "image", "hidden"})
_SAID_BY_INPUTS = {"submit": "Submit", "reset": "Reset", "file": "Choose File No file chosen", "date": "mm/dd/yyyy"}
_IN_ROWS = ("flex", "grid")
_KEEPS_SPACES = frozenset({"pre", "textarea", "listing", "plaintext", "xmp"})
_SPACE = " "


def collect_text(styles: Sequence[Computed], fonts: Fonts) -> None:
    """Tell `fonts` every character that is shown, and what it is to be set in."""
    by_element: Mapping[Element, Computed] = {style.element: style for style in styles}
    texts = _Texts(fonts, by_element)
    for style in styles:
        texts.take(style)
    texts.close()


class _Texts:
    def __init__(self, fonts: Fonts, styles: Mapping[Element, Computed]) -> None:
        self.fonts = fonts
        self.styles = styles
        self._lined: dict[int, Computed] = {}
        """The boxes that have lines, by identity."""
        self._told: dict[tuple[str, float, str, str], set[str]] = {}

    def take(self, style: Computed) -> None:
        element = style.element
        if element.foreign and element.name != "svg":
            if element.name in _SVG_TEXT or element.name[:1] == "m":
                self._own_text(style)
            return
        if _is_inline(style):
            self._line(style.parent)
            if element.name not in _REPLACED and style.display == "inline":
                self._tell(style, _SPACE)
        if element.name in ("input", "select", "textarea"):
            self._control(style)
            return
        if element.name not in _MUTE or (element.name == "option" and _is_listed(element)):
            self._own_text(style)
        if element.name == "q":
            self._tell(style, "“”")
        self._marker(style)
        for pseudo, part in style.pseudos.items():
            self._pseudo(style, pseudo, part)

    def close(self) -> None:
        """What has lines is as high as its font says."""
        for style in self._lined.values():
            self._tell(style, _SPACE)
        for (family, weight, italic, width), characters in self._told.items():
            self.fonts.want(Wanted(family, weight, italic, width), characters)

    def _tell(self, style: Computed, text: str) -> None:
        if style.family:
            key = (style.family, style.weight, style.italic, style.width)
            self._told.setdefault(key, set()).update(_transformed(text, style.transform))

    def _line(self, style: Computed | None) -> None:
        """There is something in a line of this box, or of the one round it that has a box."""
        while style is not None and style.display == "contents":
            style = style.parent
        if style is not None and style.display != "inline" and not _is_row(style):
            self._lined[id(style)] = style

    def _own_text(self, style: Computed) -> None:
        element = style.element
        parts = [part for part in element.content if isinstance(part, str)]
        if not parts or (element.name == "details" and "open" not in element.attributes):
            return
        text = "".join(parts)
        if text.strip(" \t\r\n\f") or (text and element.name in _KEEPS_SPACES):
            self._tell(style, text)
            self._line(style)

    def _control(self, style: Computed) -> None:
        """Form controls hold what can be typed or chosen; the empty ones are as high as a line."""
        element = style.element
        if element.name == "input":
            kind = element.attributes.get("type", "text").lower()
            if kind not in _SILENT_INPUTS:
                shown = element.attributes.get("value") or element.attributes.get("placeholder") or ""
                self._tell(style, shown or _SAID_BY_INPUTS.get(kind, _SPACE))
        elif element.name == "textarea":
            self._tell(style, "".join(part for part in element.content if isinstance(part, str)) + _SPACE)
        else:
            chosen = next((other for other in descendants(element) if other.name == "option" and is_checked(other)), None)
            parts = chosen.content if chosen is not None else ()
            self._tell(style, "".join(part for part in parts if isinstance(part, str)).strip() + _SPACE)
        placeholder = style.pseudos.get("placeholder") or style.pseudos.get("-webkit-input-placeholder")
        if placeholder is not None and not element.attributes.get("value"):
            self._tell(placeholder, element.attributes.get("placeholder", ""))

    def _marker(self, style: Computed) -> None:
        if style.display != "list-item":
            return
        text = _marker_text(style)
        if text is not None:
            self._tell(style.pseudos.get("marker", style), text)
        marker = style.pseudos.get("marker")
        if text is None and marker is not None and marker.value("content") not in (None, "normal", "none"):
            self._tell(marker, _SPACE)

    def _pseudo(self, style: Computed, pseudo: str, part: Computed) -> None:
        if pseudo in ("first-line", "first-letter"):
            self._tell(part, "".join(each for each in style.element.content if isinstance(each, str)).strip()[:200])
        if pseudo not in ("before", "after"):
            return
        text = _content(part)
        if text is None:
            return
        self._tell(part, text + _SPACE)
        if _is_inline(part):
            self._line(style)


def _is_row(style: Computed) -> bool:
    return any(word in style.display for word in _IN_ROWS)


def _is_inline(style: Computed) -> bool:
    """Whether its box stands in a line of the box round it."""
    if not style.display.startswith(("inline", "ruby", "-webkit-inline")):
        return False
    if (style.value("position") or "").lower() in ("absolute", "fixed"):
        return False
    if (style.value("float") or "none").lower() in ("left", "right", "inline-start", "inline-end"):
        return False
    parent = style.parent
    while parent is not None and parent.display == "contents":
        parent = parent.parent
    return parent is None or not _is_row(parent)


def _is_listed(option: Element) -> bool:
    """Whether it is an option of a list that is open."""
    select = option.parent
    while select is not None and select.name != "select":
        select = select.parent
    if select is None:
        return False
    return "multiple" in select.attributes or select.attributes.get("size", "1") not in ("", "0", "1")


def _transformed(text: str, how: str) -> str:
    if how == "uppercase":
        return text.upper()
    if how == "lowercase":
        return text.lower()
    return text + text.title() if how == "capitalize" else text


def _marker_text(style: Computed) -> str | None:
    """What stands before a list item; None: nothing that needs a font."""
    kind = style.marker.lower()
    if kind == "none":
        return None
    if kind in ("", "disc", "circle", "square", "disclosure-open", "disclosure-closed"):
        return _SPACE
    if kind.startswith(("'", '"')):
        return unescape(kind[1:-1])
    siblings = style.element.parent.children if style.element.parent is not None else [style.element]
    number = 1 + sum(other.name == "li" for other in siblings[: style.element.place])
    return f"{number}. "


def _content(part: Computed) -> str | None:
    """The text of a `content`; None where it makes no box."""
    value = part.value("content")
    if value is None or value.lower() in ("none", "normal", "initial", "unset"):
        return None
    text = ""
    for token in css_tokens(value):
        if token.type == "string":
            text += token.value
        elif token.type == "ident" and token.lower_value in ("open-quote", "close-quote"):
            text += "“" if token.lower_value == "open-quote" else "”"
        elif token.type == "literal" and token.value == "/":
            break
        elif token.type == "function" and token.lower_name in ("counter", "counters"):
            text += "0123456789"
        elif token.type == "function" and token.lower_name == "attr":
            names = [each.value for each in token.arguments if each.type == "ident"]
            text += part.element.attributes.get(names[0].lower(), "") if names else ""
    return text
