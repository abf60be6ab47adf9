"""Conditions to WHERE: the one place where filters, access rules, related rows and cursors become SQL.

In: parts of a Plan and the alias of the table they speak about. Out: SQLAlchemy conditions, every value bound. It
makes no statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from pellucid.plan.plan import Branch, Column, Condition, Has, Joined, Level, SortKey, Test
from pellucid.schema.rules import AllOf, AnyOf, Anyone, Owner, Rule
from pellucid.schema.spec import FieldSpec, Kind, ModelSpec, RelationKind
from pellucid.schema.types import alchemy_type
from pellucid.sql.compile import Binds
from pellucid.sql.words import Expression, Words, number

__all__ = ["Predicates", "column_type"]

Condition_ = ColumnElement[bool]

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_][A-Za-z0-9_.]*|.", re.DOTALL)


def column_type(field: FieldSpec) -> Any:
    """The SQLAlchemy type of a field's stored value."""
    return getattr(sa, alchemy_type(field))()


class Predicates:
    """Conditions of one statement: they share its bind parameters and its numbering of aliases."""

    def __init__(self, metadata: sa.MetaData, dialect: str) -> None:
        self.metadata = metadata
        self.binds = Binds()
        self.words = Words(dialect, self.binds.constant)
        self._aliases = 0

    def alias(self, model: ModelSpec) -> FromClause:
        """The model's table under a name that is new in this statement."""
        self._aliases += 1
        return self.metadata.tables[model.table].alias(f"t{self._aliases - 1}")

    # columns --------------------------------------------------------------------------------------------------------

    def stored(self, field: FieldSpec, table: FromClause) -> Expression:
        """The stored value of a field; a computed one is its expression over this table's columns."""
        if field.computed is None:
            return table.c[field.name]
        return sa.literal_column(f"({_qualify(field.computed, table)})", column_type(field))

    def column(self, column: Column, table: FromClause, *, show: bool = False) -> Expression:
        """A column as an answer shows it (`show`: JSON stays JSON) or as conditions see it; null where its mask says no."""
        value = self.stored(column.field, table)
        if column.path:
            value = self.words.json_path(value, column.path, show=show and column.cast is None, text=column.text)
        if column.cast is not None:
            value = self.words.cast(value, column.field, bool(column.path), Kind(column.cast))
        if column.mask is not None:
            value = sa.case((self.rule(column.mask, table), value))
        return value

    # rules ----------------------------------------------------------------------------------------------------------

    def rule(self, rule: Rule, table: FromClause, instead: Mapping[str, Expression] | None = None) -> Condition_:
        """What is left of an access rule. `instead`: values that stand for columns, to ask about a row yet to be written."""
        match rule:
            case Anyone():
                return sa.true()
            case Owner(field=name):
                value = (instead or {}).get(name)
                column = table.c[name]
                return (column if value is None else value) == self.binds.actor(column.type)
            case AnyOf(parts=parts):
                return sa.or_(*[self.rule(part, table, instead) for part in parts])
            case AllOf(parts=parts):
                return sa.and_(*[self.rule(part, table, instead) for part in parts])
            case _:
                return sa.false()

    # filters --------------------------------------------------------------------------------------------------------

    def condition(self, condition: Condition, table: FromClause) -> Condition_:
        """A filter over one table, its embeds' filters included."""
        match condition:
            case Joined(joint=joint, parts=parts, negate=negate):
                inner = [self.condition(part, table) for part in parts]
                whole: Condition_ = sa.or_(sa.false(), *inner) if joint == "or" else sa.and_(sa.true(), *inner)
            case Has(branch=branch, negate=negate):
                whole = self.exists(branch, table)
            case Test(negate=negate):
                whole = self._test(condition, table)
        return sa.not_(whole.self_group()) if negate else whole

    def _test(self, test: Test, table: FromClause) -> Condition_:
        value = self.column(test.column, table)
        # A value inside JSON has no column type to lend its parameter.
        type_ = sa.Text() if test.column.path else column_type(test.column.field)
        if test.op == "is":
            return _is(value, test.word)
        given = [self.binds.slot(slot, type_) for slot in test.slots]
        if test.op == "in":
            return value.in_(given) if given else sa.false()
        if test.quantifier is not None:
            each = [self._compare(value, test.op, one) for one in given]
            return sa.or_(sa.false(), *each) if test.quantifier == "any" else sa.and_(sa.true(), *each)
        return self._compare(value, test.op, given[0])

    def _compare(self, value: Expression, op: str, given: Expression) -> Condition_:
        match op:
            case "eq":
                return value == given
            case "neq":
                return value != given
            case "gt":
                return value > given
            case "gte":
                return value >= given
            case "lt":
                return value < given
            case "lte":
                return value <= given
            case "isdistinct":
                return value.is_distinct_from(given)
            case _:
                return self.words.like(value, given, ignore_case=op == "ilike")

    # related rows ---------------------------------------------------------------------------------------------------

    def link(self, branch: Branch, here: FromClause, there: FromClause) -> Condition_:
        """What joins a row of `there` to the row of `here`, the middle rows of a many-to-many with their own rule."""
        relation = branch.relation
        match relation.kind:
            case RelationKind.TO_ONE:
                assert relation.local is not None
                return there.c[branch.level.model.key.name] == here.c[relation.local]
            case RelationKind.TO_MANY:
                assert relation.remote is not None
                return there.c[relation.remote] == here.c[_key(here)]
            case RelationKind.MANY_TO_MANY:
                assert branch.through is not None
                assert relation.remote is not None
                assert relation.far is not None
                middle = self.alias(branch.through)
                rows = sa.select(middle.c[relation.far]).where(middle.c[relation.remote] == here.c[_key(here)])
                if branch.through_rule is not None:
                    rows = rows.where(self.rule(branch.through_rule, middle))
                # IN, not a join: a pair that is linked twice still counts once.
                return there.c[branch.level.model.key.name].in_(rows.correlate_except(middle))

    def matches(self, level: Level, table: FromClause) -> list[Condition_]:
        """All that a row of a level must fulfil: its rule, its filters, its inner embeds."""
        conditions: list[Condition_] = []
        if level.rule is not None:
            conditions.append(self.rule(level.rule, table))
        if level.where is not None:
            conditions.append(self.condition(level.where, table))
        conditions += [self.exists(branch, table) for branch in level.branches if branch.inner]
        return conditions

    def exists(self, branch: Branch, here: FromClause) -> Condition_:
        """Some related row matches."""
        there = self.alias(branch.level.model)
        conditions = (self.link(branch, here, there), *self.matches(branch.level, there))
        return sa.select(number(1)).select_from(there).where(*conditions).correlate_except(there).exists()

    # order and cursors ----------------------------------------------------------------------------------------------

    def sort_value(self, key: SortKey, table: FromClause) -> Expression:
        """The value that a key sorts by, perhaps of a related row."""
        if key.branch is None:
            return self.column(key.column, table)
        there = self.alias(key.branch.level.model)
        conditions = (self.link(key.branch, table, there), *self.matches(key.branch.level, there))
        return sa.select(self.column(key.column, there)).where(*conditions).correlate_except(there).scalar_subquery()

    def order(self, keys: Sequence[SortKey], table: FromClause) -> list[Expression]:
        """The ORDER BY of a level."""
        out: list[Expression] = []
        for key in keys:
            value = self.sort_value(key, table)
            out += self.words.ordered(value, descending=key.descending, nulls_first=key.nulls_first, nullable=key.nullable)
        return out

    def after(self, keys: Sequence[SortKey], slot: int, table: FromClause) -> Condition_:
        """The rows behind a cursor: later in the first key, or equal there and later in the next, and so on.

        With `first >= cursor` in front where the first key is never null, so that an index finds the place to start.
        """
        whole: Condition_ | None = None
        for part, key in reversed(list(enumerate(keys))):
            value = self.sort_value(key, table)
            given = self.binds.cursor(slot, part, sa.Text() if key.column.path else column_type(key.column.field))
            later = value < given if key.descending else value > given
            if key.nullable and key.nulls_first:
                later = sa.or_(later, sa.and_(given.is_(None), value.is_not(None)))
            elif key.nullable:
                later = sa.or_(later, sa.and_(given.is_not(None), value.is_(None)))
            if whole is None:
                whole = later
                continue
            equal = value.is_not_distinct_from(given) if key.nullable else value == given
            whole = sa.or_(later, sa.and_(equal, whole))
            if part == 0 and not key.nullable:
                whole = sa.and_(value <= given if key.descending else value >= given, whole)
        assert whole is not None
        return whole


def _is(value: Expression, word: str | None) -> Condition_:
    match word:
        case "null" | "unknown":
            return value.is_(None)
        case "not_null":
            return value.is_not(None)
        case _:
            return value.is_not_distinct_from(number(1 if word == "true" else 0))


def _key(table: FromClause) -> str:
    return next(iter(table.primary_key)).key


def _qualify(expression: str, table: FromClause) -> str:
    """A computed field's SQL with its column names tied to this alias; texts and quoted names stay as they are."""
    if not isinstance(table, sa.Alias):
        return expression
    tokens = _TOKEN.findall(expression)
    return "".join(f"{table.name}.{token}" if token in table.c else token for token in tokens)
