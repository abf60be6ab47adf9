"""What type a body really has (WHATWG MIME Sniffing, sections 5 to 8), and what a browser does with a wrong one.

In: Content-Type as sent, the first bytes, what the body is for. Out: `Typed`: the supplied and the computed type, and the rule
that decided. Pure.
"""

from __future__ import annotations

import re

import msgspec

from pellucid.http.fields import Pairs, field_lines
from pellucid.http.negotiate import MediaType, media_type
from pellucid.http.remark import Remark
from pellucid.http.signatures import ARCHIVES, AUDIO_VIDEO, FONTS, IMAGES, Signature, is_mp4, is_webm, starts_html

__all__ = ["HEADER_SIZE", "Typed", "computed_type", "is_html", "is_javascript", "is_json", "is_nosniff", "is_xml"]

HEADER_SIZE = 1445
"""The bytes that the rules look at (section 5.2)."""

# A server that knows nothing of a file used to say one of these, so they do not count as said (section 5.1).
_APACHE_BUG = ("text/plain", "text/plain; charset=ISO-8859-1", "text/plain; charset=iso-8859-1", "text/plain; charset=UTF-8")
_JAVASCRIPT = {
    "application/ecmascript", "application/javascript", "application/x-ecmascript", "application/x-javascript", "text/ecmascript",
    "text/javascript", "text/javascript1.0", "text/javascript1.1", "text/javascript1.2", "text/javascript1.3",
    "text/javascript1.4", "text/javascript1.5", "text/jscript", "text/livescript", "text/x-ecmascript", "text/x-javascript",
}  # fmt: skip
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BOMS = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")


class Typed(msgspec.Struct, frozen=True):
    """The type as said and as found."""

    supplied: str | None
    """Content-Type as sent; None where it is absent or no media type."""
    computed: str
    """`type/subtype` in lower case."""
    rule: str
    source: str
    remarks: tuple[Remark, ...] = ()
    blocked: bool = False
    """A browser does not use the body, since its type does not fit what it is for."""


def is_javascript(essence: str) -> bool:
    """Whether a type is one of JavaScript's (section 4.6)."""
    return essence in _JAVASCRIPT


def is_json(essence: str) -> bool:
    """Whether a type is JSON's, or ends in `+json`."""
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def is_xml(essence: str) -> bool:
    """Whether a type is XML's, or ends in `+xml`."""
    return essence in ("application/xml", "text/xml") or essence.endswith("+xml")


def is_html(essence: str) -> bool:
    """Whether a type is HTML's."""
    return essence == "text/html"


def is_nosniff(headers: Pairs) -> bool:
    """Whether X-Content-Type-Options says nosniff (Fetch, X-Content-Type-Options): its first value counts."""
    values = [part.strip(" \t") for line in field_lines(headers, "x-content-type-options") for part in line.split(",")]
    return bool(values) and values[0].lower() == "nosniff"


def computed_type(content_type: str | None, head: bytes, *, kind: str = "document", nosniff: bool = False) -> Typed:
    """The type of a body that begins with `head` (its first 1445 bytes, or all), fetched as `kind`."""
    head = head[:HEADER_SIZE]
    supplied = media_type(content_type) if content_type is not None else None
    computed, rule, section = _sniff(content_type, supplied, head, kind, nosniff)
    remarks, blocked = _judge(supplied, content_type, computed, kind, nosniff)
    shown = None if supplied is None else content_type
    return Typed(shown, computed, rule, f"MIME Sniffing, section {section}", tuple(remarks), blocked)


def _sniff(content_type: str | None, supplied: MediaType | None, head: bytes, kind: str, nosniff: bool) -> tuple[str, str, str]:
    """The computed type, the rule, its section: section 7, or for sub-resources the contexts of section 8."""
    name = supplied.name if supplied is not None else ""
    if name and (is_xml(name) or is_html(name)) and kind in ("document", "iframe", "other", "fetch"):
        return name, f"{name} was said, and such a type counts as said", "7"
    if not name or name in ("unknown/unknown", "application/unknown", "*/*"):
        said = "No type was said" if not name else f"{name} says nothing"
        if nosniff:
            found, why = _text_or_binary(head)
            return found, f"{said}, and nosniff forbids to look further than whether it is text: {why}", "7"
        found, why = _unknown(head, scriptable=True)
        return found, f"{said}, so the first bytes decided: {why}", "7.1"
    if nosniff:
        return name, f"{name} was said, and nosniff makes it count", "7"
    by_kind = _by_kind(name, head, kind)
    if by_kind is not None:
        return by_kind
    if content_type in _APACHE_BUG:
        found, why = _text_or_binary(head)
        return found, f"{content_type} is what servers say that do not know, so it was looked whether it is text: {why}", "7.2"
    return name, f"{name} was said, and nothing speaks against it", "7"


def _by_kind(name: str, head: bytes, kind: str) -> tuple[str, str, str] | None:
    """Pictures, sound, video and fonts are known by their first bytes, whatever was said (sections 8.2, 8.3 and 8.7)."""
    if is_xml(name):
        return None
    top = name.partition("/")[0]
    if kind in ("image", "icon") or top == "image":
        found, section = _match(IMAGES, head), "8.2"
    elif kind == "media" or top in ("audio", "video") or name == "application/ogg":
        found, section = _media(head), "8.3"
    elif kind == "font":
        found, section = _match(FONTS, head), "8.7"
    else:
        return None
    if found is None or found[0] == name:
        return None
    return found[0], f"{name} was said, but the first bytes are those of {found[1]}", section


def _match(table: tuple[Signature, ...], head: bytes) -> tuple[str, str] | None:
    """The first signature that fits: its type and what it is called."""
    for signature in table:
        if signature.matches(head):
            return signature.type, signature.what
    return None


def _media(head: bytes) -> tuple[str, str] | None:
    found = _match(AUDIO_VIDEO, head)
    if found is None and is_mp4(head):
        return "video/mp4", "an MP4 file"
    if found is None and is_webm(head):
        return "video/webm", "a WebM file"
    return found


def _unknown(head: bytes, *, scriptable: bool) -> tuple[str, str]:
    """Section 7.1: HTML, XML, PDF, then everything with a signature, then text or not."""
    if scriptable:
        if starts_html(head):
            return "text/html", "they begin with a tag of HTML"
        if head.lstrip(b"\t\n\x0c\r ").startswith(b"<?xml"):
            return "text/xml", "they begin with <?xml"
        if head.startswith(b"%PDF-"):
            return "application/pdf", "they begin with %PDF-"
    if head.startswith(b"%!PS-Adobe-"):
        return "application/postscript", "they begin with %!PS-Adobe-"
    if head.startswith(_BOMS):
        return "text/plain", "they begin with a byte order mark"
    for found in (_match(IMAGES, head), _media(head), _match(ARCHIVES, head)):
        if found is not None:
            return found[0], f"they are those of {found[1]}"
    if _BINARY.search(head):
        return "application/octet-stream", "there are bytes that no text has"
    return "text/plain", "there are no bytes that text does not have"


def _text_or_binary(head: bytes) -> tuple[str, str]:
    """Section 7.2."""
    if head.startswith(_BOMS):
        return "text/plain", "it begins with a byte order mark"
    if _BINARY.search(head):
        return "application/octet-stream", "it has bytes that no text has"
    return "text/plain", "it has no bytes that text does not have"


def _judge(
    supplied: MediaType | None, content_type: str | None, computed: str, kind: str, nosniff: bool
) -> tuple[list[Remark], bool]:
    """What a browser makes of the type: scripts and styles with nosniff, and scripts of foreign types (Fetch)."""
    found: list[Remark] = []
    if supplied is None:
        said = "Content-Type was not sent" if content_type is None else f"Content-Type said {content_type!r}, which is no type"
        found.append(Remark("type", "warning", f"{said}; the body was taken for {computed}", "RFC 9110, section 8.3"))
    name = supplied.name if supplied is not None else ""
    said = name or "no type"
    if kind == "script" and nosniff and not is_javascript(name):
        message = f"A browser blocks this script: its type is {said}, not JavaScript's, and nosniff was sent"
        return [*found, Remark("type", "error", message, "Fetch, X-Content-Type-Options header")], True
    if kind == "stylesheet" and nosniff and name != "text/css":
        message = f"A browser blocks this style sheet: its type is {said}, not text/css, and nosniff was sent"
        return [*found, Remark("type", "error", message, "Fetch, X-Content-Type-Options header")], True
    if kind == "script" and (name.startswith(("audio/", "image/", "video/")) or name == "text/csv"):
        message = f"A browser blocks this script: {name} is never one"
        return [*found, Remark("type", "error", message, "Fetch, blocking by MIME type")], True
    if kind == "stylesheet" and name and name != "text/css":
        message = f"A browser leaves this style sheet out: its type is {name}, not text/css"
        return [*found, Remark("type", "error", message, "HTML, link type stylesheet")], True
    if kind in ("document", "iframe") and computed != name and supplied is not None:
        message = f"{name} was said, but the body was taken for {computed}"
        found.append(Remark("type", "warning", message, "MIME Sniffing, section 7"))
    return found, False
