"""Selectors (Selectors 4) read into tests of elements.

In: the prelude of a style rule. Out: for each of its alternatives a `Selector`: which elements it can be for, whether one is, its
specificity, and the pseudo-element. `SelectorError` where a browser would drop the whole rule.

lexbor can select as well, and is written in C; but it walks the whole document for each selector, takes `:lang()`, `:target` and
all pseudo-elements for errors, gives no specificity, and misses ancestors (`:not(.c) p`). A sheet has thousands of selectors of
which few fit, so what counts is not to look: the rightmost id, class or name says which elements are worth a test. `pseudo.py`
knows the pseudo-classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pellucid.client.page.elements import Element
from pellucid.client.page.escapes import unescape
from pellucid.client.page.pseudo_elements import is_pseudo_element

__all__ = [
    "MOST_STEPS",
    "Compound",
    "Reader",
    "Rules",
    "Selector",
    "SelectorError",
    "Specificity",
    "Test",
    "is_root",
    "most_specific",
    "never",
]

Specificity = tuple[int, int, int]
Test = Callable[[Element], bool]

# Possessive, since an escape can be cut into letters in many ways, of which only the first is meant.
_ESCAPED = r"\\[0-9a-fA-F]{1,6}+[ \t\r\n\f]?+|\\[^\r\n\f]"
_IDENT = rf"(?:--|-?(?>[A-Za-z_\x80-\U0010ffff]|{_ESCAPED}))(?:[\w\x80-\U0010ffff-]|{_ESCAPED})*+"
_NAME = re.compile(_IDENT)
_HASH = re.compile(rf"#((?:[\w\x80-\U0010ffff-]|{_ESCAPED})++)")
_TYPE = re.compile(rf"(?:(?:{_IDENT}|\*)?\|(?!\|))?({_IDENT}|\*)")
_ATTRIBUTE = re.compile(
    rf"""\[\s*(?:(?:{_IDENT}|\*)?\|)?({_IDENT})\s*
        (?:([~|^$*]?=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|{_IDENT})\s*([isIS])?\s*)?(?:\]|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_COMBINATOR = re.compile(r"\s*([>+~]|\|\|)\s*|\s+")
_WHITE = re.compile(r"\s*")
_LEGACY = frozenset({"before", "after", "first-line", "first-letter"})
_CASELESS = frozenset(
    {
        "accept", "accept-charset", "align", "alink", "axis", "bgcolor", "charset", "checked", "clear", "codetype", "color",
        "compact", "declare", "defer", "dir", "direction", "disabled", "enctype", "face", "frame", "hreflang", "http-equiv",
        "lang", "language", "link", "media", "method", "multiple", "nohref", "noresize", "noshade", "nowrap", "readonly", "rel",
        "rev", "rules", "scope", "scrolling", "selected", "shape", "target", "text", "type", "valign", "valuetype", "vlink",
    }
)  # fmt: skip
"""Attributes of HTML whose values are compared without regard to case (HTML, section 4.16.2)."""
_MOST_NESTED = 24
_MOST_REMEMBERED = 60_000
MOST_STEPS = 400_000
"""What one selector may cost: `a > b c > d` is tried from every ancestor that is a `c`, and a page may have thousands."""


class SelectorError(ValueError):
    """A selector that browsers do not know, so that they drop the rule."""


class Compound:
    """Tests that one element must pass, and by what it could be found: `#id`, `.class`, `name`, or empty."""

    __slots__ = ("key", "tests")

    def __init__(self, tests: list[Test], key: str) -> None:
        self.tests = tests
        self.key = key

    def fits(self, element: Element) -> bool:
        """Whether it passes them all."""
        for test in self.tests:  # noqa: SIM110 - a loop takes half the time of all() with a generator
            if not test(element):
                return False
        return True


class Selector:
    """One alternative of a selector list."""

    __slots__ = ("combinators", "compounds", "dynamic", "pseudo", "specificity", "steps")

    def __init__(
        self, compounds: list[Compound], combinators: list[str], specificity: Specificity, pseudo: str, dynamic: frozenset[str]
    ) -> None:
        self.compounds = compounds
        """From the subject leftwards."""
        self.combinators = combinators
        """The one left of each but the last."""
        self.specificity = specificity
        self.pseudo = pseudo
        """`before`, `after`, ...; empty for the element itself."""
        self.dynamic = dynamic
        """The states it asks for that no element has when a page is loaded: `hover`, `focus`, ..."""
        self.steps = 0
        """How many neighbours were looked at; beyond MOST_STEPS it fits nothing any more."""

    @property
    def key(self) -> str:
        """By what its subject could be found."""
        return self.compounds[0].key

    def matches(self, element: Element) -> bool:
        """Whether it selects this element (or its pseudo-element)."""
        return self.compounds[0].fits(element) and (len(self.compounds) == 1 or self._left(element, 0))

    def _left(self, element: Element, place: int) -> bool:
        """Whether what stands left of the compound at `place`, which is this element, fits as well."""
        if place == len(self.combinators):
            return True
        combinator = self.combinators[place]
        compound = self.compounds[place + 1]
        other = _before(element, combinator)
        # Where a part fits the nearest ancestor and what is left of that is found nowhere above it, a farther one is no help.
        following = self.combinators[place + 1] if place + 1 < len(self.combinators) else " "
        settled = following == " " or combinator == following == "~"
        while other is not None and self.steps < MOST_STEPS:
            self.steps += 1
            if compound.fits(other):
                if self._left(other, place + 1):
                    return True
                if settled:
                    return False
            if combinator in ">+":
                return False
            other = _before(other, combinator)
        return False


def _before(element: Element, combinator: str) -> Element | None:
    """The next element to try, leftwards or upwards."""
    if combinator in " >":
        return element.parent
    if combinator == "|" or element.parent is None or element.place == 0:
        return None
    return element.parent.children[element.place - 1]


class Rules(NamedTuple):
    """What a reader goes by; see `read_selectors`."""

    read_class: Callable[[Reader, str, str | None], tuple[Test, Specificity]]
    quirks: bool = False
    nesting: Sequence[Selector] | None = None
    scope: Test | None = None
    assume: bool = False
    within_has: bool = False


class Reader:
    """Reads one selector list; pseudo-classes are read by a function that is handed in, and that asks for `inner` lists."""

    def __init__(self, text: str, rules: Rules, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.rules = rules
        self.depth = depth
        self.dynamic: set[str] = set()
        self._nested = False

    def inner(self, text: str) -> Reader:
        """A reader of the argument of a function."""
        if self.depth > _MOST_NESTED:
            raise SelectorError(text)
        return Reader(text, self.rules, self.depth + 1)

    def read_list(self, *, relative: bool = False) -> list[Selector]:
        """All alternatives, up to the end."""
        found = [self._complex(relative)]
        while self.at < len(self.text) and self.text[self.at] == ",":
            self.at += 1
            found.append(self._complex(relative))
        return found

    def _complex(self, relative: bool) -> Selector:
        self._white()
        compounds: list[Compound] = []
        combinators: list[str] = []
        total = (0, 0, 0)
        self.dynamic = set()
        self._nested = False
        pseudo = ""
        first = ""
        if self.text[self.at : self.at + 1] in (">", "+", "~"):
            first = self.text[self.at]
            if not relative and self.rules.nesting is None and self.rules.scope is None:
                raise SelectorError(self.text)
            self.at += 1
            self._white()
        while True:
            compound, specificity, pseudo = self._compound()
            compounds.append(compound)
            total = _sum(total, specificity)
            match = _COMBINATOR.match(self.text, self.at)
            if match is None:
                break
            self.at = match.end()
            if match.group(1) is None and (self.at >= len(self.text) or self.text[self.at] == ","):
                break
            if pseudo:
                raise SelectorError(self.text)
            combinators.append(match.group(1) or " ")
        if (first or not self._nested) and self.rules.nesting is not None and self.depth == 0:
            compounds.insert(0, _parent(self.rules.nesting))
            combinators.insert(0, first or " ")
            total = _sum(total, most_specific(self.rules.nesting))
        elif relative:
            compounds.insert(0, Compound([], ""))
            combinators.insert(0, first or " ")
        elif first and self.rules.scope is not None:
            compounds.insert(0, Compound([self.rules.scope], ""))
            combinators.insert(0, first)
        compounds.reverse()
        combinators.reverse()
        return Selector(compounds, combinators, total, pseudo, frozenset(self.dynamic))

    def _compound(self) -> tuple[Compound, Specificity, str]:
        tests: list[Test] = []
        a, b, c = 0, 0, 0
        key = pseudo = ""
        began = self.at
        named = _TYPE.match(self.text, self.at)
        if named:
            self.at = named.end()
            name = unescape(named.group(1)).lower()
            if name != "*":
                tests.append(_named(name))
                key, c = name, 1
        while self.at < len(self.text):
            sign = self.text[self.at]
            if sign == "#":
                identity = self._taken(_HASH)
                identity = identity.lower() if self.rules.quirks else identity
                tests.insert(0, _with_id(identity))
                key, a = "#" + identity, a + 1
            elif sign == ".":
                self.at += 1
                name = self._name()
                name = name.lower() if self.rules.quirks else name
                tests.append(_with_class(name))
                key, b = key if key[:1] == "#" else "." + name, b + 1
            elif sign == "[":
                tests.append(self._attribute())
                b += 1
            elif sign == "&":
                self.at += 1
                test, specificity = self._ampersand()
                tests.append(test)
                a, b, c = _sum((a, b, c), specificity)
            elif sign == ":":
                given, specificity, named_pseudo = self._pseudo(pseudo)
                pseudo = named_pseudo or pseudo
                if given is not None:
                    tests.append(given)
                a, b, c = _sum((a, b, c), specificity)
            else:
                break
            if pseudo and sign != ":":
                raise SelectorError(self.text)
        if self.at == began:
            raise SelectorError(self.text)
        return Compound(tests, key), (a, b, c), pseudo

    def _ampersand(self) -> tuple[Test, Specificity]:
        self._nested = True
        nesting = self.rules.nesting
        if nesting is None:
            return self.rules.scope or is_root, (0, 0, 0) if self.rules.scope else (0, 1, 0)
        return _parent(nesting).tests[0], most_specific(nesting)

    def _pseudo(self, before: str) -> tuple[Test | None, Specificity, str]:
        double = self.text.startswith("::", self.at)
        self.at += 2 if double else 1
        name = self._name().lower()
        argument = None
        if self.text[self.at : self.at + 1] == "(":
            argument = self._argument()
        if double or (name in _LEGACY and argument is None):
            if before or not is_pseudo_element(name):
                raise SelectorError(self.text)
            return None, (0, 0, 1), name
        if before:  # `::before:hover`, `::-webkit-scrollbar:horizontal`
            self.dynamic.add(name)
            return (None if self.rules.assume else never), (0, 1, 0), before
        test, specificity = self.rules.read_class(self, name, argument)
        if "&" in (argument or ""):
            self._nested = True
        return test, specificity, ""

    def _argument(self) -> str:
        depth = 0
        for place in range(self.at, len(self.text)):
            sign = self.text[place]
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                argument = self.text[self.at + 1 : place]
                self.at = place + 1
                return argument.strip()
        argument = self.text[self.at + 1 :]
        self.at = len(self.text)
        return argument.strip()

    def _attribute(self) -> Test:
        match = _ATTRIBUTE.match(self.text, self.at)
        if match is None:
            raise SelectorError(self.text)
        self.at = match.end()
        name, operator, value, flag = match.groups()
        name = unescape(name)
        if operator is None:
            return _has_attribute(name.lower())
        value = unescape(value[1:-1] if value[0] in "\"'" else value)
        caseless = (flag or "").lower() == "i" or (not flag and name.lower() in _CASELESS)
        return _attribute_test(name.lower(), operator, value, caseless)

    def _name(self) -> str:
        return self._taken(_NAME)

    def _taken(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise SelectorError(self.text)
        self.at = match.end()
        return unescape(match.group(match.lastindex or 0))

    def _white(self) -> None:
        match = _WHITE.match(self.text, self.at)
        self.at = match.end() if match else self.at


def most_specific(selectors: Sequence[Selector]) -> Specificity:
    """The specificity of `:is()` with these."""
    return max((selector.specificity for selector in selectors), default=(0, 0, 0))


def _sum(one: Specificity, other: Specificity) -> Specificity:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _parent(nesting: Sequence[Selector]) -> Compound:
    """What `&` stands for: an element that one of the outer rule's selectors fits.

    What was found for an element is remembered, or rules nested thirty deep with two selectors each would ask 2**30 times.
    """
    plain = [selector for selector in nesting if not selector.pseudo]
    key = plain[0].key if len(plain) == 1 else ""
    known: dict[int, bool] = {}

    def fits(element: Element) -> bool:
        found = known.get(id(element))
        if found is None:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            found = known[id(element)] = any(selector.matches(element) for selector in plain)
        return found

    return Compound([fits], key)


def _named(name: str) -> Test:
    return lambda element: element.name == name or element.name.lower() == name


def _with_id(identity: str) -> Test:
    return lambda element: element.id == identity


def _with_class(name: str) -> Test:
    return lambda element: name in element.classes


def _has_attribute(name: str) -> Test:
    return lambda element: name in element.attributes


def never(element: Element) -> bool:
    """No element."""
    del element
    return False


def is_root(element: Element) -> bool:
    """`<html>`."""
    return element.parent is None


def _attribute_test(name: str, operator: str, value: str, caseless: bool) -> Test:
    wanted = value.lower() if caseless else value
    if operator in ("^=", "$=", "*=", "~=") and (not wanted or (operator == "~=" and re.search(r"\s", wanted))):
        return never

    def test(element: Element) -> bool:
        there = element.attributes.get(name)
        if there is None:
            return False
        there = there.lower() if caseless else there
        match operator:
            case "=":
                return there == wanted
            case "~=":
                return wanted in there.split()
            case "|=":
                return there == wanted or there.startswith(wanted + "-")
            case "^=":
                return there.startswith(wanted)
            case "$=":
                return there.endswith(wanted)
            case _:
                return wanted in there

    return test
