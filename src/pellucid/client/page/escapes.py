"""Escapes of CSS made characters (CSS Syntax 3, section 4.3.7).

In: text of a name, a string or a URL. Out: the same with `\\62 ` made `b`.
"""

from __future__ import annotations

import re

__all__ = ["unescape"]

_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\n\r\f])|(.)|\Z)", re.DOTALL)


def unescape(text: str) -> str:
    """Replace every escape; an escaped end of line vanishes."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    digits, newline, character = match.groups()
    if digits:
        code = int(digits, 16)
        return "\ufffd" if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)
    return "" if newline or character is None else str(character)
