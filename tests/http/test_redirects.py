"""Where answers lead: methods, bodies, fields, fragments, and every reason to stop."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid.http.fetching import Asking
from pellucid.http.redirects import LIMIT, Halt, Onward, next_request
from pellucid.http.url import parse_url

HERE = parse_url("https://shop.example/a/b?c#part")


def follow(location: str | None, *, status: int = 302, method: str = "GET", taken: int = 0, **told: Any) -> Any:
    headers = [("Location", location)] if location is not None else []
    return next_request(told.pop("url", HERE), method, status, headers, taken=taken, asking=told.pop("asking", None))


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 399])
def test_other_statuses_lead_nowhere(status: int) -> None:
    assert follow("/x", status=status) is None


def test_without_location_the_answer_is_shown() -> None:
    assert follow(None) is None


@pytest.mark.parametrize(
    ("status", "method", "then", "keeps"),
    [
        (301, "GET", "GET", True),
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (301, "PUT", "PUT", True),
        (302, "DELETE", "DELETE", True),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (303, "HEAD", "HEAD", True),
        (307, "POST", "POST", True),
        (308, "PUT", "PUT", True),
    ],
)
def test_methods_and_bodies(status: int, method: str, then: str, keeps: bool) -> None:
    onward = follow("/x", status=status, method=method)
    assert isinstance(onward, Onward)
    assert (onward.method, onward.keep_body) == (then, keeps)
    assert ("content-type" in onward.drop) is not keeps
    assert (f"{status} made the {method} a GET, and its body was left behind" in [r.message for r in onward.remarks]) is not keeps


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/x", "https://shop.example/x#part"),
        ("x", "https://shop.example/a/x#part"),
        ("?q", "https://shop.example/a/b?q#part"),
        ("//other.example", "https://other.example/#part"),
        ("https://other.example/#own", "https://other.example/#own"),
        ("/x#", "https://shop.example/x#"),
        ("", "https://shop.example/a/b?c#part"),
        ("/caf\u00c3\u00a9", "https://shop.example/caf%C3%A9#part"),
        ("/caf\u00e9", "https://shop.example/caf%C3%A9#part"),
        ("  /spaced  ", "https://shop.example/spaced#part"),
        ("/a b", "https://shop.example/a%20b#part"),
    ],
)
def test_locations_are_resolved_as_browsers_do(location: str, target: str) -> None:
    assert follow(location).url.href == target


@pytest.mark.parametrize("name", ["cookie", "proxy-authorization", "x-api-key", "x-auth-token", "pellucid-token"])
def test_what_else_authorizes_stays_with_its_origin(name: str) -> None:
    assert name not in follow("/x").drop
    assert name in follow("https://other.example/").drop


def test_authorization_stays_with_its_origin() -> None:
    assert "authorization" not in follow("/x").drop
    for elsewhere in ("https://other.example/", "http://shop.example/", "https://shop.example:444/"):
        assert "authorization" in follow(elsewhere).drop


@pytest.mark.parametrize(
    ("location", "slug", "words"),
    [
        ("javascript:alert(1)", "bad-redirect", "javascript:"),
        ("data:text/plain,x", "bad-redirect", "data:"),
        ("file:///etc/passwd", "bad-redirect", "file:"),
        ("https://[::1", "bad-redirect", "not a URL"),
        ("https://a b/", "bad-redirect", "not a URL"),
        ("http://", "bad-redirect", "not a URL"),
    ],
)
def test_reasons_to_stop(location: str, slug: str, words: str) -> None:
    halt = follow(location)
    assert isinstance(halt, Halt)
    assert halt.slug == slug
    assert words in halt.message


def test_twenty_are_followed() -> None:
    assert isinstance(follow("/x", taken=LIMIT - 1), Onward)
    halt = follow("/x", taken=LIMIT)
    assert isinstance(halt, Halt)
    assert halt.slug == "too-many-redirects"
    assert "20" in halt.message


def test_locations_that_differ_stop_and_equal_ones_do_not() -> None:
    two = [("location", "/a"), ("Location", "/b")]
    assert isinstance(next_request(HERE, "GET", 302, two, taken=0), Halt)
    onward = next_request(HERE, "GET", 302, [("location", "/a"), ("location", "/a")], taken=0)
    assert isinstance(onward, Onward)
    assert any("more than once" in remark.message for remark in onward.remarks)


def test_cors_forbids_names_and_passwords() -> None:
    page = parse_url("https://shop.example/")
    foreign = Asking(HERE, kind="font", mode="cors", client=page)
    assert isinstance(follow("https://u:p@other.example/", asking=foreign), Halt)
    assert isinstance(follow("https://u:p@shop.example/", asking=foreign), Onward)
    plain = Asking(HERE, kind="image", mode="no-cors", client=page)
    assert isinstance(follow("https://u:p@other.example/", asking=plain), Onward)


def test_same_origin_stays_at_home() -> None:
    page = parse_url("https://shop.example/")
    asked = Asking(HERE, kind="fetch", mode="same-origin", client=page)
    assert isinstance(follow("https://other.example/", asking=asked), Halt)
    assert isinstance(follow("/x", asking=asked), Onward)


def messages(location: str, **told: Any) -> str:
    return "; ".join(remark.message for remark in follow(location, **told).remarks)


def test_remarks() -> None:
    assert "from http to https" in messages("https://shop.example/", url=parse_url("http://shop.example/"))
    assert "back to http" in messages("http://shop.example/")
    assert "back to http" not in messages("http://localhost/")
    assert "same URL again" in messages("/a/b?c")
    assert "fragment #part was carried over" in messages("/x")
    assert "kept the method POST" in messages("/x", status=307, method="POST")
