"""Paging cursors: where a page ended, as opaque text for a URL.

In: the stored values of the last row's sort keys. Out: URL-safe text, and back. A cursor holds no secret, since it
holds what the row showed or was sorted by; who forges one gets another place to start from and nothing else, for the
values are bound like all others and their types are checked here. The tag ties it to one model and order.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from zlib import crc32

import msgspec

from pellucid.errors import BAD_CURSOR, Problem
from pellucid.plan.plan import SortKey
from pellucid.schema.types import Stored, storage_type

__all__ = ["CursorType", "cursor_tag", "cursor_type", "decode_cursor", "encode_cursor"]

_TYPES: dict[str, tuple[type, ...]] = {"INTEGER": (int,), "REAL": (float, int), "TEXT": (str,), "BLOB": (bytes,)}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[object]).decode


class CursorType(msgspec.Struct, frozen=True):
    """Which cursors fit a query: a tag of its order, and for each key the Python types its value may have."""

    tag: int
    types: tuple[tuple[type, ...], ...]


def cursor_tag(model: str, order: Sequence[SortKey]) -> int:
    """A number that differs between models and orders."""
    keys = [
        (
            key.column.field.name,
            key.column.path,
            key.column.text,
            key.descending,
            key.nulls_first,
            key.branch and key.branch.relation.name,
        )
        for key in order
    ]
    return crc32(repr((model, keys)).encode())


def cursor_type(tag: int, order: Sequence[SortKey]) -> CursorType:
    """What a cursor of this order must hold."""
    types: list[tuple[type, ...]] = []
    for key in order:
        kinds = (int, float, str) if key.column.path else _TYPES[storage_type(key.column.field)]
        types.append((*kinds, type(None)) if key.nullable else kinds)
    return CursorType(tag, tuple(types))


def encode_cursor(tag: int, values: Sequence[Stored]) -> str:
    """The cursor that continues after a row with these sort keys."""
    return urlsafe_b64encode(_encode((tag, *values))).rstrip(b"=").decode()


def decode_cursor(kind: CursorType, text: str) -> tuple[Stored, ...]:
    """The sort keys in a cursor. Raises BAD_CURSOR unless it was made for this model and order."""
    try:
        tag, *values = _decode(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (Base64Error, ValueError, RecursionError, msgspec.DecodeError):
        raise Problem(BAD_CURSOR, "after: this is not a cursor", hint="follow the link rel=next of an earlier answer") from None
    if tag != kind.tag or len(values) != len(kind.types):
        raise Problem(
            BAD_CURSOR, "after: this cursor belongs to another order or model", hint="keep 'order' while following pages"
        )
    checked: list[Stored] = []
    for value, types in zip(values, kind.types, strict=True):
        fits = type(value) in types and not (isinstance(value, int) and not -(2**63) <= value < 2**63)
        if not fits or not (value is None or isinstance(value, int | float | str | bytes)):
            raise Problem(BAD_CURSOR, "after: this cursor holds a value that does not fit its column")
        checked.append(value)
    return tuple(checked)
