"""From a query string to a compiled reading and its parameters: the quick way and the first time.

In: a query string of the REST grammar and an actor. Out: a `Reading` of the resource layer and the values to bind.

Building a statement takes a millisecond, looking one up a microsecond; so a query string is first scanned for its
textual key (the string without its simple values), and a key that was seen before leads straight to the reading and to
the places where the values go. Only an unknown key is parsed by the grammar. Strangers choose the keys, so the cache is
bounded; the resource layer keeps a second one by shape, so that two spellings of one shape share one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from pellucid.api.filters import LIMITS, QueryLimits, parse_with_origins, scan
from pellucid.plan.query import Query
from pellucid.resource.bounded import Bounded
from pellucid.resource.resource import Reading, Resource, Template
from pellucid.schema.rules import NOBODY, Actor

__all__ = ["Amend", "Lookup", "Warm", "as_asked", "by_key"]

Amend = Callable[[Query], Query]
"""May change a parsed query before it is compiled: values are only ever added at the end."""


class Warm(msgspec.Struct, frozen=True, gc=False):
    """What a textual key leads to: the reading, where its values come from, and the query as it was first parsed."""

    reading: Reading
    template: Template
    query: Query
    origins: tuple[int | None, ...]
    offset: int = -1
    """The scanned text that is the offset, or -1: then it is `skipped`, as for `limit` and `most`."""
    limit: int = -1
    skipped: int = 0
    most: int = 0

    def full(self, texts: Sequence[str]) -> list[str]:
        """All texts of the query in the order of its slots."""
        return [text if origin is None else texts[origin] for text, origin in zip(self.query.values, self.origins, strict=True)]


class Lookup:
    """The query strings of one resource. `amend` completes a parsed query (an implicit limit, the key of a path)."""

    def __init__(self, resource: Resource, amend: Amend, limits: QueryLimits = LIMITS, most: int = 1024) -> None:
        self._resource = resource
        self._limits = limits
        self._amend = amend
        self._known: Bounded[object, Warm] = Bounded(most)

    def find(self, query_string: str, actor: Actor = NOBODY, lead: Sequence[str] = ()) -> tuple[Warm, list[str]]:
        """The way to answer a query string, and the texts to bind. `lead` are texts that come before the scanned ones
        (the key of a path).

        Raises a Problem of the 3xx range for a query that cannot be understood, of the 6xx range for one that is not
        allowed.
        """
        scanned = scan(query_string, self._limits.length) if query_string else ("", [])
        key, values = scanned if scanned is not None else (query_string, [])
        name: object = key if actor is NOBODY else (key, actor.kind)
        warm = self._known.get(name)
        if warm is None:
            warm = self._learn(query_string, actor, len(lead))
            self._known[name] = warm
        return warm, [*lead, *values] if lead else values

    def _learn(self, query_string: str, actor: Actor, lead: int) -> Warm:
        parsed, found = parse_with_origins(self._resource.model.name, query_string, limits=self._limits)
        query = self._amend(parsed)
        origins = [None if origin is None else origin + lead for origin in found]
        # What the amendment added: first the texts that lead, then constants.
        added = len(query.values) - len(parsed.values)
        origins += [at if at < lead else None for at in range(added)]
        reading = self._resource.reading(query.shape, actor)
        offset, skipped = _page(query, origins, query.shape.offset)
        limit, most = _page(query, origins, query.shape.limit)
        return Warm(
            reading, reading.prepared.template(query.values, origins), query, tuple(origins), offset, limit, skipped, most
        )


def _page(query: Query, origins: Sequence[int | None], slot: int | None) -> tuple[int, int]:
    """Where a number of the page comes from: (position among the scanned texts or -1, the constant)."""
    if slot is None:
        return -1, 0
    origin = origins[slot]
    return (-1, int(query.values[slot])) if origin is None else (origin, 0)


def as_asked(query: Query) -> Query:
    """Nothing is added: trusted code sets its own limits."""
    return query


def by_key(query: Query) -> Query:
    """The one row whose key is bound in a slot of its own, after the query's values."""
    shape = msgspec.structs.replace(query.shape, key=len(query.values))
    return msgspec.structs.replace(query, shape=shape, values=(*query.values, ""))
