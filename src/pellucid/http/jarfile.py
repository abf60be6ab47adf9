"""Cookie files as Netscape began them and curl, wget and Python keep them: seven fields with tabs between, one cookie a line.

In: text. Out: lines, and back. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pellucid.errors import shorten
from pellucid.http.remark import Remark

__all__ = ["Line", "read_lines", "write_lines"]

_HEAD = "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n\n"
_HTTP_ONLY = "#HttpOnly_"
_MOST_REMARKS = 10


class Line(msgspec.Struct, frozen=True):
    """One cookie of a file."""

    domain: str
    """Without a leading dot."""
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    expires: float | None
    """Seconds since 1970; None: the session's end, which is a 0 in the file."""
    name: str
    value: str


_LAST = 253_402_300_799.0
"""The end of the year 9999."""


def read_lines(text: str) -> tuple[list[Line], list[Remark]]:
    """The cookies of a file, and a remark for each line that could not be read (the first ten)."""
    found: list[Line] = []
    wrong: list[Remark] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        http_only = line.startswith(_HTTP_ONLY)
        body = line.removeprefix(_HTTP_ONLY)
        if not body.strip() or (body.startswith("#") and not http_only):
            continue
        read = _read(body, http_only)
        if read is not None:
            found.append(read)
        elif len(wrong) < _MOST_REMARKS:
            message = f"Line {number} of the cookie jar is no cookie: {shorten(body)}; seven fields with tabs between are one"
            wrong.append(Remark("cookie", "warning", message, "https://curl.se/docs/http-cookies.html"))
    return found, wrong


def _read(body: str, http_only: bool) -> Line | None:
    parts = body.split("\t")
    if len(parts) == 6:  # an empty value at the end of the line, as some write it
        parts.append("")
    if len(parts) != 7 or parts[1] not in ("TRUE", "FALSE") or parts[3] not in ("TRUE", "FALSE") or not parts[0]:
        return None
    domain, below, path, secure, expires, name, value = parts
    if not path.startswith("/"):
        return None
    try:
        at = float(expires)
    except ValueError:
        return None
    if at != at:  # NaN
        return None
    at = min(at, _LAST)
    return Line(domain.removeprefix(".").lower(), below == "FALSE", path, secure == "TRUE", http_only, at or None, name, value)


def write_lines(lines: Iterable[Line]) -> str:
    """The file."""
    rows = [
        "\t".join(
            (
                ("" if not line.http_only else _HTTP_ONLY) + ("" if line.host_only else ".") + line.domain,
                "FALSE" if line.host_only else "TRUE",
                line.path,
                "TRUE" if line.secure else "FALSE",
                str(int(line.expires)) if line.expires is not None else "0",
                line.name,
                line.value,
            )
        )
        for line in lines
        if "\t" not in line.name + line.value
    ]
    return _HEAD + "".join(f"{row}\n" for row in rows)
