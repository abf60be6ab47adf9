"""HSTS, mixed content, CORS, integrity, origins and sites: the verdicts and their sentences."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.http import cors, integrity, mixed
from pellucid.http.fetching import Asking
from pellucid.http.hsts import Hsts, parse_hsts
from pellucid.http.sites import is_public_suffix, registrable, same_origin, same_site, site, trustworthy
from pellucid.http.url import parse_url

NOW = 1_800_000_000.0
PAGE = parse_url("https://shop.example/cart")


# Origins and sites.


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("www.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("co.uk", None),
        ("a.b.github.io", "b.github.io"),
        ("github.io", None),
        ("www.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.b.example", "b.example"),
        ("localhost", None),
        ("a.b.localhost", "b.localhost"),
        ("127.0.0.1", None),
        ("::1", None),
        ("WWW.Shop.example.", "shop.example"),
        ("", None),
    ],
)
def test_who_owns_a_name(host: str, owner: str | None) -> None:
    assert registrable(host) == owner
    assert is_public_suffix("co.uk")
    assert not is_public_suffix("127.0.0.1")


@pytest.mark.parametrize(
    ("one", "other", "origin", "sites"),
    [
        ("https://a.shop.example/", "https://b.shop.example/", False, True),
        ("https://a.shop.example/", "http://a.shop.example/", False, False),
        ("https://shop.example/", "https://shop.example:444/", False, True),
        ("https://shop.example/", "https://shop.example:443/x", True, True),
        ("https://a.github.io/", "https://b.github.io/", False, False),
        ("http://127.0.0.1/", "http://127.0.0.1:8000/", False, True),
        ("http://127.0.0.1/", "http://127.0.0.2/", False, False),
        ("http://localhost/", "http://127.0.0.1/", False, False),
        ("data:,a", "data:,a", False, False),
        ("wss://shop.example/", "https://www.shop.example/", False, True),
    ],
)
def test_same_origin_and_same_site(one: str, other: str, origin: bool, sites: bool) -> None:
    assert same_origin(parse_url(one), parse_url(other)) is origin
    assert same_site(parse_url(one), parse_url(other)) is sites
    assert site(parse_url("data:,x")) == "null"


@pytest.mark.parametrize(
    ("url", "yes"),
    [
        ("https://shop.example/", True),
        ("http://shop.example/", False),
        ("http://localhost:8000/", True),
        ("http://app.localhost/", True),
        ("http://127.255.0.1/", True),
        ("http://[::1]/", True),
        ("http://10.0.0.1/", False),
        ("http://localhost.example/", False),
    ],
)
def test_who_can_be_trusted(url: str, yes: bool) -> None:
    assert trustworthy(parse_url(url)) is yes


# HSTS.


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("max-age=31536000", (31536000.0, False)),
        ('MAX-AGE="60" ; includeSubDomains', (60.0, True)),
        ("includeSubDomains; max-age=1; preload; x=y", (1.0, True)),
        ("max-age=0;", (0.0, False)),
        (";;max-age=5;;", (5.0, False)),
        ("max-age=5; max-age=6", "max-age was said twice"),
        ("includeSubDomains", "max-age is missing"),
        ("max-age=soon", "max-age is no number of seconds"),
        ("max-age", "max-age is no number of seconds"),
        ("", "max-age is missing"),
        ("max-age=5, includeSubDomains", "it is not well-formed"),
        ("=5", "it is not well-formed"),
    ],
)
def test_hsts_fields(value: str, wanted: object) -> None:
    assert parse_hsts(value) == wanted


@given(st.text(max_size=60))
def test_no_hsts_field_is_too_strange(value: str) -> None:
    parse_hsts(value)


def hear(hsts: Hsts, value: str, url: Any = PAGE, **told: Any) -> str:
    return "; ".join(remark.message for remark in hsts.hear(url, [("Strict-Transport-Security", value)], NOW, **told))


def upgraded(hsts: Hsts, url: str, now: float = NOW) -> str | None:
    found = hsts.upgrade(parse_url(url), now)
    return None if found is None else found[0].href


def test_what_was_heard_is_applied() -> None:
    hsts = Hsts()
    assert upgraded(hsts, "http://shop.example/") is None
    assert hear(hsts, "max-age=86400") == "From now on only https for shop.example, not the names below it, for 1 days"
    assert upgraded(hsts, "http://shop.example/a?b#c") == "https://shop.example/a?b#c"
    assert upgraded(hsts, "http://shop.example:80/") == "https://shop.example/"
    assert upgraded(hsts, "http://shop.example:8080/") == "https://shop.example:8080/"
    assert upgraded(hsts, "https://shop.example/") is None
    assert upgraded(hsts, "http://www.shop.example/") is None
    assert upgraded(hsts, "http://shop.example/", NOW + 86401) is None
    hear(hsts, "max-age=60; includeSubDomains")
    assert upgraded(hsts, "ws://a.b.shop.example/") == "wss://a.b.shop.example/"
    assert upgraded(hsts, "http://bigshop.example/") is None
    _, remark = hsts.upgrade(parse_url("http://www.shop.example/"), NOW) or (None, None)
    assert remark is not None
    assert remark.message.startswith(
        "307 internal: www.shop.example was asked over https, as shop.example, for all names below it"
    )
    assert "need no longer" in hear(hsts, "max-age=0")
    assert upgraded(hsts, "http://shop.example/") is None


def test_what_does_not_count() -> None:
    hsts = Hsts()
    assert "over plain http" in hear(hsts, "max-age=60", parse_url("http://shop.example/"))
    assert "bad certificate" in hear(hsts, "max-age=60", secure=False)
    assert "for an address" in hear(hsts, "max-age=60", parse_url("https://127.0.0.1/"))
    assert "max-age is missing" in hear(hsts, "preload")
    assert hsts.hear(PAGE, [], NOW) == ()
    assert upgraded(hsts, "http://shop.example/") is None


# Mixed content.


@pytest.mark.parametrize(
    ("page", "url", "kind", "told", "action", "asked"),
    [
        ("https://a.example/", "http://b.example/x", "image", {}, "upgrade", "https://b.example/x"),
        ("https://a.example/", "http://b.example/x", "media", {}, "upgrade", "https://b.example/x"),
        ("https://a.example/", "http://b.example/x", "script", {}, "block", "http://b.example/x"),
        ("https://a.example/", "http://b.example/x", "stylesheet", {}, "block", "http://b.example/x"),
        ("https://a.example/", "http://b.example/x", "iframe", {}, "block", "http://b.example/x"),
        ("https://a.example/", "http://b.example/x", "font", {}, "block", "http://b.example/x"),
        ("https://a.example/", "http://10.0.0.1/x", "image", {}, "block", "http://10.0.0.1/x"),
        ("https://a.example/", "http://b.example/x", "image", {"redirected": True}, "block", "http://b.example/x"),
        ("https://a.example/", "http://b.example/x", "script", {"upgrade_insecure": True}, "upgrade", "https://b.example/x"),
        ("https://a.example/", "http://127.0.0.1:8000/x", "script", {}, "allow", "http://127.0.0.1:8000/x"),
        ("https://a.example/", "https://b.example/x", "script", {}, "allow", "https://b.example/x"),
        ("http://a.example/", "http://b.example/x", "script", {}, "allow", "http://b.example/x"),
        ("http://a.example/", "http://b.example/x", "script", {"upgrade_insecure": True}, "upgrade", "https://b.example/x"),
        ("http://127.0.0.1/", "http://127.0.0.1/x", "script", {"upgrade_insecure": True}, "allow", "http://127.0.0.1/x"),
        ("https://a.example/", "data:text/css,", "stylesheet", {}, "allow", "data:text/css,"),
    ],
)
def test_mixed_content(page: str, url: str, kind: str, told: dict[str, bool], action: str, asked: str) -> None:
    found = mixed.judge(parse_url(page), parse_url(url), kind, **told)
    assert (found.action, found.url.href) == (action, asked)
    assert (found.remark is None) is (action == "allow")


# CORS.

FAR = parse_url("https://cdn.example/font.woff2")


@pytest.mark.parametrize(
    ("credentials", "fields", "passed", "words"),
    [
        ("same-origin", {"*": ""}, True, "lets every page"),
        ("omit", {"*": ""}, True, "lets every page"),
        ("include", {"*": "true"}, False, "does not do for a request with cookies"),
        ("include", {"https://shop.example": "true"}, True, "a cache may give this permission"),
        ("include", {"https://shop.example": ""}, False, "Access-Control-Allow-Credentials: true was not sent"),
        ("include", {"https://shop.example": "TRUE"}, False, "Credentials"),
        ("same-origin", {"https://shop.example": ""}, True, "https://shop.example may read it"),
        ("same-origin", {"https://other.example": ""}, False, "https://shop.example is needed"),
        ("same-origin", {"https://shop.example/": ""}, False, "is needed"),
        ("same-origin", {"https://a.example, https://shop.example": ""}, False, "only one origin"),
        ("same-origin", {"null": ""}, False, "is needed"),
        ("same-origin", {}, False, "was not sent; https://shop.example or * is needed"),
        ("include", {}, False, "was not sent; https://shop.example is needed"),
    ],
)
def test_cors(credentials: Any, fields: dict[str, str], passed: bool, words: str) -> None:
    headers = [
        pair
        for allow, with_ in fields.items()
        for pair in (("Access-Control-Allow-Origin", allow), ("Access-Control-Allow-Credentials", with_))
        if pair[1]
    ]
    asking = Asking(FAR, kind="font", mode="cors", credentials=credentials, client=PAGE)
    found = cors.check(asking, headers)
    assert found.passed is passed
    assert found.remark is not None
    assert words in found.remark.message
    assert (found.remark.level == "error") is not passed


def test_who_need_not_be_asked() -> None:
    assert cors.check(Asking(FAR, kind="image", mode="no-cors", client=PAGE), []) == cors.Cors(True)
    assert cors.check(Asking(parse_url("https://shop.example/f"), kind="font", mode="cors", client=PAGE), []) == cors.Cors(True)
    assert cors.check(Asking(FAR), []) == cors.Cors(True)
    # Home again, by way of a foreign origin: it must be asked, and is told null.
    back = Asking(parse_url("https://shop.example/f"), kind="font", mode="cors", credentials="omit", client=PAGE, passed=(FAR,))
    assert not cors.check(back, []).passed
    assert cors.check(back, [("access-control-allow-origin", "null"), ("vary", "Origin")]).passed


# Integrity.

BODY = b"alert(1)"


def digest(algorithm: str, body: bytes = BODY) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"


@pytest.mark.parametrize(
    ("metadata", "level"),
    [
        (digest("sha256"), "good"),
        (digest("sha384"), "good"),
        (digest("sha512"), "good"),
        (f"{digest('sha256', b'other')} {digest('sha256')}", "good"),
        (f"{digest('sha256')} {digest('sha512', b'other')}", "error"),
        (f"{digest('sha256', b'other')} {digest('sha512')}", "good"),
        (digest("sha256", b"other"), "error"),
        (f"{digest('sha256')}?option", "good"),
        (digest("sha256").replace("sha256", "SHA256"), "good"),
        (digest("sha256").replace("+", "-").replace("/", "_"), "good"),
        ("md5-abcd", "warning"),
        ("nonsense", "warning"),
    ],
)
def test_integrity(metadata: str, level: str) -> None:
    remark = integrity.check(metadata, BODY)
    assert remark is not None
    assert remark.level == level


def test_integrity_needs_a_readable_answer() -> None:
    assert integrity.check("  ", BODY) is None
    remark = integrity.check(digest("sha256"), BODY, readable=False)
    assert remark is not None
    assert "crossorigin" in remark.message
    other = integrity.check(digest("sha256", b"x"), BODY)
    assert other is not None
    assert digest("sha256").partition("-")[2] in other.message
