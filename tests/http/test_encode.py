"""The bytes of an answer."""

from __future__ import annotations

import pytest

from pellucid.http.encode import Encoder, chunk
from pellucid.http.messages import Response

ID = "0123456789abcdef" * 2


def encoded(response, **options):
    body = response.body
    assert isinstance(body, bytes)
    return Encoder("test").whole(response, body, ID, ID, options.pop("connection", ""), **options)


def test_a_whole_answer_is_one_piece_in_a_known_order():
    response = Response(201, b"hi", headers=[("location", "/a")], fixed=b"content-type: text/plain\r\n")
    lines = encoded(response, connection="connection: close\r\n").split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 201 Created"
    assert lines[1].startswith(b"date: ")
    assert lines[2:] == [
        b"server: test",
        b"x-request-id: " + ID.encode(),
        b"traceresponse: 00-" + ID.encode() + b"-" + ID[16:].encode() + b"-01",
        b"connection: close",
        b"location: /a",
        b"content-length: 2",
        b"content-type: text/plain",
        b"",
        b"hi",
    ]


def test_a_status_without_a_known_reason_still_has_its_blank():
    assert encoded(Response(299)).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("status", [0, 99, 100, 199, 1000, -1, "200", None])
def test_a_status_that_ends_no_exchange_is_refused(status):
    with pytest.raises(ValueError, match="status"):
        encoded(Response(status))


@pytest.mark.parametrize("header", [("a", "b\r\nc: d"), ("a", "b\nc"), ("a\r\nb", "c"), ("a", "b\r"), ("a", "\0")])
def test_a_line_break_in_a_header_is_refused(header):
    with pytest.raises(ValueError, match="line break"):
        encoded(Response(200, headers=[header]))


@pytest.mark.parametrize("status", [204, 304])
def test_no_content_has_no_length(status):
    assert b"content-length" not in encoded(Response(status, b"ignored"))


def test_the_date_follows_the_clock(monkeypatch):
    encoder = Encoder()
    for seconds, said in ((0, b"Thu, 01 Jan 1970 00:00:00 GMT"), (1, b"Thu, 01 Jan 1970 00:00:01 GMT")):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        encoder.refresh()
        assert said in encoder.whole(Response(), b"", ID, ID, "")


def test_a_chunk_has_its_size_in_hexadecimal():
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
