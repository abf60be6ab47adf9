"""Forms: round trips in any chunks, every bound, and what malformed input is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import BAD_QUERY, BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, Code, Problem
from pellucid.http.forms import Form, FormLimits, query_fields, read_form
from pellucid.http.headers import Headers
from pellucid.http.messages import Request

BOUNDARY = "4fK.Zx"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"


class Chunks:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def request(content_type: str, body: bytes, size: int = 0) -> Request:
    headers = Headers([(b"content-type", content_type.encode())])
    if not size:
        return Request("POST", "/", headers, body=body)
    return Request("POST", "/", headers, body=None, stream=Chunks(body[i : i + size] for i in range(0, len(body), size)))


def read(content_type: str, body: bytes, size: int = 0, limits: FormLimits | None = None) -> Form:
    return asyncio.run(read_form(request(content_type, body, size), limits or FormLimits()))


def part(disposition: str, body: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters='"\\%'), min_size=1, max_size=8)


@given(st.lists(st.tuples(names, st.text(max_size=20))), st.integers(1, 40))
def test_an_urlencoded_form_comes_back_as_it_was_in_any_chunks(fields: list[tuple[str, str]], size: int) -> None:
    body = urlencode(fields).encode()
    assert read(URLENCODED, body, size).fields == fields
    assert query_fields(body.decode()) == fields


@given(
    st.lists(st.tuples(names, st.text(max_size=20))),
    st.lists(st.tuples(names, st.binary(max_size=300))),
    st.integers(1, 100),
)
def test_a_multipart_form_comes_back_as_it_was_in_any_chunks(
    fields: list[tuple[str, str]], files: list[tuple[str, bytes]], size: int
) -> None:
    body = b"".join(part(f'name="{name}"', value.encode()) for name, value in fields)
    body += b"".join(part(f'name="{name}"; filename="f.bin"', data, "Content-Type: x/y") for name, data in files)
    body += END

    async def check() -> None:
        form = await read_form(request(MULTIPART, body, size), FormLimits(memory=100))
        assert form.fields == fields
        assert [(file.name, await file.read()) for file in form.files] == files
        for file, (_, data) in zip(form.files, files, strict=True):
            assert (file.filename, file.content_type, file.size) == ("f.bin", "x/y", len(data))
            assert b"".join([chunk async for chunk in file.chunks(7)]) == data
        form.close()

    asyncio.run(check())


def test_a_large_file_goes_to_disk_and_is_gone_afterwards() -> None:
    data = bytes(range(256)) * 2000

    async def check() -> None:
        form = await read_form(request(MULTIPART, part('name="f"; filename="big"', data) + END, 65_536))
        (file,) = form.files
        assert file.on_disk
        assert await file.read(10) == data[:10]
        assert await file.read() == data[10:]
        form.close()
        assert file.file.closed

    asyncio.run(check())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\fakepath\\\\x.png", "x.png"),
        ("/", ""),
        ("n\u00fc\u4e2d.txt", "n\u00fc\u4e2d.txt"),
    ],
)
def test_a_file_name_never_has_a_folder(sent: str, kept: str) -> None:
    form = read(MULTIPART, part(f'name="f"; filename="{sent}"', b"x") + END)
    assert form.files[0].filename == kept
    form.close()


def test_the_charset_of_a_field_is_honoured_where_it_is_a_usual_one() -> None:
    field = part('name="a"', "\u00fc".encode("latin-1"), "Content-Type: text/plain; charset=iso-8859-1")
    assert read(MULTIPART, field + END).fields == [("a", "\u00fc")]
    with pytest.raises(Problem) as caught:
        read(MULTIPART, part('name="a"', b"x", "Content-Type: text/plain; charset=utf-7") + END)
    assert caught.value.code is UNSUPPORTED_MEDIA_TYPE


SMALL = FormLimits(fields=3, files=2, field_size=10, text_size=25, memory=10)


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        (URLENCODED, b"a=%ff", MALFORMED_BODY),
        (URLENCODED, b"a=\xff", MALFORMED_BODY),
        (URLENCODED, b"a&b&c&d", MALFORMED_BODY),
        (URLENCODED, b"a=" + b"x" * 30, BODY_TOO_LARGE),
        (URLENCODED + "; charset=utf-16", b"a=b", UNSUPPORTED_MEDIA_TYPE),
        ("text/plain", b"a=b", UNSUPPORTED_MEDIA_TYPE),
        ("multipart/form-data", b"", MALFORMED_BODY),
        (MULTIPART, b"", MALFORMED_BODY),
        (MULTIPART, part('name="a"', b"x"), MALFORMED_BODY),
        (MULTIPART, b"junk" + part('name="a"', b"x") + END, MALFORMED_BODY),
        (MULTIPART, part("nom=a", b"x") + END, MALFORMED_BODY),
        (MULTIPART, part('name="a"', b"\xff") + END, MALFORMED_BODY),
        (MULTIPART, part('name="a"', b"x" * 11) + END, BODY_TOO_LARGE),
        (MULTIPART, part('name="a"', b"x" * 9) * 3 + END, BODY_TOO_LARGE),
        (MULTIPART, part('name="a"', b"x") * 4 + END, BODY_TOO_LARGE),
        (MULTIPART, part('name="a"; filename="b"', b"x") * 3 + END, BODY_TOO_LARGE),
        (MULTIPART, part('name="a"', b"x", *["X: y"] * 20) + END, BODY_TOO_LARGE),
    ],
)
@pytest.mark.parametrize("size", [0, 1])
def test_what_is_malformed_or_too_much_has_its_own_code(content_type: str, body: bytes, code: Code, size: int) -> None:
    with pytest.raises(Problem) as caught:
        read(content_type, body, size, SMALL)
    assert caught.value.code is code


@given(st.binary(max_size=200), st.integers(1, 20))
def test_no_body_whatsoever_raises_anything_but_a_problem(body: bytes, size: int) -> None:
    for content_type, data in ((URLENCODED, body), (MULTIPART, body), (MULTIPART, part('name="a"', body) + body)):
        with suppress(Problem):
            read(content_type, data, size).close()


def test_a_query_string_is_bounded_and_must_be_utf8() -> None:
    assert query_fields("") == []
    assert query_fields("a&b=&=c&&d=1+2%2B&d=") == [("a", ""), ("b", ""), ("", "c"), ("d", "1 2+"), ("d", "")]
    for query in ("a=%ff", "&" * 2000):
        with pytest.raises(Problem) as caught:
            query_fields(query)
        assert caught.value.code is BAD_QUERY
