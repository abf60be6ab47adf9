"""From a query string to a compiled reading and its parameters: the quick way and the first time.

In: a query string of the REST grammar and an actor. Out: a `Reading` of the resource layer and the values to bind.

Building a statement takes a millisecond, looking one up a microsecond; so a query string is first scanned for its textual key (the
string without its simple values), and a key that was seen before leads straight to the reading and to the places where the values go. Only an
unknown key is parsed by the grammar. Strangers choose the keys, so the cache is bounded; the resource layer keeps a second one by shape, so
that two spellings of one shape share one statement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pellucid.api.filters import QueryLimits, parse_with_origins, scan
from pellucid.db.database import Value
from pellucid.plan.query import Query, Shape
from pellucid.resource.resource import Reading, Resource
from pellucid.schema.rules import NOBODY, Actor

__all__ = ["Lookup", "Warm"]

Convert = Callable[[str], Value]
Amend = Callable[[Query], Query]


class Warm(msgspec.Struct, frozen=True, gc=False):
    """What a textual key leads to: a reading, the parameters that never vary under this key, and where the scanned values go."""

    reading: Reading
    fixed: tuple[Value, ...]
    holes: tuple[tuple[int, int, Convert], ...]
    """(position among the parameters, position among the scanned values, text to storage value)."""
    query: Query

    def bind(self, values: list[str]) -> tuple[Value, ...]:
        """The parameters of the statement for these scanned values. Raises BAD_FILTER_VALUE."""
        parameters = list(self.fixed)
        for at, source, convert in self.holes:
            parameters[at] = convert(values[source])
        return tuple(parameters)


class Lookup:
    """The query strings of one resource. `amend` may change a parsed query before it is compiled (an implicit limit, a key)."""

    def __init__(self, resource: Resource, limits: QueryLimits, amend: Amend, most: int = 1024) -> None:
        self._resource = resource
        self._limits = limits
        self._amend = amend
        self._most = most
        self._known: dict[Any, Warm] = {}

    def find(self, query_string: str, actor: Actor, lead: tuple[str, ...] = ()) -> tuple[Warm, tuple[Value, ...]]:
        """The reading and parameters of a query string. `lead` are values that come before the scanned ones (the key of a path).

        Raises a Problem of the 3xx range for a query that cannot be understood, of the 6xx range for one that is not allowed.
        """
        scanned = scan(query_string)
        key, values = scanned if scanned is not None else (query_string, [])
        name: Any = key if actor is NOBODY else (key, actor.kind)
        warm = self._known.get(name)
        if warm is None:
            warm = self._learn(query_string, actor, name, len(lead))
        if lead:
            values = [*lead, *values]
        if actor is NOBODY or not warm.reading.personal:
            return warm, warm.bind(values)
        return warm, warm.reading.personalize(warm.bind(values), actor)

    def _learn(self, query_string: str, actor: Actor, name: Any, lead: int) -> Warm:
        parsed, origins = parse_with_origins(self._resource.model.name, query_string, limits=self._limits)
        query = self._amend(parsed)
        # An amended query only ever gets more values at the end: those have no origin in the query string.
        sources: list[int | None] = [None if origin is None else origin + lead for origin in origins]
        extra = query.values[len(sources) :]
        sources += [at if at < lead else None for at in range(len(extra))] if lead else [None] * len(extra)
        reading = self._resource.reading(query.shape, actor)
        fixed: list[Value] = []
        holes: list[tuple[int, int, Convert]] = []
        for at, slot in enumerate(reading.slots):
            fixed.append(None)
            if not isinstance(slot, int):
                continue
            source, convert = sources[slot], reading.converters[slot]
            if source is None:
                fixed[at] = convert(query.values[slot])
            else:
                holes.append((at, source, convert))
        warm = Warm(reading, tuple(fixed), tuple(holes), query)
        if len(self._known) >= self._most:
            # The oldest half goes at once: a stranger who sends ever new keys costs one pass per 512 of them.
            for old in list(self._known)[: self._most // 2]:
                del self._known[old]
        self._known[name] = warm
        return warm


def with_key(shape: Shape, slot: int) -> Shape:
    """The shape that asks for one row by its primary key, bound in `slot`."""
    return msgspec.structs.replace(shape, key=slot)
