"""A server's inside as rows: statements and their plans in plain words, other servers' durations without beginnings."""

from __future__ import annotations

import pytest

import journeys
from journeys import ms, visit
from pellucid.anatomy.drawing import Row
from pellucid.anatomy.inside import inside_rows, statements, summarize_statement, summarize_step, tells_more
from pellucid.anatomy.waterfall import draw
from pellucid.journey import Inside, InsideSpan, Timing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('SELECT "a"."id", "a"."b" FROM "a"\n WHERE "a"."id" = ?', "SELECT … FROM a WHERE id = ?"),
        ("SELECT t0.id FROM cities AS t0 ORDER BY t0.name LIMIT ?", "SELECT … FROM cities ORDER BY name LIMIT ?"),
        ('SELECT t0.id FROM "a" AS t0 JOIN "b" AS t1 ON t1.a = t0.id', "SELECT … FROM a AS t0 JOIN b AS t1 ON t1.a = t0.id"),
        ("SELECT * FROM a", "SELECT * FROM a"),
        ("SELECT count(*) FROM a WHERE a.x = 1", "SELECT count(*) FROM a WHERE a.x = 1"),
        ("SELECT (SELECT max(x) FROM b) FROM a", "SELECT … FROM a"),
        ("SELECT t0.a, (SELECT ' from (' FROM b AS t1) FROM a AS t0 WHERE t0.a = ?", "SELECT … FROM a WHERE a = ?"),
        ("SELECT (SELECT 1)", "SELECT (SELECT 1)"),
        ('UPDATE "a" SET "b" = ? WHERE "a"."id" = ?', "UPDATE a SET b = ? WHERE id = ?"),
        ("INSERT INTO a (b) VALUES (?)", "INSERT INTO a (b) VALUES (?)"),
        ("PRAGMA \x1b[31mx", "PRAGMA \\x1b[31mx"),
    ],
)
def test_a_statement_in_a_line(text: str, expected: str) -> None:
    assert summarize_statement(text) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("SCAN t0", "scanning cities"),
        ("SCAN t0 USING INDEX by_name", "scanning cities by index by_name"),
        ("SCAN t0 USING COVERING INDEX by_name", "scanning cities by index by_name"),
        ("SEARCH t0 USING INDEX by_name (name=?)", "by index by_name"),
        ("SEARCH t0 USING COVERING INDEX by_name (name>? AND name<?)", "by index by_name"),
        ("SEARCH t0 USING AUTOMATIC COVERING INDEX (id=?)", "by an index made for it"),
        ("SEARCH t0 USING INTEGER PRIMARY KEY (rowid=?)", "by primary key"),
        ("SEARCH t0 USING PRIMARY KEY (id=?)", "by primary key"),
        ("  USE TEMP B-TREE FOR ORDER BY", "sorting"),
        ("Seq Scan on cities", "Seq Scan on cities"),
    ],
)
def test_a_step_of_a_plan_in_plain_words(step: str, expected: str) -> None:
    assert summarize_step(step, 'SELECT t0.id FROM "cities" AS "t0"') == expected


def test_a_plan_is_told_without_its_headings_and_without_what_the_statement_made_itself() -> None:
    inner = ["  CO-ROUTINE anon_1", "    SEARCH t1 USING INDEX by_list (list=?)", "  SCAN anon_1"]
    plan = ["SCAN t0", "CORRELATED SCALAR SUBQUERY 2", *inner]
    text = "SELECT t0.a, (SELECT 1 FROM (SELECT 1 FROM tasks AS t1) AS anon_1) FROM lists AS t0"
    (_, statement) = rows(inside=Inside("1", [InsideSpan("sql", 0, 9, 0, {"sql": text, "rows": 2, "plan": plan})], "clock"))
    assert statement.note == "2 rows, scanning lists, by index by_list"


def rows(**more: object) -> list[Row]:
    return inside_rows(visit(0, "http://a.example/", **more), (), False)  # type: ignore[arg-type]


def test_stations_stand_where_they_were_and_equal_statements_together() -> None:
    told = journeys.orders()
    server, first, second = rows(inside=told)
    assert server.label == "sql 12.0, encode 2.3, identify 2.2"
    assert [piece.name for piece in server.pieces[:3]] == ["accept", "parse", "route"]
    assert (first.lead, first.duration, first.note) == ("sql", ms(9.2), "20 rows, by index orders_buyer")
    assert (second.lead, len(second.pieces), second.note) == ("sql ×8", 8, "24 rows, scanning line")
    assert [piece.start for piece in first.pieces] == [told.spans[4].start]
    assert [row.tree for row in (server, first, second)] == [(False,), (False, True), (False, False)]


def test_an_enclosing_station_gives_way_to_its_parts() -> None:
    parts = [InsideSpan("route", 0, 10, 1), InsideSpan("sql", 10, 80, 1), InsideSpan("write", 100, 5)]
    (server,) = rows(inside=Inside("1", [InsideSpan("app", 0, 100, 0), *parts], "clock"))
    assert [piece.name for piece in server.pieces] == ["route", "sql", "write"]


def test_many_statements_leave_the_slowest() -> None:
    spans = [InsideSpan("sql", n * 10, n + 1, 0, {"sql": f"SELECT {n}"}) for n in range(20)]
    _, *shown, more = rows(inside=Inside("1", spans, "clock"))
    assert len(shown) == 12
    assert more.label == "8 more statements"
    assert len(more.pieces) == 8
    assert len(statements(Inside("1", spans))) == 20


def test_what_is_not_on_our_clock_is_marked() -> None:
    server, *_ = rows(inside=Inside("1", [InsideSpan("route", ms(1), ms(2))], "wait", slack=ms(3)))
    assert server.unsure
    assert not any(piece.sure for piece in server.pieces)
    assert server.note == "somewhere in the wait, 3.0 ms of which it was not"


def test_durations_of_other_servers_end_at_the_first_byte_and_are_marked() -> None:
    trace = Timing("trace", None, "00-1-2-01")
    told = rows(timings=[Timing("total", 3.0), Timing("db", 2.0, "orders"), trace, Timing("miss", None)])
    assert [row.label for row in told] == ["db — orders", "miss", "total"]
    assert [piece for row in told for piece in row.pieces if piece.sure] == []
    assert (told[0].pieces[0].start, told[0].pieces[0].end) == (ms(3), ms(5))
    assert told[1].pieces == ()


def test_more_than_was_waited_is_not_drawn_beyond_the_request() -> None:
    (row,) = rows(timings=[Timing("db", 9000.0)])
    assert (row.pieces[0].start, row.pieces[0].end) == (0, ms(5))
    assert row.duration == ms(9000)


def test_many_durations_are_counted() -> None:
    told = rows(timings=[Timing(f"t{n}", 1.0) for n in range(10)])
    assert [row.label for row in told][-1] == "5 more entries"
    assert [row.tree for row in told] == [(True,)] * 5 + [(False,)]


def test_the_inside_of_a_file_is_left_out_where_it_says_nothing() -> None:
    told = journeys.shop()
    told.visits[2].inside = Inside("1", [InsideSpan("file", ms(56), ms(1))], "clock")
    assert not tells_more(told.visits[2], ms(150))
    assert [row.ref for row in draw(told).rows if row.role == "server"] == [1]
    assert [row.ref for row in draw(told, most=None).rows if row.role == "server"] == [1, 2]
