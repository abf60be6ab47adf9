"""Whether a script or sheet is the one that the page meant (Subresource Integrity).

In: an integrity attribute and a body. Out: a remark. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from pellucid.http.remark import Remark

__all__ = ["check", "parse_metadata"]

_STRENGTH = ("sha256", "sha384", "sha512")
_EXPRESSION = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})(?:\?[\x21-\x7e]*)?", re.IGNORECASE)
_SOURCE = "SRI, section 3.3"


def parse_metadata(metadata: str) -> list[tuple[str, bytes]]:
    """The hashes of the strongest kind that is named: (algorithm, digest) (section 3.3.4); what cannot be read is left out."""
    found: list[tuple[str, bytes]] = []
    for word in metadata.split():
        match = _EXPRESSION.fullmatch(word)
        if match is None:
            continue
        text = match.group(2).replace("-", "+").replace("_", "/").rstrip("=")
        try:
            digest = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            continue
        found.append((match.group(1).lower(), digest))
    if not found:
        return []
    strongest = max((name for name, _ in found), key=_STRENGTH.index)
    return [pair for pair in found if pair[0] == strongest]


def check(metadata: str, body: bytes, *, readable: bool = True) -> Remark | None:
    """What a browser says of a decoded body. `readable`: it is of the same origin, or came with cors; else it is blocked.

    None: the attribute is empty.
    """
    if not metadata.strip():
        return None
    wanted = parse_metadata(metadata)
    if not wanted:
        return Remark("integrity", "warning", f"integrity={metadata.strip()[:60]} names no hash, so nothing was checked", _SOURCE)
    if not readable:
        message = "A browser blocks it: integrity needs a request with cors (crossorigin) and an answer that allows it"
        return Remark("integrity", "error", message, _SOURCE)
    algorithm = wanted[0][0]
    digest = hashlib.new(algorithm, body).digest()
    if any(digest == each for _, each in wanted):
        return Remark("integrity", "good", f"Its {algorithm} is the one in the page", _SOURCE)
    told = base64.b64encode(digest).decode()
    return Remark("integrity", "error", f"A browser blocks it: its {algorithm} is {told}, which the page does not name", _SOURCE)
