"""Header fields as plain pairs of text, as the client keeps them: lookups that ignore case.

`Headers` (headers.py) is the server's, checked and made for speed; these are lists that people are shown, in the order received.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

__all__ = ["CREDENTIALS", "TCHAR", "Pairs", "field", "field_lines", "unquoted", "without"]

Pairs = Sequence[tuple[str, str]]
"""Names in any case, values as sent, in order."""
TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""What a token is made of, as a part of patterns (RFC 9110, section 5.6.2)."""
CREDENTIALS = frozenset({
    "api-key", "apikey", "authorization", "cookie", "pellucid-token", "proxy-authorization", "x-access-token",
    "x-amz-security-token", "x-api-key", "x-auth-token", "x-csrf-token", "x-goog-api-key", "x-xsrf-token",
})  # fmt: skip
"""Lower-case names of a request's fields that say who asks: they are never recorded, and stay with their origin."""


def field_lines(pairs: Pairs, name: str) -> list[str]:
    """Every value of a field, in order; `name` in lower case."""
    return [value for key, value in pairs if key.lower() == name]


def field(pairs: Pairs, name: str) -> str | None:
    """The value of a field, its lines joined by commas (RFC 9110, section 5.3); None where it is absent."""
    found = field_lines(pairs, name)
    return ", ".join(found) if found else None


def without(pairs: Pairs, names: Collection[str]) -> list[tuple[str, str]]:
    """All pairs but those with these lower-case names."""
    return [(name, value) for name, value in pairs if name.lower() not in names]


def unquoted(text: str) -> str:
    """A parameter's value without its quotes, as browsers read it: a closing quote may be missing."""
    if not text.startswith('"'):
        return text
    inside = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL)
