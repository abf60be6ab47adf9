"""What a status code, a header field and its value mean, in a sentence for people who read one for the first time.

In: a code, or a field's name and value. Out: `Gloss`, with the place where it is written. What nobody registered is said to
be so. Pure; the tables are in status_table.py, header_table.py and header_table_more.py.
"""

from __future__ import annotations

from difflib import get_close_matches

import msgspec

from pellucid.http.gloss_values import explain_value
from pellucid.http.header_table import FIELDS
from pellucid.http.header_table_more import MORE_FIELDS
from pellucid.http.status_table import STATUSES, UNREGISTERED

__all__ = ["KNOWN_FIELDS", "Gloss", "gloss", "reason", "status_meaning"]

KNOWN_FIELDS: dict[str, tuple[str, str]] = {**FIELDS, **MORE_FIELDS}

_CLASSES = {1: "an interim answer", 2: "success", 3: "a redirect", 4: "a mistake of the client's", 5: "a mistake of the server's"}


class Gloss(msgspec.Struct, frozen=True):
    """One sentence without a full stop, and its source: `RFC 9110, section 15.3.1`; None where there is none."""

    text: str
    source: str | None = None


def status_meaning(code: int) -> Gloss:
    """What a status code means; one that nobody registered means what its hundred means (RFC 9110, section 15)."""
    row = STATUSES.get(code)
    if row is not None:
        return Gloss(row[1], row[2])
    made_up = UNREGISTERED.get(code)
    if made_up is not None:
        return Gloss(f"{made_up[1]}; not in the registry", made_up[2])
    group = _CLASSES.get(code // 100)
    if group is None:
        return Gloss("Not a status code of HTTP: they go from 100 to 599", "RFC 9110, section 15")
    return Gloss(f"Not in the registry; by its first digit {group}", "RFC 9110, section 15")


def reason(code: int) -> str:
    """The reason phrase that belongs to a code; "" where nobody gave it one. HTTP/2 sends none."""
    row = STATUSES.get(code) or UNREGISTERED.get(code)
    return row[0] if row is not None else ""


def gloss(name: str, value: str = "") -> Gloss:
    """What a field is for, and what this value of it says where that can be told."""
    key = name.strip().lower()
    row = KNOWN_FIELDS.get(key)
    if row is None:
        return _unknown(key)
    told = explain_value(key, value) if value else ""
    return Gloss(f"{row[0]}{';' if ':' in row[0] else ':'} {told}" if told else row[0], row[1])


def _unknown(key: str) -> Gloss:
    if key.startswith(":"):
        return Gloss("A pseudo-field of HTTP/2, which carries a part of the request line or the status", "RFC 9113, section 8.3")
    close = get_close_matches(key, KNOWN_FIELDS, n=1, cutoff=0.85) if len(key) > 3 else []
    meant = f"; did you mean {close[0]}?" if close else "; the server's own" if key.startswith("x-") else ""
    return Gloss(f"Not in the registry{meant}", None)
