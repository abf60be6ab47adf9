"""What a page forbids itself (Content Security Policy 3): the policies of an answer, and whether each part of the page fits them.

In: the head of the page's answer, `<meta>` policies, URLs of parts. Out: remarks: `error` for what a browser blocks, `warning`
for what a policy that is only tried out would report. Pure; it blocks nothing itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import unquote_to_bytes

import msgspec

from pellucid.http.csp_words import DIRECTIVES
from pellucid.http.fields import Pairs, field_lines
from pellucid.http.integrity import parse_metadata
from pellucid.http.negotiate import split_list
from pellucid.http.remark import Remark
from pellucid.http.sites import is_address
from pellucid.http.url import Url

__all__ = ["Csp", "Policy", "host_matches", "policies"]

_S = "CSP 3, section "
# The directives that decide, the first that is there (section 6.8.3).
_FALLBACK: dict[str, tuple[str, ...]] = {
    "stylesheet": ("style-src-elem", "style-src", "default-src"),
    "style-attribute": ("style-src-attr", "style-src", "default-src"),
    "script": ("script-src-elem", "script-src", "default-src"),
    "image": ("img-src", "default-src"),
    "icon": ("img-src", "default-src"),
    "font": ("font-src", "default-src"),
    "media": ("media-src", "default-src"),
    "manifest": ("manifest-src", "default-src"),
    "iframe": ("frame-src", "child-src", "default-src"),
    "object": ("object-src", "default-src"),
    "fetch": ("connect-src", "default-src"),
    "prefetch": ("default-src",),
}
_ONLY_IN_A_FIELD = ("frame-ancestors", "report-uri", "sandbox")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HOST = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.?|\[[0-9a-f:.]+\])(?::(\d+|\*))?(/[^?#]*)?", re.I
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_HASH = re.compile(r"'(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+=*)'", re.I)
_KEYWORDS = {
    "'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "'strict-dynamic'", "'unsafe-hashes'", "'report-sample'",
    "'wasm-unsafe-eval'", "'unsafe-allow-redirects'", "'inline-speculation-rules'", "'trusted-types-eval'",
}  # fmt: skip


class Policy(msgspec.Struct, frozen=True):
    """One policy: directives by lower-case name, each with its words."""

    directives: dict[str, tuple[str, ...]]
    enforced: bool = True

    def deciding(self, kind: str) -> tuple[str, tuple[str, ...]] | None:
        """The directive that decides about a kind of part, with its sources; None: everything is allowed."""
        for name in _FALLBACK.get(kind, ("default-src",)):
            if name in self.directives:
                return name, self.directives[name]
        return None


class Csp:
    """All policies of a page. Every one of them must allow a part."""

    def __init__(self, page: Url) -> None:
        self._page = page
        self.policies: list[Policy] = []
        self.remarks: list[Remark] = []
        """About the policies themselves: words that mean nothing, holes."""

    @property
    def upgrades(self) -> bool:
        """Whether http links are taken for https."""
        return any(policy.enforced and "upgrade-insecure-requests" in policy.directives for policy in self.policies)

    def add(self, text: str, *, enforced: bool = True, meta: bool = False) -> None:
        """Add the policies of a field, or the one of a `<meta>`, where some directives do not count (section 3.3)."""
        for serialized in [text] if meta else split_list(text):
            parsed = _parse(serialized)
            if meta:
                parsed = {name: words for name, words in parsed.items() if name not in _ONLY_IN_A_FIELD}
            if parsed:
                self.policies.append(Policy(parsed, enforced))
                self.remarks += _doubts(parsed)

    def judge(
        self, url: Url, kind: str, *, nonce: str = "", integrity: str = "", redirected: bool = False, by_script: bool = False
    ) -> tuple[Remark, ...]:
        """What the policies say of a part: nothing where all allow it. `redirected`: the URL was reached by a redirect.

        `integrity` is the attribute of a script, which may name a hash that the policy lists.
        """
        found: list[Remark] = []
        for policy in self.policies:
            decided = policy.deciding(kind)
            if decided is None:
                continue
            name, sources = decided
            if self._allowed(name, sources, url, nonce, integrity, redirected, by_script):
                continue
            shown = f"{name} {' '.join(sources)}".strip()[:120]
            found.append(_blocked(policy, f"the page says {shown}", "6.7.2"))
        return tuple(found)

    def _allowed(
        self, name: str, sources: tuple[str, ...], url: Url, nonce: str, integrity: str, redirected: bool, by_script: bool
    ) -> bool:
        lower = tuple(source.lower() for source in sources)
        if name.startswith(("script-src", "style-src", "default-src")) and nonce and f"'nonce-{nonce}'" in sources:
            return True
        if name.startswith(("script-src", "default-src")):
            if integrity and _hashes_listed(integrity, sources):
                return True
            if "'strict-dynamic'" in lower and name.startswith("script-src"):
                return by_script
        return any(self._matches(source, url, redirected) for source in sources)

    def _matches(self, source: str, url: Url, redirected: bool) -> bool:
        """Whether one source expression fits a URL (section 6.7.2.8)."""
        page = self._page
        if source == "*":
            return url.scheme in ("http", "https", "ws", "wss") or url.scheme == page.scheme
        if source.lower() == "'self'":
            return url.origin == page.origin != "null" or (
                url.host == page.host and url.scheme in ("https", "wss") and {url.port, page.port} <= {80, 443}
            )
        if _SCHEME.fullmatch(source):
            return _scheme_fits(source[:-1].lower(), url.scheme)
        match = _HOST.fullmatch(source)
        if match is None:
            return False
        scheme, host, port, path = match.groups()
        if not _scheme_fits((scheme or page.scheme).lower(), url.scheme) or not host_matches(host.lower(), url.host):
            return False
        if not _port_fits(port, url):
            return False
        return redirected or not path or path == "/" or _path_fits(path, url.path)

    def inline(self, kind: str, text: str, *, nonce: str = "", what: str = "it") -> tuple[Remark, ...]:
        """What the policies say of a `<script>` or `<style>` that holds its own text (section 6.7.3.3); `what` it is called.

        Of all `style` attributes at once (`style-attribute`), where a policy with 'unsafe-hashes' is taken to list them.
        """
        found: list[Remark] = []
        for policy in self.policies:
            decided = policy.deciding(kind)
            if decided is None:
                continue
            name, sources = decided
            hashed = kind == "style-attribute" and "'unsafe-hashes'" in map(str.lower, sources)
            if not hashed and not _inline_allowed(sources, text, nonce):
                shown = f"{name} {' '.join(sources)}".strip()[:120]
                found.append(_blocked(policy, f"it stands in the page itself, which says {shown}", "6.7.3", what))
        return tuple(found)


def policies(headers: Pairs, page: Url) -> Csp:
    """The policies that the head of a page's answer sets."""
    made = Csp(page)
    for text in field_lines(headers, "content-security-policy"):
        made.add(text)
    for text in field_lines(headers, "content-security-policy-report-only"):
        made.add(text, enforced=False)
    return made


def _parse(text: str) -> dict[str, tuple[str, ...]]:
    """Section 2.2.1: of two directives with one name the first counts."""
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        words = part.split()
        if words and part.isascii():
            found.setdefault(words[0].lower(), tuple(words[1:]))
    return found


def _blocked(policy: Policy, why: str, section: str, what: str = "it") -> Remark:
    if policy.enforced:
        return Remark("csp", "error", f"A browser blocks {what}: {why}", _S + section)
    return Remark("csp", "warning", f"A browser reports {what}, and loads it all the same (report-only): {why}", _S + section)


def _scheme_fits(wanted: str, scheme: str) -> bool:
    """Section 6.7.2.9: https fits where http is allowed. (There ws: allows http as well, which Chrome does not do.)"""
    return scheme == wanted or (wanted, scheme) in (("http", "https"), ("ws", "wss"))


def host_matches(pattern: str, host: str) -> bool:
    """Section 6.7.2.10: the same name, or one below `*.`; addresses fit themselves only where they are 127.0.0.1."""
    host = host.lower()
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and not is_address(host)
    return pattern.rstrip(".") == host.rstrip(".")


def _port_fits(port: str | None, url: Url) -> bool:
    """Section 6.7.2.11."""
    if port is None:
        return url.port == _PORTS.get(url.scheme, 0)
    return port == "*" or int(port[:6]) == url.port or (port == "80" and url.port == 443 and url.scheme in ("https", "wss"))


def _path_fits(pattern: str, path: str) -> bool:
    """Section 6.7.2.12: a path that ends in a slash stands for everything below it; %41 is A."""
    pattern, path = unquote_to_bytes(pattern).decode("latin-1"), unquote_to_bytes(path).decode("latin-1")
    return path.startswith(pattern) if pattern.endswith("/") else path == pattern


def _hashes_listed(integrity: str, sources: tuple[str, ...]) -> bool:
    """Whether every hash of an integrity attribute stands in the policy (section 6.7.1.1)."""
    wanted = parse_metadata(integrity)
    listed = {(match.group(1).lower(), _plain(match.group(2))) for source in sources if (match := _HASH.fullmatch(source))}
    return bool(wanted) and all((name, _plain(base64.b64encode(digest).decode())) in listed for name, digest in wanted)


def _plain(text: str) -> str:
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def _inline_allowed(sources: tuple[str, ...], text: str, nonce: str) -> bool:
    lower = [source.lower() for source in sources]
    if nonce and f"'nonce-{nonce}'" in sources:
        return True
    exact = any(source.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for source in lower)
    if "'unsafe-inline'" in lower and not exact and "'strict-dynamic'" not in lower:
        return True
    data = text.encode()
    for source in sources:
        match = _HASH.fullmatch(source)
        if match is not None:
            digest = hashlib.new(match.group(1).lower(), data).digest()
            if _plain(base64.b64encode(digest).decode()) == _plain(match.group(2)):
                return True
    return False


def _doubts(parsed: dict[str, tuple[str, ...]]) -> list[Remark]:
    """What its author probably did not mean."""
    found: list[Remark] = []
    for name, sources in parsed.items():
        if name not in DIRECTIVES:
            found.append(Remark("csp", "warning", f"The policy has a directive {name[:40]!r}, which does not exist", f"{_S}6"))
            continue
        lower = [source.lower() for source in sources]
        if "'none'" in lower and len(lower) > 1:
            found.append(Remark("csp", "warning", f"'none' counts for nothing in {name} beside other sources", f"{_S}6.7.2.7"))
        if name.endswith("-src") or "-src-" in name:
            bare = [source for source in lower if f"'{source}'" in _KEYWORDS]
            found += [Remark("csp", "warning", f"{word} in {name} needs quotes: '{word}'", f"{_S}2.3.1") for word in bare]
    scripts = parsed.get("script-src", parsed.get("default-src"))
    if scripts is not None:
        lower = [source.lower() for source in scripts]
        if "'unsafe-inline'" in lower and not any(source.startswith(("'nonce-", "'sha")) for source in lower):
            found.append(Remark("csp", "warning", "'unsafe-inline' allows injected scripts as well", f"{_S}8.2"))
    return found
