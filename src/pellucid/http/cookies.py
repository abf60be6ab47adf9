"""Cookies as browsers keep them (RFC 6265bis and its successor, layered cookies), every decision with its reason.

In: URLs, the Set-Cookie lines of answers, how a request came about, the time. Out: the value of Cookie, and a `Fate` for every
cookie that was stored, refused, sent or held back. No I/O: a jar is loaded from text and saved as text, in the format of curl's
jars (jarfile.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Literal

import msgspec

from pellucid.http.fetching import Asking, with_credentials
from pellucid.http.fields import Pairs, field_lines
from pellucid.http.jarfile import Line, read_lines, write_lines
from pellucid.http.remark import Remark
from pellucid.http.setcookie import SetCookie, parse_set_cookie
from pellucid.http.sites import is_address, is_public_suffix, same_site, trustworthy
from pellucid.http.url import Url

__all__ = ["Context", "Cookie", "Fate", "Jar"]

_PER_DOMAIN = 180
_TOTAL = 3300
_LAX_AND_POST = 120.0
_SPEC = "RFC 6265bis, section "


class Fate(msgspec.Struct, frozen=True):
    """What became of one cookie, and why."""

    name: str
    value: str
    fate: Literal["sent", "withheld", "stored", "refused", "deleted"]
    says: str
    domain: str = ""
    path: str = ""
    source: str | None = None


class Cookie(msgspec.Struct):
    """One cookie of a jar."""

    name: str
    value: str
    domain: str
    """Lower case, no leading dot."""
    path: str
    host_only: bool
    secure: bool
    http_only: bool
    same_site: Literal["strict", "lax", "none", "default"]
    expires: float | None
    """Seconds since 1970; None: the session's end."""
    created: float
    serial: int
    partition: str | None = None
    """The site of the page that a partitioned cookie belongs to."""


class Context(msgspec.Struct, frozen=True):
    """How a request came about, as far as cookies care."""

    top: Url | None = None
    """The page in the address bar; None: this request is what the user typed."""
    navigation: bool = True
    """It will replace the page in the address bar."""
    method: str = "GET"
    passed: tuple[Url, ...] = ()
    """The URLs that redirected here."""
    credentials: bool = True

    @classmethod
    def of(cls, asking: Asking) -> Context:
        """The context of a request."""
        return cls(
            asking.client,
            asking.kind == "document" and asking.mode == "navigate",
            asking.method,
            asking.passed,
            with_credentials(asking),
        )


class Jar:
    """The cookies of one user. Bounded: 180 of a domain, 3,300 in all, as Chrome does."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str, bool, str | None], Cookie] = {}
        self._serials = count()

    def __len__(self) -> int:
        return len(self._cookies)

    @property
    def cookies(self) -> list[Cookie]:
        """All of them, oldest first."""
        return sorted(self._cookies.values(), key=lambda cookie: cookie.serial)

    # Storing.

    def store(self, url: Url, headers: Pairs, context: Context, now: float) -> list[Fate]:
        """Take the cookies of an answer from `url` (section 5.7); `now` in seconds since 1970."""
        return [self._store(url, text, context, now) for text in field_lines(headers, "set-cookie")]

    def _store(self, url: Url, text: str, context: Context, now: float) -> Fate:
        parsed = parse_set_cookie(text, now)
        if isinstance(parsed, tuple):
            return Fate(text.partition("=")[0].strip()[:80], "", "refused", parsed[0], url.host, "", parsed[1])
        domain, path = parsed.domain or url.host.lower(), parsed.path or default_path(url.path)
        refused = _refusal(parsed, url, context, self._cookies.values())
        if refused is not None:
            return Fate(parsed.name, parsed.value, "refused", refused[0], domain, path, _SPEC + refused[1])
        host_only = not parsed.domain or (parsed.domain == url.host.lower() and (is_public_suffix(domain) or is_address(domain)))
        partition = _partition(url, context) if parsed.partitioned else None
        key = (parsed.name, domain, path, host_only, partition)
        old = self._cookies.pop(key, None)
        if parsed.expires is not None and parsed.expires <= now:
            says = (
                "Its date lies in the past, which deletes it"
                if parsed.max_age is None
                else "Max-Age has run out, which deletes it"
            )
            says = says if old is not None else f"{says}; there was none"
            return Fate(parsed.name, parsed.value, "deleted", says, domain, path, _SPEC + "5.7")
        created = old.created if old is not None else now
        serial = old.serial if old is not None else next(self._serials)
        self._cookies[key] = Cookie(
            parsed.name, parsed.value, domain, path, host_only, parsed.secure, parsed.http_only, parsed.same_site, parsed.expires,
            created, serial, partition,
        )  # fmt: skip
        self._evict(domain, now)
        return Fate(
            parsed.name, parsed.value, "stored", _stored_says(parsed, domain, host_only, old, now), domain, path, _SPEC + "5.7"
        )

    def _evict(self, domain: str, now: float) -> None:
        """Make room (section 5.7): expired ones go first, then the oldest that are not Secure, then the oldest."""
        for key in [key for key, cookie in self._cookies.items() if cookie.expires is not None and cookie.expires <= now]:
            del self._cookies[key]
        for here, most in ((domain, _PER_DOMAIN), (None, _TOTAL)):
            keys = [key for key, cookie in self._cookies.items() if here is None or cookie.domain == here]
            if len(keys) <= most:
                continue
            ordered = sorted(keys, key=lambda key: (self._cookies[key].secure, self._cookies[key].serial))
            for key in ordered[: len(keys) - most]:
                del self._cookies[key]

    # Sending.

    def pick(self, url: Url, context: Context, now: float) -> tuple[str | None, list[Fate]]:
        """The value of Cookie for a request (section 5.8.3), and the fate of every cookie that its host could have had."""
        sent: list[Cookie] = []
        fates: list[tuple[Cookie, Fate]] = []
        for cookie in self._cookies.values():
            if not _near(cookie, url):
                continue
            why = _withheld(cookie, url, context, now)
            if why is None:
                sent.append(cookie)
                says = f"Its domain, its path and SameSite={_shown(cookie.same_site)} fit"
                fates.append((cookie, _fate(cookie, "sent", says, "5.8.3")))
            else:
                fates.append((cookie, _fate(cookie, "withheld", *why)))
        order = sorted(sent, key=lambda cookie: (-len(cookie.path), cookie.serial))
        fates.sort(key=lambda pair: (pair[1].fate != "sent", -len(pair[0].path), pair[0].serial))
        text = "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in order)
        return (text if order else None), [fate for _, fate in fates]

    # Keeping.

    def load(self, text: str, now: float) -> list[Remark]:
        """Add what a Netscape cookie file says; lines that cannot be read are told of and left out."""
        lines, remarks = read_lines(text)
        for line in lines:
            if line.expires is not None and line.expires <= now:
                continue
            key = (line.name, line.domain, line.path, line.host_only, None)
            self._cookies[key] = Cookie(
                line.name, line.value, line.domain, line.path, line.host_only, line.secure, line.http_only, "default",
                line.expires, now, next(self._serials),
            )  # fmt: skip
        return remarks

    def save(self, now: float) -> str:
        """The jar as a Netscape cookie file; what has expired is left out, and so is what only one page's site may see."""
        live = [
            cookie for cookie in self.cookies if cookie.partition is None and (cookie.expires is None or cookie.expires > now)
        ]
        return write_lines(Line(c.domain, c.host_only, c.path, c.secure, c.http_only, c.expires, c.name, c.value) for c in live)


def default_path(path: str) -> str:
    """The path of a cookie that names none (section 5.1.4): the folder of the URL."""
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"


def domain_matches(host: str, domain: str) -> bool:
    """Section 5.1.3: the same, or a name below; never below an address."""
    return host == domain or (host.endswith("." + domain) and not is_address(host))


def path_matches(path: str, cookie_path: str) -> bool:
    """Section 5.1.4: the same, or a folder above."""
    return path == cookie_path or (path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path)] == "/"))


def _refusal(parsed: SetCookie, url: Url, context: Context, jar: Iterable[Cookie]) -> tuple[str, str] | None:
    """Why a well-formed cookie is not stored, and the section; None: it is."""
    host = url.host.lower()
    if not context.credentials:
        return "The request was made without credentials, so its answer sets none", "5.7"
    if parsed.domain and is_public_suffix(parsed.domain) and parsed.domain != host:
        return f"Domain={parsed.domain} is a public suffix: strangers share it", "5.7"
    if parsed.domain and not domain_matches(host, parsed.domain):
        return f"Domain={parsed.domain} is not {host} and not above it", "5.7"
    if parsed.secure and not trustworthy(url):
        return "It is Secure, and the answer came over plain http", "5.7"
    if parsed.same_site == "none" and not parsed.secure:
        return "SameSite=None needs Secure", "5.7"
    if parsed.partitioned and not parsed.secure:
        return "Partitioned needs Secure", "5.7"
    if parsed.same_site != "none" and not context.navigation and not _is_same_site(url, context):
        return f"SameSite={_shown(parsed.same_site)}, and the answer came for a page of another site", "5.7"
    prefixed = _prefix(parsed)
    if prefixed is not None:
        return prefixed, "4.1.3"
    if not parsed.secure and not trustworthy(url):
        path = parsed.path or default_path(url.path)
        for cookie in jar:
            if (
                cookie.secure and cookie.name == parsed.name and path_matches(path, cookie.path)
                and (domain_matches(host, cookie.domain) or domain_matches(cookie.domain, parsed.domain or host))
            ):  # fmt: skip
                return "A Secure cookie of this name is there, which plain http may not replace", "5.7"
    return None


def _prefix(parsed: SetCookie) -> str | None:
    """Names that promise something (section 4.1.3), in any case."""
    name = parsed.name.lower() if parsed.name else parsed.value.lower()
    if not parsed.name and name.startswith(("__secure-", "__host-", "__http-", "__host-http-")):
        return "Its name is empty, and its value begins like a name that promises something"
    if name.startswith(("__host-http-", "__http-")) and not (parsed.http_only and parsed.secure):
        return f"Names that begin with {parsed.name[: name.index('http-') + 5]} need Secure and HttpOnly"
    if name.startswith("__secure-") and not parsed.secure:
        return "Names that begin with __Secure- need Secure"
    if name.startswith("__host-") and not (parsed.secure and not parsed.domain and parsed.path == "/"):
        return "Names that begin with __Host- need Secure, Path=/ and no Domain"
    return None


def _is_same_site(url: Url, context: Context) -> bool:
    """Section 5.2: the page in the address bar, and every URL on the way, belong to one site."""
    return context.top is None or all(same_site(context.top, other) for other in (url, *context.passed))


def _partition(url: Url, context: Context) -> str:
    from pellucid.http.sites import site

    return site(context.top if context.top is not None and not context.navigation else url)


def _near(cookie: Cookie, url: Url) -> bool:
    """Whether a cookie is worth a word in a request: it belongs to this host, or to a name above."""
    host = url.host.lower()
    return domain_matches(host, cookie.domain)


def _withheld(cookie: Cookie, url: Url, context: Context, now: float) -> tuple[str, str] | None:
    """Why a cookie is not sent, and the section; None: it is."""
    host = url.host.lower()
    if cookie.expires is not None and cookie.expires <= now:
        return "It has expired", "5.8.3"
    if not context.credentials:
        return "The request is made without credentials", "5.8.3"
    if cookie.host_only and host != cookie.domain:
        return f"It is for {cookie.domain} alone, since it was set without Domain", "5.8.3"
    if not path_matches(url.path or "/", cookie.path):
        return f"Its path {cookie.path} is not above {url.path}", "5.8.3"
    if cookie.secure and not trustworthy(url):
        return "It is Secure, and the request goes over plain http", "5.8.3"
    if cookie.partition is not None and cookie.partition != _partition(url, context):
        return f"It is partitioned and belongs to pages of {cookie.partition}", "5.8.3"
    if cookie.same_site == "none" or _is_same_site(url, context):
        return None
    if cookie.same_site == "strict":
        return "SameSite=Strict, and the request came from another site", "5.8.3"
    if not context.navigation:
        return f"SameSite={_shown(cookie.same_site)}, and the request is for a part of a page of another site", "5.8.3"
    if context.method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        return None
    if cookie.same_site == "default" and now - cookie.created <= _LAX_AND_POST:
        return None
    return f"SameSite={_shown(cookie.same_site)}, and the request from another site is a {context.method}", "5.8.3"


def _shown(same_site: str) -> str:
    return "Lax (the default)" if same_site == "default" else same_site.capitalize()


def _fate(cookie: Cookie, fate: Literal["sent", "withheld"], says: str, section: str) -> Fate:
    return Fate(cookie.name, cookie.value, fate, says, cookie.domain, cookie.path, _SPEC + section)


def _stored_says(parsed: SetCookie, domain: str, host_only: bool, old: Cookie | None, now: float) -> str:
    for_whom = f"for {domain} alone" if host_only else f"for {domain} and all names below it"
    if parsed.expires is None:
        until = "until the session ends"
    else:
        left = parsed.expires - now
        until = f"for {left / 86400:,.0f} days" if left >= 172_800 else f"for {left:,.0f} s"
    limited = f"{', '.join(parsed.remarks)}" if parsed.remarks else ""
    verb = "Replaced the one that was there" if old is not None else "Stored"
    return f"{verb} {for_whom}, {until}" + (f"; {limited}" if limited else "")
