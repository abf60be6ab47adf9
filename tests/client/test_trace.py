"""A whole trace against whole sites: redirects, cookies, caches, policies, pages with their parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pellucid.client.options import TraceOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.client.trace import begin, trace
from pellucid.http.cookies import Jar
from pellucid.journey import Journey, document_visit
from scripted import Answer, Asked, Scripted, Site, paths, scripted, visit_to


def run(site: Site, act: Callable[[Scripted], Awaitable[Journey]]) -> tuple[Journey, list[Asked]]:
    async def going() -> tuple[Journey, list[Asked]]:
        async with scripted(site) as running:
            return await act(running), running.asked

    return asyncio.run(going())


def traced(site: Site, path: str = "/", **options: object) -> tuple[Journey, list[Asked]]:
    return run(site, lambda running: running.traced(path, **options))  # type: ignore[arg-type]


CSS = "text/css"
JS = "text/javascript"
PAGE = """<!doctype html><title>x</title><link rel=stylesheet href=a.css><script src=b.js></script>
<body class=hero><img src=c.png><iframe src=frame.html></iframe><p style="background: url(g.png)">text</body>"""
SITE: Site = {
    "/": Answer(PAGE),
    "/a.css": Answer("@import 'd.css'; .hero { background: url(e.png) } .none { background: url(never.png) }", type=CSS),
    "/d.css": Answer("body { font-family: F } @font-face { font-family: F; src: url(f.woff2) }", type=CSS),
    "/b.js": Answer("fetch('/script')", type=JS),
    "/c.png": Answer(b"\x89PNG\r\n\x1a\n", type="image/png"),
    "/e.png": Answer(b"\x89PNG\r\n\x1a\n", type="image/png"),
    "/g.png": Answer(b"\x89PNG\r\n\x1a\n", type="image/png"),
    "/frame.html": Answer("<img src=inner.png><iframe src=deeper.html></iframe>"),
    "/inner.png": Answer(b"\x89PNG\r\n\x1a\n", type="image/png"),
}


def test_a_page_with_its_parts_is_fetched_each_with_what_revealed_it() -> None:
    journey, asked = traced(SITE)
    assert sorted(paths(journey)) == sorted(
        ["/", "/a.css", "/b.js", "/c.png", "/frame.html", "/d.css", "/e.png", "/f.woff2", "/g.png", "/inner.png", "/favicon.ico"]
    )
    assert sorted(request.target for request in asked) == sorted(paths(journey))
    sheet, image, font = visit_to(journey, "/a.css"), visit_to(journey, "/e.png"), visit_to(journey, "/inner.png")
    assert (sheet.initiator.visit, sheet.initiator.offset) == (0, PAGE.index("<link"))
    assert journey.visits[image.initiator.visit or 0].url.endswith("/a.css")
    assert journey.visits[font.initiator.visit or 0].url.endswith("/frame.html")
    assert visit_to(journey, "/g.png").initiator.offset == PAGE.index("<p style")
    never = next(skipped for skipped in journey.skipped if skipped.url.endswith("/never.png"))
    assert "no element" in never.why or "match" in never.why
    assert any(skipped.url.endswith("/deeper.html") for skipped in journey.skipped)
    for visit in journey.visits:
        instants = [visit.discovered, visit.queued_until, visit.connection_ready, visit.sent_first, visit.sent_last]
        instants += [visit.first_byte, visit.last_byte]
        assert None not in instants
        assert instants == sorted(instants, key=lambda at: at or 0), visit.url
    assert journey.finished is not None
    assert journey.finished >= max(visit.last_byte or 0 for visit in journey.visits)


def test_only_the_document() -> None:
    journey, asked = traced(SITE, only_document=True)
    assert len(asked) == len(journey.visits) == 1


def test_redirects_are_visits_of_their_own_with_what_browsers_change() -> None:
    site: Site = {
        "/a": Answer(status=302, headers=(("Location", "/b?x=1"),)),
        "/b": Answer(status=307, headers=(("Location", "/c"),)),
        "/c": Answer("end"),
    }
    journey, asked = traced(site, "/a#top", method="POST", body=b"q=1", content_type="application/x-www-form-urlencoded")
    assert [(request.method, request.target, request.body) for request in asked[:3]] == [
        ("POST", "/a", b"q=1"),
        ("GET", "/b?x=1", b""),
        ("GET", "/c", b""),
    ]
    assert "content-type" not in asked[1].headers
    sent = journey.visits[0].request
    assert sent is not None
    names = [name.lower() for name, _ in sent.headers]
    assert names.index("content-type") < names.index("user-agent")  # its place in Chrome
    assert [visit.redirected_from for visit in journey.visits[:3]] == [None, 0, 1]
    document = document_visit(journey.visits)
    assert document is not None
    assert document.url.endswith("/c#top")


def test_an_endless_redirect_ends() -> None:
    journey, asked = traced({"/": Answer(status=302, headers=(("Location", "/"),))})
    assert len(asked) == 21
    assert journey.visits[-1].failure is not None
    assert journey.visits[-1].failure.slug == "too-many-redirects"


def test_credentials_do_not_follow_to_another_origin() -> None:
    site: Site = {
        "//shop.example/": lambda asked: Answer(
            status=302, headers=(("Location", f"http://other.example:{asked.host.split(':')[1]}/"),)
        ),
        "//other.example/": Answer("x"),
    }
    headers = (("Authorization", "Basic eDp5"), ("X-Mine", "1"))
    _, asked = run(site, lambda running: running.traced("/", "shop.example", headers=headers, only_document=True))
    assert asked[0].headers["authorization"] == "Basic eDp5"
    assert "authorization" not in asked[1].headers
    assert asked[1].headers["x-mine"] == "1"


def test_cookies_are_stored_sent_and_refused_with_the_reason() -> None:
    site: Site = {
        "/": Answer(
            "<img src=/i.png>",
            headers=(
                ("Set-Cookie", "a=1; Path=/"),
                ("Set-Cookie", "b=2; Domain=other.example"),
                ("Set-Cookie", "c=3; Secure"),
                ("Set-Cookie", "__Host-d=4; Path=/x"),
            ),
        ),
        "/i.png": Answer(b"", type="image/png"),
    }
    journey, asked = run(site, lambda running: running.traced("/", "shop.example"))
    fates = {cookie.name: cookie.fate for cookie in journey.visits[0].cookies}
    assert fates == {"a": "stored", "b": "refused", "c": "refused", "__Host-d": "refused"}
    image = next(request for request in asked if request.target == "/i.png")
    assert image.headers["cookie"] == "a=1"
    assert all(cookie.says for cookie in journey.visits[0].cookies)


def test_a_jar_brings_cookies_and_takes_them_home() -> None:
    jar = Jar()
    jar.load("shop.example\tFALSE\t/\tFALSE\t4102444800\told\tvalue\n", 1_700_000_000)
    site: Site = {"/": Answer("x", headers=(("Set-Cookie", "new=1; Max-Age=1000"),))}
    _, asked = run(site, lambda running: running.traced("/", "shop.example", jar=jar, only_document=True))
    assert asked[0].headers["cookie"] == "old=value"
    assert "\tnew\t1" in jar.save(1_700_000_000)


def test_the_second_visit_comes_from_the_cache() -> None:
    def tagged(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == '"v1"':
            return Answer(status=304, headers=(("ETag", '"v1"'), ("Cache-Control", "no-cache")))
        return Answer(
            "<link rel=stylesheet href=a.css><img src=c.png>", headers=(("ETag", '"v1"'), ("Cache-Control", "no-cache"))
        )

    site: Site = {
        "/": tagged,
        "/a.css": Answer("body{}", type=CSS, headers=(("Cache-Control", "max-age=100"),)),
        "/c.png": Answer(b"\x89PNG\r\n\x1a\n", type="image/png", headers=(("Cache-Control", "no-store"),)),
    }
    journey, asked = traced(site, twice=True)
    again = [request.target for request in asked[len(paths(journey)) :]]
    assert sorted(again) == sorted(["/", "/c.png", "/favicon.ico"]), "no-store, and a 404 without a lifetime, are asked for again"
    assert visit_to(journey, "/", 2).from_cache == "validated"
    assert visit_to(journey, "/a.css", 2).from_cache == "fresh"
    assert visit_to(journey, "/c.png", 2).from_cache is None
    assert visit_to(journey, "/", 2).body.decoded == visit_to(journey, "/", 1).body.decoded
    assert sorted(paths(journey, 2)) == sorted(paths(journey, 1))


def test_a_resource_named_twice_is_fetched_once() -> None:
    page = "<link rel=preload as=image href=c.png><img src=c.png><img src=c.png#x><style>b{background:url(c.png)}</style><b>x</b>"
    journey, asked = traced({**SITE, "/": Answer(page)})
    assert [request.target for request in asked].count("/c.png") == 1
    assert len(paths(journey)) == len(set(paths(journey)))


def test_early_hints_and_link_fields_name_resources_before_the_document_does() -> None:
    site: Site = {
        **SITE,
        "/": Answer(
            "<p>x",
            headers=(("Link", "</b.js>; rel=preload; as=script"),),
            interim=b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n",
        ),
    }
    journey, _ = traced(site)
    assert [early.status for early in journey.visits[0].early] == [103]
    assert visit_to(journey, "/a.css").initiator.by == "early"
    assert visit_to(journey, "/b.js").initiator.by == "header"


def test_a_policy_that_forbids_is_heeded_and_said() -> None:
    policy = (("Content-Security-Policy", "img-src 'none'; script-src 'self'"),)
    journey, _ = traced({**SITE, "/": Answer(PAGE, headers=policy)})
    assert "/c.png" not in paths(journey)
    skipped = next(skipped for skipped in journey.skipped if skipped.url.endswith("/c.png"))
    assert "img-src" in skipped.why
    assert "/b.js" in paths(journey)


def test_a_font_that_cannot_be_had_leads_to_the_next() -> None:
    sources = "url(gone.woff2) format('woff2'),url(there.woff) format('woff')"
    page = f"<style>@font-face{{font-family:F;src:{sources}}}p{{font-family:F}}</style><p>x"
    journey, _ = traced({"/": Answer(page), "/there.woff": Answer(b"wOFF", type="font/woff")})
    assert visit_to(journey, "/gone.woff2").received is not None
    assert visit_to(journey, "/there.woff").initiator.by == "style"


def test_modules_bring_their_imports() -> None:
    site: Site = {
        "/": Answer("<script type=module src=/m.js></script>"),
        "/m.js": Answer("import './n.js'; export * from '/o.js'; import('/later.js')", type=JS),
        "/n.js": Answer("", type=JS),
        "/o.js": Answer("", type=JS),
    }
    journey, _ = traced(site)
    assert {"/m.js", "/n.js", "/o.js"} < set(paths(journey))
    assert "/later.js" not in paths(journey)


def test_the_policy_for_referrers_in_the_head_of_a_page_is_kept() -> None:
    for policy, told in (("no-referrer", False), ("origin", True)):
        _, asked = traced({"/": Answer("<img src=a.png>", headers=(("Referrer-Policy", policy),)), "/a.png": Answer("x")})
        image = next(request for request in asked if request.target == "/a.png")
        assert ("referer" in image.headers) is told


def test_a_redirect_may_change_the_policy_for_referrers() -> None:
    onward = Answer(status=302, headers=(("Location", "/b.png"), ("Referrer-Policy", "no-referrer")))
    _, asked = traced({"/": Answer("<img src=a.png>"), "/a.png": onward, "/b.png": Answer("x")})
    told = {request.target: "referer" in request.headers for request in asked}
    assert (told["/a.png"], told["/b.png"]) == (True, False)


def test_the_limit_is_kept_and_said() -> None:
    page = "".join(f"<img src=/i{number}.png>" for number in range(30))
    journey, asked = traced({"/": Answer(page)}, limit=10)
    assert len(asked) == 10
    assert any(note.topic == "limit" for note in journey.notes)


def test_the_time_is_kept_and_what_came_is_kept() -> None:
    async def going() -> Journey:
        forever = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await forever.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            told = TraceOptions(timeout=0.2)
            journey, clock, _ = begin(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", told)
            await trace(journey, clock, told)
            forever.set()
            return journey

    journey = asyncio.run(going())
    assert journey.failure is not None
    assert journey.failure.slug == "timeout"
    assert journey.visits[0].failure is not None


def test_nobody_there() -> None:
    async def going() -> Journey:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        told = TraceOptions()
        journey, clock, _ = begin(f"http://127.0.0.1:{port}/", told)
        await trace(journey, clock, told)
        return journey

    journey = asyncio.run(going())
    assert journey.failure is not None
    assert "refused" in journey.failure.slug
    assert journey.finished is not None


def test_the_request_joins_the_servers_trace_on_its_own_site_only() -> None:
    site: Site = {
        "//shop.example/": lambda asked: Answer(f"<img src=http://cdn.example:{asked.host.split(':')[1]}/c.png><img src=/d.png>"),
        "/c.png": Answer(b"", type="image/png"),
        "/d.png": Answer(b"", type="image/png"),
    }
    journey, asked = run(site, lambda running: running.traced("/", "shop.example"))
    by_target = {request.target: request for request in asked}
    assert by_target["/"].headers["traceparent"].split("-")[1] == journey.trace_id
    assert by_target["/d.png"].headers["traceparent"].split("-")[1] == journey.trace_id
    assert "traceparent" not in by_target["/c.png"].headers
    assert by_target["/c.png"].headers["referer"].startswith("http://shop.example:")


@pytest.mark.parametrize("type", ["text/plain", "application/json", "image/svg+xml"])
def test_what_is_no_page_names_nothing(type: str) -> None:
    journey, _ = traced({"/": Answer("<img src=c.png>", type=type)})
    assert paths(journey) == ["/"]


def test_an_assumed_https_that_nobody_speaks_is_asked_again_over_http() -> None:
    async def going() -> Journey:
        async with scripted({"/": Answer("<p>x")}) as running:
            names = ResolveOptions(overrides=(("shop.example", 0, ("127.0.0.1",)),), services=False)
            told = TraceOptions(only_document=True, resolve=names)
            journey, clock, assumed = begin(f"shop.example:{running.port}", told)
            assert assumed
            await trace(journey, clock, told, assumed=assumed)
            return journey

    journey = asyncio.run(going())
    first, second = journey.visits
    assert first.url.startswith("https:")
    assert first.received is None
    assert second.url.startswith("http:")
    assert second.redirected_from == first.id
    assert document_visit(journey.visits) is second
    assert journey.failure is None
    assert any(note.topic == "upgrade" for note in journey.notes)


@pytest.mark.parametrize(
    ("answer", "method"),
    [
        (Answer("<img src=c.png>", headers=(("Content-Disposition", 'attachment; filename="x.html"'),)), "GET"),
        (Answer("<img src=c.png>"), "HEAD"),
        (Answer("", 204, type=None), "GET"),
    ],
)
def test_what_a_browser_would_not_show_names_nothing(answer: Answer, method: str) -> None:
    journey, _ = traced({"/": answer}, method=method)
    assert paths(journey) == ["/"]
    assert journey.failure is None


def test_a_sheet_that_page_and_frame_share_counts_in_both() -> None:
    site: Site = {
        "/": Answer("<link rel=stylesheet href=s.css><iframe src=f.html></iframe><b class=top>x</b>"),
        "/f.html": Answer("<link rel=stylesheet href=s.css><b class=inner>x</b>"),
        "/s.css": Answer(".top { background: url(t.png) } .inner { background: url(i.png) }", type=CSS),
    }
    journey, asked = traced(site)
    assert {"/t.png", "/i.png"} < set(paths(journey))
    assert [request.target for request in asked].count("/s.css") == 1


def test_redirects_count_towards_the_limit() -> None:
    page = "".join(f"<img src=/r{number}>" for number in range(5))
    site: Site = {
        "/": Answer(page),
        **{f"/r{number}": Answer(status=302, headers=(("Location", f"/r{number}"),)) for number in range(5)},
    }
    journey, asked = traced(site, limit=12)
    assert len(asked) <= 12 + 5
    assert any(visit.failure is not None and visit.failure.slug == "limit" for visit in journey.visits)
