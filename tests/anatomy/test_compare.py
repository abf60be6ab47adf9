"""Two journeys side by side, and a journey beside an archive."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeys
from journeys import ms
from pellucid.anatomy.cells import width as cells
from pellucid.anatomy.compare import Summary, changes, compare
from pellucid.journey import Journey, Received


def worse() -> Journey:
    """The shop on another host, after a bad day."""
    told = journeys.shop()
    for visit in told.visits:
        visit.url = visit.url.replace("pellucid.shop", "staging.shop:8443")
        visit.redirected_to = visit.redirected_to and "https://staging.shop:8443/"
    told.shown = "https://staging.shop:8443/"
    told.finished = ms(410)
    css, script, font = told.visits[2], told.visits[3], told.visits[4]
    css.last_byte = css.finished = ms(171)
    script.body.wire = 161_440
    font.received = Received(404, "", "1.1")
    told.visits = [visit for visit in told.visits if visit.id != 7]
    told.visits.append(journeys.visit(99, "https://tracker.example/pixel.gif", "image", (150, 151, 151, 390, 400), by=1, size=43))
    return told


def archive() -> dict[str, object]:
    """What a browser wrote of the shop, shortened."""

    def entry(at: str, url: str, status: int, time: float, size: int, **timings: float) -> dict[str, object]:
        return {
            "startedDateTime": f"2026-11-21T13:00:00.{at}Z",
            "time": time,
            "request": {"method": "GET", "url": url},
            "response": {"status": status, "bodySize": size, "content": {"size": size * 3}},
            "timings": {"blocked": 1, "dns": -1, "connect": -1, "ssl": -1, "send": 0.1, "wait": 10, "receive": 1, **timings},
            "_connectionId": "12",
        }

    entries = [
        entry("020", "https://pellucid.shop/", 200, 90.0, 14_100, wait=60, receive=9),
        entry("000", "http://pellucid.shop/", 301, 20.0, 0, dns=9, connect=8, ssl=3),
        entry("110", "https://pellucid.shop/app.css", 200, 30.0, 8_000),
        entry("110", "https://pellucid.shop/old.js", 200, 300.0, 100_000),
    ]
    return {"log": {"version": "1.2", "creator": {}, "entries": entries}}


@pytest.mark.parametrize("width", [40, 80])
def test_two_journeys(width: int, held: Callable[[str, str], None]) -> None:
    text = compare(Summary.from_journey(journeys.shop()), Summary.from_journey(worse()), width)
    assert max(map(cells, text.splitlines())) <= width
    held(f"compare-{width}", text)


def test_what_changed_is_found_on_another_host_as_well() -> None:
    found = {change.url: change for change in changes(Summary.from_journey(journeys.shop()), Summary.from_journey(worse()))}
    assert found["/app.css"].time == ms(100)
    assert found["/shop.js?v=20261121"].size == 100_000
    assert found["/missing.png"].after is None
    assert found["https://tracker.example/pixel.gif"].before is None
    assert found["/fonts/inter-latin-variable.woff2"].answered_otherwise
    assert found["/thumbs/009.webp"].time == found["/thumbs/009.webp"].size == 0


def test_an_archive_is_read_as_a_browser_writes_it() -> None:
    told = Summary.from_har(archive())
    assert told.verdict == "200 in 410 ms: 4 requests, 122 kB (from an HTTP archive)"
    assert told.phases == {"dns": ms(9), "connect": ms(5), "tls": ms(3), "wait": ms(60), "receive": ms(9)}
    assert (told.total, told.first_byte, told.connections) == (ms(410), ms(101), 1)
    text = compare(told, Summary.from_journey(journeys.shop()), 80)
    assert "/old.js" in text.partition("Gone")[2]


def test_nothing_changed_is_said() -> None:
    same = Summary.from_journey(journeys.shop())
    text = compare(same, same, 80)
    assert "42 requests as before" in text
    assert "Slower" not in text


@pytest.mark.parametrize("har", [{}, {"log": 1}, {"log": {"entries": []}}, {"log": {"entries": ["x"]}}])
def test_an_archive_without_entries_is_refused(har: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no entries"):
        Summary.from_har(har)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENTRY = st.dictionaries(st.sampled_from(["request", "response", "timings", "time", "startedDateTime", "connection"]), JSON)


@given(st.lists(ENTRY, min_size=1, max_size=4), st.integers(20, 120))
def test_any_archive_is_compared_or_refused(entries: list[dict[str, object]], width: int) -> None:
    told = Summary.from_har(msgspec.json.decode(msgspec.json.encode({"log": {"entries": entries}})))
    text = compare(told, Summary.from_journey(journeys.simple()), width)
    assert max(map(cells, text.splitlines())) <= max(width, 40)
