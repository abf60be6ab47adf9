"""What users of hooks rely on beyond the plain case: no verb goes round them, and what is done once is done once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid import App, Call, Model, Problem, anyone, field
from pellucid.errors import CHECK_VIOLATION
from running import Asker, asking


class Note(Model, read=anyone, write=anyone):
    name: str = field(key=True)
    text: str = ""
    made: str = ""


class Kept:
    """The App's hooks, and what they saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.app = App(models=[Note])

        @self.app.before(Note, "create")
        async def making(note: Note, call: Call) -> None:
            if note.text == "forbidden":
                raise Problem(CHECK_VIOLATION, "no such note")
            note.made = "by the hook"
            self.seen.append(f"before create {note.name}")

        @self.app.before(Note, "update")
        async def changing(note: Note, call: Call) -> None:
            note.text = note.text.strip()
            self.seen.append(f"before update {note.name}")

        @self.app.after(Note, "create")
        async def made(note: Note, call: Call) -> None:
            self.seen.append(f"after create {note.name}")

        @self.app.after(Note, "update")
        async def changed(note: Note, call: Call) -> None:
            self.seen.append(f"after update {note.name}")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def notes(kept: Kept, tmp_path: Path) -> Iterator[Asker]:
    with asking(kept.app, tmp_path) as asker:
        yield asker


def test_a_put_that_creates_runs_the_hooks_of_a_create(notes: Asker, kept: Kept) -> None:
    made = notes.put("/api/notes/a", {"text": " x "})
    assert (made.status, made.json) == (201, {"name": "a", "text": " x ", "made": "by the hook"})
    assert kept.seen == ["before create a", "after create a"]
    refused = notes.put("/api/notes/b", {"text": "forbidden"})
    assert (refused.status, refused.json["code"]) == (422, "PL502")
    assert notes.get("/api/notes/b").status == 404


def test_a_put_that_replaces_runs_the_hooks_of_an_update_and_keeps_what_they_change(notes: Asker, kept: Kept) -> None:
    notes.put("/api/notes/a", {"text": "x"})
    kept.seen.clear()
    answer = notes.put("/api/notes/a", {"text": "  y  "})
    assert (answer.status, answer.json["text"]) == (200, "y")
    assert kept.seen == ["before update a", "after update a"]


def test_a_repeated_write_runs_its_hooks_once(notes: Asker, kept: Kept) -> None:
    first = notes.post("/api/notes", {"name": "a"}, idempotency_key="k")
    again = notes.post("/api/notes", {"name": "a"}, idempotency_key="k")
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert kept.seen == ["before create a", "after create a"]
    assert notes.post("/api/notes", {"name": "b"}, idempotency_key="k").status == 422
    assert notes.post("/api/notes", {"name": "c"}, idempotency_key="dry", prefer="tx=rollback").status == 201
    assert notes.post("/api/notes", {"name": "c"}, idempotency_key="dry").status == 201
    assert [row["name"] for row in notes.get("/api/notes").json] == ["a", "c"]
