"""The example's page in a real browser on the real server: what a visitor sees, types and clicks, and that nothing goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from chromium import Page, dumped, needs_chromium, paged
from shell import Served, Shell

pytestmark = needs_chromium

WHOLE_MAP = "document.querySelector('#map-caption').textContent.startsWith('The 5,000 largest cities')"
IS_PARIS = "document.querySelector('h1')?.textContent === 'Paris'"
SHOWN = "document.querySelector('#view').ariaBusy === 'false'"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with paged(tmp_path / "browser") as page:
        page.size(1280, 900)
        yield page


def test_the_page_shows_the_countries_of_the_world(served: Served, tmp_path: Path) -> None:
    html = dumped(f"{served.address}/", tmp_path / "browser")
    assert html.count('href="#/country/') == 250
    assert "Countries of the world" in html
    assert "Brazzaville" in html
    assert "The 5,000 largest cities" in html
    assert "That did not work" not in html
    assert "The map is incomplete" not in html


def test_search_a_city_and_send_a_postcard_from_there(served: Served, page: Page) -> None:
    page.open(f"{served.address}/")
    page.until(WHOLE_MAP)
    page.press("/")
    page.type("pari")
    assert "France" in page.text("#found [data-id]")
    page.press("ArrowDown")
    page.press("Enter")
    page.until(IS_PARIS)
    assert page.evaluate("location.hash") == "#/city/2988507"
    assert page.evaluate("document.title") == "Paris, France · Atlas"
    assert "Europe" in page.text(".trail")
    assert "2,138,551" in page.text(".facts")
    page.until("document.querySelectorAll('.nearby .row').length >= 12")

    page.click("#author")
    page.type("Ada")
    page.click("#text")
    page.type("<b>The light</b> on the river.")
    page.click(".write button")
    assert page.text(".cards li p") == "<b>The light</b> on the river."  # text, never HTML
    page.until("document.querySelector('.status').textContent === 'Sent.'")
    assert page.evaluate("document.querySelector('#text').value") == ""

    page.open(f"{served.address}/#/")
    page.open(f"{served.address}/#/city/2988507")
    assert page.text(".cards li b") == "Ada"
    assert page.wrong == []


def test_what_the_server_objects_to_stands_beside_its_field(served: Served, page: Page) -> None:
    page.open(f"{served.address}/#/city/2643743")
    page.click("#author")
    page.type("Ada")
    page.click(".write button")
    page.until("document.querySelector('#text-error').textContent")
    assert page.evaluate("document.querySelector('#author-error').textContent") == ""
    assert page.evaluate("document.querySelector('#text').ariaInvalid") == "true"
    assert page.evaluate("document.activeElement.id") == "text"
    page.type("Rain.")
    page.click(".write button")
    assert page.text(".cards li p") == "Rain."
    assert page.evaluate("document.querySelector('#text').ariaInvalid") is None
    assert all("422" in wrong for wrong in page.wrong)


def test_from_continent_to_country_to_city_and_back(served: Served, page: Page) -> None:
    page.open(f"{served.address}/")
    page.click("a[href='#/continent/OC']")
    page.until("document.querySelector('h1').textContent === 'Oceania'")
    page.click("main input[type=search]")
    page.type("zealand")
    page.until("document.querySelectorAll('.countries li:not([hidden])').length === 1")
    page.click("a[href='#/country/NZ']")
    page.until("document.querySelector('h1').textContent.includes('New Zealand')")
    assert "Wellington" in page.text(".facts")
    assert page.text(".ranking b") == "Auckland"
    page.click(".ranking a")
    page.until("document.querySelector('h1').textContent === 'Auckland'")
    page.evaluate("history.back()")
    page.until("document.querySelector('h1').textContent.includes('New Zealand')")
    assert page.wrong == []


def test_every_request_goes_to_us_and_the_foot_tells_its_time(served: Served, page: Page) -> None:
    page.open(f"{served.address}/#/country/FR")
    page.until(WHOLE_MAP)
    page.until("document.querySelector('#timing').textContent.includes('in the server')")
    told = page.text("#timing")
    assert told.startswith("/api/countries?code=eq.FR")
    in_server, in_all = (float(words.split(" ms")[0].split()[-1]) for words in told.split(", "))
    assert 0 < in_server <= in_all
    origins = {urlsplit(url).netloc for _, url in page.asked}
    assert origins == {urlsplit(served.address).netloc}
    paths = {unquote(urlsplit(url).path) for _, url in page.asked}
    assert {"/", "/app.js", "/style.css", "/api/cities", "/api/countries"} <= paths
    assert page.wrong == []


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 900, True), (390, 844, False)])
def test_nothing_is_wider_than_the_window(served: Served, page: Page, width: int, height: int, dark: bool) -> None:
    page.size(width, height, dark=dark)
    for view in ("", "country/FR", "city/2988507"):
        page.open("about:blank")
        page.open(f"{served.address}/#/{view}")
        page.until(WHOLE_MAP)
        page.until(f"document.querySelector('h1') && {SHOWN}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.wrong == []


def test_an_unknown_address_says_so_and_leads_back(served: Served, page: Page) -> None:
    for view in ("country/ZZ", "city/1", "nowhere"):
        page.open(f"{served.address}/#/{view}")
        page.until("document.querySelector('h1')?.textContent === 'Not on this map'")
        page.click("main a[href='#/']")
        page.until("document.querySelectorAll('.countries li').length === 250")


def test_a_stopped_server_is_said_and_tried_again(atlas: Shell, page: Page) -> None:
    with atlas.serving("dev", "app.py") as first:
        address = first.address
        page.open(f"{address}/")
        page.until(WHOLE_MAP)
    page.evaluate("location.hash = '#/country/FR'")
    page.until("document.querySelector('.notice')?.textContent.includes('cannot be reached')")
    assert page.text("h1") == "That did not work"
    with atlas.serving("dev", "app.py", "--port", str(urlsplit(address).port)) as again:
        again.wait_for("ready after")
        page.click("main button")
        page.until("document.querySelector('h1').textContent.includes('France')")
