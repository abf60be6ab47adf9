"""In what order Chrome asks for what a page names: its table of priorities, which the Fetch standard leaves to browsers.

In: what a resource is for, and what was asked for before it. Out: the priority by the names of Chrome's protocol. The order among
equals is that of discovery.
"""

from __future__ import annotations

from pellucid.journey import Priority

__all__ = ["Order"]

_BOOSTED_IMAGES = 5
"""So many images get a better place, since one of them may be the largest thing on the first screen."""


class Order:
    """The priorities of one document's resources, in the order in which they are found."""

    __slots__ = ("_images",)

    def __init__(self) -> None:
        self._images = 0

    def image(self, hint: str | None = None, *, lazy: bool = False) -> Priority:
        """An image: the first five Medium, later ones Low; `fetchpriority` goes before both."""
        self._images += 1
        if hint == "high":
            return "High"
        if hint == "low" or lazy or self._images > _BOOSTED_IMAGES:
            return "Low"
        return "Medium"

    def script(self, hint: str | None = None, *, deferred: bool = False) -> Priority:
        """A script: High before the first image and Medium after it, Low where nothing waits for it (async, defer)."""
        if hint in ("high", "low"):
            return "High" if hint == "high" else "Low"
        if deferred:
            return "Low"
        return "Medium" if self._images else "High"

    def sheet(self, hint: str | None = None, *, applies: bool = True) -> Priority:
        """A style sheet: VeryHigh, Medium after the first image, or VeryLow where its media do not apply."""
        if not applies:
            return "VeryLow"
        if hint == "high":
            return "VeryHigh"
        return "High" if hint == "low" else "Medium" if self._images else "VeryHigh"

    def preload(self, destination: str, hint: str | None = None) -> Priority:
        """A preload, by its `as`."""
        if hint in ("high", "low") and destination not in ("style", "font"):
            return "High" if hint == "high" else "Low"
        return _PRELOADS.get(destination, "Low")


_PRELOADS: dict[str, Priority] = {
    "style": "VeryHigh",
    "font": "High",
    "script": "High",
    "fetch": "High",
    "image": "Low",
    "track": "Low",
}
