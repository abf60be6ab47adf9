"""What requests say: against the rules' own examples, and against a real Chromium, field for field and in its order."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.fetching import AGENT, Asking, fetch_site, origin_of, request_headers, tainted, with_credentials
from pellucid.http.url import parse_url

PAGE = parse_url("https://shop.example/cart?x=1#top")
HOME, SISTER, FOREIGN = (parse_url(f"https://{host}/a") for host in ("shop.example", "cdn.shop.example", "other.example"))


def asking(url: Any = HOME, **told: Any) -> Asking:
    return Asking(url, **{"client": PAGE, "kind": "image", "mode": "no-cors", **told})


def test_the_agent_names_the_version_that_is_installed() -> None:
    assert f"pellucid/{version('pellucid')}" == AGENT


@pytest.mark.parametrize(
    ("passed", "url", "said"),
    [
        ((), HOME, "same-origin"),
        ((), SISTER, "same-site"),
        ((), FOREIGN, "cross-site"),
        ((SISTER,), HOME, "same-site"),
        ((FOREIGN,), HOME, "cross-site"),
        ((HOME,), SISTER, "same-site"),
    ],
)
def test_sec_fetch_site_remembers_the_way(passed: tuple[Any, ...], url: Any, said: str) -> None:
    assert fetch_site(asking(url, passed=passed)) == said
    assert fetch_site(asking(url, passed=passed, client=None)) == "none"


@pytest.mark.parametrize(
    ("told", "origin"),
    [
        ({"client": None, "mode": "navigate", "method": "POST"}, None),
        ({}, None),
        ({"mode": "cors"}, "https://shop.example"),
        ({"mode": "cors", "kind": "manifest"}, None),
        ({"mode": "cors", "kind": "manifest", "url": FOREIGN}, "https://shop.example"),
        ({"mode": "cors", "url": HOME, "passed": (FOREIGN,)}, "null"),
        ({"mode": "cors", "url": FOREIGN, "passed": (HOME,)}, "https://shop.example"),
        ({"mode": "navigate", "method": "POST"}, "https://shop.example"),
        ({"mode": "navigate", "method": "POST", "referrer_policy": "no-referrer"}, "null"),
        ({"mode": "navigate", "method": "POST", "referrer_policy": "same-origin"}, "https://shop.example"),
        ({"mode": "navigate", "method": "POST", "referrer_policy": "same-origin", "url": FOREIGN}, "null"),
        ({"mode": "navigate", "method": "POST", "url": parse_url("http://other.example/")}, "null"),
    ],
)
def test_origin(told: dict[str, Any], origin: str | None) -> None:
    assert origin_of(asking(**told)) == origin


def test_a_way_over_a_foreign_origin_taints() -> None:
    assert not tainted(asking(FOREIGN))
    assert not tainted(asking(FOREIGN, passed=(HOME,)))
    assert tainted(asking(HOME, passed=(FOREIGN,)))


def test_credentials() -> None:
    assert with_credentials(asking(FOREIGN))
    assert with_credentials(asking(HOME, credentials="same-origin"))
    assert not with_credentials(asking(SISTER, credentials="same-origin"))
    assert not with_credentials(asking(HOME, credentials="same-origin", passed=(SISTER,)))
    assert not with_credentials(asking(HOME, credentials="omit"))
    assert with_credentials(asking(HOME, credentials="same-origin", client=None))


def test_plain_http_tells_and_offers_less() -> None:
    fields = dict(request_headers(asking(parse_url("http://shop.example/"))))
    assert not any(name.startswith("Sec-") for name in fields)
    assert fields["Accept-Encoding"] == "gzip, deflate"
    assert "Referer" not in fields


def test_the_users_own_fields_take_their_places() -> None:
    own = [("user-agent", "me"), ("X-Own", "1"), ("accept-language", ""), ("X-Own", "2")]
    fields = request_headers(Asking(HOME), cookie="a=1", extra=own)
    names = [name for name, _ in fields]
    assert names[:3] == ["Upgrade-Insecure-Requests", "user-agent", "Accept"]
    assert fields[-3:] == [("Cookie", "a=1"), ("X-Own", "1"), ("X-Own", "2")]
    assert "Accept-Language" not in names
    assert "accept-language" not in names


# Against Chromium.

def ours(head: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A head of Chromium's without what is another matter, or stated to differ."""
    left_out = ("host", "connection", "content-length", "cache-control", "sec-fetch-storage-access")
    found: list[tuple[str, str]] = []
    for name, value in head:
        if name.lower() in left_out or name.lower().startswith("sec-ch-"):
            continue
        if name == "User-Agent":
            value = AGENT
        found.append((name, value.removesuffix(",application/signed-exchange;v=b3;q=0.7")))
    return found


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("home", "/", {"kind": "document", "mode": "navigate", "client": None}),
    ("home", "/m.json", {"kind": "manifest", "mode": "cors"}),
    ("home", "/a.css", {"kind": "stylesheet"}),
    ("far", "/b.css", {"kind": "stylesheet"}),
    ("home", "/s.js", {"kind": "script"}),
    ("home", "/mod.js", {"kind": "script", "mode": "cors"}),
    ("home", "/dep.js", {"kind": "script", "mode": "cors", "by": "/mod.js"}),
    ("home", "/p.woff2", {"kind": "font", "mode": "cors"}),
    ("home", "/f.woff2", {"kind": "font", "mode": "cors", "by": "/a.css"}),
    ("home", "/bg.png", {"kind": "image", "by": "/a.css"}),
    ("far", "/far.png", {"kind": "image", "by": "/b.css"}),
    ("home", "/i.png", {"kind": "image"}),
    ("far", "/c.png", {"kind": "image", "mode": "cors"}),
    ("home", "/f.html", {"kind": "iframe", "mode": "navigate"}),
    ("home", "/v.mp4", {"kind": "media"}),
    ("home", "/fetched", {"kind": "fetch", "mode": "cors"}),
]
"""Server, path, and what is asked; `by` is the file whose URL Referer tells."""


@needs_chromium
def test_requests_say_what_chromiums_say(tmp_path: Path) -> None:
    home, far = Listener(), Listener()
    try:
        here, there = f"http://localhost:{home.port}", f"http://127.0.0.1:{far.port}"
        home.files["/"] = f"""<!doctype html><title>x</title><link rel=icon href=/icon.png><link rel=manifest href=/m.json>
            <link rel=stylesheet href=/a.css><link rel=stylesheet href={there}/b.css><script src=/s.js></script>
            <script type=module src=/mod.js></script><link rel=preload as=font href=/p.woff2 crossorigin><img src=/i.png>
            <img src={there}/c.png crossorigin><iframe src=/f.html></iframe><video src=/v.mp4 preload=auto></video>
            <p style="font-family:F">x"""
        home.files["/a.css"] = "@font-face{font-family:F;src:url(/f.woff2)}body{background:url(/bg.png)}"
        far.files["/b.css"] = "p{background:url(far.png)}"
        home.files["/mod.js"] = "import '/dep.js'; await fetch('/fetched'); document.body.append('all');"
        with paged(tmp_path) as page:
            page.open(f"{here}/")
            page.until("document.body.innerText.includes('all')")
            page.evaluate("fetch('/done', {method: 'POST', body: new URLSearchParams('a=1')}).then(() => 1)")
            for server, path, _ in CASES:
                (home if server == "home" else far).head(path)
        root = parse_url(f"{here}/")
        for name, path, told in CASES:
            server, base = (home, here) if name == "home" else (far, there)
            by = parse_url(f"{there if told.get('by') == '/b.css' else here}{told['by']}") if "by" in told else None
            rest = {key: value for key, value in told.items() if key != "by"}
            wanted = request_headers(asking(parse_url(base + path), **{"client": root, "referrer": by, **rest}))
            assert wanted == ours(server.head(path)), path
        assert ("Origin", here) in home.heads["/done"]
        posted = asking(parse_url(f"{here}/done"), client=root, kind="fetch", mode="cors", method="POST")
        assert origin_of(posted) == here
    finally:
        home.close()
        far.close()
