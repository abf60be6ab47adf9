"""Character references of HTML (WHATWG HTML, sections 13.2.5.72 to 13.2.5.80).

In: text of an element or an attribute. Out: the same with `&amp;`, `&#38;` and `&#x26;` made characters. Python's `html.unescape`
does not know the rule for attributes, by which `?a=1&copy=2` stays as it is.
"""

from __future__ import annotations

import re

__all__ = ["decode_references"]

_REFERENCE = re.compile(r"&(?:#([0-9]+);?|#[xX]([0-9a-fA-F]+);?|([A-Za-z][0-9A-Za-z]*);?)")
_WINDOWS_1252 = dict(
    zip(
        (0x80, *range(0x82, 0x8D), 0x8E, *range(0x91, 0x9D), 0x9E, 0x9F),
        "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ",
        strict=True,
    )
)
_LONGEST = 32


def decode_references(text: str, *, attribute: bool = False) -> str:
    """Replace every reference that the standard takes for one; `attribute` says which rule ends those without a semicolon."""
    from html.entities import html5

    def replace(match: re.Match[str]) -> str:
        whole = match.group()
        if match.lastindex != 3:
            return _numeric(int(match.group(1)[:9]) if match.group(1) else int(match.group(2)[:9], 16))
        if whole.endswith(";") and whole[1:] in html5:
            return html5[whole[1:]]
        name = match.group(3)
        for length in range(min(len(name), _LONGEST), 1, -1):
            if name[:length] in html5:
                rest = whole[1 + length :]
                after = rest[:1] or text[match.end() : match.end() + 1]
                if attribute and (after == "=" or (after.isascii() and after.isalnum())):
                    return whole
                return html5[name[:length]] + rest
        return whole

    return _REFERENCE.sub(replace, text)


def _numeric(code: int) -> str:
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return _WINDOWS_1252.get(code) or chr(code)
