"""What a document asks for, found while its bytes arrive (WHATWG HTML, section 13.2.6.4, as far as it starts fetches).

In: bytes of HTML in any split. Out: `Found` as soon as the tag that names a resource is whole; sheets that stand in the document;
what is left out, with the reason. It knows no network, applies no style and runs no script: `loader.py` drives it, `style.py`
finds what depends on which elements there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from pellucid.client.page.findings import Attributes, Findings
from pellucid.client.page.found import Found
from pellucid.client.page.html import EndTag, RawText, StartTag, Tokenizer
from pellucid.client.page.icons import Icon, chosen_icons
from pellucid.client.page.links import linked
from pellucid.client.page.modules import ImportMap, inline_imports
from pellucid.client.page.pictures import LAZY, Media, Pictures, near
from pellucid.client.page.scripts import script_kind, scripted, speculations
from pellucid.http.url import Url
from pellucid.journey import Kind, Note, Skipped, Viewport

__all__ = ["InlineSheet", "Scanner", "StyleAttribute"]

_WHITE = " \t\n\f\r"
_OF_HEAD = frozenset(
    {
        "html", "head", "title", "base", "basefont", "bgsound", "link", "meta", "noscript", "noframes", "style", "script",
        "template",
    }
)  # fmt: skip
_WITH_BACKGROUND = frozenset({"body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"})
_LINES = frozenset({"p", "li", "tr", "br", "dt", "dd", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "section", "pre"})
_HEIGHT = re.compile(r"(?i)(?:^|[;\s])(?:min-)?height:\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)px")
_LINE_HEIGHT = 24
_LINE_BYTES = 150
_MOST_KEPT = 1000


class InlineSheet(msgspec.Struct, frozen=True):
    """The text of a `<style>`, which begins at this byte and line."""

    text: str
    offset: int
    media: str | None
    line: int
    counts: bool = True
    """False where a policy forbids it: a browser, which reads ahead, asks for what it imports all the same."""


class StyleAttribute(msgspec.Struct, frozen=True):
    """A `style` attribute that names a URL, and the place of its tag."""

    text: str
    element: str
    offset: int
    line: int


class Scanner:
    """Reads one document; `frame` says that it is a frame's, whose own frames are left out. `allows` is asked whether a
    `<script>` or `<style>` with its own text counts: what it is (`script`, `stylesheet`), the text, its nonce, its line.
    """

    def __init__(
        self,
        url: Url,
        visit: int,
        viewport: Viewport,
        *,
        charset: str = "utf-8",
        frame: bool = False,
        allows: Callable[[Kind, str, str, int], bool] | None = None,
    ) -> None:
        self.findings = Findings(url, visit, viewport)
        self.sheets: list[InlineSheet] = []
        self.styled: list[StyleAttribute] = []
        self.policies: list[tuple[str, str]] = []
        """Content security policies of `<meta http-equiv>`."""
        self.notes: list[Note] = []
        self.import_map = ImportMap()
        """What bare specifiers stand for, in modules that are in files as well."""
        self._url = url
        self._frame = frame
        self._allows = allows or (lambda *_: True)
        self._tokenizer = Tokenizer(charset)
        self._pictures = Pictures(self.findings)
        self._media = Media(self.findings)
        self._icons: list[Icon] = []
        self._templates = 0
        self._in_head = True
        self._has_base = False
        self._element: StartTag | None = None
        """The element of which the text comes next."""
        self._depth = 0.0
        self._scripts = 0
        self._files = 0
        self._handlers = 0

    @property
    def base(self) -> Url:
        """What URLs are relative to."""
        return self.findings.base

    @property
    def skipped(self) -> list[Skipped]:
        """What was named and is not asked for."""
        return self.findings.skipped

    @property
    def referrer_policy(self) -> str | None:
        """That of `<meta name=referrer>`."""
        return self.findings.referrer_policy

    def feed(self, data: bytes) -> list[Found]:
        """Take the next bytes; gives what they made known."""
        self._take(self._tokenizer.feed(data))
        return self.findings.given()

    def end(self) -> list[Found]:
        """The document is over: gives what only its end decides (the icon)."""
        self._take(self._tokenizer.end())
        self._icon()
        self._say_what_was_not_run()
        if not self._tokenizer.offsets_exact:
            self.notes.append(Note("charset", "info", "Offsets are of the text in UTF-8: the page's own encoding was converted"))
        return self.findings.given()

    def _take(self, tokens: list[StartTag | EndTag | RawText]) -> None:
        for token in tokens:
            if isinstance(token, StartTag):
                self._start(token)
            elif isinstance(token, EndTag):
                self._end(token)
            else:
                self._text(token)

    # Tags.

    def _start(self, tag: StartTag) -> None:
        name, attributes = tag.name, tag.attributes
        self._element = tag
        if name == "template" and tag.space == "html":
            self._templates += 1
        if self._templates:
            return
        self.findings.at(tag.offset, tag.line)
        if tag.space != "html":
            self._foreign(tag)
            return
        if name not in _OF_HEAD:
            self._in_head = False
        if name in _LINES:
            self._depth += _LINE_HEIGHT
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, attributes)
        if attributes:
            self._common(tag)

    def _common(self, tag: StartTag) -> None:
        """Attributes that any element may have."""
        attributes = tag.attributes
        style = attributes.get("style")
        if style and "(" in style and len(self.styled) < _MOST_KEPT:
            self.styled.append(StyleAttribute(style, tag.name, tag.offset, tag.line))
        if style and (high := _HEIGHT.search(style)):
            self._depth += float(high.group(1))
        if tag.name in _WITH_BACKGROUND and "background" in attributes:
            what = f"<{tag.name} background>"
            self.findings.add(attributes["background"], "image", what, "Low")
        self._handlers += sum(1 for name in attributes if name.startswith("on"))

    def _end(self, tag: EndTag) -> None:
        name = tag.name
        if name == "template":
            self._templates = max(0, self._templates - 1)
        elif self._templates:
            return
        elif name == "picture":
            self._pictures.close()
        elif name in ("video", "audio"):
            self._media.close(name)
        elif name == "head":
            self._in_head = False

    def _text(self, text: RawText) -> None:
        tag, self._element = self._element, None
        if tag is None or self._templates or not text.text.strip(_WHITE):
            return
        self.findings.at(tag.offset, tag.line)
        if text.name == "style":
            kind = tag.attributes.get("type", "").strip(_WHITE).lower()
            nonce = tag.attributes.get("nonce", "")
            if kind in ("", "text/css") and len(self.sheets) < _MOST_KEPT:
                counts = self._allows("stylesheet", text.text, nonce, text.line)
                self.sheets.append(InlineSheet(text.text, text.offset, tag.attributes.get("media"), text.line, counts))
        elif text.name == "script" and "src" not in tag.attributes:
            kind, nonce = script_kind(tag.attributes), tag.attributes.get("nonce", "")
            if kind != "data" and self._allows("script", text.text, nonce, text.line):
                self._inline_script(kind, text, nonce)

    def _inline_script(self, kind: str, text: RawText, nonce: str) -> None:
        if kind in ("classic", "module"):
            self._scripts += 1
        if kind == "speculationrules":
            speculations(self.findings, text.text)
        elif kind in ("importmap", "module"):
            self._module(kind, text, nonce)

    def _module(self, kind: str, text: RawText, nonce: str) -> None:
        """An import map, or the imports of a module that stands in the document."""
        if kind == "importmap":
            wrong = self.import_map.add(text.text, self.findings.base)
            if wrong is not None:
                self.notes.append(Note("script", "warning", f"{wrong} (line {text.line})", "WHATWG HTML, section 8.1.6.2"))
            return
        offset = text.offset if self._tokenizer.bytes_are_utf8 else None
        result = inline_imports(
            text.text, self.findings.base, self.findings.visit, self.import_map, offset=offset, line=text.line, by="parser"
        )
        self.findings.found += [msgspec.structs.replace(found, nonce=nonce) for found in result.found]
        self.findings.skipped += result.skipped

    def _foreign(self, tag: StartTag) -> None:
        """SVG that stands in the document."""
        attributes = tag.attributes
        href = attributes.get("href", attributes.get("xlink:href"))
        self._handlers += sum(1 for name in attributes if name.startswith("on"))
        style = attributes.get("style")
        if style and "(" in style and len(self.styled) < _MOST_KEPT:
            self.styled.append(StyleAttribute(style, tag.name, tag.offset, tag.line))
        if tag.space != "svg" or not href:
            return
        if tag.name in ("image", "feimage"):
            self.findings.add(href, "image", f"<{tag.name} href>", self.findings.order.image(), attributes)
        elif tag.name == "use":
            url = self.findings.resolve(href, "image", "<use href>")
            if url is None or url.bare == self._url.bare:
                return
            if url.origin != self._url.origin:
                self.findings.skip(href, "image", "<use href>", "it is of another origin", "SVG 2, section 5.6")
                return
            self.findings.add(href, "image", "<use href>", "Low", credentials="same-origin")
        elif tag.name == "script":
            self.findings.add(href, "script", "<script href> of SVG", self.findings.order.script(), attributes)

    def _base(self, attributes: Attributes) -> None:
        if self._has_base or "href" not in attributes:
            return
        self._has_base = True
        base = self.findings.base
        found = self.findings.resolve(attributes["href"], "other", "<base href>")
        self.findings.base = found or base

    def _link(self, attributes: Attributes) -> None:
        if linked(self.findings, attributes) and self._element is not None:
            tag = self._element
            if self._in_head:
                self._icons.append(Icon(attributes.get("href", ""), attributes.get("sizes", ""), tag.offset, tag.line))
            else:
                self.findings.skip(attributes.get("href"), "icon", "<link rel=icon>", "it does not stand in the head")

    def _script(self, attributes: Attributes) -> None:
        if "src" in attributes:
            before = len(self.findings.found)
            scripted(self.findings, attributes, in_head=self._in_head)
            self._files += len(self.findings.found) - before

    def _img(self, attributes: Attributes) -> None:
        self._pictures.image(attributes, self._position())
        self._depth += _height(attributes)

    def _input(self, attributes: Attributes) -> None:
        if attributes.get("type", "").strip(_WHITE).lower() == "image":
            self.findings.add(attributes.get("src"), "image", "<input type=image>", self.findings.order.image(), attributes)

    def _picture(self, _: Attributes) -> None:
        self._pictures.open()

    def _source(self, attributes: Attributes) -> None:
        if not self._pictures.source(attributes):
            self._media.source(attributes)

    def _video(self, attributes: Attributes) -> None:
        self._media.open("video", attributes)

    def _audio(self, attributes: Attributes) -> None:
        self._media.open("audio", attributes)

    def _track(self, attributes: Attributes) -> None:
        self._media.track(attributes)

    def _iframe(self, attributes: Attributes) -> None:
        name = self._element.name if self._element else "iframe"
        src, what = attributes.get("src"), f"<{name} src>"
        depth, self._depth = self._position(), self._depth + (_height(attributes) or 150)
        if self._frame:
            self.findings.skip(src, "iframe", what, "a frame within a frame: only one level is followed")
        elif name == "iframe" and "srcdoc" in attributes:
            self._srcdoc(attributes["srcdoc"])
        elif attributes.get("loading", "").lower() == "lazy" and name == "iframe":
            if near(depth, self.findings.viewport.height):
                self.findings.add(src, "iframe", what, "VeryHigh", attributes, lazy=True, note=LAZY, cors=False)
            else:
                self.findings.skip(src, "iframe", what, f"~ lazy, and about {round(depth, -2):.0f} px below the top: estimated")
        else:
            self.findings.add(src, "iframe", what, "VeryHigh", attributes, cors=False)

    def _srcdoc(self, text: str) -> None:
        """A document in an attribute: what it asks for is asked for by this one's bytes."""
        inner = Scanner(self._url, self.findings.visit, self.findings.viewport, frame=True)
        inner.findings.base = self.findings.base
        found = inner.feed(text.encode()) + inner.end()
        for each in found:
            initiator = msgspec.structs.replace(
                each.initiator, what=f"{each.initiator.what} in srcdoc",
                offset=self._element.offset if self._element else None, line=self._element.line if self._element else None,
            )  # fmt: skip
            self.findings.found.append(msgspec.structs.replace(each, initiator=initiator))

    def _object(self, attributes: Attributes) -> None:
        self.findings.add(attributes.get("data"), "other", "<object data>", "VeryHigh", cors=False)

    def _embed(self, attributes: Attributes) -> None:
        self.findings.add(attributes.get("src"), "other", "<embed src>", "VeryHigh", cors=False)

    def _meta(self, attributes: Attributes) -> None:
        content = attributes.get("content", "")
        if attributes.get("name", "").strip(_WHITE).lower() == "referrer":
            self.findings.set_referrer_policy(content)
        equivalent = attributes.get("http-equiv", "").strip(_WHITE).lower()
        if equivalent in ("content-security-policy", "content-security-policy-report-only") and self._in_head:
            self.policies.append((equivalent, content))
        elif equivalent == "refresh":
            seconds, _, rest = content.partition(";") if ";" in content else content.partition(",")
            name, equals, url = rest.strip(_WHITE).partition("=")
            target = url.strip(_WHITE) if equals and name.strip(_WHITE).lower() == "url" else rest
            why = f"the page goes there after {seconds.strip(_WHITE)[:20]} s: that is another page"
            self.findings.skip(target.strip(_WHITE + "\"'"), "document", "<meta http-equiv=refresh>", why)

    # The end.

    def _position(self) -> float:
        """About how many pixels below the top the next element stands."""
        return self._depth + self._tokenizer.text_bytes / _LINE_BYTES * _LINE_HEIGHT

    def _icon(self) -> None:
        """Icons are asked for when the page has loaded: the page's, or the site's own."""
        if self._frame:
            return
        if not self._icons:
            self.findings.at(None, None)
            found = self.findings.resolve("/favicon.ico", "icon", "/favicon.ico")
            if found is not None:
                initiator = msgspec.structs.replace(self.findings.initiator("no <link rel=icon>"), by="browser")
                self.findings.found.append(Found(found, "icon", initiator, "High", after_load=True))
            return
        chosen = chosen_icons(self._icons)
        for icon in chosen:
            self.findings.at(icon.offset, icon.line)
            self.findings.add(icon.href, "icon", "<link rel=icon>", "High", after_load=True)
        for icon in self._icons:
            if icon not in chosen:
                self.findings.at(icon.offset, icon.line)
                self.findings.skip(icon.href, "icon", "<link rel=icon>", "another icon fits better")

    def _say_what_was_not_run(self) -> None:
        parts = [
            f"{count} {word}{'' if count == 1 else 's'}"
            for count, word in ((self._files, "script"), (self._scripts, "inline script"), (self._handlers, "event handler"))
            if count
        ]
        if parts:
            several = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
            self.notes.append(Note("script", "info", f"JavaScript was not run: what {several} would ask for is not here"))


_HANDLERS = {
    "base": Scanner._base, "link": Scanner._link, "script": Scanner._script, "img": Scanner._img, "image": Scanner._img,
    "input": Scanner._input, "picture": Scanner._picture, "source": Scanner._source, "video": Scanner._video,
    "audio": Scanner._audio, "track": Scanner._track, "iframe": Scanner._iframe, "frame": Scanner._iframe,
    "object": Scanner._object, "embed": Scanner._embed, "meta": Scanner._meta,
}  # fmt: skip


def _height(attributes: Attributes) -> float:
    text = attributes.get("height", "").strip(_WHITE)
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
