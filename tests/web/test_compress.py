"""Content codings: what is coded, what is left alone, and what happens to tags, Vary and streams."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from collections.abc import AsyncIterator

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.web.compress import CODINGS, Compress, compress, compressible

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECODE = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}
JSON = b"content-type: application/json\r\n"
TEXT = b'{"name":"tea"},' * 2000


def finish(response: Response, accept: str | None = "zstd, br, gzip", step: Compress | None = None) -> Response:
    headers = Headers([(b"accept-encoding", accept.encode())] if accept is not None else [])
    return (step or Compress())(Request("GET", "/", headers), response)


def body(response: Response) -> bytes:
    async def read() -> bytes:
        assert not isinstance(response.body, bytes)
        return b"".join([chunk async for chunk in response.body])

    return response.body if isinstance(response.body, bytes) else asyncio.run(read())


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_text_is_coded_as_asked(coding: str) -> None:
    response = finish(Response(200, TEXT, fixed=JSON + b'etag: "abc"\r\n'), coding)
    assert response.header("content-encoding") == coding
    assert response.header("vary") == "Accept-Encoding"
    assert response.header("etag") == f'"abc-{coding}"'
    assert response.header("content-type") == "application/json"
    assert DECODE[coding](body(response)) == TEXT


def test_what_a_client_likes_equally_is_the_quickest() -> None:
    assert finish(Response(200, TEXT, fixed=JSON)).header("content-encoding") == "zstd"


@pytest.mark.parametrize(
    "response",
    [
        Response(200, TEXT[:13_999], fixed=JSON),
        Response(200, TEXT, fixed=b"content-type: image/png\r\n"),
        Response(200, TEXT),
        Response(200, TEXT, headers=[("content-encoding", "br")], fixed=JSON),
        Response(200, TEXT, headers=[("cache-control", "max-age=1, no-transform")], fixed=JSON),
        Response(206, TEXT, fixed=JSON),
        Response(304, fixed=JSON),
    ],
)
def test_what_would_not_gain_or_must_not_change_is_left_alone(response: Response) -> None:
    assert finish(response) is response


@pytest.mark.parametrize("accept", [None, "", "identity", "gzip;q=0", "compress"])
def test_a_client_that_wants_no_coding_gets_none_but_caches_are_told(accept: str | None) -> None:
    response = finish(Response(200, TEXT, headers=[("vary", "Origin"), ("etag", '"a"')], fixed=JSON), accept)
    assert response.body == TEXT
    assert response.header("vary") == "Origin, Accept-Encoding"
    assert response.header("etag") == '"a"'


def test_noise_that_does_not_get_smaller_is_sent_as_it_is() -> None:
    noise = os.urandom(20_000)
    response = finish(Response(200, noise, fixed=b"content-type: text/plain\r\n"))
    assert (response.body, response.header("content-encoding")) == (noise, None)


def test_a_weak_tag_stays_and_vary_is_not_doubled() -> None:
    response = finish(Response(200, TEXT, headers=[("etag", 'W/"a"'), ("vary", "accept-encoding")], fixed=JSON))
    assert (response.header("etag"), response.header("vary")) == ('W/"a"', "accept-encoding")
    assert len([name for name, _ in response.headers if name == "vary"]) == 1


@pytest.mark.parametrize("coding", CODINGS)
def test_a_stream_is_coded_piece_by_piece_and_each_piece_arrives_at_once(coding: str) -> None:
    gate = asyncio.Event()
    closed: list[bool] = []

    async def words() -> AsyncIterator[bytes]:
        try:
            yield b"first " * 10
            await gate.wait()
            yield b"second " * 10_000
        finally:
            closed.append(True)

    async def check() -> None:
        response = finish(Response(200, words(), fixed=b"content-type: text/plain\r\n", length=70_060), coding)
        assert response.length is None
        assert not isinstance(response.body, bytes)
        pieces = aiter(response.body)
        coded = await asyncio.wait_for(anext(pieces), 10)
        assert coded
        gate.set()
        coded += b"".join([piece async for piece in pieces])
        assert DECODE[coding](coded) == b"first " * 10 + b"second " * 10_000
        assert closed == [True]

    asyncio.run(check())


@pytest.mark.parametrize("coding", CODINGS)
def test_a_very_large_body_is_coded_off_the_loop(coding: str) -> None:
    large = TEXT * 60
    response = finish(Response(200, large, fixed=JSON), coding)
    assert not isinstance(response.body, bytes)
    assert DECODE[coding](body(response)) == large


@given(st.binary(max_size=2000), st.sampled_from(CODINGS))
def test_any_body_comes_back_and_is_coded_the_same_each_time(data: bytes, coding: str) -> None:
    coded = compress(data, coding)
    assert DECODE[coding](coded) == data
    assert compress(data, coding) == coded


def test_the_least_size_can_be_set() -> None:
    assert finish(Response(200, TEXT[:500], fixed=JSON), step=Compress(least=100)).header("content-encoding") == "zstd"


@pytest.mark.parametrize(
    ("kind", "gains"),
    [
        ("text/html; charset=utf-8", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("application/vnd.geo+json", True),
        ("image/jpeg", False),
        ("application/zip", False),
        ("font/woff2", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_types_that_gain(kind: str | None, gains: bool) -> None:
    assert compressible(kind) is gains
