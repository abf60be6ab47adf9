"""Parts of a secure page that come over http (Mixed Content, level 2): taken over https where that is allowed, else blocked.

In: the page, a part's URL and kind. Out: `Mixed`: what a browser does. Pure.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pellucid.http.remark import Remark
from pellucid.http.sites import is_address, trustworthy
from pellucid.http.url import Url, parse_url

__all__ = ["Mixed", "judge"]

_UPGRADED = ("image", "media", "icon")


class Mixed(msgspec.Struct, frozen=True):
    """What becomes of a part: asked as it is, asked over https, or not asked at all."""

    action: Literal["allow", "upgrade", "block"]
    url: Url
    remark: Remark | None = None


def judge(page: Url, url: Url, kind: str, *, upgrade_insecure: bool = False, redirected: bool = False) -> Mixed:
    """What a browser does with a part of `page`. `upgrade_insecure`: the page's CSP says upgrade-insecure-requests.

    `redirected`: the URL was reached by a redirect, where nothing is upgraded any more but what CSP upgrades.
    """
    if url.scheme not in ("http", "ws"):
        return Mixed("allow", url)
    if upgrade_insecure and kind != "document" and not (trustworthy(url) and page.scheme != "https"):
        message = "Asked over https, since the page says upgrade-insecure-requests"
        return Mixed("upgrade", _secure(url), Remark("mixed-content", "info", message, "Upgrade Insecure Requests, section 4.1"))
    if page.scheme != "https" or trustworthy(url):
        return Mixed("allow", url)
    if kind in _UPGRADED and not redirected and not is_address(url.host):
        message = f"{_word(kind)} over http in a page of https: a browser asks for it over https, and gives up where that fails"
        return Mixed("upgrade", _secure(url), Remark("mixed-content", "warning", message, "Mixed Content, section 4.1"))
    message = f"{_word(kind)} over http in a page of https: a browser blocks it"
    return Mixed("block", url, Remark("mixed-content", "error", message, "Mixed Content, should fetching be blocked"))


def _secure(url: Url) -> Url:
    return parse_url(re.sub(r"^(http|ws):", r"\1s:", url.href))


def _word(kind: str) -> str:
    word = {"stylesheet": "style sheet", "iframe": "frame", "media": "sound or video", "fetch": "request", "other": "part"}
    found = word.get(kind, kind)
    return f"{'An' if found[:1] in 'aeiou' else 'A'} {found}"
