"""What state form controls are in when a page has just been loaded (HTML, section 4.16.3).

In: an element. Out: whether a pseudo-class of forms is true of it. Nobody has typed anything yet: values are those of the markup.
"""

from __future__ import annotations

from pellucid.client.page.elements import Element, descendants

__all__ = [
    "is_checked",
    "is_default",
    "is_disabled",
    "is_enabled",
    "is_in_range",
    "is_indeterminate",
    "is_invalid",
    "is_optional",
    "is_read_write",
    "is_required",
    "shows_placeholder",
    "validates",
]

_TEXTUAL = frozenset(
    {"", "text", "search", "url", "tel", "email", "password", "date", "month", "week", "time", "datetime-local", "number"}
)
_KNOWN_TYPES = _TEXTUAL | {"hidden", "range", "color", "checkbox", "radio", "file", "submit", "image", "reset", "button"}


def _type(element: Element) -> str:
    said = element.attributes.get("type", "text").lower()
    return said if said in _KNOWN_TYPES else "text"


def _is_input(element: Element, types: frozenset[str]) -> bool:
    return element.name == "input" and _type(element) in types


_CHECKABLE = frozenset({"checkbox", "radio"})
_RANGED = frozenset({"number", "range", "date", "month", "week", "time", "datetime-local"})


def is_checked(element: Element) -> bool:
    """`:checked`: also of the option that a select shows."""
    if element.name == "option":
        return _is_selected(element)
    return _is_input(element, _CHECKABLE) and "checked" in element.attributes


def _is_selected(element: Element) -> bool:
    """The options with `selected`; without any, the first one of a select that shows one (HTML, section 4.10.7)."""
    select = element.parent
    while select is not None and select.name not in ("select", "datalist"):
        select = select.parent
    if select is None or select.name == "datalist":
        return "selected" in element.attributes
    options = [other for other in descendants(select) if other.name == "option"]
    chosen = [other for other in options if "selected" in other.attributes]
    if "multiple" in select.attributes:
        return "selected" in element.attributes
    if chosen:
        return chosen[-1] is element
    size = select.attributes.get("size", "1")
    enabled = next((other for other in options if not is_disabled(other)), None)
    return size in ("", "0", "1") and enabled is element


_DISABLING = frozenset({"button", "input", "select", "textarea", "optgroup", "option", "fieldset"})


def is_disabled(element: Element) -> bool:
    """`:disabled`: by itself or by what it is in."""
    if element.name not in _DISABLING:
        return False
    if "disabled" in element.attributes:
        return True
    child, above = element, element.parent
    while above is not None:
        if element.name == "option":
            if above.name == "optgroup" and "disabled" in above.attributes:
                return True
        elif above.name == "fieldset" and "disabled" in above.attributes:
            first = next((other for other in above.children if other.name == "legend"), None)
            if first is not child:
                return True
        child, above = above, above.parent
    return False


def is_enabled(element: Element) -> bool:
    """`:enabled`."""
    return element.name in _DISABLING and not is_disabled(element)


def _takes_input(element: Element) -> bool:
    return element.name in ("select", "textarea") or (
        element.name == "input" and _type(element) not in ("hidden", "range", "color", "submit", "image", "reset", "button")
    )


def is_required(element: Element) -> bool:
    """`:required`."""
    return _takes_input(element) and "required" in element.attributes


def is_optional(element: Element) -> bool:
    """`:optional`."""
    return element.name in ("input", "select", "textarea") and not is_required(element)


def is_read_write(element: Element) -> bool:
    """`:read-write`: what can be typed into."""
    if _is_input(element, frozenset(_TEXTUAL)) or element.name == "textarea":
        return "readonly" not in element.attributes and not is_disabled(element)
    here: Element | None = element
    while here is not None:
        said = here.attributes.get("contenteditable")
        if said is not None:
            return said.lower() in ("", "true", "plaintext-only")
        here = here.parent
    return False


def _value(element: Element) -> str:
    if element.name == "textarea":
        return "".join(part for part in element.content if isinstance(part, str))
    return element.attributes.get("value", "")


def shows_placeholder(element: Element) -> bool:
    """`:placeholder-shown`."""
    texts = frozenset({"text", "search", "url", "tel", "email", "password", "number"})
    takes = _is_input(element, texts) or element.name == "textarea"
    return takes and bool(element.attributes.get("placeholder")) and not _value(element)


def validates(element: Element) -> bool:
    """Whether it is `:valid` or `:invalid` at all."""
    if element.name not in ("input", "select", "textarea", "form", "fieldset", "button"):
        return False
    return not (element.name == "input" and _type(element) in ("hidden", "reset", "button")) and not is_disabled(element)


def is_invalid(element: Element) -> bool:
    """Only what is required and empty is looked for: values that do not fit their type are rare in a page just loaded."""
    if element.name in ("form", "fieldset"):
        return any(is_invalid(other) for other in descendants(element) if other.name not in ("form", "fieldset"))
    if not (validates(element) and is_required(element) and "readonly" not in element.attributes):
        return False
    if _is_input(element, _CHECKABLE):
        return "checked" not in element.attributes
    if element.name == "select":
        chosen = next((other for other in descendants(element) if other.name == "option" and _is_selected(other)), None)
        return chosen is None or chosen.attributes.get("value", " ") == ""
    return not _value(element)


def is_default(element: Element) -> bool:
    """`:default`."""
    if _is_input(element, _CHECKABLE):
        return "checked" in element.attributes
    if element.name == "option":
        return "selected" in element.attributes
    if element.name != "button" and not _is_input(element, frozenset({"submit", "image"})):
        return False
    form = element.parent
    while form is not None and form.name != "form":
        form = form.parent
    return form is not None and next(filter(_submits, descendants(form)), None) is element


def _submits(element: Element) -> bool:
    if element.name == "button":
        return element.attributes.get("type", "submit").lower() not in ("reset", "button")
    return _is_input(element, frozenset({"submit", "image"}))


def is_indeterminate(element: Element) -> bool:
    """`:indeterminate`: of progress bars."""
    return element.name == "progress" and "value" not in element.attributes


def is_in_range(element: Element) -> bool:
    """`:in-range`: what has a range; values are not compared."""
    return _is_input(element, _RANGED) and bool({"min", "max"} & element.attributes.keys())
