"""One field of a class body read into a `FieldSpec`, or a `Mistake` with its cure.

In: an annotation, what `field(...)` said, and the other models by name. Out: a frozen `FieldSpec` whose defaults and
bounds have been tried against its type. Relations between models, names and rules are `schema/catalog.py`'s.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from pellucid.errors import near, shorten
from pellucid.schema.annotations import Peeled, evaluate, peel
from pellucid.schema.checks import holds, read_checks
from pellucid.schema.mistakes import Mistake, Wrong
from pellucid.schema.model import MISSING, NOW_MAKERS, FieldInfo, Many, Model, ModelType, Ref
from pellucid.schema.spec import Cascade, Default, FieldSpec, Kind
from pellucid.schema.types import PYTHON_KINDS, to_storage

__all__ = ["Draft", "Link", "read_fields"]


_KNOWN = (
    "use int, float, str, bool, Decimal, datetime, date, time, timedelta, UUID, bytes, an Enum, a Literal, "
    "or a list, dict, dataclass or Struct of what JSON can hold"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A `Many` as declared: its target's name, and the names of the Ref and the join model that it goes by."""

    name: str
    target: str
    via: str | None
    through: str | None


@dataclass(slots=True)
class Draft:
    """A model while it is read: what came out well, and every mistake. `failed` are the fields that have one of their own."""

    model: ModelType
    fields: list[FieldSpec] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)

    def wrong(self, name: str | None, what: str, cure: str) -> None:
        """Note a mistake in the field `name`, or in the class where that is None."""
        where = self.model.__name__ if name is None else f"{self.model.__name__}.{name}"
        self.mistakes.append(Mistake(where, what, cure))


@dataclass(frozen=True, slots=True)
class _Held:
    """What a type means for a column."""

    kind: Kind
    python_type: object
    choices: tuple[object, ...] = ()


def read_fields(model: ModelType, models: Mapping[str, ModelType]) -> Draft:
    """Read every field of a model, the key first; mistakes are collected in the draft, never raised."""
    draft = Draft(model)
    declared = model.__declared__
    if declared.key not in declared.annotations:
        draft.fields.append(FieldSpec("id", Kind.INT, int, default=Default.KEY, key=True))
    for name in declared.annotations:
        try:
            peeled = _annotation(model, name, models)
            if typing.get_origin(peeled.bare) is Many or peeled.bare is Many:
                draft.links.append(_link(peeled, name, declared.infos[name], models))
            else:
                draft.fields.append(_field(model, name, peeled, models))
        except Wrong as wrong:
            draft.failed.add(name)
            draft.wrong(name, wrong.what, wrong.cure)
    draft.fields.sort(key=lambda spec: not spec.key)
    return draft


def _annotation(model: ModelType, name: str, models: Mapping[str, ModelType]) -> Peeled:
    module, scope = model.__declared__.homes[name]
    annotation = model.__declared__.annotations[name]
    try:
        return peel(evaluate(annotation, module, {**models, **scope}))
    except NameError as error:
        missing = str(error.name)
        raise Wrong(
            f"the annotation {annotation!r} uses the unknown name {missing!r}",
            near(missing, models) or f"import it, or define it before the class; a later model goes in quotes: Ref[{missing!r}]",
        ) from None
    except Exception as error:
        raise Wrong(f"the annotation {annotation!r} cannot be evaluated ({error})", "write a type there") from None


def _target(peeled: Peeled, word: str, models: Mapping[str, ModelType]) -> str:
    """The name of the model inside `Ref[...]` or `Many[...]`, known or not."""
    arguments = typing.get_args(peeled.bare)
    if not arguments:
        raise Wrong(f"{word} does not say which model", f'write {word}["Name"]')
    target = arguments[0]
    if isinstance(target, typing.ForwardRef):
        target = target.__forward_arg__
    if isinstance(target, str):
        if target not in models:
            raise Wrong(f"there is no model {target!r}", near(target, models) or f"add {target} to models=[...]")
        return target
    if not isinstance(target, ModelType):
        raise Wrong(f"{shorten(target)} is not a model", f"{word}[...] takes a subclass of Model or its name in quotes")
    if models.get(target.__name__) is not target:
        raise Wrong(f"the model {target.__name__} is not in the list", f"add {target.__name__} to models=[...]")
    return target.__name__


def _link(peeled: Peeled, name: str, info: FieldInfo, models: Mapping[str, ModelType]) -> Link:
    if peeled.nullable:
        raise Wrong("a Many is never null", "leave out | None: without related rows it is empty")
    if info != FieldInfo(via=info.via, through=info.through, description=info.description):
        raise Wrong("a Many has no column", "of field(...) it takes only via=, through= and description=")
    through = info.through.__name__ if isinstance(info.through, type) else info.through
    if through is not None and through not in models:
        raise Wrong(f"there is no model {through!r} to go through", near(through, models) or f"add {through} to models=[...]")
    return Link(name, _target(peeled, "Many", models), info.via, through)


def _field(model: ModelType, name: str, peeled: Peeled, models: Mapping[str, ModelType]) -> FieldSpec:
    info = model.__declared__.infos[name]
    ref: str | None = None
    places = info.places
    if typing.get_origin(peeled.bare) is Ref or peeled.bare is Ref:
        ref = _target(peeled, "Ref", models)
        held = _key_of(models[ref], models)
    else:
        held = _held(peeled.bare)
    is_key = name == model.__declared__.key
    spec = FieldSpec(
        name=name,
        kind=held.kind,
        python_type=held.python_type,
        nullable=peeled.nullable,
        unique=info.unique,
        index=info.index,
        key=is_key,
        places=places,
        choices=held.choices,
        ref=ref,
        on_delete=_cascade(info, ref, peeled.nullable),
        computed=info.computed,
        write_only=info.write_only,
        secret=info.secret,
        read_only=info.stamp is not None or info.computed is not None,
        stamp=info.stamp,
        read=info.read,
        write=info.write,
        renamed_from=info.renamed_from,
        description=info.description,
    )
    _agree(spec, info)
    # A bare `Ref[...]` carries no bounds: its values are the other model's keys, checked there.
    checks = read_checks(spec, peeled.metadata)
    return _with_default(msgspec.structs.replace(spec, checks=checks), info)


def _key_of(target: ModelType, models: Mapping[str, ModelType]) -> _Held:
    """What the key of another model holds."""
    key = target.__declared__.key
    if key not in target.__declared__.annotations:
        return _Held(Kind.INT, int)
    peeled = _annotation(target, key, models)
    if typing.get_origin(peeled.bare) is Ref:
        raise Wrong(f"the key of {target.__name__} is itself a Ref", f"give {target.__name__} a key of its own")
    return _held(peeled.bare)


def _held(bare: object) -> _Held:
    if (kind := PYTHON_KINDS.get(bare) if isinstance(bare, type) else None) is not None:
        return _Held(kind, bare)
    if isinstance(bare, enum.EnumMeta):
        return _Held(Kind.ENUM, bare, _choices([member.value for member in bare]))  # type: ignore[var-annotated]
    if typing.get_origin(bare) is typing.Literal:
        return _Held(Kind.ENUM, bare, _choices(typing.get_args(bare)))
    if isinstance(bare, type) and issubclass(bare, Model):
        raise Wrong(
            f"{bare.__name__} is a model, not a column",
            f"write Ref[{bare.__name__}] for one, Many[{bare.__name__!r}] for several",
        )
    if bare in (object, None, type(None)) or isinstance(bare, str):
        raise Wrong(f"{shorten(bare)} is not a type for a column", "see docs/models.md for the types there are")
    try:
        msgspec.json.Decoder(typing.cast("type[object]", bare))
    except (TypeError, RuntimeError) as error:
        raise Wrong(
            f"the type {shorten(bare, 80)} is not known ({error})",
            _KNOWN,
        ) from None
    # A type that msgspec only takes through a hook comes out as CustomType.
    if isinstance(bare, type) and isinstance(msgspec.inspect.type_info(bare), msgspec.inspect.CustomType):
        raise Wrong(
            f"the type {bare.__name__} is not known",
            _KNOWN,
        )
    return _Held(Kind.JSON, bare)


def _choices(values: Sequence[object]) -> tuple[object, ...]:
    kinds = {type(value) for value in values}
    if kinds not in ({str}, {int}):
        raise Wrong(
            "the choices are not all text or all whole numbers", 'make every value a str or every value an int: Literal["a", "b"]'
        )
    return tuple(dict.fromkeys(values))


def _cascade(info: FieldInfo, ref: str | None, nullable: bool) -> Cascade:
    try:
        cascade = Cascade(info.on_delete)
    except ValueError:
        raise Wrong(f"on_delete={info.on_delete!r} is unknown", 'use "restrict", "cascade" or "set null"') from None
    if ref is None and cascade is not Cascade.RESTRICT:
        raise Wrong("on_delete belongs to a Ref", "leave it out")
    if cascade is Cascade.SET_NULL and not nullable:
        raise Wrong('on_delete="set null" needs a field that can be null', "write Ref[...] | None")
    return cascade


def _agree(spec: FieldSpec, info: FieldInfo) -> None:
    """Find options of `field(...)` that contradict each other or the type."""
    if info.via is not None or info.through is not None:
        raise Wrong("via= and through= belong to a Many", "leave them out")
    if not isinstance(info.places, int) or not 0 <= info.places <= 15:
        raise Wrong(f"places={info.places!r} cannot be kept exactly", "use 0 to 15")
    if info.places != 4 and spec.kind is not Kind.DECIMAL:
        raise Wrong("places= belongs to a Decimal", "leave it out, or annotate the field with Decimal")
    if spec.key and (spec.kind not in (Kind.INT, Kind.STR, Kind.UUID) or spec.nullable or spec.ref):
        raise Wrong("this cannot be the key", "a key is an int, str or UUID, never null and never a Ref")
    if spec.key and info.computed is not None:
        raise Wrong("a key cannot be computed", "leave computed= out")
    if info.computed is not None and (info.default is not MISSING or info.factory or info.unique or info.index or info.write):
        raise Wrong("a computed field is not stored", "leave out default, factory, unique, index and write")
    if info.stamp is not None:
        if info.stamp not in ("created", "updated"):
            raise Wrong(f"stamp={info.stamp!r} is unknown", 'use "created" or "updated"')
        if spec.kind is not Kind.DATETIME:
            raise Wrong("a stamp is a datetime", "annotate it with datetime")
        if info.default is not MISSING or info.factory:
            raise Wrong("the server sets a stamp", "leave out its default")


def _with_default(spec: FieldSpec, info: FieldInfo) -> FieldSpec:
    change = msgspec.structs.replace
    if info.factory is not None:
        if not callable(info.factory):
            raise Wrong("factory= is not a function", "pass a function without arguments: factory=list")
        return change(spec, default=Default.FACTORY, factory=info.factory)
    if info.stamp is not None:
        return change(spec, default=Default.NOW)
    match info.default:
        case Default.NOW:
            if spec.python_type not in NOW_MAKERS:
                raise Wrong("now is a moment", "annotate the field with datetime, date or time")
            return change(spec, default=Default.NOW)
        case Default.UUID7:
            if spec.kind is not Kind.UUID:
                raise Wrong("uuid7 makes a UUID", "annotate the field with UUID")
            return change(spec, default=Default.UUID7)
        case Default.ME:
            if spec.ref is None:
                raise Wrong("me is the key of an account", "annotate the field with Ref[...] of the account model")
            return change(spec, default=Default.ME)
        case value if value is MISSING:
            if spec.key and spec.kind is Kind.INT:
                return change(spec, default=Default.KEY)
            # Whoever may leave a value empty may leave it out.
            return change(spec, default=Default.VALUE) if spec.nullable and spec.computed is None else spec
        case value:
            _try_value(spec, value)
            return change(spec, default=Default.VALUE, default_value=value)


def _try_value(spec: FieldSpec, value: object) -> None:
    if value is None:
        if not spec.nullable:
            raise Wrong("the default is None but the field cannot be null", "add | None to the annotation, or give a value")
        return
    try:
        if spec.kind is Kind.JSON:
            msgspec.convert(msgspec.to_builtins(value), typing.cast("type[object]", spec.python_type))
        to_storage(spec)(value)
    except (ValueError, TypeError) as error:
        raise Wrong(f"the default does not fit: {error}", f"give {_wanted(spec)}") from None
    broken = next((check for check in spec.checks if not holds(check, value)), None)
    if broken is not None:
        raise Wrong(
            f"the default {shorten(value)} breaks the field's own rule: it {broken.message}", "change the one or the other"
        )


def _wanted(spec: FieldSpec) -> str:
    """What a value of the field is, with its article."""
    if typing.get_origin(spec.python_type) is typing.Literal:
        return f"one of {', '.join(map(repr, spec.choices))}"
    # The name of list[int] is "list", which would leave out what is missing.
    generic = typing.get_origin(spec.python_type) is not None
    name = str(spec.python_type) if generic else getattr(spec.python_type, "__name__", str(spec.python_type))
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"
