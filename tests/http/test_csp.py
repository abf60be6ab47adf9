"""Content Security Policy: which directive decides, which sources fit, and what a real Chromium asks for."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.csp import Csp, host_matches, policies
from pellucid.http.url import parse_url

PAGE = parse_url("https://shop.example/cart")


def page(*texts: str, **told: bool) -> Csp:
    made = Csp(PAGE)
    for text in texts:
        made.add(text, **told)
    return made


def blocked(policy: str, url: str, kind: str = "image", **told: object) -> bool:
    return any(remark.level == "error" for remark in page(policy).judge(parse_url(url), kind, **told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "policy", "name"),
    [
        ("script", "script-src 'none'; script-src-elem 'none'", "script-src-elem"),
        ("script", "script-src 'none'; default-src *", "script-src"),
        ("stylesheet", "style-src 'none'", "style-src"),
        ("image", "default-src 'none'", "default-src"),
        ("icon", "img-src 'none'", "img-src"),
        ("font", "font-src 'none'", "font-src"),
        ("iframe", "child-src 'none'", "child-src"),
        ("iframe", "child-src *; frame-src 'none'", "frame-src"),
        ("fetch", "connect-src 'none'", "connect-src"),
        ("media", "media-src", "media-src"),
        ("manifest", "manifest-src 'none'", "manifest-src"),
    ],
)
def test_the_directive_that_decides(kind: str, policy: str, name: str) -> None:
    (remark,) = page(policy).judge(parse_url("https://shop.example/x"), kind)
    assert remark.message.startswith(f"A browser blocks it: the page says {name}")


@pytest.mark.parametrize(
    ("sources", "url", "fits"),
    [
        ("*", "https://other.example/", True),
        ("*", "data:image/png,", False),
        ("data:", "data:image/png,", True),
        ("'self'", "https://shop.example/x", True),
        ("'self'", "https://www.shop.example/x", False),
        ("'none'", "https://shop.example/", False),
        ("https:", "https://any.example/", True),
        ("http:", "https://any.example/", True),
        ("https:", "http://any.example/", False),
        ("cdn.example", "https://cdn.example/x", True),
        ("cdn.example", "http://cdn.example/x", False),
        ("http://cdn.example", "https://cdn.example/x", True),
        ("cdn.example", "https://a.cdn.example/x", False),
        ("*.cdn.example", "https://a.b.cdn.example/x", True),
        ("*.cdn.example", "https://cdn.example/x", False),
        ("CDN.example", "https://cdn.example/x", True),
        ("cdn.example:8443", "https://cdn.example:8443/x", True),
        ("cdn.example:8443", "https://cdn.example/x", False),
        ("cdn.example:*", "https://cdn.example:99/x", True),
        ("cdn.example", "https://cdn.example:8443/", False),
        ("cdn.example/a/", "https://cdn.example/a/b", True),
        ("cdn.example/a", "https://cdn.example/a/b", False),
        ("cdn.example/a", "https://cdn.example/a?q", True),
        ("cdn.example/", "https://cdn.example/x", True),
        ("one.example two.example", "https://two.example/", True),
        ("", "https://shop.example/", False),
    ],
)
def test_sources(sources: str, url: str, fits: bool) -> None:
    assert blocked(f"img-src {sources}", url) is not fits


def test_redirects_forget_paths() -> None:
    assert blocked("img-src cdn.example/a/", "https://cdn.example/b/c")
    assert not blocked("img-src cdn.example/a/", "https://cdn.example/b/c", redirected=True)


def test_all_policies_must_allow_and_report_only_ones_only_tell() -> None:
    both = page("img-src *, img-src 'self'")
    assert len(both.policies) == 2
    assert len(both.judge(parse_url("https://other.example/"), "image")) == 1
    trial = policies([("Content-Security-Policy-Report-Only", "img-src 'none'; upgrade-insecure-requests")], PAGE)
    (remark,) = trial.judge(PAGE, "image")
    assert remark.level == "warning"
    assert "loads it all the same" in remark.message
    assert not trial.upgrades
    assert policies([("content-security-policy", "UPGRADE-insecure-requests")], PAGE).upgrades
    assert page("img-src 'none'; img-src *").judge(PAGE, "image")


def test_nonces_hashes_and_strict_dynamic() -> None:
    script = "https://cdn.example/x.js"
    sri = f"sha256-{base64.b64encode(hashlib.sha256(b'x').digest()).decode()}"
    assert not blocked("script-src 'nonce-abc'", script, "script", nonce="abc")
    assert blocked("script-src 'nonce-abc'", script, "script", nonce="ABC")
    assert blocked("script-src 'nonce-abc'", script, "script")
    assert blocked("script-src 'strict-dynamic' 'nonce-abc' https:", script, "script")
    assert not blocked("script-src 'strict-dynamic' 'nonce-abc'", script, "script", by_script=True)
    assert not blocked(f"script-src '{sri}'", script, "script", integrity=sri)
    assert blocked(f"script-src '{sri}'", script, "script", integrity=f"{sri} sha256-{'A' * 43}=")
    assert not blocked("style-src 'nonce-abc'", script, "stylesheet", nonce="abc")


def test_inline() -> None:
    told = f"'sha256-{base64.b64encode(hashlib.sha256(b'let a').digest()).decode()}'"
    assert page("script-src 'self'").inline("script", "let a")
    assert not page("script-src 'unsafe-inline'").inline("script", "let a")
    assert page("script-src 'unsafe-inline' 'nonce-x'").inline("script", "let a")
    assert not page("script-src 'nonce-x'").inline("script", "let a", nonce="x")
    assert not page(f"script-src {told}").inline("script", "let a")
    assert page(f"script-src {told}").inline("script", "let b")
    assert not page("img-src 'none'").inline("stylesheet", "p{}")


def test_doubts_are_told() -> None:
    messages = "; ".join(
        r.message for r in page("scrip-src 'self'; img-src self; font-src 'none' *; script-src 'unsafe-inline'").remarks
    )
    assert "'scrip-src', which does not exist" in messages
    assert "self in img-src needs quotes: 'self'" in messages
    assert "'none' counts for nothing in font-src" in messages
    assert "'unsafe-inline' allows injected scripts" in messages
    assert page("default-src 'self'; object-src 'none'; frame-ancestors 'none'").remarks == []


def test_a_meta_cannot_say_everything() -> None:
    made = page("frame-ancestors 'none'; img-src 'none'", meta=True)
    assert [set(policy.directives) for policy in made.policies] == [{"img-src"}]
    assert page("img-src a.example, b.example", meta=True).policies[0].directives["img-src"] == ("a.example,", "b.example")


def test_hosts() -> None:
    assert host_matches("*", "any.example")
    assert not host_matches("*.0.0.1", "127.0.0.1")


@given(st.text(max_size=80))
def test_no_policy_is_too_strange(text: str) -> None:
    made = page(text, f"script-src {text}")
    made.judge(PAGE, "script", nonce="x", integrity=text)
    made.inline("script", text)


SOURCES = [
    "*", "'self'", "'none'", "http:", "https:", "data:", "localhost", "localhost:{port}", "localhost:*", "http://localhost:{port}",
    "https://localhost:{port}", "http://localhost:{port}/near/", "http://localhost:{port}/near", "http://localhost:{port}/near/x",
    "127.0.0.1:{port}", "*.localhost:{port}", "*.localhost:*", "http://*:{port}", "http://*:*", "ws://localhost:{port}",
    "//localhost:{port}", "LOCALHOST:{port}/near/x", "localhost:{port}/NEAR/x", "self", "localhost:{port}/n%65ar/x",
    "localhost:99", "'self' 127.0.0.1:*", "",
]  # fmt: skip
TARGETS = (
    "http://localhost:{port}/near/x",
    "http://localhost:{port}/far",
    "http://127.0.0.1:{port}/near/x",
    "http://a.localhost:{port}/near/x",
)


@needs_chromium
def test_chromium_asks_for_the_same_images(tmp_path: Path) -> None:
    server = Listener()
    try:
        port = server.port
        server.files["/"] = "<!doctype html><body>"
        for number, sources in enumerate(SOURCES):
            images = "".join(f"<img src='{target.format(port=port)}?{number}'>" for target in TARGETS)
            policy = f'<meta http-equiv=Content-Security-Policy content="img-src {sources.format(port=port)}">'
            server.files[f"/page{number}"], server.types[f"/page{number}"] = f"<!doctype html>{policy}{images}", "text/html"
        with paged(tmp_path) as browser:
            browser.open(f"http://localhost:{port}/")
            browser.evaluate(
                f"""Promise.all(Array.from({{length: {len(SOURCES)}}}, (_, number) => new Promise(done => {{
                    const frame = document.createElement('iframe');
                    frame.onload = () => done(1);
                    frame.src = '/page' + number;
                    document.body.append(frame);
                }})))"""
            )
        wanted: dict[str, list[str]] = {}
        found: dict[str, list[str]] = {}
        for number, sources in enumerate(SOURCES):
            made = Csp(parse_url(f"http://localhost:{port}/page{number}"))
            made.add(f"img-src {sources.format(port=port)}", meta=True)
            for target in TARGETS:
                url = parse_url(f"{target.format(port=port)}?{number}")
                if not made.judge(url, "image"):
                    wanted.setdefault(sources, []).append(target)
                if (url.target, url.authority) in {(path, dict(head)["Host"]) for path, head in server.asked}:
                    found.setdefault(sources, []).append(target)
    finally:
        server.close()
    assert found == wanted
