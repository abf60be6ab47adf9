"""Bytes that nobody thought of: whatever arrives, however it is cut, the same requests are understood, and nothing breaks."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_SEED = 20_261_121
_ROUNDS = 1500
_KNOWN = {200, 400, 413, 414, 417, 431, 501, 505}

_spec = importlib.util.spec_from_file_location("wire_table", Path(__file__).with_name("test_table.py"))
assert _spec is not None
assert _spec.loader is not None
table = importlib.util.module_from_spec(_spec)
sys.modules["wire_table"] = table
_spec.loader.exec_module(table)

ROWS = [*table.ACCEPTED.values(), *table.CLOSING.values(), *(data for _, data in table.REFUSED.values() if len(data) < 3000)]

# Differential: the fast lane and the long way

ASCII = st.characters(min_codepoint=32, max_codepoint=127)
PLAIN = [b"Host: a", b"Accept: */*", b"X: y", b"Connection: close", b"Connection: keep-alive", b"Content-Length: 0"]

lines = st.one_of(
    st.sampled_from([b"GET / HTTP/1.1", b"GET /a?b HTTP/1.1", b"POST /x HTTP/1.1", b"GET / HTTP/1.0", b"GET http://b/ HTTP/1.1"]),
    st.builds(lambda target: b"GET /" + target + b" HTTP/1.1", st.binary(max_size=12)),
    st.builds(lambda target: b"GET /" + target.encode() + b" HTTP/1.1", st.text(ASCII, max_size=12)),
    st.binary(max_size=30),
)
fields = st.lists(
    st.one_of(
        st.sampled_from(PLAIN),
        st.builds(lambda value: b"X: " + value, st.binary(max_size=8)),
        st.binary(max_size=8),
    ),
    max_size=4,
).map(lambda chosen: b"".join(field + b"\r\n" for field in (b"Host: a", *chosen)))  # fmt: skip


def seen(conversation) -> list[bytes]:
    """The requests that reached the handler, as the echo said them back."""
    return [answer.body for answer in conversation.answers if answer.status == 200 and answer.body]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(lines, min_size=1, max_size=3), fields)
def test_the_fast_lane_understands_what_the_long_way_understands(talk, lines, block):
    first = b"GET /warm HTTP/1.1\r\n" + block + b"\r\n"
    requests = [line + b"\r\n" + block + b"\r\n" for line in lines if not line.startswith(b"HEAD")]
    lane = talk([first, first, *requests])
    long_way = talk([first + first + b"".join(requests)])
    singly = talk([bytes([byte]) for byte in first + first + b"".join(requests)])
    assert seen(lane) == seen(long_way) == seen(singly)
    assert lane.closed == long_way.closed == singly.closed
    assert lane.statuses == long_way.statuses


SPLINTERS = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b":", b";", b"0", b"\x80", b"chunked", b"%"]

# Mutation: rows of the table, bent


def bend(source: random.Random, data: bytes) -> bytes:
    """Change a few bytes, copy a part, cut a part, or join two rows."""
    bent = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(bent) + 1)
        match source.randrange(6):
            case 0 if bent:
                bent[at % len(bent)] = source.randrange(256)
            case 1:
                bent[at:at] = source.choice(SPLINTERS)
            case 2:
                del bent[at : at + source.randint(1, 5)]
            case 3:
                bent[at:at] = bent[at : at + source.randint(1, 20)]
            case 4:
                bent += source.choice(ROWS)
            case _:
                other = source.choice(ROWS)
                bent[at:at] = other[: source.randrange(len(other))]
    return bytes(bent)


def test_bent_requests_are_understood_alike_however_they_are_cut(talk, handlers):
    source, handler = random.Random(_SEED), handlers["later"]
    for _ in range(_ROUNDS):
        data = b"".join(bend(source, source.choice(ROWS)) for _ in range(source.randint(1, 2)))
        if b"HEAD" in data:
            continue
        cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.randint(1, 6)))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]
        whole, cut = talk([data], handler, eof=True), talk(pieces, handler, eof=True)
        assert seen(whole) == seen(cut), data
        assert set(whole.statuses) | set(cut.statuses) <= _KNOWN, data
        assert whole.closed, data
        assert cut.closed, data


@pytest.fixture(autouse=True)
def nothing_goes_wrong_unseen(monkeypatch):
    """An exception in a callback goes to the loop's handler, where a test would not see it."""
    unseen = []
    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "call_exception_handler", lambda self, context: unseen.append(context))
    yield
    assert not unseen
