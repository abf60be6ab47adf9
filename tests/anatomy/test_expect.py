"""Expectations: what can be said, what is measured, and what is said of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeys
from pellucid.anatomy.expect import METRICS, BadExpectation, check, parse


@pytest.mark.parametrize(
    ("text", "passed", "says"),
    [
        ("total<500ms", True, "met: total < 500 ms, it was 150 ms"),
        ("total<=0.1s", False, "not met: total <= 100 ms, it was 150 ms"),
        ("status == 200", True, "met: status == 200, it was 200"),
        ("status=404", False, "not met: status == 404, it was 200"),
        ("redirects==1", True, "met: redirects == 1, it was 1"),
        ("requests<50", True, "met: requests < 50, it was 42"),
        ("connections<=3", True, "met: connections <= 3, it was 3"),
        ("failures==0", False, "not met: failures == 0, it was 1"),
        ("dns<10ms", True, "met: dns < 10.0 ms, it was 9.4 ms"),
        ("tls>5ms", True, "met: tls > 5.0 ms, it was 8.5 ms"),
        ("wait<30ms", True, "met: wait < 30.0 ms, it was 23.3 ms"),
        ("ttfb<60ms", True, "met: ttfb < 60.0 ms, it was 53.1 ms"),
        ("document<60ms", False, "not met: document < 60.0 ms, it was 61.3 ms"),
        ("sql<=12ms", True, "met: sql <= 12.0 ms, it was 12.0 ms"),
        ("sql_count<5", False, "not met: sql_count < 5, it was 9"),
        ("server<19ms", True, "met: server < 19.0 ms, it was 18.7 ms"),
        ("image.bytes<200kB", False, "not met: image.bytes < 200 kB, it was 215 kB"),
        ("img.requests>=35", True, "met: image.requests >= 35, it was 35"),
        ("fonts.slowest<1s", True, "met: font.slowest < 1.00 s, it was 31.0 ms"),
        ("stylesheet.bytes != 1KiB", True, "met: stylesheet.bytes != 1.0 kB, it was 8.0 kB"),
    ],
)
def test_expectations_of_the_shop(text: str, passed: bool, says: str) -> None:
    (result,) = check(journeys.shop(), parse(text))
    assert (result.passed, result.text) == (passed, says)


def test_several_are_separated_by_commas() -> None:
    assert [each.metric for each in parse("total<1s, requests<100,sql<5ms")] == ["total", "requests", "sql"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_measured_whatever_happened(metric: str) -> None:
    unit = {"time": "ms", "bytes": "kB", "count": ""}[METRICS[metric][0]]
    for make in (journeys.simple, journeys.nameless, journeys.expired, journeys.shop):
        (result,) = check(make(), parse(f"{metric}>=0{unit}"))
        assert result.actual is None or result.passed


def test_what_nobody_told_is_not_met() -> None:
    told = [result.text for result in check(journeys.simple(), parse("sql<5ms,server<1s"))]
    assert told == ["not met: sql < 5.0 ms, the server did not tell", "not met: server < 1.00 s, the server did not tell"]
    (result,) = check(journeys.nameless(), parse("status==200"))
    assert result.text == "not met: status == 200, no answer came"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is not an expectation", "total<500ms"),
        ("total", "is not an expectation", "total<500ms"),
        ("total<fast", "is not an expectation", "total<500ms"),
        ("totl<500ms", "'totl' is not measured", "total"),
        ("total<500", "has no unit, but total takes us, ms or s", "total<500ms"),
        ("bytes<5ms", "has the unit ms, but bytes takes B, kB, MB, KiB or MiB", "bytes<200kB"),
        ("requests<5kB", "no unit, since it is a number", "requests<3"),
        ("imge.bytes<5kB", "'imge' is no kind of resource", "image"),
        ("image.byts<5kB", "'byts' is not measured of a kind of resource", "bytes"),
    ],
)
def test_mistakes_are_named(text: str, message: str, hint: str) -> None:
    with pytest.raises(BadExpectation) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@given(st.text(max_size=60))
def test_any_text_is_an_expectation_or_a_mistake(text: str) -> None:
    try:
        assert parse(text)
    except BadExpectation:
        pass
