"""A Statement: SQL text, where its values come from, and what its rows hold; made once per shape, then looked up.

Light: no SQLAlchemy here, so the warm path can import it. `sql/read.py` and `sql/write.py` make what is here,
`resource` runs it:

    prepared.statement.text                       the SQL, with positional parameters
    prepared.bind(values, actor_id, row)          texts of the query's slots -> values for the database
    prepared.row_binder(columns)                  rows of a write -> values for the database
    prepared.template(query_values, origins)      the same for one scan key: constants are converted once
        .bind(scanned, actor_id) -> the values
    prepared.statement.columns, .hidden           what a row holds: shown columns, then hidden ones
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from pellucid.plan.cursor import encode_cursor
from pellucid.plan.values import Convert
from pellucid.schema.spec import FieldSpec
from pellucid.schema.types import Stored

__all__ = ["Column", "Param", "Prepared", "Source", "Statement", "Template"]


class Source(enum.Enum):
    """Where the value of a positional parameter comes from."""

    SLOT = "slot"
    CURSOR = "cursor"
    """Part `part` of the cursor in a slot."""
    ACTOR = "actor"
    """The id of the account that asks."""
    FIELD = "field"
    """A field of the row that is written."""
    CONSTANT = "constant"


class Param(msgspec.Struct, frozen=True):
    """One positional parameter."""

    source: Source
    slot: int = -1
    part: int = -1
    name: str = ""
    value: Stored = None


class Column(msgspec.Struct, frozen=True):
    """One shown column: its name in the answer, and the field whose form it has; no field: JSON text made by the database."""

    name: str
    field: FieldSpec | None = None


class Statement(msgspec.Struct, frozen=True):
    """SQL for one dialect.

    A row holds `columns`, then what is hidden: sort keys that no column shows (`sorts` many), the count of all rows
    (`counts`), or the primary key of a written row (`keyed`). `cursors` says where in a row each sort key stands.
    """

    text: str
    params: tuple[Param, ...] = ()
    columns: tuple[Column, ...] = ()
    cursors: tuple[int, ...] = ()
    sorts: int = 0
    counts: bool = False
    keyed: bool = False

    @property
    def hidden(self) -> int:
        """How many columns at the end of each row are not shown."""
        return self.sorts + self.counts + self.keyed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with the conversions of its slots. `count` answers the exact number where a page has no row to carry it."""

    statement: Statement
    converters: tuple[Convert, ...] = ()
    tag: int = 0
    count: Statement | None = None

    def bind(
        self,
        values: Sequence[str] = (),
        actor_id: int | str | None = None,
        row: Mapping[str, Stored] | None = None,
        *,
        count: bool = False,
    ) -> list[Stored]:
        """The values of the statement's parameters (of `self.count` where `count`). Raises BAD_FILTER_VALUE, BAD_CURSOR."""
        slots = [convert(text) for convert, text in zip(self.converters, values, strict=False)]
        statement = self.count if count else self.statement
        assert statement is not None
        return [_take(param, slots, actor_id, row) for param in statement.params]

    def row_binder(self, columns: Sequence[str]) -> Callable[[Sequence[Stored], int | str | None], Sequence[Stored]]:
        """Binds rows of values, in the order of `columns`, to a statement without slots; a row that fits passes as it is."""
        params = self.statement.params
        if [param.name for param in params] == list(columns) and all(param.source is Source.FIELD for param in params):
            return lambda row, _: row
        places = [columns.index(param.name) if param.source is Source.FIELD else -1 for param in params]
        constants = [param.value for param in params]
        actors = [param.source is Source.ACTOR for param in params]
        steps = list(zip(places, actors, constants, strict=True))
        return lambda row, actor_id: [row[at] if at >= 0 else actor_id if actor else value for at, actor, value in steps]

    def template(self, values: Sequence[str], origins: Sequence[int | None]) -> Template:
        """Prepare for all requests of one scan key; see `api/filters.py`. Constants are checked here, once."""
        constants: list[Stored | tuple[Stored, ...]] = [
            None if origin is not None else convert(text)
            for convert, text, origin in zip(self.converters, values, origins, strict=False)
        ]
        steps: list[_Step] = []
        for param in self.statement.params:
            origin = origins[param.slot] if param.slot >= 0 else None
            if origin is not None:
                steps.append((self.converters[param.slot], origin, param.part))
            elif param.source is Source.ACTOR:
                steps.append((None, _ACTOR, None))
            else:
                steps.append((None, _CONSTANT, _take(param, constants, None, None)))
        return Template(steps)

    def cursor(self, row: Sequence[Stored]) -> str:
        """The cursor that continues after this row; only where the shape asked for one."""
        return encode_cursor(self.tag, [row[at] for at in self.statement.cursors])


def _take(
    param: Param, slots: Sequence[Stored | tuple[Stored, ...]], actor_id: int | str | None, row: Mapping[str, Stored] | None
) -> Stored:
    match param.source:
        case Source.CONSTANT:
            return param.value
        case Source.ACTOR:
            return actor_id
        case Source.FIELD:
            assert row is not None
            return row[param.name]
        case Source.SLOT | Source.CURSOR:
            value = slots[param.slot]
            return value[param.part] if isinstance(value, tuple) else value


_CONSTANT, _ACTOR = -1, -2
_Step = tuple[Convert | None, int, Stored]
"""A conversion with the index of the scanned value, or a constant; last the part of a cursor, or the constant itself."""


class Bind(Protocol):
    """Scanned texts, and the id of the account that asks, to the values of a statement's parameters."""

    def __call__(self, scanned: Sequence[str], actor_id: int | str | None = None) -> Sequence[Stored]: ...


class Template:
    """The binding of one scan key: for each parameter a conversion of a scanned value, the actor's id, or a constant.

    `bind(scanned, actor_id)` gives the values of the statement's parameters. Raises BAD_FILTER_VALUE, BAD_CURSOR.
    """

    __slots__ = ("bind",)

    def __init__(self, steps: Sequence[_Step]) -> None:
        cursor = any(convert is not None and part != -1 for convert, _, part in steps)
        self.bind: Bind = _interpreted(steps) if cursor else _compiled(steps)


def _compiled(steps: Sequence[_Step]) -> Bind:
    """A tuple expression, half as long as a loop over the steps. Its source holds numbers of ours, and nothing of a caller's."""
    names: dict[str, object] = {}
    items: list[str] = []
    for number, (convert, at, constant) in enumerate(steps):
        names[f"n{number}"] = constant if convert is None else convert
        items.append("actor_id" if at == _ACTOR else f"n{number}" if convert is None else f"n{number}(scanned[{at}])")
    source = f"lambda scanned, actor_id=None: ({''.join(f'{item}, ' for item in items)})"
    bind: Bind = eval(source, names)  # noqa: S307
    return bind


def _interpreted(steps: Sequence[_Step]) -> Bind:
    """The same for statements with a cursor, whose one text gives several values."""

    def bind(scanned: Sequence[str], actor_id: int | str | None = None) -> Sequence[Stored]:
        taken: dict[int, Stored | tuple[Stored, ...]] = {}
        out: list[Stored] = []
        for convert, at, part in steps:
            if convert is None:
                out.append(actor_id if at == _ACTOR else part)
                continue
            if at not in taken:
                taken[at] = convert(scanned[at])
            value = taken[at]
            out.append(value[part] if isinstance(value, tuple) and isinstance(part, int) else value)  # type: ignore[arg-type]
        return out

    return bind
