"""A browser's cache: hits, checks, versions, updates, what drops entries, and its bound."""

from __future__ import annotations

import pytest

from pellucid.http.conditional import format_date
from pellucid.http.private_cache import Cache, Found, Stored
from pellucid.http.url import parse_url

NOW = 1_800_000_000.0
URL = parse_url("https://shop.example/a#x")
DATE = ("Date", format_date(int(NOW)))
ETAG, CHANGED = ("ETag", '"v1"'), ("Last-Modified", format_date(int(NOW - 1000)))


def kept(
    control: str = "max-age=60", *more: tuple[str, str], request: list[tuple[str, str]] | None = None, cache: Cache | None = None
) -> Cache:
    cache = cache or Cache()
    put(cache, [DATE, ("Cache-Control", control), *more], request=request)
    return cache


def put(
    cache: Cache,
    response: list[tuple[str, str]],
    *,
    url: str = URL.href,
    body: bytes = b"body",
    request: list[tuple[str, str]] | None = None,
) -> None:
    cache.store("GET", parse_url(url), request or [], 200, "OK", response, body, requested=NOW, received=NOW)


def look(cache: Cache, later: float = 0.0, *request: tuple[str, str], method: str = "GET") -> Found:
    return cache.lookup(method, URL, list(request), NOW + later)


def test_fresh_ones_are_used_and_fragments_do_not_count() -> None:
    found = cache_hit = look(kept(), 20)
    assert found.fate == "fresh"
    assert found.stored is not None
    assert found.stored.body == b"body"
    assert cache_hit.remarks[0].message == "Used from the cache: fresh for 60 s (max-age), 20 s old, 40 s left"
    assert look(kept(), 20, method="HEAD").fate == "fresh"


def test_what_is_not_there() -> None:
    assert look(Cache()).fate == "miss"
    assert look(kept("no-store")).fate == "miss"
    assert look(kept(), method="POST").fate == "miss"
    assert "never answered from a cache" in look(kept(), method="POST").remarks[0].message


@pytest.mark.parametrize(
    ("control", "later", "request_says", "fate", "words"),
    [
        ("max-age=60", 61, "", "stale", "It is stale: fresh for 60 s (max-age), 61 s old"),
        ("max-age=60", 60, "", "stale", "It is stale"),
        ("no-cache", 0, "", "stale", "The answer said no-cache"),
        ("max-age=60", 5, "no-cache", "stale", "The request said no-cache"),
        ("max-age=60", 5, "max-age=0", "stale", "takes at most 0 s"),
        ("max-age=60", 5, "max-age=10", "fresh", "Used"),
        ("max-age=60", 5, "min-fresh=90", "stale", "the request wants 90 s"),
        ("private", 0, "", "stale", "nothing says how long"),
        ("max-age=60, stale-while-revalidate=30", 80, "", "fresh", "Used stale: 20 s too old"),
        ("max-age=60, stale-while-revalidate=30", 91, "", "stale", "It is stale"),
        ("max-age=60, stale-while-revalidate=30, must-revalidate", 80, "", "stale", "It is stale"),
    ],
)
def test_when_it_is_checked(control: str, later: float, request_says: str, fate: str, words: str) -> None:
    found = look(kept(control), later, *([("Cache-Control", request_says)] if request_says else []))
    assert found.fate == fate
    assert words in found.remarks[0].message


def test_checks_are_conditional_requests() -> None:
    found = look(kept("max-age=60", ETAG, CHANGED), 61)
    assert found.conditions == [("If-None-Match", '"v1"'), ("If-Modified-Since", CHANGED[1])]
    assert found.remarks[0].message.endswith("asked with If-None-Match and If-Modified-Since whether it has changed")
    assert look(kept("no-cache", CHANGED)).conditions == [("If-Modified-Since", CHANGED[1])]
    without = look(kept("no-cache"))
    assert without.conditions == []
    assert "fetched whole again" in without.remarks[0].message


def test_versions() -> None:
    cache = kept("max-age=60", ("Vary", "Accept-Language"), request=[("Accept-Language", "en")])
    assert look(cache, 0, ("accept-language", "en")).fate == "fresh"
    assert look(cache, 0, ("Accept-Language", "de")).fate == "miss"
    assert look(cache).remarks[0].message == "The cache has it only for other values of accept-language"
    kept("max-age=60", ("Vary", "Accept-Language"), request=[("Accept-Language", "de")], cache=cache)
    assert len(cache) == 2
    assert look(cache, 0, ("Accept-Language", "en")).fate == "fresh"
    kept("max-age=60", ("Vary", "Accept-Language"), request=[("Accept-Language", "de")], cache=cache)
    assert len(cache) == 2
    for number in range(20):
        kept("max-age=60", ("Vary", "Accept-Language"), request=[("Accept-Language", f"x{number}")], cache=cache)
    assert len(cache) == 8


def test_304_updates_fields_but_not_the_body() -> None:
    cache = kept("max-age=60", ETAG, ("Content-Type", "text/css"), ("Content-Length", "4"), ("Connection", "close"))
    stored = look(cache, 100).stored
    assert isinstance(stored, Stored)
    assert "connection" not in {name.lower() for name, _ in stored.headers}
    later = [("date", format_date(int(NOW + 100))), ("cache-control", "max-age=500"), ("content-length", "0"), ("X-New", "1")]
    again = cache.freshen(stored, later, requested=NOW + 100, received=NOW + 100)
    assert again is stored
    fields = {name.lower(): value for name, value in again.headers}
    assert fields["cache-control"] == "max-age=500"
    assert (fields["content-type"], fields["content-length"], fields["x-new"], fields["etag"]) == ("text/css", "4", "1", '"v1"')
    assert look(cache, 300).fate == "fresh"


def test_unsafe_methods_drop_what_they_have_changed() -> None:
    cache = kept()
    put(cache, [DATE, ("Cache-Control", "max-age=60")], url="https://shop.example/b")
    put(cache, [DATE, ("Cache-Control", "max-age=60")], url="https://other.example/c")
    assert cache.invalidate("GET", URL, 200, []) == ()
    assert cache.invalidate("POST", URL, 500, []) == ()
    where = [("Location", "/b"), ("Content-Location", "https://other.example/c")]
    remarks = cache.invalidate("POST", URL, 201, where)
    assert [remark.message.split()[1] for remark in remarks] == ["https://shop.example/a", "https://shop.example/b"]
    assert len(cache) == 1


def test_the_bound_drops_the_longest_unused() -> None:
    cache = Cache(1000)
    fresh = [DATE, ("Cache-Control", "max-age=60")]
    for name in "abcd":
        put(cache, fresh, url=f"https://shop.example/{name}", body=b"x" * 250)
    assert (len(cache), cache.size) == (4, 1000)
    assert look(cache).fate == "fresh"
    put(cache, fresh, url="https://shop.example/e", body=b"x" * 250)
    assert look(cache).fate == "fresh"
    assert cache.lookup("GET", parse_url("https://shop.example/b"), [], NOW).fate == "miss"
    put(cache, fresh, url="https://shop.example/f", body=b"x" * 251)
    assert cache.lookup("GET", parse_url("https://shop.example/f"), [], NOW).fate == "miss"
