"""What depends on the terminal: how many colours, and the line of progress."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest

import journeys
from journeys import ms
from pellucid.anatomy.layout import Line
from pellucid.anatomy.progress import Progress
from pellucid.anatomy.terminal import color_of, compose, encode, overview, paint
from pellucid.anatomy.verdict import Verdict


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none"),
        ({}, "16"),
    ],
)
def test_a_terminal_says_how_many_colours_it_has(environ: dict[str, str], expected: str) -> None:
    assert color_of(Terminal(), environ) == expected


def test_a_pipe_has_none_unless_forced() -> None:
    assert color_of(io.StringIO(), {"TERM": "xterm-256color", "COLORTERM": "truecolor"}) == "none"
    assert color_of(io.StringIO(), {"TERM": "xterm-256color", "FORCE_COLOR": "1"}) == "256"


def test_progress_is_one_line_that_goes_away() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.update(3, 14, 212_000, ms(184))
    progress.update(4, 14, 213_000, ms(190))
    assert stream.getvalue().split("\r\x1b[2K") == ["", "3 of 14 requests, 212 kB, 184 ms", "4 of 14 requests, 213 kB, 190 ms"]
    progress.erase()
    progress.erase()
    assert stream.getvalue().endswith("190 ms\r\x1b[2K")
    assert "\n" not in stream.getvalue()


def test_no_progress_where_nobody_looks() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.update(1, 1, 1, 1)
    progress.erase()
    assert stream.getvalue() == ""


def test_an_escape_in_a_url_never_reaches_the_terminal() -> None:
    told = journeys.journey([journeys.visit(0, "http://a.example/\x1b]0;owned\x07\x9b2J\u202e/x")])
    told.shown = told.url
    text = overview(told, 100, "truecolor")
    assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]", text)
    assert "\\x1b]0;owned\\x07" in text


def test_two_visits_are_told_one_below_the_other() -> None:
    told = journeys.simple()
    again = journeys.visit(1, told.url, times=(50, 50, 50.5, 52, 53))
    again.round = 2
    told.visits.append(again)
    told.finished = ms(53)
    text = overview(told, 100)
    assert text.startswith("200 OK in 3.3 ms")
    assert "\nVisited again: 200 OK in 3.0 ms" in text


def test_a_verdict_alone_is_painted() -> None:
    assert paint([], Verdict("No address", "bad"), [], 80) == "No address\n"
    lines: list[Line] = compose([], [], [], 80, ["JavaScript was not run"])
    assert encode(lines[-1], "16") == "\x1b[90mJavaScript was not run\x1b[0m"


def test_drawing_imports_nothing_slow() -> None:
    code = "import sys, pellucid.anatomy.terminal; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    slow = {"rich", "click", "asyncio", "ssl", "sqlalchemy", "dns", "jinja2"}
    assert not slow & set(done.stdout.split())
