"""Images, video and audio of a document: which of their candidates a browser asks for (WHATWG HTML, sections 4.8.3 to 4.8.11).

In: tags in their order. Out: resources in `Findings`. Layout is not computed, so whether a lazy image is near enough to the first
screen is estimated from how much stands before it, and marked as an estimate.
"""

from __future__ import annotations

from pellucid.client.page.findings import Attributes, Findings
from pellucid.client.page.media import matches
from pellucid.client.page.srcset import choose, supported_image

__all__ = ["LAZY_MARGIN", "Media", "Pictures"]

_WHITE = " \t\n\f\r"
LAZY_MARGIN = 1250
"""Chrome loads lazy images and frames that are nearer than so many pixels to the screen (2500 on slow connections)."""
_UNPLAYABLE = ("video/x-", "application/x-shockwave", "video/quicktime", "audio/aiff", "audio/x-aiff", "video/avi")
_PLAYABLE = ("video/mp4", "video/webm", "video/ogg", "audio/", "application/ogg", "video/x-m4v", "video/x-matroska", "video/mpeg")


class Pictures:
    """`<picture>`, `<source>` and `<img>`."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._pictures: list[list[Attributes]] = []
        """The sources of each `<picture>` that is open."""

    def open(self) -> None:
        """`<picture>`"""
        self._pictures.append([])

    def close(self) -> None:
        """`</picture>`"""
        if self._pictures:
            self._pictures.pop()

    def source(self, attributes: Attributes) -> bool:
        """A `<source>`; whether it is a picture's."""
        if not self._pictures:
            return False
        self._pictures[-1].append(attributes)
        return True

    def image(self, attributes: Attributes, depth: float, *, what: str = "<img src>") -> None:
        """An `<img>` that stands about `depth` pixels below the top."""
        findings, viewport = self._findings, self._findings.viewport
        url: str | None = None
        for source in self._pictures[-1] if self._pictures else ():
            if not source.get("srcset") or not supported_image(source.get("type", "")):
                continue
            if matches(source.get("media"), viewport):
                url, what = choose(source["srcset"], source.get("sizes"), None, viewport), "<source srcset>"
                if url is not None:
                    break
        if url is None:
            src, srcset = attributes.get("src"), attributes.get("srcset")
            url = choose(srcset, attributes.get("sizes"), src, viewport)
            what = "<img srcset>" if srcset and url != src else what
        lazy = attributes.get("loading", "").lower() == "lazy"
        if lazy and not near(depth, viewport.height):
            findings.skip(url, "image", what, _far(depth))
            return
        priority = findings.order.image(attributes.get("fetchpriority", "").lower(), lazy=lazy)
        findings.add(url, "image", what, priority, attributes, lazy=lazy, note=LAZY if lazy else None)


def near(depth: float, height: int) -> bool:
    """Whether what stands so many pixels below the top is loaded although it is lazy."""
    return depth <= height + LAZY_MARGIN


def _far(depth: float) -> str:
    return f"~ lazy, and about {round(depth, -2):.0f} px below the top: position estimated, layout is not computed"


LAZY = "~ lazy: position unknown, taken to be near the first screen"


class Media:
    """`<video>`, `<audio>`, their sources and tracks."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: list[dict[str, str | bool]] = []
        """Of each open element: its name, why it does not load or "", whether it has its source."""

    def open(self, name: str, attributes: Attributes) -> None:
        """`<video>` or `<audio>`"""
        findings = self._findings
        if name == "video":
            findings.add(attributes.get("poster"), "image", "<video poster>", "Low", cors=False)
        preload = attributes.get("preload", "").strip(_WHITE).lower()
        why = ""
        if preload == "none" and "autoplay" not in attributes:
            why = "preload=none: only when it is played"
        elif attributes.get("loading", "").lower() == "lazy":
            why = "~ lazy: position unknown"
        src = attributes.get("src")
        if src is not None:
            self._take(src, f"<{name} src>", why, attributes)
        crossorigin = attributes.get("crossorigin", "-")
        self._open.append({"name": name, "why": why, "done": src is not None, "crossorigin": crossorigin})

    def close(self, name: str) -> None:
        """`</video>` or `</audio>`"""
        if self._open and self._open[-1]["name"] == name:
            self._open.pop()

    def source(self, attributes: Attributes) -> None:
        """A `<source>`: the first that can be played is taken."""
        if not self._open:
            return
        media, src = self._open[-1], attributes.get("src")
        what = f"<source src> of <{media['name']}>"
        if media["done"]:
            self._findings.skip(src, "media", what, "another source comes first")
        elif not playable(attributes.get("type", "")):
            self._findings.skip(src, "media", what, f"type {attributes['type']} cannot be played")
        elif not matches(attributes.get("media"), self._findings.viewport):
            self._findings.skip(src, "media", what, f"its media do not apply: {attributes['media']}")
        else:
            media["done"] = True
            self._take(src, what, str(media["why"]), _crossorigin(media))

    def track(self, attributes: Attributes) -> None:
        """A `<track>`: only one that is on by default is asked for."""
        if not self._open:
            return
        if "default" not in attributes:
            self._findings.skip(attributes.get("src"), "media", "<track src>", "it is not shown unless somebody turns it on")
            return
        crossorigin = _crossorigin(self._open[-1])
        self._findings.add(attributes.get("src"), "media", "<track src>", "Low", crossorigin)

    def _take(self, src: str | None, what: str, why: str, attributes: Attributes) -> None:
        if why:
            self._findings.skip(src, "media", what, why)
        else:
            self._findings.add(src, "media", what, "Low", attributes)


def _crossorigin(media: dict[str, str | bool]) -> Attributes:
    return {} if media["crossorigin"] == "-" else {"crossorigin": str(media["crossorigin"])}


def playable(type: str) -> bool:
    """Whether Chrome may play a type (its codecs are not looked at); an empty one it tries."""
    essence = type.partition(";")[0].strip(_WHITE).lower()
    if not essence:
        return True
    return essence.startswith(_PLAYABLE) and not essence.startswith(_UNPLAYABLE)
