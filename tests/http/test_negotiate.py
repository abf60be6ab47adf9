"""Negotiation: the RFCs' own examples as tables, and what hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.http.headers import Headers
from pellucid.http.negotiate import (
    best_encoding,
    best_language,
    best_type,
    content_type,
    languages,
    media_type,
    preferences,
    quote,
    split_list,
)


def headers(**fields: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()])


PLAIN, HTML, LEVEL1, LEVEL3, JPEG = "text/plain", "text/html", "text/html;level=1", "text/html;level=3", "image/jpeg"
RFC_ACCEPT = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"


@pytest.mark.parametrize(
    ("accept", "offers", "choice"),
    [
        # RFC 9110, section 12.5.1: weights of the media types in its table, compared two by two.
        (RFC_ACCEPT, ("text/plain;format=fixed", "text/plain;format=flowed"), "text/plain;format=flowed"),
        (RFC_ACCEPT, (HTML, PLAIN), PLAIN),
        (RFC_ACCEPT, (HTML, JPEG), JPEG),
        (RFC_ACCEPT, ("text/plain;format=fixed", JPEG), JPEG),
        ("audio/*; q=0.2, audio/basic", ("audio/ogg", "audio/basic"), "audio/basic"),
        ("text/plain; q=0.5, text/html, text/x-dvi; q=0.8, text/x-c", (PLAIN, "text/x-dvi", HTML), HTML),
        ("text/*, text/plain, text/plain;format=flowed, */*", (JPEG, PLAIN), JPEG),
        ("*/*", (PLAIN, HTML), PLAIN),
        ("text/html;q=0, */*", (HTML, PLAIN), PLAIN),
        ("text/html;q=0", (HTML,), None),
        ("image/*", (PLAIN, HTML), None),
        ("TEXT/HTML", (PLAIN, HTML), HTML),
        ("application/json; charset=UTF-8", ("application/json",), "application/json"),
        ("application/json; version=1", ("application/json",), None),
        ("text/html;level=1, text/html;q=0.4", (LEVEL3, LEVEL1), LEVEL1),
        ('text/html;level="1"', (LEVEL1,), LEVEL1),
        ('text/html;title="a,b;q=0", text/plain;q=0.2', (PLAIN, HTML), PLAIN),
        ("text/html;q=1.5, text/plain;q=0.1", (HTML, PLAIN), PLAIN),
        ("nonsense", (HTML,), HTML),
        ("", (HTML,), HTML),
        (", ,", (HTML,), HTML),
    ],
)
def test_the_offer_that_accept_likes_best_is_chosen(accept: str, offers: tuple[str, ...], choice: str | None) -> None:
    asked = headers(accept=accept)
    assert best_type(asked, offers) == choice
    assert best_type(asked, offers) == choice, "and again from memory"


def test_without_accept_the_first_offer_is_chosen() -> None:
    assert best_type(Headers(), (HTML, PLAIN)) == HTML


@pytest.mark.parametrize(
    ("field", "choice"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("compress, gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("", None),
        ("*", "zstd"),
        ("compress;q=0.5, gzip;q=1.0", "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("gzip, identity", "gzip"),
        ("gzip;q=0.8, br;q=0.9, zstd;q=0", "br"),
        ("gzip;q=0, br;q=0, zstd;q=0", None),
        ("GZIP", "gzip"),
        ("identity;q=0, *;q=0", None),
    ],
)
def test_the_coding_that_accept_encoding_likes_best_is_chosen(field: str, choice: str | None) -> None:
    assert best_encoding(headers(accept_encoding=field), ("zstd", "br", "gzip")) == choice


def test_without_accept_encoding_nothing_is_coded() -> None:
    assert best_encoding(Headers(), ("gzip",)) is None


@pytest.mark.parametrize(
    ("field", "offers", "choice"),
    [
        ("da, en-gb;q=0.8, en;q=0.7", ("de", "en"), "en"),
        ("da, en-gb;q=0.8, en;q=0.7", ("en-GB", "da"), "da"),
        ("zh-Hant-CN-x-private1-private2", ("en", "zh-Hant"), "zh-Hant"),
        ("zh-x-a", ("en", "zh"), "zh"),
        ("fr", ("de", "en"), "de"),
        ("*", ("de", "en"), "de"),
        ("de-CH;q=0.1, fr;q=0", ("fr", "de"), "de"),
    ],
)
def test_a_language_is_looked_up_as_rfc_4647_says(field: str, offers: tuple[str, ...], choice: str) -> None:
    assert best_language(headers(accept_language=field), offers) == choice


def test_languages_are_listed_by_weight() -> None:
    assert languages(headers(accept_language="en;q=0.5, de, fr;q=0, *;q=0.1")) == ("de", "en", "*")
    assert languages(Headers()) == ()


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("return=minimal", {"return": "minimal"}),
        ("respond-async, wait=100", {"respond-async": "", "wait": "100"}),
        ("foo; bar", {"foo": ""}),
        ('foo; bar=""', {"foo": ""}),
        ('foo=""; bar', {"foo": ""}),
        ('Return="representation" , COUNT = exact', {"return": "representation", "count": "exact"}),
        ("a=1, a=2", {"a": "1"}),
        ("=x, ,", {}),
    ],
)
def test_preferences_are_read_as_rfc_7240_writes_them(field: str, wanted: dict[str, str]) -> None:
    assert dict(preferences(headers(prefer=field))) == wanted


def test_a_content_type_is_read_with_its_parameters() -> None:
    kind = content_type(headers(content_type='Multipart/Form-Data; Boundary="a\\"b; c"; charset=x; charset=y'))
    assert kind is not None
    assert (kind.name, dict(kind.parameters)) == ("multipart/form-data", {"boundary": 'a"b; c', "charset": "x"})
    assert content_type(headers(content_type="json")) is None
    assert content_type(Headers()) is None


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_a_quoted_parameter_comes_back_as_it_was(value: str) -> None:
    kind = media_type(f"text/plain; x={quote(value)}" if value else 'text/plain; x=""')
    assert kind is not None
    assert kind.parameters["x"] == value


@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)))
def test_a_list_of_quoted_elements_comes_back_as_it_was(values: list[str]) -> None:
    assert len(split_list(", ".join(quote(value) for value in values))) == len(values)


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_no_header_value_whatsoever_raises(value: str) -> None:
    asked = headers(accept=value, accept_encoding=value, accept_language=value, prefer=value, content_type=value)
    assert best_type(asked, (HTML, PLAIN)) in (HTML, PLAIN, None)
    assert best_encoding(asked, ("br", "gzip")) in ("br", "gzip", None)
    assert best_language(asked, ("de", "en")) in ("de", "en")
    preferences(asked)
    content_type(asked)


@given(st.permutations(["text/html;q=0.3", "text/plain;q=0.9", "image/png;q=0.5", "*/*;q=0.1"]))
def test_the_order_in_accept_never_matters(parts: list[str]) -> None:
    assert best_type(headers(accept=", ".join(parts)), (HTML, "image/png", PLAIN, "x/y")) == PLAIN
