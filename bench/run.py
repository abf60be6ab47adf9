"""`make bench`: every peer in its usual production form, beside us, on the same data, in the same run.

In: flags. Out: one table, one table of floors, a JSON file with every single run in bench/results. Exit code
0 even where a floor is missed, unless --check is given; 1 where ours gave no figures; 2 where nothing can be
measured.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console

from data import Row
from install import HOME
from load import wrk_missing
from measure import Plan, measure
from peers import PEERS, Peer
from report import Verdict, floors, print_floors, print_table, write_json

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--quick", is_flag=True, help="3 rounds of 1 s instead of 5 of 3 s: a look, not a figure to cite.")
@click.option("--only", metavar="NAME,...", help=f"Peers: {', '.join(peer.name for peer in PEERS)}.")
@click.option("--rows", metavar="NAME,...", help=f"Rows: {', '.join(row.value for row in Row)}.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds over all peers; figures are their median.")
@click.option("--seconds", type=click.IntRange(1), help="Length of one run.")
@click.option("--check", is_flag=True, help="Exit with 1 unless every floor was measured and met.")
def main(quick: bool, only: str | None, rows: str | None, rounds: int | None, seconds: int | None, check: bool) -> None:
    """Measure Pellucid beside its peers and print one table."""
    names = _chosen(only, [peer.name for peer in PEERS], "--only")
    peers: Sequence[Peer] = [peer for peer in PEERS if peer.name in names]
    chosen = _chosen(rows, [row.value for row in Row], "--rows")
    server_core, load_core = _two_cores()
    if (missing := wrk_missing()) is not None:
        raise CannotMeasure(missing)
    plan = Plan(
        rows=frozenset(Row(name) for name in chosen),
        rounds=rounds or (3 if quick else 5),
        seconds=seconds or (1 if quick else 3),
        server_core=server_core,
        load_core=load_core,
    )
    # A terminal has its width; a pipe or a log gets the whole table.
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    lock = _alone()
    figures = measure(peers, plan, lambda line: console.print(line, style="dim", highlight=False))
    lock.close()
    minutes = (time.monotonic() - began) / 60
    print_table(console, peers, figures, plan, minutes)
    results = floors(figures)
    print_floors(console, results)
    now = datetime.now(UTC)
    file = RESULTS / f"{now:%Y-%m-%dT%H%M%SZ}.json"
    write_json(file, peers, figures, plan, results, now)
    console.print(f"Every single run: {os.path.relpath(file)}")
    if "pellucid" in names and figures["pellucid"].left_out is not None:
        sys.exit(1)  # a missed floor is a figure; no figure of ours at all is an error
    if check and not all(result.verdict is Verdict.MET for result in results):
        sys.exit(1)


def _chosen(text: str | None, known: list[str], option: str) -> list[str]:
    if text is None:
        return known
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: not among {', '.join(known)}", param_hint=option)
    return names


def _two_cores() -> tuple[int, int]:
    """Return the server's core and the load's."""
    if not sys.platform.startswith("linux"):
        raise CannotMeasure("the benchmark pins processes to cores and reads /proc: it runs on Linux only.")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise CannotMeasure("the benchmark needs two cores: one for the server, one for the load.")
    return cores[0], cores[1]


def _alone() -> TextIO:
    """Hold the lock until the file is closed: two runs would take each other's processor and databases."""
    HOME.mkdir(parents=True, exist_ok=True)
    file = (HOME / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise CannotMeasure("another run of the benchmark is under way here; wait until it has ended.") from None
    return file


class CannotMeasure(click.ClickException):
    """Nothing can be measured on this machine; the message says why."""

    exit_code = 2


if __name__ == "__main__":
    main()
