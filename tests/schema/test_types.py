"""Values between Python, the database and the wire: exact both ways, and a clear word for what does not fit."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.schema.spec import FieldSpec, Kind
from pellucid.schema.types import alchemy_type, from_storage, graphql_type, parse_text, storage_type, to_storage, to_wire


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


FIELDS = {
    Kind.INT: FieldSpec("x", Kind.INT, int),
    Kind.FLOAT: FieldSpec("x", Kind.FLOAT, float),
    Kind.STR: FieldSpec("x", Kind.STR, str),
    Kind.BOOL: FieldSpec("x", Kind.BOOL, bool),
    Kind.DECIMAL: FieldSpec("x", Kind.DECIMAL, Decimal, places=2),
    Kind.DATETIME: FieldSpec("x", Kind.DATETIME, datetime),
    Kind.DATE: FieldSpec("x", Kind.DATE, date),
    Kind.TIME: FieldSpec("x", Kind.TIME, time),
    Kind.DURATION: FieldSpec("x", Kind.DURATION, timedelta),
    Kind.UUID: FieldSpec("x", Kind.UUID, UUID),
    Kind.BYTES: FieldSpec("x", Kind.BYTES, bytes),
    Kind.ENUM: FieldSpec("x", Kind.ENUM, Colour, choices=("red", "blue")),
    Kind.JSON: FieldSpec("x", Kind.JSON, list[int]),
}

VALUES = {
    Kind.INT: st.integers(-(2**63), 2**63 - 1),
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    Kind.STR: st.text(st.characters(codec="utf-8")),
    Kind.BOOL: st.booleans(),
    Kind.DECIMAL: st.decimals(Decimal("-92233720368547758.08"), Decimal("92233720368547758.07"), places=2),
    Kind.DATETIME: st.datetimes(
        datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(timezone(timedelta(hours=5, minutes=30)))
    ),
    Kind.DATE: st.dates(),
    Kind.TIME: st.times(),
    Kind.DURATION: st.timedeltas(timedelta(days=-100000), timedelta(days=100000)),
    Kind.UUID: st.uuids(),
    Kind.BYTES: st.binary(),
    Kind.ENUM: st.sampled_from(Colour),
    Kind.JSON: st.lists(st.integers(-(2**53), 2**53)),
}


@given(st.data())
@pytest.mark.parametrize("kind", list(Kind))
def test_a_value_comes_back_from_the_database_as_it_was(kind: Kind, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind])
    stored = to_storage(FIELDS[kind])(value)
    assert isinstance(stored, int | float | str | bytes)
    back = from_storage(FIELDS[kind])
    assert (stored if back is None else back(stored)) == value


@given(st.data())
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.FLOAT,)])
def test_what_is_answered_can_be_filtered_by(kind: Kind, data: st.DataObject) -> None:
    stored = to_storage(FIELDS[kind])(data.draw(VALUES[kind]))
    convert = to_wire(FIELDS[kind])
    wire = msgspec.json.decode(msgspec.json.encode(stored if convert is None else convert(stored)))
    text = wire if isinstance(wire, str) else msgspec.json.encode(wire).decode()
    assert parse_text(FIELDS[kind])(text) == stored


@given(VALUES[Kind.DATETIME], VALUES[Kind.DATETIME])
def test_stored_times_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    store = to_storage(FIELDS[Kind.DATETIME])
    assert (str(store(one)) < str(store(other))) == (one < other)


@pytest.mark.parametrize("kind", list(Kind))
def test_none_stays_none(kind: Kind) -> None:
    assert to_storage(FIELDS[kind])(None) is None
    for convert in (from_storage(FIELDS[kind]), to_wire(FIELDS[kind])):
        assert convert is None or convert(None) is None


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (Kind.INT, True, "expected a whole number, not True"),
        (Kind.INT, 2**63, "must fit in 64 bits"),
        (Kind.FLOAT, float("nan"), "must be finite"),
        (Kind.BOOL, 1, "expected true or false"),
        (Kind.DECIMAL, Decimal("1.005"), "at most 2 digits after the point"),
        (Kind.DECIMAL, 1.5, "expected a Decimal"),
        (Kind.DECIMAL, Decimal("1e999999"), "64 bits"),
        (Kind.DECIMAL, Decimal("NaN"), "finite"),
        (Kind.DATETIME, datetime(2026, 11, 21, 10), "write 2026-11-21T10:00:00Z if it is UTC"),
        (Kind.DATETIME, datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "years 1 and 9999"),
        (Kind.DATE, datetime(2026, 11, 21, tzinfo=UTC), "expected a date"),
        (Kind.TIME, time(1, tzinfo=UTC), "no offset"),
        (Kind.ENUM, "green", "expected one of 'red', 'blue'"),
        (Kind.JSON, object(), "cannot be written as JSON"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_reason(kind: Kind, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        to_storage(FIELDS[kind])(value)


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        (Kind.INT, "-5", -5),
        (Kind.BOOL, "TRUE", 1),
        (Kind.BOOL, "0", 0),
        (Kind.DECIMAL, "19.9", 1990),
        (Kind.DECIMAL, "2e1", 2000),
        (Kind.DATETIME, "2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00.000000Z"),
        (Kind.DATETIME, "2026-11-21T12:00:00 02:00", "2026-11-21T10:00:00.000000Z"),
        (Kind.UUID, "01A1FDB4-5338-76A6-B42C-1B258DDFAE8C", "01a1fdb4-5338-76a6-b42c-1b258ddfae8c"),
        (Kind.DURATION, "PT1M30S", 90_000_000),
        (Kind.BYTES, "aGk=", b"hi"),
        (Kind.JSON, "[ 1, 2 ]", "[1,2]"),
    ],
)
def test_text_of_a_query_or_a_cell_is_read(kind: Kind, text: str, stored: object) -> None:
    assert parse_text(FIELDS[kind])(text) == stored


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.INT, "1_000"), (Kind.INT, "٣"), (Kind.INT, "1.0"), (Kind.INT, ""), (Kind.INT, "9" * 30), (Kind.FLOAT,
            "inf"), (Kind.FLOAT, "1e9999"),
        (Kind.BOOL, "maybe"), (Kind.DECIMAL, "1e99999"), (Kind.DECIMAL, "1.234"), (Kind.DATETIME, "2026-11-21T10:00:00"),
        (Kind.DATETIME, "yesterday"), (Kind.DATE, "2026-02-30"), (Kind.TIME, "25:00:00"), (Kind.DURATION, "1h"),
            (Kind.UUID, "12"),
        (Kind.BYTES, "?"), (Kind.ENUM, "gren"), (Kind.JSON, "{"), (Kind.JSON, '["a"]'), (Kind.JSON, "[" * 100_000),
    ],
)  # fmt: skip
def test_text_that_cannot_be_meant_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_text(FIELDS[kind])(text)


def test_money_keeps_its_digits_on_the_wire() -> None:
    convert = to_wire(FIELDS[Kind.DECIMAL])
    assert convert is not None
    assert [convert(value) for value in (1990, -5, 0, 100)] == ["19.90", "-0.05", "0.00", "1.00"]
    whole = to_wire(FieldSpec("x", Kind.DECIMAL, Decimal, places=0))
    assert whole is not None
    assert whole(-7) == "-7"


def test_an_enum_of_numbers_is_stored_as_numbers() -> None:
    field = FieldSpec("x", Kind.ENUM, Literal[1, 2], choices=(1, 2))
    assert storage_type(field) == "INTEGER"
    assert graphql_type(field) == "Int"
    assert to_storage(field)(2) == 2
    assert parse_text(field)("1") == 1
    with pytest.raises(ValueError, match="expected one of 1, 2"):
        to_storage(field)(True)


def test_every_kind_names_a_type_of_sqlalchemy() -> None:
    import sqlalchemy

    assert all(hasattr(sqlalchemy, alchemy_type(field)) for field in FIELDS.values())
