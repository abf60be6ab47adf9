"""`Found`: a resource that a page's bytes named, as the scanner of HTML, of CSS and of modules report it to the loader."""

from __future__ import annotations

from typing import Literal

import msgspec

from pellucid.http.url import Url
from pellucid.journey import Initiator, Kind, Priority

__all__ = ["Found"]


class Found(msgspec.Struct, frozen=True):
    """A resource to fetch, or (`hint`) a host to connect to."""

    url: Url
    kind: Kind
    initiator: Initiator
    priority: Priority
    mode: Literal["navigate", "no-cors", "cors", "same-origin"] = "no-cors"
    """Fetch's request mode: fonts, modules and what has a crossorigin attribute are `cors`."""
    credentials: Literal["include", "same-origin", "omit"] = "include"
    blocking: bool = False
    """It holds back rendering: a style sheet or a classic script in the head."""
    after_load: bool = False
    """Fetched only when nothing else is left to do: prefetch, sheets whose media do not match, the icon."""
    module: bool = False
    """A module script, whose static imports are looked for."""
    lazy: bool = False
    integrity: str | None = None
    nonce: str = ""
    """Of the element, for the page's policies; a module's imports have their module's."""
    referrer_policy: str | None = None
    hint: Literal["preconnect", "dns-prefetch"] | None = None
    preload: bool = False
    """Named by a preload: it will be used again by whatever really needs it, without a second request."""
    note: str | None = None
    """An uncertainty to say, beginning with `~`."""
