"""Prints the table and the floors, and writes every single run to a JSON file.

In: `Figures` of each peer. Out: text and JSON. It must never know how a figure was taken.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from data import Row
from install import versions
from measure import Figures, Plan
from peers import Peer

__all__ = ["FLOORS", "Floor", "Result", "Verdict", "floors", "print_floors", "print_table", "write_json"]

OURS, OURS_SEEN = "pellucid", "pellucid-anatomy"
SATURATED = 0.9
"""Below this share of its core a server was waiting: for wrk, for the disk, or for others on the machine."""

Measure = Callable[[Mapping[str, Figures]], float | None]


class Verdict(Enum):
    """What became of a floor."""

    MET = "met"
    MISSED = "MISSED"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Floor:
    """A measure and its bound: at least so much, or under so much where `under`."""

    measure: Measure
    bound: float
    unit: str = "x"
    under: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A floor's name, what was wanted, what was seen, and the verdict."""

    name: str
    wanted: str
    seen: float | None
    unit: str
    verdict: Verdict


def per_second(seen: Figures | None, row: Row) -> float | None:
    """Return the median of a row's runs; None where it was not measured or any run had a fault."""
    if seen is None or row in seen.faults or not seen.runs.get(row):
        return None
    return median(run.per_second for run in seen.runs[row])


def start_ms(seen: Figures | None) -> float | None:
    """Return the median time from spawning to the first successful answer."""
    return median(seen.start_ms) if seen is not None and seen.start_ms else None


def resident_mb(seen: Figures | None, *, worker: bool = False) -> float | None:
    """Return the median resident memory after load, of all processes or of the largest."""
    if seen is None or not seen.memory:
        return None
    return median(memory.largest if worker else memory.total for memory in seen.memory)


def _over(row: Row, peer: str, peer_row: Row | None = None) -> Measure:
    def measure(figures: Mapping[str, Figures]) -> float | None:
        return _ratio(per_second(figures.get(OURS), row), per_second(figures.get(peer), peer_row or row))

    return measure


def _anatomy(row: Row) -> Measure:
    def measure(figures: Mapping[str, Figures]) -> float | None:
        """The median over rounds of on / off in the same round, by processor time.

        Both serve from a full core, so it is their throughput, less what others on the machine took from it:
        a few per cent are smaller than that noise.
        """
        off, on = figures.get(OURS), figures.get(OURS_SEEN)
        if off is None or on is None or None in (per_second(off, row), per_second(on, row)):
            return None
        return median(
            with_it.per_core_second / without.per_core_second
            for with_it, without in zip(on.runs[row], off.runs[row], strict=False)
        )

    return measure


FLOORS: dict[str, Floor] = {
    "one row / PocketBase": Floor(_over(Row.ONE, "pocketbase"), 8),
    "one row / FastAPI": Floor(_over(Row.ONE, "fastapi"), 30),
    "one row / Express": Floor(_over(Row.ONE, "express"), 5),
    "one row / Fastify": Floor(_over(Row.ONE, "fastify"), 1.0),
    "one row / nginx constant": Floor(_over(Row.ONE, "nginx"), 0.30),
    "If-None-Match / nginx constant": Floor(_over(Row.NOT_MODIFIED, "nginx", Row.ONE), 0.30),
    "20 rows / PocketBase": Floor(_over(Row.LIST, "pocketbase"), 10),
    "20 rows / Fastify": Floor(_over(Row.LIST, "fastify"), 1.5),
    "embed / PocketBase with expand": Floor(_over(Row.EMBED, "pocketbase"), 8),
    "durable inserts / PocketBase, which does not sync": Floor(_over(Row.INSERT, "pocketbase"), 5),
    "anatomy on / off, one row": Floor(_anatomy(Row.ONE), 0.97),
    "anatomy on / off, 20 rows": Floor(_anatomy(Row.LIST), 0.97),
    "start to first answer": Floor(lambda seen: start_ms(seen.get(OURS)), 600, "ms", under=True),
    "resident memory, a worker": Floor(lambda seen: resident_mb(seen.get(OURS), worker=True), 90, "MB", under=True),
}


def floors(figures: Mapping[str, Figures]) -> list[Result]:
    """Hold the figures against the floors."""
    results = []
    for name, floor in FLOORS.items():
        seen = floor.measure(figures)
        if seen is None:
            verdict = Verdict.NOT_MEASURED
        elif seen < floor.bound if floor.under else seen >= floor.bound:
            verdict = Verdict.MET
        else:
            verdict = Verdict.MISSED
        words = f"{'under' if floor.under else 'at least'} {floor.bound:g} {floor.unit}"
        results.append(Result(name, words, seen, floor.unit, verdict))
    return results


def print_table(console: Console, peers: Sequence[Peer], figures: Mapping[str, Figures], plan: Plan, minutes: float) -> None:
    """Print a row for each measure, a column for each peer: its figure and how many times that ours is."""
    shown = [peer for peer in peers if figures[peer.name].left_out is None]
    table = Table(title="Requests per second (ours / theirs)", title_justify="left", show_lines=True)
    table.add_column("measure")
    for peer in shown:
        table.add_column(peer.title, justify="right")
    ours = figures.get(OURS)
    for row in Row:
        if row in plan.rows:
            table.add_row(row.title, *(_cell(figures[peer.name], row, ours) for peer in shown))
    start, resident = start_ms(ours), resident_mb(ours)
    table.add_row(
        "start to first\nanswer, ms",
        *(_lines(start_ms(figures[peer.name]), start, peer.name) for peer in shown),
    )
    table.add_row(
        "resident after\nload, MB",
        *(_lines(resident_mb(figures[peer.name]), resident, peer.name) for peer in shown),
    )
    console.print()
    console.print(table)
    for line in _notes(shown, figures, plan):
        console.print(f"- {line}", highlight=False)
    console.print(
        f"Median of {plan.rounds} alternated runs of {plan.seconds} s; 32 connections; server on core "
        f"{plan.server_core}, wrk on core {plan.load_core}; {minutes:.1f} minutes.",
        highlight=False,
    )


def print_floors(console: Console, results: Sequence[Result]) -> None:
    """Print what was promised and what came of it."""
    table = Table(title="Floors", title_justify="left")
    table.add_column("measure")
    table.add_column("floor", justify="right")
    table.add_column("seen", justify="right")
    table.add_column("")
    styles = {Verdict.MET: "green", Verdict.MISSED: "bold red", Verdict.NOT_MEASURED: "dim"}
    for result in results:
        seen = "-" if result.seen is None else f"{_short(result.seen)} {result.unit}"
        verdict = f"[{styles[result.verdict]}]{result.verdict.value}"
        table.add_row(result.name, result.wanted, seen, verdict)
    console.print()
    console.print(table)


def write_json(
    file: Path,
    peers: Sequence[Peer],
    figures: Mapping[str, Figures],
    plan: Plan,
    results: Sequence[Result],
    now: datetime,
) -> None:
    """Write every single run, the versions and the machine, enough to draw the tables again."""
    content = {
        "time": now.isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_at_end": os.getloadavg(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": versions(),
        "sqlite_of_harness": sqlite3.sqlite_version,
        "plan": {**asdict(plan), "rows": sorted(row.value for row in plan.rows)},
        "peers": {peer.name: _peer_json(figures[peer.name]) for peer in peers},
        "floors": [{**asdict(result), "verdict": result.verdict.value} for result in results],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _peer_json(seen: Figures) -> dict[str, object]:
    return {
        "left_out": seen.left_out,
        "always_200": seen.always_200,
        "faults": {row.value: fault for row, fault in seen.faults.items()},
        "median_per_second": {row.value: per_second(seen, row) for row in seen.runs},
        "start_ms": seen.start_ms,
        "memory_mb": [asdict(memory) for memory in seen.memory],
        "runs": {
            row.value: [asdict(run) | {"per_second": run.per_second, "per_core_second": run.per_core_second} for run in runs]
            for row, runs in seen.runs.items()
        },
    }


def _cell(seen: Figures, row: Row, ours: Figures | None) -> str:
    if row in seen.faults:
        return "[red]failed"
    figure = per_second(seen, row)
    if figure is None:
        return ""
    waited = row is not Row.INSERT and median(run.core_share for run in seen.runs[row]) < SATURATED
    marks = ("°" if waited else "") + ("*" if row is Row.NOT_MODIFIED and seen.always_200 else "")
    return _lines(figure, per_second(ours, row), seen.peer, marks)


def _lines(figure: float | None, ours: float | None, peer: str, marks: str = "") -> str:
    """Say a figure and, for others than us, how many times that ours is."""
    if figure is None:
        return ""
    text = f"{figure:,.0f}{marks}"
    if peer == OURS:
        return f"[bold]{text}"
    ratio = _ratio(ours, figure)
    return text if ratio is None else f"{text}\n({_short(ratio)} x)"


def _notes(shown: Sequence[Peer], figures: Mapping[str, Figures], plan: Plan) -> list[str]:
    notes = [peer.note for peer in shown if peer.note]
    if Row.NOT_MODIFIED in plan.rows and any(figures[peer.name].always_200 for peer in shown):
        notes.append("* has no ETags: it answers 200 with the whole body.")
    if any("°" in _cell(figures[peer.name], row, None) for peer in shown for row in plan.rows):
        notes.append(f"° used under {SATURATED:.0%} of its core: it waited, for wrk or for others on the machine.")
    for name, seen in figures.items():
        if seen.left_out is not None:
            notes.append(f"Left out: {name}: {seen.left_out}")
        notes += [f"Failed: {name}, {row.value}: {fault}" for row, fault in seen.faults.items()]
    return notes


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def _short(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
