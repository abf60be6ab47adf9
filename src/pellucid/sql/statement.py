"""A Statement: SQL text, where its values come from, and what its rows hold. Made once per shape, then only looked
up.

Light: no SQLAlchemy here, so the warm path can import it. `sql/read.py` and `sql/write.py` make what is here,
`resource` runs it:

    prepared.statement.text                       the SQL, with positional parameters
    prepared.bind(values, actor_id, row)          texts of the query's slots -> values for the database
    prepared.row_binder(columns)                  rows of a write -> values for the database
    prepared.template(query_values, origins)      the same for one scan key: constants are converted once
        .bind(scanned, actor_id) -> list of values
    prepared.statement.columns, .hidden           what a row holds: shown columns, then hidden ones
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

    A row holds `columns`, then what is hidden: a cursor's sort keys (`cursors` many), the count of all rows
    (`counts`), or the primary key of a written row (`keyed`).
    """

    text: str
    params: tuple[Param, ...] = ()
    columns: tuple[Column, ...] = ()
    cursors: int = 0
    counts: bool = False
    keyed: bool = False

    @property
    def hidden(self) -> int:
        """How many columns at the end of each row are not shown."""
        return self.cursors + self.counts + self.keyed


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
        return Template(tuple(steps))

    def cursor(self, row: Sequence[Stored]) -> str:
        """The cursor that continues after this row; only where the shape asked for one."""
        end = len(row) - self.statement.counts
        return encode_cursor(self.tag, row[end - self.statement.cursors : end])


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
_Step = tuple["Convert | None", int, "Stored"]


class Template:
    """The binding of one scan key: for each parameter a conversion of a scanned value, the actor's id, or a constant."""

    __slots__ = ("_plain", "_steps")

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        self._steps = steps
        # The usual case has no cursor and no actor: two branches less per value.
        plain = all(at != _ACTOR and (convert is None or part == -1) for convert, at, part in steps)
        self._plain: tuple[tuple[Callable[[str], Stored] | None, int, Stored], ...] | None = (
            tuple([(convert, at, part) for convert, at, part in steps]) if plain else None  # type: ignore[misc]
        )

    def bind(self, scanned: Sequence[str], actor_id: int | str | None = None) -> list[Stored]:
        """The values of the statement's parameters. Raises BAD_FILTER_VALUE, BAD_CURSOR."""
        if self._plain is not None:
            return [value if convert is None else convert(scanned[at]) for convert, at, value in self._plain]
        out: list[Stored] = []
        for convert, at, part in self._steps:
            if convert is not None:
                value = convert(scanned[at])
                out.append(value[int(part or 0)] if isinstance(value, tuple) else value)
            else:
                out.append(actor_id if at == _ACTOR else part)
        return out
