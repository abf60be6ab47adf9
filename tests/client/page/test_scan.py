"""What a document asks for: as soon as its bytes are there, with the place that revealed it, and reasons for what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.client.page.found import Found
from pellucid.client.page.icons import Icon, chosen_icons
from pellucid.client.page.scan import Scanner
from pellucid.http.url import parse_url
from pellucid.journey import Viewport

PAGE = parse_url("http://example.org/a/page.html")
HARD = Path(__file__).with_name("hard.html").read_bytes()


def scanned(text: str | bytes, size: int = 1 << 20, *, frame: bool = False) -> tuple[Scanner, list[Found]]:
    data = text.encode() if isinstance(text, str) else text
    scanner = Scanner(PAGE, 0, Viewport(), frame=frame)
    found: list[Found] = []
    for start in range(0, len(data), size):
        found += scanner.feed(data[start : start + size])
    return scanner, found + scanner.end()


def named(text: str) -> list[str]:
    """The paths that a page asks for, its icon left out."""
    return [each.url.href.removeprefix("http://example.org/a/") for each in scanned(text)[1] if each.kind != "icon"]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_any_split_finds_the_same(size: int) -> None:
    (one, found), (other, again) = scanned(HARD), scanned(HARD, size)
    assert again == found
    assert (other.skipped, other.sheets, other.styled, other.notes) == (one.skipped, one.sheets, one.styled, one.notes)


@given(st.lists(st.sampled_from(HARD.decode().split("<")), max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_page_is_an_error(pieces: list[str]) -> None:
    scanner, found = scanned("<".join(pieces))
    assert all(each.initiator.visit == 0 and each.url.scheme in ("http", "https") for each in found)
    assert len(scanner.skipped) <= 1000


def test_a_resource_is_known_when_its_tag_is_whole() -> None:
    scanner = Scanner(PAGE, 3, Viewport())
    assert scanner.feed(b"<!doctype html>\n<img src=a.png") == []
    (found,) = scanner.feed(b">")
    assert found.url.href == "http://example.org/a/a.png"
    assert (found.kind, found.priority, found.mode) == ("image", "Medium", "no-cors")
    initiator = found.initiator
    assert (initiator.visit, initiator.by, initiator.what) == (3, "parser", "<img src>")
    assert (initiator.offset, initiator.line) == (16, 2)


def test_what_follows_a_base_is_relative_to_the_first_one() -> None:
    text = "<img src=1><base target=x><base href=/b/><img src=2><base href=/c/><img src=3>"
    assert named(text) == ["1", "http://example.org/b/2", "http://example.org/b/3"]


def test_modes_credentials_and_what_blocks() -> None:
    text = """<link rel=stylesheet href=s.css integrity=sha256-x><link rel=stylesheet href=p.css media=print>
    <script src=c.js></script><script src=m.js type=module></script><script src=a.js async crossorigin=use-credentials></script>
    <link rel=manifest href=w.json><body><script src=b.js referrerpolicy=origin></script>"""
    found = {each.url.path.rpartition("/")[2]: each for each in scanned(text)[1]}
    assert [name for name, each in found.items() if each.blocking] == ["s.css", "c.js"]
    assert [name for name, each in found.items() if each.after_load] == ["p.css", "w.json", "favicon.ico"]
    assert [name for name, each in found.items() if each.module] == ["m.js"]
    assert (found["m.js"].mode, found["m.js"].credentials) == ("cors", "same-origin")
    assert (found["a.js"].mode, found["a.js"].credentials, found["a.js"].priority) == ("cors", "include", "Low")
    assert (found["w.json"].mode, found["w.json"].credentials) == ("cors", "omit")
    assert found["s.css"].integrity == "sha256-x"
    assert found["b.js"].referrer_policy == "origin"


def test_images_after_the_fifth_wait() -> None:
    found = scanned("".join(f"<img src={number}>" for number in range(7)) + "<script src=s></script>")[1]
    assert [each.priority for each in found[:8]] == ["Medium"] * 5 + ["Low"] * 2 + ["Medium"]


def test_lazy_images_are_guessed_and_say_so() -> None:
    scanner, found = scanned("<img src=near loading=lazy>" + "<p>x" * 200 + "<img src=far loading=lazy>")
    assert found[0].note is not None
    assert found[0].note.startswith("~ lazy")
    assert [each.url for each in scanner.skipped] == ["http://example.org/a/far"]
    assert "about 4800 px" in scanner.skipped[0].why


def test_sheets_and_styles_of_the_document() -> None:
    scanner, _ = scanned("<style media=print>\na{}</style><style type=text/x>b{}</style><p style='background:url(x)' onclick=y>")
    assert [(sheet.text, sheet.media, sheet.offset, sheet.line) for sheet in scanner.sheets] == [("\na{}", "print", 19, 1)]
    assert [(each.text, each.element, each.line) for each in scanner.styled] == [("background:url(x)", "p", 2)]
    assert [note.message for note in scanner.notes] == ["JavaScript was not run: what 1 event handler would ask for is not here"]


def test_metadata_of_the_document() -> None:
    scanner, found = scanned(
        "<meta name=referrer content=never><meta http-equiv=Content-Security-Policy content=\"img-src 'none'\">"
        "<meta http-equiv=refresh content='5; url=next.html'><img src=x>"
    )
    assert scanner.policies == [("content-security-policy", "img-src 'none'")]
    assert found[0].referrer_policy == scanner.referrer_policy == "no-referrer"
    assert scanner.skipped[0].url == "http://example.org/a/next.html"
    assert "after 5 s" in scanner.skipped[0].why


def test_frames_within_frames_are_left_out() -> None:
    assert [each.kind for each in scanned("<iframe src=f>")[1]] == ["iframe", "icon"]
    scanner, found = scanned("<iframe src=f></iframe><img src=x>", frame=True)
    assert [each.kind for each in found] == ["image"]
    assert scanner.skipped[0].why == "a frame within a frame: only one level is followed"
    (image, _) = scanned("<p>\n<iframe srcdoc='<img src=x>'>")[1]
    assert (image.url.href, image.initiator.line, image.initiator.what) == ("http://example.org/a/x", 2, "<img src> in srcdoc")


def test_hosts_are_hints_and_other_schemes_are_none() -> None:
    _, found = scanned("<link rel='preconnect dns-prefetch' href=//cdn.example><img src=data:,x><img src=blob:x><img src=http://[>")
    assert [(each.hint, each.url.host) for each in found[:2]] == [("preconnect", "cdn.example"), ("dns-prefetch", "cdn.example")]
    assert [each.kind for each in found[2:]] == ["icon"]


# As Chromium chose (156): the first name is asked for first.
@pytest.mark.parametrize(
    ("declared", "chosen"),
    [
        ("a: b:", "ba"), ("a:16x16 b:32x32 c:192x192", "b"), ("c:192x192 b:32x32 a:16x16", "b"), ("f:any i:", "if"),
        ("f:32x32 i:", "i"), ("a:32x32 b:32x32", "b"), ("a:16x16 c:192x192", "a"), ("a:48x48 c:192x192", "a"),
        ("f:16x16,32x32 b:32x32", "f"), ("b:32x32 i:any", "i"), ("f:48x48 b:32x32", "b"), ("", ""),
    ],
)  # fmt: skip
def test_icons(declared: str, chosen: str) -> None:
    icons = [Icon(name, sizes.replace(",", " "), 0, 1) for name, _, sizes in (word.partition(":") for word in declared.split())]
    assert "".join(icon.href for icon in chosen_icons(icons)) == chosen
