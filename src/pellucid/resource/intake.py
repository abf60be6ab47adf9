"""Bodies to column values: what callers send, checked against the model, ready to be bound.

In: bytes of JSON, or texts by field name (CSV, forms). Out: a tuple of storage values in the order of the table's
columns, or one Problem that lists every bad field. It never sees a request and never builds SQL.

The quick way is one msgspec decode into a Struct made at start. Only when that fails is the body read a second time,
part by part, to name all mistakes at once: msgspec stops at the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Annotated, Any, Final, cast

import msgspec

from pellucid.db.database import Value
from pellucid.errors import BAD_FILTER_VALUE, INVALID_BODY, FieldError, Problem
from pellucid.resource.texts import Texts
from pellucid.schema.model import make_uuid7
from pellucid.schema.rules import NOBODY, Actor
from pellucid.schema.spec import Default, FieldSpec, Kind, ModelSpec
from pellucid.schema.types import parse_text, to_storage
from pellucid.validation import explain, malformed

__all__ = ["UNREADABLE", "Intake", "New"]

UNSET: Final = msgspec.UNSET
INT64 = msgspec.Meta(ge=-(2**63), le=2**63 - 1)
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, or nested more deeply than anybody means."""
_MOST_ERRORS: Final = 100

# What msgspec checks while it decodes; every other check runs afterwards (`Intake._checks`).
_NATIVE: dict[Kind, frozenset[str]] = {
    Kind.INT: frozenset({"ge", "gt", "le", "lt", "multiple_of"}),
    Kind.FLOAT: frozenset({"ge", "gt", "le", "lt", "multiple_of"}),
    Kind.STR: frozenset({"min_length", "max_length", "pattern"}),
    Kind.BYTES: frozenset({"min_length", "max_length"}),
}

Fix = Callable[[Any, Actor], Value]

New = tuple[Sequence[Value], tuple[str, ...]]
"""A row to be: its values in the order of `Intake.columns`, and which fields with a write rule of their own the caller
named.
"""


def wire_type(field: FieldSpec) -> object:
    """The type that a caller's value must have, as msgspec understands it."""
    meta: dict[str, Any] = {check.name: check.bound for check in field.checks if check.name in _NATIVE.get(field.kind, ())}
    kind: Any = field.python_type
    if field.kind is Kind.DATETIME:
        meta["tz"] = True
    if field.key and field.kind is Kind.STR:
        meta.setdefault("min_length", 1)  # an empty key has no path
    if field.kind is Kind.INT:
        if "ge" not in meta and "gt" not in meta:
            meta["ge"] = INT64.ge
        if "le" not in meta and "lt" not in meta:
            meta["le"] = INT64.le
    if meta:
        kind = Annotated[kind, msgspec.Meta(**meta)]
    return kind | None if field.nullable else kind


class Intake:
    """What a model takes in. `columns` are its stored columns in order; every tuple of values follows that order."""

    def __init__(self, model: ModelSpec) -> None:
        self.model = model
        self.fields = tuple(field for field in model.fields if field.stored)
        self.columns = tuple(field.name for field in self.fields)
        self.writable = tuple(field for field in self.fields if not field.read_only)
        self._position = {field.name: at for at, field in enumerate(self.fields)}
        self.create_type = msgspec.defstruct(
            f"{model.name}Create", self._members(required=True), forbid_unknown_fields=True, kw_only=True, gc=False
        )
        self.patch_type = msgspec.defstruct(
            f"{model.name}Patch", self._members(required=False), forbid_unknown_fields=True, kw_only=True, gc=False
        )
        # A PUT names the key in its path, so the body may leave it out.
        members = [
            (member[0], cast("Any", member[1]) | msgspec.UnsetType, UNSET) if member[0] == model.key.name else member
            for member in self._members(required=True)
        ]
        self.put_type = msgspec.defstruct(f"{model.name}Put", members, forbid_unknown_fields=True, kw_only=True, gc=False)
        self._decode_put = msgspec.json.Decoder(self.put_type).decode
        self._decode_one = msgspec.json.Decoder(self.create_type).decode
        self._decode_many = msgspec.json.Decoder(list[self.create_type]).decode  # type: ignore[name-defined]
        self._decode_patch = msgspec.json.Decoder(self.patch_type).decode
        self._fixes = tuple((at, fix) for at, field in enumerate(self.fields) if (fix := _fix(field)))
        self._gather = tuple(field.name if not field.read_only else None for field in self.fields)
        self._plain = not any(field.read_only for field in self.fields)
        self._checks = tuple(
            (field, check) for field in self.writable for check in field.checks if check.name not in _NATIVE.get(field.kind, ())
        )
        self._key = parse_text(model.key)
        self._texts = Texts(model.name, self.writable)
        self._floats = tuple(field.name for field in self.writable if field.kind is Kind.FLOAT)
        self._guarded = tuple(field.name for field in self.writable if field.write is not None)
        self._storers = {field.name: _storer(field) for field in self.writable}
        marks = {field.stamp: self._position[field.name] for field in self.fields if field.stamp and field.kind is Kind.DATETIME}
        self._twins = ((marks["updated"], marks["created"]),) if len(marks) == 2 else ()
        self._stamps = tuple((field.name, _absent(field)) for field in self.fields if field.stamp == "updated")

    def _members(self, *, required: bool) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
        members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for field in self.writable:
            kind = cast("Any", wire_type(field))
            if required and field.default is Default.REQUIRED and not field.nullable:
                members.append((field.name, kind))
            else:
                members.append((field.name, kind | msgspec.UnsetType, UNSET))
        return members

    # The quick way

    def one(self, body: bytes, actor: Actor) -> New:
        """A JSON object to a new row. Raises MALFORMED_BODY or INVALID_BODY."""
        try:
            item = self._decode_one(body)
        except UNREADABLE as error:
            raise self._refused(self.create_type, body, error) from None
        return self._new(item, actor)

    def put(self, body: bytes, actor: Actor) -> New:
        """A JSON object to a whole row whose key stands elsewhere."""
        try:
            item = self._decode_put(body)
        except UNREADABLE as error:
            raise self._refused(self.put_type, body, error) from None
        return self._new(item, actor)

    def many(self, body: bytes, actor: Actor) -> list[New]:
        """A JSON array of objects to new rows; problems carry the item's position."""
        try:
            items = self._decode_many(body)
        except UNREADABLE as error:
            raise self._refused(list[self.create_type], body, error) from None  # type: ignore[name-defined]
        return self._all(items, actor)

    def patch(self, body: bytes) -> dict[str, Value]:
        """A JSON object to the columns it changes; fields that are absent stay as they are."""
        try:
            item = self._decode_patch(body)
        except UNREADABLE as error:
            raise self._refused(self.patch_type, body, error) from None
        return self._changes(item)

    def is_key(self, text: str) -> bool:
        """Whether a text could be a key at all."""
        try:
            self._key(text)
        except ValueError:
            return False
        return True

    def key_of(self, text: str) -> Value:
        """The stored value of a key as a path holds it. Raises BAD_FILTER_VALUE."""
        try:
            return self._key(text)
        except ValueError as error:
            raise Problem(BAD_FILTER_VALUE, f"{self.model.key.name}: {error}") from None

    # From parsed values: forms, CSV, user code

    def convert(self, given: Mapping[str, object], actor: Actor) -> New:
        """Python values by field name to a new row."""
        try:
            item = msgspec.convert(given, self.create_type)
        except msgspec.ValidationError:
            raise Problem(INVALID_BODY, errors=explain(self.create_type, dict(given))) from None
        self._finite(item)
        return self._new(item, actor)

    def convert_all(self, given: Mapping[str, object], actor: Actor) -> Sequence[Value]:
        """Python values by field name, server-set ones among them, to a whole row: what trusted code hands in."""
        writable = {field.name for field in self.writable}
        new, _ = self.convert({name: value for name, value in given.items() if name in writable}, actor)
        values = list(new)
        for at, field in enumerate(self.fields):
            if field.name not in writable and given.get(field.name) is not None:
                values[at] = _storer(field)(given[field.name])
        return values

    def convert_patch(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Python values by field name to the columns they change."""
        try:
            item = msgspec.convert(given, self.patch_type)
        except msgspec.ValidationError:
            raise Problem(INVALID_BODY, errors=explain(self.patch_type, dict(given))) from None
        return self._changes(item)

    def _finite(self, item: Any) -> None:
        """Refuse what a float may be outside of JSON only: SQLite would make null of it."""
        errors = [
            FieldError(f"$.{name}", "wrong-value", "a number must be finite: JSON has no NaN and no infinity")
            for name in self._floats
            if isinstance(value := getattr(item, name), float) and not math.isfinite(value)
        ]
        if errors:
            raise Problem(INVALID_BODY, errors=errors)

    def texts(self, header: Sequence[str]) -> Callable[[Sequence[str], Actor], New]:
        """A reader of rows of text (CSV) under this header: an empty cell is null or the default, and the empty text
        where a text is required. Raises INVALID_BODY for unknown names at once, here.

        The reader raises INVALID_BODY with every bad cell of its row.
        """
        self._texts.check(header)

        def read(cells: Sequence[str], actor: Actor) -> New:
            if len(cells) != len(header):
                raise Problem(
                    INVALID_BODY, errors=[FieldError("$", "cells", f"the row has {len(cells)} cells, the header {len(header)}")]
                )
            return self._new(self._fitted(self.create_type, *self._texts.read(zip(header, cells, strict=True))), actor)

        return read

    def form(self, fields: Mapping[str, str], actor: Actor, *, keyed: bool = False) -> New:
        """The fields of a form to a new row, read as the cells of a table are; `keyed` where its key stands elsewhere."""
        self._texts.check(fields)
        kind = self.put_type if keyed else self.create_type
        return self._new(self._fitted(kind, *self._texts.read(fields.items())), actor)

    def form_patch(self, fields: Mapping[str, str]) -> dict[str, Value]:
        """The fields of a form to the columns they change: an empty one makes null where it can."""
        self._texts.check(fields)
        return self._changes(self._fitted(self.patch_type, *self._texts.read(fields.items(), clear=True)))

    def _fitted(self, kind: Any, given: dict[str, object], errors: list[FieldError]) -> Any:
        """The item of these values, or every reason against it."""
        item: Any = None
        try:
            item = msgspec.convert(given, kind, str_keys=True)
        except msgspec.ValidationError:
            bad = {error.path for error in errors}
            errors += [error for error in explain(kind, given, strict=True) if error.path not in bad]
        if errors:
            raise Problem(INVALID_BODY, errors=errors)
        return item

    # Checks and storage values

    def _new(self, item: Any, actor: Actor, where: str = "$") -> New:
        if self._checks:
            errors = self._broken(item, where)
            if errors:
                raise Problem(INVALID_BODY, errors=errors)
        given: tuple[Any, ...] = msgspec.structs.astuple(item)
        if not self._plain:
            names = self._gather
            given = tuple(UNSET if name is None else getattr(item, name) for name in names)
        guarded = tuple(name for name in self._guarded if getattr(item, name) is not UNSET) if self._guarded else ()
        if not self._fixes:
            return given, guarded
        values = list(given)
        try:
            for at, fix in self._fixes:
                values[at] = fix(values[at], actor)
        except Problem:
            raise self._unfit(given, actor, where) from None
        for updated, created in self._twins:
            values[updated] = values[created]  # both stamps of a new row are one instant
        return values, guarded

    def _unfit(self, given: Sequence[Any], actor: Actor, where: str) -> Problem:
        """Every value that has no place in its column, once one was found."""
        errors: list[FieldError] = []
        for at, fix in self._fixes:
            try:
                fix(given[at], actor)
            except Problem as problem:
                errors += _moved(problem.errors, where)
        return Problem(INVALID_BODY, errors=errors)

    def _all(self, items: Sequence[Any], actor: Actor) -> list[New]:
        rows: list[New] = []
        errors: list[FieldError] = []
        for at, item in enumerate(items):
            try:
                rows.append(self._new(item, actor, f"$[{at}]"))
            except Problem as problem:
                errors += problem.errors
                if len(errors) >= _MOST_ERRORS:
                    break
        if errors:
            raise Problem(INVALID_BODY, errors=errors)
        return rows

    def _broken(self, item: Any, where: str) -> list[FieldError]:
        errors: list[FieldError] = []
        for field, check in self._checks:
            value = getattr(item, field.name)
            if value is UNSET or value is None:
                continue
            try:
                holds = _holds(check.name, check.bound, value)
            except InvalidOperation:
                continue  # a Decimal that cannot be compared (NaN) cannot be stored either, and is told so there
            if not holds:
                errors.append(FieldError(f"{where}.{field.name}", check.name.replace("_", "-"), check.message))
        return errors

    def _changes(self, item: Any) -> dict[str, Value]:
        if self._checks:
            errors = self._broken(item, "$")
            if errors:
                raise Problem(INVALID_BODY, errors=errors)
        changes: dict[str, Value] = {}
        unfit: list[FieldError] = []
        for field in self.writable:
            value = getattr(item, field.name)
            if value is not UNSET:
                try:
                    changes[field.name] = self._storers[field.name](value)
                except Problem as problem:
                    unfit += problem.errors
        if unfit:
            raise Problem(INVALID_BODY, errors=unfit)
        if changes:
            for name, stamp in self._stamps:
                changes[name] = stamp(NOBODY)
        return changes

    def _refused(self, kind: Any, body: bytes, error: Exception) -> Problem:
        if not isinstance(error, msgspec.ValidationError):
            return malformed(error)
        errors = explain(kind, body)
        return Problem(INVALID_BODY, f"{len(errors)} field{'s are' if len(errors) != 1 else ' is'} not valid", errors=errors)


def _moved(errors: Iterable[FieldError], where: str) -> list[FieldError]:
    """Errors of one item, said of its place in the body."""
    return [FieldError(f"{where}{error.path[1:]}", error.code, error.message) for error in errors]


def _storer(field: FieldSpec) -> Callable[[Any], Value]:
    """A function from a Python value to the stored one; what is wrong with it becomes a Problem that names the field."""
    convert = to_storage(field)

    def store(value: Any) -> Value:
        try:
            return convert(value)
        except ValueError as error:
            raise Problem(INVALID_BODY, errors=[FieldError(f"$.{field.name}", "wrong-value", str(error))]) from None

    return store


def _holds(name: str, bound: Any, value: Any) -> bool:
    match name:
        case "ge":
            return bool(value >= bound)
        case "gt":
            return bool(value > bound)
        case "le":
            return bool(value <= bound)
        case "lt":
            return bool(value < bound)
        case "multiple_of":
            return bool(value % bound == 0)
        case "min_length":
            return bool(len(value) >= bound)
        case "max_length":
            return bool(len(value) <= bound)
        case "predicate":
            return bool(bound(value))
        case _:
            return True


def _fix(field: FieldSpec) -> Fix | None:
    """What makes a storage value of a given or absent value; None where they are the same already."""
    absent = _absent(field)
    converted = field.kind not in (Kind.INT, Kind.FLOAT, Kind.STR, Kind.BOOL, Kind.BYTES)
    optional = field.read_only or field.default is not Default.REQUIRED or field.nullable or field.key
    if not optional and not converted:
        return None
    store = _storer(field)

    def fix(value: Any, actor: Actor) -> Value:
        if value is UNSET:
            return absent(actor)
        return store(value) if converted else cast("Value", value)

    return fix


def _absent(field: FieldSpec) -> Callable[[Actor], Value]:
    """What stands in a column for which the caller gave nothing."""
    store = _storer(field)
    if field.stamp is not None or field.default is Default.NOW:
        return lambda _: store(_now(field.kind))
    match field.default:
        case Default.VALUE:
            fixed = store(field.default_value)
            return lambda _: fixed
        case Default.UUID7:
            return lambda _: store(make_uuid7())
        case Default.FACTORY:
            factory = field.factory
            assert factory is not None
            return lambda _: store(factory())
        case Default.ME:
            return lambda actor: actor.id
        case _:
            return lambda _: None


def _now(kind: Kind) -> object:
    moment = datetime.now(UTC)
    match kind:
        case Kind.DATE:
            return moment.date()
        case Kind.TIME:
            return moment.time()
        case _:
            return moment
