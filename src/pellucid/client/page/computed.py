"""What an element comes to look like, as far as it decides what is fetched: whether it is styled at all, the winner of each
property, its fonts.

In: a document with the rules that fit each element. Out: `Computed` for each element that a browser computes a style for, and for
its pseudo-elements. A browser computes none under `display: none`, in a closed `<details>`, in the fallback of a `<video>`: there
nothing is fetched. It needs no layout for that, so neither does this.

Measured with Chromium 156, where no standard says it: `::before` is styled as soon as a rule for it sets `content`, to
`none` even; `list-style-image` is fetched for what is no list item; `<noscript>` is styled, and its text is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from pellucid.client.page.cascade import Cascade, Matched, Setting, StyleRule
from pellucid.client.page.css import Source, declarations
from pellucid.client.page.elements import Document, Element
from pellucid.client.page.media import matches_condition
from pellucid.client.page.values import WIDE, substitute

__all__ = ["Computed", "compute"]

_HIDDEN = frozenset(
    {
        "area", "base", "basefont", "datalist", "head", "link", "meta", "noembed", "noframes", "param", "rp", "script", "style",
        "template", "title",
    }
)  # fmt: skip
_WITHOUT_CHILDREN = frozenset({"video", "audio", "meter", "progress", "iframe", "textarea", "template", "input", "img"})
"""Their children have no place in the flat tree (CSS Scoping 1, section 4), so that no style is computed for them."""
_BLOCKS = frozenset(
    {
        "html", "body", "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "dir", "div", "dl",
        "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
        "hr", "legend", "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "plaintext", "pre", "search",
        "section", "summary", "ul", "xmp",
    }
)  # fmt: skip
_OWN_DISPLAY = {
    "li": "list-item", "table": "table", "tr": "table-row", "td": "table-cell", "th": "table-cell", "tbody": "table-row-group",
    "thead": "table-header-group", "tfoot": "table-footer-group", "caption": "table-caption", "col": "table-column",
    "colgroup": "table-column-group", "slot": "contents", "ruby": "ruby", "rt": "ruby-text", "button": "inline-block",
    "input": "inline-block", "select": "inline-block", "textarea": "inline-block", "meter": "inline-block",
    "progress": "inline-block",
}  # fmt: skip
_ITALIC = frozenset({"i", "em", "cite", "var", "dfn", "address"})
_BOLDER = frozenset({"b", "strong"})
_BOLD = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "th"})
_MONOSPACE = frozenset({"code", "kbd", "samp", "tt", "pre", "listing", "xmp", "plaintext"})
_CONTROLS = frozenset({"input", "button", "select", "textarea"})
_WORD_WEIGHTS = {"normal": 400.0, "bold": 700.0}


class Computed:
    """The style of an element or of one of its pseudo-elements."""

    __slots__ = (
        "containers", "custom", "display", "element", "family", "italic", "locked", "marker", "parent", "pseudo", "pseudos",
        "set", "transform", "weight", "width",
    )  # fmt: skip

    def __init__(self, element: Element, parent: Computed | None, pseudo: str = "") -> None:
        self.element = element
        self.parent = parent
        self.pseudo = pseudo
        self.set: dict[str, Setting] = {}
        """The winning declarations of authors."""
        self.custom: Mapping[str, str] = parent.custom if parent is not None else {}
        self.display = "inline"
        self.family: str = parent.family if parent is not None else ""
        """A list of families; empty: the browser's own."""
        self.weight: float = parent.weight if parent is not None else 400.0
        self.italic: str = parent.italic if parent is not None else "normal"
        self.width: str = parent.width if parent is not None else "normal"
        self.transform: str = parent.transform if parent is not None else "none"
        self.marker: str = parent.marker if parent is not None else "disc"
        """`list-style-type`."""
        self.locked = False
        """Its contents are skipped: `content-visibility: hidden`."""
        self.containers: tuple[tuple[str, str], ...] = parent.containers if parent is not None else ()
        """The query containers from the outermost to itself: their names, and their type."""
        self.pseudos: dict[str, Computed] = {}

    def value(self, name: str) -> str | None:
        """The value that a property was set to, variables replaced; None: to nothing that is a value."""
        setting = self.set.get(name)
        if setting is None:
            return None
        return substitute(setting.value, self.custom) if "var(" in setting.value.lower() else setting.value


def compute(
    document: Document, cascade: Cascade, found: Mapping[Element, Mapping[str, list[Matched]]], source: Source | None
) -> list[Computed]:
    """The styles of all elements that have one, in document order. `source`: what `style` attributes stand in; None: they do not
    count.
    """
    styles: dict[Element, Computed] = {}
    for element in document.elements:
        parent = None
        if element.parent is not None:
            parent = styles.get(element.parent)
            if parent is None or parent.locked or not _is_slotted(element.parent, element):
                continue
        computed = Computed(element, parent)
        matched = found.get(element, {})
        _settle(computed, matched.get("", ()), _inline(element, source), cascade)
        if computed.display == "none":
            continue
        for pseudo, rules in matched.items():
            if pseudo:
                _add_pseudo(computed, pseudo, rules, cascade)
        styles[element] = computed
    return list(styles.values())


def _is_slotted(parent: Element, child: Element) -> bool:
    if parent.foreign:
        return True
    if parent.name in _WITHOUT_CHILDREN:
        return False
    if parent.name == "details" and "open" not in parent.attributes:
        return next((other for other in parent.children if other.name == "summary"), None) is child
    return True


def _inline(element: Element, source: Source | None) -> StyleRule | None:
    text = element.attributes.get("style")
    if not text or source is None:
        return None
    rule = StyleRule("", msgspec.structs.replace(source, text=text), [], (), 0)
    rule.add(declarations(text))
    return rule


def _settle(computed: Computed, matched: Sequence[Matched], inline: StyleRule | None, cascade: Cascade) -> None:
    """Let the cascade decide each property, then read off what counts here."""
    if cascade.contained:
        matched = [one for one in matched if all(_contained(each, computed, cascade) for each in one.rule.container)]
    computed.set = _winners(matched, inline) if matched or inline is not None else {}
    if computed.set or computed.parent is None:
        _settle_custom(computed, cascade)
    computed.display = _display(computed)
    if computed.display == "none":
        return
    visibility = computed.value("content-visibility")
    computed.locked = visibility == "hidden" or (
        computed.element.attributes.get("hidden", "").lower() == "until-found" and not computed.pseudo and visibility is None
    )
    container = (computed.value("container-type") or "normal").lower()
    if container != "normal":
        computed.containers = (*computed.containers, (computed.value("container-name") or "", container))
    _settle_font(computed)


def _winners(matched: Sequence[Matched], inline: StyleRule | None) -> dict[str, Setting]:
    winners: dict[str, Setting] = {}
    below: dict[str, Setting] = {}
    if len(matched) > 1:
        matched = sorted(matched, key=lambda one: (one.rule.place(False), one.specificity, one.rule.order))
    for one in matched:
        _put(winners, below, one.rule.normal)
    if inline is not None:
        _put(winners, below, inline.normal)
    important = [one for one in matched if one.rule.important]
    if len(important) > 1:
        important.sort(key=lambda one: (one.rule.place(True), one.specificity, one.rule.order))
    for one in important:
        _put(winners, below, one.rule.important)
    if inline is not None:
        _put(winners, below, inline.important)
    return winners


def _put(winners: dict[str, Setting], below: dict[str, Setting], settings: Mapping[str, Setting]) -> None:
    """Let a rule override what is there; `below` is what a lower layer had said, for `revert-layer`."""
    if "all" in settings:
        for name in [name for name in winners if not name.startswith("--")]:
            del winners[name]
    for name, setting in settings.items():
        before = winners.get(name)
        if before is not None and before.rule.layer != setting.rule.layer:
            below[name] = before
        if setting.value == "revert-layer" and name in below:
            winners[name] = below[name]
        elif setting.value in ("revert", "revert-layer"):
            winners.pop(name, None)
        else:
            winners[name] = setting


def _contained(condition: str, computed: Computed, cascade: Cascade) -> bool:
    """Whether a container fits (CSS Conditional 5, section 4). How large one is, layout would say: it counts as the viewport."""
    match = re.match(r"(?!(?:not|and|or)\b)([\w-]+)(?:\s+|\Z)(.*)", condition, re.DOTALL)
    name, asked = match.groups() if match else ("", condition)
    above = computed.parent.containers if computed.parent is not None else ()
    tall = re.search(r"\b(?:height|block-size|aspect-ratio|orientation)\b", asked) is not None
    fitting = [kind for names, kind in above if (not name or name in names.split()) and (not tall or kind == "size")]
    if not fitting or "style(" in asked or "scroll-state(" in asked:
        return False
    asked = asked.replace("inline-size", "width").replace("block-size", "height")
    return not asked or matches_condition(asked, cascade.viewport)


def _settle_custom(computed: Computed, cascade: Cascade) -> None:
    own = {name: setting.value for name, setting in computed.set.items() if name.startswith("--")}
    if computed.parent is None and cascade.initial:
        own = {**cascade.initial, **own}
    if not own:
        return
    above = computed.custom
    custom = dict(above)
    for name, value in own.items():
        word = value.lower()
        if word not in WIDE:
            # A property that is defined by itself is defined by what it was above, which no browser takes: it becomes invalid.
            custom[name] = value
        elif word == "initial":
            custom.pop(name, None)
    computed.custom = custom


def _display(computed: Computed) -> str:
    said = computed.value("display")
    said = said.lower() if said is not None else None
    if said is None or said in ("revert", "revert-layer"):
        return "inline" if computed.pseudo else _own_display(computed.element)
    if said in ("initial", "unset"):
        return "inline"
    if said == "inherit":
        return computed.parent.display if computed.parent is not None else "block"
    return said


def _own_display(element: Element) -> str:
    """What the browser's own sheet says (HTML, section 15.3)."""
    attributes = element.attributes
    name = element.name
    if element.foreign and name not in ("svg", "math"):
        return "none" if name in ("script", "style") else "inline"
    if name in _HIDDEN or ("hidden" in attributes and attributes["hidden"].lower() != "until-found" and name != "embed"):
        return "none"
    if name == "input" and attributes.get("type", "").lower() == "hidden":
        return "none"
    if (name == "dialog" and "open" not in attributes) or (name == "audio" and "controls" not in attributes):
        return "none"
    if "popover" in attributes:
        return "none"
    if name in _BLOCKS:
        return "block"
    return _OWN_DISPLAY.get(name, "inline")


def _settle_font(computed: Computed) -> None:
    element = computed.element
    if not computed.pseudo and not element.foreign:
        _own_font(computed, element)
    above = computed.parent
    family = computed.value("font-family")
    if family is not None:
        word = family.lower()
        if word in ("inherit", "unset"):
            computed.family = above.family if above is not None else ""
        else:
            computed.family = "" if word in WIDE else family
    weight = computed.value("font-weight")
    if weight is not None:
        computed.weight = _weight(weight.lower(), above.weight if above is not None else 400.0)
    kind = computed.value("list-style-type")
    if kind is not None and kind.lower() not in WIDE:
        computed.marker = _marker(kind)
    for name, attribute in (("font-style", "italic"), ("font-width", "width"), ("text-transform", "transform")):
        said = computed.value(name)
        if said is not None:
            word = said.lower()
            if word in ("inherit", "unset"):
                word = getattr(above, attribute) if above is not None else "normal"
            setattr(computed, attribute, "normal" if word in WIDE else word)


def _own_font(computed: Computed, element: Element) -> None:
    name = element.name
    if name in _BOLDER:
        computed.weight = _weight("bolder", computed.weight)
    elif name in _BOLD:
        computed.weight = 700.0
    elif name in _ITALIC:
        computed.italic = "italic"
    elif name in _MONOSPACE:
        computed.family = "monospace"
    elif name in _CONTROLS:
        computed.family, computed.weight, computed.italic, computed.width = "", 400.0, "normal", "normal"
    elif name in ("ol", "ul", "menu", "dir"):
        computed.marker = "decimal" if name == "ol" else "disc"
    elif name == "font" and element.attributes.get("face"):
        computed.family = element.attributes["face"]


def _marker(value: str) -> str:
    """The type in `list-style` or `list-style-type`: a name, a string, or `none`."""
    text = re.sub(r"url\([^)]*\)|[\w-]+\([^)]*\)", " ", value)
    words = [word for word in text.split() if word.lower() not in ("inside", "outside")]
    if not words:
        return "none" if "(" in value and "url(" not in value.lower() else "disc"
    if len(words) > 1 and words[0].lower() == "none":
        return words[1]
    return "none" if words[0].lower() == "none" and "url(" not in value.lower() else words[0]


def _weight(said: str, above: float) -> float:
    """CSS Fonts 4, section 2.2.1."""
    if said in _WORD_WEIGHTS:
        return _WORD_WEIGHTS[said]
    if said == "bolder":
        return 400.0 if above < 350 else 700.0 if above < 550 else max(900.0, above)
    if said == "lighter":
        return min(100.0, above) if above < 550 else 400.0 if above < 750 else 700.0
    if said in ("inherit", "unset"):
        return above
    try:
        return float(said)
    except ValueError:
        return 400.0


def _add_pseudo(computed: Computed, pseudo: str, rules: Sequence[Matched], cascade: Cascade) -> None:
    element = computed.element
    if not _has_pseudo(element, computed, pseudo):
        return
    if pseudo in ("before", "after") and not any("content" in (one.rule.normal | one.rule.important) for one in rules):
        return
    style = Computed(element, computed, pseudo)
    _settle(style, rules, None, cascade)
    if style.display != "none":
        computed.pseudos[pseudo] = style


_PARTS = {
    "file-selector-button": "file", "-webkit-file-upload-button": "file", "-webkit-search-cancel-button": "search",
    "-webkit-slider-thumb": "range", "-webkit-slider-runnable-track": "range", "-webkit-slider-container": "range",
    "-webkit-inner-spin-button": "number", "-webkit-calendar-picker-indicator": "date", "-webkit-datetime-edit": "date",
    "-webkit-datetime-edit-fields-wrapper": "date", "-webkit-date-and-time-value": "date", "-webkit-color-swatch": "color",
    "-webkit-color-swatch-wrapper": "color", "-webkit-progress-bar": "<progress", "-webkit-progress-value": "<progress",
    "-webkit-progress-inner-element": "<progress", "-webkit-meter-bar": "<meter", "-webkit-meter-inner-element": "<meter",
    "-webkit-meter-optimum-value": "<meter", "-webkit-resizer": "<textarea", "details-content": "<details",
    "-webkit-media-controls-panel": "<audio", "-webkit-media-controls-enclosure": "<audio",
}  # fmt: skip
"""The parts of controls, and the element or the type of `<input>` that has them."""


def _has_pseudo(element: Element, computed: Computed, pseudo: str) -> bool:
    """Whether the element has that part. Scroll bars that may come, and what shows only for a while, count as absent."""
    if pseudo in ("before", "after", "first-line", "first-letter"):
        return True
    if pseudo == "marker":
        return computed.display == "list-item" or element.name == "summary"
    if pseudo in ("placeholder", "-webkit-input-placeholder"):
        return element.name in ("input", "textarea") and bool(element.attributes.get("placeholder"))
    if pseudo.startswith("-webkit-scrollbar"):
        return "scroll" in ((computed.value("overflow-x") or "").split() + (computed.value("overflow-y") or "").split())
    owner = _PARTS.get(pseudo)
    if owner is None or owner[0] == "<":
        return owner is not None and element.name == owner[1:]
    return element.name == "input" and element.attributes.get("type", "").lower() == owner
