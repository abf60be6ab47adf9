"""Which encoding makes characters of a body, and the rule that decided (HTML 13.2.3.2, CSS Syntax 3.2, XML appendix F, Encoding).

In: the body's type, Content-Type, its first bytes, the encoding of the page that named it. Out: `Charset`. Pure.
"""

from __future__ import annotations

import codecs
import re

import msgspec

from pellucid.errors import shorten
from pellucid.http.labels import codec_of
from pellucid.http.negotiate import media_type
from pellucid.http.prescan import meta_label
from pellucid.http.sniff import is_javascript, is_json, is_xml

__all__ = ["Charset", "codec_of", "decide", "decode"]

_LOOKED_AT = 1024
_BOMS = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xfe\xff", "UTF-16BE"), (b"\xff\xfe", "UTF-16LE"))
_CSS_CHARSET = re.compile(rb'@charset "([^"]*)";')
_XML_ENCODING = re.compile(rb"""<\?xml[^>]*?[\t\n\r ]encoding[\t\n\r ]*=[\t\n\r ]*(?:"([^"]*)"|'([^']*)')""")


class Charset(msgspec.Struct, frozen=True):
    """An encoding, and why it is that one."""

    name: str
    """The Encoding standard's: `UTF-8`, `windows-1252`, `Shift_JIS`."""
    codec: str
    """Python's. `decode` is right where it differs from the standard's."""
    rule: str
    source: str
    skip: int = 0
    """Bytes of the byte order mark, which is no part of the text."""


def decide(essence: str, content_type: str | None, head: bytes, *, environment: str | None = None) -> Charset:
    """The encoding of a body of the type `essence` (`text/html`); `head` holds its first 1024 bytes or all.

    `environment` is the encoding of the page that named a style sheet or a classic script.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Charset(name, name.lower(), f"It begins with the byte order mark of {name}", "Encoding, section 6", len(mark))
    if is_json(essence):
        return Charset("UTF-8", "utf-8", "JSON is always UTF-8", "RFC 8259, section 8.1")
    ignored = ""
    supplied = media_type(content_type) if content_type is not None else None
    label = supplied.parameters.get("charset") if supplied is not None else None
    if label is not None:
        known = codec_of(label)
        if known is not None:
            return Charset(*known, f"Content-Type said charset={label}", _transport_source(essence))
        ignored = f"Content-Type said charset={shorten(label)}, which names no encoding; "
    found = _inside(essence, head[:_LOOKED_AT]) or _otherwise(essence, environment)
    if ignored:
        found = msgspec.structs.replace(found, rule=ignored + found.rule[0].lower() + found.rule[1:])
    return found


def _transport_source(essence: str) -> str:
    if essence == "text/css":
        return "CSS Syntax, section 3.2"
    return "HTML, section 13.2.3.2" if essence == "text/html" else "RFC 9110, section 8.3.2"


def _inside(essence: str, head: bytes) -> Charset | None:
    """What the body says of itself."""
    if essence == "text/html":
        found = meta_label(head)
        known = _named(found[0]) if found is not None else None
        if found is not None and known is not None:
            return Charset(*known, f"{found[1]} in the first 1,024 bytes said {found[0]}", "HTML, section 13.2.3.2")
    elif essence == "text/css":
        match = _CSS_CHARSET.match(head)
        label = match.group(1).decode("latin-1") if match else ""
        known = codec_of(label) if match else None
        if known is not None:
            if known[0].startswith("UTF-16"):
                rule = f'@charset said "{label}", which its own bytes disprove: it is read as UTF-8'
                return Charset("UTF-8", "utf-8", rule, "CSS Syntax, section 3.2")
            return Charset(*known, f'It begins with @charset "{label}"', "CSS Syntax, section 3.2")
    elif is_xml(essence):
        match = _XML_ENCODING.match(head)
        label = (match.group(1) or match.group(2) or b"").decode("latin-1") if match else ""
        known = codec_of(label) if match else None
        if known is not None:
            return Charset(*known, f"The XML declaration said encoding={label}", "XML, appendix F.1")
    return None


def _named(label: str) -> tuple[str, str] | None:
    """The encoding that a page names for itself: what was read as ASCII cannot be UTF-16 (HTML, 13.2.3.2)."""
    known = codec_of(label)
    if known is None or not known[0].startswith("UTF-16"):
        return ("windows-1252", "windows-1252") if known is not None and known[0] == "x-user-defined" else known
    return "UTF-8", "utf-8"


def _otherwise(essence: str, environment: str | None) -> Charset:
    """Where nothing said anything."""
    known = codec_of(environment) if environment is not None else None
    if essence == "text/css":
        if known is not None:
            return Charset(*known, "Nothing named an encoding, so it is that of the page", "CSS Syntax, section 3.2")
        return Charset("UTF-8", "utf-8", "Nothing named an encoding, so it is UTF-8", "CSS Syntax, section 3.2")
    if is_javascript(essence):
        if known is not None:
            return Charset(*known, "Nothing named an encoding, so it is that of the page", "HTML, section 8.1.4.2")
        return Charset("UTF-8", "utf-8", "Nothing named an encoding, so it is UTF-8", "HTML, section 8.1.4.2")
    if is_xml(essence):
        return Charset("UTF-8", "utf-8", "Nothing named an encoding, so XML's own is used", "XML, section 4.3.3")
    if known is not None and essence == "text/html":
        return Charset(*known, "Nothing named an encoding, so it is that of the page around it", "HTML, section 13.2.3.2")
    rule = "Nothing named an encoding, so the old default of the web is used; browsers may guess another from the text"
    return Charset("windows-1252", "windows-1252", rule, "HTML, section 13.2.3.2")


def decode(data: bytes, charset: Charset) -> str:
    """The text of a whole body; what is malformed becomes U+FFFD."""
    data = data[charset.skip :]
    if charset.name == "x-user-defined":  # Encoding, section 14.5
        return "".join(chr(byte if byte < 0x80 else 0xF780 + byte - 0x80) for byte in data)
    if charset.name == "replacement":  # Encoding, section 14.1
        return "�" if data else ""
    return data.decode(charset.codec, "pellucid-web" if charset.name.startswith("windows-") else "replace")


def _web_errors(error: UnicodeError) -> tuple[str, int]:
    """The standard has the bytes 80 to 9F, where a Windows code page leaves them out, as control characters."""
    assert isinstance(error, UnicodeDecodeError)
    piece = error.object[error.start : error.end]
    return "".join(chr(byte) if 0x80 <= byte <= 0x9F else "�" for byte in piece), error.end


codecs.register_error("pellucid-web", _web_errors)
