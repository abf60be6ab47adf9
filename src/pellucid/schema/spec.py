"""The models as plain data: what `schema/model.py` reads out of class bodies and every other station reads.

Everything here is frozen; nothing here knows SQL, HTTP or how a class body is written.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import msgspec

from pellucid.schema.rules import Rule

__all__ = [
    "Cascade",
    "Catalog",
    "Check",
    "Default",
    "FieldSpec",
    "IndexSpec",
    "Kind",
    "ModelSpec",
    "RelationKind",
    "RelationSpec",
    "Rules",
]


class Kind(enum.Enum):
    """What a field holds; `schema/types.py` says for each kind the Python type, column type, JSON Schema and
    conversions.
    """

    INT = "int"
    FLOAT = "float"
    STR = "str"
    BOOL = "bool"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    UUID = "uuid"
    BYTES = "bytes"
    ENUM = "enum"
    JSON = "json"


class Default(enum.Enum):
    """Where a value comes from when the caller gives none."""

    REQUIRED = "required"
    VALUE = "value"
    FACTORY = "factory"
    NOW = "now"
    ME = "me"
    UUID7 = "uuid7"
    KEY = "key"
    """Made by the database: the one integer key."""


class Cascade(enum.Enum):
    """What happens to a row when the row it refers to is deleted."""

    RESTRICT = "restrict"
    CASCADE = "cascade"
    SET_NULL = "set null"


class Check(msgspec.Struct, frozen=True):
    """One constraint on a value: `name` is `ge gt le lt multiple_of min_length max_length pattern predicate`."""

    name: str
    bound: object
    message: str


class FieldSpec(msgspec.Struct, frozen=True):
    """One stored or computed column. `name` is its name everywhere: Python, JSON, query string, column."""

    name: str
    kind: Kind
    python_type: object
    """The annotation without Optional and Annotated, as msgspec understands it."""
    nullable: bool = False
    default: Default = Default.REQUIRED
    default_value: object = None
    factory: Callable[[], object] | None = None
    checks: tuple[Check, ...] = ()
    unique: bool = False
    index: bool = False
    key: bool = False
    places: int = 4
    """Digits after the point of a DECIMAL, which is stored as a whole number of that many."""
    choices: tuple[object, ...] = ()
    """The values of an ENUM as stored."""
    ref: str | None = None
    """The model that this foreign key points to."""
    on_delete: Cascade = Cascade.RESTRICT
    computed: str | None = None
    """An SQL expression over the row's own columns: read-only, never stored."""
    write_only: bool = False
    secret: bool = False
    """Never sent, never recorded."""
    read_only: bool = False
    """Set by the server (created/updated stamps), never by a caller."""
    stamp: str | None = None
    """`created` or `updated`."""
    read: Rule | None = None
    """Who may see the field; None is whoever may see the row."""
    write: Rule | None = None
    renamed_from: str | None = None
    description: str | None = None

    @property
    def stored(self) -> bool:
        """Whether the table has this column."""
        return self.computed is None

    @property
    def visible(self) -> bool:
        """Whether an answer may hold it at all."""
        return not (self.write_only or self.secret)


class RelationKind(enum.Enum):
    """Which way a relation goes, and to how many."""

    TO_ONE = "to-one"
    TO_MANY = "to-many"
    MANY_TO_MANY = "many-to-many"


class RelationSpec(msgspec.Struct, frozen=True):
    """A way from one model to another, seen from `model`.

    TO_ONE: `model.local` holds the key of `target`. TO_MANY: `target.remote` holds the key of `model`. MANY_TO_MANY:
    rows of `through` hold the key of `model` in `remote` and that of `target` in `far`.
    """

    name: str
    kind: RelationKind
    model: str
    target: str
    local: str | None = None
    remote: str | None = None
    through: str | None = None
    far: str | None = None
    nullable: bool = False


class IndexSpec(msgspec.Struct, frozen=True):
    """A composite index or unique constraint; a field with a leading "-" is descending."""

    fields: tuple[str, ...]
    unique: bool = False


class Rules(msgspec.Struct, frozen=True):
    """Who may do what with the rows of a model; `nobody` unless the class says otherwise."""

    read: Rule
    create: Rule
    update: Rule
    delete: Rule


class ModelSpec(msgspec.Struct, frozen=True):
    """One model. `fields` are in declaration order, the key first."""

    name: str
    collection: str
    """The path segment below /api: snake-case plural."""
    table: str
    fields: tuple[FieldSpec, ...]
    relations: tuple[RelationSpec, ...]
    indexes: tuple[IndexSpec, ...]
    rules: Rules
    cls: type
    description: str | None = None
    renamed_from: str | None = None

    @property
    def key(self) -> FieldSpec:
        """The primary key."""
        return next(field for field in self.fields if field.key)

    def field(self, name: str) -> FieldSpec | None:
        """A field by name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def relation(self, name: str) -> RelationSpec | None:
        """A relation by name, or None."""
        return next((relation for relation in self.relations if relation.name == name), None)


class Catalog(msgspec.Struct, frozen=True):
    """All models, checked together, in an order in which every model follows those it refers to (circles aside)."""

    models: Mapping[str, ModelSpec]
    fingerprint: str
    """Changes when any table would: hex, stable between processes."""

    def by_collection(self, collection: str) -> ModelSpec | None:
        """The model behind a path segment, or None."""
        return next((model for model in self.models.values() if model.collection == collection), None)
