"""What a client would like: Accept, Accept-Encoding, Accept-Language (RFC 9110, section 12.5) and Prefer (RFC 7240).

In: header fields, and what we have to offer in our order of preference. Out: the choice. Pure, no I/O; it knows no routes and
no bodies. What is not well-formed in these fields is left out of account, as if it had not been sent: a wish that cannot be
read is no reason to refuse an answer.

Every result is kept in `Headers.facts`, so a connection that sends the same header block again asks once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from pellucid.http.fields import TCHAR
from pellucid.http.headers import Headers

__all__ = [
    "MediaType",
    "accepted",
    "best_encoding",
    "best_language",
    "best_type",
    "content_type",
    "languages",
    "media_type",
    "preferences",
    "quote",
    "split_list",
]

_TOKEN = re.compile(f"{TCHAR}+")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ELEMENT = re.compile(rf"(?:[^,\"]|{_QUOTED})+")
_PARAMETER = re.compile(rf";[ \t]*(?:({TCHAR}+)[ \t]*=[ \t]*({_QUOTED}|[^;\"]*))?")
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_NOTHING: Mapping[str, str] = {}


class MediaType(msgspec.Struct, frozen=True):
    """A media type or range (RFC 9110, section 8.3.1): lower case, `*` for any, parameters without the weight."""

    type: str
    subtype: str
    parameters: Mapping[str, str]

    @property
    def name(self) -> str:
        """`type/subtype` without parameters."""
        return f"{self.type}/{self.subtype}"


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated field (RFC 9110, section 5.6.1); commas in quoted strings do not count."""
    parts = value.split(",") if '"' not in value else _ELEMENT.findall(value)
    return [element for part in parts if (element := part.strip(" \t"))]


def quote(value: str) -> str:
    """A parameter's value as a token, or as a quoted string where it is none (RFC 9110, section 5.6.4)."""
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquote(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value.strip(" \t")


def _parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """Split `head; name=value; …`; the first of two parameters with one name counts."""
    if ";" not in value:
        return value.strip(" \t"), _NOTHING
    found: dict[str, str] = {}
    head = value.partition(";")[0]
    for name, raw in _PARAMETER.findall(value, len(head)):
        if name:
            found.setdefault(name.lower(), _unquote(raw))
    return head.strip(" \t"), found


@lru_cache(512)
def media_type(value: str) -> MediaType | None:
    """Parse a Content-Type or one offer; None where it is none."""
    head, found = _parameters(value)
    kind, slash, subtype = head.lower().partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        return None
    return MediaType(kind, subtype, found)


def content_type(headers: Headers) -> MediaType | None:
    """The media type of a message's body; None where it is absent or not well-formed."""
    value = headers.get("content-type")
    return None if value is None else media_type(value)


def _weighted(value: str) -> list[tuple[str, Mapping[str, str], float]]:
    """The elements of a field with their parameters and weights (section 12.4.2), those with a bad weight left out."""
    found: list[tuple[str, Mapping[str, str], float]] = []
    for element in split_list(value):
        head, parameters = _parameters(element)
        weight = parameters.get("q", "1")
        if head and _WEIGHT.fullmatch(weight):
            found.append((head, parameters, float(weight)))
    return found


def accepted(headers: Headers) -> tuple[tuple[MediaType, float], ...]:
    """The media ranges of Accept with their weights; one `*/*` where the field is absent or says nothing."""
    known = headers.facts.get("accept")
    if known is None:
        ranges: list[tuple[MediaType, float]] = []
        for head, parameters, weight in _weighted(headers.get("accept", "*/*") or ""):
            kind, slash, subtype = head.lower().partition("/")
            if slash and kind and subtype and (kind != "*" or subtype == "*"):
                others = {name: text for name, text in parameters.items() if name != "q"}
                ranges.append((MediaType(kind, subtype, others), weight))
        known = headers.facts["accept"] = tuple(ranges) or ((MediaType("*", "*", _NOTHING), 1.0),)
    return known  # type: ignore[return-value]


def _specificity(wanted: MediaType, offer: MediaType) -> int:
    """How closely a range fits an offer (section 12.5.1): 0 not at all, then any, type, subtype, parameters."""
    if wanted.type == "*":
        return 1
    if wanted.type != offer.type:
        return 0
    if wanted.subtype == "*":
        return 2
    if wanted.subtype != offer.subtype:
        return 0
    for name, text in wanted.parameters.items():
        own = offer.parameters.get(name)
        # All our text is UTF-8, whether the offer says so or not.
        if name == "charset" and own is None and text.lower() == "utf-8":
            continue
        if own is None or own.lower() != text.lower():
            return 0
    return 3 + len(wanted.parameters)


def best_type(headers: Headers, offers: tuple[str, ...]) -> str | None:
    """The offer that Accept likes best, or None (406). Of equal ones the first offer wins.

    The weight of an offer is that of the most specific range that fits it, so `text/*, text/html;q=0` refuses HTML.
    """
    if "accept" not in headers:
        return offers[0]
    key = ("accept", offers)
    known = headers.facts.get(key, key)
    if known is not key:
        return known  # type: ignore[return-value]
    best, most = None, 0.0
    for text in offers:
        offer = media_type(text)
        assert offer is not None, f"not a media type: {text}"
        fits = [(_specificity(wanted, offer), weight) for wanted, weight in accepted(headers)]
        closeness, weight = max(fits)
        if closeness and weight > most:
            best, most = text, weight
    headers.facts[key] = best
    return best


def best_encoding(headers: Headers, offers: tuple[str, ...]) -> str | None:
    """The content coding that Accept-Encoding likes best (section 12.5.3); None for no coding, which is always possible."""
    if "accept-encoding" not in headers:
        return None
    key = ("accept-encoding", offers)
    known = headers.facts.get(key, key)
    if known is not key:
        return known  # type: ignore[return-value]
    weights: dict[str, float] = {}
    for head, _, weight in _weighted(headers["accept-encoding"]):
        weights.setdefault(head.lower().removeprefix("x-"), weight)
    rest = weights.get("*", 0.0)
    # Codings that are wished for as much as none at all are used; none at all wins only where it is named and preferred.
    best, most = None, max(weights.get("identity", 0.0), 0.0)
    for offer in offers:
        weight = weights.get(offer, rest)
        if weight > most or (weight == most > 0 and best is None):
            best, most = offer, weight
    headers.facts[key] = best
    return best


def languages(headers: Headers) -> tuple[str, ...]:
    """The languages of Accept-Language, most wanted first, those with weight 0 left out; `*` may be among them."""
    known = headers.facts.get("accept-language")
    if known is None:
        wanted = [(head, weight) for head, _, weight in _weighted(headers.get("accept-language", "") or "") if weight > 0]
        known = headers.facts["accept-language"] = tuple(head for head, _ in sorted(wanted, key=lambda pair: -pair[1]))
    return known  # type: ignore[return-value]


def best_language(headers: Headers, offers: tuple[str, ...]) -> str:
    """The offer for this client by the lookup of RFC 4647, section 3.4; the first offer where none fits."""
    by_tag = {offer.lower(): offer for offer in offers}
    for wanted in languages(headers):
        tag = wanted.lower()
        while tag:
            if tag in by_tag:
                return by_tag[tag]
            tag = tag.rpartition("-")[0]
            # A single letter introduces an extension and never ends a tag.
            if len(tag) > 1 and tag[-2] == "-":
                tag = tag[:-2]
        if wanted == "*":
            break
    return offers[0]


def preferences(headers: Headers) -> Mapping[str, str]:
    """The preferences of Prefer by lower-case name, "" where one has no value; of two with one name the first counts.

    Parameters after a semicolon are left out: no preference that we answer has any.
    """
    value = headers.get("prefer")
    if value is None:
        return _NOTHING
    known = headers.facts.get("prefer")
    if known is None:
        found: dict[str, str] = {}
        for element in split_list(value):
            name, _, text = _parameters(element)[0].partition("=")
            name = name.strip(" \t").lower()
            if _TOKEN.fullmatch(name):
                found.setdefault(name, _unquote(text.strip(" \t")))
        known = headers.facts["prefer"] = found
    return known  # type: ignore[return-value]
