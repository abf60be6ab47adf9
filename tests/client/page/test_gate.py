"""What a page's own policies let through, held against a real browser: nonces, hashes, scripts and styles inside it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path

from chromium import needs_chromium
from oracle import Site, browser, score, served
from pellucid.client.options import TraceOptions
from pellucid.client.trace import begin, trace
from pellucid.journey import Journey
from scripted import Answer, paths, scripted

INLINE = 'import "./p/hashed.mjs"'
HASH = f"'sha256-{base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()}'"
FILE = "// a file"
INTEGRITY = f"sha256-{base64.b64encode(hashlib.sha256(FILE.encode()).digest()).decode()}"
PAGE = f"""<!doctype html><html><head><link rel=icon href=data:,>
<link rel=stylesheet href=p/plain.css><link rel=stylesheet nonce=n href=p/nonce.css>
<style>.a {{ background: url(p/style.png) }}</style>
<style nonce=n>.b {{ background: url(p/style-nonce.png) }}</style>
<style>@import "p/imported.css";</style>
<style nonce=n>@import "p/imported-nonce.css";</style>
<script src=p/plain.js></script><script nonce=n src=p/nonce.js></script><script nonce=other src=p/other.js></script>
<script src=file.js integrity="{INTEGRITY}"></script>
<script type=module src=p/plain.mjs></script><script type=module nonce=n src=with-import.mjs></script>
<script type=module>import "./p/inline.mjs"</script><script type=module nonce=n>import "./p/inline-nonce.mjs"</script>
<script type=module>{INLINE}</script>
<link rel=preload as=script href=p/preloaded.js><link rel=preload as=script nonce=n href=p/preloaded-nonce.js>
</head><body><p style="background: url(p/attribute.png)">x<p class=a>x<p class=b>y<img src=p/image.png></body></html>"""
POLICIES = (
    "default-src 'self'",
    "default-src 'self' 'unsafe-inline'",
    "script-src 'nonce-n'; style-src 'nonce-n'",
    "script-src 'self' 'nonce-n' 'unsafe-inline'; style-src 'self' 'unsafe-inline' 'nonce-n'",
    f"script-src {HASH} '{INTEGRITY}'; style-src 'none'",
    "script-src 'nonce-n' 'strict-dynamic'; img-src 'none'",
    "script-src-elem 'none'; style-src-elem 'nonce-n'",
    "style-src 'unsafe-inline'; style-src-attr 'none'",
)


def asked_by_us(address: str) -> Journey:
    options = TraceOptions(inside=False, timeout=20)
    journey, clock, assumed = begin(address, options)
    asyncio.run(trace(journey, clock, options, assumed=assumed))
    return journey


@needs_chromium
def test_a_browser_asks_for_the_same_under_every_policy(tmp_path: Path) -> None:
    (tmp_path / "file.js").write_text(FILE)
    (tmp_path / "with-import.mjs").write_text('import "./p/deeper.mjs"')
    headers = {}
    for number, policy in enumerate(POLICIES):
        (tmp_path / f"{number}.html").write_text(PAGE)
        headers[f"/{number}.html"] = [("Content-Security-Policy", policy)]
    with browser(tmp_path / "chromium") as chromium, served(tmp_path, headers) as site:
        visits: list[tuple[Site, str]] = [(site, f"/{number}.html") for number in range(len(POLICIES))]
        differing = []
        for place in visits:  # one after another: their requests are told apart by the page alone
            site.asked.clear()
            (theirs,) = chromium.visit(place)
            journey = asked_by_us(f"{site.origin}{place[1]}")
            result = score(theirs, {visit.url for visit in journey.visits[1:]})
            if result.theirs or result.ours:
                differing.append((POLICIES[int(place[1][1])], "only theirs", result.theirs, "only ours", result.ours))
    assert not differing, "\n".join(map(repr, differing))


def test_what_is_forbidden_in_the_page_itself_is_noted_with_its_place() -> None:
    async def going() -> Journey:
        page = "<p>x\n<style>p{color:red}</style>\n<script>let a</script><script type=application/json>{}</script>"
        policy = ("Content-Security-Policy", "default-src 'self'; scrip-src *")
        async with scripted({"/": Answer(page, headers=(policy,))}) as running:
            return await running.traced("/")

    notes = [(note.level, note.message) for note in asyncio.run(going()).visits[0].notes if note.topic == "csp"]
    reason = "it stands in the page itself, which says default-src 'self'"
    assert ("error", f"A browser blocks the style in line 2: {reason}") in notes
    assert ("error", f"A browser blocks the script in line 3: {reason}") in notes
    assert ("info", "The policy has a directive 'scrip-src', which does not exist") in notes
    assert len(notes) == 3


def test_policies_of_the_document_hold_for_what_stands_below_them() -> None:
    async def going() -> Journey:
        meta = '<meta http-equiv=Content-Security-Policy content="style-src \'none\'">'
        page = f"<style>p{{background:url(a.png)}}</style>{meta}<style>i{{background:url(b.png)}}</style><p>x<i>y</i>"
        async with scripted({"/": Answer(page)}) as running:
            return await running.traced("/")

    asked = paths(asyncio.run(going()))
    assert "/a.png" in asked
    assert "/b.png" not in asked
