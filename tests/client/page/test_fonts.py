"""Which fonts a page's text needs: families, weights, ranges, lines without text, and what follows when a file cannot be had."""

from __future__ import annotations

import pytest

from pellucid.client.page.fonts import families
from pellucid.client.page.style import Styles
from pellucid.http.url import parse_url
from pellucid.journey import Skipped

PAGE = parse_url("http://example.org/")


def fonts(css: str, body: str) -> tuple[list[str], list[Skipped], Styles]:
    """The names of the files that are fetched, what is left alone, and the styles to ask again."""
    styles = Styles()
    styles.add(css, PAGE, 1)
    found, skipped = styles.used(f"<!doctype html><body>{body}".encode(), "utf-8", PAGE, 0)
    return [each.url.path[1:] for each in found], skipped, styles


def face(name: str, more: str = "", family: str = "F") -> str:
    return f"@font-face{{font-family:{family};src:url({name});{more}}}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>x", True),
        ("<p></p>", False),
        ("<p>  </p>", False),
        ("<p hidden>x", False),
        ("<p style='visibility:hidden'>x", True),
        ("<p><i style='font-family:serif'>x</i>", True),
        ("<p><img>", True),
        ("<p><b style='display:block;font-family:serif'>x</b>", False),
        ("<p><b style='position:absolute;font-family:serif'>x</b>", False),
        ("<p style='display:flex'><i style='font-family:serif'>x</i>", False),
        ("<p style='font-family:serif'><i style='font-family:F'></i>", True),
        ("<p><!-- x -->", False),
        ("<p style='font-size:0'>x", True),
        ("<p class=b></p>", True),
        ("<p style='font-family:Arial,F'>x", False),
        ("<p style='font-family:NoSuch,F'>x", True),
        ("<p style='font-family:serif,F'>x", False),
        ("<p style='font:12px/1 F'>x", True),
        ("<p style='--f:F;font-family:var(--f)'>x", True),
    ],
)
def test_a_font_is_fetched_for_what_stands_in_a_line(body: str, expected: bool) -> None:
    css = face("f.ttf") + "p{font-family:F}.b::before{content:''}"
    assert fonts(css, body)[0] == (["f.ttf"] if expected else [])


@pytest.mark.parametrize(
    ("weights", "wanted", "expected"),
    [
        ("400 700", 600, 700),
        ("300 500 900", 400, 500),
        ("300 600", 400, 300),
        ("200 350", 300, 200),
        ("800 900", 500, 800),
        ("100 900", 700, 900),
        ("400 700", 400, 400),
        ("600 300", 450, 300),
    ],
)
def test_the_weight_that_fits_best(weights: str, wanted: int, expected: int) -> None:
    css = "".join(face(f"{weight}.ttf", f"font-weight:{weight}") for weight in weights.split())
    assert fonts(css, f"<p style='font-family:F;font-weight:{wanted}'>x")[0] == [f"{expected}.ttf"]


def test_ranges_decide_which_parts_are_fetched() -> None:
    css = (
        face("latin.ttf", "unicode-range:U+0-FF")
        + face("ext.ttf", "unicode-range:U+100-2FF")
        + face("cyr.ttf", "unicode-range:U+4??")
    )
    found, skipped, _ = fonts(css, "<p style='font-family:F'>a\u0101")
    assert sorted(found) == ["ext.ttf", "latin.ttf"]
    assert [each.why for each in skipped] == ["No character of the text in F is in its unicode-range, or another face has it"]


def test_transformed_and_made_text_counts() -> None:
    css = (
        face("upper.ttf", "unicode-range:U+41-5A")
        + face("icon.ttf", "unicode-range:U+F000-FFFF", "I")
        + ".i::before{content:'\\f101';font-family:I}"
    )
    assert fonts(css, "<p style='font-family:F;text-transform:uppercase'>abc</p><i class=i>")[0] == ["upper.ttf", "icon.ttf"]


def test_what_follows_when_a_file_cannot_be_had() -> None:
    css = "@font-face{font-family:F;src:url(a.eot) format('embedded-opentype'),url(b.woff2) format(woff2),url(c.ttf)}" + face(
        "g.ttf", "", "G"
    )
    found, skipped, styles = fonts(css, "<p style='font-family:F,G'>x")
    assert found == ["b.woff2"]
    assert {each.url.rpartition("/")[2]: each.why for each in skipped} == {
        "a.eot": "Its format is none that browsers take",
        "c.ttf": "Another source of F is taken, and this one only should that fail",
        "g.ttf": "No displayed text is set in G",
    }
    assert [each.url.path for each in styles.after_failure("http://example.org/b.woff2")] == ["/c.ttf"]
    assert styles.after_failure("http://example.org/b.woff2") == []
    assert [each.url.path for each in styles.after_failure("http://example.org/c.ttf")] == ["/g.ttf"]
    assert styles.after_failure("http://example.org/g.ttf") == []
    assert styles.after_failure("http://example.org/other.png") == []


def test_a_font_is_asked_for_as_browsers_do() -> None:
    styles = Styles()
    styles.add("@font-face{font-family:F;src:local(F),url(f.ttf)}p{font-family:F}", PAGE, 1)
    (found,), _ = styles.used(b"<p>x", "utf-8", PAGE, 0)
    assert (found.kind, found.mode, found.credentials, found.priority) == ("font", "cors", "same-origin", "VeryHigh")
    assert found.initiator.what == "@font-face F"
    assert found.note is not None
    assert found.note.startswith("~")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A, 'B C' , serif", [("A", False), ("B C", False), ("serif", True)]),
        ("Open  Sans", [("Open Sans", False)]),
        ("'serif'", [("serif", False)]),
        ("A 65", None),
        ("A,", None),
        ("A,,B", None),
        ("12px", None),
        ("\\46 oo", [("Foo", False)]),
    ],
)
def test_families(text: str, expected: object) -> None:
    assert families(text) == expected
