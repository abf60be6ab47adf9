"""Takes the figures: verifies each peer against the data set, then loads all in alternated rounds.

In: peers, rows, rounds, seconds. Out: `Figures` for each peer, with every single run; only one server is up
at a time. It must never know which peer is ours or what would be a good figure.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from data import Expected, Row, Wanted, expected, wanted
from install import HOME, CannotInstall
from load import Request, Run, load
from peers import Peer
from server import Memory, Server, free_port, last_words, running

__all__ = ["Figures", "Plan", "measure"]

VERIFIED = 5
"""How many requests of each row are compared with the data set."""
WARM_SECONDS = 1
"""Before each run."""
FIRST_WARM_SECONDS = 4
"""Before the first run of a fresh process: V8 goes on compiling for seconds (Fastify gains a quarter)."""
ASKED_WITH = {"Accept": "application/json, text/plain, */*", "Accept-Encoding": "gzip, deflate, br, zstd"}
"""What requests.lua sends and an ETag may depend on."""
FAILURES = (CannotInstall, RuntimeError, OSError, http.client.HTTPException, subprocess.SubprocessError)
"""What leaves one peer out and lets the others go on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured, and on which cores."""

    rows: frozenset[Row]
    rounds: int
    seconds: int
    server_core: int
    load_core: int


@dataclass(slots=True)
class Figures:
    """Everything seen of one peer. `left_out` says why it has no figures, `faults` why a row has none."""

    peer: str
    left_out: str | None = None
    runs: dict[Row, list[Run]] = field(default_factory=dict)
    faults: dict[Row, str] = field(default_factory=dict)
    start_ms: list[float] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    always_200: bool = False
    """It has no ETag, or answers 200 to a matching one."""


def measure(peers: Sequence[Peer], plan: Plan, say: Callable[[str], None]) -> dict[str, Figures]:
    """Install, fill and verify all peers, then load them in rounds; a peer that fails is left out by name."""
    figures = {peer.name: Figures(peer.name) for peer in peers}
    for peer in peers:
        say(f"preparing {peer.name}")
        try:
            _prepare(peer)
            _verify(peer, plan, figures[peer.name])
        except FAILURES as problem:
            _leave_out(figures[peer.name], problem, say)
    # While figures are taken the harness itself stays off the server's core.
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {plan.load_core})
    try:
        for number in range(plan.rounds):
            _round(number, peers, plan, figures, say)
    finally:
        os.sched_setaffinity(0, cores)
    return figures


def _round(number: int, peers: Sequence[Peer], plan: Plan, figures: dict[str, Figures], say: Callable[[str], None]) -> None:
    """Visit all peers once, back and forth, so that a machine that gets slower or faster favours nobody."""
    for peer in peers if number % 2 == 0 else reversed(peers):
        seen = figures[peer.name]
        if seen.left_out is not None:
            continue
        try:
            for rows, conditional in _sessions(peer, plan):
                _session(peer, rows, conditional, plan, seen)
        except FAILURES as problem:
            _leave_out(seen, problem, say)
            continue
        latest = "  ".join(f"{row.value} {runs[-1].per_second:,.0f}" for row, runs in seen.runs.items())
        say(f"round {number + 1} of {plan.rounds}  {peer.name:<17}{latest}")


def _leave_out(seen: Figures, problem: Exception, say: Callable[[str], None]) -> None:
    seen.left_out = str(problem)
    say(f"{seen.peer} is left out: {problem}")


def _sessions(peer: Peer, plan: Plan) -> Iterator[tuple[list[Row], bool]]:
    """Split a peer's rows by what its environment must be: (rows, whether ETags must be turned on)."""
    rows: list[Row] = [row for row in Row if row in plan.rows & peer.rows]
    if not peer.conditional:
        yield rows, False
        return
    plain: list[Row] = [row for row in rows if row is not Row.NOT_MODIFIED]
    if plain:
        yield plain, False
    if Row.NOT_MODIFIED in rows:
        yield [Row.NOT_MODIFIED], True


def _session(peer: Peer, rows: Sequence[Row], conditional: bool, plan: Plan, seen: Figures) -> None:
    """Start the peer on a fresh copy of its database and take one run of each row."""
    inserts_answered = 0
    with _started(peer, conditional, plan) as (server, folder):
        for row in rows:
            requests = _requests(peer, row, server.port)
            warm_seconds = FIRST_WARM_SECONDS if row is rows[0] else WARM_SECONDS
            warm = load(server.port, requests, warm_seconds, core=plan.load_core, folder=folder)
            used = server.processor_seconds()
            run = load(server.port, requests, plan.seconds, core=plan.load_core, folder=folder)
            share = (server.processor_seconds() - used) / run.seconds
            seen.runs.setdefault(row, []).append(replace(run, core_share=share))
            if run.fault is not None:
                seen.faults[row] = f"{run.fault}; its log ends: {last_words(folder)}"
            if row is Row.INSERT:
                inserts_answered = warm.answered_well + run.answered_well
        if not conditional:
            seen.start_ms.append(server.start_ms)
            seen.memory.append(server.memory())
    if inserts_answered:
        stored = _visits(peer, folder)
        if stored < inserts_answered:
            seen.faults[Row.INSERT] = f"LOST WRITES: only {stored:,} rows stored for {inserts_answered:,} answers"


def _requests(peer: Peer, row: Row, port: int) -> list[Request]:
    """Say the requests of a row; for If-None-Match each with the ETag that the server gives now."""
    wants = wanted(row)
    if row is not Row.NOT_MODIFIED:
        return [peer.request(want) for want in wants]
    requests = []
    with _connected(port) as connection:
        for want in wants:
            _, etag, _ = _ask(connection, peer.request(want))
            requests.append(peer.request(want, etag or '"none"'))
    return requests


def _connected(port: int) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10))


def _prepare(peer: Peer) -> None:
    peer.install()
    pristine = _home(peer) / "pristine"
    shutil.rmtree(pristine, ignore_errors=True)
    pristine.mkdir(parents=True)
    peer.prepare(pristine)


@contextmanager
def _started(peer: Peer, conditional: bool, plan: Plan) -> Iterator[tuple[Server, Path]]:
    """Start a peer on a fresh copy of its database."""
    folder, port = _home(peer) / "run", free_port()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_home(peer) / "pristine", folder)
    environment = dict(peer.environment(folder, port)) | (dict(peer.conditional) if conditional else {})
    first = peer.request(Wanted(Row.ONE, id=1)).path
    command = peer.command(folder, port)
    with running(command, environment, port=port, core=plan.server_core, path=first, folder=folder) as server:
        yield server, folder


def _verify(peer: Peer, plan: Plan, seen: Figures) -> None:
    """Compare answers with the data set. Raises RuntimeError where a peer does not answer what it should."""
    for rows, conditional in _sessions(peer, plan):
        with _started(peer, conditional, plan) as (server, folder):
            if peer.database(folder) is None:
                continue
            with _connected(server.port) as connection:
                for row in rows:
                    for want in wanted(row)[:VERIFIED]:
                        _verify_one(peer, want, connection, seen)
        if Row.INSERT in rows and _visits(peer, folder) != VERIFIED:
            raise RuntimeError(f"{_visits(peer, folder)} rows stored after {VERIFIED} inserts")


def _verify_one(peer: Peer, want: Wanted, connection: http.client.HTTPConnection, seen: Figures) -> None:
    request = peer.request(want)
    status, etag, answer = _ask(connection, request, plain=True)
    if want.row is Row.INSERT:
        if status not in (200, 201):
            raise RuntimeError(f"{request.method} {request.path}: status {status}: {answer[:300]!r}")
        return
    if status != 200:
        raise RuntimeError(f"{request.method} {request.path}: status {status}: {answer[:300]!r}")
    try:
        got = peer.read(answer, want.row)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RuntimeError(f"{request.path}: unlike what was expected ({problem!r}): {answer[:300]!r}") from problem
    _compare(got, expected(want), request)
    if want.row is Row.NOT_MODIFIED:
        status, _, _ = _ask(connection, peer.request(want, etag or '"none"'), plain=True)
        seen.always_200 = status != 304


def _compare(got: list[Expected], right: list[Expected], request: Request) -> None:
    if len(got) != len(right):
        raise RuntimeError(f"{request.path}: {len(got)} rows where {len(right)} are right")
    for position, (one, other) in enumerate(zip(got, right, strict=True)):
        if one != other:
            raise RuntimeError(f"{request.path}: row {position} is {one}, right is {other}")


def _ask(connection: http.client.HTTPConnection, request: Request, *, plain: bool = False) -> tuple[int, str | None, bytes]:
    """Ask once, as wrk does, or uncompressed: (status, ETag, body)."""
    headers = dict(ASKED_WITH)
    if plain:
        headers["Accept-Encoding"] = "identity"
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.body:
        headers["Content-Type"] = "application/json"
    connection.request(request.method, request.path, request.body.encode() or None, headers)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, answer.headers["ETag"], body


def _visits(peer: Peer, folder: Path) -> int:
    """Count the stored visits, once the server has ended."""
    file = peer.database(folder)
    if file is None:
        return 0
    with closing(sqlite3.connect(file)) as connection:
        count: int = connection.execute("SELECT count(*) FROM visits").fetchone()[0]
        return count


def _home(peer: Peer) -> Path:
    return HOME / "state" / peer.name
