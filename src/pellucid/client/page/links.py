"""What `<link>` and the `Link` field ask for (WHATWG HTML, section 4.6.7; RFC 8288; RFC 8297 for 103).

In: an element's attributes, or a field's value. Out: resources, hosts to connect to, and what is left out with its reason, by the
rules of Chrome where the standard leaves a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pellucid.client.page.findings import Attributes, Findings
from pellucid.client.page.found import Found
from pellucid.client.page.media import matches
from pellucid.client.page.srcset import choose, supported_image
from pellucid.http.fields import TCHAR, unquoted
from pellucid.http.url import Url
from pellucid.journey import Kind, Viewport

__all__ = ["Link", "from_headers", "headers_findings", "linked", "parse_links"]

_WHITE = " \t\n\f\r"
_PRELOADS: dict[str, Kind] = {
    "style": "stylesheet", "script": "script", "font": "font", "image": "image", "fetch": "fetch", "track": "media",
}  # fmt: skip
_MODULES = frozenset({"", "script", "style", "json", "audioworklet", "paintworklet", "serviceworker", "sharedworker", "worker"})
_FONTS = frozenset({"font/woff2", "font/woff", "font/ttf", "font/otf", "font/collection", "font/sfnt"})
_HTML = "WHATWG HTML, section 4.6.7"


def linked(findings: Findings, attributes: Attributes, *, header: bool = False) -> bool:
    """Take a link; returns whether it is an icon that applies, for the caller to choose among."""
    rels = attributes.get("rel", "").lower().split()
    href = attributes.get("href", "")
    if not rels or not (href.strip(_WHITE) or "imagesrcset" in attributes):
        return False
    if "stylesheet" in rels:
        _sheet(findings, attributes, rels, header)
    if "preload" in rels:
        _preload(findings, attributes, header)
    if "modulepreload" in rels:
        _modulepreload(findings, attributes, header)
    what = _what("preconnect", header)
    if "preconnect" in rels:
        findings.hint(href, what, connect=True)
    if "dns-prefetch" in rels:
        findings.hint(href, _what("dns-prefetch", header), connect=False)
    if "prefetch" in rels:
        what = _what("prefetch", header)
        findings.add(href, "other", what, "VeryLow", attributes, after_load=True, preload=True)
    if header:
        return False
    if "manifest" in rels:
        include = attributes.get("crossorigin", "").strip(_WHITE).lower() == "use-credentials"
        credentials = "include" if include else "omit"
        what = "<link rel=manifest>"
        findings.add(href, "manifest", what, "Medium", attributes, cors=True, credentials=credentials, after_load=True)
    for rel in ("apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon"):
        if rel in rels:
            findings.skip(href, "icon", f"<link rel={rel}>", "a browser on a desktop does not ask for it")
    return "icon" in rels and matches(attributes.get("media"), findings.viewport)


def _what(rel: str, header: bool) -> str:
    return f"Link: rel={rel}" if header else f"<link rel={rel}>"


def _sheet(findings: Findings, attributes: Attributes, rels: list[str], header: bool) -> None:
    href, alternate = attributes.get("href"), "alternate" in rels
    what = _what("'alternate stylesheet'" if alternate else "stylesheet", header)
    kind = attributes.get("type", "").partition(";")[0].strip(_WHITE).lower()
    if header:
        findings.skip(href, "stylesheet", what, "Chrome takes no style sheets from a Link field")
    elif "disabled" in attributes:
        findings.skip(href, "stylesheet", what, "the link is disabled", _HTML + ".21")
    elif kind not in ("", "text/css"):
        findings.skip(href, "stylesheet", what, f"its type is {kind}, not text/css", _HTML + ".21")
    else:
        applies = not alternate and matches(attributes.get("media"), findings.viewport)
        hint = attributes.get("fetchpriority", "").lower()
        findings.add(
            href, "stylesheet", what, findings.order.sheet(hint, applies=applies), attributes,
            blocking=applies, after_load=not applies,
        )  # fmt: skip


def _preload(findings: Findings, attributes: Attributes, header: bool) -> None:
    href, what = attributes.get("href"), _what("preload", header)
    destination = attributes.get("as", "").strip(_WHITE).lower()
    kind = _PRELOADS.get(destination)
    if kind is None:
        why = f"as={destination} is not one that Chrome preloads" if destination else "it does not say what it is for: as=..."
        findings.skip(href, "preload", what, why, _HTML + ".17")
        return
    if not _supported(destination, attributes.get("type", "")):
        findings.skip(href, kind, what, f"type {attributes['type']} is not supported", _HTML + ".17")
        return
    if not matches(attributes.get("media"), findings.viewport):
        findings.skip(href, kind, what, f"its media do not apply: {attributes['media']}", _HTML + ".17")
        return
    if destination == "image" and attributes.get("imagesrcset"):
        href = choose(attributes["imagesrcset"], attributes.get("imagesizes"), href, findings.viewport)
    priority = findings.order.preload(destination, attributes.get("fetchpriority", "").lower())
    # A font is always asked for with CORS; without `crossorigin` the preload is another request, and of no use.
    findings.add(href, kind, what, priority, attributes, preload=True)


def _supported(destination: str, type: str) -> bool:
    essence = type.partition(";")[0].strip(_WHITE).lower()
    if not essence:
        return True
    if destination == "style":
        return essence == "text/css"
    if destination == "script":
        return "javascript" in essence or "ecmascript" in essence
    if destination == "font":
        old = ("application/font-", "application/x-font-", "application/vnd.ms-opentype")
        return essence in _FONTS or essence.startswith(old)
    if destination == "image":
        return supported_image(essence)
    return destination != "track" or essence == "text/vtt"


def _modulepreload(findings: Findings, attributes: Attributes, header: bool) -> None:
    href, what = attributes.get("href"), _what("modulepreload", header)
    destination = attributes.get("as", "").strip(_WHITE).lower()
    if destination not in _MODULES:
        findings.skip(href, "script", what, f"as={destination} is no kind of script", _HTML + ".12")
    elif not matches(attributes.get("media"), findings.viewport):
        findings.skip(href, "script", what, f"its media do not apply: {attributes['media']}", _HTML + ".12")
    else:
        # `module` stays False: Chrome does not look for the imports of what it only preloads.
        findings.add(href, "script", what, "High", attributes, cors=True, preload=True)


# The field.


class Link(NamedTuple):
    """One link of a `Link` field: its target, and its parameters with names in lower case."""

    href: str
    parameters: dict[str, str]


_TARGET = re.compile(r"[ \t,]*<([^>]*)>")
_PARAMETER = re.compile(
    rf"""[ \t]*;[ \t]*(?:({TCHAR}+)[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"?|[^ \t;,]*))?)?""", re.DOTALL
)


def parse_links(value: str) -> list[Link]:
    """The links of a field (RFC 8288, section 3); of parameters with the same name the first counts."""
    found: list[Link] = []
    at = 0
    while target := _TARGET.match(value, at):
        at = target.end()
        parameters: dict[str, str] = {}
        while match := _PARAMETER.match(value, at):
            at = match.end()
            if name := match.group(1):
                parameters.setdefault(name.lower(), unquoted(match.group(2) or ""))
        found.append(Link(target.group(1).strip(_WHITE), parameters))
        comma = value.find(",", at)
        if comma < 0:
            break
        at = comma
    return found


def from_headers(
    headers: Iterable[tuple[str, str]], url: Url, visit: int, viewport: Viewport, early: bool = False
) -> list[Found]:
    """What the `Link` fields of an answer, or of an early 103, ask for."""
    return headers_findings(headers, url, visit, viewport, early).given()


def headers_findings(
    headers: Iterable[tuple[str, str]], url: Url, visit: int, viewport: Viewport, early: bool = False
) -> Findings:
    """The same with what was left out, in `skipped`."""
    findings = Findings(url, visit, viewport)
    findings.by = "early" if early else "header"
    for name, value in headers:
        if name.lower() != "link":
            continue
        for link in parse_links(value):
            # A link whose context is another document is none of this one's (section 3.2).
            if "anchor" not in link.parameters:
                linked(findings, {**link.parameters, "href": link.href}, header=True)
    return findings
