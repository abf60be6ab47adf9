"""A setting's value as text, from a flag, a variable or a `.env` file, as the plain value that it stands for.

In: the setting's name and default, and the text. Out: a value that may still be of the wrong type; who knows the types checks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["plain_value"]

_BOOLS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def plain_value(name: str, default: object, text: str) -> object:
    """The value, guided by what the setting's default is; the text itself where it cannot be read."""
    if text == "" and default is None:
        return None
    if isinstance(default, bool):
        return _BOOLS.get(text.lower(), text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    parse: Callable[[str], object] = float if isinstance(default, float) else int if isinstance(default, int) else str
    if name.endswith("_bytes") and (match := re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text, re.IGNORECASE)):
        return int(match[1]) * _UNITS[match[2].lower()]
    try:
        return parse(text)
    except ValueError:
        return text
