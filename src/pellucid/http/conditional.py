"""Conditional and partial requests: entity tags, preconditions (RFC 9110, section 13) and byte ranges (section 14).

In: header fields, and what is known of the resource: its entity tag and when it changed. Out: whether to proceed, and which
bytes. Pure, no I/O.

`web/compress.py` gives each content coding of a representation its own strong tag: `"abc"` becomes `"abc-br"`. All of them
stand for one state of the resource, so a tag with such an ending fits the one without wherever a state is asked for.
"""

from __future__ import annotations

import enum
import re
from calendar import timegm
from email.utils import formatdate, parsedate_tz

from pellucid.errors import RANGE_NOT_SATISFIABLE, Problem
from pellucid.http.headers import Headers

__all__ = [
    "CODING_SUFFIXES",
    "Outcome",
    "byte_ranges",
    "etags",
    "format_date",
    "matched_tag",
    "not_modified",
    "parse_date",
    "preconditions",
    "range_applies",
    "state_of",
]

CODING_SUFFIXES = {"gzip": "-gzip", "br": "-br", "zstd": "-zstd"}

_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_RANGE = re.compile(r"([0-9]*)[ \t]*-[ \t]*([0-9]*)")
_MOST_RANGES = 16


class Outcome(enum.Enum):
    """What the preconditions of a request say (section 13.2.2)."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    """304: GET and HEAD only."""
    FAILED = "failed"
    """412."""


def etags(value: str) -> tuple[str, ...]:
    """The entity tags of a field, each as sent (`"a"`, `W/"b"`); `("*",)` for any; what is malformed is left out."""
    if value.strip(" \t") == "*":
        return ("*",)
    return tuple(match.group() for match in _ETAG.finditer(value))


def state_of(etag: str) -> str:
    """The opaque part of a tag without weakness, quotes and the ending of a content coding: what names the state."""
    match = _ETAG.fullmatch(etag)
    text = match.group(2) if match else etag
    for suffix in CODING_SUFFIXES.values():
        if text.endswith(suffix):
            return text.removesuffix(suffix)
    return text


def not_modified(headers: Headers, etag: str) -> bool:
    """Whether If-None-Match names this tag (weak comparison, section 8.8.3.2): the whole question for a GET without a date."""
    asked = headers.get("if-none-match")
    if asked is None:
        return False
    return asked == etag or _any_weak(asked, etag)


def matched_tag(headers: Headers, etag: str) -> str:
    """The tag for a 304: that of the variant which the client has, where If-None-Match names one of this state, else ours."""
    asked = headers.get("if-none-match")
    if asked is None or asked == etag:
        return etag
    state = state_of(etag)
    matched = next((tag for tag in etags(asked) if tag != "*" and state_of(tag) == state), etag)
    return matched if etag.startswith("W/") else matched.removeprefix("W/")


def _any_weak(field: str, etag: str) -> bool:
    current = etag.removeprefix("W/")
    state = current[1:-1]
    return any(tag == "*" or tag.removeprefix("W/") == current or state_of(tag) == state for tag in etags(field))


def _any_strong(field: str, etag: str) -> bool:
    """Strong comparison for If-Match. A weak tag of ours never fits: the state is not known to the byte."""
    if etag.startswith("W/"):
        return False
    return any(tag == etag or (not tag.startswith("W/") and state_of(tag) == etag[1:-1]) for tag in etags(field))


def preconditions(
    method: str, headers: Headers, *, etag: str | None = None, modified: int | None = None, exists: bool = True
) -> Outcome:
    """Evaluate If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since in the order of section 13.2.2.

    `etag` is the current tag with its quotes, `modified` the last change in seconds since 1970, `exists` whether there is a
    current representation at all. Dates that cannot be read count as absent.
    """
    if_match = headers.get("if-match")
    if if_match is not None:
        anything = if_match.strip(" \t") == "*"
        if not exists or not (anything or (etag is not None and _any_strong(if_match, etag))):
            return Outcome.FAILED
    elif "if-unmodified-since" in headers and modified is not None:
        limit = parse_date(headers["if-unmodified-since"])
        if limit is not None and modified > limit:
            return Outcome.FAILED
    reading = method in ("GET", "HEAD")
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:
        anything = if_none_match.strip(" \t") == "*"
        if exists and (anything or (etag is not None and _any_weak(if_none_match, etag))):
            return Outcome.NOT_MODIFIED if reading else Outcome.FAILED
    elif reading and modified is not None and "if-modified-since" in headers:
        since = parse_date(headers["if-modified-since"])
        if since is not None and modified <= since:
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_applies(headers: Headers, *, etag: str | None, modified: int | None) -> bool:
    """Whether If-Range lets the Range count (section 13.1.5): absent, or exactly the current strong tag or date."""
    value = headers.get("if-range")
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return etag is not None and not etag.startswith("W/") and value == etag
    return modified is not None and parse_date(value) == modified


def byte_ranges(value: str, size: int) -> list[tuple[int, int]] | None:
    """The ranges of a Range field as (start, stop) with stop exclusive, in the order asked; None to ignore the field.

    Raises RANGE_NOT_SATISFIABLE where no range lies inside, and where there are too many or they overlap so much that more
    would be sent than the whole (section 15.5.17).
    """
    unit, equals, listed = value.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    found: list[tuple[int, int]] = []
    parts = [part.strip(" \t") for part in listed.split(",")]
    parts = [part for part in parts if part]
    if not parts:
        return None
    if len(parts) > _MOST_RANGES:
        raise _unsatisfiable(size, f"{len(parts)} ranges are too many; ask for at most {_MOST_RANGES}")
    for part in parts:
        match = _RANGE.fullmatch(part)
        first, last = match.groups() if match else ("", "")
        # A number of 20 digits is beyond every file, and int() of a very long one would cost.
        if not (first or last) or len(first) > 19 or len(last) > 19 or (first and last and int(last) < int(first)):
            return None
        start = int(first) if first else max(0, size - int(last))
        stop = min(int(last) + 1, size) if first and last else size
        if start < stop:
            found.append((start, stop))
    if not found:
        raise _unsatisfiable(size, f"the range {value[:80]!r} lies outside of {size} bytes")
    if len(found) > 1 and sum(stop - start for start, stop in found) > size:
        raise _unsatisfiable(size, "the ranges overlap; ask for every byte once")
    return found


def _unsatisfiable(size: int, message: str) -> Problem:
    return Problem(RANGE_NOT_SATISFIABLE, message, headers=[("content-range", f"bytes */{size}")])


def format_date(seconds: int) -> str:
    """Seconds since 1970 as an IMF-fixdate (section 5.6.7)."""
    return formatdate(seconds, usegmt=True)


def parse_date(value: str) -> int | None:
    """Seconds since 1970 from any of the three forms of section 5.6.7; None where it is none of them."""
    parsed = parsedate_tz(value)
    if parsed is None:
        return None
    try:
        return timegm(parsed[:9]) - (parsed[9] or 0)
    except (ValueError, OverflowError):
        return None
