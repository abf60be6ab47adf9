"""Writes against a real SQLite: what comes back, what merges, and that rules refuse inside the statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from pellucid.api.filters import parse
from pellucid.errors import Problem
from pellucid.plan.query import Pick, Shape
from pellucid.schema.rules import NOBODY, Actor, anyone, nobody, owner
from pellucid.schema.spec import Rules
from pellucid.sql.statement import Prepared
from pellucid.sql.write import compile_delete, compile_insert, compile_update

ANN, BEN, STAFF = Actor(1), Actor(2), Actor(2, frozenset({"staff"}))
NOTE = ("book", "writer", "text")


def run(
    library: Any, prepared: Prepared, actor: Actor, row: Mapping[str, Any] | None = None, values: tuple[str, ...] = ()
) -> list[Any]:
    return library.run(prepared, prepared.bind(values, actor.id, row))


def open_library(library: Any) -> Any:
    """The models with every write allowed to everybody, over the same tables."""
    free = {
        name: msgspec.structs.replace(model, rules=Rules(anyone, anyone, anyone, anyone))
        for name, model in library.catalog.models.items()
    }
    return msgspec.structs.replace(library.catalog, models=free)


def test_an_insert_answers_the_row_and_its_key(own_library: Any) -> None:
    catalog = open_library(own_library)
    prepared = compile_insert(catalog, "Tag", Shape(), NOBODY, fields=("id", "name"))
    assert [column.name for column in prepared.statement.columns] == ["id", "name"]
    assert prepared.statement.keyed
    assert run(own_library, prepared, NOBODY, {"id": None, "name": "new"}) == [(4, "new", 4)]
    row = (None, "newer")
    assert prepared.row_binder(("id", "name"))(row, None) is row
    assert own_library.run(prepared, prepared.row_binder(("name", "id"))(("newest", None), None)) == [(5, "newest", 5)]


def test_an_answer_may_be_picked_or_left_out(own_library: Any) -> None:
    catalog = open_library(own_library)
    picked = compile_insert(catalog, "Tag", Shape((Pick("name", "label"),)), NOBODY, fields=("name",))
    assert [column.name for column in picked.statement.columns] == ["label"]
    assert run(own_library, picked, NOBODY, {"name": "a"}) == [("a", 4)]
    silent = compile_insert(catalog, "Tag", Shape(), NOBODY, fields=("name",), returning=False)
    assert silent.statement.columns == ()
    assert not silent.statement.hidden
    assert run(own_library, silent, NOBODY, {"name": "b"}) == []


def test_a_computed_field_comes_back(own_library: Any) -> None:
    catalog = open_library(own_library)
    shape = Shape((Pick("worth"),))
    prepared = compile_update(catalog, "Book", Shape(shape.picks, key=0), NOBODY, fields=("stock",))
    assert run(own_library, prepared, NOBODY, {"stock": 2}, ("2",)) == [(246900, 2)]


def test_embeds_are_read_back_by_key(own_library: Any) -> None:
    catalog = open_library(own_library)
    shape = parse("Book", "select=id,author(name)&id=eq.1").shape
    prepared = compile_update(catalog, "Book", shape, NOBODY, fields=("stock",))
    assert prepared.statement.columns == ()
    assert run(own_library, prepared, NOBODY, {"stock": 3}, ("1",)) == [(1,)]


def test_an_upsert_merges_or_ignores(own_library: Any) -> None:
    catalog = open_library(own_library)
    fields = ("title", "author", "stock")
    row = {"title": "Alpha*", "author": 1, "stock": 99}
    unique = ("title", "author")
    ignore = compile_insert(
        catalog, "Book", Shape((Pick("stock"),)), NOBODY, fields=fields, resolution="ignore-duplicates", on_conflict=unique
    )
    assert run(own_library, ignore, NOBODY, row) == []
    merge = compile_insert(
        catalog, "Book", Shape((Pick("stock"),)), NOBODY, fields=fields, resolution="merge-duplicates", on_conflict=unique
    )
    assert run(own_library, merge, NOBODY, row) == [(99, 1)]
    assert run(own_library, merge, NOBODY, {**row, "title": "Omega"})[0][0] == 99
    by_key = compile_insert(catalog, "Tag", Shape(), NOBODY, fields=("id", "name"), resolution="merge-duplicates")
    assert run(own_library, by_key, NOBODY, {"id": 1, "name": "ocean"}) == [(1, "ocean", 1)]
    assert run(own_library, by_key, NOBODY, {"id": 10, "name": "lake"}) == [(10, "lake", 10)]


def test_an_upsert_needs_fields_that_are_unique_together(own_library: Any) -> None:
    catalog = open_library(own_library)
    for on_conflict, message in ((("title",), "not unique"), (("titel",), "no field")):
        with pytest.raises(Problem, match=message) as raised:
            compile_insert(
                catalog, "Book", Shape(), NOBODY, fields=("title",), resolution="merge-duplicates", on_conflict=on_conflict
            )
        assert "title" in (raised.value.hint or "")


def test_updates_and_deletes_take_keys_and_filters(own_library: Any) -> None:
    catalog = open_library(own_library)
    query = parse("Book", "select=id&stock=eq.7&title=like.a*")
    update = compile_update(catalog, "Book", query.shape, NOBODY, fields=("stock", "sold"))
    assert run(own_library, update, NOBODY, {"stock": 1, "sold": 1}, query.values) == [(2, 2)]
    by_key = compile_delete(catalog, "Tag", Shape(key=0), NOBODY)
    assert run(own_library, by_key, NOBODY, None, ("3",)) == [(3, "none", 3)]
    assert run(own_library, by_key, NOBODY, None, ("3",)) == []
    query = parse("BookTag", "select=id&tag=eq.1&order=id.desc&limit=1&offset=1")
    assert run(own_library, compile_delete(catalog, "BookTag", query.shape, NOBODY), NOBODY, None, query.values) == [(3, 3)]
    assert own_library.ids("BookTag") == [1, 2, 4]


def test_a_filter_over_related_rows_chooses_what_changes(own_library: Any) -> None:
    catalog = open_library(own_library)
    query = parse("Author", "select=id,books()&books=is.null")
    assert run(own_library, compile_delete(catalog, "Author", query.shape, NOBODY), NOBODY, None, query.values) == [(3, 3)]


# rules --------------------------------------------------------------------------------------------------------------------


def test_who_may_not_write_is_refused_before_any_row_is_seen(own_library: Any) -> None:
    catalog = own_library.catalog
    for action in (
        lambda actor: compile_insert(catalog, "Book", Shape(), actor, fields=("title",)),
        lambda actor: compile_update(catalog, "Book", Shape(key=0), actor, fields=("title",)),
        lambda actor: compile_delete(catalog, "Book", Shape(key=0), actor),
    ):
        with pytest.raises(Problem) as raised:
            action(NOBODY)
        assert raised.value.status == 401
        with pytest.raises(Problem) as raised:
            action(ANN)
        assert raised.value.status == 403


def test_an_owner_changes_only_what_is_hers(own_library: Any) -> None:
    catalog = own_library.catalog
    update = compile_update(catalog, "Note", Shape((Pick("text"),), key=0), ANN, fields=("text",))
    assert run(own_library, update, ANN, {"text": "new"}, ("1",)) == [("new", 1)]
    assert run(own_library, update, ANN, {"text": "new"}, ("2",)) == []
    delete = compile_delete(catalog, "Note", Shape((Pick("text"),), key=0), ANN)
    assert run(own_library, delete, ANN, None, ("2",)) == []
    everything = compile_delete(catalog, "Note", Shape((Pick("id"),)), ANN)
    assert run(own_library, everything, ANN) == [(1, 1)]
    assert own_library.ids("Note", actor=STAFF) == [2, 3]


def test_an_owner_cannot_give_a_row_away(own_library: Any) -> None:
    update = compile_update(own_library.catalog, "Note", Shape((Pick("writer"),), key=0), ANN, fields=("writer",))
    assert run(own_library, update, ANN, {"writer": 2}, ("1",)) == []
    assert run(own_library, update, ANN, {"writer": 1}, ("1",)) == [(1, 1)]


def test_a_create_rule_is_asked_about_the_new_row(own_library: Any) -> None:
    note = own_library.catalog.models["Note"]
    rules = msgspec.structs.replace(note.rules, create=owner("writer"))
    models = {**own_library.catalog.models, "Note": msgspec.structs.replace(note, rules=rules)}
    catalog = msgspec.structs.replace(own_library.catalog, models=models)
    insert = compile_insert(catalog, "Note", Shape((Pick("text"),)), ANN, fields=NOTE)
    assert run(own_library, insert, ANN, {"book": 1, "writer": 1, "text": "mine"}) == [("mine", 4)]
    assert run(own_library, insert, ANN, {"book": 1, "writer": 2, "text": "forged"}) == []
    without = compile_insert(catalog, "Note", Shape((Pick("text"),)), ANN, fields=("book", "text"))
    assert run(own_library, without, ANN, {"book": 1, "text": "nobody's"}) == []
    bound = insert.row_binder(NOTE)((1, 1, "again"), 1)
    assert own_library.run(insert, bound) == [("again", 5)]


def test_a_merge_keeps_the_update_rule(own_library: Any) -> None:
    fields = ("id", *NOTE)
    merge = compile_insert(own_library.catalog, "Note", Shape((Pick("text"),)), BEN, fields=fields, resolution="merge-duplicates")
    assert run(own_library, merge, BEN, {"id": 1, "book": 1, "writer": 2, "text": "stolen"}) == []
    assert run(own_library, merge, BEN, {"id": 2, "book": 1, "writer": 1, "text": "given"}) == []
    assert run(own_library, merge, BEN, {"id": 2, "book": 1, "writer": 2, "text": "kept"}) == [("kept", 2)]


def test_a_fields_write_rule_applies_to_what_the_caller_names(own_library: Any) -> None:
    catalog = own_library.catalog
    with pytest.raises(Problem, match="'mood'") as raised:
        compile_insert(catalog, "Note", Shape(), ANN, fields=(*NOTE, "mood"), given=("text", "mood"))
    assert raised.value.status == 403
    compile_insert(catalog, "Note", Shape(), ANN, fields=(*NOTE, "mood"), given=("text",))
    compile_insert(catalog, "Note", Shape(), STAFF, fields=(*NOTE, "mood"), given=("text", "mood"))


def test_what_may_not_be_read_does_not_come_back(own_library: Any) -> None:
    note = own_library.catalog.models["Note"]
    models = {
        **own_library.catalog.models,
        "Note": msgspec.structs.replace(note, rules=msgspec.structs.replace(note.rules, read=nobody)),
    }
    catalog = msgspec.structs.replace(own_library.catalog, models=models)
    insert = compile_insert(catalog, "Note", Shape(), ANN, fields=NOTE)
    assert insert.statement.columns == ()
    assert run(own_library, insert, ANN, {"book": 1, "writer": 1, "text": "secret"}) == [(4,)]
    with pytest.raises(Problem):
        compile_delete(catalog, "Note", Shape(key=0), ANN)


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb"])
def test_every_write_can_be_said_in_the_other_dialects(own_library: Any, dialect: str) -> None:
    catalog, shape = own_library.catalog, parse("Note", "text=like.a*").shape
    open_catalog = open_library(own_library)
    texts = [
        compile_insert(catalog, "Note", Shape(), ANN, dialect, fields=NOTE).statement.text,
        compile_insert(
            open_catalog, "Tag", Shape(), ANN, dialect, fields=("name",), resolution="merge-duplicates", on_conflict=("name",)
        ).statement.text,
        compile_insert(
            open_catalog, "Tag", Shape(), ANN, dialect, fields=("name",), resolution="ignore-duplicates"
        ).statement.text,
        compile_update(catalog, "Note", shape, ANN, dialect, fields=("text", "writer")).statement.text,
        compile_delete(catalog, "Note", shape, ANN, dialect).statement.text,
    ]
    assert [text.split()[0] for text in texts] == ["INSERT", "INSERT", "INSERT", "UPDATE", "DELETE"]
    assert ("RETURNING" in texts[3]) is (dialect == "postgresql")
