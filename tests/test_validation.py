"""Explaining what does not fit: every bad part at once, each with path, code and a sentence."""

from __future__ import annotations

import datetime
import enum
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
import pytest
from annotated_types import Ge, Gt, Interval, Len, Predicate, Timezone
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from pellucid.errors import MALFORMED_BODY, Problem
from pellucid.validation import explain
from pellucid.web.strict import strict_twin


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Line:
    product: int
    quantity: Annotated[int, Ge(1)]
    note: str = ""
    tags: list[str] = field(default_factory=list)


class Cart(msgspec.Struct, rename="camel"):
    buyer_name: Annotated[str, Len(1, 10)]
    lines: list[Line]
    total: Annotated[Decimal, Ge(0)] | None = None
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    day: datetime.date | None = None
    extra: dict[str, int] = {}
    gift: Line | None = None


def found(type: object, data: object, **options: bool) -> dict[str, str]:
    return {error.path: error.code for error in explain(type, data, **options)}


def test_every_bad_field_is_named_at_once_with_path_and_code() -> None:
    body = b"""{"buyerName": "", "buyer_name": 1, "lines": [{"product": 1, "quantity": 0}, {"quantity": "x", "tagz": []}, 7],
      "total": "-1", "colour": "rad", "kind": "c", "day": "2020-13-01", "extra": {"a": "b", "c d": null}, "gift": 3}"""
    assert found(strict_twin(Cart), body) == {
        "$.buyerName": "too-short",
        "$.lines[0].quantity": "too-small",
        "$.lines[1].product": "missing",
        "$.lines[1].quantity": "wrong-type",
        "$.lines[1].tagz": "unknown-field",
        "$.lines[2]": "wrong-type",
        "$.total": "too-small",
        "$.colour": "not-a-choice",
        "$.kind": "not-a-choice",
        "$.day": "wrong-type",
        "$.extra.a": "wrong-type",
        "$.extra['c d']": "wrong-type",
        "$.gift": "wrong-type",
        "$.buyer_name": "unknown-field",
    }


def test_an_unknown_field_comes_with_the_nearest_real_one() -> None:
    errors = explain(strict_twin(Line), b'{"product": 1, "quantity": 1, "notes": ""}')
    assert [error.message for error in errors] == ["there is no field 'notes'; did you mean 'note'?"]


def test_a_wrong_choice_lists_the_right_ones() -> None:
    assert explain(Colour, "gren")[0].message == "must be one of 'red', 'green'; did you mean 'green'?"


@pytest.mark.parametrize(
    ("type", "data", "codes"),
    [
        (Annotated[int, Meta(gt=3)], 3, ["too-small"]),
        (Annotated[int, Meta(ge=3, multiple_of=2)], 1, ["too-small", "not-a-multiple"]),
        (Annotated[int, Meta(lt=3)], 3, ["too-large"]),
        (Annotated[float, Meta(le=3)], 3.5, ["too-large"]),
        (Annotated[str, Meta(max_length=2)], "abc", ["too-long"]),
        (Annotated[str, Meta(min_length=2, pattern="^b")], "a", ["too-short", "pattern"]),
        (Annotated[list[int], Meta(min_length=2)], [1], ["too-short"]),
        (Annotated[list[int], Meta(max_length=1)], [1, "x"], ["too-long", "wrong-type"]),
        (Annotated[dict[str, int], Meta(max_length=1)], {"a": 1, "b": 2}, ["too-long"]),
        (Annotated[datetime.datetime, Meta(tz=True)], "2020-01-01T00:00:00", ["timezone"]),
        (Annotated[datetime.datetime, Meta(tz=False)], "2020-01-01T00:00:00Z", ["timezone"]),
        (bool, 1, ["wrong-type"]),
        (int, True, ["wrong-type"]),
        (str, None, ["wrong-type"]),
        (uuid.UUID, "x", ["wrong-type"]),
        (bytes, "%", ["wrong-type"]),
        (tuple[int, str], [1], ["wrong-type"]),
        (tuple[int, str], ["x", 1], ["wrong-type", "wrong-type"]),
        (set[int], [1, "x"], ["wrong-type"]),
        (dict[int, str], {"x": "y"}, ["wrong-type"]),
        (int | str, [], ["wrong-type"]),
        (int | Annotated[str, Meta(min_length=3)], "x", ["too-short"]),
        (int | None, "x", ["wrong-type"]),
        (int | None, None, []),
        (object, {"a": [1]}, []),
        (datetime.timedelta, "P1D", []),
        (Decimal, 1.5, []),
    ],
)
def test_each_kind_of_error_has_its_code(type: object, data: object, codes: list[str]) -> None:
    assert [error.code for error in explain(type, data)] == codes
    assert [error.code for error in explain(type, msgspec.json.encode(data))] == codes


@pytest.mark.parametrize(
    ("type", "data", "strict", "message"),
    [
        (bool, "yes", True, "must be true or false, not text"),
        (bool, "yes", False, "must be true or false, not 'yes'"),
        (bool, 1, True, "must be true or false, not 1"),
        (int, "12", True, "must be a whole number, not text"),
        (int, "twelve", False, "must be a whole number, not 'twelve'"),
        (int, 1.5, True, "must be a whole number, not 1.5"),
        (int | None, True, True, "must be a whole number, not true"),
        (float, [], True, "must be a number, not an array"),
        (str, None, True, "must be text, not null"),
        (str, {}, True, "must be text, not an object"),
        (Decimal, None, True, 'must be a decimal number such as "19.90", not null'),
        (Decimal, "19,90", True, "must be a decimal number such as \"19.90\", not '19,90'"),
        (datetime.date, "31.1.2026", True, "must be a date such as \"2026-01-31\", not '31.1.2026'"),
        (datetime.datetime, 5, True, 'must be a date and time such as "2026-01-31T12:30:00Z", not 5'),
        (datetime.time, "noon", True, "must be a time of day such as \"12:30:00\", not 'noon'"),
        (datetime.timedelta, "1h", True, "must be a duration such as \"PT1H30M\", not '1h'"),
        (uuid.UUID, 7, True, 'must be a UUID such as "0198c0de-7a3b-7c4d-8e5f-0123456789ab", not 7'),
        (bytes, 7, True, "must be bytes as base64 text, not 7"),
        (None, 7, True, "must be null, not 7"),
        (list[int], {}, True, "must be an array, not an object"),
        (dict[str, int], [], True, "must be an object, not an array"),
        (Line, "x", True, "must be an object, not text"),
        (tuple[int, str], [1], True, "must be an array of 2 items, not of 1"),
        (int | str, [], True, "must be a whole number or text, not an array"),
    ],
)
def test_a_wrong_kind_is_told_in_plain_words(type: object, data: object, strict: bool, message: str) -> None:
    assert [(error.code, error.message) for error in explain(type, data, strict=strict)] == [("wrong-type", message)]


def test_what_is_told_of_the_whole_type_has_the_same_words() -> None:
    deep: object = {"name": 1}
    for _ in range(40):
        deep = {"name": "x", "children": [deep]}
    assert [error.message for error in explain(Tree, deep)] == ["must be text, not a whole number"]


def test_text_stands_for_numbers_where_forms_and_queries_send_it() -> None:
    assert found(list[int], ["1", "x"], strict=False) == {"$[1]": "wrong-type"}
    assert found(bool, "true", strict=False) == {}


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    name: str


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"type": "cat", "lives": "x"}, {"$.lives": "wrong-type"}),
        ({"type": "dog"}, {"$.name": "missing"}),
        ({"type": "cow"}, {"$.type": "not-a-choice"}),
        ({"type": "cat", "lives": 9, "name": ""}, {"$.name": "unknown-field"}),
        ([], {"$": "wrong-type"}),
    ],
)
def test_a_tagged_union_is_judged_by_its_tag(data: object, errors: dict[str, str]) -> None:
    assert found(strict_twin(Cat | Dog), data) == errors


class Window(msgspec.Struct):
    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError("stop lies before start")


def test_what_only_the_whole_knows_is_named_at_the_whole() -> None:
    errors = explain(list[Window], b'[{"start": 1, "stop": 2}, {"start": 3, "stop": 2}]')
    assert [(error.path, error.code, error.message) for error in errors] == [("$[1]", "invalid", "stop lies before start")]


def test_a_typed_dict_and_what_it_need_not_have() -> None:
    class Shape(TypedDict):
        a: int
        b: NotRequired[int]

    assert found(Shape, {"b": "x"}) == {"$.a": "missing", "$.b": "wrong-type"}


class Tree(msgspec.Struct):
    name: str
    children: list[Tree] = []


def test_a_type_within_itself_is_followed_but_never_without_end() -> None:
    assert found(Tree, {"name": "a", "children": [{"name": 1}]}) == {"$.children[0].name": "wrong-type"}
    deep: dict[str, object] = {"name": 1}
    for _ in range(200):
        deep = {"name": "x", "children": [deep]}
    assert len(explain(Tree, deep)) == 1


def test_the_number_of_errors_is_bounded() -> None:
    assert len(explain(list[int], ["x"] * 100_000)) == 100


def test_what_is_no_json_is_a_problem_of_its_own() -> None:
    for body in (b"{", b"", b"\xff", b"[" * 100_000):
        with pytest.raises(Problem) as caught:
            explain(Cart, body)
        assert caught.value.code is MALFORMED_BODY


class Limits(msgspec.Struct):
    day: Annotated[datetime.date, Gt(datetime.date(2020, 1, 1))]
    price: Annotated[Decimal, Interval(ge=0, lt=10)] = Decimal(0)
    even: Annotated[int, Predicate(lambda number: number % 2 == 0)] = 0
    at: Annotated[datetime.datetime, Timezone(None)] | None = None


def test_constraints_that_msgspec_has_no_word_for_are_kept() -> None:
    body = b'{"day": "2019-01-01", "price": "10", "even": 3, "at": "2020-01-01T00:00:00Z"}'
    twin = strict_twin(Limits)
    assert found(twin, body) == {"$.day": "too-small", "$.price": "too-large", "$.even": "invalid", "$.at": "timezone"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=twin)
    assert found(twin, b'{"day": "2021-01-01", "price": "9.99", "even": 2}') == {}


def test_a_constraint_that_cannot_be_kept_fails_at_start() -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        strict_twin(list[Annotated[Decimal, Ge(0)]])


def test_the_twin_takes_what_the_type_takes() -> None:
    body = b'{"buyerName": "x", "lines": [{"product": 1, "quantity": 1}], "gift": null, "extra": {"a": 1}}'
    msgspec.json.decode(body, type=Cart)
    msgspec.json.decode(body, type=strict_twin(Cart))
    assert explain(strict_twin(Cart), body) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "children", "product", "quantity", "note", "x"]), inner, max_size=4),
    max_leaves=10,
)


@given(anything)
def test_it_finds_an_error_exactly_where_msgspec_does(data: object) -> None:
    for type in (Tree, strict_twin(Line), list[Line], int | str | None, dict[str, Tree | None]):
        body = msgspec.json.encode(data)
        try:
            msgspec.json.decode(body, type=type)
        except msgspec.ValidationError:
            assert explain(type, body)
        else:
            assert explain(type, body) == []
