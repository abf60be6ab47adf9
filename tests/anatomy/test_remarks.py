"""Every remark: what brings it about, what it says, and that a sound journey is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import journeys
from journeys import DAY, certificate, connection, journey, ms, visit
from pellucid.anatomy import remarks_arrival, remarks_page, remarks_server
from pellucid.anatomy.remark import Rule, is_loopback, name_of
from pellucid.anatomy.remarks import RULES, footnotes, noted, noted_besides, remarks
from pellucid.journey import (
    Attempt,
    Body,
    Failure,
    Initiator,
    Inside,
    InsideSpan,
    Journey,
    Kernel,
    Lookup,
    Note,
    Received,
    Skipped,
    Timing,
    Tls,
    Visit,
)

PAGE = "https://shop.example/"


def page(*others: Visit, times: tuple[float, float, float, float, float] = (0, 0.5, 0.6, 10, 12), **more: object) -> Journey:
    """A document and its parts, over in 100 ms."""
    return journey([visit(0, PAGE, times=times), *others], finished=ms(100), **more)


def sheet(id: int, at: float, by: int = 0, **more: object) -> Visit:
    return visit(id, f"{PAGE}{id}.css", "stylesheet", (at, at, at + 0.1, at + 20, at + 21), by=by, **more)  # type: ignore[arg-type]


def secured(days: float, *, failure: Failure | None = None) -> Journey:
    made = connection(1, 0, scheme="https")
    made.tls = Tls(ms(1), ms(5), chain=[certificate(days)], failure=failure)
    return page(connections=[made])


def lossy() -> Journey:
    made = connection(1, 0)
    made.kernel = Kernel(ms(90), 9000, 10, 9000, 3, 10, 1448)
    return page(connections=[made])


def one_family_dead() -> Journey:
    made = connection(1, 0)
    made.attempts = [Attempt("2001:db8::1", 443, 0, ms(251), "lost"), Attempt("203.0.113.5", 443, ms(250), ms(251), "won")]
    told = page(connections=[made], times=(0, 251, 252, 280, 290))
    told.visits[0].reused, told.finished = False, ms(300)
    return told


def hopping() -> Journey:
    visits = [
        visit(0, "http://shop.example/", times=(0, 0, 1, 20, 20), status=301),
        visit(1, PAGE, times=(20, 20, 21, 40, 41), redirect=0, redirected_from=0),
    ]
    return journey(visits, finished=ms(100))


def slow(**more: object) -> Journey:
    told = page(times=(0, 0, 0.5, 80, 81))
    for name, value in more.items():
        setattr(told.visits[0], name, value)
    return told


def inside(*spans: tuple[str, float, float, object]) -> Inside:
    return Inside("1", [InsideSpan(name, ms(start), ms(took), 0, detail) for name, start, took, detail in spans], "clock")


SELECT = {"sql": "SELECT a FROM line WHERE id = ?", "plan": ["SCAN line"], "rows": 1}


def text_file(kept: bytes, **more: object) -> Journey:
    body = Body(framing="length", wire=len(kept), coded=len(kept), decoded=len(kept), kept=kept, supplied_type="text/css")
    return page(visit(1, f"{PAGE}a.css", "stylesheet", by=0, body=body, **more))  # type: ignore[arg-type]


def waiting(count: int, busy: int = 6) -> Journey:
    """So many requests wait while `busy` connections carry others."""
    others = [visit(n, f"{PAGE}busy{n}", "image", (10, 10, 11, 39, 40), by=0, connection=n) for n in range(1, 1 + busy)]
    late = [visit(busy + n, f"{PAGE}{n}", "image", (12, 40, 41, 45, 50), by=0) for n in range(1, 1 + count)]
    return page(*others, *late, connections=[connection(n, 0) for n in range(1, 7)])


def left_out(source: str, why: str) -> Skipped:
    return Skipped(f"{PAGE}x.png", "image", Initiator(0, "parser", "<img src>"), why, source)


CASES: list[tuple[Rule, Callable[[], Journey], str]] = [
    (
        remarks_arrival.slow_names,
        lambda: page(lookups=[Lookup(1, "shop.example", "shop.example", "system", 0, ms(60))], connections=[named()]),
        "Looking the name up took 60.0 ms, 60 % of the time",
    ),
    (
        remarks_arrival.bogus_name,
        lambda: page(lookups=[Lookup(1, "a", "a", "walk", 0, verdict="bogus", verdict_says="the key of a. is missing")]),
        "The signatures of a in the DNS do not hold: the key of a. is missing",
    ),
    (
        remarks_arrival.distrusted,
        lambda: secured(-3.1, failure=Failure("certificate-expired", "Certificate expired 3 days ago")),
        "Certificate expired 3 days ago; the connection was used all the same, as asked",
    ),
    (
        remarks_arrival.certificate_ends,
        lambda: secured(9),
        "The certificate of shop.example is about to expire: 9 days left",
    ),
    (
        remarks_arrival.lost_packets,
        lossy,
        "The network lost packets on the way to shop.example: 3 segments had to be sent again",
    ),
    (
        remarks_arrival.waited_for_family,
        one_family_dead,
        "2001:db8::1 did not answer, so connecting began 250 ms later with 203.0.113.5",
    ),
    (remarks_arrival.redirected, hopping, "1 redirect cost 20.0 ms before the page was asked for"),
    (
        remarks_arrival.plain_http,
        lambda: journey([visit(0, "http://shop.example/")]),
        "The page came over http: whoever is on the way can read and change it",
    ),
    (
        remarks_server.slow_server,
        slow,
        "The server took 79.5 ms for the document, 80 % of the time",
    ),
    (
        remarks_server.slow_server,
        lambda: slow(inside=inside(("route", 1, 5, None), ("sql", 6, 60, SELECT))),
        "The server took 79.5 ms for the document, 80 % of the time; 60.0 ms of it in SQL",
    ),
    (
        remarks_server.slow_server,
        lambda: slow(inside=inside(("route", 1, 5, None), ("render", 6, 60, None))),
        "The server took 79.5 ms for the document, 80 % of the time; 60.0 ms of it in render",
    ),
    (
        remarks_server.slow_server,
        lambda: slow(timings=[Timing("db", 50.0), Timing("total", 75.0)]),
        "The server took 79.5 ms for the document, 80 % of the time; it says 50.0 ms of it were db",
    ),
    (
        remarks_server.repeated_statement,
        lambda: slow(inside=inside(*(("sql", n, 0.5, SELECT) for n in range(7)))),
        "The same statement ran 7 times for the page, 3.5 ms together: SELECT … FROM line WHERE id = ?",
    ),
    (
        remarks_server.scanned_table,
        lambda: slow(inside=inside(("sql", 1, 30, SELECT))),
        "SQL for the page read the whole of line in 30.0 ms: an index would spare that",
    ),
    (
        remarks_server.failed_requests,
        lambda: page(*(visit(n, f"{PAGE}{n}.png", "image", by=0, status=404) for n in (1, 2, 3))),
        "3 requests failed: 1.png (404), 2.png (404) and 1 more",
    ),
    (
        remarks_page.late_fonts,
        lambda: page(sheet(1, 11), visit(2, f"{PAGE}f.woff2", "font", (33, 33, 34, 40, 50), by=1)),
        "1 font found only after CSS, 22.0 ms late; a preload would spare that",
    ),
    (
        remarks_page.late_sheets,
        lambda: page(sheet(1, 11), sheet(2, 33, by=1), sheet(3, 60, by=2)),
        "2 stylesheets found only through @import, 49.0 ms late",
    ),
    (
        remarks_page.late_scripts,
        lambda: page(
            visit(1, f"{PAGE}1.js", "script", (11, 11, 12, 30, 31), by=0),
            visit(2, f"{PAGE}2.js", "script", (31, 31, 32, 50, 51), by=1),
        ),
        "1 script found only after other scripts, 20.0 ms late; a modulepreload would spare that",
    ),
    (
        remarks_page.uncompressed,
        lambda: text_file(b"body { color: black }\n" * 1000),
        "A.css came uncompressed: gzip would save about 21.9 kB of 22.0 kB",
    ),
    (
        remarks_page.unkept,
        lambda: page(*(sheet(n, 12) for n in (1, 2, 3))),
        "3 files (3.0 kB) will be fetched whole on the next visit: nothing says how long they may be kept",
    ),
    (
        remarks_page.blocked_rendering,
        lambda: page(sheet(1, 30, blocking=True), sheet(2, 60, by=1, blocking=True)),
        "Nothing could be painted for 69.0 ms after the page was there: it waited for 2 stylesheets",
    ),
    (
        remarks_page.queued,
        lambda: waiting(4),
        "4 requests waited for a free connection, up to 28.0 ms: HTTP/1.1 has six for a host",
    ),
    (
        remarks_page.forbidden,
        lambda: page(skipped=[left_out("CSP 3, section 6.7.2", "A browser blocks it: the page says img-src 'none'")] * 2),
        "2 parts of the page are forbidden by its own policy: https://shop.example/x.png, since the page says img-src 'none'",
    ),
    (
        remarks_page.forbidden,
        lambda: page(skipped=[left_out("Mixed Content, should fetching be blocked", "A script over http: a browser blocks it")]),
        "A script over http: a browser blocks it: https://shop.example/x.png",
    ),
    (
        noted_besides,
        lambda: page(notes=[Note("limit", "warning", "Stopped"), Note("cors", "error", "it may not be read")]),
        "It may not be read",
    ),
    (
        remarks_page.big_images,
        lambda: page(visit(1, f"{PAGE}hero.jpg", "image", by=0, size=2_100_000)),
        "hero.jpg is 2.1 MB",
    ),
    (
        noted,
        lambda: page(notes=[Note("delay", "warning", "The answer came 40 ms after its head"), Note("dns", "info", "no")]),
        "The answer came 40 ms after its head",
    ),
]


def named() -> journeys.Connection:
    made = connection(1, 60)
    made.lookup = 1
    return made


@pytest.mark.parametrize(("rule", "make", "text"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_rule_speaks(rule: Rule, make: Callable[[], Journey], text: str) -> None:
    if rule is remarks_arrival.slow_names:
        told = make()
        told.visits[0].reused = False
    else:
        told = make()
    found = rule(told)
    assert found is not None
    assert found.text == text
    assert 0 < found.score <= 100


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _, _ in CASES} == set(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_journey_is_left_alone(rule: Rule) -> None:
    kept = [("cache-control", "max-age=600"), ("content-type", "text/css"), ("content-encoding", "br")]
    css = sheet(1, 11, received=Received(200, "", "2", kept))
    css.finished = css.last_byte = ms(20)
    assert rule(page(css)) is None
    assert rule(secured(200)) is None
    assert rule(page(connections=[])) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("make", [journeys.nameless, journeys.expired, lambda: journey([])])
def test_a_journey_that_led_nowhere_breaks_no_rule(rule: Rule, make: Callable[[], Journey]) -> None:
    rule(make())


def test_the_weightiest_three_come_first() -> None:
    texts = [remark.text for remark in remarks(journeys.shop())]
    assert len(texts) == 3
    assert texts[0] == "1 request failed: missing.png (404)"
    scores = [remark.score for remark in remarks(journeys.shop(), 20)]
    assert scores == sorted(scores, reverse=True)


def test_the_sooner_a_certificate_ends_the_more_it_matters() -> None:
    soon, later = remarks_arrival.certificate_ends(secured(2)), remarks_arrival.certificate_ends(secured(20))
    assert soon is not None
    assert later is not None
    assert soon.score > later.score
    assert remarks_arrival.certificate_ends(secured(DAY)) is None


def test_what_was_not_done_is_said_below() -> None:
    told = page(notes=[Note("script", "info", "JavaScript was not run"), Note("limit", "warning", "Stopped after 200 requests")])
    assert footnotes(told) == ["JavaScript was not run"]
    assert remarks(told)[0].text == "Stopped after 200 requests"


def test_a_name_of_this_machine_is_no_way_that_others_are_on() -> None:
    told = journey([visit(0, "http://shop.example/")])
    assert remarks_arrival.plain_http(told) is not None
    told.connections[0].address = "127.0.0.1"
    assert remarks_arrival.plain_http(told) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:8000/a", True), ("http://[::1]/", True), ("http://a.localhost/", True), ("http://a.example/127.", False)],
)
def test_this_machine_is_known(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://a.example/b/c.css?v=1#d", "c.css"), ("https://a.example/", "the page"), ("https://a.a", "the page")],
)
def test_names_are_short(url: str, expected: str) -> None:
    assert name_of(visit(1, url)) == expected


def test_a_request_that_could_have_had_a_connection_did_not_wait_for_one() -> None:
    assert remarks_page.queued(waiting(4, busy=5)) is None


def test_warnings_about_two_things_are_both_said() -> None:
    unread = [Note("cors", "error", "It may not be read"), Note("cors", "error", "Nor this")]
    told = page(
        visit(1, f"{PAGE}a.js", "script", by=0, notes=[Note("integrity", "error", "the hash differs")]),
        visit(2, f"{PAGE}b.js", "script", by=0, notes=unread),
        notes=[Note("type", "info", "Nothing to worry about")],
    )
    assert [remark.text for remark in remarks(told)] == ["The hash differs", "It may not be read (and 1 more remark like it)"]
