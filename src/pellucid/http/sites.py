"""Origins and sites (HTML, section 7.1.1): who is who, for cookies, referrers, Sec-Fetch-Site and mixed content.

In: hosts and URLs. Out: verdicts. The public suffix list is loaded when the first name with a dot asks for it (40 ms), which an
address or a localhost never does.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from pellucid.http.url import Url

__all__ = ["is_address", "is_public_suffix", "registrable", "same_origin", "same_site", "site", "trustworthy"]


@lru_cache(1)
def _suffixes() -> object:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=True)


@lru_cache(512)
def is_address(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 address (without brackets)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(512)
def registrable(host: str) -> str | None:
    """The public suffix and one label more (`shop.co.uk` of `www.shop.co.uk`); None for an address or a suffix itself."""
    name = host.lower().rstrip(".")
    if not name or is_address(name) or "." not in name:
        return None
    if name.endswith(".localhost"):  # RFC 6761: never in a list; Chrome treats each label before it as a site
        return ".".join(name.split(".")[-2:])
    found = _suffixes().privatesuffix(name)  # type: ignore[attr-defined]
    return None if found is None else str(found)


def is_public_suffix(host: str) -> bool:
    """Whether anybody may have a name right below this one, so that it cannot own cookies."""
    return not is_address(host) and registrable(host) is None


def site(url: Url) -> str:
    """The site as browsers compare it, with its scheme: `https://shop.co.uk`; an origin's host where it has no suffix."""
    if not url.host:
        return "null"
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return f"{scheme}://{registrable(url.host) or url.host}"


def same_site(one: Url, other: Url) -> bool:
    """Schemefully same site (HTML, section 7.1.1.1)."""
    return same_origin(one, other) or (site(one) == site(other) and site(one) != "null")


def same_origin(one: Url, other: Url) -> bool:
    """Same scheme, host and port; opaque origins are never the same."""
    return one.origin == other.origin and one.origin != "null"


def trustworthy(url: Url) -> bool:
    """Whether nobody on the way can read or change it (Secure Contexts, section 3.1): encrypted, or on this machine."""
    if url.scheme in ("https", "wss", "file", "data", "about", "blob"):
        return True
    host = url.host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback
