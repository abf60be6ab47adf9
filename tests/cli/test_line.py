"""A request's line can be read at a glance at every width, and shows where the time went."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cli.line import Facts, duration_text, request_line, size_text

MS = 1_000_000
STATIONS = {
    "parse": 20_000,
    "route": 10_000,
    "query": 60_000,
    "sql": 210_000,
    "encode": 50_000,
    "finish": 10_000,
    "write": 40_000,
}


def facts(target: str = "/api/cities?limit=20", stations: dict[str, int] = STATIONS, duration: int = 400_000) -> Facts:
    return Facts("12:01:07", "GET", target, 200, "0123456789abcdef", duration, 2300, stations)


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_a_line_without_colours() -> None:
    assert request_line(facts(), 120, colour=False) == (
        "12:01:07 GET    200 /api/cities?limit=20                  0.40 ms  2.3 kB #abcdef query 0.06 sql 0.21 encode 0.05"
    )


@pytest.mark.parametrize("width", [72, 80, 100, 120, 140, 200])
@pytest.mark.parametrize("colour", [True, False])
def test_a_line_fits_its_terminal_and_its_columns_stand_below_each_other(width: int, colour: bool) -> None:
    lines = [
        plain(request_line(each, width, colour=colour))
        for each in (facts(), facts("/" + "x" * 300), facts("/", {"sql": 90 * MS}, 90 * MS), facts("/", {}, 5000 * MS))
    ]
    assert all(len(line) <= width for line in lines)
    assert len({line.index("#abcdef") for line in lines if "#abcdef" in line}) == 1
    assert "…" in lines[1]


def test_where_there_is_little_room_words_go_before_the_bar() -> None:
    assert plain(request_line(facts(), 80, colour=True)).endswith("#abcdef sql 0.21")
    assert "█" in request_line(facts(), 100, colour=True)


def test_a_lesser_station_never_stands_for_one_that_has_no_room() -> None:
    line = request_line(facts(stations={"a_station_of_the_users": 9 * MS, "sql": MS}, duration=10 * MS), 80, colour=False)
    assert "sql" not in line


def test_the_bar_shows_each_stations_share_in_its_colour() -> None:
    line = request_line(facts(stations={"parse": 5 * MS, "sql": 5 * MS}, duration=10 * MS), 100, colour=True)
    cells = re.findall(r"\x1b\[([0-9;]+)m(█)", line)
    assert [code for code, _ in cells] == ["36"] * 5 + ["34"] * 5


def test_what_nobody_measured_leaves_the_bar_empty() -> None:
    line = request_line(facts(stations={"sql": 5 * MS}, duration=10 * MS), 100, colour=True)
    assert plain(line).count("█") == 5


@given(st.dictionaries(st.sampled_from(["parse", "sql", "encode", "own"]), st.integers(0, 10**10)), st.integers(0, 10**10))
def test_any_times_give_a_bar_of_one_width(stations: dict[str, int], duration: int) -> None:
    line = plain(request_line(facts("/", stations, duration), 90, colour=True))
    assert len(line) <= 90


def test_a_terminal_never_sees_a_requests_control_characters() -> None:
    line = request_line(facts("/a\x1b[2J\x9b\r\nforged"), 200, colour=False)
    assert line.isprintable()
    assert "\\x1b[2J" in line


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0.00 ms"),
        (410_000, "0.41 ms"),
        (12_340_000, "12.3 ms"),
        (340 * MS, "340 ms"),
        (1200 * MS, "1.20 s"),
        (125_000 * MS, "125 s"),
    ],
)
def test_durations_have_three_digits(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (2300, "2.3 kB"), (123_456, "123 kB"), (1_400_000, "1.4 MB"), (10**10, "10.0 GB")],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text
