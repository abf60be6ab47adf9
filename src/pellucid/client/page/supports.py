"""`@supports` conditions (CSS Conditional 3 to 5) as Chrome answers them.

In: the condition's text or tokens. Out: whether it holds. A declaration holds where Chrome knows the property and nothing in the
value is another engine's; whether the value fits the property is not looked at beyond a few that pages ask for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pellucid.client.page.conditions import Malformed, Truth, condition, grouped
from pellucid.client.page.tokens import CssToken, significant

__all__ = ["supports"]

_FORMATS = frozenset({"collection", "opentype", "truetype", "woff", "woff2"})
_TECHNIQUES = frozenset(
    {"features-opentype", "variations", "color-colrv0", "color-colrv1", "color-sbix", "color-cbdt", "palettes"}
)
_FOREIGN = re.compile(r"(?i)^-(?:moz|ms|o|apple|khtml)-")
_WORDS = {
    "display": "block inline inline-block flex inline-flex grid inline-grid flow-root contents none table inline-table table-cell"
    " table-row list-item -webkit-box -webkit-inline-box -webkit-flex -webkit-inline-flex ruby ruby-text math flow run-in"
    " table-caption table-column table-column-group table-footer-group table-header-group table-row-group",
    "position": "static relative absolute fixed sticky -webkit-sticky",
    "text-wrap": "wrap nowrap balance pretty stable",
    "float": "left right none inline-start inline-end",
}
"""Properties of which pages ask for the values, and the words Chrome takes."""
_NOT_TAKEN = {("display", "run-in"), ("position", "-webkit-sticky")}
_EVERYWHERE = frozenset({"inherit", "initial", "unset", "revert", "revert-layer"})


def supports(text: str | Sequence[CssToken]) -> bool:
    """Whether a condition, or (as in `@import ... supports()`) a bare declaration, holds."""
    tokens = significant(text)
    if len(tokens) > 1 and tokens[0].type == "ident" and tokens[1].type == "literal" and tokens[1].value == ":":
        return _declaration(tokens)
    try:
        return condition(tokens, _test) is True
    except Malformed:
        return False


def _test(token: CssToken) -> Truth:
    if token.type == "function":
        return _function(token)
    if token.type != "() block":
        raise Malformed
    inside = grouped(token)
    if inside is not None:
        try:
            return condition(inside, _test)
        except Malformed:
            return False
    return _declaration(significant(token.content))


def _function(token: CssToken) -> Truth:
    inside = significant(token.arguments)
    word = inside[0].lower_value if len(inside) == 1 and inside[0].type == "ident" else ""
    if token.lower_name == "font-format":
        return word in _FORMATS
    if token.lower_name == "font-tech":
        return word in _TECHNIQUES
    if token.lower_name == "selector":
        return _selector("".join(each.serialize() for each in token.arguments))
    return False


def _selector(text: str) -> bool:
    from pellucid.client.page.pseudo import read_selectors  # late: few sheets ask
    from pellucid.client.page.selectors import SelectorError

    try:
        return bool(read_selectors(text))
    except SelectorError:
        return False


def _declaration(tokens: list[CssToken]) -> bool:
    from pellucid.client.page.properties import PROPERTIES  # late: few sheets ask

    if len(tokens) < 2 or tokens[0].type != "ident" or tokens[1].type != "literal" or tokens[1].value != ":":
        return False
    name = tokens[0].lower_value
    if name.startswith("--"):
        return True
    value = tokens[2:]
    if len(value) > 1 and value[-1].type == "ident" and value[-2].type == "literal" and value[-2].value == "!":
        value = value[:-2]
    if name not in PROPERTIES or not value:
        return False
    words = [each.lower_value if each.type == "ident" else "" for each in value]
    names = [each.lower_name for each in value if each.type == "function"]
    if any(_FOREIGN.match(word) for word in words + names) or any(each.type == "error" for each in value):
        return False
    if "var" in names:
        return True
    if name in _WORDS and len(value) == 1 and words[0] not in _EVERYWHERE:
        return words[0] in _WORDS[name].split() and (name, words[0]) not in _NOT_TAKEN
    return True
