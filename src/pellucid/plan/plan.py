"""A Plan: a query resolved against the models, with the access rules attached.

Made by `plan/resolve.py`, read by `sql/*`. Frozen data: names have become `FieldSpec`s and `RelationSpec`s, rules
have become what can only be decided row by row (owners), defaults are spelled out. It holds no values (they stay in
numbered slots), no SQL and no HTTP.
"""

from __future__ import annotations

import enum

import msgspec

from pellucid.schema.rules import Rule
from pellucid.schema.spec import FieldSpec, ModelSpec, RelationSpec

__all__ = [
    "Branch",
    "Column",
    "Condition",
    "Has",
    "Joined",
    "Level",
    "Output",
    "ReadPlan",
    "SlotType",
    "SortKey",
    "Test",
    "Use",
    "WritePlan",
]


class Use(enum.Enum):
    """What a slot's text stands for."""

    VALUE = "value"
    """A value of `field`."""
    PATTERN = "pattern"
    IPATTERN = "ipattern"
    """A pattern of `ilike`, which a database may need in another form."""
    JSON = "json"
    """A value inside a JSON document: a JSON literal, else text."""
    TEXT = "text"
    LIMIT = "limit"
    OFFSET = "offset"
    CURSOR = "cursor"
    """An opaque cursor: gives one stored value for each sort key."""


class SlotType(msgspec.Struct, frozen=True):
    """What a slot holds: enough to convert its text (`plan/values.py`)."""

    use: Use
    field: FieldSpec | None = None


class Column(msgspec.Struct, frozen=True):
    """A field of the model at hand, perhaps a path into its JSON, perhaps cast.

    `mask` is what its read rule leaves to the row: where it says no, the column is null, in answers and in conditions
    alike.
    """

    field: FieldSpec
    path: tuple[str, ...] = ()
    text: bool = False
    cast: str | None = None
    mask: Rule | None = None


class Test(msgspec.Struct, frozen=True):
    """One condition on a column (see `plan.query.Compare`)."""

    column: Column
    op: str
    slots: tuple[int, ...] = ()
    negate: bool = False
    quantifier: str | None = None
    word: str | None = None


class Has(msgspec.Struct, frozen=True):
    """Related rows exist, or (`negate`) none does; the branch's own conditions and rules apply."""

    branch: Branch
    negate: bool = False


class Joined(msgspec.Struct, frozen=True):
    """Conditions joined by `and` or `or`, perhaps negated."""

    joint: str
    parts: tuple[Condition, ...]
    negate: bool = False


Condition = Test | Has | Joined


class SortKey(msgspec.Struct, frozen=True):
    """A sort key with its nulls decided. `branch` leads to the to-one relation that the column belongs to."""

    column: Column
    descending: bool = False
    nulls_first: bool = False
    branch: Branch | None = None

    @property
    def nullable(self) -> bool:
        """Whether the key can be null at all; where it cannot, an index serves the order."""
        return self.column.field.nullable or bool(self.column.path) or self.column.mask is not None or self.branch is not None


class Output(msgspec.Struct, frozen=True):
    """One column of an answer. `shown` is its type there, None for JSON that the database makes."""

    name: str
    column: Column
    shown: FieldSpec | None


class Branch(msgspec.Struct, frozen=True):
    """An embed: the relation that leads to it, and its level. `through_rule` is the read rule of a many-to-many's
    middle rows.

    A `hidden` branch filters only (`rel()`) and is not shown.
    """

    name: str
    relation: RelationSpec
    level: Level
    inner: bool = False
    spread: bool = False
    hidden: bool = False
    through: ModelSpec | None = None
    through_rule: Rule | None = None


class Level(msgspec.Struct, frozen=True):
    """One model's part of a plan. `rule` is what its read rule leaves to the row, None where nothing. `order` is total."""

    model: ModelSpec
    rule: Rule | None = None
    outputs: tuple[Output, ...] = ()
    branches: tuple[Branch, ...] = ()
    where: Condition | None = None
    order: tuple[SortKey, ...] = ()
    limit: int | None = None
    offset: int | None = None


class ReadPlan(msgspec.Struct, frozen=True):
    """A whole read. `after` and `key` are slots; `tag` says which cursors fit (`plan/cursor.py`)."""

    level: Level
    slots: tuple[SlotType, ...]
    after: int | None = None
    cursor: bool = False
    count: bool = False
    key: int | None = None
    tag: int = 0


class WritePlan(msgspec.Struct, frozen=True):
    """A whole write: which rows (as in a read), under which rules, and what comes back.

    `rule` must hold for the row as it is (update, delete), `check` for the row as it will be (create, update); None
    is always. `readable` says whether anything may come back at all.
    """

    read: ReadPlan
    rule: Rule | None = None
    check: Rule | None = None
    readable: bool = True
