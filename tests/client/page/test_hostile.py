"""Pages and sheets made to break their reader: each is read, in a time that grows no faster than its size."""

from __future__ import annotations

import pytest

from pellucid.client.page.scan import Scanner
from pellucid.client.page.style import Styles
from pellucid.client.page.values import substitute
from pellucid.http.gloss_values import explain_value
from pellucid.http.url import parse_url
from pellucid.journey import Viewport

PAGE = parse_url("http://shop.example/a/b")
NUMBERS = ["1" * 5000, "1e999", "-1e999", "1e-999", "calc(infinity)", "calc(0/0)", "calc(1e308*9)", "nan", "\u0663", "\u00b2"]
PLACES = [
    '<img sizes="{}px" srcset="a {}w, b {}x">',
    '<img sizes="(min-width: {}) {}" srcset="a 1w">',
    '<link rel=icon sizes="{}x{}" href=a>',
    '<link rel=stylesheet media="(min-width: {}px) or (color: {}) or (aspect-ratio: {}/{})" href=a>',
    "<style>p:nth-child({}) { background: url(a) }</style>",
    "<style>p:nth-child({}n+{}) { background: url(a) }</style>",
    "<style>p { width: {}; background: image-set(url(a) {}x) }</style>",
    "<style>@media (min-color: {}) or (min-resolution: {}dppx) { p { background: url(a) } }</style>",
    "<style>@font-face { font-family: a; src: url(a); unicode-range: U+{}; font-weight: {} } p { font: {} a }</style>",
    '<p style="animation: x {}s {}s {}; opacity: {}; font: {}px x">&#{};&#x{};',
]


def read(html: str) -> None:
    scanner = Scanner(PAGE, 0, Viewport())
    scanner.feed(html.encode())
    scanner.end()
    styles = Styles(Viewport())
    for sheet in scanner.sheets:
        styles.add(sheet.text, PAGE, 0, sheet.media)
    styles.used(html.encode(), "utf-8", PAGE, 0)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:20])
def test_numbers_that_are_none(place: str, number: str) -> None:
    read(f"{place.replace('{}', number)}<p>x")


def test_variables_that_name_one_another_without_end() -> None:
    circle = "var(--a, " * 30 + ")" * 30
    read(f"<style>:root {{ --a: {circle}; --b: var(--b, var(--a)) }} p {{ background: var(--a, var(--b)) }}</style><p>x")
    assert substitute(circle, {"--a": circle}) is None


def test_escapes_that_could_be_cut_in_many_ways() -> None:
    name = r"\61" * 1000
    read(f"<style>[a={name}!] {{ background: url(a) }} [{name}!] {{ background: url(b) }}</style><p>x")


def test_a_family_that_is_none_is_left_quickly() -> None:
    read(f"<style>p {{ font-family: {'a' * 1000}! }}</style><p>x")  # with each letter, twice as many ways to read it were tried


@pytest.mark.parametrize("name", ["link", "alt-svc", "permissions-policy", "set-cookie", "content-security-policy", "etag"])
@pytest.mark.parametrize("piece", ["<", "a", "<a>;", "(", "a=(", "a=a ", '"', 'a="', "//", ";", ", ", "a=a"])
def test_a_field_as_large_as_a_head_is_explained_in_time(name: str, piece: str) -> None:
    explain_value(name, piece * (262_144 // len(piece)))  # read again from each letter on, this would take minutes
