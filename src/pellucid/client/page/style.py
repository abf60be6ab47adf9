"""`Styles`: what the style sheets of a page make a browser fetch, without laying it out.

In: the sheets as they came, and the document. Out: the images that displayed elements ask for, the fonts that their text needs,
and for every other URL in the sheets the reason why it is left alone.

Problem: a browser fetches an image of a style sheet only when an element takes it. Naive: fetch every `url()`; that is ten times
too much on a page with an icon font and Bootstrap. Standard: style, then layout. Choice: the cascade in full, from selectors to
computed values (`cascade.py`, `computed.py`), and no layout, since images are asked for as soon as a style is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.client.page.cascade import Cascade, Matched, Setting, Sheet, StyleRule
from pellucid.client.page.computed import Computed, compute
from pellucid.client.page.css import Declaration, Source
from pellucid.client.page.elements import Document, Element, read_document
from pellucid.client.page.fonts import Fonts, read_faces
from pellucid.client.page.found import Found
from pellucid.client.page.texts import collect_text
from pellucid.client.page.values import IMAGES, addresses, longhands, seconds, substitute
from pellucid.http.url import BadUrl, Url, parse_url
from pellucid.journey import Initiator, Note, Skipped, Viewport

__all__ = ["Styles"]

_SILENT = frozenset({"data", "blob", "about", "javascript"})
_MOST_SHOWN = 60
_MOST_SKIPPED = 500


class Styles:
    """The sheets of one document; `used` says what they ask for."""

    def __init__(self, viewport: Viewport | None = None) -> None:
        self.viewport = viewport or Viewport()
        self.notes: list[Note] = []
        """Limits that were reached."""
        self._sheets: list[tuple[tuple[int, ...], Sheet]] = []
        self._imported: dict[str, Source] = {}
        self._fonts = Fonts(())

    def add(
        self,
        text: str,
        url: Url,
        visit: int,
        media: str | None = None,
        order: tuple[int, ...] = (),
        *,
        offset: int = 0,
        line: int = 1,
        charset: str = "utf-8",
    ) -> None:
        """Take a sheet that the document links or holds. `url`: what it is relative to. `order`: its place among the sheets, else
        they count as added. `offset`, `line`: where a `<style>` begins in its document.
        """
        self._sheets.append((order, Sheet(Source(text, url, visit, offset, line, charset), media)))

    def add_imported(self, asked: Url, text: str, url: Url, visit: int, *, charset: str = "utf-8") -> None:
        """Take what an `@import` brought: `asked` as it was found, `url` where it came from after redirects. It takes its place
        and its conditions from whatever sheet imports it.
        """
        self._imported[asked.bare] = Source(text, url, visit, charset=charset)

    def used(
        self, html: bytes, charset: str, url: Url, visit: int, *, attributes: bool = True
    ) -> tuple[list[Found], list[Skipped]]:
        """What a browser fetches for this document, in its order, and what it does not. `url`: what `style` attributes are
        relative to (the base of the document); `attributes`: whether they count.
        """
        document = read_document(html, charset)
        cascade = Cascade(document, self.viewport, self._imported)
        for _, sheet in sorted(self._sheets, key=lambda one: one[0]):
            cascade.add(sheet)
        matched = cascade.match()
        styles = compute(document, cascade, matched, Source("", url, visit, charset=charset) if attributes else None)
        use = _Use(self.viewport, cascade)
        for style in styles:
            use.take(style)
        skipped = _Reasons(cascade, matched, styles, use).all()
        self._fonts = Fonts(read_faces(cascade.faces))
        collect_text(styles, self._fonts)
        needed = self._fonts.needed()
        self._say_limits(document, cascade)
        return [*use.found.values(), *needed], [*skipped, *self._fonts.skipped()]

    def after_failure(self, url: str) -> list[Found]:
        """What a browser fetches because this font could not be had (an answer that is no success, or no font): the next source
        of its face, or the next family of the text; nothing where there is none, or where the URL is no font.
        """
        return self._fonts.after_failure(url)

    def _say_limits(self, document: Document, cascade: Cascade) -> None:
        if cascade.limited:
            says = "The style sheets have more rules than were looked at: images and fonts may be missing"
            self.notes.append(Note("limit", "warning", says))
        if document.cut:
            says = "The document has more elements than were looked at: images and fonts of the last ones may be missing"
            self.notes.append(Note("limit", "warning", says))


class _Use:
    """Collects the resources of the winning declarations."""

    def __init__(self, viewport: Viewport, cascade: Cascade) -> None:
        self.viewport = viewport
        self.cascade = cascade
        self.found: dict[str, Found] = {}
        self.won: set[int] = set()
        """The settings that won for some element, by identity."""
        self._done: set[tuple[int, str]] = set()

    def take(self, style: Computed) -> None:
        """All that this element and its pseudo-elements ask for."""
        for one in (style, *style.pseudos.values()):
            for name, setting in one.set.items():
                if name in IMAGES:
                    self._image(one, name, setting)
                elif name == "animation-name":
                    self._animation(one)

    def _image(self, style: Computed, name: str, setting: Setting) -> None:
        self.won.add(id(setting))
        if "(" not in setting.value:
            return
        value = style.value(name)
        if value is None or (id(setting), value) in self._done:
            return
        self._done.add((id(setting), value))
        for address in addresses(value, self.viewport.density, self.viewport.dark):
            self._find(address, name, setting)

    def _find(self, address: str, name: str, setting: Setting) -> None:
        rule = setting.rule
        url = absolute(address, rule.source.url)
        if url is None or url.bare in self.found:
            return
        mode = IMAGES[name]
        kind = "image"
        if mode == "same-origin" or name in ("fill", "stroke", "clip-path") or name.startswith("marker-"):
            kind = "other"  # a document of SVG, of which an element is taken
        self.found[url.bare] = Found(
            url,
            kind,  # type: ignore[arg-type]
            initiator(rule, setting.declaration),
            "Low",
            mode,  # type: ignore[arg-type]
            "include" if mode == "no-cors" else "same-origin",
        )

    def _animation(self, style: Computed) -> None:
        """The images of keyframes are fetched when an element is animated by them."""
        value = style.value("animation-name") or ""
        if not _runs(style):
            return
        for word in value.replace(",", " ").split():
            for frame in self.cascade.keyframes.get(word.strip("\"'"), ()):
                for name, setting in {**frame.normal, **frame.important}.items():
                    if name in IMAGES:
                        for address in addresses(
                            substitute(setting.value, style.custom) or "", self.viewport.density, self.viewport.dark
                        ):
                            self._find(address, name, setting)


class _Reasons:
    """Says of each URL in the sheets that is not fetched, why."""

    def __init__(
        self, cascade: Cascade, matched: Mapping[Element, Mapping[str, list[Matched]]], styles: list[Computed], use: _Use
    ) -> None:
        self.cascade = cascade
        self.use = use
        self.skipped: dict[str, Skipped] = {}
        self._styles = {style.element: style for style in styles}
        self._meant: dict[int, list[tuple[Element, str]]] = {}
        wanted = {id(rule) for rule in cascade.rules if rule.names}
        for element, parts in matched.items():
            for pseudo, rules in parts.items():
                for one in rules:
                    if id(one.rule) in wanted:
                        self._meant.setdefault(id(one.rule), []).append((element, pseudo))

    def all(self) -> list[Skipped]:
        """One for each URL."""
        for rule in self.cascade.rules:
            if rule.names:
                for name, setting in [*rule.normal.items(), *rule.important.items()]:
                    if name in IMAGES or name.startswith("--"):
                        self._consider(rule, name, setting)
        for failed, source, why in self.cascade.failed:
            dropped = StyleRule(failed.prelude, source, [], (), 0)
            for declaration in failed.declarations:
                for name, value in longhands(declaration.name, declaration.value):
                    if name in IMAGES:
                        self._say(dropped, name, Setting(value, declaration, dropped), why)
        return list(self.skipped.values())

    def _consider(self, rule: StyleRule, name: str, setting: Setting) -> None:
        if id(setting) not in self.use.won:
            self._say(rule, name, setting, None)

    def _say(self, rule: StyleRule, name: str, setting: Setting, why: str | None) -> None:
        if len(self.skipped) >= _MOST_SKIPPED:
            return
        for address in addresses(setting.value, self.use.viewport.density, self.use.viewport.dark):
            url = absolute(address, rule.source.url)
            if url is not None and url.bare not in self.use.found and url.bare not in self.skipped:
                reason = why or self._why(rule, name)
                self.skipped[url.bare] = Skipped(url.href, "image", initiator(rule, setting.declaration), reason)

    def _why(self, rule: StyleRule, name: str) -> str:
        meant = self._meant.get(id(rule))
        if not meant:
            return self._why_unmatched(rule)
        shown = [(self._styles[element], pseudo) for element, pseudo in meant if element in self._styles]
        if not shown:
            return f"What {shortened(rule.text)} matches is not displayed"
        drawn = [style.pseudos[pseudo] if pseudo else style for style, pseudo in shown if not pseudo or pseudo in style.pseudos]
        if not drawn:
            return f"The pseudo-element of {shortened(rule.text)} is not drawn"
        if name.startswith("--"):
            return f"No property of what {shortened(rule.text)} matches uses {name}"
        winner = next((style.set[name] for style in drawn if name in style.set), None)
        if winner is None:
            return f"A container that {shortened(rule.text)} asks for is not there"
        by = shortened(winner.rule.text) if winner.rule.text else "a style attribute"
        return f"{name} is overridden by {by} where {shortened(rule.text)} matches"

    def _why_unmatched(self, rule: StyleRule) -> str:
        from pellucid.client.page.pseudo import read_selectors
        from pellucid.client.page.selectors import SelectorError

        states = sorted({state for selector in rule.selectors for state in selector.dynamic})
        if states and not any(mark in rule.text for mark in "&"):
            try:
                assumed = read_selectors(rule.text, quirks=self.cascade.document.quirks, assume=True)
            except SelectorError:
                assumed = []
            if any(one.matches(element) for one in assumed for element in self.cascade.candidates(one)):
                return f"Only while something is :{', :'.join(states)} does {shortened(rule.text)} match"
        return f"No element matches {shortened(rule.text)}"


def _runs(style: Computed) -> bool:
    """Whether an animation has begun when the page is there: it lasts for some time, does not wait, and is not paused."""
    lasts = seconds(style.value("animation-duration") or "0s")
    waits = seconds(style.value("animation-delay") or "0s")
    return lasts > 0 >= waits and (style.value("animation-play-state") or "running").lower() != "paused"


def absolute(address: str, base: Url) -> Url | None:
    """The URL to fetch; None for what needs no network: `data:`, a fragment of this document, nothing."""
    if not address or address.startswith("#"):
        return None
    try:
        url = parse_url(address, base)
    except BadUrl:
        return None
    return None if url.scheme in _SILENT else url


def initiator(rule: StyleRule, declaration: Declaration) -> Initiator:
    """Where a declaration stands, and in what."""
    what = f"url() of {shortened(rule.text)}" if rule.text else "url() of a style attribute"
    if not rule.text:
        return Initiator(rule.source.visit, "style", what)
    return rule.source.initiator(what, declaration.start)


def shortened(text: str) -> str:
    """A selector list on one line, cut short."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SHOWN else line[: _MOST_SHOWN - 1] + "…"

