"""A Query: what is asked of a model. Its **shape** is the query without the values.

In: names as the caller wrote them. Out: frozen, hashable data. Nothing is checked against the models here: that is
`plan/resolve.py`. Values stand apart in a tuple, and a shape refers to them by position (a **slot**), so that two
queries that differ in values only have equal shapes and share one compiled statement.
"""

from __future__ import annotations

import msgspec

from pellucid.errors import UNSUPPORTED_OPERATOR, Problem

__all__ = ["AGGREGATES", "OPERATORS", "Compare", "Embed", "Exists", "Group", "Order", "Pick", "Query", "Shape", "no_aggregate"]

OPERATORS: dict[str, str] = {
    "eq": "equals",
    "neq": "differs from",
    "gt": "greater than",
    "gte": "greater than or equal",
    "lt": "less than",
    "lte": "less than or equal",
    "like": "matches the pattern, * for any text",
    "ilike": "like, ignoring case",
    "in": "is one of (a,b,c)",
    "is": "is null, not_null, true, false or unknown",
    "isdistinct": "differs from, null counted as a value",
}
"""The operators that mean the same on every database, with what they say."""

AGGREGATES = frozenset({"avg", "count", "max", "min", "sum"})
"""PostgREST's aggregates, none of which is offered; `no_aggregate` says so."""


def no_aggregate(word: str) -> Problem:
    """How `price.sum()`, `sum(price)` and `count()` are refused."""
    return Problem(
        UNSUPPORTED_OPERATOR,
        f"select: the aggregate '{word}()' is not offered",
        hint="'Prefer: count=exact' counts rows; an endpoint of your own answers sums",
    )


class Compare(msgspec.Struct, frozen=True):
    """One condition: `column` (with an optional JSON path) `op` the values in `slots`.

    `quantifier` is `any` or `all` for `like(any).{a,b}`. For `is` the word itself is part of the shape (`word`),
    since it changes the SQL.
    """

    column: str
    op: str
    slots: tuple[int, ...] = ()
    negate: bool = False
    path: tuple[str, ...] = ()
    quantifier: str | None = None
    word: str | None = None
    text: bool = False
    """`->>` at the end of the path: compared as text, not as the JSON value it is."""


class Group(msgspec.Struct, frozen=True):
    """Conditions joined by `and` or `or`, perhaps negated."""

    joint: str
    parts: tuple[Compare | Group | Exists, ...]
    negate: bool = False


class Exists(msgspec.Struct, frozen=True):
    """A condition on an embed as a whole: `lines=not.is.null` keeps rows that have at least one."""

    relation: str
    negate: bool = False
    """True where no related row may exist (`is.null`)."""


class Pick(msgspec.Struct, frozen=True):
    """One column of the answer, under `alias` where given; `path` digs into JSON."""

    column: str
    alias: str | None = None
    path: tuple[str, ...] = ()
    text: bool = False
    """`->>` at the end of the path: as text, not as JSON."""
    cast: str | None = None


class Order(msgspec.Struct, frozen=True):
    """One sort key. `relation` sorts by a column of a to-one relation (`order=country(name)`)."""

    column: str
    descending: bool = False
    nulls: str | None = None
    """`first`, `last`, or None: nulls last ascending, first descending, as PostgreSQL does, on every database."""
    relation: str | None = None
    path: tuple[str, ...] = ()
    text: bool = False


class Shape(msgspec.Struct, frozen=True):
    """A query without its values.

    `picks` of None is every visible column, and so is a pick of `*` among others. `limit`, `offset` are slots.
    `after` is the slot of a cursor: an opaque text (`plan/cursor.py`) that holds one value for each sort key, the
    primary key last. `cursor` asks for the sort keys of each row, to make the next cursor. `count` asks for the exact
    number of rows. `key` is the slot of a primary key (`/api/cities/5`).
    """

    picks: tuple[Pick, ...] | None = None
    embeds: tuple[Embed, ...] = ()
    where: Group | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None
    after: int | None = None
    cursor: bool = False
    count: bool = False
    key: int | None = None


class Embed(msgspec.Struct, frozen=True):
    """A relation nested into each row, with a shape of its own (its slots point into the same values).

    `hint` names the foreign key field or the through model where several relations would do; `inner` drops rows
    without any; `spread` lifts a to-one relation's columns into the row.
    """

    relation: str
    shape: Shape = Shape()
    alias: str | None = None
    hint: str | None = None
    inner: bool = False
    spread: bool = False


class Query(msgspec.Struct, frozen=True):
    """A shape and its values, texts as the caller wrote them; the compiled statement converts each to its column's
    type.
    """

    model: str
    shape: Shape
    values: tuple[str, ...] = ()
