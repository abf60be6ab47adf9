"""Business logic around the writes of requests: functions of the user's that run in the transaction of the write.

In: which functions the App declares, and the write at hand. Out: the same `Written` as without them. A write of a model
without hooks never comes here: it stays one script in a group of others. With hooks it holds the one writer while they
run, so they should be short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, cast

from pellucid.api.call import Call
from pellucid.api.data import Trusted
from pellucid.api.hooks import Action, Hook, Hooks
from pellucid.api.idempotency import Once
from pellucid.db.database import Command, Database, Row, Script, Transaction, Value
from pellucid.errors import INVALID_BODY, Problem
from pellucid.http.messages import Request, Response
from pellucid.plan.query import Pick, Query, Shape
from pellucid.resource.instances import given_by, instance_maker
from pellucid.resource.intake import New
from pellucid.resource.resource import Resource
from pellucid.resource.writes import Writes, Written
from pellucid.schema.model import Model
from pellucid.schema.rules import Actor

__all__ = ["Deed", "HookedWrites"]

Deed = Literal["create", "update", "delete", "replace"]
"""What a request does: a replace (PUT) is a create or an update, which is known only once the row has been looked for."""


class _Takeback(Exception):
    """Leaves a transaction without committing it, with the result that it had."""

    def __init__(self, response: Response) -> None:
        self.response = response


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

    def wanted(self, deed: Deed) -> bool:
        """Whether this deed may have hooks at all."""
        name = self._resource.model.name
        if deed == "replace":
            return self._hooks.of(name, "create") is not None or self._hooks.of(name, "update") is not None
        return self._hooks.of(name, deed) is not None

    async def run(
        self, deed: Deed, request: Request, actor: Actor, script: Script[Written], answer: Callable[[Written], Response], *,
        once: Once | None = None, rows: list[New] | None = None, query: Query | None = None,
        changes: dict[str, Value] | None = None, rollback: bool = False,
    ) -> Response:  # fmt: skip
        """Run a script between its hooks and answer, all in one transaction. `rows` and `changes` are changed in place
        by what `before` hooks do to their row. A request that was done `once` gets its answer and runs no hooks.
        """
        try:
            async with self._database.transaction(request.trace) as transaction:
                done = await transaction.run(once.find()) if once is not None else None
                if done is not None:
                    script.close()
                    return done
                call = self._make_call(request).inside(transaction)
                action = await self._before(deed, call, actor, transaction, rows, query, changes)
                written = await transaction.run(script)
                _, after = self._of(action)
                await self._after(written, after, call, action)
                response = answer(written)
                if once is not None:
                    await transaction.run(once.store(response))
                if rollback:
                    raise _Takeback(response)
                return response
        except _Takeback as taken_back:
            return taken_back.response

    def _of(self, action: Action) -> tuple[tuple[Hook, ...], tuple[Hook, ...]]:
        return self._hooks.of(self._resource.model.name, action) or ((), ())

    async def _before(
        self, deed: Deed, call: Call, actor: Actor, transaction: Transaction,
        rows: list[New] | None, query: Query | None, changes: dict[str, Value] | None,
    ) -> Action:  # fmt: skip
        """Run the `before` hooks of what is really done, and say what that is."""
        if deed != "replace":
            before, _ = self._of(deed)
            if rows is not None:
                await self._before_create(rows, before, call, actor)
            elif query is not None:
                await self._before_change(query, changes, before, call, transaction)
            return deed
        assert rows is not None
        assert query is not None
        action: Action = "update" if await transaction.run(self._stored(query, actor)) else "create"
        before, _ = self._of(action)
        await self._before_create(rows, before, call, actor)
        return action

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
