"""What happened and when: `Trace` collects instants on one clock, `Span`s are derived when somebody looks.

In: one `mark` per border that a request crosses. Out: spans with names, starts, durations (nanoseconds) and nesting.
It imports nothing of ours and formats nothing while a request runs: a mark is one append. Where nobody watches,
the trace is None and costs one comparison.

The clock is `time.perf_counter_ns`, which on Linux is CLOCK_MONOTONIC: the same for all processes of a host, so a
client and a server on one machine can be drawn on one axis.
"""

from __future__ import annotations

import os
from functools import cache
from itertools import count
from time import perf_counter_ns

import msgspec

__all__ = ["Span", "Trace", "boot_id", "new_trace_id", "now"]

now = perf_counter_ns

_PROCESS = os.urandom(8).hex()
_serial = count(int.from_bytes(os.urandom(6), "big"))


def new_trace_id() -> str:
    """32 hex digits, unique: a random part per process, then a running number (W3C Trace Context, section 3.2.2.3)."""
    return f"{_PROCESS}{next(_serial):016x}"


@cache
def boot_id() -> str | None:
    """Which clock `now` is: processes with equal ids read the same one. Linux tells (the boot of a host, and where a container
    has a clock of its own by how much it differs); None elsewhere.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        return None
    try:
        with open("/proc/self/timens_offsets", encoding="ascii") as file:
            offsets = [line.split()[1:] for line in file if line.startswith("monotonic")]
    except OSError:
        offsets = []
    return boot if not offsets or offsets[0] == ["0", "0"] else f"{boot}+{'.'.join(offsets[0])}"


class Span(msgspec.Struct, frozen=True):
    """A stretch of time: start relative to the trace's first instant, and duration, both in nanoseconds."""

    name: str
    start: int
    duration: int
    depth: int = 0
    detail: object = None


class Trace(msgspec.Struct, eq=False):
    """The instants of one request, in order. A station that ends calls `mark`; one that encloses others calls `begin`
    and `end`.

    `started` is the first instant in nanoseconds; `marks` holds flat tuples (name, instant, detail, depth), made into
    spans by `spans()`. One thread at a time appends. (A Struct, since one is made per request in half the time.)
    """

    id: str
    started: int
    parent: str | None = None
    marks: list[tuple[str, int, object, int]] = []
    _open: list[tuple[str, int, object]] = []
    _depth: int = 0

    def mark(self, name: str, detail: object = None) -> None:
        """The station `name` ends now; it began where the one before it ended."""
        self.marks.append((name, perf_counter_ns(), detail, self._depth))

    def begin(self, name: str, detail: object = None) -> None:
        """A station that encloses others begins; `end` closes the innermost open one."""
        self._open.append((name, perf_counter_ns(), detail))
        self._depth += 1

    def end(self) -> None:
        """The innermost open station ends now."""
        name, began, detail = self._open.pop()
        self._depth -= 1
        self.marks.append((name, perf_counter_ns(), (began, detail), -1 - self._depth))

    def spans(self) -> list[Span]:
        """All spans by start, durations derived: a mark's span begins at the mark before it on the same depth, or where
        its parent began.
        """
        return derive(self.started, self.marks)


def derive(started: int, marks: list[tuple[str, int, object, int]]) -> list[Span]:
    """Turn instants into spans (see `Trace`); a negative depth marks the end of an enclosing station."""
    spans: list[Span] = []
    last = started
    for name, at, detail, depth in marks:
        if depth >= 0:
            spans.append(Span(name, last - started, at - last, depth, detail))
            last = at
            continue
        depth = -1 - depth
        assert isinstance(detail, tuple)
        began, inner = detail
        spans.append(Span(name, began - started, at - began, depth, inner))
        last = at
    spans.sort(key=lambda span: (span.start, span.depth))
    return spans
