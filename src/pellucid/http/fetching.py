"""What a browser's request says: the fields that Chrome sends for a document, a style sheet, a font ..., in its order.

In: `Asking`, a request as Fetch knows it. Out: header fields. Host, Connection, Content-Length and HTTP/2's Priority belong to
whoever writes the message for its protocol. Pure.

Four things are told otherwise than Chrome tells them, to be honest: User-Agent says who we are, client hints (sec-ch-ua) are
left out with it, Accept does not name signed exchanges, which are not read here, and Sec-Fetch-Storage-Access is left out.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pellucid.http.fields import Pairs
from pellucid.http.referrer import referer
from pellucid.http.sites import same_origin, same_site, trustworthy
from pellucid.http.url import Url

__all__ = ["AGENT", "Asking", "destination", "fetch_site", "origin_of", "request_headers", "tainted", "with_credentials"]

AGENT = "pellucid/0.1.0"

_DESTINATIONS = {
    "document": "document", "iframe": "iframe", "stylesheet": "style", "script": "script", "image": "image", "icon": "image",
    "font": "font", "manifest": "manifest", "media": "video",
}  # fmt: skip
_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8"
_PICTURE = "image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
_ACCEPT = {"document": _PAGE, "iframe": _PAGE, "stylesheet": "text/css,*/*;q=0.1", "image": _PICTURE, "icon": _PICTURE}
# What else is asked with cors tells its origin at home as well, though Fetch does not ask for that.
_SILENT_AT_HOME = ("manifest", "fetch", "other")


class Asking(msgspec.Struct, frozen=True):
    """A request before it is bytes: what for, on whose behalf, and by which way it came here."""

    url: Url
    method: str = "GET"
    kind: str = "document"
    """The journey's kinds; of a preload, the kind that it is for."""
    mode: Literal["navigate", "no-cors", "cors", "same-origin"] = "navigate"
    credentials: Literal["include", "same-origin", "omit"] = "include"
    client: Url | None = None
    """The page that asks; None: a user typed the URL."""
    referrer: Url | None = None
    """What Referer tells of: the page, or the style sheet that named the URL; None: the page."""
    referrer_policy: str = ""
    """Empty: the default of all browsers, strict-origin-when-cross-origin."""
    passed: tuple[Url, ...] = ()
    """The URLs that redirected here, oldest first."""
    priority: str = "VeryHigh"
    destination: str = ""
    """Fetch's destination where it does not follow from the kind: audio, track, object, ..."""


def destination(asking: Asking) -> str:
    """Fetch's destination of a request: `style`, `script`, `empty`, ..."""
    return asking.destination or _DESTINATIONS.get(asking.kind, "empty")


def tainted(asking: Asking) -> bool:
    """Whether redirects led from a foreign origin on to another one: then the origin is not told (Fetch, "redirect-taint")."""
    if asking.client is None:
        return False
    last: Url | None = None
    for url in (*asking.passed, asking.url):
        if last is not None and not same_origin(url, last) and not same_origin(asking.client, last):
            return True
        last = url
    return False


def origin_of(asking: Asking) -> str | None:
    """The value of Origin, for requests with cors and for all that may change something; None: left out.

    Fetch, "append a request Origin header".
    """
    if asking.client is None:
        return None
    told = "null" if tainted(asking) else asking.client.origin
    if asking.mode == "cors" and (asking.kind not in _SILENT_AT_HOME or not same_origin(asking.client, asking.url)):
        return told
    if asking.method in ("GET", "HEAD"):
        return None
    if asking.referrer_policy == "no-referrer":
        return "null"
    foreign = not same_origin(asking.client, asking.url)
    if asking.referrer_policy == "same-origin" and foreign:
        return "null"
    downgrade = asking.client.scheme == "https" and asking.url.scheme != "https"
    return "null" if downgrade and asking.referrer_policy not in ("origin", "unsafe-url", "origin-when-cross-origin") else told


def with_credentials(asking: Asking) -> bool:
    """Whether cookies and Authorization go along, and Set-Cookie counts."""
    if asking.credentials == "same-origin" and asking.client is not None:
        return all(same_origin(asking.client, url) for url in (*asking.passed, asking.url))
    return asking.credentials != "omit"


def fetch_site(asking: Asking) -> str:
    """Sec-Fetch-Site: how the one who asks stands to what is asked for, redirects included (Fetch Metadata, Sec-Fetch-Site)."""
    if asking.client is None:
        return "none"
    found = "same-origin"
    for url in (*asking.passed, asking.url):
        if not same_site(asking.client, url):
            return "cross-site"
        if not same_origin(asking.client, url):
            found = "same-site"
    return found


def request_headers(
    asking: Asking,
    *,
    cookie: str | None = None,
    extra: Pairs = (),
    content_type: str | None = None,
) -> list[tuple[str, str]]:
    """The fields of a request in Chrome's order.

    `extra` are the user's own: one that is here already takes its place, and leaves it out where its value is empty.
    """
    navigating = asking.mode == "navigate"
    origin = ("Origin", origin_of(asking))
    made: list[tuple[str, str | None]] = [("Upgrade-Insecure-Requests", "1")] if navigating else [origin]
    made += [("Content-Type", content_type), ("User-Agent", AGENT)]
    made += [origin] if navigating else []
    made.append(("Accept", _ACCEPT.get(asking.kind, "*/*")))
    # Chrome tells these, and offers br and zstd, only where nobody on the way can meddle.
    safe = trustworthy(asking.url)
    if safe:
        made += [("Sec-Fetch-Site", fetch_site(asking)), ("Sec-Fetch-Mode", asking.mode)]
        if navigating and asking.client is None:
            made.append(("Sec-Fetch-User", "?1"))
        made.append(("Sec-Fetch-Dest", destination(asking)))
    source = asking.referrer or asking.client
    made.append(("Referer", referer(asking.referrer_policy, source, asking.url) if source is not None else None))
    # Of sound and video parts are asked for, which must not change in size.
    media = asking.kind == "media"
    made.append(("Accept-Encoding", "identity" if media else "gzip, deflate, br, zstd" if safe else "gzip, deflate"))
    made += [("Accept-Language", "en-US,en;q=0.9"), ("Cookie", cookie), ("Range", "bytes=0-" if media else None)]
    return _with_own([(name, value) for name, value in made if value], extra)


def _with_own(made: list[tuple[str, str]], extra: Pairs) -> list[tuple[str, str]]:
    """The made fields with the user's own in their places, others of the user's behind them."""
    own: dict[str, list[tuple[str, str]]] = {}
    for name, value in extra:
        own.setdefault(name.lower(), []).append((name, value))
    found: list[tuple[str, str]] = []
    for name, value in made:
        found += own.pop(name.lower(), [(name, value)])
    return [pair for pair in found + [pair for pairs in own.values() for pair in pairs] if pair[1]]
