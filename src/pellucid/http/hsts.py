"""Sites that want https only (RFC 6797): heard in answers, applied before a request leaves.

In: Strict-Transport-Security fields and URLs. Out: the URL over https, as a browser's "307 Internal Redirect", and remarks. It
remembers for as long as the object lives, and knows no list that is built in.
"""

from __future__ import annotations

import re

import msgspec

from pellucid.http.fields import Pairs, field_lines
from pellucid.http.remark import Remark
from pellucid.http.sites import is_address
from pellucid.http.url import Url, parse_url

__all__ = ["Hsts", "parse_hsts"]

_S = "RFC 6797, section "
_MOST_HOSTS = 1000
_DIRECTIVE = re.compile(r'\s*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)\s*)?(?:;|$)|\s*(?:;|$)')


class _Known(msgspec.Struct):
    until: float
    below: bool


def parse_hsts(value: str) -> tuple[float, bool] | str:
    """max-age in seconds and whether names below are meant (section 6.1); a sentence where the field says nothing."""
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _DIRECTIVE.match(value, at)
        if match is None or match.end() == at:
            return "it is not well-formed"
        at = match.end()
        name, said = (match.group(1) or "").lower(), match.group(2) or ""
        if name and name in found:
            return f"{name} was said twice"
        if name:
            found[name] = said.strip('"')
    age = found.get("max-age")
    if age is None:
        return "max-age is missing"
    if not re.fullmatch(r"[0-9]+", age):
        return "max-age is no number of seconds"
    return float(min(int(age[:12]), 2**33)), "includesubdomains" in found


class Hsts:
    """The hosts that said so, at most a thousand of them."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def hear(self, url: Url, headers: Pairs, now: float, *, secure: bool = True) -> tuple[Remark, ...]:
        """Take note of an answer (section 8.1). `secure`: its certificate was good; `now` in seconds since 1970."""
        values = field_lines(headers, "strict-transport-security")
        if not values:
            return ()
        if url.scheme != "https":
            return (Remark("hsts", "warning", "Strict-Transport-Security over plain http counts for nothing", f"{_S}8.1"),)
        if not secure:
            return (Remark("hsts", "warning", "Strict-Transport-Security does not count with a bad certificate", f"{_S}8.1"),)
        if is_address(url.host):
            return (Remark("hsts", "info", "Strict-Transport-Security does not count for an address", f"{_S}8.1.1"),)
        parsed = parse_hsts(values[0])
        if isinstance(parsed, str):
            return (Remark("hsts", "warning", f"Strict-Transport-Security counts for nothing: {parsed}", f"{_S}6.1"),)
        age, below = parsed
        host = url.host.lower().rstrip(".")
        if age == 0:
            known = self._known.pop(host, None)
            message = f"max-age=0: {host} need no longer be asked over https" + ("" if known else "; nothing had said it must")
            return (Remark("hsts", "info", message, f"{_S}6.1.1"),)
        if len(self._known) >= _MOST_HOSTS and host not in self._known:
            del self._known[next(iter(self._known))]
        self._known[host] = _Known(now + age, below)
        whom = f"{host} and all names below it" if below else f"{host}, not the names below it"
        message = f"From now on only https for {whom}, for {age / 86400:,.0f} days"
        found = [Remark("hsts", "good" if age >= 15_552_000 else "info", message, f"{_S}8.1")]
        if len(values) > 1:
            found.append(
                Remark("hsts", "warning", "Strict-Transport-Security was sent more than once; the first counts", f"{_S}8.1")
            )
        return tuple(found)

    def upgrade(self, url: Url, now: float) -> tuple[Url, Remark] | None:
        """The URL to ask in place of an http one (section 8.3), and why; None: it is asked as it is."""
        if url.scheme not in ("http", "ws") or not url.host or is_address(url.host):
            return None
        host = url.host.lower().rstrip(".")
        labels = host.split(".")
        for at in range(len(labels)):
            name = ".".join(labels[at:])
            known = self._known.get(name)
            if known is None or known.until <= now or (at and not known.below):
                continue
            # A port that was named stays, but for 80, which becomes 443 (section 8.3).
            target = parse_url(re.sub(r"^(http|ws):", r"\1s:", url.href))
            who = name if not at else f"{name}, for all names below it"
            message = f"307 internal: {url.host} was asked over https, as {who} had said in Strict-Transport-Security"
            return target, Remark("hsts", "good", message, f"{_S}8.3")
        return None
