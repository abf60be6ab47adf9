"""Sheets into the rules that apply to a document, in the order of the cascade (CSS Cascade 5, section 6).

In: the sheets of a page with those they import, and the document. Out: for each element the rules that are for it, and the rules
that were left out, with the reason. Conditions that the viewport answers are settled here; what needs the element's
surroundings (`@container`) is kept with the rule.

Of the thousands of rules in a sheet only those with a declaration that can name a resource, or decide whether one is wanted, come
here at all; and each is tested only against elements with the id, the class or the name that its selector ends with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import NamedTuple

from pellucid.client.page.css import Declaration, Rule, Source, import_of, keeps_head, rules
from pellucid.client.page.elements import Document, Element
from pellucid.client.page.pseudo import read_selectors
from pellucid.client.page.selectors import MOST_STEPS, Selector, SelectorError, Specificity, Test
from pellucid.client.page.values import is_valid, longhands
from pellucid.journey import Viewport

__all__ = ["Cascade", "Matched", "Setting", "Sheet", "StyleRule"]

_MOST_TESTS = 500_000
"""Tests of a selector against an element, about a microsecond each."""
_LONGEST = 3.0
"""Seconds for all of them."""
_MOST_IMPORTS = 64
_LAST = 1 << 30
_TRANSPARENT = frozenset({"media", "supports", "layer", "container", "scope", "starting-style"})


class Sheet(NamedTuple):
    """A sheet and its conditions; `imported` are those that its `@import`s brought, by their address without the fragment."""

    source: Source
    media: str | None = None


class Setting(NamedTuple):
    """A longhand that a declaration sets."""

    value: str
    declaration: Declaration
    rule: StyleRule


class StyleRule:
    """A style rule: what it is for, what it sets, and its place in the cascade."""

    __slots__ = ("container", "early", "important", "layer", "names", "normal", "order", "selectors", "source", "text")

    def __init__(self, text: str, source: Source, selectors: list[Selector], layer: tuple[int, ...], order: int) -> None:
        self.text = text
        """Its selector list as it was written."""
        self.source = source
        self.selectors = selectors
        self.layer = layer
        self.order = order
        """Of appearance; imported sheets stand where their import does."""
        self.container: tuple[str, ...] = ()
        """The conditions of the `@container`s round it."""
        self.early = False
        """Within `@starting-style`: its declarations hold for an instant, and override nothing."""
        self.normal: dict[str, Setting] = {}
        self.important: dict[str, Setting] = {}
        self.names = False
        """It names a URL."""

    def add(self, declarations: Iterable[Declaration]) -> None:
        """Set what these declarations set; what no browser understands is passed over."""
        for declaration in declarations:
            into = self.important if declaration.important else self.normal
            for name, value in longhands(declaration.name, declaration.value):
                if is_valid(name, value):
                    if name == "all":
                        for other in [each for each in into if not each.startswith("--")]:
                            del into[other]
                    into[name] = Setting(value, declaration, self)
            self.names = self.names or names_address(declaration.value)

    def place(self, important: bool) -> tuple[int, ...]:
        """The layer as a key: later layers win, important declarations of earlier ones (section 6.4.4)."""
        if self.early:
            return (-_LAST,)
        return tuple(-part for part in self.layer) if important else self.layer


class Matched(NamedTuple):
    """A rule that fits an element, and how specifically."""

    rule: StyleRule
    specificity: Specificity


class _Context(NamedTuple):
    source: Source
    layer: tuple[str, ...] = ()
    layered: bool = False
    nesting: list[Selector] | None = None
    container: tuple[str, ...] = ()
    scope: Test | None = None
    """Who is inside of an `@scope`."""
    root: Test | None = None
    """What `:scope` stands for there."""
    early: bool = False
    why: str | None = None
    """Set where a condition has failed: what stands in here is not applied, and this is the reason."""


class Cascade:
    """Reads sheets for one document; then `match` finds who is meant."""

    def __init__(self, document: Document, viewport: Viewport, imported: Mapping[str, Source]) -> None:
        self.document = document
        self.viewport = viewport
        self.imported = imported
        self.rules: list[StyleRule] = []
        self.faces: list[tuple[Rule, Source, str | None]] = []
        """`@font-face` rules, and why one does not apply."""
        self.keyframes: dict[str, list[StyleRule]] = {}
        self.initial: dict[str, str] = {}
        """Initial values of registered custom properties."""
        self.failed: list[tuple[Rule, Source, str]] = []
        """Style rules in conditions that do not hold, with the reason."""
        self.unmatched: list[StyleRule] = []
        self.limited = False
        self.contained = False
        """There are `@container` rules."""
        self._layers: dict[tuple[str, ...], dict[str, int]] = {}
        self._media: dict[str, bool] = {}
        self._order = 0
        self._anonymous = 0
        self._tests = 0
        self._until = 0.0

    def add(self, sheet: Sheet) -> None:
        """Take a sheet of the document; they come in its order."""
        why = None
        if sheet.media and not self._matches(sheet.media):
            why = f"The sheet is for other media: {sheet.media.strip()}"
        self._sheet(_Context(sheet.source, why=why), ())

    def _sheet(self, context: _Context, above: tuple[str, ...]) -> None:
        head = "@" in context.source.text
        for rule in rules(context.source.text):
            if rule.keyword == "import" and not rule.block:
                if head:
                    self._import(rule, context, above)
                continue
            head = head and keeps_head(rule)
            self._rule(rule, context)

    def _import(self, rule: Rule, context: _Context, above: tuple[str, ...]) -> None:
        from pellucid.http.url import BadUrl, parse_url

        said = import_of(rule.prelude)
        if said is None or len(above) >= _MOST_IMPORTS:
            return
        try:
            asked = parse_url(said.address, context.source.url).bare
        except BadUrl:
            return
        brought = self.imported.get(asked)
        if said.layer is not None:
            context = self._in_layer(context, said.layer)
        if brought is None or asked in above:
            return
        if context.why is None and said.media and not self._matches(said.media):
            context = context._replace(why=f"It was imported for other media: {said.media}")
        self._sheet(context._replace(source=brought), (*above, asked))

    def _rule(self, rule: Rule, context: _Context) -> None:
        keyword = rule.keyword
        if not keyword:
            self._style(rule, context)
        elif keyword in _TRANSPARENT:
            self._group(rule, context)
        elif keyword == "font-face":
            self.faces.append((rule, context.source, context.why))
        elif keyword in ("keyframes", "-webkit-keyframes"):
            self._keyframes(rule, context)
        elif keyword == "property" and context.why is None:
            initial = next((each.value for each in rule.declarations if each.name == "initial-value"), None)
            if initial is not None:
                self.initial[rule.prelude] = initial

    def _group(self, rule: Rule, context: _Context) -> None:
        """A conditional group, a layer or a scope: its rules, and where it stands in a style rule its declarations too."""
        if rule.keyword == "layer" and not rule.block:
            for name in rule.prelude.split(","):
                self._in_layer(context, name.strip())
            return
        inner = self._entered(rule, context)
        if rule.declarations and (inner.nesting is not None or inner.scope is not None):
            self._apply(rule, "&" if inner.nesting is not None else ":scope", inner)
        for child in rule.rules:
            self._rule(child, inner)

    def _entered(self, rule: Rule, context: _Context) -> _Context:
        prelude = rule.prelude
        match rule.keyword:
            case "media":
                return context if self._matches(prelude) else _failed(context, f"@media {prelude} does not match")
            case "supports":
                from pellucid.client.page.supports import supports  # late: most sheets ask for nothing

                return context if supports(prelude) else _failed(context, f"@supports {prelude} is false")
            case "layer":
                return self._in_layer(context, prelude)
            case "container":
                return context._replace(container=(*context.container, prelude))
            case "scope":
                return self._scoped(prelude, context)
            case _:
                return context._replace(early=True)

    def _matches(self, query: str) -> bool:
        from pellucid.client.page import media

        known = self._media.get(query)
        if known is None:
            known = self._media[query] = media.matches(query, self.viewport)
        return known

    def _in_layer(self, context: _Context, name: str) -> _Context:
        if not name:
            self._anonymous += 1
            name = f" {self._anonymous}"
        path = context.layer
        for part in name.split("."):
            known = self._layers.setdefault(path, {})
            known.setdefault(part, len(known))
            path = (*path, part)
        return context._replace(layer=path)

    def _layer_key(self, path: tuple[str, ...]) -> tuple[int, ...]:
        return (*(self._layers[path[:depth]][part] for depth, part in enumerate(path)), _LAST)

    def _scoped(self, prelude: str, context: _Context) -> _Context:
        """`@scope (root) to (limit)` (CSS Cascade 6, section 2.5); which root is nearer is not weighed."""
        import re

        match = re.match(r"\((.*?)\)\s*(?:to\s*\((.*)\))?\s*\Z", prelude, re.DOTALL)
        if match is None:
            return context if not prelude else _failed(context, f"@scope {prelude} is not understood")
        try:
            roots = read_selectors(match.group(1), quirks=self.document.quirks, nesting=context.nesting)
            limits = read_selectors(match.group(2), quirks=self.document.quirks) if match.group(2) else []
        except SelectorError:
            return _failed(context, f"@scope {prelude} is not understood")

        def is_root(element: Element) -> bool:
            return any(selector.matches(element) for selector in roots)

        def is_inside(element: Element) -> bool:
            here: Element | None = element
            while here is not None:
                if any(selector.matches(here) for selector in limits):
                    return False
                if is_root(here):
                    return True
                here = here.parent
            return False

        return context._replace(scope=is_inside, root=is_root, nesting=None)

    def _style(self, rule: Rule, context: _Context) -> None:
        self._apply(rule, rule.prelude, context)

    def _apply(self, rule: Rule, selector: str, context: _Context) -> None:
        if not rule.declarations and not rule.rules:
            return
        if context.why is not None:
            if any(names_address(each.value) for each in rule.declarations):
                self.failed.append((rule, context.source, context.why))
            for child in rule.rules if not rule.keyword else ():
                self._rule(child, context)
            return
        try:
            selectors = read_selectors(
                selector,
                quirks=self.document.quirks,
                nesting=context.nesting,
                scope=context.root,
            )
        except SelectorError:
            if any(names_address(each.value) for each in rule.declarations):
                self.failed.append((rule, context.source, "Its selector is none that Chrome knows, so that the rule is dropped"))
            return
        if context.scope is not None and context.nesting is None:
            for each in selectors:
                each.compounds[0].tests.append(context.scope)
        if rule.declarations:
            self._order += 1
            made = StyleRule(selector, context.source, selectors, self._layer_key(context.layer), self._order)
            made.container = context.container
            self.contained = self.contained or bool(context.container)
            made.early = context.early
            made.add(rule.declarations)
            if made.normal or made.important:
                self.rules.append(made)
        if not rule.keyword:
            inner = context._replace(nesting=selectors)
            for child in rule.rules:
                self._rule(child, inner)

    def _keyframes(self, rule: Rule, context: _Context) -> None:
        if context.why is not None:
            return
        made = []
        for frame in rule.rules:
            style = StyleRule(f"@keyframes {rule.prelude}", context.source, [], (), 0)
            style.add(frame.declarations)
            made.append(style)
        self.keyframes[rule.prelude.strip("\"'")] = made

    # -- who is meant ------------------------------------------------------------------------------------------------------

    def match(self) -> dict[Element, dict[str, list[Matched]]]:
        """For each element, by pseudo-element, the rules that fit it, weakest first."""
        found: dict[Element, dict[str, list[Matched]]] = {}
        self._until = monotonic() + _LONGEST
        for rule in self.rules:
            hit = False
            for selector in rule.selectors:
                hit = self._select(rule, selector, found) or hit
            if not hit:
                self.unmatched.append(rule)
        return found

    def _select(self, rule: StyleRule, selector: Selector, found: dict[Element, dict[str, list[Matched]]]) -> bool:
        candidates = self.candidates(selector)
        if not candidates or not all(self._exists(compound.key) for compound in selector.compounds[1:]):
            return False
        self._tests += len(candidates)
        if self._tests > _MOST_TESTS or monotonic() > self._until:
            self.limited = True
            return False
        hit = False
        for place, element in enumerate(candidates):
            if place & 63 == 63 and monotonic() > self._until:
                self.limited = True
                break
            if selector.matches(element):
                hit = True
                mine = found.setdefault(element, {}).setdefault(selector.pseudo, [])
                if mine and mine[-1].rule is rule:
                    if mine[-1].specificity < selector.specificity:
                        mine[-1] = Matched(rule, selector.specificity)
                else:
                    mine.append(Matched(rule, selector.specificity))
        self.limited = self.limited or selector.steps >= MOST_STEPS
        return hit

    def _exists(self, key: str) -> bool:
        """Whether there is an element at all that a part of a selector can be for."""
        if not key:
            return True
        document = self.document
        if key[0] == "#":
            return key[1:] in document.by_id
        return key[1:] in document.by_class if key[0] == "." else key in document.by_name

    def candidates(self, selector: Selector) -> list[Element]:
        """The elements that are worth a test."""
        key = selector.key
        if not key:
            return self.document.elements
        if key[0] == "#":
            return self.document.by_id.get(key[1:], [])
        if key[0] == ".":
            return self.document.by_class.get(key[1:], [])
        return self.document.by_name.get(key, [])


def names_address(value: str) -> bool:
    """Whether a value may name a URL."""
    return "url(" in value or "image-set(" in value or "URL(" in value or "\\" in value


def _failed(context: _Context, why: str) -> _Context:
    return context if context.why is not None else context._replace(why=why)
