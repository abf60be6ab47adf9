"""What a request may tell of the page it comes from (Referrer Policy, W3C): the eight policies and the value of Referer.

In: a policy, the page, and what is asked for. Out: the field's value, or None. Pure.
"""

from __future__ import annotations

from pellucid.http.fields import Pairs, field
from pellucid.http.sites import same_origin, trustworthy
from pellucid.http.url import Url

__all__ = ["DEFAULT_POLICY", "POLICIES", "parse_policy", "policy_of", "referer"]

DEFAULT_POLICY = "strict-origin-when-cross-origin"
POLICIES: dict[str, str] = {
    "no-referrer": "nothing is ever told",
    "no-referrer-when-downgrade": "the whole URL, but nothing from https to http",
    "same-origin": "the whole URL to the same origin, nothing to others",
    "origin": "only the origin",
    "strict-origin": "only the origin, and nothing from https to http",
    "origin-when-cross-origin": "the whole URL to the same origin, only the origin to others",
    "strict-origin-when-cross-origin": "the whole URL to the same origin, only the origin to others, nothing from https to http",
    "unsafe-url": "the whole URL to everybody",
}
_LONGEST = 4096


def parse_policy(value: str) -> str:
    """The policy of a Referrer-Policy field or attribute: the last of the list that is known; "" where none is (section 8.1)."""
    known = [word for part in value.lower().split(",") if (word := part.strip(" \t\r\n\f")) in POLICIES]
    return known[-1] if known else ""


def policy_of(pairs: Pairs) -> str:
    """The policy that an answer sets; "" where it sets none."""
    return parse_policy(field(pairs, "referrer-policy") or "")


def referer(policy: str, source: Url, target: Url) -> str | None:
    """The value of Referer for a request from `source` to `target` (section 8.3); None: the field is left out."""
    if source.scheme not in ("http", "https"):
        return None
    policy = policy or DEFAULT_POLICY
    whole, origin = _stripped(source), f"{source.origin}/"
    if len(whole) > _LONGEST:
        whole = origin
    same = same_origin(source, target)
    downgrade = trustworthy(source) and not trustworthy(target)
    match policy:
        case "no-referrer":
            return None
        case "origin":
            return origin
        case "unsafe-url":
            return whole
        case "same-origin":
            return whole if same else None
        case "origin-when-cross-origin":
            return whole if same else origin
        case "strict-origin":
            return None if downgrade else origin
        case "no-referrer-when-downgrade":
            return None if downgrade else whole
        case _:
            if same:
                return whole
            return None if downgrade else origin


def _stripped(url: Url) -> str:
    """The URL without user name, password and fragment."""
    query = f"?{url.query}" if url.query else ""
    return f"{url.origin}{url.path}{query}"
