"""Writes as one statement each: INSERT, upsert, UPDATE, DELETE, with what comes back in RETURNING.

In: a query's shape (which rows, which columns come back), the fields that are written, the models, who asks. Out: a
`Prepared`, or a `Problem` where the answer is no before any row is seen. Rules that need a row stand in the WHERE:
who may not change a row changes none, and no statement checks afterwards. It builds, never runs.

    compile_insert(catalog, model, shape, actor, dialect, *, fields, given, returning, resolution, on_conflict)
    compile_update(catalog, model, shape, actor, dialect, *, fields, given, returning)
    compile_delete(catalog, model, shape, actor, dialect, *, returning)

`fields` are the columns that get a value, by name; `given` those of them that the caller named, whose write rules
apply. The values come from a row: `prepared.bind(values, actor_id, row)` or `prepared.row_binder(columns)`. One
INSERT writes one row; many rows are many runs of it.

Each returned row ends with the primary key (hidden, `statement.keyed`), for Location. The key comes alone
(`statement.columns` is empty) where the actor may not read the model, and where the shape embeds relations: RETURNING
cannot, so those rows are read by key in the same script, after a create or update, before a delete. MariaDB has no
UPDATE … RETURNING: there nothing comes back at all.

A changed row must be readable, too (as with PostgreSQL's row security): update and delete carry the read rule beside
their own. An INSERT that returns no row was refused by its rule, or ignored a duplicate under `ignore-duplicates`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.selectable import FromClause

from pellucid.errors import BAD_QUERY, UNSUPPORTED_OPERATOR, Problem, near, shorten
from pellucid.plan.plan import WritePlan
from pellucid.plan.query import Shape
from pellucid.plan.resolve import resolve_write
from pellucid.schema.rules import Actor, AllOf, AnyOf, Owner, Rule
from pellucid.schema.spec import Catalog, FieldSpec, ModelSpec
from pellucid.sql.compile import compile_statement
from pellucid.sql.predicates import Predicates
from pellucid.sql.read import columns_of, converters, paged
from pellucid.sql.statement import Column, Prepared
from pellucid.sql.tables import tables
from pellucid.sql.words import Expression

__all__ = ["Resolution", "compile_delete", "compile_insert", "compile_update"]

Resolution = Literal["merge-duplicates", "ignore-duplicates"]


def compile_insert(
    catalog: Catalog,
    model: str,
    shape: Shape,
    actor: Actor,
    dialect: str = "sqlite",
    *,
    fields: Sequence[str],
    given: Collection[str] = (),
    returning: bool = True,
    resolution: Resolution | None = None,
    on_conflict: Sequence[str] = (),
) -> Prepared:
    """The statement that creates one row, or merges it into the one that has the same `on_conflict` values.

    `on_conflict` names fields that are unique together; none is the primary key. Merging needs the right to update as
    well.
    """
    plan = resolve_write(catalog, model, shape, actor, "create", given)
    writing = _Writing(catalog, plan, dialect)
    spec = plan.read.level.model
    values = {name: writing.value(name) for name in fields}
    if plan.check is None:
        insert = writing.insert().values(values)
    else:
        # INSERT … SELECT … WHERE: the rule is asked about the values themselves, in the statement that writes them.
        allowed = writing.predicates.rule(plan.check, writing.table, {**dict.fromkeys(_owners(plan.check), sa.null()), **values})
        insert = writing.insert().from_select(list(values), sa.select(*values.values()).where(allowed), include_defaults=False)
    if resolution is not None:
        unique = _unique(spec, on_conflict)
        merge = resolve_write(catalog, model, Shape(), actor, "update", given) if resolution == "merge-duplicates" else None
        insert = writing.on_conflict(insert, unique, fields, merge)
    return writing.finish(insert, returning)


def compile_update(
    catalog: Catalog,
    model: str,
    shape: Shape,
    actor: Actor,
    dialect: str = "sqlite",
    *,
    fields: Sequence[str],
    given: Collection[str] = (),
    returning: bool = True,
) -> Prepared:
    """The statement that sets `fields` in the rows of `shape`: by key, or by filter."""
    plan = resolve_write(catalog, model, shape, actor, "update", given)
    writing = _Writing(catalog, plan, dialect)
    values = {name: writing.value(name) for name in fields}
    update = sa.update(writing.table).values(values).where(*writing.conditions())
    if plan.check is not None and _owners(plan.check) & set(fields):
        # Nobody may give a row away, or take one over, that the rule would then deny.
        update = update.where(writing.predicates.rule(plan.check, writing.table, values))
    return writing.finish(update, returning and dialect != "mariadb")


def compile_delete(
    catalog: Catalog, model: str, shape: Shape, actor: Actor, dialect: str = "sqlite", *, returning: bool = True
) -> Prepared:
    """The statement that deletes the rows of `shape`: by key, or by filter."""
    plan = resolve_write(catalog, model, shape, actor, "delete")
    writing = _Writing(catalog, plan, dialect)
    return writing.finish(sa.delete(writing.table).where(*writing.conditions()), returning)


class _Writing:
    """One write while it is being built."""

    def __init__(self, catalog: Catalog, plan: WritePlan, dialect: str) -> None:
        self._plan = plan
        self._dialect = dialect
        self.predicates = Predicates(tables(catalog), dialect)
        self.table = self.predicates.metadata.tables[plan.read.level.model.table]

    def value(self, field: str) -> sa.BindParameter[Any]:
        """The parameter that holds a field of the written row."""
        return self.predicates.binds.row(field, self.table.c[field].type)

    def insert(self) -> Any:
        """INSERT in the dialect's own form, which knows what to do on a conflict."""
        module = {"sqlite": sqlite, "postgresql": postgresql, "mariadb": mysql}[self._dialect]
        return module.insert(self.table).inline()

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Which rows change: the key or the filter, the write's rule, and the read rule; the page of them, where one is given."""
        level = self._plan.read.level
        if level.limit is None and level.offset is None:
            return self._matching(self.table)
        rows = self.predicates.alias(level.model)
        key = level.model.key.name
        page = sa.select(rows.c[key]).where(*self._matching(rows)).order_by(*self.predicates.order(level.order, rows))
        # Twice in brackets, since MariaDB takes no LIMIT in the subquery of an IN.
        chosen = paged(self.predicates, page, level, None).correlate_except(rows).subquery()
        return [self.table.c[key].in_(sa.select(chosen.c[key]))]

    def _matching(self, table: FromClause) -> list[sa.ColumnElement[bool]]:
        plan, predicates = self._plan, self.predicates
        conditions: list[sa.ColumnElement[bool]] = []
        if plan.read.key is not None:
            key = table.c[plan.read.level.model.key.name]
            conditions.append(key == predicates.binds.slot(plan.read.key, key.type))
        if plan.rule is not None and plan.rule != plan.read.level.rule:
            conditions.append(predicates.rule(plan.rule, table))
        if plan.read.after is not None:
            conditions.append(predicates.after(plan.read.level.order, plan.read.after, table))
        return conditions + predicates.matches(plan.read.level, table)

    def on_conflict(self, insert: Any, unique: Sequence[FieldSpec], fields: Sequence[str], merge: WritePlan | None) -> Any:
        """What happens to a row that is there already: nothing, or it takes the new values where its update rule allows."""
        names = [field.name for field in unique]
        spec = self._plan.read.level.model
        kept = {*names, spec.key.name, *(field.name for field in spec.fields if field.stamp == "created")}
        taken = [name for name in fields if name not in kept] or names
        if self._dialect == "mariadb":
            if merge is not None and (merge.rule is not None or merge.read.level.rule is not None):
                # Its ON DUPLICATE KEY UPDATE has no WHERE, so a rule about rows has nowhere to stand.
                raise Problem(
                    UNSUPPORTED_OPERATOR, "merging rows under an owner's rule is not offered on MariaDB", hint="PATCH the row"
                )
            new = {name: insert.inserted[name] for name in taken} if merge else {names[0]: self.table.c[names[0]]}
            return insert.on_duplicate_key_update(new)
        if merge is None:
            return insert.on_conflict_do_nothing(index_elements=names)
        new = {name: insert.excluded[name] for name in taken}
        where: list[sa.ColumnElement[bool]] = []
        if merge.rule is not None:
            where.append(self.predicates.rule(merge.rule, self.table, new))
            if merge.rule != merge.read.level.rule:
                where.append(self.predicates.rule(merge.rule, self.table))
        where += self.predicates.matches(merge.read.level, self.table)
        return insert.on_conflict_do_update(index_elements=names, set_=new, where=sa.and_(*where) if where else None)

    def finish(self, construct: Any, returning: bool) -> Prepared:
        """Add RETURNING and compile."""
        read = self._plan.read
        shown: list[Column] = []
        if returning:
            columns: list[Expression] = []
            if self._plan.readable and all(branch.hidden for branch in read.level.branches):
                columns, shown = columns_of(self.predicates, read.level, self.table)
            construct = construct.returning(*columns, self.table.c[read.level.model.key.name].label("k0"))
        statement = compile_statement(construct, self.predicates.binds, self._dialect, shown)
        return Prepared(msgspec.structs.replace(statement, keyed=returning), converters(read, self._dialect, None), read.tag)


def _owners(rule: Rule) -> set[str]:
    """The fields that a rule compares with the actor."""
    match rule:
        case Owner(field=field):
            return {field}
        case AnyOf(parts=parts) | AllOf(parts=parts):
            return set().union(*map(_owners, parts))
        case _:
            return set()


def _unique(model: ModelSpec, names: Sequence[str]) -> list[FieldSpec]:
    """The fields of `on_conflict`, which must be a unique constraint."""
    if not names:
        return [model.key]
    found: list[FieldSpec] = []
    for name in names:
        field = model.field(name)
        if field is None:
            raise Problem(
                BAD_QUERY,
                f"on_conflict: {model.name} has no field {shorten(name)}",
                hint=near(name, [f.name for f in model.fields]),
            )
        found.append(field)
    wanted = {field.name for field in found}
    choices = [{field.name} for field in model.fields if field.key or field.unique]
    choices += [{name.lstrip("-") for name in index.fields} for index in model.indexes if index.unique]
    if wanted not in choices:
        shown = "; ".join(sorted(",".join(sorted(choice)) for choice in choices))
        raise Problem(BAD_QUERY, f"on_conflict: {','.join(names)} is not unique in {model.name}", hint=f"unique are {shown}")
    return found
