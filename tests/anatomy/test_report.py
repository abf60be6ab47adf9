"""The report in a real browser: on a desk and in a hand, in the light and in the dark, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from chromium import needs_chromium, paged
from journeys import expired, nameless, shop, simple
from pellucid.anatomy.report import page as report
from pellucid.journey import Journey, Note

JOURNEYS = {"shop": shop, "simple": simple, "nameless": nameless, "expired": expired}


@needs_chromium
def test_it_opens_without_a_network_and_fits_every_window(tmp_path: Path) -> None:
    with paged(tmp_path / "browser") as page:
        for name, make in JOURNEYS.items():
            file = tmp_path / f"{name}.html"
            file.write_text(report(make()), encoding="utf-8")
            for width, height in ((1280, 800), (390, 844), (320, 568)):
                page.size(width, height, dark=width < 1000)
                page.open(file.as_uri())
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"
                assert page.text("h1")
        assert page.wrong == []
        assert {url.split(":")[0] for _, url in page.asked} == {"file"}


@needs_chromium
def test_rows_unfold_and_bars_stand_where_the_drawing_has_them(tmp_path: Path) -> None:
    file = tmp_path / "shop.html"
    file.write_text(report(shop()), encoding="utf-8")
    with paged(tmp_path / "browser") as page:
        page.size(1280, 800)
        page.open(file.as_uri())
        page.click("summary.row")
        assert "Request GET" in page.text("details[open] .inside")
        inside = page.evaluate(
            """[...document.querySelectorAll('.waterfall .row:not(.axis) > .bar > i')].every((bar) => {
                const own = bar.getBoundingClientRect(), whole = bar.parentElement.getBoundingClientRect();
                return own.left >= whole.left - 1 && own.right <= whole.right + 3;
            })"""
        )
        assert inside
        assert page.evaluate("document.querySelectorAll('.waterfall .row').length") > 8
        assert "SELECT" in page.evaluate("document.body.textContent")


def test_what_strangers_wrote_is_text() -> None:
    journey: Journey = simple()
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    journey.visits[0].notes.append(Note("type", "warning", evil))
    journey.visits[0].url = f"http://a.example/{evil}"
    journey.shown = evil
    told = report(journey)
    assert "<script" not in told
    assert "<img" not in told
    assert "default-src 'none'" in told


@pytest.mark.parametrize("name", JOURNEYS)
def test_it_names_every_request(name: str) -> None:
    journey = JOURNEYS[name]()
    told = report(journey)
    assert told.startswith("<!doctype html>")
    for visit in journey.visits:
        assert visit.url.rpartition("/")[2] in told
