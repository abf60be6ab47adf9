"""Link fields: read as RFC 8288 has them, used as Chrome uses them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.page.links import from_headers, headers_findings, parse_links
from pellucid.http.url import parse_url
from pellucid.journey import Viewport

URL = parse_url("https://example.org/a/")


@pytest.mark.parametrize(
    ("value", "links"),
    [
        ('<a>; rel=preload; as="image"', [("a", {"rel": "preload", "as": "image"})]),
        ("<a>;rel=x,<b>; REL=y; rel=z", [("a", {"rel": "x"}), ("b", {"rel": "y"})]),
        (r'< a,b;c >; title="a, \"b\"; c"; rel=x , <d>', [("a,b;c", {"title": 'a, "b"; c', "rel": "x"}), ("d", {})]),
        ("<a>; crossorigin; rel = x ; ; foo=", [("a", {"crossorigin": "", "rel": "x", "foo": ""})]),
        ("", []), ("a; rel=x", []), ("<a", []), (",, <a>,,", [("a", {})]), ('<a>; rel="unclosed', [("a", {"rel": "unclosed"})]),
    ],
)  # fmt: skip
def test_fields_are_read(value: str, links: list[tuple[str, dict[str, str]]]) -> None:
    assert [(link.href, link.parameters) for link in parse_links(value)] == links


@given(st.text(st.sampled_from('<>;,="\\ ax\t'), max_size=30))
def test_no_field_is_an_error(value: str) -> None:
    parse_links(value)


def test_what_chrome_takes_from_fields() -> None:
    headers = [
        ("link", '</s.css>; rel=preload; as=style, </f.woff2>; rel=preload; as=font; crossorigin, <m.js>; rel="modulepreload"'),
        ("Link", "<https://cdn.example>; rel=preconnect, </x.css>; rel=stylesheet, </p.png>; rel=preload"),
        ("content-type", "text/html"),
    ]
    found = from_headers(headers, URL, 7, Viewport())
    assert [(each.url.href, each.kind, each.mode, each.preload, each.hint) for each in found] == [
        ("https://example.org/s.css", "stylesheet", "no-cors", True, None),
        ("https://example.org/f.woff2", "font", "cors", True, None),
        ("https://example.org/a/m.js", "script", "cors", True, None),
        ("https://cdn.example/", "other", "no-cors", False, "preconnect"),
    ]
    assert {(each.initiator.visit, each.initiator.by, each.initiator.offset) for each in found} == {(7, "header", None)}
    skipped = headers_findings(headers, URL, 7, Viewport()).skipped
    assert [(each.url, each.why) for each in skipped] == [
        ("https://example.org/x.css", "Chrome takes no style sheets from a Link field"),
        ("https://example.org/p.png", "it does not say what it is for: as=..."),
    ]


def test_early_hints_say_so() -> None:
    (found,) = from_headers([("link", "</s.css>; rel=preload; as=style")], URL, 0, Viewport(), early=True)
    assert found.initiator.by == "early"
