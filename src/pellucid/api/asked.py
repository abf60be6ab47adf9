"""What a header block asks of a resource: form of the answer, preferences, conditions.

In: header fields. Out: one frozen `Asked`, kept in `Headers.facts`, so that a connection that sends the same block
again asks once. It knows no models and no queries.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from pellucid.errors import BAD_PREFERENCE, NOT_ACCEPTABLE, RANGE_NOT_SATISFIABLE, Problem, near
from pellucid.http.headers import Headers
from pellucid.http.negotiate import best_type, preferences
from pellucid.resource.bounded import Bounded

__all__ = ["ALWAYS", "JSON_TYPE", "OBJECT_TYPE", "Asked", "Form", "Return", "asked_of"]

JSON_TYPE: Final = "application/json"
OBJECT_TYPE: Final = "application/vnd.pgrst.object+json"
ARRAY_TYPE: Final = "application/vnd.pgrst.array+json"
CSV_TYPE: Final = "text/csv"

_FACT: Final = "asked"
_MOST_ROWS: Final = 10**17
"""A range is cut to what `limit` can say; nobody has so many rows."""
_RANGE: Final = re.compile(r"(?:items=)?(\d{1,18})-(\d{1,18})?")


class Form(enum.Enum):
    """The form of the answer that Accept chose."""

    JSON = JSON_TYPE
    OBJECT = OBJECT_TYPE
    ARRAY = ARRAY_TYPE
    CSV = CSV_TYPE


ALWAYS: Final = b"cache-control: no-cache\r\nvary: accept, accept-encoding, prefer\r\n"
"""What every answer of a resource says, a 304 too: ask again before using it twice, and what it depends on."""

_HEADS: Final[dict[Form, bytes]] = {
    Form.JSON: b"content-type: application/json\r\n" + ALWAYS,
    Form.OBJECT: b"content-type: application/vnd.pgrst.object+json\r\n" + ALWAYS,
    Form.ARRAY: b"content-type: application/vnd.pgrst.array+json\r\n" + ALWAYS,
    Form.CSV: b"content-type: text/csv; charset=utf-8\r\n" + ALWAYS,
}
_OFFERS: Final = tuple(form.value for form in Form)


class Return(enum.Enum):
    """`Prefer: return=…` (RFC 7240, section 4.2; `headers-only` is PostgREST's)."""

    DEFAULT = "default"
    REPRESENTATION = "representation"
    MINIMAL = "minimal"
    HEADERS_ONLY = "headers-only"


_KNOWN: Final[dict[str, frozenset[str] | None]] = {
    "return": frozenset({"representation", "minimal", "headers-only"}),
    "count": frozenset({"exact"}),
    "resolution": frozenset({"merge-duplicates", "ignore-duplicates"}),
    "missing": frozenset({"default"}),
    "handling": frozenset({"strict", "lenient"}),
    "tx": frozenset({"commit", "rollback"}),
    "max-affected": None,
}
"""The preferences that are understood, with their values; None for a whole number."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes of one request, as far as its headers tell."""

    form: Form = Form.JSON
    head: bytes = _HEADS[Form.JSON]
    """The header lines that answers of this form begin with."""
    conditional: bool = False
    """Whether If-Match or If-None-Match is there, and `required` whether If-Match is."""
    required: bool = False
    count: bool = False
    returns: Return = Return.DEFAULT
    resolution: str | None = None
    rollback: bool = False
    max_affected: int | None = None
    first: int | None = None
    """`Range: 10-19` as PostgREST reads it: the first row and the number of rows."""
    rows: int | None = None
    applied: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The preferences that are understood, by name, as far as the method has a use for them."""
    counted: bytes = b""
    """The header line that says to a reader which of its preferences were met."""

    def said(self, *names: str) -> bytes:
        """The line Preference-Applied (RFC 7240, section 3) of an answer that met these preferences, if any was wished for."""
        if not self.applied:
            return b""
        met = ", ".join([f"{name}={value}" for name, value in self.applied.items() if name in names or name == "handling"])
        return f"preference-applied: {met}\r\n".encode("latin-1") if met else b""


def asked_of(headers: Headers) -> Asked:
    """What these header fields ask for. Raises NOT_ACCEPTABLE, BAD_PREFERENCE (under `handling=strict`),
    RANGE_NOT_SATISFIABLE.
    """
    known = headers.facts.get(_FACT)
    if known is None:
        known = headers.facts[_FACT] = _asked(headers)
    return known  # type: ignore[return-value]


_wishes: Bounded[tuple[object, ...], Asked] = Bounded(256)
"""What the same wishes in other header blocks came to: conditions vary from request to request, these hardly do."""


def _asked(headers: Headers) -> Asked:
    get = headers.get
    required = "if-match" in headers
    conditional = required or "if-none-match" in headers
    key = (get("accept"), get("prefer"), get("range"), conditional, required)
    known = _wishes.get(key)
    if known is None:
        known = _wishes[key] = _ask(headers, conditional, required)
    return known


def _ask(headers: Headers, conditional: bool, required: bool) -> Asked:
    chosen = best_type(headers, _OFFERS)
    if chosen is None:
        raise Problem(
            NOT_ACCEPTABLE, f"none of {', '.join(_OFFERS)} fits Accept: {headers.get('accept')}", hint="leave Accept out for JSON"
        )
    wishes = preferences(headers)
    applied = _check(wishes)
    first, rows = _range(headers)
    most = wishes.get("max-affected", "")
    form = Form(chosen)
    asked = Asked(
        form=form,
        head=_HEADS[form],
        conditional=conditional,
        required=required,
        count="count" in applied,
        returns=Return(wishes["return"]) if "return" in applied else Return.DEFAULT,
        resolution=wishes["resolution"] if "resolution" in applied else None,
        rollback=applied.get("tx") == "rollback",
        max_affected=int(most) if "max-affected" in applied else None,
        first=first,
        rows=rows,
        applied=applied,
    )
    return msgspec.structs.replace(asked, counted=asked.said("count"))


def _check(wishes: object) -> dict[str, str]:
    """The preferences that will be met, by name. Those that will not are ignored, or refused under `handling=strict`."""
    assert isinstance(wishes, dict) or not wishes
    applied: dict[str, str] = {}
    refused: list[str] = []
    for name, value in (wishes or {}).items() if isinstance(wishes, dict) else ():
        values = _KNOWN.get(name, frozenset())
        if (values is None and value.isascii() and value.isdecimal() and len(value) < 10) or (
            values is not None and value in values
        ):
            applied[name] = value
        else:
            refused.append(f"{name}={value}" if value else name)
    if refused and applied.get("handling") == "strict":
        hint = near(refused[0].partition("=")[0], _KNOWN) or f"the preferences are {', '.join(_KNOWN)}"
        raise Problem(BAD_PREFERENCE, f"not understood: {', '.join(refused)}", hint=hint)
    return applied


def _range(headers: Headers) -> tuple[int | None, int | None]:
    """`Range: 0-19` in rows (`Range-Unit: items`), as PostgREST's clients send it; byte ranges of a collection make no
    sense and are ignored.
    """
    value = headers.get("range")
    if value is None or (found := _RANGE.fullmatch(value.strip())) is None:
        return None, None
    first = int(found[1])
    if found[2] is None:
        return first, None
    last = int(found[2])
    if last < first:
        raise Problem(RANGE_NOT_SATISFIABLE, f"the range {value} ends before it begins", headers=[("content-range", "*/*")])
    return first, min(last - first + 1, _MOST_ROWS)
