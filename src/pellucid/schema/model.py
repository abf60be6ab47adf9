"""How a model is declared: `Model`, `field`, `Ref`, `Many` and the defaults `now`, `me`, `uuid7`.

In: a class body. Out: the class, which keeps what was declared (`__declared__`) for `schema/catalog.py` to read, and
plain instances. A class body is not judged here, so that all mistakes of all models can be shown at once; it knows no
tables, SQL or requests.

    class Product(Model, read=anyone, write=role("staff")):
        name: Annotated[str, Len(1, 120)]
        price: Annotated[Decimal, Ge(0)] = field(places=2)
        maker: Ref[Maker]
        lines: Many["Line"]
"""

from __future__ import annotations

import copy
import os
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, dataclass_transform, overload
from uuid import UUID

from pellucid.errors import near
from pellucid.schema.annotations import declared, evaluate, peel
from pellucid.schema.rules import Rule
from pellucid.schema.spec import Default

__all__ = ["MISSING", "Declared", "FieldInfo", "Many", "Model", "ModelType", "Ref", "field", "make_uuid7", "me", "now", "uuid7"]

T = TypeVar("T")
V = TypeVar("V")
OnDelete = Literal["restrict", "cascade", "set null"]

if TYPE_CHECKING:
    from typing_extensions import TypeAliasType

    # A Ref holds the key of a row, whose type stands in another class and cannot be computed from T; the constructor
    # takes a key or an instance, also under `| None`. No type says that but Any. (A descriptor class does, yet breaks
    # on `Ref[T] | None`.)
    Ref = TypeAliasType("Ref", Any, type_params=(T,))
    Many = TypeAliasType("Many", list[T], type_params=(T,))
else:

    class Ref(Generic[T]):
        """The key of one row of another model: `country: Ref[Country]`, `Ref["Country"] | None`. Takes a key or an instance."""

    class Many(Generic[T]):
        """The rows of another model that refer to this one, or that a third model joins to it; never a column."""


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()
"""No default was given, which differs from a default of None."""

if TYPE_CHECKING:
    now: datetime
    uuid7: UUID
    me: Any
else:
    now = Default.NOW
    """The default of a datetime, date or time: the moment of creation."""
    uuid7 = Default.UUID7
    """The default of a UUID: a new one that sorts by the time it was made."""
    me = Default.ME
    """The default of a `Ref` to the accounts: whoever creates the row."""


def make_uuid7() -> UUID:
    """A UUID of version 7: 48 bits of Unix time in milliseconds, then 74 random bits (RFC 9562, section 5.7)."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000) << 80 | random
    return UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """What `field(...)` was called with, unchecked."""

    default: object = MISSING
    factory: Callable[[], object] | None = None
    unique: bool = False
    index: bool = False
    places: int = 4
    read: Rule | None = None
    write: Rule | None = None
    write_only: bool = False
    secret: bool = False
    computed: str | None = None
    stamp: str | None = None
    on_delete: str = "restrict"
    via: str | None = None
    through: str | type | None = None
    renamed_from: str | None = None
    description: str | None = None
    key: bool = False


@overload
def field(
    *, default: V, unique: bool = ..., index: bool = ..., places: int = ..., read: Rule | None = ...,
    write: Rule | None = ..., write_only: bool = ..., secret: bool = ..., on_delete: OnDelete = ...,
    renamed_from: str | None = ..., description: str | None = ..., key: bool = ...,
) -> V: ...  # fmt: skip
@overload
def field(
    *, factory: Callable[[], V], unique: bool = ..., index: bool = ..., places: int = ..., read: Rule | None = ...,
    write: Rule | None = ..., write_only: bool = ..., secret: bool = ..., on_delete: OnDelete = ...,
    renamed_from: str | None = ..., description: str | None = ..., key: bool = ...,
) -> V: ...  # fmt: skip
@overload
def field(
    *, computed: str, init: Literal[False] = False, places: int = ..., read: Rule | None = ..., description: str | None = ...
) -> Any: ...
@overload
def field(
    *, stamp: Literal["created", "updated"], init: Literal[False] = False, index: bool = ..., read: Rule | None = ...,
    renamed_from: str | None = ..., description: str | None = ...,
) -> Any: ...  # fmt: skip
@overload
def field(*, via: str, through: str | type | None = ..., init: Literal[False] = False, description: str | None = ...) -> Any: ...
@overload
def field(*, through: str | type, init: Literal[False] = False, description: str | None = ...) -> Any: ...
@overload
def field(
    *, unique: bool = ..., index: bool = ..., places: int = ..., read: Rule | None = ..., write: Rule | None = ...,
    write_only: bool = ..., secret: bool = ..., on_delete: OnDelete = ..., renamed_from: str | None = ...,
    description: str | None = ..., key: bool = ...,
) -> Any: ...  # fmt: skip
def field(**options: Any) -> Any:
    """Say more about a field than its annotation can.

    `default` or `factory`; `unique`, `index`, `key`; `places` of a Decimal; `read` and `write` rules; `write_only`
    (taken, never sent), `secret` (nor recorded); `computed`, an SQL expression over the row's own columns; `stamp`,
    "created" or "updated"; `on_delete` of a Ref; `via`, the Ref that a Many goes by; `through`, the model that joins
    two others; `renamed_from`; `description`.
    """
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise TypeError(f"field() has no option {unknown[0]!r}; {near(unknown[0], _OPTIONS) or ''}")
    if "default" in options and "factory" in options:
        raise TypeError("field() takes default= or factory=, not both")
    return FieldInfo(**options)


_OPTIONS = frozenset(FieldInfo.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a class body said: fields by name in order (inherited first), and the class keywords, all unchecked."""

    annotations: Mapping[str, object]
    infos: Mapping[str, FieldInfo]
    homes: Mapping[str, tuple[str, Mapping[str, object]]]
    """Where each annotation was written, to evaluate its text: module and the names around the class."""
    key: str
    rules: Mapping[str, Rule]
    table: str | None = None
    collection: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    index: tuple[tuple[str, ...], ...] = ()
    renamed_from: str | None = None


def _tuples(value: Sequence[str | Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple((item,) if isinstance(item, str) else tuple(item) for item in ([value] if isinstance(value, str) else value))


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class ModelType(type):
    """The type of models: collects what a class body declares."""

    __declared__: Declared

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        read: Rule | None = None,
        create: Rule | None = None,
        update: Rule | None = None,
        delete: Rule | None = None,
        write: Rule | None = None,
        table: str | None = None,
        collection: str | None = None,
        unique: Sequence[str | Sequence[str]] = (),
        index: Sequence[str | Sequence[str]] = (),
        renamed_from: str | None = None,
    ) -> ModelType:
        annotations: dict[str, object] = {}
        infos: dict[str, FieldInfo] = {}
        homes: dict[str, tuple[str, Mapping[str, object]]] = {}
        for base in reversed(bases):
            if isinstance(base, ModelType):
                annotations |= base.__declared__.annotations
                infos |= base.__declared__.infos
                homes |= base.__declared__.homes
        home = (str(namespace.get("__module__")), _names_around())
        for field_name, annotation in declared(namespace).items() if bases else ():
            if field_name.startswith("_") or _is_class_variable(annotation):
                continue
            annotations[field_name] = annotation
            value = namespace.pop(field_name, MISSING)
            infos[field_name] = value if isinstance(value, FieldInfo) else FieldInfo(default=value)
            homes[field_name] = home
        model = super().__new__(cls, name, bases, namespace)
        keys = [field_name for field_name, info in infos.items() if info.key]
        given = {"read": read, "create": create or write, "update": update or write, "delete": delete or write}
        model.__declared__ = Declared(
            annotations=MappingProxyType(annotations),
            infos=MappingProxyType(infos),
            homes=MappingProxyType(homes),
            key=keys[0] if keys else "id",
            rules={verb: rule for verb, rule in given.items() if rule is not None},
            table=table,
            collection=collection,
            unique=_tuples(unique),
            index=_tuples(index),
            renamed_from=renamed_from,
        )
        return model


def _is_class_variable(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "ClassVar"
    return typing.get_origin(annotation) is ClassVar or annotation is ClassVar


def _names_around() -> Mapping[str, object]:
    """The names where the class statement stands when that is inside a function: text annotations may use them."""
    frame = sys._getframe(2)
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


@dataclass(frozen=True, slots=True)
class _Constructor:
    """What a constructor fills in: the names it takes, those that must be given, and a maker for each of the others."""

    names: frozenset[str]
    required: frozenset[str]
    makers: tuple[tuple[str, Callable[[], object]], ...]
    secret: frozenset[str]


class Model(metaclass=ModelType):
    """The base of every model: a class of typed fields that becomes a table, a resource and its codecs.

    Class keywords: `read`, `create`, `update`, `delete` and `write` (the last three) take access rules, nobody unless
    given; `table`, `collection`, `renamed_from` take names; `unique=[("a", "b")]`, `index=[("country",
    "-population")]`. A field named `id`, an int made by the database, is the key unless a field says
    `field(key=True)`.
    """

    if TYPE_CHECKING:
        # Any, so that a model may declare another type of key under this name.
        id: Any = None
        __declared__: ClassVar[Declared]
    else:

        def __getattr__(self, name):
            """Say why a declared field is absent, or which name was meant."""
            kind = type(self)
            if name in _constructor(kind).names:
                raise AttributeError(f"{kind.__name__}.{name} was not loaded; ask for it with select=", name=name, obj=self)
            hint = near(name, _constructor(kind).names) if not name.startswith("_") else None
            raise AttributeError(f"{kind.__name__} has no field {name!r}{'; ' + hint if hint else ''}", name=name, obj=self)

    def __init__(self, **values: object) -> None:
        kind = type(self)
        constructor = _constructor(kind)
        if not values.keys() <= constructor.names:
            name = next(name for name in values if name not in constructor.names)
            hint = near(name, constructor.names)
            raise TypeError(f"{kind.__name__} has no field {name!r}{'; ' + hint if hint else ''}")
        if not constructor.required <= values.keys():
            missing = [name for name in kind.__declared__.annotations if name in constructor.required and name not in values]
            raise TypeError(f"{kind.__name__} needs {', '.join(missing)}")
        for name, value in values.items():
            setattr(self, name, value)
        for name, make in constructor.makers:
            if name not in values:
                object.__setattr__(self, name, make())

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self)
        if name not in _constructor(kind).names:
            hint = near(name, _constructor(kind).names)
            raise AttributeError(f"{kind.__name__} has no field {name!r}{'; ' + hint if hint else ''}")
        object.__setattr__(self, name, _key_of(value) if isinstance(value, Model) else value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        secret = _constructor(type(self)).secret
        shown = ", ".join(f"{name}={'***' if name in secret else repr(value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({shown})"


def _key_of(row: Model) -> object:
    declared = type(row).__declared__
    key = row.__dict__.get(declared.key)
    if key is None:
        raise ValueError(f"this {type(row).__name__} has no {declared.key} yet: create it before another row refers to it")
    return key


NOW_MAKERS: Mapping[object, Callable[[], object]] = {
    datetime: lambda: datetime.now(UTC),
    date: lambda: datetime.now(UTC).date(),
    clock: lambda: datetime.now(UTC).time(),
}
"""What `now` is for each type that can hold it."""

_constructors: dict[ModelType, _Constructor] = {}


def _constructor(model: ModelType) -> _Constructor:
    found = _constructors.get(model)
    if found is None:
        found = _constructors[model] = _make_constructor(model)
    return found


def _make_constructor(model: ModelType) -> _Constructor:
    declared = model.__declared__
    required: set[str] = set()
    makers: list[tuple[str, Callable[[], object]]] = []
    for name, annotation in declared.annotations.items():
        info = declared.infos[name]
        make = _maker(info)
        if make is not None and info.default is not Default.NOW:
            makers.append((name, make))
            continue
        module, scope = declared.homes[name]
        try:
            peeled = peel(evaluate(annotation, module, scope))
        except NameError:
            # Ref and Many evaluate without their target's class existing; any other unknown name is the catalog's to report.
            required.add(name)
            continue
        if typing.get_origin(peeled.bare) is Many or info.computed is not None:
            continue
        if info.default is Default.NOW:
            makers.append((name, NOW_MAKERS.get(peeled.bare, _nothing)))
            continue
        if peeled.nullable or (name == declared.key and peeled.bare is int) or info.stamp is not None:
            makers.append((name, _nothing))
        else:
            required.add(name)
    if declared.key == "id" and "id" not in declared.annotations:
        makers.insert(0, ("id", _nothing))
    secret = frozenset(name for name, info in declared.infos.items() if info.secret or info.write_only)
    return _Constructor(frozenset({*declared.annotations, declared.key}), frozenset(required), tuple(makers), secret)


def _nothing() -> None:
    return None


def _maker(info: FieldInfo) -> Callable[[], object] | None:
    """What makes a field's value when the caller gives none, or None where the annotation must decide."""
    default = info.default
    if info.factory is not None:
        return info.factory
    match default:
        case Default.UUID7:
            return make_uuid7
        case Default.ME:
            return _nothing
        case _ if default is MISSING:
            return None
        case list() | dict() | set():
            return lambda: copy.deepcopy(default)
        case _:
            return lambda: default
