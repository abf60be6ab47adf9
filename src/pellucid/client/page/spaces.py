"""Whose elements the tags of a document make: HTML's, SVG's or MathML's (WHATWG HTML, section 13.2.6.5).

In: start and end tags in their order. Out: `html`, `svg` or `math`. It keeps the open elements of SVG and MathML alone, since
only they change how bytes are read: there, `<style>` and `<title>` hold markup, and `<![CDATA[` is known.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Spaces"]

_BREAKOUT = frozenset(
    [
        "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed",
        "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p",
        "pre", "ruby", "s", "small", "span", "strong", "strike", "sub", "sup", "table", "tt", "u", "ul", "var",
    ]
)  # fmt: skip
"""Start tags that end SVG and MathML (section 13.2.6.5)."""
_INTEGRATION = {"svg": frozenset({"foreignobject", "desc", "title"}), "math": frozenset({"mi", "mo", "mn", "ms", "mtext"})}
_HTML_TYPES = ("text/html", "application/xhtml+xml")


class Spaces:
    """The open elements of SVG and MathML."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        """Whose, and their names."""

    @property
    def in_html(self) -> bool:
        """Whether a tag here is HTML's: outside of SVG and MathML, or in one of their places for HTML."""
        if not self._open:
            return True
        space, name = self._open[-1]
        return space == "html" or name in _INTEGRATION[space]

    def open(self, name: str, attributes: Mapping[str, str], self_closing: bool) -> str:
        """Whose element a start tag makes."""
        if not self.in_html:
            if name in _BREAKOUT or (name == "font" and not {"color", "face", "size"}.isdisjoint(attributes)):
                self._break_out()
                return "html"
            space = self._open[-1][0]
        elif name in ("svg", "math"):
            space = name
        elif self._open and self._open[-1][0] == "math" and name in ("mglyph", "malignmark"):
            space = "math"
        else:
            return "html"
        if space == "math" and name == "svg" and self._open[-1] == ("math", "annotation-xml"):
            space = "svg"
        if not self_closing:
            html = name == "annotation-xml" and attributes.get("encoding", "").lower() in _HTML_TYPES
            self._open.append(("html" if html else space, name))
        return space

    def close(self, name: str) -> None:
        """An end tag."""
        if not self._open:
            return
        if self.in_html:
            if self._open[-1][1] == name:
                self._open.pop()
            return
        if name in ("p", "br"):
            self._break_out()
            return
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][1] == name:
                del self._open[index:]
                return

    def _break_out(self) -> None:
        while not self.in_html:
            self._open.pop()
