"""Encodings: the deciding rule for every kind of body, and a real Chromium's opinion of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.charset import Charset, codec_of, decide, decode

HTML = "text/html"


@pytest.mark.parametrize(
    ("label", "name", "codec"),
    [
        ("utf8", "UTF-8", "utf-8"),
        (" UTF-8\n", "UTF-8", "utf-8"),
        ("latin1", "windows-1252", "windows-1252"),
        ("ISO-8859-1", "windows-1252", "windows-1252"),
        ("ascii", "windows-1252", "windows-1252"),
        ("x-sjis", "Shift_JIS", "cp932"),
        ("gb2312", "GBK", "gb18030"),
        ("ks_c_5601-1987", "EUC-KR", "cp949"),
        ("big5-hkscs", "Big5", "big5hkscs"),
        ("unicode", "UTF-16LE", "utf-16le"),
        ("utf-16be", "UTF-16BE", "utf-16be"),
        ("logical", "ISO-8859-8-I", "iso8859-8"),
        ("iso-2022-kr", "replacement", "ascii"),
        ("koi8-ru", "KOI8-U", "koi8-u"),
        ("cp866", "IBM866", "cp866"),
        ("gb18030", "gb18030", "gb18030"),
        ("x-mac-roman", "macintosh", "mac-roman"),
        ("x-user-defined", "x-user-defined", "latin-1"),
    ],
)
def test_labels(label: str, name: str, codec: str) -> None:
    assert codec_of(label) == (name, codec)


@pytest.mark.parametrize("label", ["", "utf", "utf-32", "utf-7", "ürf-8", "cp037", "latin 1", "utf-8\x00"])
def test_what_is_no_label(label: str) -> None:
    assert codec_of(label) is None


def test_pythons_codecs_exist_for_every_label() -> None:
    from webencodings.labels import LABELS

    for label in LABELS:
        known = codec_of(label)
        assert known is not None
        assert isinstance(b"even".decode(known[1]), str)


def name(essence: str, content_type: str | None, head: bytes, **told: Any) -> str:
    return decide(essence, content_type, head, **told).name


PAGES: list[tuple[str, str | None, bytes, str]] = [
    ("bom wins over all", "text/html; charset=koi8-r", b"\xef\xbb\xbf<meta charset=latin1>", "UTF-8"),
    ("utf-16be bom", HTML, "\ufeff<p>x".encode("utf-16-be"), "UTF-16BE"),
    ("utf-16le bom", HTML, "\ufeff<p>x".encode("utf-16-le"), "UTF-16LE"),
    ("field", "text/html; charset=koi8-r", b"<meta charset=utf-8>", "KOI8-R"),
    ("field in quotes", 'text/html; charset="utf-8"', b"<meta charset=latin1>", "UTF-8"),
    ("field unknown", "text/html; charset=never", b"<meta charset=iso-8859-2>", "ISO-8859-2"),
    ("meta", HTML, b"<!doctype html><html><head><meta charset=utf-8>", "UTF-8"),
    ("meta upper", HTML, b"<META CHARSET='ISO-8859-5'>", "ISO-8859-5"),
    ("meta with slash", HTML, b"<meta/charset=utf-8/>", "windows-1252"),
    ("meta spaced", HTML, b"<meta charset = ' utf-8 ' >", "UTF-8"),
    ("meta unquoted slash", HTML, b"<meta charset=utf-8 />", "UTF-8"),
    ("pragma", HTML, b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-7">', "ISO-8859-7"),
    ("pragma turned round", HTML, b"<meta content='text/html; charset=iso-8859-7' http-equiv=content-type>", "ISO-8859-7"),
    ("content without pragma", HTML, b"<meta content='text/html; charset=iso-8859-7'>", "windows-1252"),
    ("other pragma", HTML, b"<meta http-equiv=refresh content='charset=iso-8859-7'>", "windows-1252"),
    ("pragma and charset", HTML, b"<meta http-equiv=content-type content='charset=koi8-r' charset=utf-8>", "UTF-8"),
    ("charset charset", HTML, b"<meta http-equiv=content-type content='charset charset=koi8-r'>", "KOI8-R"),
    ("first attribute counts", HTML, b"<meta charset=koi8-r charset=utf-8>", "KOI8-R"),
    ("in a comment", HTML, b"<!-- <meta charset=utf-8> -->", "windows-1252"),
    ("after a comment", HTML, b"<!--><meta charset=utf-8>", "UTF-8"),
    ("in an attribute", HTML, b"<p title='<meta charset=utf-8>'>", "windows-1252"),
    ("after an attribute", HTML, b"<p title='>'><meta charset=utf-8>", "UTF-8"),
    ("metadata is no meta", HTML, b"<metadata charset=utf-8>", "windows-1252"),
    ("said to be utf-16", HTML, b"<meta charset=utf-16>", "UTF-8"),
    ("user-defined", HTML, b"<meta charset=x-user-defined>", "windows-1252"),
    ("unknown then known", HTML, b"<meta charset=never><meta charset=koi8-u>", "KOI8-U"),
    ("beyond the first bytes", HTML, b" " * 1100 + b"<p>" + b"x" * 2000, "windows-1252"),
    ("xml declaration", HTML, b'<?xml version="1.0" encoding="koi8-r"?><p>', "KOI8-R"),
    ("closing tag", HTML, b"</meta charset=utf-8><p>", "windows-1252"),
    ("bogus comment", HTML, b"<!x <meta charset=utf-8>", "windows-1252"),
    ("nothing", HTML, b"<p>plain", "windows-1252"),
]


@pytest.mark.parametrize(("content_type", "head", "wanted"), [page[1:] for page in PAGES], ids=[page[0] for page in PAGES])
def test_pages(content_type: str | None, head: bytes, wanted: str) -> None:
    assert name(HTML, content_type, head) == wanted


DIFFERENCES = {"first attribute counts": "UTF-8"}
"""Where Chromium does not do as HTML says: of two attributes with one name its prescan takes the last."""


@needs_chromium
def test_chromium_reads_pages_in_the_same_encodings(tmp_path: Path) -> None:
    server = Listener()
    try:
        server.files["/"] = "<!doctype html><meta charset=macintosh><body>"
        for number, (_, kind, head, _) in enumerate(PAGES):
            server.files[f"/{number}"], server.types[f"/{number}"] = head, kind
        with paged(tmp_path) as page:
            page.open(f"http://127.0.0.1:{server.port}/")
            found = page.evaluate(
                f"""Promise.all(Array.from({{length: {len(PAGES)}}}, (_, number) => new Promise(done => {{
                    const frame = document.createElement('iframe');
                    frame.onload = () => done(frame.contentDocument.characterSet);
                    frame.src = '/' + number;
                    document.body.append(frame);
                }})))"""
            )
    finally:
        server.close()
    # In a frame nothing said means the page around it, which has an encoding of its own here.
    wanted = [name(HTML, kind, head, environment="macintosh") for _, kind, head, _ in PAGES]
    pairs = zip(PAGES, found, wanted, strict=True)
    assert {page[0]: theirs for page, theirs, ours in pairs if theirs != ours} == DIFFERENCES


def test_rules_are_told() -> None:
    assert decide(HTML, None, b"<meta charset=utf-8>") == Charset(
        "UTF-8", "utf-8", "<meta charset> in the first 1,024 bytes said utf-8", "HTML, section 13.2.3.2"
    )
    assert decide(HTML, "text/html; charset=nope", b"").rule.startswith(
        "Content-Type said charset='nope', which names no encoding; nothing named an encoding"
    )
    assert decide(HTML, None, b"\xef\xbb\xbf").skip == 3


def test_style_sheets() -> None:
    assert name("text/css", "text/css", b'@charset "koi8-r";') == "KOI8-R"
    assert name("text/css", "text/css", b'@charset "utf-16le";') == "UTF-8"
    assert name("text/css", "text/css", b"@charset 'koi8-r';") == "UTF-8"
    assert name("text/css", "text/css", b' @charset "koi8-r";') == "UTF-8"
    assert name("text/css", "text/css; charset=latin1", b'@charset "koi8-r";') == "windows-1252"
    assert name("text/css", "text/css", b"", environment="Shift_JIS") == "Shift_JIS"
    assert name("text/css", None, b"") == "UTF-8"


def test_scripts_data_and_text() -> None:
    assert name("text/javascript", "text/javascript", b"") == "UTF-8"
    assert name("text/javascript", "text/javascript", b"", environment="windows-1251") == "windows-1251"
    assert name("application/json", "application/json; charset=latin1", b"{}") == "UTF-8"
    assert name("application/xml", "application/xml", b"<?xml version='1.0' encoding='koi8-r'?>") == "KOI8-R"
    assert name("image/svg+xml", "image/svg+xml", b"<svg/>") == "UTF-8"
    assert name("text/plain", "text/plain", b"x") == "windows-1252"
    assert name("text/plain", "text/plain; charset=utf-8", b"x") == "UTF-8"


def test_decoding() -> None:
    assert decode(b"\xef\xbb\xbfa\xff", decide("text/css", None, b"\xef\xbb\xbf")) == "a\ufffd"
    assert decode(b"\x80\x81\x9d", decide(HTML, None, b"")) == "\u20ac\x81\x9d"
    assert decode(b"a\x80\xff", decide(HTML, "text/html; charset=x-user-defined", b"")) == "a\uf780\uf7ff"
    assert decode(b"anything", decide(HTML, "text/html; charset=iso-2022-kr", b"")) == "\ufffd"
    assert decode("日本".encode("cp932"), decide(HTML, "text/html; charset=sjis", b"")) == "日本"


@given(st.binary(max_size=200), st.sampled_from([HTML, "text/css", "text/plain", "application/xml"]))
def test_no_bytes_are_too_strange(data: bytes, essence: str) -> None:
    for prefix in (b"", b"<meta charset=", b"<meta http-equiv=content-type content=", b'@charset "', b"<?xml encoding="):
        decode(prefix + data, decide(essence, None, prefix + data))
