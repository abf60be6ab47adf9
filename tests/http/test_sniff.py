"""Types: every signature, what is said against what is there, and a real Chromium's opinion."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.signatures import is_mp4, is_webm, starts_html
from pellucid.http.sniff import computed_type, is_html, is_javascript, is_json, is_nosniff, is_xml

PNG = b"\x89PNG\r\n\x1a\n"
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"

UNKNOWN: list[tuple[bytes, str]] = [
    (b"<!DOCTYPE HTML>", "text/html"),
    (b"\n\t <!doctype html >", "text/html"),
    (b"<html lang=en>", "text/html"),
    (b"<SCRIPT>", "text/html"),
    (b"<!-- hi -->", "text/html"),
    (b"<p>", "text/html"),
    (b"<br/>", "text/plain"),
    (b"<pre>", "text/plain"),
    (b"<?xml version='1.0'?>", "text/xml"),
    (b"%PDF-1.7", "application/pdf"),
    (b"%!PS-Adobe-3.0", "application/postscript"),
    (b"\xef\xbb\xbftext", "text/plain"),
    (b"\xfe\xff\x00a", "text/plain"),
    (b"GIF89a..", "image/gif"),
    (PNG, "image/png"),
    (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"RIFF\x00\x01\x02\x03WEBPVP8 ", "image/webp"),
    (b"BM\x00\x00", "image/bmp"),
    (b"\x00\x00\x01\x00\x01", "image/x-icon"),
    (b"OggS\x00\x02", "application/ogg"),
    (b"ID3\x04", "audio/mpeg"),
    (b"RIFF\x00\x01\x02\x03WAVEfmt ", "audio/wave"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"FORM\x00\x01\x02\x03AIFF", "audio/aiff"),
    (MP4, "video/mp4"),
    (WEBM, "video/webm"),
    (b"\x1f\x8b\x08\x00", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (b"plain text", "text/plain"),
    (b"", "text/plain"),
    (b"\x00\x01\x02", "application/octet-stream"),
    (b"almost text\x0b", "application/octet-stream"),
    (b"escape\x1b[0m", "text/plain"),
]


@pytest.mark.parametrize(("head", "wanted"), UNKNOWN)
def test_where_nothing_was_said_the_bytes_decide(head: bytes, wanted: str) -> None:
    typed = computed_type(None, head)
    assert (typed.supplied, typed.computed) == (None, wanted)
    assert typed.remarks[0].message.startswith("Content-Type was not sent")
    assert computed_type("application/unknown", head).computed == wanted


@pytest.mark.parametrize(
    ("said", "head", "kind", "wanted"),
    [
        ("text/html", PNG, "document", "text/html"),
        ("text/html; charset=utf-8", b"", "document", "text/html"),
        ("application/xhtml+xml", b"<html>", "document", "application/xhtml+xml"),
        ("text/plain", b"<html>", "document", "text/plain"),
        ("text/plain", b"\x00", "document", "application/octet-stream"),
        ("text/plain; charset=UTF-8", b"\x00", "document", "application/octet-stream"),
        ("text/plain; charset=utf-8", b"\x00", "document", "text/plain"),
        ("text/plain", b"\xef\xbb\xbf\x00", "document", "text/plain"),
        ("application/json", b"<html>", "document", "application/json"),
        ("image/png", b"GIF89a", "image", "image/gif"),
        ("image/png", b"unknown", "image", "image/png"),
        ("text/html", PNG, "image", "image/png"),
        ("application/octet-stream", PNG, "image", "image/png"),
        ("image/svg+xml", PNG, "image", "image/svg+xml"),
        ("image/avif", b"\x00\x00\x00\x1cftypavif", "image", "image/avif"),
        ("audio/mpeg", b"OggS\x00", "media", "application/ogg"),
        ("video/mp4", WEBM, "media", "video/webm"),
        ("font/woff2", b"wOF2", "font", "font/woff2"),
        ("application/octet-stream", b"wOFF", "font", "font/woff"),
        ("text/plain", b"\x00\x01\x00\x00", "font", "font/ttf"),
        ("application/octet-stream", b"OTTO", "font", "font/otf"),
        ("application/octet-stream", bytes(34) + b"LP", "font", "application/vnd.ms-fontobject"),
        ("TEXT/CSS", b"", "stylesheet", "text/css"),
        ("nonsense", b"<html>", "document", "text/html"),
    ],
)
def test_what_was_said_and_what_is_there(said: str, head: bytes, kind: str, wanted: str) -> None:
    assert computed_type(said, head, kind=kind).computed == wanted


def test_nosniff_makes_it_count() -> None:
    assert computed_type("text/plain", b"\x00", nosniff=True).computed == "text/plain"
    assert computed_type("image/png", b"GIF89a", kind="image", nosniff=True).computed == "image/png"
    assert computed_type(None, b"<html>", nosniff=True).computed == "text/plain"
    assert is_nosniff([("X-Content-Type-Options", "NoSniff")])
    assert is_nosniff([("x-content-type-options", "nosniff, other")])
    assert not is_nosniff([("x-content-type-options", "other, nosniff")])
    assert not is_nosniff([])


@pytest.mark.parametrize(
    ("said", "kind", "nosniff", "blocked"),
    [
        ("text/javascript", "script", True, False),
        ("text/plain", "script", True, True),
        ("text/plain", "script", False, False),
        (None, "script", True, True),
        ("image/png", "script", False, True),
        ("text/csv", "script", False, True),
        ("text/css", "stylesheet", True, False),
        ("text/plain", "stylesheet", True, True),
        ("text/plain", "stylesheet", False, True),
        (None, "stylesheet", False, False),
        (None, "stylesheet", True, True),
        ("text/plain", "image", True, False),
    ],
)
def test_what_browsers_block(said: str | None, kind: str, nosniff: bool, blocked: bool) -> None:
    typed = computed_type(said, b"x", kind=kind, nosniff=nosniff)
    assert typed.blocked is blocked
    assert any(remark.level == "error" for remark in typed.remarks) is blocked


def test_groups_of_types() -> None:
    assert is_javascript("application/x-javascript")
    assert not is_javascript("application/json")
    assert is_json("application/manifest+json")
    assert is_xml("image/svg+xml")
    assert is_html("text/html")
    assert not is_html("application/xhtml+xml")


def test_boxes_and_elements_that_end_too_soon() -> None:
    assert is_mp4(MP4)
    assert not is_mp4(MP4[:-1])
    assert not is_mp4(b"\x00\x00\x00\x00ftyp")
    assert not is_mp4(b"\x00\x00\x00\x0dftypmp42\x00")
    assert is_webm(WEBM)
    assert is_webm(WEBM.replace(b"\x84webm", b"\x10\x00\x00\x04webm"))
    assert not is_webm(WEBM.replace(b"webm", b"matr"))
    assert not is_webm(b"\x1a\x45\xdf\xa3\x42\x82")
    assert not starts_html(b"<html")


@given(st.binary(max_size=64), st.sampled_from(["document", "image", "media", "font", "script"]))
def test_no_bytes_are_too_strange(head: bytes, kind: str) -> None:
    for said in (None, "text/plain", "video/mp4"):
        for prefix in (b"", b"\x1a\x45\xdf\xa3", b"\x00\x00\x00\x18ftyp"):
            assert "/" in computed_type(said, prefix + head, kind=kind).computed


CASES: list[tuple[str | None, bytes]] = [
    ("text/plain", b"<html>"),
    ("text/plain", b"plain"),
    ("text/html", b"plain"),
    ("application/xhtml+xml", b"<html xmlns='http://www.w3.org/1999/xhtml'/>"),
    ("application/json", b"{}"),
    ("text/css", b"p{}"),
    ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    (None, b"<!doctype html><p>"),
    (None, b"\n <html>"),
    (None, b"<!-- x -->"),
    (None, b"just text"),
    (None, b"<?xml version='1.0'?><a/>"),
    ("application/unknown", b"<title>x</title>"),
    ("*/*", b"<body>x"),
]


@needs_chromium
def test_chromium_takes_documents_for_the_same_types(tmp_path: Path) -> None:
    server = Listener()
    try:
        server.files["/"] = "<!doctype html><body>"
        for number, (said, head) in enumerate(CASES):
            server.files[f"/{number}"], server.types[f"/{number}"] = head, said
        with paged(tmp_path) as page:
            page.open(f"http://127.0.0.1:{server.port}/")
            found = page.evaluate(
                f"""Promise.all(Array.from({{length: {len(CASES)}}}, (_, number) => new Promise(done => {{
                    const frame = document.createElement('iframe');
                    frame.onload = () => done(frame.contentDocument.contentType);
                    frame.src = '/' + number;
                    document.body.append(frame);
                }})))"""
            )
    finally:
        server.close()
    wanted = [computed_type(said, head, kind="iframe").computed for said, head in CASES]
    pairs = zip(CASES, found, wanted, strict=True)
    assert {f"{case[0]} {case[1]!r}": theirs for case, theirs, ours in pairs if theirs != ours} == {}
