"""The tokenizer: any split gives the same tokens, places are right, and a real parser finds the same start tags."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from pellucid.client.page.html import EndTag, RawText, StartTag, Token, Tokenizer

DOC = Path("/usr/share/doc")
DOCUMENTS = [DOC / "python3.11/html/library/asyncio-task.html", DOC / "postgresql-doc-15/html/sql-select.html"]


def tokens(data: bytes, size: int | None = None, charset: str = "utf-8") -> list[Token]:
    tokenizer = Tokenizer(charset)
    found: list[Token] = []
    for start in range(0, len(data), size or len(data) or 1):
        found += tokenizer.feed(data[start : start + (size or len(data))])
    return found + tokenizer.end()


def starts(data: bytes) -> list[tuple[str, dict[str, str]]]:
    return [(token.name, token.attributes) for token in tokens(data) if isinstance(token, StartTag)]


PIECES = [
    "<", ">", "</", "/>", "<!--", "-->", "--!>", "<!-->", "<!--->", "<!", "<?", "<![CDATA[", "]]>", "<!doctype html>", "=",
    '"', "'", " ", "\n", "\t", "\f", "\r\n", "\0", "/", "&amp;", "&amp", "&lt=", "&copy=1", "&#x41;", "&#128;", "&#0;", "&notit;",
    "&", ";", "a", "B", "-", "x", "é", "src", "<img", "<img src=a>", "<p ", "<div>", "</div>", "<script>", "</script>",
    "</script ", "<script", "<style>", "</style>", "<title>", "</title>", "<textarea>", "</textarea>", "<noscript>",
    "</noscript>", "<svg>", "</svg>", "<math>", "</math>", "<svg/>", "<foreignObject>", "</foreignObject>", "<mi>", "</mi>",
    "<desc>", "<path/>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<plaintext>", "<br>", "<a b=c d='e' f=\"g\" h>",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(SOUP, st.integers(1, 9))
@example("<a b='" + "x" * 50 + "'>", 7)
@settings(max_examples=400, deadline=None)
def test_any_split_gives_the_same_tokens(text: str, size: int) -> None:
    data = text.encode()
    assert tokens(data, size) == tokens(data)


@given(SOUP)
@settings(max_examples=300, deadline=None)
def test_tags_stand_where_they_say(text: str) -> None:
    data = text.encode()
    for token in tokens(data):
        if isinstance(token, StartTag):
            assert data[token.offset :].lower().startswith(b"<" + token.name.encode()[:1])
        elif isinstance(token, EndTag):
            assert data[token.offset :].startswith(b"</")
        assert token.line == 1 + data.count(b"\n", 0, token.offset)


# A tree drops tags and moves them about. So the comparison is made where it keeps all:
# void elements in a body, in any mess of text, comments, quotes and references. (That parser has scripting off: no `<noscript>`.)
FLAT = st.lists(
    st.one_of(
        st.sampled_from([
            "<", "</", "<!", "<!--", "-->", "--!>", "<!-->", "<!--->", "<?", "<![CDATA[x]]>", "]]>", "a", " ", "\n", "&amp;", ">",
            "<b>", "</b >", "</div>", "<style>a<b</style>", "<script>x<img src=1></script>",
            "<script><!--<script></script>--></script>",
            "<script><!--</script>", "<script><!--><script></script>", "<textarea><img></textarea>", "<xmp><i></xmp>",
            "<iframe><img></iframe>", "<noembed><img></noembed>", "<style></styl></style>",
        ]),
        st.lists(
            st.sampled_from([
                "src", "=", '"', "'", " ", "/", "a", "b", "é", "\n", "&amp;", "&copy", "&copy=", "&notin;", "&#65;", "&#x110000;",
                "`", "<", "\t", "C", "&ampx", "&lt", "1", "&acE;", "&gt;", "\r\n", "&#150;", "&#xD800;", "=x", "-",
            ]),
            max_size=12,
        ).map(lambda parts: "<img " + "".join(parts) + ">"),
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(FLAT)
@settings(max_examples=1500, deadline=None)
def test_a_real_parser_finds_the_same_images(text: str) -> None:
    document = "<!doctype html><body>" + text + "</body>"
    theirs = [dict(node.attributes) for node in LexborHTMLParser(document).css("img")]
    ours = [dict(attributes) for name, attributes in starts(document.encode()) if name == "img"]
    assert ours == [{name: value or "" for name, value in each.items()} for each in theirs]


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_a_real_parser_finds_the_same_tags_in_real_pages(file: Path) -> None:
    data = file.read_bytes()
    parser = LexborHTMLParser(data)
    theirs = [
        (node.tag, {name: value or "" for name, value in node.attributes.items()})
        for node in parser.css("link, script, img, a, meta, div, p, h1, h2, code")
    ]
    wanted = {"link", "script", "img", "a", "meta", "div", "p", "h1", "h2", "code"}
    assert [each for each in starts(data) if each[0] in wanted] == theirs
    for size in random.Random(5).sample(range(1, 4000), 3):
        assert tokens(data, size) == tokens(data)


def test_a_tag_is_given_as_soon_as_it_is_whole() -> None:
    tokenizer = Tokenizer()
    assert tokenizer.feed(b"<p>text <img sr") == [StartTag("p", {}, 0, 1, False, "html")]
    assert tokenizer.feed(b"c='a.png'") == []
    assert tokenizer.feed(b">") == [StartTag("img", {"src": "a.png"}, 8, 1, False, "html")]


def test_text_of_raw_elements_comes_with_its_place() -> None:
    found = tokens(b"<style media=print>\na { }\n</style><title>a &amp; b</title>")
    assert RawText("style", "\na { }\n", 19, 1) in found
    assert RawText("title", "a & b", 41, 3) in found


def test_a_sheet_in_svg_is_text_although_it_is_read_as_markup() -> None:
    found = tokens(b"<svg><style>a &gt; b{<!-- x -->}<![CDATA[c > d & e{}]]></style></svg>", 2)
    assert RawText("style", "a > b{}c > d & e{}", 12, 1) in found


def test_svg_is_not_html() -> None:
    data = b"<svg><style><a></style><foreignObject><p></p></foreignObject><use></svg><b>"
    spaces = {token.name: token.space for token in tokens(data) if isinstance(token, StartTag)}
    assert spaces == {"svg": "svg", "style": "svg", "a": "svg", "foreignobject": "svg", "p": "html", "use": "svg", "b": "html"}


@pytest.mark.parametrize("charset", ["utf-16-le", "iso-2022-jp"])
def test_encodings_that_are_not_ascii_are_converted(charset: str) -> None:
    found = tokens('<p title="日本"><img src=a>'.encode(charset), 3, charset)
    assert [token.attributes for token in found if isinstance(token, StartTag)] == [{"title": "日本"}, {"src": "a"}]


def test_other_encodings_are_read_byte_by_byte() -> None:
    data = '<p title="日本ソ"><img alt="表">'.encode("shift_jis")
    found = tokens(data, 1, "shift_jis")
    assert [token.attributes for token in found if isinstance(token, StartTag)] == [{"title": "日本ソ"}, {"alt": "表"}]


@pytest.mark.parametrize(
    "data",
    [b"<a " * 200_000, b"<a b='" * 100_000, b"<!-" * 200_000, b"<script><!--" * 80_000, b"<a " + b"b=c " * 200_000,
     b"</" * 300_000, b"<svg>" * 50_000 + b"</p>", b"&" * 10 + b"<p x=" + b"&amp" * 100_000 + b">", b"<style></styl" * 60_000],
    ids=range(9),
)  # fmt: skip
def test_hostile_pages_cost_no_more_than_their_length(data: bytes) -> None:
    tokenizer = Tokenizer()
    for start in range(0, len(data), 1000):
        tokenizer.feed(data[start : start + 1000])
    tokenizer.end()
