"""All models together: references resolved, relations derived, every mistake shown at once.

In: model classes. Out: a frozen `Catalog`, or one `ModelError` that lists each mistake with its class, field and cure.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pellucid.errors import near
from pellucid.schema.mistakes import Mistake, ModelError, Wrong
from pellucid.schema.model import Model, ModelType
from pellucid.schema.names import collection_name
from pellucid.schema.read import Draft, Link, read_fields
from pellucid.schema.rules import AllOf, AnyOf, Owner, Rule, nobody
from pellucid.schema.spec import Catalog, Default, FieldSpec, IndexSpec, Kind, ModelSpec, RelationKind, RelationSpec, Rules
from pellucid.schema.types import storage_type, to_storage

__all__ = ["RESERVED", "catalog"]

RESERVED = frozenset({"select", "limit", "offset", "after", "and", "or", "not", "on_conflict", "columns"})
"""Names that the query string has taken. `order` is not among them, since orders have lines: `and=(order.eq.3)` filters by it."""

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)
_MODEL_ATTRIBUTES = frozenset(dir(Model))


def catalog(models: Sequence[type[Model]]) -> Catalog:
    """Check models together and freeze them. Raises `ModelError` with every mistake there is."""
    listed: dict[str, ModelType] = {}
    mistakes: list[Mistake] = []
    for model in models:
        if not (isinstance(model, ModelType) and model is not Model):
            mistakes.append(Mistake(repr(model), "this is not a model", "list subclasses of Model: models=[Product, Order]"))
        elif model.__name__ in listed:
            if listed[model.__name__] is not model:
                mistakes.append(Mistake(model.__name__, "two models have this name", "rename one of the classes"))
        else:
            listed[model.__name__] = model
    drafts = {name: read_fields(model, listed) for name, model in listed.items()}
    specs = {name: _spec(draft, drafts) for name, draft in drafts.items()}
    _check_names(specs, drafts)
    mistakes += [mistake for draft in drafts.values() for mistake in draft.mistakes]
    if mistakes:
        raise ModelError(mistakes)
    ordered = {spec.name: spec for spec in _by_reference(specs)}
    return Catalog(ordered, _fingerprint(ordered))


def _spec(draft: Draft, drafts: Mapping[str, Draft]) -> ModelSpec:
    model, declared = draft.model, draft.model.__declared__
    for field in draft.fields:
        _check_field_name(draft, field.name)
        if field.computed is not None:
            _check_computed(draft, field)
        for kind, rule in (("read", field.read), ("write", field.write)):
            if rule is not None:
                _check_rule(draft, f"{kind}=", rule, field.name)
    if sum(field.key for field in draft.fields) > 1 or sum(info.key for info in declared.infos.values()) > 1:
        draft.wrong(None, "it has several keys", 'keep one field(key=True); make the others unique=[("a", "b")]')
    for verb, rule in declared.rules.items():
        _check_rule(draft, f"{verb}=", rule, None)
    collection = declared.collection or collection_name(model.__name__)
    return ModelSpec(
        name=model.__name__,
        collection=collection,
        table=declared.table or collection,
        fields=tuple(draft.fields),
        relations=tuple(_relations(draft, drafts)),
        indexes=tuple(_indexes(draft)),
        rules=Rules(**{verb: declared.rules.get(verb, nobody) for verb in ("read", "create", "update", "delete")}),
        cls=model,
        description=inspect.cleandoc(model.__doc__) if model.__doc__ else None,
        renamed_from=declared.renamed_from,
    )


def _check_field_name(draft: Draft, name: str) -> None:
    if name in RESERVED:
        draft.wrong(name, "the query string has taken this name", f"rename it, {name}_ for one")
    elif name in _MODEL_ATTRIBUTES:
        draft.wrong(name, "the name hides an attribute of Model", "rename it")
    elif not _NAME.fullmatch(name):
        draft.wrong(name, "the name cannot stand in a query string", "use ASCII letters, digits and _")


def _check_rule(draft: Draft, where: str, rule: object, field: str | None) -> None:
    if not isinstance(rule, Rule):
        draft.wrong(field, f"{where}{rule!r} is not a rule", 'use anyone, nobody, signed_in, role("name") or owner("field")')
        return
    names = {spec.name: spec for spec in draft.fields}
    for name in _owners(rule):
        found = names.get(name)
        if name not in draft.failed and (found is None or not found.stored):
            hint = near(name, (spec.name for spec in draft.fields if spec.ref)) or "name a Ref to the account model"
            draft.wrong(field, f'{where}owner("{name}") names no stored field', hint)


def _owners(rule: Rule) -> Iterator[str]:
    match rule:
        case Owner(field=name):
            yield name
        case AnyOf(parts=parts) | AllOf(parts=parts):
            for part in parts:
                yield from _owners(part)


_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<text>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*") | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<call>\s*\()? | (?P<operator>\|\||<=|>=|<>|!=|==|->>|->|<<|>>|[-+*/%<>=(),&|~.])""",
    re.VERBOSE,
)
_SQL_WORDS = frozenset({
    "and", "or", "not", "is", "null", "in", "like", "glob", "between", "case", "when", "then", "else", "end",
    "cast", "as", "collate", "nocase", "rtrim", "binary", "true", "false", "escape", "distinct", "from",
    "integer", "real", "text", "blob", "numeric", "isnull", "notnull",
})  # fmt: skip


def _check_computed(draft: Draft, field: FieldSpec) -> None:
    """An expression may name the row's stored columns, functions and operators: no other table, statement or bound value."""
    text = field.computed or ""
    stored = {spec.name for spec in draft.fields if spec.stored}
    position, named = 0, False
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or text.startswith(("--", "/*"), position):
            draft.wrong(
                field.name,
                f"computed= has {text[position : position + 10]!r} in it",
                "write one SQL expression over the row's columns",
            )
            return
        position = token.end()
        name = token["quoted"][1:-1] if token["quoted"] else token["name"]
        if (
            name is None
            or (token["call"] and name.lower() not in ("select", "from"))
            or (not token["quoted"] and name.lower() in _SQL_WORDS)
        ):
            continue
        if name not in stored and name not in draft.failed:  # what is wrong with that one is told already
            hint = near(name, stored | draft.failed) or "name a stored field"
            draft.wrong(field.name, f"computed= names {name!r}, which is no stored field", hint)
            return
        named = True
    if not named:
        draft.wrong(field.name, "computed= names no field", "use at least one of the row's fields, or make it a plain default")


def _relations(draft: Draft, drafts: Mapping[str, Draft]) -> Iterator[RelationSpec]:
    name = draft.model.__name__
    for field in draft.fields:
        if field.ref is not None:
            yield RelationSpec(field.name, RelationKind.TO_ONE, name, field.ref, local=field.name, nullable=field.nullable)
    for link in draft.links:
        _check_field_name(draft, link.name)
        try:
            yield _many_to_many(name, link, drafts) if link.through is not None else _to_many(name, link, drafts)
        except Wrong as wrong:
            draft.wrong(link.name, wrong.what, wrong.cure)


def _refs(holder: Draft, to: str) -> list[str]:
    return [field.name for field in holder.fields if field.ref == to]


def _to_many(name: str, link: Link, drafts: Mapping[str, Draft]) -> RelationSpec:
    refs = _refs(drafts[link.target], name)
    remote = _choose(refs, link.via, link.target, name, "via")
    return RelationSpec(link.name, RelationKind.TO_MANY, name, link.target, remote=remote)


def _choose(refs: Sequence[str], via: str | None, holder: str, to: str, option: str) -> str:
    """The one Ref to go by."""
    if via is not None:
        if via not in refs:
            raise Wrong(
                f"{option}={via!r} is no Ref from {holder} to {to}", near(via, refs) or f"add {via}: Ref[{to}] to {holder}"
            )
        return via
    if not refs:
        raise Wrong(
            f"{holder} has no Ref to {to}",
            f'add {to.lower()}: Ref["{to}"] to {holder}, or name the model that joins the two: field(through="...")',
        )
    if len(refs) > 1:
        raise Wrong(f"{holder} has several Refs to {to}: {', '.join(refs)}", f'say which: field(via="{refs[0]}")')
    return refs[0]


def _many_to_many(name: str, link: Link, drafts: Mapping[str, Draft]) -> RelationSpec:
    assert link.through is not None
    joins = drafts[link.through]
    remote = _choose(_refs(joins, name), link.via, link.through, name, "via")
    far = _choose([ref for ref in _refs(joins, link.target) if ref != remote], None, link.through, link.target, "via")
    return RelationSpec(link.name, RelationKind.MANY_TO_MANY, name, link.target, remote=remote, through=link.through, far=far)


def _indexes(draft: Draft) -> Iterator[IndexSpec]:
    declared = draft.model.__declared__
    stored = [field.name for field in draft.fields if field.stored]
    for option, unique, groups in (("unique", True, declared.unique), ("index", False, declared.index)):
        for group in groups:
            names = [name.removeprefix("-") for name in group]
            for name in names:
                if name not in stored and name not in draft.failed:
                    hint = near(name, {*stored, *draft.failed}) or "name stored fields"
                    draft.wrong(None, f"{option}= names {name!r}, which is no stored field", hint)
            if len(set(names)) != len(names) or not names:
                draft.wrong(None, f"{option}={list(group)} names a field twice or none", "name each field once")
            yield IndexSpec(tuple(names) if unique else tuple(group), unique)


def _check_names(specs: Mapping[str, ModelSpec], drafts: Mapping[str, Draft]) -> None:
    """Find names that two models, or a table of ours, share."""
    for what, keyword in (("collection", "collection"), ("table", "table")):
        owners: dict[str, str] = {}
        for spec in specs.values():
            name = getattr(spec, what)
            first = owners.setdefault(name.lower(), spec.name)
            if first != spec.name:
                drafts[spec.name].wrong(None, f"its {what} {name!r} is also that of {first}", f'give one of them {keyword}="..."')
            if not _NAME.fullmatch(name):
                drafts[spec.name].wrong(
                    None, f"its {what} {name!r} is not a plain name", f'use letters, digits and _: {keyword}="..."'
                )
            if name.lower().startswith("sqlite_"):
                drafts[spec.name].wrong(None, f"SQLite keeps names like {name!r} to itself", f'give it another {keyword}="..."')
    for spec in specs.values():
        lowered: dict[str, str] = {}
        for field in spec.fields:
            other = lowered.setdefault(field.name.lower(), field.name)
            if other != field.name:
                drafts[spec.name].wrong(
                    field.name, f"it differs from {other} in letter case only", "rename one: SQL takes them for the same"
                )


def _by_reference(specs: Mapping[str, ModelSpec]) -> Iterator[ModelSpec]:
    """Models after those that they refer to; within a circle, as listed."""
    done: set[str] = set()

    def visit(spec: ModelSpec) -> Iterator[ModelSpec]:
        if spec.name in done:
            return
        done.add(spec.name)
        for field in spec.fields:
            if field.ref is not None:
                yield from visit(specs[field.ref])
        yield spec

    for spec in specs.values():
        yield from visit(spec)


def _fingerprint(models: Mapping[str, ModelSpec]) -> str:
    """A hash of everything that shapes tables and nothing else, in an order of its own."""
    tables = []
    for spec in sorted(models.values(), key=lambda spec: spec.table):
        columns = [_column_shape(field, models) for field in spec.fields if field.stored]
        tables.append([spec.table, columns, [[index.fields, index.unique] for index in spec.indexes]])
    return hashlib.sha256(msgspec.json.encode(tables, enc_hook=str)).hexdigest()[:32]


def _column_shape(field: FieldSpec, models: Mapping[str, ModelSpec]) -> list[object]:
    default = to_storage(field)(field.default_value) if field.default is Default.VALUE else None
    return [
        field.name, field.kind.value, storage_type(field), field.nullable, field.key, field.default is Default.KEY,
        default.hex() if isinstance(default, bytes) else default,
        [[check.name, check.bound] for check in field.checks if check.name not in ("pattern", "predicate")],
        field.unique, field.index, field.places if field.kind is Kind.DECIMAL else None, field.choices,
        models[field.ref].table if field.ref else None, field.on_delete.value if field.ref else None,
    ]  # fmt: skip
