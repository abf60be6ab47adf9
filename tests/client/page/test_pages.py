"""The set of URLs that a page asks for, held against a real browser's, on real sites and on a page of hard cases.

The score of a page is URLs in common / URLs in either. What scripts ask for is left out on the browser's side, by evidence
(`oracle.score`): JavaScript is not run here. Nothing else is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from chromium import needs_chromium
from oracle import Browser, Requested, Score, Site, browser, score, served
from pellucid.client.options import TraceOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.client.trace import begin, trace
from pellucid.journey import Journey
from sites import THEMES, unpacked

HERE = Path(__file__).parent
DOC = Path("/usr/share/doc")
AT_ONCE = 6
"""Pages that the browser visits at the same time."""

DOCUMENTATION = {
    "python-django-doc/html": ("index.html", "topics/db/queries.html", "search.html"),
    "python3.11-doc/html": ("index.html", "library/asyncio-task.html", "search.html"),
    "postgresql-doc-15/html": ("index.html", "sql-select.html", "bookindex.html"),
}
HEADERS = {
    "/hard.html": [
        ("Link", '<p/header-preload.png>; rel=preload; as=image, </p/header-sheet.css>; rel="stylesheet"'),
        ("Link", "</p/header-module.mjs>; rel=modulepreload, </p/header-anchored.png>; rel=preload; as=image; anchor=/elsewhere"),
        ("Link", "</p/header-print.png>; rel=preload; as=image; media=print, <p/header-prefetch.txt>; rel=prefetch"),
    ]
}


class Compared(NamedTuple):
    """A page, both lists, and how far they agree."""

    site: str
    page: str
    origin: str
    theirs: list[Requested]
    journey: Journey
    score: Score


def asked_by_us(address: str) -> Journey:
    """Our own visit; names that are not on loopback are asked of nobody."""
    options = TraceOptions(resolve=ResolveOptions(mode="127.0.0.1:9", timeout=1.0, services=False), inside=False)
    journey, clock, assumed = begin(address, options)
    asyncio.run(trace(journey, clock, options, assumed=assumed))
    return journey


def ours(journey: Journey) -> set[str]:
    """The URLs of a journey but the page's own."""
    return {visit.url.partition("#")[0] for visit in journey.visits[1:] if visit.redirected_from is None}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages."""
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def compared(places: Sequence[tuple[str, Path, str]], chromium: Browser) -> Iterator[Compared]:
    """Visit the pages with both: name of the site, its folder, path of the page."""
    with ExitStack() as open_sites:
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            sites = [open_sites.enter_context(served(root, HEADERS)) for _, root, _ in some]
            visits = [(site, f"/{page}") for site, (_, _, page) in zip(sites, some, strict=True)]
            heard = chromium.visit(*visits)
            for (name, root, page), site, theirs in zip(some, sites, heard, strict=True):
                journey = asked_by_us(f"{site.origin}/{page}")
                result = score(theirs, ours(journey))
                if result.theirs:
                    again = open_sites.enter_context(served(root, HEADERS))
                    (unscripted,) = chromium.visit((again, f"/{page}"), scripts=False)
                    result = score(theirs, ours(journey), _moved(unscripted, again, site))
                yield Compared(name, page, site.origin, theirs, journey, result)


def _moved(requested: Sequence[Requested], there: Site, here: Site) -> list[Requested]:
    """The same requests as of another origin."""
    return [each._replace(url=each.url.replace(there.origin, here.origin)) for each in requested]


def told(page: Compared) -> str:
    """One line for the report, and what differs."""
    lines = [f"{page.score.value:.3f}  {len(page.score.common):3} in common  {page.site}/{page.page}"]
    for what, urls in (("only the browser", page.score.theirs), ("only we", page.score.ours), ("scripts", page.score.scripted)):
        lines += [f"       {what}: {url.removeprefix(page.origin)}" for url in sorted(urls)]
    return "\n".join(lines)


@needs_chromium
def test_documentation_asks_for_what_a_browser_asks_for(chromium: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    missing = [name for name in DOCUMENTATION if not (DOC / name).is_dir()]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    held([(name, DOC / name, page) for name, pages in DOCUMENTATION.items() for page in pages], chromium, capsys, least=1.0)


@needs_chromium
def test_themes_ask_for_what_a_browser_asks_for(chromium: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {name: unpacked(name) for name in THEMES}
    if None in folders.values():
        pytest.skip("npm is not installed")
    places = [(name, folder, page) for name, folder in folders.items() if folder is not None for page in THEMES[name]]
    held(places, chromium, capsys, least=0.95)


@needs_chromium
def test_hard_cases_ask_for_what_a_browser_asks_for(chromium: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    (page,) = held([("hard cases", HERE, "hard.html")], chromium, capsys, least=0.97)
    priorities = {each.url: each.priority for each in reversed(page.theirs) if each.priority}
    differing = {
        visit.url.removeprefix(page.origin): (priorities[visit.url], visit.priority)
        for visit in page.journey.visits
        if visit.url in priorities and visit.priority != priorities[visit.url]
    }
    assert not differing, "theirs, ours"


PRELOADS = {
    "index.html": """<!doctype html><html><head><link rel=icon href=data:,>
        <link rel=preload as=style href=only.css><link rel=preload as=style href=both.css>
        <link rel=modulepreload href=module.mjs><link rel=modulepreload href=never.mjs><link rel=preload as=script href=script.js>
        <link rel=stylesheet href=both.css><link rel=stylesheet href=print.css media=print>
        <link rel=stylesheet href=twice.css media=print><link rel=stylesheet href=twice.css>
        <meta http-equiv=Content-Security-Policy content="img-src 'self'; font-src 'none'">
        <script type=module src=module.mjs></script><script src=script.js></script></head>
        <body><p class=a>x<p class=b>y<p class=c>z<p class=d>w<img src=https://elsewhere.invalid/blocked.png>""",
    "only.css": '@import "only-imported.css"; .a { background: url(p/only.png) }',
    "both.css": '@import "p/both-imported.css"; .b { background: url(p/both.png) }',
    "print.css": '@import "p/print-imported.css"; .c { background: url(p/print.png) }',
    "twice.css": '@import "p/twice-imported.css"; .d { background: url(p/twice.png) }',
    "module.mjs": 'import "./needed.mjs"',
    "needed.mjs": 'import "./p/deeper.mjs"',
    "never.mjs": 'import "./p/never-imported.mjs"',
    "script.js": "",
}


@needs_chromium
def test_preloads_count_only_when_they_are_needed(
    tmp_path: Path, chromium: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in PRELOADS.items():
        (tmp_path / name).write_text(text)
    held([("preloads", tmp_path, "index.html")], chromium, capsys, least=1.0)


def held(
    places: Sequence[tuple[str, Path, str]], chromium: Browser, capsys: pytest.CaptureFixture[str], *, least: float
) -> list[Compared]:
    """Compare all, print the scores, and insist on the least."""
    pages = list(compared(places, chromium))
    with capsys.disabled():
        print("\n" + "\n".join(told(page) for page in pages))
    low = [told(page) for page in pages if page.score.value < least]
    assert not low
    return pages
