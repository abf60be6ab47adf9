"""ILIKE on SQLite: as PostgreSQL's, for all of Unicode, and never slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.db.sqlite_match import base64, ilike


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("Tea", "tea", True),
        ("Tea", "te", False),
        ("Tea", "te%", True),
        ("Tea", "%EA", True),
        ("Green tea, hot", "%TEA%", True),
        ("Tea", "t_a", True),
        ("Ta", "t_a", False),
        ("", "", True),
        ("", "%", True),
        ("x", "", False),
        ("ÉCLAIR", "é%", True),
        ("Straße", "STRASSE", True),
        ("100%", r"100\%", True),
        ("100x", r"100\%", False),
        ("a_b", r"a\_b", True),
        ("axb", r"a\_b", False),
        ("aXbXc", "a%b%c", True),
        ("abab", "a%ab", True),
        ("aab", "%a_", True),
        ("ab", "%ab%ab%", False),
        (1990, "19%", True),
    ],
)
def test_ilike_fits_as_postgresql_does(text: str | int, pattern: str, fits: bool) -> None:
    assert ilike(text, pattern) is fits


def test_ilike_of_null_is_null() -> None:
    assert ilike(None, "%") is None
    assert ilike("x", None) is None


def _regex(pattern: str) -> re.Pattern[str]:
    out, rest = "", iter(pattern)
    for character in rest:
        if character == "%":
            out += ".*"
        elif character == "_":
            out += "."
        else:
            out += re.escape(next(rest, "\\") if character == "\\" else character)
    return re.compile(out, re.DOTALL)


@given(st.text("aAbB", max_size=12), st.text("aAb%_\\", max_size=8))
def test_ilike_agrees_with_a_regular_expression(text: str, pattern: str) -> None:
    assert ilike(text, pattern) is (_regex(pattern.lower()).fullmatch(text.lower()) is not None)


def test_a_malicious_pattern_takes_no_longer_than_text_times_pattern() -> None:
    began = time.perf_counter()
    assert ilike("a" * 2000, "%a_" * 100 + "b") is False
    assert time.perf_counter() - began < 2


def test_base64_of_bytes_text_and_null() -> None:
    assert base64(b"\x00\xff") == "AP8="
    assert base64("é") == "w6k="
    assert base64(None) is None
