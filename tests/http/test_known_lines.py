"""A block put together from known lines means what the same block means when it is read the long way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import Problem
from pellucid.http import parse
from pellucid.http.parse import Fields, parse_fields

LINES = [
    b"Host: example.org",
    b"Host: other",
    b"Host: bad host",
    b"Accept: */*",
    b"accept:text/html",
    b"Cookie: a=1",
    b"Cookie: b=2",
    b'If-None-Match: "x"',
    b'If-None-Match: "y" ',
    b"X-Empty:",
    b"X: \xe9t\xe9",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Bad : x",
    b" folded",
    b"No colon",
    b"X: a\x00b",
    b"X: a\nb",
    b"X: a\rb",
    b"TE: trailers",
    b"Upgrade: h2c",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
]


def meaning(version: str, block: bytes) -> object:
    try:
        fields = parse_fields(version, block)
    except Problem as problem:
        return problem.code.id
    return (
        fields.headers.pairs,
        list(fields.headers),
        *(getattr(fields, name) for name in Fields.__struct_fields__ if name != "headers"),
    )


@given(st.lists(st.sampled_from(LINES), max_size=6), st.sampled_from(["1.1", "1.0"]))
@settings(max_examples=600, derandomize=True)
def test_known_lines_change_nothing(lines: list[bytes], version: str) -> None:
    block = b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    parse._known_lines.clear()
    fresh = meaning(version, block)
    for line in LINES:
        meaning("1.1", b"Host: warm\r\n" + line + b"\r\n\r\n")
        meaning("1.1", line + b"\r\n\r\n")
    assert meaning(version, block) == fresh
    assert meaning(version, block) == fresh


def test_strangers_cannot_fill_the_memory() -> None:
    for number in range(3 * parse._MOST_LINES):
        parse_fields("1.1", b"Host: x\r\nTE: x\r\nX-%d: y\r\n\r\n" % number)
    assert len(parse._known_lines) <= parse._MOST_LINES + 100


@pytest.mark.parametrize("line", [b"X: a\nb", b"X: a\rb", b"X: a\x00b", b"X : a", b" X: a", b": a"])
def test_a_bad_line_among_known_ones_is_refused(line: bytes) -> None:
    parse_fields("1.1", b"Host: x\r\nAccept: */*\r\n\r\n")
    with pytest.raises(Problem):
        parse_fields("1.1", b"Host: x\r\n" + line + b"\r\nAccept: */*\r\n\r\n")
