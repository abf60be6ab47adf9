"""A small library on a real SQLite: models of every kind of field and relation, with rows, and a way to ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import apsw
import pytest
from annotated_types import Ge, Len

from pellucid.api.filters import parse
from pellucid.db.sqlite_match import register
from pellucid.resource.codec import Codec
from pellucid.schema.catalog import catalog as freeze
from pellucid.schema.model import Many, Model, Ref, field
from pellucid.schema.rules import NOBODY, Actor, anyone, owner, role, signed_in
from pellucid.schema.spec import Catalog
from pellucid.schema.types import Stored, to_storage
from pellucid.sql.ddl import catalog_tables, create_index, create_table
from pellucid.sql.read import compile_read
from pellucid.sql.statement import Prepared


class User(Model, read=anyone):
    name: str


class Author(Model, read=anyone):
    name: str
    email: str | None = field(default=None, read=role("staff"))
    password: str | None = field(default=None, secret=True)
    books: Many[Book] = field(via="author")
    edited: Many[Book] = field(via="editor")


class Tag(Model, read=anyone):
    name: str = field(unique=True)
    books: Many[Book] = field(through="BookTag")


class Book(Model, read=anyone, unique=[("title", "author")]):
    title: Annotated[str, Len(1, 200)]
    author: Ref[Author]
    editor: Ref[Author] | None = None
    price: Decimal | None = field(default=None, places=2)
    stock: Annotated[int, Ge(0)] | None = field(default=None, index=True)
    rating: float | None = None
    sold: bool | None = None
    data: dict[str, Any] | None = None
    length: timedelta | None = None
    added: datetime | None = None
    day: date | None = None
    cover: bytes | None = None
    kind: Literal["novel", "poem"] | None = None
    worth: int | None = field(computed="price * coalesce(stock, 0)")
    tags: Many[Tag] = field(through="BookTag")
    notes: Many[Note]


class BookTag(Model, read=anyone):
    book: Ref[Book]
    tag: Ref[Tag]


class Note(Model, read=owner("writer") | role("staff"), create=signed_in, update=owner("writer"), delete=owner("writer")):
    book: Ref[Book] = field(on_delete="cascade")
    writer: Ref[User]
    text: str
    mood: str | None = field(default=None, read=owner("writer"), write=role("staff"))


MODELS = freeze([User, Author, Tag, Book, BookTag, Note])

ROWS: dict[str, list[dict[str, object]]] = {
    "User": [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Ben"}],
    "Author": [
        {"id": 1, "name": "Ursula", "email": "u@example.org", "password": "x"},
        {"id": 2, "name": "Émile"},
        {"id": 3, "name": 'Nobody\'s "quote" \\ \u2028'},
    ],
    "Tag": [{"id": 1, "name": "sea"}, {"id": 2, "name": "sky"}, {"id": 3, "name": "none"}],
    "Book": [
        {
            "id": 1,
            "title": "Alpha*",
            "author": 1,
            "editor": 2,
            "price": Decimal("-0.05"),
            "stock": 0,
            "rating": 0.1,
            "sold": True,
            "data": {"a": {"b": [1, "two", None]}, "n": 5, "t": True},
            "length": timedelta(days=1, seconds=90, microseconds=500000),
            "added": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            "day": date(2026, 1, 2),
            "cover": b"\x00\xff" * 60,
            "kind": "poem",
        },
        {
            "id": 2,
            "title": "alphabet",
            "author": 1,
            "editor": None,
            "price": Decimal("1234.50"),
            "stock": 7,
            "rating": 1 / 3,
            "sold": False,
            "data": {"n": "5"},
            "length": -timedelta(seconds=1),
            "kind": "novel",
            "cover": b"",
        },
        {"id": 3, "title": "Beta_%", "author": 2, "price": Decimal("0.00"), "stock": 7, "rating": 1e300, "length": timedelta(0)},
        {"id": 4, "title": "ÉTÉ [x]?", "author": 2, "stock": None, "price": None, "editor": 1, "data": {}},
    ],
    "BookTag": [
        {"id": 1, "book": 1, "tag": 1},
        {"id": 2, "book": 1, "tag": 2},
        {"id": 3, "book": 2, "tag": 1},
        {"id": 4, "book": 1, "tag": 1},
    ],
    "Note": [
        {"id": 1, "book": 1, "writer": 1, "text": "Ann's", "mood": "calm"},
        {"id": 2, "book": 1, "writer": 2, "text": "Ben's", "mood": "cross"},
        {"id": 3, "book": 2, "writer": 2, "text": "Ben's too"},
    ],
}


@dataclass(frozen=True)
class Library:
    """A database with the library in it."""

    catalog: Catalog
    db: apsw.Connection

    def run(self, prepared: Prepared, values: Sequence[Stored]) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        return list(self.db.execute(prepared.statement.text, values))

    def rows(self, model: str, query_string: str = "", actor: Actor = NOBODY) -> list[tuple[Any, ...]]:
        """The rows that answer a query string."""
        query = parse(model, query_string)
        prepared = compile_read(self.catalog, model, query.shape, actor)
        return self.run(prepared, prepared.bind(query.values, actor.id))

    def json(self, model: str, query_string: str = "", actor: Actor = NOBODY) -> Any:
        """The answer to a query string, as a client decodes it."""
        query = parse(model, query_string)
        prepared = compile_read(self.catalog, model, query.shape, actor)
        codec = Codec(prepared.statement.columns, prepared.statement.hidden)
        return json.loads(codec.many(self.run(prepared, prepared.bind(query.values, actor.id))))

    def ids(self, model: str, query_string: str = "", actor: Actor = NOBODY) -> list[int]:
        """The keys of the rows that answer a query string, in order."""
        return [row[0] for row in self.rows(model, f"select=id&{query_string}", actor)]


def fresh() -> Library:
    """A database of one's own, to be changed."""
    db = apsw.Connection(":memory:")
    db.execute("PRAGMA foreign_keys=ON")
    register(db)
    for table in catalog_tables(MODELS).values():
        db.execute(create_table(table))
        for index in table.indexes:
            db.execute(create_index(table.name, index))
    for name, rows in ROWS.items():
        model = MODELS.models[name]
        for row in rows:
            values = {key: to_storage(spec)(value) for key, value in row.items() if (spec := model.field(key)) is not None}
            names = ", ".join(f'"{key}"' for key in values)
            db.execute(f'INSERT INTO "{model.table}" ({names}) VALUES ({", ".join("?" * len(values))})', tuple(values.values()))
    return Library(MODELS, db)


@pytest.fixture(scope="session")
def library() -> Library:
    """The library, for reading only."""
    return fresh()


@pytest.fixture
def own_library() -> Library:
    """The library, for this test only."""
    return fresh()
