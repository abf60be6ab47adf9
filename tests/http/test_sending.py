"""Forms as bytes: what our own server reads out of them, and whether Chromium writes the same ones."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.forms import Form, read_form
from pellucid.http.headers import Headers
from pellucid.http.messages import Request
from pellucid.http.sending import File, guess_type, multipart, plain, urlencoded

HARD: list[tuple[str, str]] = [
    ("plain", "value"),
    ("", "no name"),
    ("empty", ""),
    ('quo"te', 'a "quoted" value'),
    ("back\\slash", "C:\\dir"),
    ("line\nfeed", "one\ntwo"),
    ("carriage\rreturn", "one\rtwo"),
    ("both\r\nof them", "one\r\n\r\ntwo\n\r"),
    ("ümläut €", "naïve ☃ 😀"),
    ("%22", "100 % %0A"),
    ("a+b&c=d", "x&y=z+1;2"),
    ("tab\there", "\t\x01\x7f"),
    ("~!'()*-._", "~!'()*-._"),
    ("plain", "again"),
]
FILES: list[tuple[str, File]] = [
    ("upload", File('na"me\n.txt', b"text\r\nlines\n", "text/plain")),
    ("upload", File("sch\u00f6n \u2603.png", bytes(range(256)), "image/png")),
    ("none", File("", b"", "application/octet-stream")),
    ("a'b;c", File("semi;colon\\.bin", b"\0", "application/octet-stream")),
]


def test_urlencoded_has_the_standards_characters() -> None:
    assert urlencoded([("a b", "*-._~"), ("é", "\n")]) == b"a+b=*-._%7E&%C3%A9=%0D%0A"
    assert urlencoded([("f", File("x.txt", b"data"))]) == b"f=x.txt"
    assert urlencoded([("half", "\ud800")]) == b"half=%EF%BF%BD"
    assert urlencoded([]) == b""


def test_plain_text_is_for_people() -> None:
    assert plain([("a", "b\nc"), ("d", "")]) == b"a=b\r\nc\r\nd=\r\n"


def test_multipart_to_the_byte() -> None:
    kind, body = multipart([("a\n", "b"), ("f", File('"x".png', b"\x89"))], boundary="X")
    assert kind == "multipart/form-data; boundary=X"
    disposition = b"--X\r\nContent-Disposition: form-data; name="
    assert body == (
        disposition
        + b'"a%0D%0A"\r\n\r\nb\r\n'
        + disposition
        + b'"f"; filename="%22x%22.png"\r\nContent-Type: image/png\r\n\r\n\x89\r\n--X--\r\n'
    )


def test_boundaries_are_new_each_time_and_never_inside() -> None:
    kinds = {multipart([("a", "b")])[0] for _ in range(5)}
    assert len(kinds) == 5
    assert all(kind.startswith("multipart/form-data; boundary=----WebKitFormBoundary") for kind in kinds)


def test_a_type_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="line break"):
        multipart([("f", File("x", b"", "text/plain\r\nX-Evil: 1"))])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.PNG", "image/png"), ("x.tar.gz", "application/gzip"), ("README", "application/octet-stream"), (".x", None)],
)
def test_types_are_guessed_by_the_ending(name: str, kind: str | None) -> None:
    assert guess_type(name) == (kind or "application/octet-stream")


# What our own server makes of it.


def received(content_type: str, body: bytes) -> Form:
    headers = Headers([(b"content-type", content_type.encode())])
    return asyncio.run(read_form(Request("POST", "/", headers, body=body)))


texts = st.text(st.characters(codec="utf-8"), max_size=30)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='"\\%'), min_size=1, max_size=12)


@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_urlencoded_comes_back(fields: list[tuple[str, str]]) -> None:
    form = received("application/x-www-form-urlencoded", urlencoded(fields))
    assert form.fields == [(crlf(name), crlf(value)) for name, value in fields]


@given(st.lists(st.tuples(names, texts), max_size=5), st.lists(st.tuples(names, st.binary(max_size=60)), max_size=3))
def test_multipart_comes_back(fields: list[tuple[str, str]], files: list[tuple[str, bytes]]) -> None:
    form = received(*multipart([*fields, *((name, File("f.bin", data)) for name, data in files)]))
    try:
        assert form.fields == [(name, crlf(value)) for name, value in fields]
        assert [(file.name, file.file.read()) for file in form.files] == files
    finally:
        form.close()


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


# What Chromium makes of it.


SUBMIT = """(fields, files, enctype, action) => {
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', enctype, action, target: 'answers', acceptCharset: 'utf-8'});
    for (const [name, value] of fields) {
        const field = document.createElement(/[\\r\\n]/.test(value) ? 'textarea' : 'input');
        if (field.type == 'text') field.type = 'hidden';
        field.name = name;
        field.value = value;
        form.append(field);
    }
    for (const [name, file, type, bytes] of files) {
        const field = document.createElement('input');
        field.type = 'file';
        field.name = name;
        if (file) {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], file, {type}));
            field.files = held.files;
        }
        form.append(field);
    }
    document.body.append(form);
    form.submit();
    return 1;
}"""


KINDS = {
    "/urlencoded": ("application/x-www-form-urlencoded", False),
    "/names": ("application/x-www-form-urlencoded", True),
    "/multipart": ("multipart/form-data", True),
    "/plain": ("text/plain", False),
}
"""Path, encoding, and whether there are files."""


@needs_chromium
def test_chromium_writes_the_same_forms(tmp_path: Path) -> None:
    told = [[name, file.name, file.type, list(file.data)] for name, file in FILES]
    # A hidden field without a name is not sent by browsers, so that one is ours alone.
    fields = [pair for pair in HARD if pair[0]]
    server = Listener()
    try:
        with paged(tmp_path) as page:
            page.evaluate("document.body.innerHTML = '<iframe name=answers></iframe>', 1")
            for path, (enctype, files) in KINDS.items():
                action = f"http://127.0.0.1:{server.port}{path}"
                page.evaluate(f"({SUBMIT})({', '.join(map(json.dumps, (fields, told if files else [], enctype, action)))})")
                server.head(path)
    finally:
        server.close()
    kind = dict(server.head("/multipart"))["Content-Type"]
    assert kind.startswith("multipart/form-data; boundary=----WebKitFormBoundary")
    assert urlencoded(fields) == server.bodies["/urlencoded"]
    assert urlencoded([*fields, *FILES]) == server.bodies["/names"]
    assert multipart([*fields, *FILES], kind.partition("boundary=")[2]) == (kind, server.bodies["/multipart"])
    assert plain(fields) == server.bodies["/plain"]
