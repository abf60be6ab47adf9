"""What the details of a journey are made of: sections of items, for the terminal and the report alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from pellucid.anatomy.cells import clean
from pellucid.journey import Note

__all__ = ["STAGES", "Item", "Section", "Tone", "note_item"]

STAGES = ("dns", "connect", "tls", "request", "response", "body", "page")
"""Of the journey, in the order in which they are told."""
Tone = Literal["", "good", "warning", "bad", "dim", "code"]
_OF_LEVEL: dict[str, Tone] = {"info": "", "good": "good", "warning": "warning", "error": "bad"}


class Item(msgspec.Struct, frozen=True):
    """One line of details: what it is, what it says, and in small print why or whence."""

    text: str
    label: str = ""
    """What stands before it: a field's name, an instant, a size."""
    note: str = ""
    """An explanation."""
    source: str = ""
    """Where that is written: `RFC 9110, section 8.3`."""
    depth: int = 0
    tone: Tone = ""


class Section(msgspec.Struct):
    """The details of one thing at one stage."""

    stage: str
    title: str
    items: list[Item]

    def add(self, text: str, label: str = "", note: str = "", source: str | None = None, depth: int = 0, tone: Tone = "") -> None:
        """Append an item; control characters in what strangers wrote are made visible."""
        self.items.append(Item(clean(text), clean(label), clean(note), source or "", depth, tone))

    def note(self, notes: Iterable[Note], depth: int = 0) -> None:
        """Append notes as items."""
        self.items += [note_item(note, depth) for note in notes]


def note_item(note: Note, depth: int = 0) -> Item:
    """A note as an item."""
    return Item(clean(note.message), note.topic, "", note.source or "", depth, _OF_LEVEL[note.level])
