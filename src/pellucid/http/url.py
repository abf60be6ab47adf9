"""URLs as browsers read them (WHATWG URL, section 4), by ada-url.

In: text, and the URL it is relative to. Out: an immutable `Url`, or `BadUrl` with what was wrong and what would be right.
"""

from __future__ import annotations

import re
from functools import lru_cache

import ada_url
import msgspec

from pellucid.errors import shorten

__all__ = ["BadUrl", "Url", "parse_typed", "parse_url"]

# What else may stand before a colon is a host with its port.
_HOSTLESS = "about|blob|data|file|javascript|mailto|tel|urn|view-source|chrome"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}


class BadUrl(ValueError):
    """A text that is no URL, or none that can be asked for: `message` says what was wrong, `hint` what would be right."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Url(msgspec.Struct, frozen=True):
    """A parsed URL. Everything is as it goes over the wire (ASCII); `shown` is for people."""

    href: str
    """The whole, serialized; the fragment included."""
    scheme: str
    host: str
    """A name in ASCII (`xn--...`), an IPv4 address, or an IPv6 address without brackets; empty where the scheme has none."""
    port: int
    """The port to connect to: the one named, or the scheme's own; 0 where there is none."""
    path: str
    query: str
    """Without the question mark; see `target`."""
    fragment: str
    username: str
    password: str
    authority: str
    """What the Host field says: brackets round IPv6, the port only where it is not the scheme's own."""
    origin: str
    """`https://example.org`, or `null`."""
    target: str
    """Path and query, as the request line has them."""

    @property
    def shown(self) -> str:
        """The URL with its host in Unicode and without the user's name and password."""
        secret = self.username or self.password
        text = re.sub(r"//[^/@]*@", "//", self.href, count=1) if secret else self.href
        return text.replace(f"//{self.host}", f"//{self.shown_host}", 1) if "xn--" in self.host else text

    @property
    def shown_host(self) -> str:
        """The host in Unicode."""
        return str(ada_url.idna.decode(self.host)) if "xn--" in self.host else self.host

    @property
    def bare(self) -> str:
        """The URL without its fragment: what is asked for, and the key of caches."""
        return self.href.partition("#")[0]


def parse_url(text: str, base: Url | None = None) -> Url:
    """Parse an absolute URL, or one relative to `base`. Raises BadUrl."""
    against = None if base is None else base.href
    # A page names the same few again and again; long ones are data: URLs, which would fill the memory.
    return _parsed_once(text, against) if len(text) <= _MOST_REMEMBERED else _parsed(text, against)


def _parsed(text: str, base: str | None) -> Url:
    try:
        found = ada_url.URL(text, base) if base is not None else ada_url.URL(text)
    except ValueError:
        raise BadUrl(f"{shorten(text)} is not a URL") from None
    scheme = found.protocol[:-1]
    host = found.hostname
    return Url(
        href=found.href,
        scheme=scheme,
        host=host[1:-1] if host.startswith("[") else host,
        port=int(found.port) if found.port else _PORTS.get(scheme, 0),
        path=found.pathname,
        query=found.search[1:],
        fragment=found.hash[1:],
        username=found.username,
        password=found.password,
        authority=found.host,
        origin=found.origin,
        target=(found.pathname or "/")
        + found.search
        + ("?" if not found.search and found.href.partition("#")[0][-1:] == "?" else ""),
    )


_MOST_REMEMBERED = 2000
_parsed_once = lru_cache(maxsize=1024)(_parsed)


def parse_typed(text: str) -> tuple[Url, bool]:
    """What a user typed, and whether its scheme was assumed (then https is tried first, and http where that fails).

    Browsers assume https for names, http for localhost, for addresses and for names without a dot. Raises BadUrl.
    """
    typed = text.strip()
    if re.match(r"(?i)https?:", typed):
        return _asked_for(parse_url(typed)), False
    scheme = re.match(rf"(?i)({_HOSTLESS}|[a-z][a-z0-9+.-]*(?=://)):", typed)
    if scheme is not None:
        raise BadUrl(f"{shorten(scheme.group(1))}: is not a scheme that can be traced", "http: and https: can")
    if not typed or re.match(r"/(?!/)|[.]{0,2}/(?!/)|[?#]|[.]+$", typed):
        raise BadUrl("The URL names no host", "http://example.org/ does")
    url = _asked_for(parse_url(f"http://{typed}"))
    plain = url.host == "localhost" or url.host.endswith(".localhost") or ":" in url.host or "." not in url.host.rstrip(".")
    if plain or re.fullmatch(r"[0-9.]+", url.host):
        return url, True
    return _asked_for(parse_url(f"https://{typed}")), True


def _asked_for(url: Url) -> Url:
    if not url.host:
        raise BadUrl("The URL names no host", "http://example.org/ does")
    return url
