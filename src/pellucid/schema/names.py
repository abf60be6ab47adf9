"""Names made from names: a class name as the plural snake-case name of its collection."""

from __future__ import annotations

import re

__all__ = ["collection_name", "plural", "snake_case"]

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")

_IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "goose": "geese", "foot": "feet",
    "tooth": "teeth", "ox": "oxen", "leaf": "leaves", "life": "lives", "knife": "knives", "wife": "wives", "half": "halves",
    "shelf": "shelves", "wolf": "wolves", "hero": "heroes", "potato": "potatoes", "tomato": "tomatoes", "echo": "echoes",
    "analysis": "analyses", "basis": "bases", "crisis": "crises", "thesis": "theses", "hypothesis": "hypotheses",
    "criterion": "criteria", "phenomenon": "phenomena", "datum": "data", "medium": "media", "index": "indexes", "quiz": "quizzes",
}  # fmt: skip
_UNCHANGED = frozenset({
    "data", "equipment", "feedback", "fish", "information", "media", "metadata", "money", "news", "people", "series", "sheep",
    "species", "staff", "software",
})  # fmt: skip


def snake_case(name: str) -> str:
    """`PostTag` as `post_tag`, `HTTPLog` as `http_log`."""
    return "_".join(word.lower() for word in _WORD.findall(name))


def plural(word: str) -> str:
    """The English plural of one lower-case word, by the common rules; a model whose name defies them sets `collection=`."""
    if word in _UNCHANGED:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    return f"{word}s"


def collection_name(name: str) -> str:
    """A class name as its collection: `City` as `cities`, `OrderLine` as `order_lines`."""
    *first, last = snake_case(name).split("_")
    return "_".join([*first, plural(last)])
