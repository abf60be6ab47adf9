"""Real files brought from one set of models to another, with rows in them, and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import apsw
import pytest
from annotated_types import Ge, Len, MultipleOf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.schema.catalog import catalog
from pellucid.schema.model import Model, Ref, field, now, uuid7
from pellucid.schema.spec import Catalog
from pellucid.sql.ddl import catalog_tables, literal
from pellucid.sql.difference import Rename, Step
from pellucid.sql.introspect import live_tables
from pellucid.sql.migrate import MigrationError, creation, matches, pending, require_match, update


def model(name: str, fields: dict[str, Any] | None = None, **keywords: Any) -> type[Model]:
    """A model made on the spot: each field is an annotation, or an annotation with its default."""
    fields = fields or {}
    annotations = {key: value[0] if isinstance(value, tuple) else value for key, value in fields.items()}
    defaults = {key: value[1] for key, value in fields.items() if isinstance(value, tuple)}
    body = {"__annotations__": annotations, "__module__": __name__, **defaults}
    return type(Model)(name, (Model,), body, **keywords)  # type: ignore[return-value]


def things(fields: dict[str, Any], **keywords: Any) -> Catalog:
    return catalog([model("Thing", fields, **keywords)])


def run(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def is_like_new(path: Path, models: Catalog) -> bool:
    """Whether the file has the tables that an empty database would get, is sound, and is known to match."""
    connection = apsw.Connection(str(path))
    try:
        live, want = live_tables(connection), catalog_tables(models)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return live.keys() == want.keys() and all(live[name].same_as(want[name]) for name in want) and matches(connection, models)
    finally:
        connection.close()


def back(path: Path, steps: list[Step]) -> None:
    connection = apsw.Connection(str(path))
    try:
        for step in reversed(steps):
            assert step.reverse is not None
            connection.execute(";\n".join(step.reverse))
    finally:
        connection.close()


# Each change: the fields before, a row, the fields after, the row then, and the row once it is taken back (None: it cannot be).
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any] | None]] = {
    "add a field that may be null": ({"a": int}, {"a": 1}, {"a": int, "b": str | None}, {"a": 1, "b": None}, {"a": 1}),
    "add a field with a default": ({"a": int}, {"a": 1}, {"a": int, "b": (str, "it's")}, {"a": 1, "b": "it's"}, {"a": 1}),
    "add a field from a factory": ({"a": int}, {"a": 1}, {"a": int, "b": (list[int], field(factory=list))}, {"a": 1,
        "b": "[]"}, {"a": 1}),
    "drop a field": ({"a": int, "b": (int, 5)}, {"a": 1, "b": 2}, {"a": int}, {"a": 1}, {"a": 1, "b": 5}),
    "let a field be null": ({"a": int}, {"a": 1}, {"a": int | None}, {"a": 1}, {"a": 1}),
    "require a field": ({"a": int | None}, {"a": 1}, {"a": int}, {"a": 1}, {"a": 1}),
    "require a field with a default": ({"a": int | None}, {"a": None}, {"a": (int, 7)}, {"a": 7}, {"a": 7}),
    "change a default": ({"a": (int, 1)}, {"a": 3}, {"a": (int, 2)}, {"a": 3}, {"a": 3}),
    "add a check": ({"a": int}, {"a": 4}, {"a": Annotated[int, Ge(0), MultipleOf(2)]}, {"a": 4}, {"a": 4}),
    "change a check": ({"a": Annotated[str, Len(1, 5)]}, {"a": "x"}, {"a": Annotated[str, Len(1, 9)]}, {"a": "x"}, {"a": "x"}),
    "add a choice": ({"a": Literal["x"]}, {"a": "x"}, {"a": Literal["x", "y"]}, {"a": "x"}, {"a": "x"}),
    "make a field unique": ({"a": int}, {"a": 1}, {"a": (int, field(unique=True))}, {"a": 1}, {"a": 1}),
    "index a field": ({"a": int}, {"a": 1}, {"a": (int, field(index=True))}, {"a": 1}, {"a": 1}),
    "drop an indexed field": ({"a": int, "b": (int | None, field(index=True))}, {"a": 1}, {"a": int}, {"a": 1},
        {"a": 1, "b": None}),
    "numbers to text": ({"a": int}, {"a": 12}, {"a": str}, {"a": "12"}, {"a": 12}),
    "text to numbers": ({"a": str}, {"a": "12"}, {"a": int}, {"a": 12}, {"a": "12"}),
    "whole to real": ({"a": int}, {"a": 12}, {"a": float}, {"a": 12.0}, {"a": 12}),
    "whole to money": ({"a": int}, {"a": 12}, {"a": (Decimal, field(places=2))}, {"a": 1200}, {"a": 12}),
    "more places": ({"a": (Decimal, field(places=2))}, {"a": 1990}, {"a": Decimal}, {"a": 199000}, {"a": 1990}),
    "fewer places": ({"a": Decimal}, {"a": 199000}, {"a": (Decimal, field(places=2))}, {"a": 1990}, {"a": 199000}),
    "money to real": ({"a": (Decimal, field(places=2))}, {"a": 1990}, {"a": float}, {"a": 19.9}, {"a": 1990}),
    "a date to a time": ({"a": date}, {"a": "2026-11-21"}, {"a": datetime}, {"a": "2026-11-21T00:00:00.000000Z"},
        {"a": "2026-11-21"}),
    "text to JSON": ({"a": str}, {"a": 'a"b'}, {"a": dict[str, int] | str}, {"a": '"a\\"b"'}, {"a": '"a\\"b"'}),
    "flags to numbers": ({"a": bool}, {"a": 1}, {"a": int}, {"a": 1}, {"a": 1}),
    "free text to a choice": ({"a": str}, {"a": "x"}, {"a": Literal["x", "y"]}, {"a": "x"}, {"a": "x"}),
    "rename a field": ({"a": Annotated[int, Ge(0)]}, {"a": 1}, {"b": (Annotated[int, Ge(0)],
        field(renamed_from="a"))}, {"b": 1}, {"a": 1}),
    "rename an indexed field": ({"a": (int, field(index=True))}, {"a": 1}, {"b": (int, field(index=True,
        renamed_from="a"))}, {"b": 1}, {"a": 1}),
}  # fmt: skip


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_keeps_the_rows_and_can_be_taken_back(change: str, tmp_path: Path) -> None:
    before, row, after, then, again = CHANGES[change]
    path = tmp_path / "data.db"
    old, new = things(before), things(after)
    update(old, path)
    run(path, f"INSERT INTO things ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())
    steps = update(new, path, allow_destructive=True)
    assert steps
    assert is_like_new(path, new)
    assert run(path, f"SELECT {', '.join(then)} FROM things") == [tuple(then.values())]
    assert update(new, path) == pending(new, path) == []
    if again is not None:
        back(path, steps)
        update(old, path)
        assert is_like_new(path, old)
        assert run(path, f"SELECT {', '.join(again)} FROM things") == [tuple(again.values())]


@pytest.mark.parametrize(
    ("annotation", "default", "like"),
    [
        (datetime, now, "____-__-__T__:__:__.______Z"),
        (date, now, "____-__-__"),
        (time, now, "__:__:__"),
        (__import__("uuid").UUID, uuid7, "________-____-7___-____-____________"),
    ],
)
def test_a_new_field_with_a_default_of_the_moment_fills_the_rows_there_are(
    annotation: Any, default: Any, like: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.db"
    update(things({"a": int}), path)
    run(path, "INSERT INTO things (a) VALUES (1), (2), (3)")
    models = things({"a": int, "b": (annotation, default)})
    update(models, path)
    assert is_like_new(path, models)
    assert run(path, "SELECT count(*) FROM things WHERE b LIKE ?", like) == [(3,)]
    if default is uuid7:
        assert run(path, "SELECT count(DISTINCT b) FROM things WHERE substr(b, 20, 1) IN ('8', '9', 'a', 'b')") == [(3,)]


def test_models_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    one, two = model("One", {"a": int}), model("Two", {"b": int})
    update(catalog([one]), path)
    assert [step.description for step in update(catalog([one, two]), path)] == ["create the table twos"]
    run(path, "INSERT INTO twos (b) VALUES (1)")
    with pytest.raises(MigrationError, match="this would lose data:\n  drop the table twos"):
        update(catalog([one]), path)
    assert run(path, "SELECT count(*) FROM twos") == [(1,)]
    steps = update(catalog([one]), path, allow_destructive=True)
    assert [step.destructive for step in steps] == [True]
    back(path, steps)
    assert is_like_new(path, catalog([one, two])) is False  # the rows are gone, so is the note that it matches
    update(catalog([one, two]), path)
    assert is_like_new(path, catalog([one, two]))


def test_a_declared_rename_of_a_model_keeps_rows_and_references(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    maker, thing = (
        model("Maker", {"name": Annotated[str, Len(1, 9)]}),
        model("Thing", {"maker": (Ref["Maker"], field(index=True))}),
    )  # type: ignore[name-defined]
    update(catalog([maker, thing]), path)
    run(path, "INSERT INTO makers (name) VALUES ('x')")
    run(path, "INSERT INTO things (maker) VALUES (1)")
    brand = model("Brand", {"name": Annotated[str, Len(1, 9)]}, renamed_from="Maker")
    item = model("Item", {"brand": (Ref["Brand"], field(index=True, renamed_from="maker"))},
        renamed_from="Thing")  # type: ignore[name-defined]
    models = catalog([brand, item])
    update(models, path)
    assert is_like_new(path, models)
    assert run(path, "SELECT name FROM items JOIN brands ON brands.id = items.brand") == [("x",)]
    with pytest.raises(apsw.ConstraintError, match=r"brands\.name\.min_length"):
        run(path, "INSERT INTO brands (name) VALUES ('')")


def test_a_renamed_key_is_followed_by_those_who_refer_to_it(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    country, city = model("Country", {"code": (str, field(key=True))}), model("City",
        {"country": Ref["Country"]})  # type: ignore[name-defined]
    update(catalog([country, city]), path)
    run(path, "INSERT INTO countries VALUES ('fr')")
    run(path, "INSERT INTO cities (country) VALUES ('fr')")
    renamed = model("Country", {"iso": (str, field(key=True, renamed_from="code"))})
    models = catalog([renamed, model("City", {"country": Ref[renamed]})])  # type: ignore[valid-type]
    update(models, path)
    assert is_like_new(path, models)
    with pytest.raises(apsw.ConstraintError, match="FOREIGN KEY"):
        run(path, "INSERT INTO cities (country) VALUES ('xx')")


def test_a_drop_beside_an_addition_is_asked_about_and_never_guessed(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    update(things({"cost": int | None}), path)
    run(path, "INSERT INTO things (cost) VALUES (5)")
    models = things({"price": int | None})
    with pytest.raises(MigrationError, match="is cost now called price") as caught:
        update(models, path)
    assert caught.value.renames == (Rename("things", "cost", "price"),)
    assert run(path, "SELECT cost FROM things") == [(5,)]
    update(models, path, renames=caught.value.renames)
    assert run(path, "SELECT price FROM things") == [(5,)]


def test_a_required_field_without_a_value_for_rows_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    update(things({"a": int}), path)
    models = things({"a": int, "b": str})
    assert [step.description for step in pending(models, path)] == ["change things: add b"]
    run(path, "INSERT INTO things (a) VALUES (1)")
    with pytest.raises(MigrationError, match=r"things\.b is new and required, but things has rows.*give the field a default"):
        update(models, path)


def test_a_type_that_cannot_be_converted_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    update(things({"a": str}), path)
    with pytest.raises(MigrationError, match=r"things\.a cannot go from str to datetime by itself; add a field of the new type"):
        update(things({"a": datetime}), path)


FAILING: dict[str, tuple[dict[str, Any], list[Any], dict[str, Any], str]] = {
    "duplicates": ({"a": int}, [1, 1], {"a": (int, field(unique=True))}, r"create the index things\.a\.unique: .*UNIQUE"),
    "nulls": ({"a": int | None}, [1, None], {"a": int}, "NOT NULL"),
    "broken check": ({"a": int}, [1, -1], {"a": Annotated[int, Ge(0)]}, r"CHECK constraint failed: things\.a\.ge"),
    "not a number": ({"a": str}, ["1", "x"], {"a": int}, "cannot store TEXT value in INTEGER column"),
    "lost digits": ({"a": Decimal}, [199000, 199001], {"a": (Decimal, field(places=2))}, "cannot store TEXT"),
}


@pytest.mark.parametrize("case", list(FAILING))
def test_a_failed_step_leaves_nothing_behind(case: str, tmp_path: Path) -> None:
    before, values, after, says = FAILING[case]
    path = tmp_path / "data.db"
    old = things(before)
    update(old, path)
    for value in values:
        run(path, "INSERT INTO things (a) VALUES (?)", value)
    dump = run(path, "SELECT sql FROM sqlite_schema")
    with pytest.raises(MigrationError, match=says) as caught:
        update(catalog([model("Aaa", {"new": int}), model("Thing", after)]), path)
    assert "nothing was changed" in str(caught.value)
    assert run(path, "SELECT sql FROM sqlite_schema") == dump
    assert run(path, "SELECT a FROM things") == [(value,) for value in values]
    assert is_like_new(path, old)


def test_broken_references_are_found_before_they_are_committed(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    other = model("Other", {"name": str})
    update(catalog([other, model("Thing", {"other": int})]), path)
    run(path, "INSERT INTO things (other) VALUES (99)")
    with pytest.raises(MigrationError, match="row 1 of things refers to nothing in others"):
        update(catalog([other, model("Thing", {"other": Ref[other]})]), path)  # type: ignore[valid-type]
    assert run(path, "SELECT other FROM things") == [(99,)]


def test_copying_a_table_keeps_what_others_made_and_who_refers_to_it(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    old = catalog([model("Thing", {"a": int}), model("Part", {"thing": (Ref["Thing"],
        field(on_delete="cascade"))})])  # type: ignore[name-defined]
    update(old, path)
    run(path, "INSERT INTO things (a) VALUES (1), (2)")
    run(path, "DELETE FROM things WHERE id = 2")
    run(path, "INSERT INTO parts (thing) VALUES (1)")
    run(path, "CREATE VIEW seen AS SELECT a FROM things")
    run(path, "CREATE INDEX mine ON things (a) WHERE a > 0")
    run(path, "CREATE TABLE journal (said TEXT)")
    run(path, "CREATE TRIGGER noted AFTER INSERT ON things BEGIN INSERT INTO journal VALUES ('new'); END")
    new = catalog(
        [model("Thing", {"a": Annotated[int, Ge(0)]}), model("Part", {"thing": (Ref["Thing"], field(on_delete="cascade"))})]
    )  # type: ignore[name-defined]
    update(new, path)
    assert run(path, "SELECT a FROM seen") == [(1,)]
    assert run(path, "INSERT INTO things (a) VALUES (3) RETURNING id") == [(3,)], (
        "the key of a deleted row is not given out again"
    )
    assert run(path, "SELECT said FROM journal") == [("new",)]
    assert run(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'mine'") == [(1,)]
    run(path, "DELETE FROM things WHERE id = 1")
    assert run(path, "SELECT count(*) FROM parts") == [(0,)]
    assert pending(new, path) == [], "a table that is none of the models' is nobody's business"


def test_a_database_of_another_program_is_taken_over_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    run(path, "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, at TEXT)")
    run(path, "INSERT INTO things (name, at) VALUES ('x', '2026-11-21T10:00:00.000000Z')")
    models = things({"name": (str, field(unique=True)), "at": datetime | None})
    update(models, path)
    assert is_like_new(path, models)
    assert run(path, "SELECT * FROM things") == [(1, "x", "2026-11-21T10:00:00.000000Z")]


def test_run_refuses_a_database_that_does_not_match_and_says_how(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    with pytest.raises(MigrationError, match=r"(?s)does not match the models.*create the table things.*pellucid migrate"):
        require_match(things({"a": int}), path)
    assert not path.exists()
    update(things({"a": int}), path)
    require_match(things({"a": int}), path)
    with pytest.raises(MigrationError, match=r"add things\.b"):
        require_match(things({"a": int, "b": int | None}), path)


def test_a_change_by_another_program_is_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    models = things({"a": int})
    update(models, path)
    run(path, "CREATE TABLE theirs (x)")
    connection = apsw.Connection(str(path))
    assert not matches(connection, models)
    require_match(models, path)
    assert matches(connection, models)
    connection.execute("ALTER TABLE things ADD COLUMN more TEXT")
    connection.close()
    with pytest.raises(MigrationError, match=r"drop things\.more \(loses data\)"):
        require_match(models, path)


def test_what_is_no_database_or_is_in_use_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.db"
    path.write_bytes(b"this is text, not a database" * 100)
    with pytest.raises(MigrationError, match="is not a SQLite database"):
        pending(things({"a": int}), path)
    with pytest.raises(MigrationError, match="is not a SQLite database"):
        update(things({"a": int}), path)
    with pytest.raises(MigrationError, match="cannot be opened"):
        update(things({"a": int}), tmp_path / "no" / "data.db")
    free = tmp_path / "free.db"
    update(things({"a": int}), free)
    holder = apsw.Connection(str(free))
    holder.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("pellucid.sql.migrate.BUSY_MS", 10)
    with pytest.raises(MigrationError, match="in use by another program"):
        update(things({"a": int, "b": int | None}), free)
    holder.close()


def test_every_constraint_of_the_models_holds_for_other_programs_too(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    update(
        things({
            "a": (Annotated[Decimal, Ge(1)], field(places=2)), "b": bool, "c": Literal[1, 2], "d": Annotated[bytes, Len(1, 2)],
            "e": Annotated[timedelta, Ge(timedelta(seconds=1))], "f": Annotated[datetime, Ge(datetime(2026, 1, 1, tzinfo=UTC))],
        }),
        path,
    )  # fmt: skip
    good = {"a": 100, "b": 1, "c": 2, "d": b"x", "e": 1_000_000, "f": "2026-01-01T00:00:00.000000Z"}
    insert = "INSERT INTO things (a, b, c, d, e, f) VALUES (?, ?, ?, ?, ?, ?)"
    run(path, insert, *good.values())
    for name, bad in {"a": 99, "b": 2, "c": 3, "d": b"", "e": 1, "f": "2025-12-31T23:59:59.999999Z"}.items():
        with pytest.raises(apsw.ConstraintError, match=rf"CHECK constraint failed: things\.{name}\."):
            run(path, insert, *{**good, name: bad}.values())


def test_an_empty_database_in_memory_is_made_by_plain_statements() -> None:
    models = things({"a": (int, field(unique=True))})
    connection = apsw.Connection(":memory:")
    for statement in creation(models):
        connection.execute(statement)
    assert live_tables(connection) == catalog_tables(models)
    connection.close()


@given(
    st.one_of(
        st.text(), st.integers(-(2**63), 2**63 - 1), st.binary(), st.floats(allow_nan=False, allow_infinity=False), st.none()
    )
)
def test_a_literal_means_its_value(value: str | int | bytes | float | None) -> None:
    if isinstance(value, str) and ("\0" in value or any(0xD800 <= ord(letter) < 0xE000 for letter in value)):
        return
    connection = apsw.Connection(":memory:")
    assert connection.execute(f"SELECT {literal(value)}").fetchall() == [(value,)]
    connection.close()


# -- any models to any others ------------------------------------------------------------------------------------------

COLUMNS: list[Callable[[], Any]] = [
    lambda: int, lambda: int | None, lambda: (int, 3), lambda: (int | None, field(index=True)), lambda: (int | None,
        field(unique=True)),
    lambda: str, lambda: str | None, lambda: (str, "a'b"), lambda: Annotated[str, Len(0, 40)] | None, lambda: (bool, False),
    lambda: (Decimal, field(places=2, default=Decimal("1.50"))), lambda: Decimal | None, lambda: (datetime, now),
        lambda: float | None,
    lambda: (Literal["x", "y"], "x"), lambda: (Literal[1, 2] | None, field(index=True)), lambda: dict[str, int] | None,
    lambda: (Annotated[int, Ge(0)], 1), lambda: Ref["A"] | None, lambda: (Ref["B"] | None,
        field(on_delete="cascade")),  # type: ignore[name-defined]
    lambda: (Ref["A"] | None, field(on_delete="set null", unique=True)),  # type: ignore[name-defined]
]  # fmt: skip

FIELDS = st.dictionaries(st.sampled_from(["p", "q", "r", "s"]), st.integers(0, len(COLUMNS) - 1))
SETS = st.fixed_dictionaries({"A": FIELDS, "B": FIELDS}, optional={"C": FIELDS})


def build(drawn: dict[str, dict[str, int]]) -> Catalog:
    def one(name: str, fields: dict[str, int]) -> type[Model]:
        index = [tuple(sorted(fields))] if len(fields) > 1 else []
        return model(name, {key: COLUMNS[number]() for key, number in fields.items()}, index=index)

    return catalog([one(name, fields) for name, fields in drawn.items()])


def fill(path: Path, models: Catalog) -> None:
    """Two rows in each table, with a value in every column that needs one."""
    samples: dict[str, Any] = {"INTEGER": 1, "TEXT": "x", "REAL": 1.5, "BLOB": b"x"}
    for table in catalog_tables(models).values():
        for _ in range(2):
            needed = [column for column in table.columns if not column.nullable and column.default is None and not column.key]
            names, marks = ", ".join(f'"{column.name}"' for column in needed), ", ".join("?" * len(needed))
            values = ["2026-11-21T10:00:00.000000Z" if column.note == "datetime" else samples[column.type] for column in needed]
            run(
                path,
                f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'
                if needed
                else f'INSERT INTO "{table.name}" DEFAULT VALUES',
                *values,
            )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SETS, SETS)
def test_any_models_lead_to_any_others_or_are_refused_whole(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "data.db"
    old, new = build(before), build(after)
    update(old, path)
    fill(path, old)
    rows = {table: run(path, f'SELECT id FROM "{table}"') for table in catalog_tables(old)}
    try:
        update(new, path, allow_destructive=True)
    except MigrationError:
        assert is_like_new(path, old)
        return
    assert is_like_new(path, new)
    assert all(run(path, f'SELECT id FROM "{table}"') == rows[table] for table in catalog_tables(new) if table in rows)
