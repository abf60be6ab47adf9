"""Caching: what may be kept, how long it is fresh, how old it is, and the sentences that say so."""

from __future__ import annotations

import pytest

from pellucid.http.caching import current_age, directives, explain, freshness, number, storable
from pellucid.http.conditional import format_date

NOW = 1_800_000_000.0
DATE = ("Date", format_date(int(NOW)))


def fields(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [DATE, *pairs]


def control(value: str) -> list[tuple[str, str]]:
    return fields(("Cache-Control", value))


def day(offset: float) -> str:
    return format_date(int(NOW + offset))


@pytest.mark.parametrize(
    ("method", "status", "request_says", "response", "may"),
    [
        ("GET", 200, "", fields(), True),
        ("GET", 200, "", control("no-store"), False),
        ("GET", 200, "no-store", control("max-age=60"), False),
        ("GET", 200, "", control("private"), True),
        ("GET", 302, "", fields(), False),
        ("GET", 302, "", control("max-age=60"), True),
        ("GET", 302, "", fields(("Expires", day(60))), True),
        ("GET", 500, "", fields(), False),
        ("GET", 404, "", fields(), True),
        ("GET", 301, "", fields(), True),
        ("GET", 206, "", control("max-age=60"), False),
        ("GET", 103, "", control("max-age=60"), False),
        ("HEAD", 200, "", fields(), True),
        ("POST", 200, "", control("max-age=60"), False),
        ("PUT", 204, "", fields(), False),
        ("GET", 200, "", fields(("Vary", "*")), False),
        ("GET", 200, "", fields(("Vary", "accept, *")), False),
        ("GET", 200, "", control('private="set-cookie", max-age=5'), True),
    ],
)
def test_what_may_be_kept(method: str, status: int, request_says: str, response: list[tuple[str, str]], may: bool) -> None:
    request = [("Cache-Control", request_says)] if request_says else []
    verdict, why, source = storable(method, status, request, response)
    assert verdict is may, why
    assert source.startswith("RFC 9111")


@pytest.mark.parametrize(
    ("response", "seconds", "by"),
    [
        (control("max-age=3600"), 3600, "max-age"),
        (control('max-age="60"'), 60, "max-age"),
        (control("max-age=60, max-age=90"), 60, "max-age"),
        (control("max-age=soon"), 0, "counts as 0"),
        (control("max-age=-5"), 0, "counts as 0"),
        (control("MAX-AGE=5"), 5, "max-age"),
        (control("s-maxage=99"), None, "nothing"),
        ([*control("max-age=60"), ("Expires", day(999))], 60, "max-age"),
        (fields(("Expires", day(90))), 90, "Expires minus Date"),
        (fields(("Expires", day(-90))), 0, "Expires"),
        (fields(("Expires", "0")), 0, "no date"),
        ([("Expires", day(90))], 90, "Expires"),
        (fields(("Last-Modified", day(-1000))), 100, "a tenth of the 1,000 s since Last-Modified"),
        (fields(("Last-Modified", day(-10 * 86400))), 86400, "10 days"),
        (fields(("Last-Modified", day(+10))), 0, "a guess"),
        (fields(), None, "nothing"),
    ],
)
def test_lifetimes(response: list[tuple[str, str]], seconds: float | None, by: str) -> None:
    found = freshness(200, response, NOW)
    assert found.lifetime == seconds
    assert by in found.by


@pytest.mark.parametrize(
    ("response", "delay", "later", "age", "sum"),
    [
        (fields(), 0, 0, 0, "just made"),
        (fields(), 0, 30, 30, "30 s in this cache"),
        (fields(("Age", "100")), 2, 10, 112, "100 s in other caches (Age) + 2 s on the way + 10 s in this cache"),
        ([("Date", day(-60)), ("Age", "10")], 0, 0, 60, "60 s since Date"),
        ([("Date", day(+60))], 0, 5, 5, "5 s in this cache"),
        (fields(("Age", "old")), 0, 0, 0, "just made"),
        ([], 3, 0, 3, "3 s on the way"),
    ],
)
def test_ages(response: list[tuple[str, str]], delay: float, later: float, age: float, sum: str) -> None:
    assert current_age(response, requested=NOW - delay, received=NOW, now=NOW + later) == (age, sum)


def told(response: list[tuple[str, str]], *, status: int = 200, later: float = 0.0) -> list[str]:
    verdict = explain("GET", status, [], response, requested=NOW, received=NOW, now=NOW + later)
    return [remark.message for remark in verdict.remarks]


def test_the_arithmetic_is_a_sentence() -> None:
    response = [*control("max-age=3600"), ("ETag", '"x"')]
    assert told(response, later=120) == [
        "May be stored: max-age allows a private cache to keep it",
        "Fresh for 3,600 s (max-age), 120 s old (120 s in this cache): 3,480 s left",
    ]
    assert told(response, later=3700)[1].endswith("3,700 s old (3,700 s in this cache): stale since 100 s")
    verdict = explain("GET", 200, [], response, requested=NOW, received=NOW, now=NOW + 120)
    assert (verdict.lifetime, verdict.age) == (3600, 120)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no-store, max-age=60", "no-store makes max-age pointless"),
        ("public, private", "public and private contradict"),
        ("max-age=1, max-age=2", "2 times with different numbers"),
        ("no-cache, max-age=60", "no-cache makes max-age pointless"),
        ("no-cache", "checked before each use"),
        ("immutable", "immutable without max-age does nothing"),
        ("max-age=60, immutable", "a reload does not ask"),
        ("max-age=60, must-revalidate", "even where the server cannot be reached"),
        ("max-age=60, stale-while-revalidate=30", "For 30 s after that"),
        ("max-age=0", "Stale at once (max-age)"),
        ("max-age=60", "neither ETag nor Last-Modified"),
        ("private", "Nothing says how long"),
    ],
)
def test_directives_are_spoken_of(value: str, words: str) -> None:
    assert words in "; ".join(told(control(value)))


def test_other_fields_are_spoken_of() -> None:
    assert "A version is kept for each value of accept-encoding, cookie" in "; ".join(
        told(fields(("Vary", "Accept-Encoding, Cookie")))
    )
    assert "Pragma means nothing in an answer" in "; ".join(told(fields(("Pragma", "no-cache"))))
    assert "Expires and max-age differ" in "; ".join(told([*control("max-age=60"), ("Expires", day(9999))]))
    assert "Expires and max-age differ" not in "; ".join(told([*control("max-age=60"), ("Expires", day(60))]))


def test_numbers_and_directives() -> None:
    assert number("12") == 12
    assert number("99999999999999999") == 2**31
    assert number("٣") is None
    assert number("1.5") is None
    assert directives(control('A=1, private="x, y", a=2,, b')) == {"a": "1", "private": "x, y", "b": ""}
