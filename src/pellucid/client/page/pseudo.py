"""Pseudo-classes and pseudo-elements (Selectors 4, sections 4 to 14), as they are when a page has just been loaded.

In: their name and argument. Out: a test, and its specificity. Nobody hovers, nothing has the focus, no link was visited, no form
was filled in: such states are never there, and they are remembered, so that a rule can be said to have failed for them alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pellucid.client.page.controls import (
    is_checked,
    is_default,
    is_disabled,
    is_enabled,
    is_in_range,
    is_indeterminate,
    is_invalid,
    is_optional,
    is_read_write,
    is_required,
    shows_placeholder,
    validates,
)
from pellucid.client.page.elements import Element, descendants
from pellucid.client.page.selectors import (
    MOST_STEPS,
    Compound,
    Reader,
    Rules,
    Selector,
    SelectorError,
    Specificity,
    Test,
    is_root,
    most_specific,
    never,
)

__all__ = ["read_selectors"]

_STATES = frozenset(
    {
        "hover", "active", "focus", "focus-within", "focus-visible", "visited", "target", "target-within", "target-current",
        "autofill", "-webkit-autofill", "modal", "fullscreen", "-webkit-full-screen", "popover-open", "picture-in-picture",
        "user-valid", "user-invalid", "current", "past", "future", "playing", "seeking", "stalled", "buffering",
        "volume-locked", "host", "host-context", "state", "-webkit-drag", "active-view-transition",
        "active-view-transition-type", "has-slotted", "window-inactive", "horizontal", "vertical", "start", "end", "increment",
        "decrement", "single-button", "double-button", "no-button", "corner-present",
    }
)  # fmt: skip
"""What no element is when the page has just been loaded (and those of scroll bars, which are none of the document's)."""
_DIGITS = 20
"""Of a number: no element has a place beyond, and Python reads only so many."""
_NTH = re.compile(
    r"\s*(?:(odd)|(even)|([+-]?\d*)n\s*(?:([+-])\s*(\d+))?|([+-]?\d+))\s*(?:of\s+(.*))?\Z", re.IGNORECASE | re.DOTALL
)
_CLASS: Specificity = (0, 1, 0)


def read_selectors(
    text: str,
    *,
    quirks: bool = False,
    nesting: Sequence[Selector] | None = None,
    scope: Test | None = None,
    assume: bool = False,
    relative: bool = False,
) -> list[Selector]:
    """Read a selector list. Raises SelectorError.

    `nesting`: the selectors of the rule round this one, which `&` stands for, and which it begins with where no `&` is in it.
    `scope`: what `:scope` is. `assume`: take the states of `Selector.dynamic` for given. `relative`: for `:has()`, where the
    first combinator counts.
    """
    reader = Reader(text, Rules(_read_class, quirks, nesting, scope, assume))
    found = reader.read_list(relative=relative)
    if reader.at < len(text):
        raise SelectorError(text)
    return found


def _read_class(reader: Reader, name: str, argument: str | None) -> tuple[Test, Specificity]:
    """The test for a pseudo-class. Raises SelectorError for what Chrome does not know."""
    if name in _STATES:
        reader.dynamic.add(name)
        return (_always if reader.rules.assume else never), _CLASS
    if argument is None:
        plain = _PLAIN.get(name)
        if name == "scope":
            return reader.rules.scope or is_root, _CLASS
        if plain is None:
            raise SelectorError(name)
        return plain, _CLASS
    if name in ("is", "where", "-webkit-any", "not", "has"):
        return _logical(reader, name, argument)
    if name in ("nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"):
        return _nth(reader, name, argument)
    if name == "lang":
        ranges = [part.strip().strip("\"'").lower() for part in argument.split(",")]
        return (lambda element: any(_in_range(_language(element), wanted) for wanted in ranges)), _CLASS
    if name == "dir":
        wanted = argument.lower()
        return (lambda element: _direction(element) == wanted), _CLASS
    raise SelectorError(name)


def _logical(reader: Reader, name: str, argument: str) -> tuple[Test, Specificity]:
    """`:is()` and `:where()` forgive what they do not know, the others do not (sections 4.2 to 4.5)."""
    if name == "has" and reader.rules.within_has:
        raise SelectorError(argument)  # it may not be nested (section 4.5)
    inner: list[Selector] = []
    for part in _alternatives(argument) if name in ("is", "where") else [argument]:
        within = reader.inner(part)
        within.rules = reader.rules._replace(within_has=reader.rules.within_has or name == "has")
        if name == "not":  # what it would find in a state that is not there is no reason why its rule does not apply
            within.rules = within.rules._replace(assume=False)
        try:
            found = within.read_list(relative=name == "has")
            if within.at < len(part) or any(selector.pseudo for selector in found):
                raise SelectorError(argument)
        except SelectorError:
            if name in ("is", "where"):
                continue
            raise
        inner += found
        if name != "not":
            reader.dynamic.update(*(selector.dynamic for selector in found))
    specificity = (0, 0, 0) if name == "where" else most_specific(inner)
    if name == "has":
        return _having(inner), specificity
    if name == "not":
        return (lambda element: not any(selector.matches(element) for selector in inner)), specificity
    return (lambda element: any(selector.matches(element) for selector in inner)), specificity


def _alternatives(text: str) -> list[str]:
    """The parts between commas that are in no bracket and in no string."""
    parts = [""]
    depth = 0
    quote = ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _having(inner: list[Selector]) -> Test:
    """Each relative selector ends, to the left, in a compound without tests: that is made the element itself."""

    def test(element: Element) -> bool:
        return any(_has(element, selector) for selector in inner)

    return test


def _has(element: Element, selector: Selector) -> bool:
    anchored = [*selector.compounds[:-1], Compound([lambda other: other is element], "")]
    bound = Selector(anchored, selector.combinators, selector.specificity, "", frozenset())
    first = selector.combinators[-1]
    bound.steps = selector.steps
    try:
        return _has_bound(element, bound, first)
    finally:
        selector.steps = bound.steps


def _has_bound(element: Element, bound: Selector, first: str) -> bool:
    among = [element]
    if first in "+~":
        among = element.parent.children[element.place + 1 :] if element.parent is not None else []
    for start in among:
        bound.steps += 1
        if bound.steps >= MOST_STEPS:
            return False
        if start is not element and bound.matches(start):
            return True
        for other in descendants(start):
            bound.steps += 1
            if bound.steps >= MOST_STEPS:
                return False
            if bound.matches(other):
                return True
    return False


def _nth(reader: Reader, name: str, argument: str) -> tuple[Test, Specificity]:
    match = _NTH.match(argument)
    if match is None:
        raise SelectorError(argument)
    odd, even, step, sign, start, only, of = match.groups()
    if odd or even:
        a, b = 2, 1 if odd else 0
    elif only:
        a, b = 0, int(only[:_DIGITS])
    else:
        a = int(step + "1") if step in ("", "+", "-") else int(step[:_DIGITS])
        b = int((sign or "") + (start or "0")[:_DIGITS])
    last = "last" in name
    specificity = _CLASS
    if name.endswith("of-type"):
        if of:
            raise SelectorError(argument)
        among: Callable[[Element, Element], bool] = _same_name
    elif of:
        inner = reader.inner(of).read_list()
        specificity = (most_specific(inner)[0], most_specific(inner)[1] + 1, most_specific(inner)[2])

        among = _among(inner)
    else:
        return (lambda element: _fits_nth(_place(element, last), a, b)), specificity

    def test(element: Element) -> bool:
        if not among(element, element):
            return False
        siblings = element.parent.children if element.parent is not None else [element]
        beside = siblings[element.place + 1 :] if last else siblings[: element.place]
        return _fits_nth(1 + sum(among(other, element) for other in beside), a, b)

    return test, specificity


def _among(inner: list[Selector]) -> Callable[[Element, Element], bool]:
    return lambda other, _: any(selector.matches(other) for selector in inner)


def _place(element: Element, last: bool) -> int:
    if element.parent is None:
        return 1
    return len(element.parent.children) - element.place if last else element.place + 1


def _fits_nth(place: int, a: int, b: int) -> bool:
    return place == b if a == 0 else (place - b) % a == 0 and (place - b) // a >= 0


def _same_name(other: Element, element: Element) -> bool:
    return other.name == element.name


def _language(element: Element) -> str:
    here: Element | None = element
    while here is not None:
        said = here.attributes.get("lang", here.attributes.get("xml:lang"))
        if said is not None:
            return said.lower()
        here = here.parent
    return ""


def _in_range(language: str, wanted: str) -> bool:
    """Extended filtering (RFC 4647, section 3.3.2), but for wildcards in the middle."""
    wanted = wanted.removeprefix("*-")
    if wanted == "*":
        return bool(language)
    return bool(wanted) and (language == wanted or language.startswith(wanted + "-"))


def _direction(element: Element) -> str:
    here: Element | None = element
    while here is not None:
        said = here.attributes.get("dir", "").lower()
        if said in ("ltr", "rtl"):
            return said
        here = here.parent
    return "ltr"


def _always(element: Element) -> bool:
    del element
    return True


def _is_link(element: Element) -> bool:
    return element.name in ("a", "area") and ("href" in element.attributes or "xlink:href" in element.attributes)


def _alone(element: Element) -> bool:
    return element.parent is None or len(element.parent.children) == 1


def _first_of_type(element: Element) -> bool:
    siblings = element.parent.children[: element.place] if element.parent is not None else []
    return not any(other.name == element.name for other in siblings)


def _last_of_type(element: Element) -> bool:
    siblings = element.parent.children[element.place + 1 :] if element.parent is not None else []
    return not any(other.name == element.name for other in siblings)


def _is_open(element: Element) -> bool:
    return element.name in ("details", "dialog") and "open" in element.attributes


_PLAIN: dict[str, Test] = {
    "root": is_root,
    "empty": lambda element: not any(not isinstance(part, str) or part for part in element.content),
    "first-child": lambda element: element.place == 0,
    "last-child": lambda element: _place(element, True) == 1,
    "only-child": _alone,
    "first-of-type": _first_of_type,
    "last-of-type": _last_of_type,
    "only-of-type": lambda element: _first_of_type(element) and _last_of_type(element),
    "link": _is_link,
    "any-link": _is_link,
    "-webkit-any-link": _is_link,
    "checked": is_checked,
    "disabled": is_disabled,
    "enabled": is_enabled,
    "required": is_required,
    "optional": is_optional,
    "read-write": is_read_write,
    "read-only": lambda element: not is_read_write(element),
    "placeholder-shown": shows_placeholder,
    "default": is_default,
    "indeterminate": is_indeterminate,
    "valid": lambda element: validates(element) and not is_invalid(element),
    "invalid": is_invalid,
    "in-range": is_in_range,
    "out-of-range": never,
    "defined": lambda element: element.foreign or "-" not in element.name,
    "open": _is_open,
    "paused": lambda element: element.name in ("audio", "video"),
    "muted": lambda element: element.name in ("audio", "video") and "muted" in element.attributes,
}
