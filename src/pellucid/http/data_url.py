"""URLs that hold their own content (Fetch, "data: URL processor").

In: a `data:` URL. Out: its media type and its bytes. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re

from pellucid.http.negotiate import media_type
from pellucid.http.url import BadUrl, Url

__all__ = ["data_url"]

_DEFAULT = "text/plain;charset=US-ASCII"


def data_url(url: Url) -> tuple[str, bytes]:
    """The media type as a field would say it, and the bytes. Raises BadUrl where it is malformed."""
    if url.scheme != "data":
        raise BadUrl(f"{url.scheme}: is not data:", "data:text/plain,hello is such a URL")
    text = url.bare.partition(":")[2]
    said, comma, body = text.partition(",")
    if not comma:
        raise BadUrl("The data: URL has no comma", "data:text/plain,hello has one")
    data = _unescape(body)
    said = said.strip("\t\n\x0c\r ")
    coded = re.fullmatch(r"(.*);[ ]*base64", said, re.IGNORECASE | re.DOTALL)
    if coded is not None:
        data, said = _forgiving(data), coded.group(1)
    if said.startswith(";"):
        said = "text/plain" + said
    return (said if media_type(said) is not None else _DEFAULT), data


def _unescape(text: str) -> bytes:
    """URL, section 1.3: a percent sign without two hexadecimal digits stays."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match.group(1), 16)]), text.encode())


def _forgiving(data: bytes) -> bytes:
    """Infra, section 7: white space does not count, and padding may be left out."""
    plain = re.sub(rb"[\t\n\x0c\r ]", b"", data)
    if len(plain) % 4 == 0:
        plain = re.sub(rb"={1,2}$", b"", plain)
    if len(plain) % 4 == 1 or not re.fullmatch(rb"[A-Za-z0-9+/]*", plain):
        raise BadUrl("The data: URL is not base64", "data:;base64,aGVsbG8= is")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:  # pragma: no cover (excluded above)
        raise BadUrl("The data: URL is not base64") from None
