"""What a browser chooses without layout, held against the browser itself: media queries, `@supports`, `srcset` with `sizes`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chromium import Page, needs_chromium, paged
from pellucid.client.page.media import matches
from pellucid.client.page.srcset import choose, parse_srcset
from pellucid.client.page.supports import supports
from pellucid.journey import Viewport

VIEWPORT = Viewport(1280, 720)

# Hover and pointer are not here: a browser without a screen has no mouse, and answers for a desktop's are wanted.
QUERIES = """
all|screen|print|not print|not all|only screen|speech|tv|foo|not foo||  screen  |SCREEN|"screen"|screen,|,|print, screen
(width)|(width: 1280px)|(min-width: 600px)|(max-width: 600px)|(min-width: 80em)|(min-width: 81em)|(max-width: 1280px)
(width >= 600px)|(600px <= width)|(600px <= width <= 1280px)|(600px < width < 1280px)|(width > 1280px)|(1280px = width)
(600px > width > 100px)|(2000px > width > 100px)|(100px < width > 50px)|(width = 1280px = 1280px)|(width => 1px)
(width < = 2000px)|(width<2000px)|(width>=10px>5px)|(height: 720px)|(min-height: 721px)|(aspect-ratio: 16/9)
(aspect-ratio: 16 / 9)|(min-aspect-ratio: 1)|(aspect-ratio > 1/1)|(min-aspect-ratio: 16/0)|(max-aspect-ratio: -1/1)
(aspect-ratio: 1.7778)|(orientation)|(orientation: landscape)|(orientation: portrait)|(orientation: foo)
(min-orientation: portrait)|(resolution: 1dppx)|(min-resolution: 96dpi)|(min-resolution: 1.5x)|(max-resolution: infinite)
(resolution >= 37dpcm)|(-webkit-min-device-pixel-ratio: 1)|(-webkit-min-device-pixel-ratio: 1.5)
(-webkit-device-pixel-ratio: 1)|(min--moz-device-pixel-ratio: 1)|(color)|(min-color: 8)|(color: 8)|(color > 100)
(color-index)|(color-index: 0)|(monochrome)|(monochrome: 0)|(grid)|(grid: 0)|(grid: 1)|(prefers-color-scheme: light)
(prefers-color-scheme: dark)|(prefers-color-scheme)|(prefers-reduced-motion)|(prefers-reduced-motion: no-preference)
(prefers-reduced-motion: reduce)|(prefers-contrast)|(prefers-contrast: no-preference)
(prefers-reduced-transparency: no-preference)|(prefers-reduced-data: no-preference)|(forced-colors)|(forced-colors: none)
(scripting)|(scripting: enabled)|(scripting: none)|(update)|(update: fast)|(overflow-block: scroll)
(overflow-inline: scroll)|(display-mode: browser)|(display-mode: standalone)|(color-gamut: srgb)|(color-gamut: p3)
(color-gamut)|(dynamic-range: standard)|(dynamic-range: high)|(device-posture: continuous)|(scan)|(scan: progressive)
(inverted-colors)|(video-dynamic-range: standard)|(-webkit-transform-3d)|(-webkit-animation)
(horizontal-viewport-segments: 1)|(foo)|(foo: bar)|(not (foo))|not (foo)|not (width)|(width) and (height)|(width) and (foo)
(width) or (foo)|(foo) or (width)|(width) and (height) or (color)|(width) and (not (print))|((width) and (height)) or (foo)
not ((foo) and (width))|not ((foo) or (width))|not (width) and (height)|(width) and not (foo)|screen and (width)
screen and (foo)|screen and not (foo)|screen or (width)|screen and (width) or (height)|(width) and screen
screen and (width) and (height)|not screen and (min-width: 2000px)|not screen and (foo)|only screen and (min-width: 1px)
only (width)|only|not|and|or|layer|not layer|screen and|screen (width)|screen and(width)|screen and (width|(width: 1280px
((width))|(((min-width: 1px)))|( width )|(width:)|(: 1px)|()|(width: 1px 2px)|(width: 1)|(width: 0)|(min-width: 0)
(min-width: -1px)|(max-width: -1px)|(min-width: 1e3px)|(min-width: calc(600px + 10em))|(min-width: calc(1px * 2000))
(min-width: calc(1 + 1px))|(min-width: max(1px, 2000px))|(min-width: 10cm)|(min-width: 100in)|(min-width: 50vw)
(min-width: 101vw)|(min-width: 1foo)|(min-width: 10%)|foo(bar)|not foo(bar)|(width) /* and (foo) */
(min-width:600px) and (max-width:900px), print and (orientation:landscape), (height)|a b|screen screen
((min-width: 1px) and (max-width: 9999px))|(min-width : 600px)|(MIN-WIDTH: 600PX)|(min-width: +600px)|screen;|{}|(width){}
\\73 creen|(device-aspect-ratio > 0/1)|(min-device-pixel-ratio: 1)|(any-hover: foo)|(pointer: foo)
(min-width: 600px) and (min-width: 601px)
""".strip().replace("\n", "|").split("|")

CONDITIONS = """
(display: grid)|(display: flex)|(display: foo)|(display: -ms-grid)|(display: -webkit-box)|(display: run-in)|(foo: bar)
(--foo: bar)|(display:grid)|( display : grid )|(display: grid !important)|not (display: grid)|not (foo: bar)
(display: grid) and (foo: bar)|(display: grid) or (foo: bar)|(display: grid) and (not (foo: bar))
(display: grid) and not (foo: bar)|((display: grid))|(display: grid) and (color: red) or (foo: bar)|not not (display: grid)
(position: sticky)|(position: -webkit-sticky)|(-webkit-appearance: none)|(-moz-appearance: none)
(-webkit-touch-callout: none)|(-webkit-overflow-scrolling: touch)|(backdrop-filter: blur(2px))
(-webkit-backdrop-filter: blur(1px))|(object-fit: cover)|(mask-image: none)|(aspect-ratio: 1)
(font-variation-settings: normal)|(gap: 1px)|(color: var(--x))|(text-wrap: balance)|(text-wrap: foo)|(overflow: overlay)
selector(a)|selector(a > b)|selector(:has(a))|selector(:is(a, b))|selector(:-moz-focusring)|selector(::-webkit-scrollbar)
selector(:focus-visible)|not selector(:foo-bar)|font-format(woff2)|font-format(foo)|font-tech(variations)
font-tech(color-svg)|(display)|(display:)|display: grid|()|foo|(foo)|foo(bar)|not foo(bar)|(width: 1px) and|and (width: 1px)
(scrollbar-width: thin)|(accent-color: red)|(inset: 0)|(animation-timeline: scroll())|(container-type: inline-size)
(float: footnote)|(zoom: 1)|(-ms-ime-align: auto)|(-moz-orient: inline)|(-o-object-fit: fill)|(display: inherit)
((display: grid) or (foo: bar)) and (color: red)
""".strip().replace("\n", "|").split("|")

IMAGES = [
    ("a 1x, b 2x", "", "s"), ("b 2x", "", "s"), ("a 1.5x, b 3x", "", ""), ("a .5x, b .9x", "", ""), ("a, b 2x", "", "s"),
    ("a", "", "s"), ("a 400w, b 800w, c 1600w", "", "s"), ("a 400w, b 800w, c 1600w", "100vw", "s"),
    ("a 400w, b 800w, c 1600w", "50vw", "s"), ("a 400w, b 800w, c 1600w", "(max-width: 600px) 100vw, 300px", ""),
    ("a 400w, b 800w", "(min-width: 600px) 500px, 100vw", ""), ("a 400w, b 800w", "calc(100vw - 800px)", ""),
    ("a 400w, b 800w", "min(300px, 50vw)", ""), ("a 400w, b 800w", "clamp(1px, 700px, 9em)", ""),
    ("a 400w, b 800w", "foo", ""), ("a 400w, b 800w", "100%, 200px", ""), ("a 400w, b 800w", "(foo) 1px, 200px", ""),
    ("a 400w, b 800w", "not (foo) 1px, 200px", ""), ("a 400w, b 800w", "-1px, 300px", ""), ("a 400w, b 800w", "0", ""),
    ("a 400w, b 800w", "print 1px, 300px", ""), ("a 400w, b 800w", "(width) and (height) 20em, 1px", ""),
    ("a 400w 1x, b", "", "s"), ("a 400w 300h, b 800w 600h", "500px", ""), ("a 300h, b", "", "s"), ("a 0w, b 1w", "", "s"),
    ("a -1x, b", "", "s"), ("a 1w 2w, b", "", ""), ("a,b", "", "s"), ("a,,b", "", "s"), (",,a 1x,, b 2x,,", "", ""),
    ("a, b", "", ""), ("a (x, y) 1x, b", "", ""), ("a 1x 1x, b", "", ""), ("data:,x 1x, b 2x", "", ""), ("a 2X, b", "", ""),
    ("a 1e0x, b 2x", "", ""), ("a +1x, b 2x", "", ""), ("a 1.x, b 2x", "", ""), ("a 10q, b", "", ""),
    ("a\t1x\n,\fb 2x", "", ""), ("   ", "", "s"), ("", "", "s"), ("a 1x, b 1x", "", "s"), ("a 1000w, b 1x", "", ""),
    ("a 1000w, b", "500px", "s"), ("a 0.7x, b 1.4x", "", ""), ("a 640w, b 1280w, c 1281w", "", ""),
    ("a 1279w, b 2560w", "", ""), ("a 1x, b 2x", "", ""), ("a 0x, b 2x", "", ""), ("a 400w, b 800w", "auto, 10px", ""),
    ("a 400w, b 800w", "(min-width:1px) calc(1vw*3)", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with paged(tmp_path_factory.mktemp("chromium")) as found:
        found.call("Emulation.setDeviceMetricsOverride", width=1280, height=720, deviceScaleFactor=1, mobile=False)
        yield found


def answers(page: Page, expression: str, texts: object) -> list[object]:
    told: list[object] = page.evaluate(f"{json.dumps(texts)}.map({expression})")
    return told


@needs_chromium
def test_media_queries(page: Page) -> None:
    theirs = answers(page, "text => matchMedia(text).matches", QUERIES)
    differing = {text: answer for text, answer in zip(QUERIES, theirs, strict=True) if matches(text, VIEWPORT) != answer}
    assert not differing, "the browser's answers"


@needs_chromium
def test_supports_conditions(page: Page) -> None:
    theirs = answers(page, "text => CSS.supports(text)", CONDITIONS)
    differing = {text: answer for text, answer in zip(CONDITIONS, theirs, strict=True) if supports(text) != answer}
    assert not differing, "the browser's answers"


@needs_chromium
@pytest.mark.parametrize("density", [1.0, 1.5, 2.0, 0.75])
def test_images(page: Page, density: float) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=1280, height=720, deviceScaleFactor=density, mobile=False)
    images = [(re.sub(r"[abc](?=[\s,]|$)", r"http://127.0.0.1:9/\g<0>", srcset), sizes, src) for srcset, sizes, src in IMAGES]
    images = [(srcset, sizes, src and f"http://127.0.0.1:9/{src}") for srcset, sizes, src in images]
    theirs = page.evaluate(
        f"""Promise.all({json.dumps(images)}.map(async ([srcset, sizes, src]) => {{
            const image = new Image();
            if (sizes) image.sizes = sizes;
            if (src) image.src = src;
            image.srcset = srcset;
            await image.decode().catch(() => null);
            return image.currentSrc;
        }}))"""
    )
    viewport = Viewport(1280, 720, density)
    differing = {
        image: (theirs, ours)
        for image, theirs in zip(images, theirs, strict=True)
        if (ours := choose(*image, viewport) or "") != theirs
    }
    assert not differing, "the browser's, ours"


@given(st.text(st.sampled_from("()<>=:,/ andotrscewihpx0123.-%*+calfu\"'\\{}[]!;"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    matches(text, VIEWPORT)
    supports(text)
    choose(text, text, text, VIEWPORT)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers(1, 5000)), min_size=1, max_size=6))
def test_what_is_written_is_read(images: list[tuple[str, int]]) -> None:
    text = ", ".join(f"{url} {width}w" for url, width in images)
    assert [(each.url, each.width) for each in parse_srcset(text)] == images


def test_a_viewport_that_is_dark_and_dense() -> None:
    viewport = Viewport(400, 800, 2.0, dark=True)
    assert matches("(prefers-color-scheme: dark) and (min-resolution: 2x) and (orientation: portrait)", viewport)
    assert choose("a 1x, b 2x", None, None, viewport) == "b"
