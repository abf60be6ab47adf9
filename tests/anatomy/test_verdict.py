"""The one sentence."""

from __future__ import annotations

import pytest

import journeys
from journeys import connection, journey, ms, visit
from pellucid.anatomy.figures import count_text, duration_text, join_text, number_text, share_text, size_text
from pellucid.anatomy.verdict import Verdict, judge, phase_shares, status_text
from pellucid.journey import Body, Failure, Journey, Received

PAGE = "https://shop.example/"


def served() -> Journey:
    told = journey([visit(0, PAGE, times=(0, 1, 2, 60, 62), size=212_000, inside=journeys.orders())], finished=ms(65))
    told.visits.append(visit(1, f"{PAGE}a", "image", (61, 61, 62, 64, 65), by=0, connection=2))
    return told


def test_the_sentence_of_the_promise() -> None:
    text = "200 OK in 65.0 ms: 92 % waiting for the server (SQL 12.0 ms of 18.7 ms), 2 connections, 2 requests, 213 kB"
    assert judge(served()) == Verdict(text, "good")


@pytest.mark.parametrize(
    ("make", "text", "tone"),
    [
        (
            journeys.nameless,
            "No address: no.example does not exist (NXDOMAIN from 203.0.113.53), after 12.1 ms",
            "bad",
        ),
        (journeys.expired, "Certificate expired 3 days ago: nothing was sent", "bad"),
        (journeys.simple, "200 OK in 3.4 ms: 71 % waiting for the server, 1 connection, 1 request, 1.0 kB", "good"),
        (
            lambda: journey([visit(0, PAGE, status=404)], finished=ms(10)),
            "404 Not Found in 10.0 ms: 48 % waiting for the server, 1 connection, 1 request, 1.0 kB",
            "bad",
        ),
        (lambda: journey([], finished=ms(3)), "No answer after 3.0 ms: nothing more was told", "bad"),
    ],
)
def test_how_it_ended(make: object, text: str, tone: str) -> None:
    assert callable(make)
    verdict = judge(make())
    assert (verdict.text, verdict.tone) == (text, tone)


def test_what_would_help_is_said() -> None:
    assert judge(journeys.expired()).hint == "Renew it"
    assert judge(journeys.simple()).hint is None


def failing(slug: str, message: str, **more: object) -> Journey:
    failure = Failure(slug, message)
    lost = visit(0, PAGE, received=None, failure=failure, first_byte=None, last_byte=None, finished=ms(30), **more)
    return journey([lost], failure=failure, finished=ms(30))


def test_a_failure_is_told_with_its_cause_and_its_time() -> None:
    refused = failing("connection-refused", "127.0.0.1:81 refused the connection", sent_first=None, sent_last=None)
    assert judge(refused).text == "No connection: 127.0.0.1:81 refused the connection, after 30.0 ms"
    late = failing("timeout", "The server said nothing")
    assert judge(late).text == "No answer in time: The server said nothing, after 30.0 ms"
    given_up = failing("timeout", "the trace was given up after 0.03 s")
    assert judge(given_up).text == "No answer in time: the trace was given up after 0.03 s"


def test_a_body_cut_short_is_no_good_news() -> None:
    told = journey([visit(0, PAGE, body=Body(complete=False, wire=700))], finished=ms(9))
    assert judge(told) == Verdict("200 OK in 9.0 ms, but its body was cut short: 1 connection, 1 request, 700 B", "bad")


def test_parts_that_failed_are_counted() -> None:
    told = served()
    told.visits[1].failure = Failure("timeout", "no")
    assert judge(told).text.endswith("213 kB, 1 request failed")
    assert judge(told).tone == "warning"


def test_what_came_from_the_cache_is_no_request() -> None:
    told = served()
    told.visits[1].from_cache, told.visits[1].connection = "fresh", None
    assert "1 connection, 1 request, 1 from the cache" in judge(told).text


def test_a_reason_is_said_although_http2_sends_none() -> None:
    bare = visit(0, PAGE)
    bare.received = Received(418, "", "2")
    assert status_text(bare) == "418 I'm a Teapot"
    bare.received = Received(599, "", "2")
    assert status_text(bare) == "599"
    bare.received = Received(200, "\x1b[31mfine", "1.1")
    assert status_text(bare) == "200 \\x1b[31mfine"


def test_of_what_happens_at_once_the_furthest_counts() -> None:
    made = connection(1, 0)
    visits = [visit(0, PAGE, times=(0, 1, 1, 9, 10)), visit(1, f"{PAGE}a", "image", (2, 5, 6, 12, 14), by=0)]
    assert phase_shares(journey(visits, connections=[made]), visits) == {"queue": ms(1), "wait": ms(10), "receive": ms(3)}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (number_text(0), "0"),
        (number_text(0.4), "0.40"),
        (number_text(9.96), "10.0"),
        (number_text(1234.5), "1,234"),
        (duration_text(0), "0 ms"),
        (duration_text(1_500), "2 µs"),
        (duration_text(410_000), "0.41 ms"),
        (duration_text(184_000_000), "184 ms"),
        (duration_text(1_204_000_000), "1.20 s"),
        (duration_text(99_990_000_000), "100.0 s"),
        (duration_text(125 * 10**9), "2 min 5 s"),
        (duration_text(-5_000_000), "-5.0 ms"),
        (size_text(999), "999 B"),
        (size_text(99_960), "100 kB"),
        (size_text(1_400_000), "1.4 MB"),
        (size_text(3 * 10**12), "3,000 GB"),
        (count_text(1, "query"), "1 query"),
        (count_text(2_000, "more address"), "2,000 more addresses"),
        (share_text(1, 1000), "less than 1 %"),
        (share_text(999, 1000), "99 %"),
        (share_text(1, 0), "0 %"),
        (join_text(["a", "b", "c"]), "a, b and c"),
        (join_text([]), ""),
    ],
)
def test_figures(made: str, expected: str) -> None:
    assert made == expected
