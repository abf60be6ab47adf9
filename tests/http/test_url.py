"""URLs: against a real Chromium's parser, what people type, and data: URLs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged

from pellucid.http.data_url import data_url
from pellucid.http.negotiate import media_type
from pellucid.http.url import BadUrl, parse_typed, parse_url

BASES = (
    "http://example.org/foo/bar?q#f",
    "https://user:pw@h.example:8443/a/b/",
    "mailto:x",
    "about:blank",
    "data:,x",
)
RELATIVE = (
    "", ".", "..", "../..", "../../../x", "./y", "/z", "//other.example", "///three.example/x", "?only", "#only",
    "x?y#z", "\\\\back\\slash",
    "/a/../b/./c", "/%2e%2E/x", "/.%2e/", "c|/x", "http:relative", "http:/one", "http://", "https:x", "//[::1]:80/",
    "//x:99999",
    "  spaced  ", "tab\tin\nside", "a:b", "a:/b", "ü/é?ß#ü", "%zz", "?'\"<>`", "#'\"<>`", "/'\"<>`{}|^", "javascript:alert(1)",
    "data:text/plain,x y#z", "blob:https://example.org/uuid", "mailto:a@b?subject=x y", "about:blank#x", "ws://x:80/",
    "wss://x:443/",
    "//user@", "//@", "//:80", "//u:p:q@h@i/", "//%41.example/", "//a b/", "//a%00b", "//EXAMPLE.org",
    "//münchen.de/", "//faß.de",
    "//☃.net/", "//xn--nxasmq6b/", "//xn--a", "//a..b/", "//example.org./", "//1.2.3.4", "//0x7f.1", "//0177.0.0.1",
    "//256.256.256.256",
    "//1.2.3.4.5", "//1.2.3.08", "//4294967295", "//4294967296", "//0x100000000", "//[1::2]", "//[::1.2.3.4]",
    "//[1:2:3:4:5:6:7:8:9]",
    "//[::1%25eth0]", "//[v1.x]", "//h:0/", "//h:080/", "//h:/x", "//h:8x/", "//h?q", "//h#f", "//h\\x", "//h/\u200b",
    "//\u00adh.example/",
    "//a\u3002b/", "//\uff21.example/", "//-a.example/", "//a_b.example/", "//*.example/", "//a!b/", "//a^b/",
    "//a<b/", "file:///C:/x", "file:c:\\x",
    "file://localhost/x", "file://host/x", "non-special://h:99/p?q#f", "non-special:opaque path", "web+x:/..//p",
    "http://h/" + "a" * 50,
    "//☃/☃", "/?ü=ä", "?%", "/\x00x", "\x00", "/x\u2028y", "//xn--mnchen-3ya.de/", "https://\u0661\u0662/",
    "//ex%61mple.org", "//%zz/",
)  # fmt: skip


# Where Chromium does not do as the standard says: it escapes | in a path, a space and * in a host, and keeps file://localhost.
DIFFERENCES = {"c|/x", "/'\"<>`{}|^", "//a b/", "//*.example/", "file://localhost/x"}


def ours(text: str, base: str) -> str | None:
    try:
        return parse_url(text, parse_url(base)).href
    except BadUrl:
        return None


@needs_chromium
def test_chromium_reads_urls_the_same_way(tmp_path: Path) -> None:
    cases = [(text, base) for base in BASES for text in RELATIVE]
    assert len(cases) > 400
    with paged(tmp_path) as page:
        theirs: list[dict[str, Any]] = page.evaluate(
            f"""{json.dumps(cases)}.map(([text, base]) => {{
                try {{ const url = new URL(text, base); return {{href: url.href, origin: url.origin, path: url.pathname}} }}
                catch {{ return null }}
            }})"""
        )
    differing: list[tuple[str, str, str | None]] = []
    for (text, base), told in zip(cases, theirs, strict=True):
        found = ours(text, base)
        if found != (told and told["href"]):
            differing.append((text, base, found))
        elif found is not None:
            assert parse_url(found).path == told["path"], text
            if not found.startswith(("file:", "blob:")):
                assert parse_url(found).origin == told["origin"], text
    assert {text for text, *_ in differing} == DIFFERENCES, differing


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("https://a.example", "authority", "a.example"),
        ("https://a.example:443/", "authority", "a.example"),
        ("https://a.example:8443/", "authority", "a.example:8443"),
        ("http://[::1]:8000/", "authority", "[::1]:8000"),
        ("http://[::1]:8000/", "host", "::1"),
        ("http://[::1]:8000/", "port", 8000),
        ("https://a.example/", "port", 443),
        ("http://a.example/", "port", 80),
        ("mailto:a@b", "port", 0),
        ("mailto:a@b", "origin", "null"),
        ("data:,x", "origin", "null"),
        ("http://a.example", "target", "/"),
        ("http://a.example/?", "target", "/?"),
        ("http://a.example/?#x", "target", "/?"),
        ("http://a.example/a b?c d#e", "target", "/a%20b?c%20d"),
        ("http://a.example/#?x", "target", "/"),
        ("http://a.example/x#f", "bare", "http://a.example/x"),
        ("http://u:p@a.example/", "shown", "http://a.example/"),
        ("http://münchen.example/x", "host", "xn--mnchen-3ya.example"),
        ("http://münchen.example/x", "shown", "http://münchen.example/x"),
        ("http://xn--mnchen-3ya.example/x", "shown_host", "münchen.example"),
        ("http://xn--mnchen-3ya.example@a.example/", "shown", "http://a.example/"),
        ("http://xn--mnchen-3ya.de:xn@xn--mnchen-3ya.de/xn--mnchen-3ya.de", "shown", "http://münchen.de/xn--mnchen-3ya.de"),
    ],
)
def test_parts(text: str, field: str, value: object) -> None:
    assert getattr(parse_url(text), field) == value


@pytest.mark.parametrize(
    ("typed", "href", "assumed"),
    [
        ("example.org", "https://example.org/", True),
        ("example.org:8080/x", "https://example.org:8080/x", True),
        ("user:pw@example.org", "https://user:pw@example.org/", True),
        (" example.org ", "https://example.org/", True),
        ("//example.org/x", "https://example.org/x", True),
        ("münchen.example", "https://xn--mnchen-3ya.example/", True),
        ("localhost", "http://localhost/", True),
        ("localhost:8000/a?b", "http://localhost:8000/a?b", True),
        ("app.localhost:8000", "http://app.localhost:8000/", True),
        ("intranet", "http://intranet/", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", True),
        ("0x7f.1", "http://127.0.0.1/", True),
        ("[::1]:8000/x", "http://[::1]:8000/x", True),
        ("http://example.org", "http://example.org/", False),
        ("HTTPS://Example.org", "https://example.org/", False),
        ("http:example.org", "http://example.org/", False),
        ("https:/example.org/x", "https://example.org/x", False),
    ],
)
def test_what_people_type(typed: str, href: str, assumed: bool) -> None:
    url, was_assumed = parse_typed(typed)
    assert (url.href, was_assumed) == (href, assumed)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "names no host"),
        ("   ", "names no host"),
        ("http://", "is not a URL"),
        ("ftp://example.org/", "'ftp'"),
        ("ws://example.org/", "'ws'"),
        ("file:///etc/passwd", "'file'"),
        ("mailto:a@b.example", "'mailto'"),
        ("javascript:alert(1)", "'javascript'"),
        ("about:blank", "'about'"),
        ("data:text/plain,x", "'data'"),
        ("blob:https://example.org/x", "'blob'"),
        ("two words", "is not a URL"),
        ("example.org:99999", "is not a URL"),
        ("/etc/hosts", "names no host"),
        ("./page.html", "names no host"),
        ("?q", "names no host"),
        ("#top", "names no host"),
    ],
)
def test_what_cannot_be_asked_for(typed: str, words: str) -> None:
    with pytest.raises(BadUrl) as caught:
        parse_typed(typed)
    assert words in caught.value.message


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    for parse in (parse_url, parse_typed):
        try:
            found = parse(text)
        except BadUrl:
            continue
        url = found[0] if isinstance(found, tuple) else found
        assert url.href.isascii()
        assert parse_url(url.href) == url
        assert isinstance(url.shown, str)
        assert isinstance(url.shown_host, str)


# data: URLs.

DATA = [
    "data:,hello", "data:text/plain,hello%20world", "data:text/html;charset=utf-8,%C3%BC", "data:;charset=latin1,x",
    "data:;base64,aGVsbG8=",
    "data:image/png;base64,iVBORw0KGgo=", "data:;base64,aGVsbG8", "data:;base64,aG Vs%0AbG8%3D", "data:text/plain;BASE64,aGk=",
    "data:text/plain; base64,aGk=", "data:text/plain;base64;x=y,aGk=", "data:base64,aGk=", "data:;base64,a",
    "data:;base64,a===", "data:;base64,!",
    "data:nonsense,x", "data:text/plain", "data:,", "data:,a#b", "data:,%zz%4", "data:text/plain;charset=UTF-8;x=1,y",
    "data:,ü", "data: ,x",
    "data:;x=y;base64,WA", "data:,a?b&c", "data:;base64,", "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
]  # fmt: skip


@needs_chromium
def test_chromium_reads_data_urls_the_same_way(tmp_path: Path) -> None:
    with paged(tmp_path) as page:
        theirs = page.evaluate(
            f"""Promise.all({json.dumps(DATA)}.map(async text => {{
                try {{
                    const answer = await fetch(text);
                    const bytes = new Uint8Array(await answer.arrayBuffer());
                    return [answer.headers.get('content-type'), btoa(String.fromCharCode(...bytes))];
                }} catch {{ return null }}
            }}))"""
        )
    for text, told in zip(DATA, theirs, strict=True):
        try:
            kind, data = data_url(parse_url(text))
            found = [media_type(kind), base64.b64encode(data).decode()]
        except BadUrl:
            found = None
        assert found == (told and [media_type(told[0]), told[1]]), text


def test_other_schemes_hold_nothing() -> None:
    with pytest.raises(BadUrl, match="http: is not data:"):
        data_url(parse_url("http://a.example/,x"))
