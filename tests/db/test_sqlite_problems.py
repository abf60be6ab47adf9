"""SQLite's errors as problems: the right code, and which field, so that the answer can name it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from pellucid import errors
from pellucid.db.database import Command
from pellucid.db.sqlite import SQLite
from pellucid.errors import Code, Problem

SCHEMA = [
    "CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE mayor (id INTEGER PRIMARY KEY, name TEXT) STRICT",
    "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "
    "people INTEGER CONSTRAINT \"city.people.check\" CHECK (people >= 0), "
    "country TEXT REFERENCES country, mayor INTEGER REFERENCES mayor (id) ON DELETE RESTRICT, "
    "CONSTRAINT odd CHECK (name <> 'nowhere')) STRICT",
    "CREATE TABLE street (id INTEGER PRIMARY KEY, city INTEGER REFERENCES city (id), country TEXT REFERENCES country (code), "
    "mayor INTEGER REFERENCES mayor (id)) STRICT",
    "CREATE TABLE late (id INTEGER PRIMARY KEY, city INTEGER REFERENCES city (id) DEFERRABLE INITIALLY DEFERRED) STRICT",
    "CREATE UNIQUE INDEX city_name ON city (name, country)",
    "CREATE UNIQUE INDEX mayor_name ON mayor (lower(name))",
    "CREATE TRIGGER no_moving BEFORE UPDATE OF country ON city WHEN old.country = 'IS' "
    "BEGIN SELECT RAISE(ABORT, 'Iceland stays where it is'); END",
    "INSERT INTO country VALUES ('IS', 'Iceland'), ('NO', 'Norway'), ('XX', 'Nowhere')",
    "INSERT INTO mayor VALUES (1, 'Ann'), (2, 'Bo'), (3, 'Cy')",
    "INSERT INTO city VALUES (1, 'Oslo', 700000, 'NO', 1)",
    "INSERT INTO street VALUES (1, 1, 'XX', 2)",
]  # fmt: skip


def script(*commands: Command) -> Generator[Command, Any, None]:
    for command in commands:  # noqa: UP028 - a script is sent rows, which a tuple cannot take
        yield command


def fails(*commands: Command) -> Problem:
    async def main() -> Problem:
        db = await SQLite.open(":memory:")
        try:
            await db.write(script(*map(Command, SCHEMA)))
            with pytest.raises(Problem) as caught:
                await db.write(script(*commands))
            # The database is as it was, references are still minded, and the next write is not affected.
            assert db.read("SELECT count(*) FROM city") == [(1,)]
            assert db.read("SELECT count(*) FROM late") == [(0,)]
            await db.write(script(Command("UPDATE city SET people = people + 1")))
            with pytest.raises(Problem):
                await db.write(script(Command("INSERT INTO city (name, country) VALUES ('Rome', 'ZZ')")))
            return caught.value
        finally:
            await db.close()

    return asyncio.run(main())


def missing(columns: Sequence[str], references: str, table: str = "city") -> dict[str, Any]:
    return {"kind": "missing", "table": table, "columns": columns, "references": references}


def needed(table: str, columns: Sequence[str], references: str) -> dict[str, Any]:
    return {"kind": "needed", "table": table, "columns": columns, "references": references}


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        ("INSERT INTO country VALUES ('NO', 'x')", errors.UNIQUE_VIOLATION, {"table": "country", "columns": ["code"]}),
        ("INSERT INTO city (id, name) VALUES (1, 'x')", errors.UNIQUE_VIOLATION, {"table": "city", "columns": ["id"]}),
        (
            "INSERT INTO city (name, country) VALUES ('Oslo', 'NO')",
            errors.UNIQUE_VIOLATION,
            {"table": "city", "columns": ["name", "country"]},
        ),
        ("INSERT INTO mayor VALUES (9, 'ANN')", errors.UNIQUE_VIOLATION, {"constraint": "mayor_name", "columns": []}),
        ("INSERT INTO city (name) VALUES (NULL)", errors.NOT_NULL_VIOLATION, {"table": "city", "columns": ["name"]}),
        (
            "UPDATE city SET people = -1",
            errors.CHECK_VIOLATION,
            {"constraint": "city.people.check", "table": "city", "columns": ["people"]},
        ),
        ("UPDATE city SET name = 'nowhere'", errors.CHECK_VIOLATION, {"constraint": "odd", "columns": []}),
        ("UPDATE city SET people = 'many'", errors.CHECK_VIOLATION, {"table": "city", "columns": ["people"]}),
        (
            "INSERT INTO city (name, country) VALUES ('Rome', 'IT')",
            errors.FOREIGN_KEY_VIOLATION,
            missing(["country"], "country"),
        ),
        (
            "INSERT INTO city (name, country, mayor) VALUES ('Rome', 'NO', 7)",
            errors.FOREIGN_KEY_VIOLATION,
            missing(["mayor"], "mayor"),
        ),
        ("UPDATE city SET mayor = 7", errors.FOREIGN_KEY_VIOLATION, missing(["mayor"], "mayor")),
        ("INSERT INTO late VALUES (1, 99)", errors.FOREIGN_KEY_VIOLATION, missing(["city"], "city", "late")),
        ("DELETE FROM city WHERE id = 1", errors.FOREIGN_KEY_VIOLATION, needed("street", ["city"], "city")),
        ("DELETE FROM mayor WHERE id = 2", errors.FOREIGN_KEY_VIOLATION, needed("street", ["mayor"], "mayor")),
        ("DELETE FROM mayor WHERE id = 1", errors.FOREIGN_KEY_VIOLATION, needed("city", ["mayor"], "mayor")),
        ("DELETE FROM country WHERE code = 'NO'", errors.FOREIGN_KEY_VIOLATION, needed("city", ["country"], "country")),
        (
            "UPDATE country SET code = 'NN' WHERE code = 'XX'",
            errors.FOREIGN_KEY_VIOLATION,
            needed("street", ["country"], "country"),
        ),
        ("INSERT INTO nowhere VALUES (1)", errors.INTERNAL, None),
    ],
)
def test_a_broken_constraint_names_its_table_and_columns(text: str, code: Code, details: object) -> None:
    problem = fails(Command(text))
    assert problem.code is code
    assert problem.details == details


def test_the_message_of_a_broken_reference_names_the_field() -> None:
    assert (
        fails(Command("INSERT INTO city (name, country) VALUES ('Rome', 'IT')")).message
        == "city.country: there is no row in country with this key"
    )
    needed = fails(Command("DELETE FROM city"))
    assert needed.message == "a row of city is still needed by street.city"
    assert needed.hint == "change or delete the rows of street that point to it first"


def test_of_many_values_the_one_with_the_broken_reference_is_counted() -> None:
    values = [(f"c{number}", "NO") for number in range(10)]
    values[7] = ("Rome", "IT")
    problem = fails(Command("INSERT INTO city (name, country) VALUES (?, ?)", many=values))
    assert problem.details == missing(["country"], "country") | {"row": 7}


def test_a_trigger_speaks_for_itself() -> None:
    problem = fails(
        Command("INSERT INTO city VALUES (2, 'Vik', 1, 'IS', NULL)"), Command("UPDATE city SET country = 'NO' WHERE id = 2")
    )
    assert problem.code is errors.CHECK_VIOLATION
    assert problem.message == "Iceland stays where it is"


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800"])
def test_a_value_that_no_column_can_hold_is_the_callers_mistake(value: Any) -> None:
    assert fails(Command("UPDATE city SET people = ?", (value,))).code is errors.CHECK_VIOLATION
