"""What the value of a field says, in words: directives, attributes, tags, dates.

In: a lower-case name and a value. Out: a sentence, or "" where the value speaks for itself. Pure. It explains; whether a value is
well-formed to the last comma is the business of caching.py, csp.py and the others that act on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pellucid.http.conditional import parse_date
from pellucid.http.csp_words import DIRECTIVES
from pellucid.http.negotiate import media_type, split_list
from pellucid.http.referrer import POLICIES, parse_policy

__all__ = ["duration", "explain_value"]

_CACHE = {
    "no-store": "nobody may keep it",
    "no-cache": "it may be kept, but must be checked before each use",
    "private": "only the user's own browser may keep it",
    "public": "every cache on the way may keep it",
    "must-revalidate": "once stale it must be checked",
    "proxy-revalidate": "once stale, shared caches must check it",
    "no-transform": "nobody on the way may change it",
    "immutable": "it never changes while fresh, so a reload need not ask",
    "only-if-cached": "only an answer from the cache will do",
    "must-understand": "only a cache that knows the status may keep it",
    "max-age": "fresh for {}",
    "s-maxage": "in shared caches fresh for {}",
    "stale-while-revalidate": "for {} more it may be used stale while it is checked",
    "stale-if-error": "for {} more it may be used stale when the server fails",
    "max-stale": "up to {} stale will do",
    "min-fresh": "it must stay fresh for another {}",
}
_CODINGS = {
    "gzip": "compressed with gzip (RFC 1952)", "x-gzip": "compressed with gzip (RFC 1952)",
    "deflate": "compressed with zlib (RFC 1950)", "br": "compressed with Brotli (RFC 7932)",
    "zstd": "compressed with Zstandard (RFC 8878)", "compress": "compressed as Unix compress did",
    "dcb": "compressed with Brotli and a shared dictionary (RFC 9842)", "identity": "not compressed",
    "dcz": "compressed with Zstandard and a shared dictionary (RFC 9842)", "aws-chunked": "in signed pieces, as S3 takes uploads",
    "chunked": "in chunks, each with its size before it, so that the whole size need not be known",
    "trailers": "trailers are welcome",
}  # fmt: skip
_COOKIE = {
    "secure": "only over https", "httponly": "hidden from scripts",
    "partitioned": "a separate one for each site that embeds this",
}  # fmt: skip
_SAME_SITE = {
    "strict": "sent only from its own site", "lax": "sent from its own site and by links from others",
    "none": "sent from everywhere",
}  # fmt: skip
_RELATIONS = {
    "preload": "to be fetched at once, since the page will need it", "modulepreload": "a module to be fetched at once",
    "preconnect": "a host to connect to at once", "dns-prefetch": "a host to look up at once", "stylesheet": "a style sheet",
    "prefetch": "something that the next page may need", "canonical": "the one address of this page", "next": "the next page",
    "prev": "the page before", "first": "the first page", "last": "the last page", "self": "this itself",
    "alternate": "the same in another form", "shortlink": "a short address of this", "icon": "the page's icon",
    "manifest": "the app's manifest", "describedby": "a description of this", "license": "its licence",
    "compression-dictionary": "a dictionary to compress later answers with", "https://api.w.org/": "WordPress's API",
}  # fmt: skip
_SERVERS = {
    "cloudflare": "Cloudflare's network", "nginx": "nginx", "apache": "Apache httpd", "cloudfront": "Amazon's CDN",
    "amazons3": "Amazon S3", "gws": "Google's web server", "microsoft-iis": "Microsoft's web server", "litespeed": "LiteSpeed",
    "caddy": "Caddy", "openresty": "nginx with Lua", "envoy": "the Envoy proxy", "gunicorn": "a Python server",
    "uvicorn": "a Python server", "vercel": "Vercel", "netlify": "Netlify", "github.com": "GitHub", "akamaighost": "Akamai's CDN",
    "varnish": "the Varnish cache", "pellucid": "Pellucid", "werkzeug": "a Python server for development",
    "istio-envoy": "Envoy in Istio's mesh", "cowboy": "an Erlang server", "kestrel": "a .NET server", "jetty": "a Java server",
}  # fmt: skip
_SITES = {
    "same-origin": "from the same origin", "same-site": "from another host of the same site",
    "cross-site": "from another site", "none": "the user typed it or chose a bookmark",
}  # fmt: skip
# Possessive, and looking behind: a value of 64 kB is read once, whatever it is made of.
_LINK = re.compile(r"<([^<>]*+)>((?:[^,<\"]++|\"[^\"]*+\")*+)")
_ALTERNATIVE = re.compile(r'(?<![\w%./-])([\w%./-]++)="([^"]*+)"(?:\s*+;\s*+ma=(\d{1,10}))?')
_PERMISSION = re.compile(r"(?<![\w-])([\w-]++)\s*+=\s*+(\([^()]*+\)|\*|[^\s,()=]++)\s*+(?:,|$)")
_FRAMES = {"deny": "nobody", "sameorigin": "only pages of the same origin"}


def explain_value(name: str, value: str) -> str:
    """What `value` says in the field `name` (lower case); "" where nothing need be added."""
    explain = _EXPLAIN.get(name)
    return explain(value.strip()) if explain is not None else ""


def duration(seconds: float) -> str:
    """A time in words of the largest unit that says it without a fraction: `1 year`, `90 s`, `36 hours`."""
    if seconds >= 31_536_000 and seconds % 31_536_000 == 0:
        return _plural(int(seconds // 31_536_000), "year")
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return _plural(int(seconds // size), word)
    return f"{seconds:,.0f} s"


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _directives(value: str) -> list[tuple[str, str]]:
    """`name=value` pairs between commas."""
    found: list[tuple[str, str]] = []
    for part in split_list(value):
        name, _, said = part.partition("=")
        found.append((name.strip().lower(), said.strip().strip('"')))
    return found


def _cache_control(value: str) -> str:
    told: list[str] = []
    for name, said in _directives(value):
        text = _CACHE.get(name)
        if text is None:
            told.append(f"{name[:40]} is not in the registry")
        elif "{}" in text:
            if name == "max-stale" and not said:
                told.append("however stale it is, it will do")
            elif said.isdecimal() and said.isascii():
                told.append(
                    text.format(duration(min(int(said[:12]), 2**31))) if int(said[:12]) else _ZERO.get(name, text.format("0 s"))
                )
            else:
                told.append(f"{name} has no number of seconds, so it counts for nothing")
        else:
            told.append(text)
    return "; ".join(told)


_ZERO = {"max-age": "stale at once", "s-maxage": "in shared caches stale at once"}


def _hsts(value: str) -> str:
    age = re.search(r'(?i)max-age\s*=\s*"?(\d{1,12})', value)
    if age is None:
        return "without max-age it says nothing"
    if not int(age.group(1)):
        return "the rule is to be forgotten"
    told = f"for {duration(int(age.group(1)))}"
    told += ", for all names below it as well" if re.search(r"(?i)\bincludesubdomains\b", value) else ""
    return told + ("; browsers may build it in" if re.search(r"(?i)\bpreload\b", value) else "")


def _codings(value: str) -> str:
    words = [part.partition(";")[0].strip().lower() for part in split_list(value)]
    return "; then ".join(_CODINGS.get(word, f"{word[:40]} is not in the registry") for word in words)


def _set_cookie(value: str) -> str:
    pair, *attributes = value.split(";")
    name, equals, _ = pair.partition("=")
    told = [f"it is called {name.strip()[:60]}" if equals and name.strip() else "it has no name"]
    lives = "until the session ends"
    for attribute in attributes:
        key, _, said = (part.strip() for part in attribute.partition("="))
        key = key.lower()
        if key in _COOKIE:
            told.append(_COOKIE[key])
        elif key == "samesite":
            told.append(_SAME_SITE.get(said.lower(), f"SameSite={said[:20]} is unknown"))
        elif key == "domain":
            told.append(f"for {said.removeprefix('.')[:80]} and all names below it")
        elif key == "path" and said not in ("", "/"):
            told.append(f"below {said[:60]}")
        elif key == "max-age" and re.fullmatch(r"-?\d{1,12}", said):
            lives = f"for {duration(int(said))}" if int(said) > 0 else "deleted at once"
        elif key == "expires" and lives == "until the session ends":
            lives = f"until {said[:40]}"
    return ", ".join([*told, lives])


def _vary(value: str) -> str:
    if value == "*":
        return "on things that no request shows, so no cache can use it again"
    return f"on {', '.join(part.lower() for part in split_list(value))}"


def _etag(value: str) -> str:
    if re.fullmatch(r'W/"[^"]*"', value):
        return "weak: equal in meaning, not in every byte"
    return "strong: equal to the byte" if re.fullmatch(r'"[^"]*"', value) else "without its quotes, so it is no tag"


def _server(value: str) -> str:
    first = re.split(r"[/ (]", value, maxsplit=1)[0].lower()
    known = _SERVERS.get(first, "")
    version = re.search(r"/\d+\.\d+", value)
    return known + ("; the version is of use to attackers only" if known and version else "")


def _when(value: str) -> str:
    return "" if parse_date(value) is not None else "it is no date"


def _expires(value: str) -> str:
    return "" if parse_date(value) is not None else "it is no date, so it is taken for one in the past"


def _link(value: str) -> str:
    told: list[str] = []
    for target, rest in _LINK.findall(value):
        rel = re.search(r'(?i);\s*rel\s*=\s*"?([^";,]+)', rest)
        words = rel.group(1).split() if rel else []
        told += [f"{target[:60]} is {_RELATIONS.get(word.lower(), f'its {word[:30]}')}" for word in words]
    return "; ".join(told[:6]) + (f"; and {len(told) - 6} more" if len(told) > 6 else "")


def _alt_svc(value: str) -> str:
    if value.lower() == "clear":
        return "what was said before no longer holds"
    names = {"h3": "HTTP/3", "h2": "HTTP/2", "http/1.1": "HTTP/1.1"}
    found = _ALTERNATIVE.findall(value)
    return "; ".join(
        f"{names.get(protocol.lower(), protocol)} at {'port ' + where[1:] if where.startswith(':') else where}, "
        f"for {duration(int(age or 86_400))}"
        for protocol, where, age in found
    )


def _connection(value: str) -> str:
    words = [part.lower() for part in split_list(value)]
    told = {"close": "it closes after this", "keep-alive": "it stays open", "upgrade": "it changes to the protocol in Upgrade"}
    return "; ".join(told.get(word, f"{word} is for this connection only") for word in words)


def _permissions(value: str) -> str:
    told: list[str] = []
    for name, allowed in _PERMISSION.findall(value):
        if allowed == "()":
            told.append(f"{name} for nobody")
        elif allowed == "*":
            told.append(f"{name} for everybody")
        else:
            told.append(f"{name} for {allowed.strip('()').replace('self', 'this origin')}")
    return "; ".join(told[:8]) + (f"; and {len(told) - 8} more" if len(told) > 8 else "")


def _csp(value: str) -> str:
    told: list[str] = []
    for part in value.split(";"):
        name, _, sources = part.strip().partition(" ")
        meaning = DIRECTIVES.get(name.lower())
        if name and meaning is None:
            told.append(f"{name[:40]} is not in the standard")
        elif name and meaning is not None:
            told.append(f"{meaning}" + (f" {sources.strip()[:80]}" if sources.strip() else ""))
    return "; ".join(told[:8]) + (f"; and {len(told) - 8} more" if len(told) > 8 else "")


def _content_type(value: str) -> str:
    found = media_type(value)
    if found is None:
        return "it is no media type"
    charset = found.parameters.get("charset")
    return f"{found.name}, in {charset}" if charset else ""


def _retry_after(value: str) -> str:
    return f"in {duration(int(value[:9]))}" if value.isdecimal() else _when(value)


def _age(value: str) -> str:
    return duration(int(value[:12])) if value.isdecimal() and value.isascii() else "it is no number of seconds"


def _nosniff(value: str) -> str:
    return "" if value.split(",")[0].strip().lower() == "nosniff" else "only nosniff has a meaning"


def _frame(value: str) -> str:
    return _FRAMES.get(value.lower(), "only DENY and SAMEORIGIN have a meaning")


def _referrer(value: str) -> str:
    return POLICIES.get(parse_policy(value), "no known policy, so the default holds")


def _traceparent(value: str) -> str:
    match = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", value)
    if match is None or match.group(1) == "ff":
        return "it is not well-formed, so it counts for nothing"
    return f"trace {match.group(2)}" + (", recorded" if int(match.group(4), 16) & 1 else ", not recorded")


def _origin_allowed(value: str) -> str:
    return {"*": "every origin's, without cookies", "null": "that of no origin"}.get(value, f"only {value[:80]}'s")


_EXPLAIN: dict[str, Callable[[str], str]] = {
    "access-control-allow-origin": _origin_allowed,
    "access-control-max-age": _age,
    "age": _age,
    "alt-svc": _alt_svc,
    "cache-control": _cache_control,
    "cdn-cache-control": _cache_control,
    "connection": _connection,
    "content-encoding": _codings,
    "content-security-policy": _csp,
    "content-security-policy-report-only": _csp,
    "content-type": _content_type,
    "date": _when,
    "etag": _etag,
    "expires": _expires,
    "last-modified": _when,
    "link": _link,
    "permissions-policy": _permissions,
    "referrer-policy": _referrer,
    "retry-after": _retry_after,
    "sec-fetch-site": lambda value: _SITES.get(value, ""),
    "server": _server,
    "set-cookie": _set_cookie,
    "strict-transport-security": _hsts,
    "traceparent": _traceparent,
    "transfer-encoding": _codings,
    "vary": _vary,
    "x-content-type-options": _nosniff,
    "x-frame-options": _frame,
}
