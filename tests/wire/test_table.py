"""What bytes mean: each row whole, byte by byte, and again on a connection whose fast lane an accepted request has warmed."""

from __future__ import annotations

import pytest

from pellucid.server.connection import Limits

H = b"Host: a\r\n"
END = b"\r\n"


def get(block: bytes = H, line: bytes = b"GET / HTTP/1.1\r\n") -> bytes:
    return line + block + END


def post(fields: bytes, body: bytes = b"", line: bytes = b"POST / HTTP/1.1\r\n") -> bytes:
    return line + H + fields + END + body


def chunks(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


ACCEPTED: dict[str, bytes] = {
    "a plain request": get(),
    "a query": get(line=b"GET /a/b?x=1&y=%20 HTTP/1.1\r\n"),
    "every visible character in the target": get(line=b"GET /!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ HTTP/1.1\r\n"),
    "a method that nobody knows": get(line=b"BREW /pot HTTP/1.1\r\n"),
    "OPTIONS for the whole server": get(line=b"OPTIONS * HTTP/1.1\r\n"),
    "absolute form": get(line=b"GET http://b.example:8080/x?y HTTP/1.1\r\n"),
    "absolute form without a path": get(line=b"GET HTTP://b.example HTTP/1.1\r\n"),
    "absolute form with a query only": get(line=b"GET http://b.example?x HTTP/1.1\r\n"),
    "blank lines before a request": b"\r\n\r\n\r\n" + get(),
    "an empty value": get(H + b"X:\r\n"),
    "blanks round a value": get(H + b"X: \t  b \t \r\n"),
    "a tab within a value": get(H + b"X: a\tb\r\n"),
    "bytes beyond ASCII in a value": get(H + b"X: \xc3\xbc\r\n"),
    "the same field twice": get(H + b"X: a\r\nX: b\r\n"),
    "an address as Host": get(b"Host: 127.0.0.1:80\r\n"),
    "an IPv6 address as Host": get(b"Host: [::1]:80\r\n"),
    "a Host with a port that is empty": get(b"Host: a:\r\n"),
    "Host in capitals": get(b"HOST: A\r\n"),
    "an offer to upgrade, which is ignored": get(H + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "an empty body": post(b"Content-Length: 0\r\n"),
    "a body": post(b"Content-Length: 5\r\n", b"hello"),
    "a body of GET": post(b"Content-Length: 5\r\n", b"hello", b"GET / HTTP/1.1\r\n"),
    "leading zeros in a length": post(b"Content-Length: 005\r\n", b"hello"),
    "blanks after a length": post(b"Content-Length: 5 \t\r\n", b"hello"),
    "chunks": chunks(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
    "chunked in capitals": post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"A\r\n0123456789\r\n0\r\n\r\n"),
    "no chunks": chunks(b"0\r\n\r\n"),
    "several zeros as last chunk": chunks(b"1\r\na\r\n000\r\n\r\n"),
    "chunk extensions": chunks(b'5;a;b=c;d="e f";g\r\nhello\r\n0;x\r\n\r\n'),
    "blanks before a chunk extension": chunks(b"5 ; a\r\nhello\r\n0\r\n\r\n"),
    "trailers": chunks(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n"),
}

CLOSING: dict[str, bytes] = {
    "Connection: close": get(H + b"Connection: close\r\n"),
    "Connection: close among others": get(H + b"Connection: x, Close\r\n"),
    "Connection: close in a second field": get(H + b"Connection: keep-alive\r\nConnection: close\r\n"),
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with a body": b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.0 that expects": b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
}

REFUSED: dict[str, tuple[int, bytes]] = {
    # The request line (RFC 9112, section 3)
    "no version": (400, b"GET /\r\n" + H + END),
    "no target": (400, get(line=b"GET HTTP/1.1\r\n")),
    "an empty line of blanks": (400, get(line=b"  \r\n")),
    "two blanks before the target": (400, get(line=b"GET  / HTTP/1.1\r\n")),
    "two blanks after the target": (400, get(line=b"GET /  HTTP/1.1\r\n")),
    "a tab for a blank": (400, get(line=b"GET\t/ HTTP/1.1\r\n")),
    "a blank at the start": (400, get(line=b" GET / HTTP/1.1\r\n")),
    "a blank at the end": (400, get(line=b"GET / HTTP/1.1 \r\n")),
    "a blank in the target": (400, get(line=b"GET /a b HTTP/1.1\r\n")),
    "a control character in the target": (400, get(line=b"GET /a\x01 HTTP/1.1\r\n")),
    "NUL in the target": (400, get(line=b"GET /a\x00 HTTP/1.1\r\n")),
    "DEL in the target": (400, get(line=b"GET /a\x7f HTTP/1.1\r\n")),
    "bytes beyond ASCII in the target": (400, get(line=b"GET /\xc3\xbc HTTP/1.1\r\n")),
    "a path that is not UTF-8": (400, get(line=b"GET /%ff HTTP/1.1\r\n")),
    "a fragment": (400, get(line=b"GET /a#b HTTP/1.1\r\n")),
    "a bare CR in the target": (400, get(line=b"GET /a\rb HTTP/1.1\r\n")),
    "a bare LF after the line": (400, get(line=b"GET / HTTP/1.1\n")),
    "a bare CR after the line": (400, get(line=b"GET / HTTP/1.1\r")),
    "two CRs after the line": (400, get(line=b"GET / HTTP/1.1\r\r\n")),
    "a method with a colon": (400, get(line=b"G:T / HTTP/1.1\r\n")),
    "a method of many letters": (400, get(line=b"A" * 33 + b" / HTTP/1.1\r\n")),
    "a relative target": (400, get(line=b"GET a HTTP/1.1\r\n")),
    "an asterisk with GET": (400, get(line=b"GET * HTTP/1.1\r\n")),
    "another scheme": (400, get(line=b"GET ftp://a/ HTTP/1.1\r\n")),
    "absolute form with a user": (400, get(line=b"GET http://u@a/ HTTP/1.1\r\n")),
    "absolute form without a host": (400, get(line=b"GET http:///x HTTP/1.1\r\n")),
    "CONNECT": (501, get(line=b"CONNECT a:443 HTTP/1.1\r\n")),
    "lower-case http": (400, get(line=b"GET / http/1.1\r\n")),
    "HTTP/1.2": (505, get(line=b"GET / HTTP/1.2\r\n")),
    "HTTP/2.0": (505, get(line=b"GET / HTTP/2.0\r\n")),
    "HTTP/0.9": (505, get(line=b"GET / HTTP/0.9\r\n")),
    "HTTP/01.1": (400, get(line=b"GET / HTTP/01.1\r\n")),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a TLS handshake": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "an SSH greeting": (400, b"SSH-2.0-OpenSSH_9.2\r\n"),
    # The fields (RFC 9112, section 5)
    "a bare LF between fields": (400, get(b"Host: a\nX: b\r\n")),
    "a bare CR in a value": (400, get(b"Host: a\r\nX: b\rc\r\n")),
    "NUL in a value": (400, get(H + b"X: a\x00b\r\n")),
    "a control character in a value": (400, get(H + b"X: a\x0bb\r\n")),
    "DEL in a value": (400, get(H + b"X: a\x7fb\r\n")),
    "a blank before a colon": (400, get(H + b"X : b\r\n")),
    "a tab before a colon": (400, get(H + b"X\t: b\r\n")),
    "no colon": (400, get(H + b"X\r\n")),
    "no name": (400, get(H + b": b\r\n")),
    "a blank in a name": (400, get(H + b"X Y: b\r\n")),
    "a name beyond ASCII": (400, get(H + b"X\xc3\xbc: b\r\n")),
    "a folded line": (400, get(H + b"X: a\r\n b\r\n")),
    "a folded first line": (400, get(b" Host: a\r\n")),
    "a folded line of blanks": (400, get(H + b"X: a\r\n \r\n")),
    "LF for the end": (400, b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    "LF everywhere": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    # Host (RFC 9112, section 3.2)
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no Host beside absolute form": (400, b"GET http://a/ HTTP/1.1\r\n\r\n"),
    "an empty Host": (400, get(b"Host:\r\n")),
    "two Hosts": (400, get(H + H)),
    "two Hosts in HTTP/1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    "two Hosts in one field": (400, get(b"Host: a, b\r\n")),
    "a Host with a path": (400, get(b"Host: a/b\r\n")),
    "a Host with a user": (400, get(b"Host: u@a\r\n")),
    "a Host with a port of letters": (400, get(b"Host: a:b\r\n")),
    "a Host beyond ASCII": (400, get(b"Host: \xc3\xbc\r\n")),
    # Framing (RFC 9112, section 6)
    "a length and chunks": (400, post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    "chunks and a length": (400, post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n")),
    "two lengths that differ": (400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello")),
    "two lengths that agree": (400, post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    "two lengths in one field": (400, post(b"Content-Length: 5, 5\r\n", b"hello")),
    "a negative length": (400, post(b"Content-Length: -5\r\n", b"hello")),
    "a length with a plus": (400, post(b"Content-Length: +5\r\n", b"hello")),
    "a length in hexadecimal": (400, post(b"Content-Length: 0x5\r\n", b"hello")),
    "a length with a blank within": (400, post(b"Content-Length: 5 5\r\n", b"hello")),
    "a length of letters": (400, post(b"Content-Length: five\r\n", b"hello")),
    "an empty length": (400, post(b"Content-Length:\r\n", b"hello")),
    "a length in other digits": (400, post("Content-Length: \u0665\r\n".encode(), b"hello")),
    "a length beyond 64 bits": (400, post(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    "a length beyond the bound": (413, post(b"Content-Length: 999999999999\r\n", b"hello")),
    "an unknown coding": (400, post(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n")),
    "another coding before chunked": (400, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "another coding after chunked": (400, post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    "chunked twice": (400, post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    "chunked in two fields": (400, post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    "identity": (400, post(b"Transfer-Encoding: identity\r\n")),
    "an empty coding": (400, post(b"Transfer-Encoding:\r\n")),
    "a coding that resembles chunked": (400, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "a coding with a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    "a coding with a parameter": (400, post(b"Transfer-Encoding: chunked;a=b\r\n", b"0\r\n\r\n")),
    "chunks in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "an unknown expectation": (417, post(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello")),
    # Chunks (RFC 9112, section 7.1)
    "a chunk size of letters": (400, chunks(b"x\r\nhello\r\n0\r\n\r\n")),
    "an empty chunk size": (400, chunks(b"\r\nhello\r\n0\r\n\r\n")),
    "a chunk size with a sign": (400, chunks(b"+5\r\nhello\r\n0\r\n\r\n")),
    "a chunk size with 0x": (400, chunks(b"0x5\r\nhello\r\n0\r\n\r\n")),
    "a chunk size with an underscore": (400, chunks(b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n")),
    "a blank before a chunk size": (400, chunks(b" 5\r\nhello\r\n0\r\n\r\n")),
    "a blank after a chunk size": (400, chunks(b"5 \r\nhello\r\n0\r\n\r\n")),
    "a chunk size beyond 64 bits": (400, chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    "a chunk beyond the bound": (413, chunks(b"5\r\nhello\r\nfffffff\r\n" + b"x" * 40)),
    "LF after a chunk size": (400, chunks(b"5\nhello\r\n0\r\n\r\n")),
    "LF after a chunk": (400, chunks(b"5\r\nhello\n0\r\n\r\n")),
    "a bare CR after a chunk": (400, chunks(b"5\r\nhello\rx0\r\n\r\n")),
    "a chunk that is longer than its size": (400, chunks(b"5\r\nhello!\r\n0\r\n\r\n")),
    "nothing between two chunks": (400, chunks(b"5\r\nhello5\r\nhello\r\n0\r\n\r\n")),
    "a control character in an extension": (400, chunks(b"5;a=\x01\r\nhello\r\n0\r\n\r\n")),
    "a bare CR in an extension": (400, chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n")),
    "an extension without a name": (400, chunks(b"5;\r\nhello\r\n0\r\n\r\n")),
    "a long extension": (400, chunks(b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n")),
    "extensions that add up": (431, chunks(b"".join(b"1;" + b"a" * 200 + b"\r\nx\r\n" for _ in range(100)) + b"0\r\n\r\n")),
    "trailers that add up": (431, chunks(b"0\r\n" + b"".join(b"X: " + b"a" * 200 + b"\r\n" for _ in range(100)) + b"\r\n")),
    "a trailer without a colon": (400, chunks(b"0\r\nX\r\n\r\n")),
    "a trailer with LF": (400, chunks(b"0\r\nX: y\n\r\n")),
    "a folded trailer": (400, chunks(b"0\r\nX: y\r\n z\r\n\r\n")),
    # Bounds
    "a long target": (414, get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n")),
    "a line without an end": (414, b"GET /" + b"a" * 9000),
    "many fields": (431, get(H + b"X: y\r\n" * 100)),
    "large fields": (431, get(H + b"X: " + b"y" * 40_000 + b"\r\n")),
    "fields without an end": (431, b"GET / HTTP/1.1\r\n" + H + b"X: " + b"y" * 40_000),
}  # fmt: skip

WARM = b"GET /warm HTTP/1.1\r\n" + H + END
LIMIT = 64 * 1024


def ways(data: bytes) -> dict[str, tuple[int, list[bytes]]]:
    """How often an accepted request comes first, and the pieces in which everything arrives."""
    singly = [data[i : i + 1] for i in range(len(data))]
    return {
        "whole": (0, [data]),
        "byte by byte": (0, singly),
        "in halves": (0, [data[: len(data) // 2], data[len(data) // 2 :]]),
        "on a warm connection": (2, [WARM, WARM, data]),
        "on a warm connection, byte by byte": (2, [WARM, WARM, *singly]),
        "pipelined": (1, [WARM + data]),
        "pipelined on a warm connection": (3, [WARM, WARM, WARM + data]),
    }


@pytest.fixture(scope="module")
def limits() -> Limits:
    return Limits(body_bytes=LIMIT)


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_understood_and_the_connection_is_kept(name, talk, handlers, limits):
    data, understood = ACCEPTED[name], []
    for how, (before, pieces) in ways(data).items():
        for when, handler in handlers.items():
            got = talk([*pieces, WARM], handler, limits)
            assert got.statuses == [200] * (before + 2), (how, when, got.answers)
            assert not got.closed, (how, when)
            understood.append(got.answers[before].body)
    assert len(set(understood)) <= 1


@pytest.mark.parametrize("name", CLOSING)
def test_it_is_answered_and_the_connection_ends(name, talk, handlers, limits):
    for how, (before, pieces) in ways(CLOSING[name]).items():
        for when, handler in handlers.items():
            got = talk([*pieces, WARM], handler, limits)
            assert got.statuses == [200] * (before + 1), (how, when)
            assert got.closed, (how, when)
            assert got.answers[-1].headers["connection"] == "close"


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_the_connection_ends(name, talk, handlers, limits):
    status, data = REFUSED[name]
    for how, (before, pieces) in ways(data).items():
        for when, handler in handlers.items():
            got = talk([*pieces, WARM, b"\r\n\r\n"], handler, limits)
            assert got.statuses == [200] * before + [status], (how, when, got.answers)
            assert got.closed, (how, when)
            last = got.answers[-1]
            assert last.headers["connection"] == "close"
            assert last.headers["content-type"] == "application/problem+json"
            assert last.headers["x-request-id"].encode() in last.body
