"""What the parser says of a head: its meaning, or what is wrong with it and where. (What is accepted is in tests/wire.)"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import Problem
from pellucid.http.parse import ChunkedBody, Line, parse_fields, parse_line, plain_line, with_authority


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\x16\x03\x01\x00", "TLS handshake"),
        (b"GET / HTTP/1.1\n", "bare LF"),
        (b"GET /\xc3\xbc HTTP/1.1\r\n", "beyond ASCII"),
        (b"GET /a\x00 HTTP/1.1\r\n", "control characters"),
        (b"GET  / HTTP/1.1\r\n", "one blank between"),
        (b"GET /#a HTTP/1.1\r\n", "fragment"),
        (b"GET / HTTP/3.0\r\n", "HTTP/3.0 isn't spoken here"),
        (b"CONNECT a:1 HTTP/1.1\r\n", "no proxy"),
    ],
)
def test_a_wrong_request_line_is_explained(line, said):
    with pytest.raises(Problem, match=re.escape(said)):
        parse_line(line)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (b"Host: a\r\nX: b\r\n c\r\n\r\n", "Header line 3 begins with a blank"),
        (b"Host: a\r\nX : b\r\n\r\n", "Header line 2 has a blank before the colon"),
        (b"Host: a\r\nX\r\n\r\n", "Header line 2 has no colon"),
        (b"Host: a\nX: b\r\n\r\n", "Header line 1 ends with a bare LF"),
        (b"Host: a\r\nCookie: s\x00secret\r\n\r\n", "Header line 2 ('Cookie') has control characters in its value"),
        (b"Host: a\r\n(): b\r\n\r\n", "Header line 2 has an invalid name: '()'"),
        (b"\r\n", "There is no Host field"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(block, said):
    with pytest.raises(Problem, match=re.escape(said)) as raised:
        parse_fields("1.1", block)
    assert "secret" not in raised.value.message


def test_fields_are_lower_case_without_blanks_and_in_order():
    fields = parse_fields("1.1", b"Host: a\r\nX-B:  1\t\r\nx-a: \r\nX-b: 2\r\n\r\n")
    assert fields.headers.pairs == ((b"host", b"a"), (b"x-b", b"1"), (b"x-a", b""), (b"x-b", b"2"))


def test_absolute_form_replaces_the_host():
    line = parse_line(b"GET http://b:81/x?y HTTP/1.1\r\n")
    assert line == Line("GET", "/x?y", "1.1", "b:81")
    fields = with_authority(line, parse_fields("1.1", b"Host: a\r\nX: y\r\n\r\n"))
    assert list(fields.headers) == [("host", "b:81"), ("x", "y")]


def test_an_options_for_the_whole_server_by_way_of_a_proxy():
    assert parse_line(b"OPTIONS http://b HTTP/1.1\r\n").target == "*"


@given(st.binary(max_size=40))
def test_the_plainest_lines_are_read_as_all_lines_are(middle):
    line = b"GET /" + middle + b" HTTP/1.1\r\n"
    plain = plain_line(line)
    try:
        parsed = parse_line(line)
    except Problem:
        assert plain is None
    else:
        assert plain is not None
        assert parsed == Line("GET", plain[1].decode())


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_chunks_give_the_body_back_however_they_are_cut(pieces, data):
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\nGET"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=10)))
    body, got, behind = ChunkedBody(), b"", b""
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        if body.rest is None:
            got += b"".join(body.feed(sent[start:end]))
            behind = body.rest or b""
        else:
            behind += sent[start:end]
    assert (got, behind) == (b"".join(pieces), b"GET")
    assert body.announced == len(got)
