"""A Plan to one SELECT, embeds included.

In: a query's shape, the models, who asks. Out: a `Prepared` statement. It builds, never runs.

An embed is a scalar subquery that gives JSON: an object or null to one, an array to many, made by the database, so a
read is one statement at any depth. Columns of the first level stay plain; `resource/codec.py` makes their JSON.

    compile_read(catalog, model, shape, actor, dialect="sqlite", most=1000, lock=False) -> Prepared

`most` caps every limit, and stands where an embed or the query itself gives none (None: the query itself is
unlimited). `lock` reads rows that are about to be changed (FOR UPDATE, where a database has it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import FromClause

from pellucid.plan.cursor import cursor_type
from pellucid.plan.plan import Branch, Level, ReadPlan
from pellucid.plan.query import Shape
from pellucid.plan.resolve import resolve
from pellucid.plan.values import Convert, converter
from pellucid.schema.rules import Actor
from pellucid.schema.spec import Catalog, FieldSpec, RelationKind
from pellucid.sql.compile import compile_statement
from pellucid.sql.predicates import Predicates
from pellucid.sql.statement import Column, Prepared, Statement
from pellucid.sql.tables import tables
from pellucid.sql.words import Expression, number

__all__ = ["MOST", "columns_of", "compile_read", "converters", "paged", "read_plan"]

MOST = 1000
_UNLIMITED = 2**63 - 1


def compile_read(
    catalog: Catalog,
    model: str,
    shape: Shape,
    actor: Actor,
    dialect: str = "sqlite",
    *,
    most: int | None = MOST,
    lock: bool = False,
) -> Prepared:
    """The statement that answers a shape for this kind of actor. Raises `Problem` as `plan.resolve` does."""
    return read_plan(catalog, resolve(catalog, model, shape, actor), dialect, most=most, lock=lock)


def read_plan(
    catalog: Catalog, plan: ReadPlan, dialect: str = "sqlite", *, most: int | None = MOST, lock: bool = False
) -> Prepared:
    """The statement of a plan."""
    reading = _Reading(catalog, dialect, most)
    statement = reading.statement(plan, lock)
    count = _Reading(catalog, dialect, most).count(plan) if plan.count else None
    return Prepared(statement, converters(plan, dialect, most), plan.tag, count)


def converters(plan: ReadPlan, dialect: str, most: int | None = MOST) -> tuple[Convert, ...]:
    """The conversions of a plan's slots."""
    cursor = cursor_type(plan.tag, plan.level.order)
    cap = _UNLIMITED if most is None else most
    return tuple([converter(slot, glob=dialect == "sqlite", most=cap, cursor=cursor) for slot in plan.slots])


def columns_of(predicates: Predicates, level: Level, table: FromClause) -> tuple[list[Expression], list[Column]]:
    """The plain columns of a level, for RETURNING."""
    columns: list[Expression] = [
        predicates.column(output.column, table, show=True).label(f"c{at}") for at, output in enumerate(level.outputs)
    ]
    return columns, [Column(output.name, output.shown) for output in level.outputs]


def paged(predicates: Predicates, select: sa.Select[Any], level: Level, most: int | None) -> sa.Select[Any]:
    """Cut a level's rows to its limit and offset; `most` is the limit where it has none."""
    binds = predicates.binds
    if level.limit is not None:
        select = select.limit(binds.slot(level.limit, sa.BigInteger()))
    elif most is not None:
        select = select.limit(binds.constant(most, sa.BigInteger()))
    return select if level.offset is None else select.offset(binds.slot(level.offset, sa.BigInteger()))


@dataclass(frozen=True, slots=True)
class _Cell:
    """One column of a SELECT: its name in the answer, its expression, its field (None: JSON text)."""

    name: str
    value: Expression
    field: FieldSpec | None


class _Reading:
    """One SELECT while it is being built."""

    def __init__(self, catalog: Catalog, dialect: str, most: int | None) -> None:
        self._dialect = dialect
        self._predicates = Predicates(tables(catalog), dialect)
        self._columns = _Columns(self._predicates, most)
        self._most = most

    def statement(self, plan: ReadPlan, lock: bool) -> Statement:
        """The rows of a page, each with what is hidden at its end."""
        level, predicates = plan.level, self._predicates
        table = predicates.alias(level.model)
        cells, source = self._columns.cells(level, table, table)
        columns: list[Expression] = [cell.value.label(f"c{at}") for at, cell in enumerate(cells)]
        cursors: list[int] = []
        for key in level.order if plan.cursor else ():
            value = predicates.sort_value(key, table)
            # A key that is shown as it is need not be fetched twice.
            at = next((at for at, cell in enumerate(cells) if cell.value is value), len(columns))
            if at == len(columns):
                columns.append(value.label(f"k{at}"))
            cursors.append(at)
        sorts = len(columns) - len(cells)
        if plan.count:
            columns.append(self._counted(plan).scalar_subquery().label("n"))
        select = sa.select(*columns or [number(1)]).select_from(source).where(*self._conditions(plan, table))
        if plan.after is not None:
            select = select.where(predicates.after(level.order, plan.after, table))
        if plan.key is None:
            select = paged(predicates, select.order_by(*predicates.order(level.order, table)), level, self._most)
        if lock:
            select = select.with_for_update()
        shown = [Column(cell.name, cell.field) for cell in cells]
        return compile_statement(select, predicates.binds, self._dialect, shown, cursors, sorts, counts=plan.count)

    def count(self, plan: ReadPlan) -> Statement:
        """How many rows fit, whatever the page."""
        return compile_statement(self._counted(plan), self._predicates.binds, self._dialect, counts=True)

    def _counted(self, plan: ReadPlan) -> sa.Select[Any]:
        table = self._predicates.alias(plan.level.model)
        return sa.select(sa.func.count()).select_from(table).where(*self._conditions(plan, table)).correlate_except(table)

    def _conditions(self, plan: ReadPlan, table: FromClause) -> list[sa.ColumnElement[bool]]:
        conditions = self._predicates.matches(plan.level, table)
        if plan.key is not None:
            key = table.c[plan.level.model.key.name]
            conditions.insert(0, key == self._predicates.binds.slot(plan.key, key.type))
        return conditions


class _Columns:
    """The columns of one statement, at every depth."""

    def __init__(self, predicates: Predicates, most: int | None) -> None:
        self._predicates = predicates
        self._most = most

    def cells(self, level: Level, table: FromClause, source: FromClause) -> tuple[list[_Cell], FromClause]:
        """The columns of a level, and what they are selected from: the table, joined with the relations that are spread."""
        predicates = self._predicates
        cells = [_Cell(output.name, predicates.column(output.column, table, show=True), output.shown) for output in level.outputs]
        for branch in level.branches:
            if branch.hidden:
                continue
            if branch.spread:
                there = predicates.alias(branch.level.model)
                on = sa.and_(predicates.link(branch, table, there), *predicates.matches(branch.level, there))
                more, source = self.cells(branch.level, there, source.outerjoin(there, on))
                cells += more
            else:
                cells.append(_Cell(branch.name, self._embed(branch, table), None))
        return cells, source

    def _embed(self, branch: Branch, here: FromClause) -> Expression:
        """An embed as JSON text."""
        there = self._predicates.alias(branch.level.model)
        conditions = (self._predicates.link(branch, here, there), *self._predicates.matches(branch.level, there))
        cells, source = self.cells(branch.level, there, there)
        own = [table for table in visitors.iterate(source) if isinstance(table, sa.Alias)]
        if branch.relation.kind is RelationKind.TO_ONE:
            one = sa.select(self._object([(cell, cell.value) for cell in cells])).select_from(source).where(*conditions)
            return one.correlate_except(*own).scalar_subquery()
        # The rows are ordered and cut inside, and made into JSON outside: behind a subquery, what json_object made is text again.
        rows = sa.select(*[cell.value.label(f"c{at}") for at, cell in enumerate(cells)]).select_from(source).where(*conditions)
        rows = rows.order_by(*self._predicates.order(branch.level.order, there)).correlate_except(*own)
        rows_page = paged(self._predicates, rows, branch.level, self._most or MOST).subquery()
        each = self._object([(cell, rows_page.c[f"c{at}"]) for at, cell in enumerate(cells)])
        return sa.select(self._predicates.words.json_array(each)).select_from(rows_page).scalar_subquery()

    def _object(self, cells: list[tuple[_Cell, Expression]]) -> Expression:
        words = self._predicates.words
        return words.json_object([(cell.name, words.on_wire(value, cell.field)) for cell, value in cells])
