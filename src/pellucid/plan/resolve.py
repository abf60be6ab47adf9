"""A Query's shape, the models and the kind of actor to a Plan, or a Problem.

In: names as the caller wrote them. Out: real fields and relations, a total order, and the access rules of every model
that is touched, embeds included, reduced to what only a row can decide. What can be refused before any row is seen is
refused here: an unknown name (with near ones), an operator that does not fit its field, a model or field that this
actor may not read. Values are not looked at.

    resolve(catalog, model, shape, actor) -> ReadPlan
    resolve_write(catalog, model, shape, actor, action) -> WritePlan        action: create, update or delete

The result depends on `actor.kind` only, never on its id.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pellucid.errors import (
    BAD_FILTER_VALUE,
    BAD_QUERY,
    FORBIDDEN,
    SIGN_IN_REQUIRED,
    UNKNOWN_FIELD,
    UNKNOWN_RELATION,
    Problem,
    near,
    shorten,
)
from pellucid.plan.cursor import cursor_tag
from pellucid.plan.plan import (
    Branch,
    Column,
    Condition,
    Has,
    Joined,
    Level,
    Output,
    ReadPlan,
    SlotType,
    SortKey,
    Test,
    Use,
    WritePlan,
)
from pellucid.plan.query import AGGREGATES, Compare, Embed, Exists, Group, Order, Pick, Shape, no_aggregate
from pellucid.schema.rules import Actor, Rule, anyone, nobody, simplify
from pellucid.schema.spec import Catalog, FieldSpec, Kind, ModelSpec, RelationKind, RelationSpec
from pellucid.schema.types import storage_type

__all__ = ["Action", "admit", "resolve", "resolve_write"]

Action = Literal["create", "update", "delete"]

CASTS: dict[str, Kind] = {
    "text": Kind.STR, "varchar": Kind.STR, "int": Kind.INT, "integer": Kind.INT, "bigint": Kind.INT, "int4": Kind.INT,
    "int8": Kind.INT, "float": Kind.FLOAT, "real": Kind.FLOAT, "float4": Kind.FLOAT, "float8": Kind.FLOAT,
}  # fmt: skip
"""The casts that mean the same on every database."""

_NUMBERS = frozenset({Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.DECIMAL})
_PYTHON: dict[Kind, type] = {Kind.STR: str, Kind.INT: int, Kind.FLOAT: float}


def resolve(catalog: Catalog, model: str, shape: Shape, actor: Actor) -> ReadPlan:
    """The plan of a read.

    Raises UNKNOWN_FIELD, UNKNOWN_RELATION, BAD_QUERY, BAD_FILTER_VALUE, SIGN_IN_REQUIRED, FORBIDDEN.
    """
    return _Resolver(catalog, actor).read(catalog.models[model], shape)


def resolve_write(
    catalog: Catalog, model: str, shape: Shape, actor: Actor, action: Action, given: Collection[str] = ()
) -> WritePlan:
    """The plan of a write: `shape` says which rows (update, delete) and which columns come back.

    `given` are the fields that the caller set, whose write rules apply.
    """
    spec = catalog.models[model]
    rule = admit(spec, actor, action)
    rule = _with_fields(spec, given, rule, actor)
    resolver = _Resolver(catalog, actor)
    readable = action != "create" or simplify(spec.rules.read, actor) != nobody
    read = resolver.read(spec, shape if readable else Shape(picks=()), must_read=action != "create")
    left = None if rule == anyone else rule
    return WritePlan(read, None if action == "create" else left, None if action == "delete" else left, readable)


def admit(model: ModelSpec, actor: Actor, action: Action) -> Rule:
    """What a write's rule leaves to the row. Raises SIGN_IN_REQUIRED, FORBIDDEN where it says no whatever the row."""
    rule = simplify(getattr(model.rules, action), actor)
    if rule == nobody:
        raise _denied(actor, f"{model.name}: {_who(actor)} may not {action}")
    return rule


def _with_fields(model: ModelSpec, given: Collection[str], rule: Rule, actor: Actor) -> Rule:
    """The rule of a write with the write rules of the fields that the caller set."""
    for name in given:
        field = model.field(name)
        if field is None or field.write is None:
            continue
        own = simplify(field.write, actor)
        if own == nobody:
            raise _denied(actor, f"{model.name}: {_who(actor)} may not write '{name}'")
        rule = simplify(rule & own, actor)
    return rule


def _who(actor: Actor) -> str:
    return "without an account one" if actor.id is None else "this account"


def _denied(actor: Actor, message: str) -> Problem:
    if actor.id is None:
        return Problem(SIGN_IN_REQUIRED, message, hint="sign in, or ask the owner of this API for access")
    return Problem(FORBIDDEN, message)


class _Resolver:
    """One query on its way to a plan: the models, the actor, and the types of the slots met so far."""

    def __init__(self, catalog: Catalog, actor: Actor) -> None:
        self._catalog = catalog
        self._actor = actor
        self._slots: list[SlotType] = []

    def read(self, model: ModelSpec, shape: Shape, must_read: bool = True) -> ReadPlan:
        rule = self._read_rule(model, model.name) if must_read else None
        level = self._level(model, shape, "", rule)
        self._slot(shape.key, SlotType(Use.VALUE, model.key))
        self._slot(shape.after, SlotType(Use.CURSOR))
        return ReadPlan(
            level,
            tuple(self._slots),
            after=shape.after,
            cursor=shape.cursor,
            count=shape.count,
            key=shape.key,
            tag=cursor_tag(model.name, level.order),
        )

    # levels ---------------------------------------------------------------------------------------------------------

    def _read_rule(self, model: ModelSpec, way: str) -> Rule | None:
        """What the model's read rule leaves to the row; None where every row may be read."""
        rule = simplify(model.rules.read, self._actor)
        if rule == nobody:
            raise _denied(self._actor, f"{way}: {_who(self._actor)} may not read this")
        return None if rule == anyone else rule

    def _level(self, model: ModelSpec, shape: Shape, way: str, rule: Rule | None) -> Level:
        branches = tuple([self._branch(model, embed, way) for embed in shape.embeds])
        shown = {branch.name for branch in branches if not branch.hidden}
        outputs = self._outputs(model, shape, way, shown)
        self._check_names(outputs, branches, way)
        self._slot(shape.limit, SlotType(Use.LIMIT))
        self._slot(shape.offset, SlotType(Use.OFFSET))
        return Level(
            model,
            rule,
            outputs,
            branches,
            None if shape.where is None else self._condition(model, shape.where, branches, way),
            self._order(model, shape.order, way),
            shape.limit,
            shape.offset,
        )

    def _check_names(self, outputs: tuple[Output, ...], branches: tuple[Branch, ...], way: str) -> None:
        seen: set[str] = set()
        names = [output.name for output in outputs]
        for branch in branches:
            if branch.spread:
                names += [output.name for output in branch.level.outputs]
                names += [below.name for below in branch.level.branches if not below.hidden and not below.spread]
            elif not branch.hidden:
                names.append(branch.name)
        for name in names:
            if name in seen:
                raise Problem(BAD_QUERY, f"select: two columns are called '{way}{name}'", hint=f"rename one: other:{name}")
            seen.add(name)

    def _slot(self, slot: int | None, kind: SlotType) -> None:
        if slot is None:
            return
        while len(self._slots) <= slot:
            self._slots.append(SlotType(Use.TEXT))
        self._slots[slot] = kind

    # columns --------------------------------------------------------------------------------------------------------

    def _outputs(self, model: ModelSpec, shape: Shape, way: str, embedded: set[str]) -> tuple[Output, ...]:
        picks = (Pick("*"),) if shape.picks is None else shape.picks
        # An embed called like its foreign key takes the key's place in `*`.
        taken = embedded | {pick.alias or pick.column for pick in picks}
        outputs: list[Output] = []
        for pick in picks:
            if pick.column == "*":
                rest = [field for field in model.fields if field.visible and field.name not in taken]
                outputs += [Output(field.name, column, field) for field in rest if (column := self._readable(field)) is not None]
            else:
                outputs.append(self._output(model, pick, way))
        return tuple(outputs)

    def _readable(self, field: FieldSpec) -> Column | None:
        """The field as this actor may read it, or None."""
        if field.read is None:
            return Column(field)
        rule = simplify(field.read, self._actor)
        if rule == nobody:
            return None
        return Column(field, mask=None if rule == anyone else rule)

    def _column(self, model: ModelSpec, name: str, way: str, path: tuple[str, ...] = (), text: bool = False) -> Column:
        field = model.field(name)
        if field is None:
            known = [other.name for other in model.fields if other.visible and self._readable(other) is not None]
            raise Problem(UNKNOWN_FIELD, f"{model.name} has no field {shorten(way + name)}", hint=near(name, known))
        if not field.visible:
            raise Problem(UNKNOWN_FIELD, f"'{way}{name}' cannot be read: it is only ever written")
        column = self._readable(field)
        if column is None:
            raise _denied(self._actor, f"'{way}{name}': {_who(self._actor)} may not read this")
        if path and field.kind is not Kind.JSON:
            raise Problem(
                BAD_QUERY, f"'{way}{name}' is of type {field.kind.value}, so it has no '->' inside", hint="only JSON fields have"
            )
        return Column(field, path, text, mask=column.mask)

    def _output(self, model: ModelSpec, pick: Pick, way: str) -> Output:
        column = self._column(model, pick.column, way, pick.path, pick.text)
        field, name = column.field, pick.alias or pick.column
        if pick.cast is not None:
            kind = CASTS.get(pick.cast)
            if kind is None:
                raise Problem(
                    BAD_QUERY,
                    f"select: '{way}{name}' cannot be cast to '{shorten(pick.cast)[1:-1]}'",
                    hint="there is text, int, float",
                )
            if (kind is Kind.STR and field.kind is Kind.BYTES) or (
                kind is not Kind.STR and not pick.path and field.kind not in _NUMBERS
            ):
                raise Problem(BAD_QUERY, f"select: '{way}{name}' is of type {field.kind.value} and cannot be cast to {pick.cast}")
            column = Column(field, column.path, column.text, kind.value, column.mask)
            return Output(name, column, FieldSpec(name, kind, _PYTHON[kind], nullable=True))
        if pick.path:
            return Output(name, column, FieldSpec(name, Kind.STR, str, nullable=True) if pick.text else None)
        return Output(name, column, field)

    # embeds ---------------------------------------------------------------------------------------------------------

    def _branch(self, model: ModelSpec, embed: Embed, way: str) -> Branch:
        relation = self._relation(model, embed.relation, embed.hint, way)
        name = embed.alias or embed.relation
        here = f"{way}{name}"
        if embed.spread and relation.kind is not RelationKind.TO_ONE:
            raise Problem(
                BAD_QUERY, f"select: '...{here}' needs a relation to one, and this leads to many", hint=f"embed it: {name}(…)"
            )
        shape = embed.shape
        hidden = shape.picks == () and not shape.embeds
        level = self._level(self._target(relation), shape, f"{here}.", self._read_rule(self._target(relation), here))
        through, through_rule = None, None
        if relation.through is not None:
            through = self._catalog.models[relation.through]
            through_rule = self._read_rule(through, f"{here} (by way of {through.name})")
        return Branch(name, relation, level, embed.inner, embed.spread, hidden, through, through_rule)

    def _target(self, relation: RelationSpec) -> ModelSpec:
        return self._catalog.models[relation.target]

    def _relation(self, model: ModelSpec, name: str, hint: str | None, way: str) -> RelationSpec:
        """The relation of this name, else the one to this model or collection; a hint decides between several."""
        found = [relation for relation in model.relations if relation.name == name]
        if not found or (hint is not None and not _fits(found[0], hint)):
            found = [relation for relation in model.relations if name in self._names(relation)]
        if hint is not None:
            found = [relation for relation in found if _fits(relation, hint)]
        if len(found) == 1:
            return found[0]
        shown = f"{shorten(way + name)}{f' with the hint {shorten(hint)}' if hint is not None else ''}"
        if found:
            choices = " or ".join(f"'{name}!{relation.local or relation.remote}'" for relation in found)
            raise Problem(BAD_QUERY, f"select: {shown} could be {len(found)} relations of {model.name}", hint=f"write {choices}")
        if name in AGGREGATES:
            raise no_aggregate(name)
        known = [relation.name for relation in model.relations]
        wrong = near(name, known) if known else f"{model.name} has no relations"
        if model.field(name) is not None and name not in known:
            wrong = f"'{name}' is a plain field: write it without brackets"
        raise Problem(UNKNOWN_RELATION, f"select: {model.name} has no relation {shown}", hint=wrong)

    def _names(self, relation: RelationSpec) -> tuple[str, str, str]:
        target = self._target(relation)
        return target.name, target.collection, target.table

    # conditions -----------------------------------------------------------------------------------------------------

    def _condition(
        self, model: ModelSpec, condition: Compare | Group | Exists, branches: tuple[Branch, ...], way: str
    ) -> Condition:
        match condition:
            case Group(joint=joint, parts=parts, negate=negate):
                return Joined(joint, tuple([self._condition(model, part, branches, way) for part in parts]), negate)
            case Exists(relation=name, negate=negate):
                return Has(self._related(model, name, branches, way), negate)
            case Compare():
                return self._compare(model, condition, branches, way)

    def _related(self, model: ModelSpec, name: str, branches: tuple[Branch, ...], way: str) -> Branch:
        """The embed called `name`, else the plain relation."""
        for branch in branches:
            if name in (branch.name, branch.relation.name):
                return branch
        return self._branch(model, Embed(name, Shape(picks=())), way)

    def _compare(self, model: ModelSpec, condition: Compare, branches: tuple[Branch, ...], way: str) -> Condition:
        is_null = condition.op == "is" and condition.word in ("null", "not_null") and not condition.path
        if is_null and model.field(condition.column) is None and model.relation(condition.column) is not None:
            related = self._related(model, condition.column, branches, way)
            return Has(related, (condition.word == "null") is not condition.negate)
        column = self._column(model, condition.column, way, condition.path, condition.text)
        _check_operator(column, condition, way)
        for slot in condition.slots:
            self._slot(slot, _slot_type(column, condition.op))
        return Test(column, condition.op, condition.slots, condition.negate, condition.quantifier, condition.word)

    # order ----------------------------------------------------------------------------------------------------------

    def _order(self, model: ModelSpec, order: tuple[Order, ...], way: str) -> tuple[SortKey, ...]:
        """The sort keys, made total: ties are broken by the primary key."""
        keys: list[SortKey] = []
        for item in order:
            branch = None if item.relation is None else self._sort_branch(model, item.relation, way)
            target, there = (model, way) if branch is None else (branch.level.model, f"{way}{item.relation}.")
            column = self._column(target, item.column, there, item.path, item.text)
            nulls_first = item.descending if item.nulls is None else item.nulls == "first"
            keys.append(SortKey(column, item.descending, nulls_first, branch))
            if branch is None and column.field.key and column.mask is None:
                return tuple(keys)
        # In the direction of the last key, so that an index on it (which holds the primary key as well) gives the whole order.
        descending = bool(keys) and keys[-1].descending
        keys.append(SortKey(Column(model.key), descending, descending))
        return tuple(keys)

    def _sort_branch(self, model: ModelSpec, name: str, way: str) -> Branch:
        branch = self._branch(model, Embed(name, Shape(picks=())), way)
        if branch.relation.kind is not RelationKind.TO_ONE:
            raise Problem(
                BAD_QUERY, f"order: '{way}{name}' leads to many rows, so it gives no order", hint="only relations to one do"
            )
        return branch


def _fits(relation: RelationSpec, hint: str) -> bool:
    return hint in (relation.name, relation.local, relation.remote, relation.through, relation.far)


def _slot_type(column: Column, op: str) -> SlotType:
    if op in ("like", "ilike"):
        return SlotType(Use.PATTERN if op == "like" else Use.IPATTERN)
    if column.path:
        return SlotType(Use.TEXT if column.text else Use.JSON)
    return SlotType(Use.VALUE, column.field)


def _check_operator(column: Column, condition: Compare, way: str) -> None:
    field = column.field
    name = f"{way}{condition.column}"
    if condition.op in ("like", "ilike") and not column.path and (storage_type(field) != "TEXT" or field.kind is Kind.JSON):
        raise Problem(
            BAD_FILTER_VALUE,
            f"'{condition.op}' compares text, and '{name}' is of type {field.kind.value}",
            hint="use eq, gt, lt, in",
        )
    if condition.word in ("true", "false", "unknown") and not column.path and field.kind is not Kind.BOOL:
        raise Problem(
            BAD_FILTER_VALUE,
            f"'is.{condition.word}' is for booleans, and '{name}' is of type {field.kind.value}",
            hint="use is.null or eq",
        )
