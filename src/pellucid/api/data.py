"""The data as user code sees it: models in, models out.

In: model classes, keys, filters in REST's grammar, instances. Out: instances. It acts with the rights of the server:
access rules guard the styles of asking from outside, and code that runs here is inside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import quote_plus

import msgspec

from pellucid.api.hooks import Action, Hook, Hooks
from pellucid.api.lookup import Lookup, as_asked, by_key
from pellucid.db.database import Database, Rows, Script, Transaction, Value
from pellucid.plan.query import Query, Shape
from pellucid.resource.bounded import Bounded
from pellucid.resource.instances import given_by, instance_maker
from pellucid.resource.resource import Resource, Resources
from pellucid.resource.writes import Writes, Written
from pellucid.schema.model import Model
from pellucid.schema.rules import NOBODY, anyone
from pellucid.schema.spec import Catalog, FieldSpec, ModelSpec, Rules
from pellucid.spans import Trace

__all__ = ["Book", "Data", "Trusted", "encode_value"]

M = TypeVar("M", bound=Model)

_MOST_ROWS = 1_000_000


def _opened(field: FieldSpec) -> FieldSpec:
    return msgspec.structs.replace(
        field, read=None, write=None, secret=False, write_only=False, read_only=field.computed is not None
    )


def _open(model: ModelSpec) -> ModelSpec:
    """The same model without rules: what the server itself may do."""
    return msgspec.structs.replace(model, rules=Rules(anyone, anyone, anyone, anyone), fields=tuple(map(_opened, model.fields)))


class Book:
    """One model as trusted code uses it."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.writes = Writes(resource)
        self.many = Lookup(resource, as_asked)
        self.one = Lookup(resource, by_key)
        self.fields = resource.intake.fields
        self._makers: Bounded[int, tuple[Sequence[Any], Any]] = Bounded(64)

    def instances(self, columns: Sequence[Any], rows: Rows) -> list[Model]:
        """The rows of a reading as instances."""
        known = self._makers.get(id(columns))
        if known is None:
            # The columns are kept with their maker: while they live, no others can have their id.
            known = self._makers[id(columns)] = (
                columns,
                instance_maker(self.resource.model, [column.field for column in columns]),
            )
        make = known[1]
        return [make(row) for row in rows]


class Trusted:
    """All models without their rules."""

    def __init__(self, catalog: Catalog, database: Database) -> None:
        opened = Catalog({name: _open(model) for name, model in catalog.models.items()}, catalog.fingerprint)
        self._books = {resource.model.name: Book(resource) for resource in Resources(opened, database, _MOST_ROWS)}

    def book(self, model: type[Model]) -> Book:
        """The book of a model. Raises TypeError for a class that is not a model of the App."""
        found = self._books.get(getattr(model, "__name__", ""))
        if found is None or found.resource.model.cls is not model:
            raise TypeError(f"{model!r} is not a model of this App: list it in App(models=[…])")
        return found


class InTransaction(Protocol):
    """What hooks are handed: a Call, which can be put inside a transaction."""

    def inside(self, transaction: Transaction) -> object: ...


class Data:
    """Reads and writes models. Each write is a transaction of its own, unless it stands inside `transaction()` or a hook.

    Where `call` is known (in endpoints and hooks), writes run the hooks of their models, in the same transaction.
    """

    __slots__ = ("_database", "_hooks", "_trace", "_transaction", "_trusted", "call")

    def __init__(
        self,
        trusted: Trusted,
        database: Database,
        hooks: Hooks,
        trace: Trace | None = None,
        transaction: Transaction | None = None,
    ) -> None:
        self._trusted = trusted
        self._database = database
        self._hooks = hooks
        self._trace = trace
        self._transaction = transaction
        self.call: InTransaction | None = None

    def inside(self, transaction: Transaction) -> Data:
        """The same data, seen and changed from inside an open transaction."""
        data = Data(self._trusted, self._database, self._hooks, self._trace, transaction)
        data.call = self.call
        return data

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Data]:
        """Make several writes one: all of them are stored when the block ends, none when it raises.

        It holds the one writer of the database, so do not wait for anything slow inside. Inside another one it is
        part of that.
        """
        if self._transaction is not None:
            yield self
            return
        async with self._database.transaction(self._trace) as transaction:
            yield self.inside(transaction)

    async def get(self, model: type[M], key: object) -> M | None:
        """The row with this key, or None."""
        book = self._trusted.book(model)
        warm, texts = book.one.find("", NOBODY, (str(key),))
        rows = await self._read(warm.reading.text, warm.template.bind(texts, None))
        return cast("M", book.instances(warm.reading.codec.columns, rows)[0]) if rows else None

    async def find(
        self,
        model: type[M],
        *,
        order: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        **filters: str | Sequence[str],
    ) -> list[M]:
        """The rows that fit. Filters are REST's operators by field (`population="gte.1000"`), several on one field as a
        list; `order` is REST's, too.

        Raises Problem of the 3xx range for an unknown field, operator or value.
        """
        book = self._trusted.book(model)
        warm, texts = book.many.find(_query_string(filters, order, limit, offset))
        rows = await self._read(warm.reading.text, warm.template.bind(texts, None))
        return cast("list[M]", book.instances(warm.reading.codec.columns, rows))

    async def count(self, model: type[Model], **filters: str | Sequence[str]) -> int:
        """How many rows fit."""
        book = self._trusted.book(model)
        warm, texts = book.many.find(_query_string(filters, None, None, None))
        counted = msgspec.structs.replace(warm.query.shape, count=True, limit=None)
        prepared = book.resource.reading(counted, NOBODY).prepared
        assert prepared.count is not None
        rows = await self._read(prepared.count.text, prepared.bind(warm.full(texts), count=True))
        return cast("int", rows[0][0])

    async def create(self, row: M) -> M:
        """Store a new row; gives it as stored, with its key. Raises Problem of the 4xx and 5xx ranges."""
        before, after = self._around(type(row), "create")
        if not before and not after:
            return await self._create(row)
        async with self.transaction() as data:
            await data._run(before, row)
            stored = await data._create(row)
            await data._run(after, stored)
        return stored

    async def _create(self, row: M) -> M:
        book = self._trusted.book(type(row))
        new = (book.resource.intake.convert_all(given_by(row, book.fields), NOBODY), ())
        return cast("M", self._first(book, await self._write(book.writes.create([new], NOBODY))))

    async def update(self, model: type[M], key: object, /, **changes: object) -> M:
        """Change fields of the row with this key; gives it as stored. Raises ROW_NOT_FOUND and what a create raises."""
        before, after = self._around(model, "update")
        if not before and not after:
            return await self._update(model, key, changes)
        async with self.transaction() as data:
            row = await data.get(model, key) if before else None
            if row is not None:
                for name, value in changes.items():
                    setattr(row, name, value)
                proposed = dict(vars(row))
                await data._run(before, row)
                changes |= {name: value for name, value in vars(row).items() if value != proposed.get(name)}
            stored = await data._update(model, key, changes)
            await data._run(after, stored)
        return stored

    async def _update(self, model: type[M], key: object, changes: Mapping[str, object]) -> M:
        book = self._trusted.book(model)
        values = book.resource.intake.convert_patch(changes)
        return cast("M", self._first(book, await self._write(book.writes.update(values, _key_query(model, key), NOBODY))))

    async def delete(self, model: type[Model], key: object) -> None:
        """Delete the row with this key. Raises ROW_NOT_FOUND, FOREIGN_KEY_VIOLATION."""
        before, after = self._around(model, "delete")
        script = self._trusted.book(model).writes.delete(_key_query(model, key), NOBODY)
        if not before and not after:
            await self._write(script)
            return
        async with self.transaction() as data:
            row = await data.get(model, key) if before else None
            if row is not None:
                await data._run(before, row)
            await data._write(script)
            await data._run(after, key)

    def _around(self, model: type[Model], action: Action) -> tuple[tuple[Hook, ...], tuple[Hook, ...]]:
        """The hooks (before, after) of a write; none where there is no call to hand them."""
        return (self._hooks.of(model.__name__, action) if self.call is not None else None) or ((), ())

    async def _run(self, hooks: Sequence[Hook], row: object) -> None:
        if hooks and self._transaction is not None and self.call is not None:
            call = self.call.inside(self._transaction)
            for hook in hooks:
                await hook(row, call)

    def _first(self, book: Book, written: Written) -> Model:
        assert written.codec is not None
        return book.instances(written.codec.columns, written.rows)[0]

    async def _read(self, text: str, values: Sequence[Value]) -> Rows:
        if self._transaction is not None:
            return await self._transaction.read(text, values)
        rows = self._database.read(text, values, self._trace)
        return rows if isinstance(rows, list) else await rows

    async def _write(self, script: Script[Written]) -> Written:
        if self._transaction is not None:
            return await self._transaction.run(script)
        return await self._database.write(script, self._trace)


def _key_query(model: type[Model], key: object) -> Query:
    return Query(model.__name__, Shape(key=0), (str(key),))


def _query_string(filters: Mapping[str, str | Sequence[str]], order: str | None, limit: int | None, offset: int | None) -> str:
    parts = [
        f"{name}={quote_plus(text, safe='.,()*:')}"
        for name, given in filters.items()
        for text in ((given,) if isinstance(given, str) else given)
    ]
    for name, value in (("order", order), ("limit", limit), ("offset", offset)):
        if value is not None:
            parts.append(f"{name}={value}")
    return "&".join(parts)


def _plain(value: object) -> object:
    """What msgspec cannot write by itself: model instances, as their fields."""
    if isinstance(value, Model):
        hidden = {name for name, info in type(value).__declared__.infos.items() if info.secret or info.write_only}
        return {name: content for name, content in value.__dict__.items() if name not in hidden}
    raise TypeError(f"an endpoint returned a {type(value).__name__}, which cannot be written as JSON")


encode_value = msgspec.json.Encoder(enc_hook=_plain).encode
"""The JSON of what an endpoint returns; model instances are objects of their fields, secret and write-only ones left
out.
"""
