"""Tokens of CSS (CSS Syntax 3, section 5), by tinycss2, with types.

In: text. Out: component values. tinycss2 has no types of its own, and its classes have only some of these attributes each: which
ones, `type` says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, cast

__all__ = ["CssToken", "css_tokens", "number", "significant"]

_BRACKETS = re.compile(r"[\[\](){}]")
_DEEPEST = 50
_ENDLESS = re.compile(r"[0-9]{400}")
"""A number that is beyond every float, and from some length on (4,300) beyond what Python reads."""


class CssToken(Protocol):
    """A component value; what is not named by its `type` is not there."""

    type: str
    value: str
    """Of `ident`, `string`, `url`, `hash`, `literal`, `at-keyword`; for numbers see `number`."""
    lower_value: str
    lower_name: str
    """Of `function`."""
    lower_unit: str
    """Of `dimension`."""
    arguments: Sequence[CssToken]
    content: Sequence[CssToken]

    def serialize(self) -> str:
        """As text again."""
        ...


def css_tokens(text: str) -> list[CssToken]:
    """The component values of a text; one that is nested too deep, or has a number too long, for anybody to have
    meant it is read as a `!`.
    """
    from tinycss2 import parse_component_value_list

    if _depth(text) > _DEEPEST or _ENDLESS.search(text) is not None:
        text = "!"
    return cast("list[CssToken]", parse_component_value_list(text))


def _depth(text: str) -> int:
    """At least how deep brackets are nested."""
    deepest = depth = 0
    for mark in _BRACKETS.findall(text):
        depth = depth + 1 if mark in "([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def significant(tokens: str | Sequence[CssToken]) -> list[CssToken]:
    """The same without white space and comments."""
    found = css_tokens(tokens) if isinstance(tokens, str) else tokens
    return [token for token in found if token.type not in ("whitespace", "comment")]


def number(token: CssToken) -> float:
    """The value of a number, a dimension or a percentage (then in hundredths)."""
    return float(token.value)
