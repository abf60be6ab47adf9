"""Content codings undone in pieces: any split, one in another, cut, spoiled, and blown up."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.decode import BOMB_SIZE, PIECE, Decoding
from pellucid.journey import Failure, Note

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw(data: bytes) -> bytes:
    """Raw deflate, as some servers send it."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstd.compress,
}
DATA = os.urandom(50_000) + b"many times the same\n" * 50_000


def undo(codings: list[str], *pieces: bytes, whole: bool = True) -> tuple[bytes, Failure | None, list[Note]]:
    notes: list[Note] = []
    decoding = Decoding(codings, notes)
    made = b"".join(made for piece in pieces for made in decoding.feed(piece))
    made += b"".join(decoding.end(whole))
    return made, decoding.failure, notes


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("size", [1, 1000, 1 << 30])
def test_any_pieces_give_the_same(coding: str, size: int) -> None:
    data = DATA if size > 1 else DATA[-5000:]
    assert undo([coding], *cut(CODERS[coding](data), size)) == (data, None, [])


@given(data=st.binary(max_size=500), names=st.lists(st.sampled_from(sorted(CODERS)), max_size=3), size=st.integers(1, 600))
def test_codings_in_one_another(data: bytes, names: list[str], size: int) -> None:
    coded = data
    for name in names:
        coded = CODERS[name](coded)
    assert undo(names, *cut(coded, size))[:2] == (data, None)


@pytest.mark.parametrize("coding", CODERS)
def test_nothing_at_all_is_an_empty_body(coding: str) -> None:
    assert undo([coding]) == (b"", None, [])
    assert undo([coding], CODERS[coding](b"")) == (b"", None, [])


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("missing", [1, 4, 30])
def test_a_part_that_is_missing_is_noticed(coding: str, missing: int) -> None:
    made, failure, _ = undo([coding], CODERS[coding](DATA)[:-missing])
    assert DATA.startswith(made)
    assert failure is not None
    assert failure.slug == "bad-coding"
    assert failure.message == f"The {coding} data ended before its end mark: a part is missing"
    # Where the body itself was cut short, that is the cause, and is said elsewhere.
    assert undo([coding], CODERS[coding](DATA)[:-missing], whole=False)[1] is None


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("size", [1, 100])
def test_bytes_that_are_something_else_are_noticed(coding: str, size: int) -> None:
    _, failure, _ = undo([coding], *cut(b"<!doctype html><p>not coded at all, and never was</p>", size))
    assert failure is not None
    assert failure.slug == "bad-coding"
    assert failure.message.startswith(f"The body is not valid {coding}: ")
    assert failure.hint is None or "only its label is wrong" in failure.hint


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_members_and_frames_follow_one_another(size: int) -> None:
    assert undo(["gzip"], *cut(gzip.compress(b"one ") + gzip.compress(b"two"), size))[0] == b"one two"
    assert undo(["zstd"], *cut(zstd.compress(b"one ") + zstd.compress(b"two"), size))[0] == b"one two"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_comes_behind_the_end(size: int) -> None:
    for coding in ("gzip", "deflate"):
        made, failure, notes = undo([coding], *cut(CODERS[coding](b"text") + b"\0\0\0", size))
        assert (made, failure) == (b"text", None)
        assert [note.message for note in notes] == [f"3 bytes came behind the end of the {coding} data and were ignored"]
    for coding in ("br", "zstd"):
        failure = undo([coding], *cut(CODERS[coding](b"text") + b"\0\0\0\0\0", size))[1]
        assert failure is not None
        assert failure.slug == "bad-coding"


@pytest.mark.parametrize("size", [1, 1000])
def test_raw_deflate_is_read_and_remarked_on(size: int) -> None:
    made, failure, notes = undo(["deflate"], *cut(raw(DATA[-5000:]), size))
    assert (made, failure) == (DATA[-5000:], None)
    assert [note.source for note in notes] == ["RFC 9110, section 8.4.1.2"]


def test_an_unknown_coding_is_left_as_it_came() -> None:
    made, failure, notes = undo(["sdch", "gzip"], gzip.compress(b"text"))
    assert (made, failure) == (b"text", None)
    assert [note.message for note in notes] == ["The coding 'sdch' is not known: what it holds was left as it came"]
    assert undo(["gzip", "sdch"], b"anything")[0] == b"anything"
    assert undo(["identity"], b"anything") == (b"anything", None, [])


def test_too_many_codings_are_not_undone() -> None:
    failure = undo(["gzip"] * 6, b"anything")[1]
    assert failure is not None
    assert failure.message == "The body is said to have 6 codings, one in another"


@pytest.mark.parametrize("codings", [["gzip"], ["br"], ["zstd"], ["deflate"], ["gzip", "gzip"], ["gzip", "br"]])
def test_a_bomb_is_given_up_in_bounded_memory(codings: list[str]) -> None:
    quick = {**CODERS, "gzip": lambda data: gzip.compress(data, 1), "deflate": lambda data: zlib.compress(data, 1)}
    coded = bytes(BOMB_SIZE + (8 << 20))
    for coding in codings:
        coded = quick[coding](coded)
    decoding = Decoding(codings, [])
    tracemalloc.start()
    try:
        sizes = [len(piece) for at in range(0, len(coded), 65_536) for piece in decoding.feed(coded[at : at + 65_536])]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert decoding.bomb
    assert decoding.failure is not None
    assert decoding.failure.slug == "decompression-bomb"
    assert sum(sizes) <= BOMB_SIZE + PIECE
    assert max(sizes, default=0) <= 2 * PIECE


def test_what_is_merely_large_is_no_bomb() -> None:
    data = (os.urandom(1 << 16) + bytes(1 << 20)) * (BOMB_SIZE // (1 << 20))
    decoding = Decoding(["gzip"], [])
    assert sum(len(piece) for piece in decoding.feed(gzip.compress(data, 1))) == len(data) > BOMB_SIZE
    assert decoding.failure is None
