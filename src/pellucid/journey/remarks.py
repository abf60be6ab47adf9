"""What is said about something: `Failure` ends it, a `Note` does not."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Failure", "Note"]


class Failure(msgspec.Struct, frozen=True):
    """Why something did not come about: a stable slug for programs, what was wrong, what would be right."""

    slug: str
    """Such as `name-not-found`, `connection-refused`, `certificate-expired`, `truncated-body`, `timeout`."""
    message: str
    hint: str | None = None


class Note(msgspec.Struct, frozen=True):
    """A remark on something: what it is about, whether it is good or bad news, a sentence, and where that is written.

    `topic` is one of `hsts`, `mixed-content`, `cors`, `csp`, `integrity`, `referrer`, `redirect`, `caching`, `cookie`, `coding`,
    `charset`, `type`, `framing`, `delay`, `retry`, `upgrade`, `preload`, `dns`, `tls`, `push`, `script`, `limit`.
    """

    topic: str
    level: Literal["info", "good", "warning", "error"]
    message: str
    source: str | None = None
    """`RFC 9111, section 4.2.1`, `Fetch, HTTP-redirect fetch`, ..."""
