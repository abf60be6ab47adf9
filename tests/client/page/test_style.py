"""What style sheets make a browser fetch: tables of small pages, the reasons for what is left alone, and a page of hard cases on
which Chromium has the last word.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chromium import needs_chromium
from oracle import browser, score, served
from pellucid.client.page.scan import Scanner
from pellucid.client.page.style import Styles
from pellucid.http.url import parse_url
from pellucid.journey import Viewport

PAGE = parse_url("http://example.org/page/")
SHEET = parse_url("http://example.org/css/site.css")


def used(css: str, body: str, viewport: Viewport | None = None, **imported: str) -> tuple[list[str], dict[str, str]]:
    """The names of the images that are fetched, and of those that are not, why."""
    styles = Styles(viewport)
    styles.add(css, SHEET, 1)
    for name, text in imported.items():
        styles.add_imported(parse_url(f"{name}.css", SHEET), text, parse_url(f"{name}.css", SHEET), 2)
    found, skipped = styles.used(f"<!doctype html><body>{body}".encode(), "utf-8", PAGE, 0)
    return (
        [each.url.path.rpartition("/")[2].removesuffix(".png") for each in found],
        {each.url.rpartition("/")[2].removesuffix(".png"): each.why for each in skipped},
    )


@pytest.mark.parametrize(
    ("css", "body", "expected"),
    [
        ("p{background:url(a.png)}", "<p>", "a"),
        ("p{background:url(a.png)}", "<div>", ""),
        ("p{background:url(a.png),url(b.png)}", "<p>", "a b"),
        ("p{background:url(a.png)}.b{background-image:url(b.png)}", "<p><p class=b>", "a b"),
        ("p{background:url(a.png)}p.b{background:none}", "<p class=b>", ""),
        ("p{background:url(a.png)}p.b{background:nonsense}", "<p class=b>", "a"),
        ("p{background:url(a.png)!important}", "<p style='background:url(b.png)'>", "a"),
        ("p{background:url(a.png)}", "<p style='background:url(b.png)'>", "b"),
        ("@layer x{p{background:url(a.png)}}p{background:url(b.png)}", "<p>", "b"),
        ("@layer x,y;@layer y{p{background:url(a.png)}}@layer x{p.c{background:url(b.png)}}", "<p class=c>", "a"),
        ("p{--i:url(a.png)}b{background:var(--i)}", "<p><b>", "a"),
        ("p{--i:url(a.png)}", "<p>", ""),
        ("p{background:var(--i,url(a.png))}", "<p>", "a"),
        ("p{--a:var(--b);--b:var(--a);background:var(--a)}", "<p>", ""),
        ("b{background:url(a.png)}", "<p hidden><b></b></p><div style='display:none'><b></b></div><dialog><b></b></dialog>", ""),
        ("b{background:url(a.png)}", "<p style='visibility:hidden'><b>", "a"),
        ("b{background:url(a.png)}", "<details><summary>s</summary><b></b></details><video><b></b></video>", ""),
        ("p::before{background:url(a.png)}p::after{content:'';background:url(b.png)}", "<p>", "b"),
        ("p:hover{background:url(a.png)}p:not(:hover){cursor:url(b.png),auto}", "<p>", "b"),
        ("@media print{p{background:url(a.png)}}@media screen{p{cursor:url(b.png),auto}}", "<p>", "b"),
        ("@supports (display:grid){p{background:url(a.png)}}@supports (foo:bar){p{cursor:url(b.png),auto}}", "<p>", "a"),
        ("div{p{background:url(a.png)}&.x{background:url(b.png)}}", "<div class=x><p>", "b a"),
        ("p{background:url(a.png);background-image:none}", "<p>", ""),
        ("p{border-image:url(a.png) 30;border:0}", "<p>", ""),
        ("p{background:url(a.png);all:unset}", "<p>", ""),
        ("p{animation:k 1s}@keyframes k{to{background:url(a.png)}}@keyframes l{to{background:url(b.png)}}", "<p>", "a"),
        ("p{background:url(data:image/png;base64,AA)}b{background:url(#x)}i{background:url()}", "<p><b></b><i>", ""),
        ("p{background:url(a.png)", "<p>", "a"),
    ],
)  # fmt: skip
def test_the_cascade_decides(css: str, body: str, expected: str) -> None:
    assert used(css, body)[0] == expected.split()


@pytest.mark.parametrize(
    ("density", "expected"), [(1.0, "a1"), (1.5, "a2"), (2.0, "a2"), (4.0, "a3")],
)  # fmt: skip
def test_an_image_set_is_chosen_by_density(density: float, expected: str) -> None:
    css = "p{background:image-set('a2.png' 2x, 'a1.png' 1x, 'a3.png' 3x, 'a9.xyz' type('image/xyz') 1x)}"
    assert used(css, "<p>", Viewport(density=density))[0] == [expected]


@pytest.mark.parametrize(
    ("css", "body", "why"),
    [
        (".x{background:url(a.png)}", "<p>", "No element matches .x"),
        ("p:hover{background:url(a.png)}", "<p>", "Only while something is :hover does p:hover match"),
        ("p:hover{background:url(a.png)}", "<b>", "No element matches p:hover"),
        ("p{background:url(a.png)}", "<p hidden>", "What p matches is not displayed"),
        ("p{cursor:url(a.png),auto}.c{cursor:help!important}", "<p class=c>", "cursor is overridden by .c where p matches"),
        ("p{cursor:url(a.png),auto}", "<p style=cursor:help>", "cursor is overridden by a style attribute where p matches"),
        ("p::before{background:url(a.png)}", "<p>", "The pseudo-element of p::before is not drawn"),
        ("p{--i:url(a.png)}", "<p>", "No property of what p matches uses --i"),
        ("@media print{p{background:url(a.png)}}", "<p>", "@media print does not match"),
        ("@supports (foo:bar){p{background:url(a.png)}}", "<p>", "@supports (foo:bar) is false"),
        ("@container (min-width:1px){p{background:url(a.png)}}", "<p>", "A container that p asks for is not there"),
        ("p:unknown{background:url(a.png)}", "<p>", "Its selector is none that Chrome knows, so that the rule is dropped"),
    ],
)  # fmt: skip
def test_what_is_left_alone_has_a_reason(css: str, body: str, why: str) -> None:
    assert used(css, body) == ([], {"a": why})


def test_imported_sheets_take_the_place_of_their_import() -> None:
    css = "@import 'one.css' layer(low);@import 'two.css' print;@import 'three.css';p{background:url(own.png)}"
    found, skipped = used(
        css,
        "<p><b></b><i></i>",
        one="p{background:url(low.png)}b{background:url(b.png)}",
        two="i{background:url(print.png)}",
        three="@import 'one.css';p{background:url(third.png)}",
    )
    assert found == ["own", "b"]
    assert skipped["print"] == "It was imported for other media: print"
    assert skipped["third"] == "background-image is overridden by p where p matches"


def test_sheets_that_import_one_another_come_to_an_end() -> None:
    one, two = "@import 'two.css';p{background:url(a.png)}", "@import 'one.css';"
    assert used("@import 'one.css';", "<p>", one=one, two=two)[0] == ["a"]


def test_sheets_stand_in_the_order_of_the_document() -> None:
    styles = Styles()
    styles.add("p{background:url(late.png)}", SHEET, 2, None, (900,))
    styles.add("p{background:url(early.png)}", SHEET, 1, None, (100,))
    styles.add("p{background:url(print.png)}", SHEET, 3, "print", (1000,))
    found, skipped = styles.used(b"<p>", "utf-8", PAGE, 0)
    assert [each.url.href for each in found] == ["http://example.org/css/late.png"]
    assert "The sheet is for other media: print" in {each.why for each in skipped}


def test_a_resource_knows_what_revealed_it() -> None:
    css = "/* ä */\n.hero > a:first-child { color: red;\n  background: url(a.png) }"
    styles = Styles()
    styles.add(css, PAGE, 7, offset=1000, line=20)
    (found,), _ = styles.used(b"<div class=hero><a>", "utf-8", PAGE, 7)
    assert found.initiator.what == "url() of .hero > a:first-child"
    assert (found.initiator.visit, found.initiator.by) == (7, "style")
    assert found.initiator.offset == 1000 + css.encode().index(b"background")
    assert found.initiator.line == 22
    assert (found.kind, found.priority, found.mode, found.credentials) == ("image", "Low", "no-cors", "include")


@pytest.mark.parametrize(
    ("declaration", "mode", "kind"),
    [
        ("mask-image:url(a.svg#m)", "cors", "image"), ("shape-outside:url(a.png)", "cors", "image"),
        ("filter:url(a.svg#f)", "same-origin", "other"), ("clip-path:url(a.svg#c)", "cors", "other"),
        ("border-image:url(a.png) 3", "no-cors", "image"), ("cursor:url(a.png),auto", "no-cors", "image"),
    ],
)  # fmt: skip
def test_the_mode_is_that_of_the_property(declaration: str, mode: str, kind: str) -> None:
    styles = Styles()
    styles.add(f"p{{{declaration}}}", SHEET, 1)
    (found,), _ = styles.used(b"<p>", "utf-8", PAGE, 0)
    assert (found.mode, found.kind) == (mode, kind)


def test_urls_of_a_sheet_are_relative_to_it_and_those_of_an_attribute_to_the_document() -> None:
    styles = Styles()
    styles.add("p{background:url(a.png)}", SHEET, 1)
    found, _ = styles.used(b"<p><b style='background:url(b.png)'>", "utf-8", PAGE, 0)
    assert [each.url.href for each in found] == ["http://example.org/css/a.png", "http://example.org/page/b.png"]
    assert found[1].initiator.what == "url() of a style attribute"


def test_too_much_work_is_not_done_and_that_is_said() -> None:
    styles = Styles()
    styles.add("".join(f"*:not(.x{number}){{background:url({number}.png)}}" for number in range(120)), SHEET, 1)
    found, _ = styles.used(b"<!doctype html>" + b"<b></b>" * 5_000, "utf-8", PAGE, 0)
    assert len(found) == 1
    assert [(note.topic, note.level) for note in styles.notes] == [("limit", "warning")]


@pytest.mark.parametrize(
    "selector",
    ["b b > b b > b b > b b > i", ":has(~ b ~ b i)", "b:nth-of-type(3n):nth-last-of-type(5n)", "b ~ b + b ~ b + b ~ i",
     ":not(:has(b b > b b > i))"],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"<b>" * 1_500, b"<b></b>" * 6_000])
def test_selectors_made_to_be_slow_are_given_up(selector: str, body: bytes) -> None:
    styles = Styles()
    styles.add(f"{selector}{{background:url(a.png)}}" * 3 + "p{background:url(b.png)}", SHEET, 1)
    began = time.perf_counter()
    styles.used(b"<!doctype html>" + body, "utf-8", PAGE, 0)
    assert time.perf_counter() - began < 10


@needs_chromium
def test_chromium_fetches_the_same_for_a_page_of_hard_cases(tmp_path: Path) -> None:
    folder = Path(__file__).parent
    with served(folder) as site, browser(tmp_path) as chromium:
        (requested,) = chromium.visit((site, "/hard_css.html"))
    url = parse_url(site.origin + "/hard_css.html")
    html = (folder / "hard_css.html").read_bytes()
    scanner = Scanner(url, 0, Viewport())
    ours = {each.url.bare for each in scanner.feed(html) + scanner.end() if each.url.scheme == "http"}
    styles = Styles()
    for sheet in scanner.sheets:
        styles.add(sheet.text, url, 0, sheet.media, (sheet.offset,), offset=sheet.offset, line=sheet.line)
    waiting, skipped = styles.used(html, "utf-8", url, 0)
    explained = {each.url.partition("#")[0] for each in skipped}
    while waiting:
        found = waiting.pop()
        ours.add(found.url.bare)
        if "/missing/" in found.url.path:
            waiting += styles.after_failure(found.url.href)
    told = score(requested, ours)
    assert (sorted(told.theirs), sorted(told.ours)) == ([], [])
    assert len(told.common) > 300
    assert len(explained - ours) > 120
