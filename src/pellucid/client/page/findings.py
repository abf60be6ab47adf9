"""What scanning a document has found so far: resources, what was left out, and how URLs there are read.

In: an element's attributes and the URL in them, as written. Out: `Found` and `Skipped`, with the place that revealed them. It
knows nothing of tags: `scan.py` and the files beside it read those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack

from pellucid.client.page.found import Found
from pellucid.client.page.priority import Order
from pellucid.http.referrer import POLICIES
from pellucid.http.url import BadUrl, Url, parse_url
from pellucid.journey import Initiator, Kind, Priority, Skipped, Viewport

__all__ = ["SILENT", "Attributes", "Findings", "FoundTerms"]

Attributes = Mapping[str, str]

_WHITE = " \t\n\f\r"
SILENT = frozenset({"data", "blob", "about", "javascript", "mailto", "tel"})
"""Schemes that need no network, or of which nobody expects a request."""
_MOST_SKIPPED = 1000


class FoundTerms(TypedDict, total=False):
    """What `Found` has beside URL, kind, initiator, mode and priority."""

    blocking: bool
    after_load: bool
    module: bool
    lazy: bool
    preload: bool
    note: str | None


class Findings:
    """Collects for one document; `at` says where the element stands that is read now."""

    def __init__(self, url: Url, visit: int, viewport: Viewport) -> None:
        self.base = url
        self.visit = visit
        self.viewport = viewport
        self.order = Order()
        self.found: list[Found] = []
        self.skipped: list[Skipped] = []
        self.referrer_policy: str | None = None
        """As `<meta name=referrer>` has it."""
        self.by: str = "parser"
        self._offset: int | None = None
        self._line: int | None = None

    def at(self, offset: int | None, line: int | None) -> None:
        """What follows was revealed by the tag that begins here."""
        self._offset, self._line = offset, line

    def initiator(self, what: str) -> Initiator:
        """The element that is read now, named as people write it."""
        return Initiator(self.visit, "header" if self.by == "header" else "early" if self.by == "early" else "parser",
                         what, self._offset, self._line)  # fmt: skip

    def resolve(self, text: str | None, kind: Kind, what: str) -> Url | None:
        """A URL as written, against the base; None where there is none, or none that is asked for over HTTP."""
        if text is None or not text.strip(_WHITE):
            return None
        try:
            url = parse_url(text.strip(_WHITE), self.base)
        except BadUrl:
            self.skip(text, kind, what, "it is not a URL", "WHATWG URL, section 4.4")
            return None
        if url.scheme in ("http", "https"):
            return url
        if url.scheme not in SILENT:
            self.skip(url.href, kind, what, f"{url.scheme}: is not asked for over HTTP")
        return None

    def add(
        self,
        text: str | None,
        kind: Kind,
        what: str,
        priority: Priority,
        attributes: Attributes | None = None,
        *,
        cors: bool | None = None,
        credentials: str | None = None,
        **terms: Unpack[FoundTerms],
    ) -> Found | None:
        """A resource; what is `cors` and with which credentials comes from `crossorigin` where it is not said."""
        url = self.resolve(text, kind, what)
        if url is None:
            return None
        attributes = attributes or {}
        crossorigin = attributes.get("crossorigin")
        is_cors = crossorigin is not None if cors is None else cors
        if credentials is None:
            credentials = "include"
            if is_cors and (crossorigin or "").strip(_WHITE).lower() != "use-credentials":
                credentials = "same-origin"
        policy = attributes.get("referrerpolicy", "").strip(_WHITE).lower()
        found = Found(
            url=url,
            kind=kind,
            initiator=self.initiator(what),
            priority=priority,
            mode="navigate" if kind == "iframe" else "cors" if is_cors else "no-cors",
            credentials="omit" if credentials == "omit" else "same-origin" if credentials == "same-origin" else "include",
            integrity=attributes.get("integrity") or None,
            nonce=attributes.get("nonce", ""),
            referrer_policy=policy if policy in POLICIES else self.referrer_policy,
            **terms,
        )
        self.found.append(found)
        return found

    def hint(self, text: str | None, what: str, *, connect: bool) -> None:
        """A host to connect to, or only to look up."""
        url = self.resolve(text, "other", what)
        if url is not None:
            self.found.append(
                Found(url, "other", self.initiator(what), "VeryLow", hint="preconnect" if connect else "dns-prefetch")
            )

    def skip(self, text: str | None, kind: Kind, what: str, why: str, source: str | None = None) -> None:
        """A resource that a browser does not ask for either, or that only layout or a script could reveal."""
        if text is None or not text.strip(_WHITE) or len(self.skipped) >= _MOST_SKIPPED:
            return
        try:
            shown = parse_url(text.strip(_WHITE), self.base).href
        except BadUrl:
            shown = text
        self.skipped.append(Skipped(shown[:2000], kind, self.initiator(what), why, source))

    def given(self) -> list[Found]:
        """What was found since the last time."""
        found, self.found = self.found, []
        return found

    def set_referrer_policy(self, text: str) -> None:
        """`<meta name=referrer content=...>`: the last known word counts, the old ones included."""
        old = {"never": "no-referrer", "default": "strict-origin-when-cross-origin", "always": "unsafe-url"}
        old["origin-when-crossorigin"] = "origin-when-cross-origin"
        for word in text.lower().replace(",", " ").split():
            word = old.get(word, word)
            if word in POLICIES:
                self.referrer_policy = word
