"""Colours of `pellucid trace`: who gets them, and that they cost nobody a word."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from oracle import served

COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "TERM": "xterm-256color"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_gets_colours_where_they_are_wanted(
    tmp_path_factory: pytest.TempPathFactory, words: tuple[str, ...], environment: dict[str, str], expected: bool
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<p>x")
    with served(folder) as site:
        command = [sys.executable, "-m", "pellucid", "trace", f"{site.origin}/", "--only-document", "--show", "request", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert bool(COLOR.search(done.stdout)) == expected
    plain = COLOR.sub("", done.stdout)
    assert "200 OK in " in plain
    assert "GET / HTTP/1.1" in plain
