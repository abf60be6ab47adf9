"""What pages tell of themselves: every policy against every direction."""

from __future__ import annotations

import pytest

from pellucid.http.referrer import POLICIES, parse_policy, policy_of, referer
from pellucid.http.url import parse_url

SOURCE = parse_url("https://u:p@shop.example/cart?x=1#top")
WHOLE, ORIGIN = "https://shop.example/cart?x=1", "https://shop.example/"
SAME, CROSS, PLAIN = (parse_url(url) for url in ("https://shop.example/a", "https://other.example/", "http://other.example/"))


@pytest.mark.parametrize(
    ("policy", "same", "cross", "plain"),
    [
        ("", WHOLE, ORIGIN, None),
        ("strict-origin-when-cross-origin", WHOLE, ORIGIN, None),
        ("no-referrer", None, None, None),
        ("no-referrer-when-downgrade", WHOLE, WHOLE, None),
        ("same-origin", WHOLE, None, None),
        ("origin", ORIGIN, ORIGIN, ORIGIN),
        ("strict-origin", ORIGIN, ORIGIN, None),
        ("origin-when-cross-origin", WHOLE, ORIGIN, ORIGIN),
        ("unsafe-url", WHOLE, WHOLE, WHOLE),
    ],
)
def test_policies(policy: str, same: str | None, cross: str | None, plain: str | None) -> None:
    assert [referer(policy, SOURCE, target) for target in (SAME, CROSS, PLAIN)] == [same, cross, plain]
    assert policy in POLICIES or not policy


def test_from_http_nothing_is_a_downgrade() -> None:
    source = parse_url("http://shop.example/cart")
    assert referer("", source, PLAIN) == "http://shop.example/"
    assert referer("no-referrer-when-downgrade", source, PLAIN) == "http://shop.example/cart"
    assert referer("", parse_url("https://shop.example/"), parse_url("http://127.0.0.1/")) == "https://shop.example/"


def test_what_has_no_address_tells_nothing() -> None:
    assert referer("unsafe-url", parse_url("data:text/html,x"), SAME) is None
    assert referer("unsafe-url", parse_url("file:///etc/hosts"), SAME) is None


def test_long_ones_are_cut_to_the_origin() -> None:
    assert referer("", parse_url(f"https://shop.example/{'a' * 4096}"), SAME) == ORIGIN


def test_the_last_known_word_counts() -> None:
    assert parse_policy("no-referrer, strict-origin, made-up") == "strict-origin"
    assert parse_policy("UNSAFE-URL") == "unsafe-url"
    assert parse_policy("never") == ""
    assert policy_of([("Referrer-Policy", "origin"), ("referrer-policy", "same-origin")]) == "same-origin"
    assert policy_of([]) == ""
