"""Selectors against a small document, their specificity, and what a browser would drop."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from chromium import needs_chromium, paged
from pellucid.client.page.elements import read_document
from pellucid.client.page.pseudo import read_selectors
from pellucid.client.page.selectors import SelectorError
from pellucid.client.page.style import Styles
from pellucid.http.url import parse_url

HTML = """<!doctype html><html lang=en><head><title>t</title></head><body class="page x">
<div id=a class="b c" data-x="Foo bar"><p id=p1 lang=fr-CA>one</p><p id=p2 class=c>two <a id=l href=/x>l</a><a id=n>z</a></p>
<p id=p3></p></div>
<form id=f><fieldset id=fs disabled><legend id=lg><input id=i0></legend><input id=i1></fieldset>
<input id=i2 type=checkbox checked><input id=i3 required><input id=i4 type=submit><select id=s>
<option id=o1>1<option id=o2>2</select>
<textarea id=ta placeholder=p></textarea></form>
<section id=q dir=rtl><my-tag id=m></my-tag><svg id=v><linearGradient id=g /></svg></section>
</body></html>"""
DOCUMENT = read_document(HTML.encode(), "utf-8")


def selected(text: str, **options: bool) -> str:
    """The ids of what is selected, by alternative; `-` for an element without one."""
    return " | ".join(
        " ".join(element.attributes.get("id") or "-" + element.name for element in DOCUMENT.elements if selector.matches(element))
        for selector in read_selectors(text, **options)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", "p1 p2 p3"),
        ("P", "p1 p2 p3"),
        (".c", "a p2"),
        (".b.c", "a"),
        ("#p1", "p1"),
        ("#\\70 1", "p1"),
        ("*|p.c", "p2"),
        ("div p", "p1 p2 p3"),
        ("body > p", ""),
        ("div>p~p", "p2 p3"),
        ("p + p", "p2 p3"),
        ("div p a", "l n"),
        ("p, a", "p1 p2 p3 | l n"),
        ("[href]", "l"),
        ("[data-x='Foo bar']", "a"),
        ("[data-x=foo\\ bar i]", "a"),
        ("[data-x~=bar]", "a"),
        ("[data-x^=Foo]", "a"),
        ("[data-x$=ar]", "a"),
        ("[data-x*='o b']", "a"),
        ("[data-x^='']", ""),
        ("[lang|=fr]", "p1"),
        ("[type=CHECKBOX]", "i2"),
        ("p:first-child", "p1"),
        ("p:last-child", "p3"),
        ("p:nth-child(2)", "p2"),
        ("p:nth-child(odd)", "p1 p3"),
        ("p:nth-child(-n+2)", "p1 p2"),
        ("p:nth-last-child(1)", "p3"),
        ("p:nth-child(1 of .c)", "p2"),
        ("a:nth-of-type(2n)", "n"),
        ("a:first-of-type", "l"),
        ("a:last-of-type", "n"),
        ("legend:only-of-type", "lg"),
        ("legend:only-child", ""),
        (":root", "-html"),
        ("p:empty", "p3"),
        (":is(p, :unknown).c", "p2"),
        (":where(p).c", "p2"),
        ("p:not(.c, #p1)", "p3"),
        (":not(:hover) > a", "l n"),
        ("a:hover", ""),
        ("a:link", "l"),
        ("a:visited", ""),
        (":any-link", "l"),
        (":target", ""),
        ("div:has(a)", "a"),
        ("p:has(> a:link)", "p2"),
        ("p:has(+ .c)", "p1"),
        ("p:has(~ p#p3)", "p1 p2"),
        ("div:has(> a)", ""),
        ("p:lang(fr)", "p1"),
        ("p:lang(en)", "p2 p3"),
        ("my-tag:dir(rtl)", "m"),
        ("p:dir(ltr)", "p1 p2 p3"),
        (":checked", "i2 o1"),
        ("input:disabled", "i1"),
        ("input:enabled", "i0 i2 i3 i4"),
        (":required", "i3"),
        ("input:invalid", "i3"),
        (":placeholder-shown", "ta"),
        (":default", "i2 i4"),
        (":read-write", "i0 i3 ta"),
        (":optional", "i0 i1 i2 i4 s ta"),
        ("my-tag:defined", ""),
        ("section:defined", "q"),
        ("linearGradient", "g"),
        ("p::before", "p1 p2 p3"),
        ("p:after", "p1 p2 p3"),
        ("a:not(:is(#l))", "n"),
        ("body *:is(div) p.c a[href]:not([x])", "l"),
        ("p:nth-child( 2n + 1 )", "p1 p3"),
        ("input:not([type]):not(:disabled)", "i0 i3"),
        ("html body.page.x > div", "a"),
    ],
)
def test_what_is_selected(text: str, expected: str) -> None:
    assert selected(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p,",
        ",p",
        "p > > a",
        "> p",
        "p >",
        ":unknown",
        "p::unknown",
        "p::-webkit-unknown",
        ":-moz-focusring",
        "p:",
        "p..c",
        "1p",
        "p#",
        "[x",
        "[x=]",
        "p::before a",
        "p::before.c",
        ":not(:unknown)",
        ":nth-child(x)",
        "p!",
        "a{",
        ":has(:unknown)",
        "p:hover:nonsense",
    ],
)
def test_what_a_browser_drops(text: str) -> None:
    if text == "[x":
        assert selected(text) == ""  # the end of a sheet closes what is open
        return
    with pytest.raises(SelectorError):
        read_selectors(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", (0, 0, 0)),
        ("p", (0, 0, 1)),
        ("p.c", (0, 1, 1)),
        ("#a p.c", (1, 1, 1)),
        (":is(p, #a)", (1, 0, 0)),
        (":where(#a)", (0, 0, 0)),
        (":not(.c, p)", (0, 1, 0)),
        ("p::before", (0, 0, 2)),
        ("p:hover", (0, 1, 1)),
        (":nth-child(1 of .c)", (0, 2, 0)),
        ("div:has(> #a)", (1, 0, 1)),
        ("[x][y]", (0, 2, 0)),
    ],
)
def test_specificity(text: str, expected: tuple[int, int, int]) -> None:
    assert read_selectors(text)[0].specificity == expected


def test_nesting() -> None:
    outer = read_selectors("div, section")
    for text, expected in [
        ("p", "p1 p2 p3"),
        ("> p", "p1 p2 p3"),
        ("& > p.c", "p2"),
        ("body &", "a q"),
        (":is(&) svg", "v"),
        ("+ form", "f"),
    ]:
        found = read_selectors(text, nesting=outer)
        assert [element.id for element in DOCUMENT.elements if found[0].matches(element)] == expected.split()
    assert read_selectors("#x &", nesting=outer)[0].specificity == (1, 0, 1)


def test_states_are_remembered_and_can_be_assumed() -> None:
    assert read_selectors("a:hover, p")[0].dynamic == {"hover"}
    assert selected("a:hover", assume=True) == "l n"
    assert selected("a:not(:hover)", assume=True) == "l n"


def test_quirks_ignore_case() -> None:
    document = read_document(b"<p class=Up id=Id>", "utf-8")
    assert document.quirks
    assert [read_selectors(text, quirks=True)[0].matches(document.by_name["p"][0]) for text in (".uP", "#iD")] == [True, True]
    assert not read_document(b"<!-- x --><!DOCTYPE HTML><p>", "utf-8").quirks


def test_the_tree_is_that_of_a_browser_that_runs_scripts() -> None:
    html = b"<head><noscript><img></noscript><link></head><template><b></b></template><table><p>x</table>"
    names = [element.name for element in read_document(html, "utf-8").elements]
    assert names == ["html", "head", "noscript", "link", "template", "body", "p", "table"]


PARTS = (
    "p", "div", "a", "*", ".c", ".b", "#a", "#p2", "[href]", ":first-child", ":not(.c)", ":nth-child(2n)", ":is(p,a)", ":root",
    "svg", ":nth-last-of-type(odd)", ":has(a)", ":where(.x, #q) > *", "input:enabled", ":empty", "[id^=p]",
    ":not(:has(*)):last-child",
)  # fmt: skip


@needs_chromium
def test_chromium_selects_the_same(tmp_path: Path) -> None:
    texts = [one + combinator + other for one in PARTS for combinator in " >+~" for other in PARTS]
    page = tmp_path / "page.html"
    page.write_text(HTML, encoding="utf-8")
    with paged(tmp_path / "profile") as chromium:
        chromium.open(page.as_uri())
        theirs = chromium.evaluate(
            f"{json.dumps(texts)}.map(text => [...document.querySelectorAll(text)]"
            ".map(found => found.id || '-' + found.localName).sort().join(' '))"
        )
    assert {text: " ".join(sorted(selected(text).split())) for text in texts} == dict(zip(texts, theirs, strict=True))


@pytest.mark.parametrize(
    "text", [":is(" * 5_000, ":not(" * 30 + "p" + ")" * 30, "p " * 20_000, "[" * 20_000, "p" + ":first-child" * 5_000]
)
def test_hostile_selectors_cost_no_more_than_their_length(text: str) -> None:
    began = time.perf_counter()
    try:
        found = read_selectors(text)
    except SelectorError:
        found = []
    assert not any(selector.matches(DOCUMENT.elements[-1]) for selector in found) or re.match("p", text)
    assert time.perf_counter() - began < 2


def test_rules_nested_thirty_deep_are_asked_once_for_each_element() -> None:
    depth = 30
    opened = "".join(f".a{level} &, .b{level} & {{" for level in range(1, depth))
    sheet = f".x, .y {{{opened} background: url(a.png) {'}' * depth}"
    html = "<div class='" + " ".join(f"a{level}" for level in range(depth)) + "'>" + "<div>" * 40 + "<b class=x>t</b>"
    styles = Styles()
    styles.add(sheet, parse_url("http://a.example/"), 0)
    found, _ = styles.used(html.encode(), "utf-8", parse_url("http://a.example/"), 0)
    assert [each.url.path for each in found] == ["/a.png"]
    assert not styles.notes
