"""Business logic around writes: functions of the user's that run in the transaction of the write.

In: which functions the App declares, and the write at hand. Out: the same `Written` as without them. A write of a model
without hooks never comes here: it stays one script in a group of others. With hooks it holds the one writer while they
run, so they should be short.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, cast

from pellucid.api.call import Call
from pellucid.api.data import Trusted
from pellucid.db.database import Command, Database, Row, Script, Transaction, Value
from pellucid.errors import INVALID_BODY, Problem
from pellucid.http.messages import Request
from pellucid.plan.query import Pick, Query, Shape
from pellucid.resource.instances import given_by, instance_maker
from pellucid.resource.intake import New
from pellucid.resource.resource import Resource
from pellucid.resource.writes import Writes, Written
from pellucid.schema.model import Model
from pellucid.schema.rules import Actor
from pellucid.schema.spec import Catalog

__all__ = ["Action", "Hook", "Hooks"]

Action = Literal["create", "update", "delete"]
Hook = Callable[..., Awaitable[None]]
"""`async def hook(row, call)`: `row` is an instance of the model, `call` the request with `call.data` inside the
transaction.
"""

_ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


class Hooks:
    """The hooks of an App, by model, action and phase, in the order of declaration."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], list[Hook]] = {}

    def declare(
        self, phase: Literal["before", "after"], catalog: Catalog, model: type[Model], actions: Sequence[Action]
    ) -> Callable[[Hook], Hook]:
        """A decorator that adds a hook. Raises ValueError for a model or action that does not exist."""
        if not (isinstance(model, type) and model.__name__ in catalog.models):
            raise ValueError(f"@app.{phase}({model!r}): this is not a model of the App; there is {', '.join(catalog.models)}")
        unknown = [action for action in actions if action not in _ACTIONS]
        if unknown or not actions:
            named = ", ".join(map(repr, unknown)) or "none"
            raise ValueError(f"@app.{phase}({model.__name__}, …): say which of {', '.join(_ACTIONS)}, not {named}")

        def add(hook: Hook) -> Hook:
            for action in actions:
                self._known.setdefault((model.__name__, action, phase), []).append(hook)
            return hook

        return add

    def of(self, model: str, action: Action) -> tuple[tuple[Hook, ...], tuple[Hook, ...]] | None:
        """(before, after) of a model's action; None where there is neither."""
        before, after = self._known.get((model, action, "before"), ()), self._known.get((model, action, "after"), ())
        return (tuple(before), tuple(after)) if before or after else None


class _Takeback(Exception):
    """Leaves a transaction without committing it, with the result that it had."""

    def __init__(self, written: Written) -> None:
        self.written = written


class HookedWrites:
    """The writes of one resource with its hooks around them."""

    def __init__(
        self,
        resource: Resource,
        writes: Writes,
        hooks: Hooks,
        database: Database,
        trusted: Trusted,
        make_call: Callable[[Request], Call],
    ) -> None:
        self._resource = resource
        self._writes = writes
        self._hooks = hooks
        self._database = database
        self._book = trusted.book(resource.model.cls)
        self._make_call = make_call
        self._fields = self._book.fields
        self._make = instance_maker(resource.model, self._fields)

    def wanted(self, action: Action) -> bool:
        """Whether this action has hooks at all."""
        return self._hooks.of(self._resource.model.name, action) is not None

    async def run(
        self, action: Action, request: Request, actor: Actor, script: Script[Written], *, rows: list[New] | None = None,
        query: Query | None = None, changes: dict[str, Value] | None = None, rollback: bool = False,
    ) -> Written:  # fmt: skip
        """Run a script between its hooks, all in one transaction. `rows` and `changes` are changed in place by what
        `before` hooks do to their row.
        """
        hooks = self._hooks.of(self._resource.model.name, action)
        assert hooks is not None
        before, after = hooks
        try:
            async with self._database.transaction(request.trace) as transaction:
                call = self._make_call(request)
                call.data = call.data.inside(transaction)
                if rows is not None:
                    await self._before_create(rows, before, call, actor)
                elif query is not None:
                    await self._before_change(query, changes, before, call, transaction)
                written = await transaction.run(script)
                await self._after(written, after, call, action)
                if rollback:
                    raise _Takeback(written)
                return written
        except _Takeback as taken_back:
            return taken_back.written

    async def _before_create(self, rows: list[New], before: Sequence[Hook], call: Call, actor: Actor) -> None:
        if not before:
            return
        for at, (values, guarded) in enumerate(rows):
            row = self._make(tuple(values))
            for hook in before:
                await hook(row, call)
            rows[at] = (self._book.resource.intake.convert_all(given_by(row, self._fields), actor), guarded)

    async def _before_change(
        self, query: Query, changes: dict[str, Value] | None, before: Sequence[Hook], call: Call, transaction: Transaction
    ) -> None:
        stored = await transaction.run(self._stored(query, call.actor))
        for current in stored if before else ():
            values = [
                changes.get(field.name, value) if changes else value for field, value in zip(self._fields, current, strict=True)
            ]
            row = self._make(tuple(values))
            for hook in before:
                await hook(row, call)
            if changes is None:
                continue
            after = self._book.resource.intake.convert_all(given_by(row, self._fields), call.actor)
            edited = {field.name: new for field, old, new in zip(self._fields, values, after, strict=True) if old != new}
            if edited and query.shape.key is None:
                raise Problem(INVALID_BODY, "a hook changes these rows one by one", hint="change them by their key")
            changes.update(edited)

    def _stored(self, query: Query, actor: Actor) -> Script[list[Row]]:
        """The stored columns of the rows that a query is about, as they are now: found with the rights of the actor,
        read with those of the server.
        """
        key = self._resource.model.key.name
        shape = Shape(picks=(Pick(key),), where=query.shape.where, key=query.shape.key)
        reading = self._resource.reading(shape, actor)
        found = yield Command(reading.text, reading.prepared.bind(query.values, actor.id))
        whole = self._book.resource.reading(Shape(picks=tuple([Pick(field.name) for field in self._fields]), key=0), actor)
        rows: list[Row] = []
        for row in found:
            rows += yield Command(whole.text, whole.prepared.bind([str(row[0])]))
        return rows

    async def _after(self, written: Written, after: Sequence[Hook], call: Call, action: Action) -> None:
        if not after:
            return
        for key in written.keys:
            row: object = key
            if action != "delete":
                row = await call.data.get(cast("type[Model]", self._resource.model.cls), key)
            for hook in after:
                await hook(row, call)
