"""Glosses: every registered status, every common field, and what values say."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.http.fetching import Asking, request_headers
from pellucid.http.gloss_values import duration, explain_value
from pellucid.http.glosses import KNOWN_FIELDS, Gloss, gloss, reason, status_meaning
from pellucid.http.status_table import STATUSES, UNREGISTERED
from pellucid.http.url import parse_url

# https://www.iana.org/assignments/http-status-codes
REGISTERED = {
    *range(100, 105), *range(200, 209), 226, *range(300, 309), *range(400, 419), *range(421, 427), 428, 429, 431, 451,
    *range(500, 509), 510, 511,
}  # fmt: skip


def test_every_registered_status_has_a_meaning() -> None:
    assert set(STATUSES) == REGISTERED
    assert {status.value for status in HTTPStatus} <= REGISTERED
    assert not set(STATUSES) & set(UNREGISTERED)
    assert status_meaning(404) == Gloss(
        "There is nothing at this address, or the server does not want to say", "RFC 9110, section 15.5.5"
    )


def test_reasons_are_the_registrys() -> None:
    # Python 3.11 still has the older names of these, and the joke.
    renamed = {203, 208, 413, 414, 416, 418, 422}
    differing = {status.value for status in HTTPStatus if reason(status.value) != status.phrase}
    assert differing <= renamed
    assert (reason(413), reason(422), reason(299)) == ("Content Too Large", "Unprocessable Content", "")


def test_statuses_that_nobody_registered() -> None:
    assert status_meaning(522).text.startswith("Cloudflare's")
    assert "not in the registry" in status_meaning(522).text
    assert status_meaning(299).text == "Not in the registry; by its first digit success"
    assert "from 100 to 599" in status_meaning(42).text


def test_sentences_are_in_the_houses_style() -> None:
    for name, (text, source) in KNOWN_FIELDS.items():
        assert name == name.lower()
        assert text[0].isupper() or text.startswith(("nosniff", "prefetch", "script", "noopen", "no:", "no-cache", "100")), name
        assert not text.endswith("."), name
        assert source, name
    for _, text, source in [*STATUSES.values(), *UNREGISTERED.values()]:
        assert text[0].isupper() or text.startswith("nginx")
        assert not text.endswith(".")
        assert source


def test_what_we_send_is_explained() -> None:
    sent = request_headers(Asking(parse_url("https://a.example/")), cookie="a=b")
    assert [name for name, value in sent if gloss(name, value).source is None] == []
    assert len(KNOWN_FIELDS) > 200


def test_unknown_fields_are_said_to_be_so() -> None:
    assert gloss("X-My-Own").text == "Not in the registry; the server's own"
    assert gloss("Cache-Contrl").text == "Not in the registry; did you mean cache-control?"
    assert gloss("foo") == Gloss("Not in the registry", None)
    assert gloss(":authority").source == "RFC 9113, section 8.3"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cache-control", "public, max-age=31536000, immutable", "fresh for 1 year"),
        ("cache-control", "max-age=0", "stale at once"),
        ("cache-control", "max-age=soon", "max-age has no number of seconds"),
        ("cache-control", "no-store", "nobody may keep it"),
        ("cache-control", "s-maxage=90", "in shared caches fresh for 90 s"),
        ("cache-control", "max-stal=5", "max-stal is not in the registry"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains", "for 2 years, for all names below it as well"),
        ("strict-transport-security", "max-age=0", "to be forgotten"),
        ("strict-transport-security", "includeSubDomains", "without max-age it says nothing"),
        ("content-encoding", "br", "Brotli"),
        ("content-encoding", "gzip, what", "what is not in the registry"),
        ("transfer-encoding", "chunked", "each with its size before it"),
        (
            "set-cookie",
            "id=1; HttpOnly; SameSite=Strict; Max-Age=0",
            "hidden from scripts, sent only from its own site, deleted at once",
        ),
        ("set-cookie", "id=1; Domain=.a.example; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "until Wed, 09 Jun 2021 10:18:14 GMT"),
        ("content-security-policy", "default-src 'self'; scrip-src x", "scrip-src is not in the standard"),
        ("vary", "*", "no cache can use it again"),
        ("vary", "Accept, Cookie", "on accept, cookie"),
        ("etag", '"abc"', "strong"),
        ("etag", 'W/"abc"', "weak"),
        ("etag", "abc", "without its quotes"),
        ("server", "nginx/1.2.3", "nginx; the version is of use to attackers only"),
        ("server", "Home-made", ""),
        ("date", "yesterday", "it is no date"),
        ("expires", "0", "taken for one in the past"),
        ("link", "</a.css>; rel=preload; as=style", "/a.css is to be fetched at once"),
        ("link", "<?page=2>; rel=next, <x>; rel=odd", "x is its odd"),
        ("alt-svc", 'h3=":443"; ma=86400, h3-29=":443"', "HTTP/3 at port 443, for 1 day"),
        ("alt-svc", "clear", "no longer holds"),
        ("connection", "keep-alive, X-Own", "it stays open; x-own is for this connection only"),
        ("permissions-policy", "camera=(), geolocation=(self)", "camera for nobody; geolocation for this origin"),
        ("content-type", "text/html; charset=utf-8", "text/html, in utf-8"),
        ("content-type", "html", "it is no media type"),
        ("retry-after", "120", "in 2 minutes"),
        ("age", "90", "90 s"),
        ("age", "x", "it is no number of seconds"),
        ("x-content-type-options", "yes", "only nosniff has a meaning"),
        ("x-frame-options", "ALLOW-FROM https://x", "only DENY and SAMEORIGIN"),
        ("referrer-policy", "no-referrer", "nothing is ever told"),
        ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01", f"trace {'a' * 32}, recorded"),
        ("traceparent", "00-1", "counts for nothing"),
        ("access-control-allow-origin", "*", "every origin's, without cookies"),
        ("sec-fetch-site", "none", "the user typed it"),
    ],
)
def test_values(name: str, value: str, told: str) -> None:
    assert told in explain_value(name, value)
    assert told in gloss(name.title(), value).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (60, "1 minute"),
        (90, "90 s"),
        (7200, "2 hours"),
        (86400, "1 day"),
        (31536000, "1 year"),
        (2592000, "30 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.sampled_from(sorted(KNOWN_FIELDS)), st.text(max_size=60))
def test_no_value_is_too_strange(name: str, value: str) -> None:
    assert gloss(name, value).text
