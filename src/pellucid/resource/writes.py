"""Writes of one resource as scripts: what runs inside a transaction, statement by statement.

In: checked values, a shape that says which rows and which columns come back, and an actor. Out: generators for
`Database.write`, which give a `Written`. Everything that must hold together with the write (who may, If-Match, a limit
on rows) is decided inside the script, on the rows as they are then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from pellucid.db.database import Command, Row, Script, Value
from pellucid.errors import (
    FORBIDDEN,
    PRECONDITION_FAILED,
    SIGN_IN_REQUIRED,
    TOO_MANY_AFFECTED,
    FieldError,
    Problem,
)
from pellucid.plan.query import Query, Shape
from pellucid.plan.resolve import Action, admit
from pellucid.resource.bounded import Bounded
from pellucid.resource.codec import Codec
from pellucid.resource.intake import New
from pellucid.resource.resource import Reading, Resource
from pellucid.schema.rules import Actor
from pellucid.sql.statement import Prepared

__all__ = ["Guard", "Writes", "Written", "unmatched"]

Guard = Callable[[bytes | None], None]
"""Asked inside the transaction with the row as it is now (its JSON), or None where there is none; raises to refuse the
write.
"""


class Written(msgspec.Struct):
    """What a write did: rows in the columns of `codec` (None where nothing may come back), their keys, and how many
    rows changed.
    """

    rows: list[Row]
    keys: list[Value]
    count: int
    codec: Codec | None = None
    created: bool = False
    """Whether a PUT or an upsert of one row made it new."""


class _Write:
    """One statement that writes, with how its rows become JSON."""

    __slots__ = ("codec", "prepared", "text")

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.text = prepared.statement.text
        columns = prepared.statement.columns
        self.codec = Codec(columns, prepared.statement.hidden) if columns else None


class Writes:
    """The writes of one resource, each compiled once per shape, columns and kind of actor."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._columns = resource.intake.columns
        self._known: Bounded[Any, Any] = Bounded(256)

    # Create

    def create(
        self,
        rows: Sequence[New],
        actor: Actor,
        shape: Shape = Shape(),  # noqa: B008 (frozen)
        *,
        returning: bool = True,
        resolution: Any = None,
        on_conflict: tuple[str, ...] = (),
        many: bool = False,
    ) -> Script[Written]:
        """Insert rows, or merge them into those that are there. `many` says that problems name the item's position."""
        plain = msgspec.structs.replace(shape, embeds=()) if shape.embeds else shape
        written = Written([], [], 0)
        if not rows:  # nothing to write, yet whoever may not is told, and the answer has its columns
            written.codec = self._insert(plain, actor, (), resolution, on_conflict)[0].codec
        sole = len(rows) == 1 and not shape.embeds
        for position, (values, guarded) in enumerate(rows):
            write, bind = self._insert(plain, actor, guarded, resolution, on_conflict)
            written.codec = write.codec
            try:
                back = yield Command(write.text, bind(values, actor.id), None, sole)
            except Problem as problem:
                raise self._located(problem, f"$[{position}]" if many else "$") from problem.__cause__
            if not back:
                if resolution == "ignore-duplicates":
                    continue
                raise self._denied(actor, "create")
            written.count += 1
            written.keys.append(back[0][-1])
            if returning:
                written.rows.append(back[0])
        if shape.embeds and returning:
            yield from self._read_back(written, shape, actor)
        return written

    def _insert(
        self, shape: Shape, actor: Actor, guarded: tuple[str, ...], resolution: Any, on_conflict: tuple[str, ...]
    ) -> tuple[_Write, Callable[[Sequence[Value], int | str | None], Sequence[Value]]]:
        name = ("create", shape, actor.kind, guarded, resolution, on_conflict)
        known = self._known.get(name)
        if known is None:
            # SQLAlchemy stays out of the start: see Resource.reading.
            from pellucid.sql.write import compile_insert

            resource = self.resource
            prepared = compile_insert(
                resource.catalog,
                resource.model.name,
                shape,
                actor,
                resource.dialect,
                fields=self._columns,
                given=guarded,
                resolution=resolution,
                on_conflict=on_conflict,
            )
            known = self._known[name] = (_Write(prepared), prepared.row_binder(self._columns))
        return known

    # Change

    def update(
        self,
        changes: dict[str, Value],
        query: Query,
        actor: Actor,
        *,
        returning: bool = True,
        most: int | None = None,
        guard: Guard | None = None,
        merge: Callable[[dict[str, Value]], dict[str, Value]] | None = None,
    ) -> Script[Written]:
        """Set columns in the rows of a query. With a key in its shape, `guard` sees the row first, and no row at all is
        ROW_NOT_FOUND.

        `merge` computes columns from the stored ones, by name (RFC 7396 for JSON columns); it too sees the row inside
        the transaction.
        """
        if guard is not None:
            guard((yield from self._current(query, actor)))
        if merge is not None:
            changes = merge((yield from self._stored(query, actor)))
        written = Written([], [], 0)
        if not changes:
            reading = self.resource.reading(_plain(query.shape), actor)
            written.rows = yield Command(reading.text, reading.prepared.bind(query.values, actor.id))
            written.codec, written.count = reading.codec, len(written.rows)
            written.keys = [query.values[query.shape.key]] if query.shape.key is not None else []
        else:
            write = self._change(query.shape, actor, tuple(changes))
            try:
                back = yield Command(write.text, write.prepared.bind(query.values, actor.id, changes))
            except Problem as problem:
                raise self._located(problem, "$") from problem.__cause__
            written.codec, written.rows, written.count = write.codec, back, len(back)
            written.keys = [row[-1] for row in back]
        if query.shape.key is not None and not written.count:
            yield from self._why_none(query, actor, "update")
        self._bounded(written.count, most)
        if query.shape.embeds and returning and written.count:
            yield from self._read_back(written, query.shape, actor)
        return written

    def _change(self, shape: Shape, actor: Actor, fields: tuple[str, ...]) -> _Write:
        shape = _plain(shape)
        name = ("update", shape, actor.kind, fields)
        known = self._known.get(name)
        if known is None:
            from pellucid.sql.write import compile_update

            resource = self.resource
            given = [field.name for field in resource.intake.writable if field.name in fields and field.write is not None]
            prepared = compile_update(
                resource.catalog, resource.model.name, shape, actor, resource.dialect, fields=fields, given=given
            )
            known = self._known[name] = _Write(prepared)
        return known

    # Replace

    def replace(
        self, rows: Sequence[New], query: Query, actor: Actor, *, returning: bool = True, guard: Guard | None = None
    ) -> Script[Written]:
        """Put a whole row at a key: create it or take every field of the one that is there (RFC 9110, section 9.3.4).

        `rows` holds that one row, which is looked at only when the script runs.
        """
        current = yield from self._current(query, actor)
        if guard is not None:
            guard(current)
        if current is None:
            shape = msgspec.structs.replace(query.shape, key=None)
            written = yield from self.create(rows, actor, shape, returning=returning)
            written.created = True
            return written
        values, _ = rows[0]
        key = self.resource.model.key.name
        kept = {key, *(field.name for field in self.resource.intake.fields if field.stamp == "created")}
        changes = {name: value for name, value in zip(self._columns, values, strict=True) if name not in kept}
        return (yield from self.update(changes, query, actor, returning=returning))

    # Delete

    def delete(
        self, query: Query, actor: Actor, *, returning: bool = False, most: int | None = None, guard: Guard | None = None
    ) -> Script[Written]:
        """Delete the rows of a query; by key, a row that is not there is ROW_NOT_FOUND."""
        written = Written([], [], 0)
        if guard is not None:
            guard((yield from self._current(query, actor)))
        if query.shape.embeds and returning:
            reading = self.resource.reading(query.shape, actor)
            written.rows = yield Command(reading.text, reading.prepared.bind(query.values, actor.id))
            written.codec = reading.codec
        write = self._removal(query.shape, actor)
        try:
            back = yield Command(write.text, write.prepared.bind(query.values, actor.id))
        except Problem as problem:
            raise self._located(problem, "$") from problem.__cause__
        written.count = len(back)
        written.keys = [row[-1] for row in back]
        if not query.shape.embeds:
            written.rows, written.codec = back, write.codec
        if query.shape.key is not None and not written.count:
            yield from self._why_none(query, actor, "delete")
        self._bounded(written.count, most)
        return written

    def _removal(self, shape: Shape, actor: Actor) -> _Write:
        shape = _plain(shape)
        name = ("delete", shape, actor.kind)
        known = self._known.get(name)
        if known is None:
            from pellucid.sql.write import compile_delete

            resource = self.resource
            prepared = compile_delete(resource.catalog, resource.model.name, shape, actor, resource.dialect)
            known = self._known[name] = _Write(prepared)
        return known

    # What all of them share

    def _current(self, query: Query, actor: Actor) -> Script[bytes | None]:
        """The JSON of the row as it is now, exactly as a GET with the same `select` would give it."""
        reading = self.resource.reading(query.shape, actor)
        rows = yield Command(reading.text, reading.prepared.bind(query.values, actor.id))
        return reading.codec.one(rows[0]) if rows else None

    def _stored(self, query: Query, actor: Actor) -> Script[dict[str, Value]]:
        """The row's JSON columns as stored, by name; empty where there is no such row."""
        only = _only_key(query)
        reading = self.resource.reading(only.shape, actor)
        rows = yield Command(reading.text, reading.prepared.bind(only.values, actor.id))
        names = [column.name for column in reading.codec.columns]
        return dict(zip(names, rows[0], strict=False)) if rows else {}

    def _read_back(self, written: Written, shape: Shape, actor: Actor) -> Script[None]:
        """Fetch the written rows with their embeds, which RETURNING cannot give."""
        wanted = Shape(picks=shape.picks, embeds=shape.embeds, key=0)
        reading: Reading = self.resource.reading(wanted, actor)
        written.codec, written.rows = reading.codec, []
        for key in written.keys:
            rows = yield Command(reading.text, reading.prepared.bind([str(key)], actor.id))
            written.rows += rows

    def _why_none(self, query: Query, actor: Actor, action: str) -> Script[None]:
        """No row changed: it does not exist for this actor, or its rule says no. The second is told only to who may
        read the row.
        """
        current = yield from self._current(_only_key(query), actor)
        key = query.values[query.shape.key] if query.shape.key is not None else ""
        if current is None:
            raise self.resource.missing(key)
        raise self._denied(actor, action)

    def admit(self, action: Action, actor: Actor) -> None:
        """Refuse who may not do this whatever the row. Raises SIGN_IN_REQUIRED, FORBIDDEN."""
        admit(self.resource.model, actor, action)

    def _denied(self, actor: Actor, action: str) -> Problem:
        """The problem of one who may not do this: 401 where an account might help, 403 where it did not."""
        code = SIGN_IN_REQUIRED if actor.id is None else FORBIDDEN
        return Problem(code, f"{self.resource.model.name}: the {action} rule does not allow this row")

    def _bounded(self, count: int, most: int | None) -> None:
        if most is not None and count > most:
            raise Problem(TOO_MANY_AFFECTED, f"{count} rows would change, and max-affected is {most}", hint="nothing was changed")

    def _located(self, problem: Problem, where: str) -> Problem:
        """A broken constraint, with the path of each field that is part of it."""
        details = problem.details
        columns: Iterable[str] = details.get("columns", ()) if isinstance(details, dict) else ()
        problem.errors = tuple(FieldError(f"{where}.{name}", problem.code.slug, problem.message) for name in columns)
        return problem


def _plain(shape: Shape) -> Shape:
    return msgspec.structs.replace(shape, embeds=()) if shape.embeds else shape


def _only_key(query: Query) -> Query:
    """The same row, asked for by nothing but its key."""
    assert query.shape.key is not None
    return Query(query.model, Shape(key=0), (query.values[query.shape.key],))


def unmatched(tag: str) -> Problem:
    """412: the row is not as the request requires."""
    return Problem(
        PRECONDITION_FAILED,
        "the row has changed since it was read",
        hint="read it again, then repeat the change",
        details={"etag": tag},
    )
