"""Answers as a client reads them: tables of bytes, each cut at every place, and any split gives the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.http.answers import HEAD_LIMIT, AnswerHead, AnswerReader, ChunkEnd, Fault

Outcome = tuple[list[AnswerHead], bytes, list[ChunkEnd], Fault | None, bool, bytes, list[tuple[str, str]], int, int]


def read(pieces: list[bytes], method: str = "GET", finish: bool = True) -> Outcome:
    """What a reader makes of the pieces, with the body put together again."""
    reader = AnswerReader(method)
    heads: list[AnswerHead] = []
    body = b""
    chunks: list[ChunkEnd] = []
    rest = b""
    for piece in pieces:
        if reader.bad is not None:
            break
        for step in reader.feed(piece):
            if isinstance(step, bytes):
                body += step
            elif isinstance(step, ChunkEnd):
                chunks.append(step)
            else:
                heads.append(step)
    if finish:
        reader.finish()
    rest = reader.rest
    return heads, body, chunks, reader.bad, reader.done, rest, reader.trailers, reader.wire, reader.coded


OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS: dict[str, bytes] = {
    "length": OK + b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "nothing": OK + b"Content-Length: 0\r\n\r\n",
    "close": OK + b"\r\nhello",
    "chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6 ;a=b;c\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "LF in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
    "folded": OK + b"X-Long: one\r\n  two\r\n\tthree\r\nContent-Length: 2\r\n\r\nok",
    "blank lines": b"\r\n\n" + OK + b"Content-Length: 2\r\n\r\nok",
    "odd lines": OK + b"no colon here\r\nSpaced : yes\r\nb@d: x\r\nContent-Length: 2\r\n\r\nok",
    "first folded": OK + b" lost\r\nContent-Length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
    "1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "latin": OK + "X-Name: Zürich\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
    "truncated": OK + b"Content-Length: 9\r\n\r\nhello",
    "truncated chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello",
    "no size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    "chunk too long": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "trailers cut": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum",
    "mail": b"220 mail ready\r\n",
    "alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "frames": b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d",
    "cut head": b"HTTP/1.1 200 OK\r\nContent-",
    "cut status": b"HTT",
    "bad status": b"HTTP/1.1 2xx OK\r\n\r\n",
    "version 2": b"HTTP/2.0 200 OK\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes",
    "five blank lines": b"\r\n\r\n\r\n" + OK,
    "empty": b"",
    "interim only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_byte_at_a_time_is_the_same_as_all_at_once(name: str) -> None:
    data = ANSWERS[name]
    whole = read([data])
    assert read([bytes([byte]) for byte in data]) == whole
    for cut in range(len(data)):
        assert read([data[:cut], data[cut:]]) == whole


@given(name=st.sampled_from(sorted(ANSWERS)), cuts=st.lists(st.integers(0, 150), max_size=8))
def test_any_split_gives_the_same(name: str, cuts: list[int]) -> None:
    data = ANSWERS[name]
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    assert read([data[begin:end] for begin, end in pairwise(places)]) == read([data])


@given(data=st.lists(st.sampled_from([b"HTTP/1.1 200 OK", b"\r\n", b"\n", b"A:b", b" ", b"5", b";x", b"0", b"hello", b"\r",
       b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"\0", b"\xff"]), max_size=30),
       cut=st.integers(0, 200))  # fmt: skip
def test_bytes_of_all_kinds_are_read_or_refused_alike(data: list[bytes], cut: int) -> None:
    joined = b"".join(data)
    assert read([bytes([byte]) for byte in joined]) == read([joined]) == read([joined[:cut], joined[cut:]])


@given(data=st.binary(max_size=200))
def test_a_chunked_body_comes_out_as_it_went_in(data: bytes) -> None:
    sizes = [7, 1, 64]
    coded, at, number = b"", 0, 0
    while at < len(data):
        piece = data[at : at + sizes[number % 3]]
        coded += b"%X;n=%d\r\n%b\r\n" % (len(piece), number, piece)
        at, number = at + len(piece), number + 1
    answer = OK + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\nGET"
    heads, body, chunks, bad, done, rest, _, wire, size = read([answer])
    assert (body, bad, done, rest) == (data, None, True, b"GET")
    assert (len(chunks), wire, size) == (number, len(coded) + 5, len(data))
    assert [chunk.extensions for chunk in chunks] == [f";n={number}" for number in range(len(chunks))]
    assert len(heads) == 1


def test_heads_are_read_as_they_are_and_as_they_are_meant() -> None:
    heads, *_ = read([ANSWERS["folded"]])
    assert heads[0].headers == [("x-long", "one two three"), ("content-length", "2")]
    assert heads[0].raw + b"ok" == ANSWERS["folded"]
    assert [remark.source for remark in heads[0].remarks] == ["RFC 9112, section 5.2"] * 2
    heads, *_ = read([ANSWERS["odd lines"]])
    assert heads[0].headers == [("spaced", "yes"), ("content-length", "2")]
    assert [remark.message for remark in heads[0].remarks] == [
        "Header line 1 has no colon: it was passed over",
        "Header line 2 has a blank before its colon, which was removed",
        "Header line 3 has an invalid name, 'b@d': it was passed over",
    ]
    heads, *_ = read([ANSWERS["bare LF"]])
    assert [remark.source for remark in heads[0].remarks] == ["RFC 9112, section 2.2"]
    heads, *_ = read([ANSWERS["no reason"]])
    assert (heads[0].status, heads[0].reason) == (404, "")
    heads, *_ = read([ANSWERS["latin"]])
    assert heads[0].headers[0] == ("x-name", "Zürich")


def test_interim_answers_come_before_the_final_one() -> None:
    heads, body, *_ = read([ANSWERS["interim"]])
    assert [head.status for head in heads] == [100, 103, 200]
    assert body == b"ok"


@pytest.mark.parametrize(
    ("head", "method", "kind", "length", "alive"),
    [
        (OK + b"Content-Length: 5\r\n", "GET", "length", 5, True),
        (OK + b"Content-Length: 5\r\n", "HEAD", "none", None, True),
        (OK, "GET", "close", None, False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", "GET", "none", None, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", "GET", "none", None, True),
        (OK + b"Content-Length: 5\r\nConnection: Close\r\n", "GET", "length", 5, False),
        (OK + b"Content-Length: 5, 5\r\n", "GET", "length", 5, True),
        (OK + b"Transfer-Encoding: Chunked\r\n", "GET", "chunked", None, True),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n", "GET", "chunked", None, True),
        (OK + b"Transfer-Encoding: gzip\r\n", "GET", "close", None, False),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "GET", "chunked", None, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", "GET", "length", 5, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", "GET", "length", 5, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "GET", "length", 5, False),
    ],
)
def test_where_a_body_ends(head: bytes, method: str, kind: str, length: int | None, alive: bool) -> None:
    reader = AnswerReader(method)
    reader.feed(head + b"\r\n")
    assert reader.framing is not None
    assert (reader.framing.kind, reader.framing.length, reader.framing.keep_alive) == (kind, length, alive)
    assert reader.done == (kind == "none")


@pytest.mark.parametrize("lengths", [b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: five\r\n",
                                     b"Content-Length: -1\r\n", b"Content-Length: 5, 6\r\n", b"Content-Length:\r\n"])  # fmt: skip
def test_lengths_that_say_nothing_are_faults(lengths: bytes) -> None:
    *_, bad, _done, _rest, _trailers, _wire, _coded = read([OK + lengths + b"\r\nhello"])
    assert bad is not None
    assert bad.slug == "bad-length"


@pytest.mark.parametrize(
    ("name", "slug", "message"),
    [
        ("alert", "bad-answer", "The server answered with a TLS alert: it speaks TLS on this port"),
        ("frames", "bad-answer", "The server answered with frames of HTTP/2"),
        ("mail", "bad-answer", "The answer begins with '220 mail ready', not with a status line"),
        ("cut head", "truncated-head", "The connection ended after 25 bytes of the head of the answer"),
        ("empty", "no-answer", "The server closed the connection without an answer"),
        ("interim only", "no-answer", "The connection ended after an interim answer, without the final one"),
        ("switching", "bad-answer", "The server switched protocols (101), which it was not asked to do"),
        ("version 2", "bad-answer", "The status line says HTTP/2.0, in the form of HTTP/1.x"),
        ("bad status", "bad-answer", "The status line 'HTTP/1.1 2xx OK' is not valid"),
        ("five blank lines", "bad-answer", "The answer begins with blank lines, not with a status line"),
        ("no size", "bad-chunk", "Behind 0 bytes of the body came 'zz', where the size of a chunk belongs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(name: str, slug: str, message: str) -> None:
    bad = read([ANSWERS[name]])[3]
    assert bad is not None
    assert (bad.slug, bad.message) == (slug, message)


def test_an_answer_that_ends_among_its_trailers_is_truncated() -> None:
    bad = read([ANSWERS["trailers cut"]])[3]
    assert bad is not None
    assert bad.message.endswith("behind the last chunk and before the blank line that ends the trailers")


def test_everything_is_bounded() -> None:
    reader = AnswerReader()
    reader.feed(OK)
    while reader.bad is None:
        reader.feed(b"x: " + b"y" * 1000 + b"\r\n")
    assert reader.bad.slug == "head-too-large"
    assert read([OK + b"x: " + b"y" * (HEAD_LIMIT - 30) + b"\r\nContent-Length: 0\r\n\r\n"])[3] is not None
    assert len(read([OK + b"odd\r\n" * 1000 + b"Content-Length: 0\r\n\r\n"])[0][0].remarks) == 20
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    assert read([chunked + b"1;" + b"x" * 5000 + b"\r\n"])[3] is not None
    bad = read([chunked + (b"1;" + b"x" * 2000 + b"\r\na\r\n") * 40])[3]
    assert bad is not None
    assert bad.message == "The chunk extensions and trailers passed 65,536 bytes"
