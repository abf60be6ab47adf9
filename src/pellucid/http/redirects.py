"""Where an answer sends a browser (Fetch, "HTTP-redirect fetch"; RFC 9110, section 15.4).

In: a request and the head of its answer. Out: the next request in outline, the reason why there is none, or None where the answer
is no redirect. Pure; it follows nothing itself.
"""

from __future__ import annotations

import msgspec

from pellucid.errors import shorten
from pellucid.http.fetching import Asking, tainted
from pellucid.http.fields import CREDENTIALS, Pairs, field_lines
from pellucid.http.remark import Remark
from pellucid.http.sites import same_origin, trustworthy
from pellucid.http.url import BadUrl, Url, parse_url

__all__ = ["LIMIT", "STATUSES", "Halt", "Onward", "next_request"]

LIMIT = 20
STATUSES = (301, 302, 303, 307, 308)
_SOURCE = "Fetch, HTTP-redirect fetch"
# What describes a body goes with it.
_OF_A_BODY = ("content-encoding", "content-language", "content-location", "content-type", "content-length")


class Onward(msgspec.Struct, frozen=True):
    """The next request."""

    url: Url
    method: str
    keep_body: bool
    drop: tuple[str, ...]
    """Lower-case names of the fields that are not sent again."""
    remarks: tuple[Remark, ...] = ()


class Halt(msgspec.Struct, frozen=True):
    """A redirect that is not followed: an error, as a browser shows one."""

    slug: str
    message: str
    hint: str | None = None
    remarks: tuple[Remark, ...] = ()


def next_request(
    url: Url, method: str, status: int, headers: Pairs, *, taken: int, asking: Asking | None = None
) -> Onward | Halt | None:
    """What follows an answer. `taken` redirects came before it; `asking` tells what the request was for.

    None: this is no redirect, and the answer is shown as it is; so is one without Location.
    """
    if status not in STATUSES:
        return None
    locations = field_lines(headers, "location")
    if not locations:
        return None
    location = locations[0]
    if any(other != location for other in locations):
        return Halt("bad-redirect", "The answer had several Location fields that differ", "there is exactly one")
    try:
        target = parse_url(_as_text(location), url)
    except BadUrl:
        return Halt("bad-redirect", f"Location said {shorten(location, 80)}, which is not a URL", "https://example.org/ is one")
    if not target.fragment and url.fragment and "#" not in target.href:
        target = parse_url(f"{target.href}#{url.fragment}")
    refused = _refused(url, target, taken, asking)
    if refused is not None:
        return refused
    changed = (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD"))
    drop: list[str] = list(_OF_A_BODY) if changed else []
    if not same_origin(url, target):
        # Browsers add `authorization` only where they know of it; somebody who types another one means one server, too.
        drop += sorted(CREDENTIALS)
    remarks = tuple(_remarks(url, target, method, status, changed, headers))
    return Onward(target, "GET" if changed else method, not changed, tuple(drop), remarks)


def _as_text(location: str) -> str:
    """Browsers take bytes beyond ASCII for UTF-8; the field was decoded as ISO-8859-1."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _refused(url: Url, target: Url, taken: int, asking: Asking | None) -> Halt | None:
    if target.scheme not in ("http", "https"):
        return Halt("bad-redirect", f"{url.shown} redirected to {target.scheme}:, which no browser follows", "http: or https:")
    if not target.host:
        return Halt("bad-redirect", f"{url.shown} redirected to a URL without a host", "https://example.org/ has one")
    if taken >= LIMIT:
        return Halt("too-many-redirects", f"There were more than {LIMIT} redirects", "a loop is the usual cause")
    if asking is None or asking.client is None:
        return None
    secret = bool(target.username or target.password)
    crossed = tainted(msgspec.structs.replace(asking, passed=(*asking.passed, url), url=target))
    if asking.mode == "cors" and secret and (crossed or not same_origin(asking.client, target)):
        return Halt("cors", f"{url.shown} redirected to a URL with a user name or password, which cors forbids", None)
    if asking.mode == "same-origin" and not same_origin(asking.client, target):
        return Halt("cors", f"{url.shown} redirected to another origin, and the request was for the same origin only", None)
    return None


def _remarks(url: Url, target: Url, method: str, status: int, changed: bool, headers: Pairs) -> list[Remark]:
    found: list[Remark] = []
    if changed:
        found.append(Remark("redirect", "info", f"{status} made the {method} a GET, and its body was left behind", _SOURCE))
    elif method not in ("GET", "HEAD"):
        found.append(Remark("redirect", "info", f"{status} kept the method {method} and its body", _SOURCE))
    if url.fragment and target.fragment == url.fragment:
        found.append(Remark("redirect", "info", f"The fragment #{url.fragment} was carried over", _SOURCE))
    if url.scheme == "http" and target.scheme == "https":
        found.append(Remark("redirect", "good", "The redirect led from http to https", "RFC 6797, section 7.2"))
    elif url.scheme == "https" and target.scheme == "http" and not trustworthy(target):
        found.append(Remark("redirect", "warning", "The redirect led from https back to http, where all can read along"))
    if target.bare == url.bare and method in ("GET", "HEAD"):
        found.append(Remark("redirect", "warning", "The redirect led to the same URL again", "RFC 9110, section 15.4"))
    if len(field_lines(headers, "location")) > 1:
        found.append(Remark("redirect", "warning", "Location was sent more than once", "RFC 9110, section 10.2.2"))
    return found
