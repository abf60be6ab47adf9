"""What is drawn: which rows, in which order, with which phases; and how a bar falls into cells."""

from __future__ import annotations

import msgspec
import pytest

import journeys
from journeys import connection, journey, ms, visit
from pellucid.anatomy import remarks_arrival
from pellucid.anatomy.bars import bar
from pellucid.anatomy.drawing import Phase, Piece, Row, ticks
from pellucid.anatomy.layout import lay_out
from pellucid.anatomy.phases import visit_pieces
from pellucid.anatomy.waterfall import draw, rounds
from pellucid.journey import Attempt, Body, Connection, Failure, Journey, Lookup, Tls, Visit

PAGE = "https://shop.example/"


def rows(told: Journey, most: int | None = 20) -> list[Row]:
    return draw(told, most=most).rows


# Rows


def test_the_shop_from_top_to_bottom() -> None:
    found = rows(journeys.shop())
    assert [(row.role, row.label) for row in found[:9]] == [
        ("lookup", ". → shop. → pellucid.shop.  secure"),
        ("attempt", "203.0.113.5"),
        ("visit", "http://pellucid.shop/"),
        ("attempt", "[2001:db8::5] lost"),
        ("attempt", "203.0.113.5 won"),
        ("tls", "1.3 h2 x25519, 2 certs, 41 days left"),
        ("visit", "/"),
        ("server", "sql 12.0, encode 2.3, identify 2.2"),
        ("sql", "SELECT … FROM orders WHERE buyer = ? LIMIT ?"),
    ]
    font = next(row for row in found if row.kind == "font")
    assert (font.tree, font.note) == ((True, False), "found 19.0 ms late")
    hero = next(row for row in found if "hero" in row.label)
    assert hero.label == "cdn.example/hero.webp"


def test_more_than_twenty_of_a_kind_share_a_row() -> None:
    found = rows(journeys.shop())
    (more,) = [row for row in found if row.role == "more"]
    assert more.label == "16 more images"
    assert len(more.visits) == 16
    shown = [row.ref for row in found if row.kind == "img" and row.role == "visit"]
    assert len(shown) == 19
    assert 6 in shown  # the biggest and slowest
    assert 7 in shown  # the first
    assert not any(row.role == "more" for row in rows(journeys.shop(), None))


def test_what_failed_is_never_hidden_nor_what_it_hangs_below() -> None:
    visits = [visit(0, PAGE), *(visit(n, f"{PAGE}{n}", "image", by=0) for n in range(1, 60))]
    visits[50].failure = Failure("timeout", "No answer in time")
    visits.append(visit(60, f"{PAGE}child", "image", by=40, failure=Failure("timeout", "No answer in time")))
    shown = {row.ref for row in rows(journey(visits)) if row.role == "visit"}
    assert {40, 50, 60} <= shown


def test_a_hidden_request_takes_what_hangs_below_it_along() -> None:
    modules = [visit(n, f"{PAGE}{n}.js", "script", by=0) for n in range(1, 101)]
    imports = [visit(n + 100, f"{PAGE}{n}/a.css", "stylesheet", by=n) for n in range(1, 101)]
    found = rows(journey([visit(0, PAGE), *modules, *imports]))
    assert len(found) < 80
    assert sorted(id for row in found for id in row.visits) == list(range(201))
    assert [row.label for row in found if row.role == "more" and row.tree == (False,)][-1].endswith("more stylesheets")


def test_visits_that_name_one_another_are_drawn_all_the_same() -> None:
    visits = [visit(0, PAGE), *(visit(n, f"{PAGE}{n}", "image", by=by) for n, by in ((1, 2), (2, 1), (3, 3)))]
    assert sorted(id for row in rows(journey(visits)) for id in row.visits) == [0, 1, 2, 3]


def test_a_redirect_of_a_part_hangs_below_it() -> None:
    visits = [
        visit(0, PAGE),
        visit(1, f"{PAGE}a", "image", by=0, status=301, redirected_to=f"{PAGE}b"),
        visit(2, f"{PAGE}b", "image", redirect=1, redirected_from=1),
    ]
    first, second = rows(journey(visits))[-2:]
    assert (first.tone, first.note) == ("moved", f"→ {PAGE}b")
    assert (second.lead, second.tree) == ("→", (False, False))


def test_what_came_from_the_cache_says_so_and_has_no_size() -> None:
    kept = visit(1, f"{PAGE}a", "image", by=0, from_cache="fresh", sent_first=None, sent_last=None, connection=None)
    row = rows(journey([visit(0, PAGE), kept]))[-1]
    assert (row.note, row.size) == ("from the cache", None)


def test_two_rounds_are_two_drawings_with_an_axis_each() -> None:
    again = visit(1, PAGE, times=(500, 500, 501, 510, 512))
    again.round = 2
    told = journey([visit(0, PAGE), again], finished=ms(512))
    assert rounds(told) == [1, 2]
    assert (draw(told, 1).end, draw(told, 2).start) == (ms(6), ms(500))


def test_many_attempts_are_counted() -> None:
    made = connection(1, 0)
    made.attempts = [Attempt(f"192.0.2.{n}", 80, ms(n), ms(n + 1), "lost") for n in range(9)]
    made.attempts.append(Attempt("192.0.2.99", 80, ms(9), ms(10), "won"))
    told = journey([visit(0, "http://a.example/", times=(0, 10, 11, 12, 13), reused=False)], connections=[made])
    labels = [row.label for row in rows(told) if row.role == "attempt"]
    assert len(labels) == 7
    assert labels[-2:] == ["4 more attempts, none won", "192.0.2.99 won"]


def test_an_address_of_ipv6_and_an_unusual_port() -> None:
    made = connection(1, 0)
    made.attempts = [Attempt("::1", 8000, 0, ms(1), "refused", "refused by the host")]
    made.connected = made.ready = None
    made.failure = Failure("connection-refused", "[::1]:8000 refused the connection")
    lost = visit(0, "http://[::1]:8000/", reused=False, received=None, failure=made.failure, sent_first=None, first_byte=None)
    attempt, sent = rows(journey([lost], connections=[made]))
    assert (attempt.label, attempt.tone, attempt.note) == ("[::1]:8000 refused", "bad", "refused by the host")
    assert sent.note == "never sent"


# Phases


def of(told: Journey, each: Visit) -> list[tuple[Phase, float, float]]:
    return [(piece.phase, piece.start / 1e6, piece.end / 1e6) for piece in visit_pieces(told, each)]


def test_the_phases_of_a_part_with_a_connection_of_its_own() -> None:
    made = connection(2, 22, "cdn.example", "https")
    made.lookup, made.tls, made.ready = 1, Tls(ms(22.5), ms(30)), ms(30)
    part = visit(1, "https://cdn.example/a", "image", (10, 30, 31, 40, 45), by=0, connection=2, reused=False, queued_until=ms(12))
    lookup = Lookup(1, "cdn.example", "cdn.example", "system", ms(12), ms(20))
    told = journey([visit(0, PAGE), part], connections=[connection(1, 0), made], lookups=[lookup])
    assert of(told, part) == [
        ("queue", 10, 12), ("dns", 12, 20), ("queue", 20, 22), ("connect", 22, 22.5), ("tls", 22.5, 30), ("send", 30, 31),
        ("wait", 31, 40), ("receive", 40, 45),
    ]  # fmt: skip


def test_a_reused_connection_is_waited_for_only() -> None:
    part = visit(1, f"{PAGE}a", "image", (10, 14, 15, 20, 21), by=0)
    told = journey([visit(0, PAGE), part])
    assert of(told, part) == [("queue", 10, 14), ("send", 14, 15), ("wait", 15, 20), ("receive", 20, 21)]


def test_a_request_without_an_answer_waited_to_its_end() -> None:
    part = visit(1, PAGE, times=(0, 1, 2, 0, 0), first_byte=None, last_byte=None, finished=ms(30), received=None)
    assert of(journey([part]), part) == [("queue", 0, 1), ("send", 1, 2), ("wait", 2, 30)]


def test_a_body_that_broke_off_was_received_to_its_end() -> None:
    part = visit(1, PAGE, times=(0, 0, 1, 5, 0), last_byte=None, finished=ms(9), body=Body(complete=False))
    assert of(journey([part]), part)[-1] == ("receive", 5, 9)
    assert rows(journey([part]))[0].note == "cut short"


def test_a_connection_that_never_came_about() -> None:
    made = Connection(1, "https", "a", 443, ms(3), attempts=[Attempt("192.0.2.1", 443, ms(3))])
    part = visit(1, "https://a/", "image", by=0, reused=False, queued_until=ms(3), connection_ready=None, sent_first=None,
                 sent_last=None, first_byte=None, last_byte=None, finished=ms(20), received=None)  # fmt: skip
    assert of(journey([part], connections=[made]), part) == [("queue", 0, 3), ("connect", 3, 20)]


# Cells


def drawn(*pieces: tuple[Phase, float, float], end: float = 100, room: int = 10, note: str = "", failed: bool = False) -> str:
    row = Row("visit", pieces=tuple(Piece(phase, ms(a), ms(b)) for phase, a, b in pieces), note=note, failed=failed)
    words, _ = bar(row, 0, ms(end), room)
    text = "".join(word for word, _ in words)
    assert len(text) == room
    return text.rstrip()


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([("wait", 0, 50), ("receive", 50, 100)], "·····█████"),
        ([("wait", 0, 50), ("receive", 50, 82.5)], "·····███▎"),
        ([("wait", 0, 50), ("receive", 50, 51)], "·····▏"),
        ([("send", 0, 0.1), ("wait", 0.1, 50)], "─····"),
        ([("queue", 10, 30), ("send", 30, 31), ("wait", 31, 70), ("receive", 70, 71)], " ░░─···▏"),
        ([("wait", 50, 50.5)], "     ·"),
        ([("dns", 100, 100)], "         ▒"),
        ([("receive", 97, 97.1)], "         ▏"),
        ([("queue", 20, 26), ("send", 26, 27), ("wait", 27, 33)], "  ░"),
        ([], ""),
    ],
)
def test_phases_fall_into_cells(pieces: list[tuple[Phase, float, float]], expected: str) -> None:
    assert drawn(*pieces) == expected


@pytest.mark.parametrize("length", range(1, 100, 7))
@pytest.mark.parametrize("at", range(0, 100, 9))
def test_phases_keep_their_order_and_their_place(at: int, length: int) -> None:
    parts = [at + length * share for share in (0, 0.2, 0.21, 0.9, 1)]
    phases: list[Phase] = ["queue", "send", "wait", "receive"]
    text = drawn(*zip(phases, parts, parts[1:], strict=False), end=200, room=40)
    order = {"░": 0, "─": 1, "·": 2}
    ranks = [order.get(glyph, 3) for glyph in text.strip()]
    assert ranks == sorted(ranks)
    assert text.strip()
    assert abs((len(text) - len(text.lstrip())) - at / 5) <= 1


def test_a_note_stands_before_the_bar_or_behind_it_or_below() -> None:
    assert drawn(("wait", 80, 90), room=20, note="late") == "           late ··"
    assert drawn(("wait", 0, 10), room=20, note="late") == "·· late"
    row = Row("visit", label="/", pieces=(Piece("wait", 0, ms(100)),), note="found late", visits=(1,))
    told = journeys.simple()
    drawing = draw(told)
    drawing.rows[:] = [row]
    texts = ["".join(word for word, _ in line).rstrip() for line in lay_out(drawing, 100)]
    assert "  found late" in texts


def test_a_failure_is_crossed() -> None:
    assert drawn(("wait", 0, 50), failed=True) == "·····✗"
    assert drawn(("wait", 0, 100), failed=True) == "·········✗"


@pytest.mark.parametrize(
    ("end", "most", "expected"),
    [
        (ms(149), 6, (["0", "50", "100"], "ms")),
        (ms(2), 5, (["0", "0.5", "1", "1.5", "2"], "ms")),
        (ms(9_000), 4, (["0", "5,000"], "ms")),
        (ms(25_000), 6, (["0", "5", "10", "15", "20", "25"], "s")),
        (0, 5, (["0"], "ms")),
    ],
)
def test_ticks_are_round(end: int, most: int, expected: tuple[list[str], str]) -> None:
    marks, unit = ticks(0, end, most)
    assert ([label for _, label in marks][:6], unit) == expected


def test_a_walk_names_the_zones_on_its_way_down_and_no_others() -> None:
    told = journeys.shop()
    root, shop, own = told.lookups[0].hops
    root.purpose, shop.purpose = "priming", "servers of shop."
    for why, zone in (("DNSKEY of x.", "x."), ("address of y.", "y.")):
        told.lookups[0].hops.append(msgspec.structs.replace(own, purpose=why, zone=zone))
    assert draw(told).rows[0].label.startswith(". → shop. → pellucid.shop.  secure")


def test_a_name_that_failed_is_said_once() -> None:
    told = journeys.nameless()
    made = connection(1, 0, "nowhere.example")
    made.attempts, made.lookup, made.failure = [], told.lookups[0].id, told.lookups[0].failure
    told.connections.append(made)
    assert [row.role for row in draw(told).rows if row.role != "visit"] == ["lookup"]


def test_why_an_answer_is_bogus_is_said_once() -> None:
    told = journeys.nameless()
    told.lookups[0].verdict, told.lookups[0].verdict_says = "bogus", "The key is missing"
    told.lookups[0].failure = told.failure = Failure("bogus", "The answer was not signed as its zones say: The key is missing")
    assert draw(told).rows[0].note == told.failure.message
    assert remarks_arrival.bogus_name(told) is None
