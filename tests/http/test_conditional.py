"""Conditional and partial requests: the comparison table, the order of preconditions, and every form of a range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import RANGE_NOT_SATISFIABLE, Problem
from pellucid.http.conditional import (
    Outcome,
    byte_ranges,
    etags,
    format_date,
    matched_tag,
    not_modified,
    parse_date,
    preconditions,
    range_applies,
)
from pellucid.http.headers import Headers

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SECONDS = 784111777
PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED


def headers(**fields: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("ours", "theirs", "strong", "weak"),
    [
        # RFC 9110, section 8.8.3.2.
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
        # Codings of one state.
        ('"1"', '"1-br"', True, True),
        ('"1"', '"1-gzip"', True, True),
        ('"1"', 'W/"1-zstd"', False, True),
        ('"1"', '"1-x"', False, False),
        ('"1-br"', '"1"', False, False),
    ],
)
def test_tags_are_compared_weakly_for_reading_and_strongly_for_writing(
    ours: str, theirs: str, strong: bool, weak: bool
) -> None:
    assert preconditions("PUT", headers(if_match=theirs), etag=ours) is (PROCEED if strong else FAILED)
    assert preconditions("GET", headers(if_none_match=theirs), etag=ours) is (NOT_MODIFIED if weak else PROCEED)
    assert not_modified(headers(if_none_match=theirs), ours) is weak


LATER, EARLIER = format_date(SECONDS + 10), format_date(SECONDS - 10)


@pytest.mark.parametrize(
    ("method", "fields", "exists", "outcome"),
    [
        ("GET", {}, True, PROCEED),
        ("PUT", {"if_match": "*"}, True, PROCEED),
        ("PUT", {"if_match": "*"}, False, FAILED),
        ("PUT", {"if_match": '"x", "a"'}, True, PROCEED),
        ("PUT", {"if_match": '"x"'}, True, FAILED),
        ("PUT", {"if_match": "garbage"}, True, FAILED),
        ("PUT", {"if_none_match": "*"}, True, FAILED),
        ("PUT", {"if_none_match": "*"}, False, PROCEED),
        ("GET", {"if_none_match": "*"}, True, NOT_MODIFIED),
        ("HEAD", {"if_none_match": '"x", W/"a"'}, True, NOT_MODIFIED),
        ("DELETE", {"if_none_match": '"a"'}, True, FAILED),
        ("GET", {"if_modified_since": DATE}, True, NOT_MODIFIED),
        ("GET", {"if_modified_since": LATER}, True, NOT_MODIFIED),
        ("GET", {"if_modified_since": EARLIER}, True, PROCEED),
        ("POST", {"if_modified_since": DATE}, True, PROCEED),
        ("GET", {"if_modified_since": "yesterday"}, True, PROCEED),
        ("PUT", {"if_unmodified_since": DATE}, True, PROCEED),
        ("PUT", {"if_unmodified_since": EARLIER}, True, FAILED),
        ("PUT", {"if_unmodified_since": "yesterday"}, True, PROCEED),
        # A tag counts more than a date, both ways.
        ("GET", {"if_none_match": '"x"', "if_modified_since": DATE}, True, PROCEED),
        ("PUT", {"if_match": '"a"', "if_unmodified_since": EARLIER}, True, PROCEED),
        # If-Match is asked before If-None-Match.
        ("GET", {"if_match": '"x"', "if_none_match": '"a"'}, True, FAILED),
        ("GET", {"if_match": '"a"', "if_none_match": '"a"'}, True, NOT_MODIFIED),
    ],
)
def test_preconditions_are_evaluated_in_the_order_of_the_rfc(
    method: str, fields: dict[str, str], exists: bool, outcome: Outcome
) -> None:
    assert preconditions(method, headers(**fields), etag='"a"' if exists else None, modified=SECONDS, exists=exists) is outcome


def test_a_304_carries_the_tag_of_the_variant_that_the_client_has() -> None:
    assert matched_tag(headers(if_none_match='"z", "a-br"'), '"a"') == '"a-br"'
    assert matched_tag(headers(if_none_match='"a"'), '"a-zstd"') == '"a"'
    assert matched_tag(headers(if_none_match="*"), '"a"') == '"a"'
    assert matched_tag(Headers(), '"a"') == '"a"'


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ('"xyzzy"', ('"xyzzy"',)),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', ('"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"')),
        ('W/"xyzzy", W/"r2,d2"', ('W/"xyzzy"', 'W/"r2,d2"')),
        ('""', ('""',)),
        (" * ", ("*",)),
        ("xyzzy", ()),
    ],
)
def test_tags_are_read_from_a_list(field: str, found: tuple[str, ...]) -> None:
    assert etags(field) == found


@pytest.mark.parametrize(
    ("field", "size", "ranges"),
    [
        # RFC 9110, section 14.1.2, of 10000 bytes.
        ("bytes=0-499", 10000, [(0, 500)]),
        ("bytes=500-999", 10000, [(500, 1000)]),
        ("bytes=-500", 10000, [(9500, 10000)]),
        ("bytes=9500-", 10000, [(9500, 10000)]),
        ("bytes=0-0,-1", 10000, [(0, 1), (9999, 10000)]),
        ("bytes= 0-999, 4500-5499, -1000", 10000, [(0, 1000), (4500, 5500), (9000, 10000)]),
        ("bytes=500-600,601-999", 10000, [(500, 601), (601, 1000)]),
        ("bytes=0-99999", 10, [(0, 10)]),
        ("bytes=-99999", 10, [(0, 10)]),
        ("bytes=5-5, 50-60", 10, [(5, 6)]),
        ("BYTES=0-1", 10, [(0, 2)]),
        ("items=0-1", 10, None),
        ("bytes", 10, None),
        ("bytes=", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=5-2", 10, None),
        ("bytes=-", 10, None),
        ("bytes=1", 10, None),
        ("bytes=0-" + "9" * 5000, 10, None),
    ],
)
def test_ranges_are_read_as_the_rfc_writes_them(field: str, size: int, ranges: list[tuple[int, int]] | None) -> None:
    assert byte_ranges(field, size) == ranges


@pytest.mark.parametrize(
    ("field", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20, 30-40", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=0-,0-", 10),
        ("bytes=" + ",".join(["0-0"] * 17), 1000),
    ],
)
def test_what_lies_outside_or_overlaps_is_416_with_the_size(field: str, size: int) -> None:
    with pytest.raises(Problem) as caught:
        byte_ranges(field, size)
    assert caught.value.code is RANGE_NOT_SATISFIABLE
    assert caught.value.headers == (("content-range", f"bytes */{size}"),)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_range_never_leaves_the_file(size: int, first: int, last: int) -> None:
    try:
        ranges = byte_ranges(f"bytes={first}-{last}", size)
    except Problem:
        assert first >= size
        return
    if ranges is None:
        assert last < first
    else:
        assert ranges == [(first, min(last + 1, size))]


@given(st.text(st.characters(max_codepoint=0xFF)), st.integers(0, 1000))
def test_no_range_whatsoever_raises_anything_but_416(field: str, size: int) -> None:
    for value in (field, f"bytes={field}"):
        try:
            byte_ranges(value, size)
        except Problem as problem:
            assert problem.code is RANGE_NOT_SATISFIABLE  # noqa: PT017  (not every value is refused)
        etags(value)


@pytest.mark.parametrize(
    ("value", "applies"),
    [('"a"', True), ('W/"a"', False), ('"b"', False), (DATE, True), (EARLIER, False), (LATER, False), ("x", False)],
)
def test_if_range_counts_only_for_exactly_this_state(value: str, applies: bool) -> None:
    assert range_applies(headers(if_range=value), etag='"a"', modified=SECONDS) is applies


@pytest.mark.parametrize("value", [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_all_three_forms_of_a_date_are_read(value: str) -> None:
    assert parse_date(value) == SECONDS
    assert format_date(SECONDS) == DATE


@given(st.text())
def test_no_date_whatsoever_raises(value: str) -> None:
    parse_date(value)


@given(st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), max_size=20))
def test_our_own_tag_always_fits(opaque: str) -> None:
    for tag in (f'"{opaque}"', f'W/"{opaque}"'):
        assert not_modified(headers(if_none_match=f'"other", {tag}'), tag)
