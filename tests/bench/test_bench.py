"""The benchmark's own honesty: same data everywhere, wrong answers found, floors judged as printed, nothing left running."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

import measure
from data import Expected, Row, Wanted, data_set, expected, wanted, write_sqlite
from load import Run
from measure import Figures, Plan
from peers import PEERS, Peer
from report import FLOORS, Verdict, floors
from server import Memory, free_port, running

CORE = min(os.sched_getaffinity(0)) if sys.platform == "linux" else 0
linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc and uses taskset")

ONE_CITY = """
import os, sys, time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
if len(sys.argv) > 1 and os.fork() == 0:  # a child that would outlive its parent
    while True: time.sleep(60)
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b'{"name": "Atlantis", "population": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
TCPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def run_at(per_second: float) -> Run:
    return Run(
        requests=int(per_second),
        seconds=1,
        bytes_per_answer=100,
        p50_ms=1,
        p99_ms=2,
        bad_status=0,
        socket_errors=0,
        timeouts=0,
        core_share=1,
    )


def seen(peer: str, per_second: float) -> Figures:
    return Figures(
        peer,
        runs={row: [run_at(per_second)] * 3 for row in Row},
        start_ms=[300, 310, 900],
        memory=[Memory(total=95, largest=60)],
    )


def test_every_filtered_page_is_full_and_every_order_is_total() -> None:
    data = data_set()
    assert (len(data.countries), len(data.cities)) == (250, 10_000)
    assert len({city.population for city in data.cities}) == 10_000
    assert all(len(expected(want)) == 20 for want in wanted(Row.FILTER))
    data_set.cache_clear()
    assert data_set() == data


def test_the_right_answers_are_what_sqlite_answers(tmp_path: Path) -> None:
    write_sqlite(tmp_path / "bench.db")
    connection = sqlite3.connect(tmp_path / "bench.db")
    embed = wanted(Row.EMBED)[0]
    rows = connection.execute(
        "SELECT c.name, c.population, n.name FROM cities c JOIN countries n ON n.id = c.country_id"
        " ORDER BY c.id LIMIT 20 OFFSET ?",
        (embed.offset,),
    )
    assert [Expected(*row) for row in rows] == expected(embed)
    largest = wanted(Row.FILTER)[0]
    query = "SELECT name, population FROM cities WHERE country_id = ? ORDER BY population DESC LIMIT 20"
    assert [Expected(*row) for row in connection.execute(query, (largest.id,))] == expected(largest)
    plan = " ".join(str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + query, (1,)))
    assert "cities_country_population" in plan
    assert "TEMP B-TREE" not in plan
    connection.close()


def test_keys_vary_and_are_the_same_in_every_run() -> None:
    assert len({want.id for want in wanted(Row.ONE)}) == 5000
    assert wanted(Row.ONE) == wanted(Row.ONE)
    for peer in PEERS:
        paths = [peer.request(want).path for want in wanted(Row.ONE)]
        assert len(set(paths)) == 5000


def test_a_floor_is_met_missed_or_not_measured_and_never_anything_in_between() -> None:
    figures = {peer.name: seen(peer.name, 1000) for peer in PEERS}
    verdicts = {result.name: result.verdict for result in floors(figures)}
    assert verdicts.keys() == FLOORS.keys()
    assert verdicts["one row / Fastify"] is Verdict.MET  # exactly 1.0
    assert verdicts["one row / PocketBase"] is Verdict.MISSED
    assert verdicts["start to first answer"] is Verdict.MET  # the median, not the worst
    assert verdicts["resident memory, a worker"] is Verdict.MET  # a worker, not the sum
    del figures["pocketbase"]
    figures["fastify"].faults[Row.LIST] = "1 answer that is neither 2xx nor 3xx"
    verdicts = {result.name: result.verdict for result in floors(figures)}
    assert verdicts["one row / PocketBase"] is Verdict.NOT_MEASURED
    assert verdicts["20 rows / Fastify"] is Verdict.NOT_MEASURED


def test_a_run_with_any_bad_answer_does_not_count() -> None:
    assert run_at(10).fault is None
    assert "3 answers" in (replace(run_at(10), bad_status=3).fault or "")
    assert "socket" in (replace(run_at(10), socket_errors=1).fault or "")
    assert replace(run_at(0), requests=0).fault == "no answer at all"


@linux
def test_a_server_is_stopped_with_its_children(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", ONE_CITY, "with a child"]
    with running(command, {"PORT": str(port)}, port=port, core=CORE, path="/", folder=tmp_path) as server:
        assert server.start_ms > 0
        memory = server.memory()
        assert 0 < memory.largest < memory.total  # two processes
    assert server.memory() == Memory(0, 0)


@linux
def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such table: cities')"]
    with (
        pytest.raises(RuntimeError, match="no such table: cities"),
        running(command, {}, port=free_port(), core=CORE, path="/", folder=tmp_path),
    ):
        pytest.fail("it was handed over")


class Atlantis(Peer):
    """Answers every key with the same wrong city."""

    name = "atlantis"
    title = "Atlantis"

    def install(self) -> None:
        pass

    def command(self, folder: Path, port: int) -> Sequence[str]:
        return [sys.executable, "-c", ONE_CITY]

    def environment(self, folder: Path, port: int) -> Mapping[str, str]:
        return {"PORT": str(port)}


@linux
def test_a_peer_that_answers_the_wrong_data_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "HOME", tmp_path)
    plan = Plan(frozenset({Row.ONE}), rounds=1, seconds=1, server_core=CORE, load_core=CORE)
    said: list[str] = []
    cores = os.sched_getaffinity(0)
    figures = measure.measure([Atlantis()], plan, said.append)["atlantis"]
    assert figures.left_out is not None
    assert "Atlantis" in figures.left_out
    right = expected(Wanted(Row.ONE, id=wanted(Row.ONE)[0].id))[0]
    assert right.name in figures.left_out
    assert not figures.runs
    assert any("atlantis is left out" in line for line in said)
    assert os.sched_getaffinity(0) == cores
