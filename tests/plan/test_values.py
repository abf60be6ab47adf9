"""Texts of a query to stored values: patterns in both of their forms, JSON literals, and cursors that come back as they went."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.db.sqlite_match import register
from pellucid.errors import Problem
from pellucid.plan.cursor import CursorType, decode_cursor, encode_cursor
from pellucid.plan.values import glob_pattern, json_value, like_pattern

DB = apsw.Connection(":memory:")
register(DB)


@pytest.mark.parametrize(
    ("text", "like", "glob"),
    [
        ("a*", "a%", "a*"),
        ("a%", "a%", "a*"),
        ("_b", "_b", "?b"),
        (r"50\%", r"50\%", "50%"),
        (r"a\*b", "a*b", "a[*]b"),
        (r"a\_b", r"a\_b", "a_b"),
        ("[x]?", "[x]?", "[[]x][?]"),
        ("\\\\", "\\\\", "\\"),
        ("end\\", "end\\\\", "end\\"),
    ],
)
def test_a_pattern_has_two_forms(text: str, like: str, glob: str) -> None:
    assert (like_pattern(text), glob_pattern(text)) == (like, glob)


LETTERS = st.text(alphabet="ab*%_[]?\\^-", max_size=6)


@settings(max_examples=300, deadline=None)
@given(LETTERS, LETTERS)
def test_both_forms_of_a_pattern_find_the_same(text: str, pattern: str) -> None:
    row = next(
        iter(DB.execute("SELECT ? GLOB ?, pellucid_ilike(?, ?)", (text, glob_pattern(pattern), text, like_pattern(pattern))))
    )
    assert row[0] == row[1]


def test_json_values_are_literals_or_text() -> None:
    assert [json_value(text) for text in ("5", "5.5", "true", '"5"', "five", "null", "[1, 2]")] == [
        5,
        5.5,
        1,
        "5",
        "five",
        "null",
        "[1,2]",
    ]
    with pytest.raises(Problem, match="64 bits"):
        json_value(str(2**63))


KIND = CursorType(7, ((int,), (str, type(None)), (float, int), (bytes,)))


CURSORS = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(),
    st.floats(allow_nan=False) | st.integers(-5, 5),
    st.binary(),
)


@given(CURSORS)
def test_a_cursor_comes_back_as_it_went(values: tuple[int | str | float | bytes | None, ...]) -> None:
    text = encode_cursor(7, values)
    assert decode_cursor(KIND, text) == values
    assert text.replace("-", "").replace("_", "").isalnum()


FORGED = st.one_of(
    st.text(),
    st.binary().map(lambda raw: encode_cursor(7, [raw])),
    st.lists(st.integers(-(2**63), 2**64 - 1), max_size=4).map(lambda raw: encode_cursor(7, raw)),
)


@given(FORGED)
def test_a_forged_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as raised:
        decode_cursor(KIND, text)
    assert raised.value.code.slug == "bad-cursor"
