"""`Remark`: something worth saying about an exchange, with the place where the rule is written.

What the rules of HTTP, of cookies, of caching find is handed out as Remarks. The tracing client files them under the visit; this
package does not know of visits.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Level", "Remark"]

Level = Literal["info", "good", "warning", "error"]


class Remark(msgspec.Struct, frozen=True):
    """What it is about (`caching`, `cookie`, `cors`, `hsts`, ...), whether it is good or bad news, a sentence, its source."""

    topic: str
    level: Level
    message: str
    source: str | None = None
    """`RFC 9111, section 4.2.1`, `Fetch, HTTP-redirect fetch`, ..."""
