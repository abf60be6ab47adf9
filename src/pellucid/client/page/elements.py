"""The elements of a document as style rules see them.

In: the bytes of a document and their encoding. Out: `Document`, a tree of `Element`s in document order, as a browser that runs
scripts builds it. The tree construction (HTML, section 13.2.6) is lexbor's; it is copied once, since rules ask an element for its
classes and neighbours thousands of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

__all__ = ["Document", "Element", "descendants", "read_document"]

_MOST_ELEMENTS = 60_000
_WHITE = re.compile(r"[ \t\r\n\f]+")
_COMMENTS = re.compile(r"\s*(?:<!--.*?-->\s*|<\?[^>]*>\s*)*", re.DOTALL)
_DOCTYPE = re.compile(r"<!doctype\s+html(?:\s+(?:public\s+[\"']([^\"']*)[\"'](\s+[\"'][^\"']*[\"'])?|[^>]*))?\s*>", re.IGNORECASE)
_QUIRKY = re.compile(
    r"-//w3o//dtd w3 html strict 3\.0|-/w3[cd]/dtd html 4\.0 transitional|html\Z|-//ietf//|-//w3c//dtd html [23]|"
    r"-//w3c//dtd w3 html|-//netscape|-//microsoft|-//softquad|-//sun|-//w3c//dtd html 4\.0 (?:frameset|transitional)|"
    r"-//w3c//dtd html experimental",
    re.IGNORECASE,
)
_QUIRKY_WITHOUT_SYSTEM = re.compile(r"-//w3c//dtd html 4\.01 (?:frameset|transitional)", re.IGNORECASE)


class Element:
    """One element: its neighbours, and what selectors ask for."""

    __slots__ = ("attributes", "children", "classes", "content", "foreign", "id", "name", "parent", "place")

    def __init__(self, name: str, attributes: dict[str, str], parent: Element | None, foreign: bool, quirks: bool) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.foreign = foreign
        """SVG or MathML."""
        self.children: list[Element] = []
        self.content: list[Element | str] = []
        """Children with the text between them."""
        self.place = 0
        """Among its siblings."""
        classes = attributes.get("class", "")
        name_id = attributes.get("id", "")
        self.classes: frozenset[str] = frozenset(_WHITE.split(classes.lower() if quirks else classes)) if classes else frozenset()
        self.id = name_id.lower() if quirks else name_id


class Document:
    """All elements in document order, and by what a selector may begin with."""

    def __init__(self, quirks: bool) -> None:
        self.quirks = quirks
        self.elements: list[Element] = []
        self.by_id: dict[str, list[Element]] = {}
        self.by_class: dict[str, list[Element]] = {}
        self.by_name: dict[str, list[Element]] = {}
        self.cut = False
        """There were more elements than are looked at."""

    def _add(self, element: Element) -> None:
        self.elements.append(element)
        self.by_name.setdefault(element.name.lower(), []).append(element)
        if element.id:
            self.by_id.setdefault(element.id, []).append(element)
        for name in element.classes:
            self.by_class.setdefault(name, []).append(element)


def descendants(element: Element) -> Iterator[Element]:
    """All elements within one, in document order."""
    waiting = element.children[::-1]
    while waiting:
        child = waiting.pop()
        yield child
        waiting += reversed(child.children)


def read_document(data: bytes, charset: str) -> Document:
    """Build the tree of a document; elements beyond a limit are left out, and that is said."""
    from selectolax.lexbor import LexborHTMLParser

    try:
        text = data.decode(charset, "replace")
    except LookupError:
        text = data.decode("windows-1252", "replace")
    text = text.removeprefix("\ufeff")
    document = Document(_is_quirky(text))
    root = LexborHTMLParser(text, scripting=True).root
    if root is not None:
        _copy(root, document)
    return document


def _is_quirky(text: str) -> bool:
    """Quirks mode (HTML, section 13.2.6.4.1): ids and classes are compared without regard to case."""
    start = _COMMENTS.match(text)
    doctype = _DOCTYPE.match(text, start.end() if start else 0)
    if doctype is None:
        return True
    public, system = doctype.groups()
    if public is None:
        return False
    return _QUIRKY.match(public) is not None or (system is None and _QUIRKY_WITHOUT_SYSTEM.match(public) is not None)


def _copy(root: LexborNode, document: Document) -> None:
    open_: list[tuple[LexborNode, Element | None]] = [(root, None)]
    while open_:
        node, parent = open_.pop()
        following = node.next if parent is not None else None
        if following is not None:
            open_.append((following, parent))
        if node.is_text_node:
            if parent is not None:
                parent.content.append(node.text_content or "")
            continue
        if not node.is_element_node:
            continue
        if len(document.elements) >= _MOST_ELEMENTS:
            document.cut = True
            return
        element = _element(node, parent, document.quirks)
        document._add(element)
        child = node.first_child
        if child is not None and element.name != "template":
            open_.append((child, element))


def _element(node: LexborNode, parent: Element | None, quirks: bool) -> Element:
    name = node.tag or ""
    inside = parent is not None and parent.foreign and parent.name not in ("foreignObject", "desc", "title")
    foreign = inside or name in ("svg", "math")
    attributes = {key: value or "" for key, value in node.attributes.items()}
    element = Element(name, attributes, parent, foreign, quirks)
    if parent is not None:
        element.place = len(parent.children)
        parent.children.append(element)
        parent.content.append(element)
    return element
