"""The `.env` format: text in, assignments with their line numbers out. It reads no file and changes no environment."""

from __future__ import annotations

import re

from pellucid.errors import shorten

__all__ = ["parse_dotenv"]

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str) -> list[tuple[str, str, int]]:
    """The assignments of a `.env` file as (name, value, line number).

    `NAME=value`, `export NAME=value`, comments, 'single' quotes (taken literally), "double" quotes (with \\n, \\t, \\" and
    \\\\), a comment after a space. Nothing is interpolated. Raises ValueError(message, line number).
    """
    found: list[tuple[str, str, int]] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _NAME.match(line)
        if match is None:
            raise ValueError(f"expected NAME=value, not {shorten(line.split('=')[0], 24)}", number)
        found.append((match[1], _dotenv_value(line[match.end() :], number), number))
    return found


def _dotenv_value(rest: str, number: int) -> str:
    if rest[:1] not in ("'", '"'):
        return "" if rest.startswith("#") else re.split(r"\s#", rest, maxsplit=1)[0].rstrip()
    pattern = r"'([^']*)'" if rest[0] == "'" else r'"((?:[^"\\]|\\.)*)"'
    match = re.match(pattern, rest)
    if match is None:
        raise ValueError(f"the quote {rest[0]} is not closed", number)
    after = rest[match.end() :].strip()
    if after and not after.startswith("#"):
        raise ValueError("there is text after the closing quote", number)
    return match[1] if rest[0] == "'" else re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1])
