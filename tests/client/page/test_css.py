"""Style sheets into rules, and what their heads import: tables, what Chromium did with the same text, and hostile sheets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinycss2 import parse_stylesheet

from pellucid.client.page.css import Rule, declarations, rules, sheet_imports, url_at
from pellucid.client.page.escapes import unescape
from pellucid.http.url import parse_url

BASE = parse_url("http://example.org/css/site.css")


def shown(rule: Rule) -> object:
    """A rule as nested tuples."""
    told = [(each.name, each.value + (" !" if each.important else "")) for each in rule.declarations]
    return rule.keyword, rule.prelude, told, [shown(child) for child in rule.rules]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a{cursor:url(x),auto}", [("", "a", [("cursor", "url(x),auto")], [])]),
        ("a{color:red;DISPLAY : none ! important}", [("", "a", [("display", "none !")], [])]),
        ("a{--X:{a;b}}", [("", "a", [("--X", "{a;b}")], [])]),
        ("a{filter:url(a;b{.svg#x)}", [("", "a", [("filter", "url(a;b{.svg#x)")], [])]),
        ('a{content:"}"}b{display:block}', [("", "a", [("content", '"}"')], []), ("", "b", [("display", "block")], [])]),
        ("a{/* } */display:/* ; */none}", [("", "a", [("display", "none")], [])]),
        ("a{content:'/* no comment */'}", [("", "a", [("content", "'/* no comment */'")], [])]),
        ("a{b{display:none}}", [("", "a", [], [("", "b", [("display", "none")], [])])]),
        (
            "a{display:none;&:hover{cursor:help}mask:none}",
            [
                ("", "a", [("display", "none")], [("", "&:hover", [("cursor", "help")], []), ("", "&", [("mask", "none")], [])]),
            ],
        ),
        ("@media print{a{display:none}}", [("media", "print", [], [("", "a", [("display", "none")], [])])]),
        ("@layer a,b;@import 'x';", [("layer", "a,b", [], []), ("import", "'x'", [], [])]),
        ("@\\69mport 'x'", [("import", "'x'", [], [])]),
        ("a{display:none", [("", "a", [("display", "none")], [])]),
        ("a{display:none}}b{display:block}", [("", "a", [("display", "none")], []), ("", "}b", [("display", "block")], [])]),
        ("a;b{display:none}", [("", "a;b", [("display", "none")], [])]),
        ("a[href='{']{display:none}", [("", "a[href='{']", [("display", "none")], [])]),
        ("<!-- a{display:none} -->", [("", "a", [("display", "none")], [])]),
        ("a{background:url( 'x y' )}", [("", "a", [("background", "url( 'x y' )")], [])]),
        ("", []),
        ("   /* nothing */ ", []),
    ],
)
def test_blocks_are_those_of_the_standard(text: str, expected: list[object]) -> None:
    assert [shown(rule) for rule in rules(text)] == expected


def test_declarations_of_an_attribute() -> None:
    found = declarations("color: red; background: url(x.png); display:none !important")
    assert [(each.name, each.value, each.important, each.start) for each in found] == [
        ("background", "url(x.png)", False, 12),
        ("display", "none", True, 36),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("\\62 c", "bc"),
        ("\\000062c", "bc"),
        ("\\2e x", ".x"),
        ("\\0", "\ufffd"),
        ("\\d800", "\ufffd"),
        ("a\\\nb", "ab"),
        ("\\", ""),
        ("\\(", "("),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert unescape(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("url(a.png) x", "a.png"),
        ("URL( a.png )", "a.png"),
        ('url("a b")', "a b"),
        ("'a'", "a"),
        ("url(a\\)b)", "a)b"),
        ("url()", ""),
        ("url(a b)", None),
        ("a.png", None),
    ],
)
def test_addresses(text: str, expected: str | None) -> None:
    read = url_at(text)
    assert (read[0] if read else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@import url(a.css);@import 'b.css' print;@import \"c.css\" (min-width:9999px)", "a b c"),
        ("@import 'a.css' layer(x) supports(display:grid) screen;@import 'b.css' supports(foo:bar);", "a"),
        ("@import 'a.css' layer;@import url( 'b.css' )", "a b"),
        ("@charset 'utf-8';@import 'a.css'", "a"),
        ("@layer x;@import 'a.css';@layer y;@import 'b.css'", "a b"),
        ("a{color:red}@import 'a.css'", ""),
        ("@media print{}@import 'a.css'", ""),
        ("@namespace url(x);@import 'a.css'", ""),
        ("@layer x{}@import 'a.css'", ""),
        ("@unknown;@import 'a.css'", "a"),
        ("@unknown{}@import 'a.css'", "a"),
        (":unknown{}@import 'a.css'", "a"),
        (";@import 'a.css';", ""),
        ("}@import 'a.css';", ""),
        ("@import a.css;@import url('')", ""),
        ("@IMPORT URL(a.css);@\\69mport 'b.css';@import/**/'c.css'/**/;", "a b c"),
        ("@import 'a.css'{}", ""),
        ("<!-- @import 'a.css'; -->", "a"),
    ],
)
def test_imports_are_those_that_chromium_fetches(text: str, expected: str) -> None:
    found, _ = sheet_imports(text, BASE, 7)
    assert [each.url.href for each in found] == [f"http://example.org/css/{name}.css" for name in expected.split()]


def test_an_import_knows_its_place() -> None:
    text = "/* ä */\n@import 'a.css';\n@import 'b.css' supports(foo: bar);"
    found, skipped = sheet_imports(text, BASE, 7, offset=100, line=5)
    assert len(found) == 1
    initiator = found[0].initiator
    assert (initiator.visit, initiator.by, initiator.what) == (7, "style", "@import")
    assert initiator.offset == 100 + text.encode().index(b"@import")
    assert initiator.line == 6
    assert found[0].blocking
    assert [(each.url, each.why) for each in skipped] == [("http://example.org/css/b.css", "supports((foo: bar)) is false")]


@given(st.text(alphabet="a:;{}()[]\"'\\/*@-u r l(\n!&.", max_size=60))
def test_any_text_gives_rules_in_order(text: str) -> None:
    starts = [rule.start for rule in rules(text)]
    assert starts == sorted(starts)
    assert all(0 <= start <= len(text) for start in starts)


@given(st.text(alphabet="ab{}()[]\"'/* ;", max_size=40))
def test_a_real_tokenizer_finds_the_same_rules(text: str) -> None:
    theirs = [
        (node.source_line, node.source_column - 1)
        for node in parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        if node.type == "qualified-rule"
    ]
    ours = [(1, rule.start) for rule in rules(text) if not rule.keyword]
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "a{" * 50_000 + "}" * 50_000,
        "(" * 100_000,
        "/*" * 100_000,
        '"\n' * 100_000,
        "url(" * 50_000,
        "\\" * 100_000,
        "@import '" * 20_000,
        "a{--x:" * 30_000,
        "url(\\" * 30_000,
    ],
)
def test_hostile_sheets_cost_no_more_than_their_length(text: str) -> None:
    began = time.perf_counter()
    for rule in rules(text):
        assert rule.start >= 0
    sheet_imports(text, BASE, 1)
    assert time.perf_counter() - began < 3
