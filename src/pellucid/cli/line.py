"""One request as one line of text, with a bar that shows where its time went.

In: what is known of a request, the width of the terminal, colours or not. Out: a line. Pure: it reads no clock and writes
nowhere, so that a test can look at it.

    12:01:07 GET    200 /api/cities?limit=20            0.41 ms  2.3 kB #4bf92f ▍▋████▊█▎▊ sql 0.21 encode 0.05
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Facts", "duration_text", "printable", "request_line", "size_text", "style"]

BOLD, DIM = "1", "2"
RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, GREY = "31", "32", "33", "34", "35", "36", "90"

# The stations of a request by colour: bytes grey, finding out yellow to magenta, the database blue, making the answer green.
_STATIONS: Mapping[str, str] = {
    "accept": GREY, "read": GREY, "parse": CYAN, "identify": MAGENTA, "cache": MAGENTA, "route": YELLOW, "query": YELLOW,
    "lookup": MAGENTA, "plan": MAGENTA, "build": MAGENTA, "wait": RED, "sql": BLUE, "commit": BLUE, "encode": GREEN,
    "render": GREEN, "file": GREEN, "finish": GREEN, "compress": GREEN, "refuse": YELLOW, "fail": RED, "write": GREY,
}  # fmt: skip
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LEAST_PATH, _BAR, _LEAST_LEGEND = 22, 10, 12


class Facts(msgspec.Struct, frozen=True):
    """What a line says of a request. `duration` and the sums of `stations` are in nanoseconds; `size` is the body's in bytes."""

    clock: str
    method: str
    target: str
    status: int
    id: str
    duration: int | None = None
    size: int | None = None
    stations: Mapping[str, int] = {}


def request_line(facts: Facts, width: int, *, colour: bool, slow_ms: float = 500.0) -> str:
    """Render one request in `width` columns: the target is cut, then the stations that matter least are left out."""
    width = max(width, 72)
    duration = "" if facts.duration is None else duration_text(facts.duration)
    size = "" if facts.size is None else size_text(facts.size)
    room = min(max(_LEAST_PATH, (width - 60) * 6 // 10), width * 3 // 10, 56)
    target = _fit(facts.target, room)
    left = [
        style(facts.clock, GREY, colour),
        style(f"{facts.method:<6}", BOLD, colour),
        style(str(facts.status), _status_colour(facts.status), colour),
        f"{target:<{room}}",
        style(f"{duration:>8}", _pace(facts.duration, slow_ms), colour),
        style(f"{size:>7}", GREY, colour),
    ]
    room = width - len(facts.clock) - 6 - 3 - room - 8 - 7 - 5
    if room >= 8:
        left.append(style(f"#{facts.id[-6:]:<6}", GREY, colour))
        room -= 8
    if facts.stations and facts.duration:
        if colour and room > _BAR + _LEAST_LEGEND:  # a bar alone would be a riddle
            left.append(_bar(facts.stations, facts.duration))
            room -= _BAR + 1
        left.extend(_legend(facts.stations, facts.duration, room, colour))
    return " ".join(left)


def style(text: str, code: str, on: bool) -> str:
    """The text in an ANSI style, where styles are on."""
    return f"\x1b[{code}m{text}\x1b[0m" if on else text


def duration_text(nanoseconds: int) -> str:
    """`0.41 ms`, `12.3 ms`, `1.20 s`: three digits that can be compared at a glance."""
    ms = nanoseconds / 1e6
    if ms < 10:
        return f"{ms:.2f} ms"
    if ms < 1000:
        return f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"
    return f"{ms / 1000:.2f} s" if ms < 100_000 else f"{ms / 1000:.0f} s"


def size_text(size: int) -> str:
    """`820 B`, `2.3 kB`, `1.4 MB`."""
    if size < 1000:
        return f"{size} B"
    number, unit = size / 1000, "kB"
    for larger in ("MB", "GB"):
        if number >= 999.5:
            number, unit = number / 1000, larger
    return f"{number:.1f} {unit}" if number < 99.95 else f"{number:.0f} {unit}"


def printable(text: str) -> str:
    """A text that is safe for a terminal: no control character of a request reaches it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _fit(target: str, room: int) -> str:
    """A target cut to `room` columns."""
    text = printable(target)
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _status_colour(status: int) -> str:
    return GREEN if status < 300 else CYAN if status < 400 else YELLOW if status < 500 else f"{BOLD};{RED}"


def _pace(duration: int | None, slow_ms: float) -> str:
    if duration is None or duration < slow_ms * 1e6 / 5:
        return "39"
    return YELLOW if duration < slow_ms * 1e6 else f"{BOLD};{RED}"


def _bar(stations: Mapping[str, int], total: int) -> str:
    """A stacked bar: each station as long as its share. A cell that two stations share is one's eighths on the other's ground."""
    edges: list[tuple[int, str]] = []  # where a station ends, in eighths of a cell, and its colour
    at = 0
    for name, duration in stations.items():
        at += duration
        edges.append((round(min(at / total, 1.0) * _BAR * 8), _STATIONS.get(name, YELLOW)))
    cells: list[str] = []
    for cell in range(_BAR):
        begin, end = cell * 8, cell * 8 + 8
        first = next((edge for edge in edges if edge[0] > begin), None)
        if first is None:
            cells.append(" ")
        elif first[0] >= end:
            cells.append(style("█", first[1], True))
        else:
            last = next((edge for edge in edges if edge[0] >= end), None)
            ground = f";{_ground(last[1])}" if last is not None else ""
            cells.append(style(_EIGHTHS[first[0] - begin], first[1] + ground, True))
    return "".join(cells)


def _ground(colour: str) -> str:
    """The background of a foreground colour."""
    return str(int(colour) + 10)


def _legend(stations: Mapping[str, int], total: int, room: int, colour: bool) -> list[str]:
    """The stations that took most, in the order in which they were passed, as many as there is room for."""
    kept: set[str] = set()
    for name, duration in sorted(stations.items(), key=lambda item: item[1], reverse=True):
        room -= len(name) + 1 + len(_ms(duration)) + 1
        if duration * 50 < total or room < 0:
            break  # a lesser one that fits would pass for the largest
        kept.add(name)
    passed = ((name, duration) for name, duration in stations.items() if name in kept)
    return [f"{style(name, _STATIONS.get(name, YELLOW), colour)} {_ms(duration)}" for name, duration in passed]


def _ms(nanoseconds: int) -> str:
    return duration_text(nanoseconds).removesuffix(" ms")
