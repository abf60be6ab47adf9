"""Loads one running server with wrk and reads what wrk counted.

In: a port, the requests, a duration, the core to load from. Out: one `Run`. It must never know which peer it
loads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONNECTIONS", "Request", "Run", "load", "wrk_missing"]

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("requests.lua")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as wrk sends it: `etag` becomes If-None-Match; `body` is JSON without line ends."""

    method: str
    path: str
    etag: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk counted in one run; `core_share` is the part of it that the server was on its core."""

    requests: int
    seconds: float
    bytes_per_answer: float
    p50_ms: float
    p99_ms: float
    bad_status: int
    socket_errors: int
    timeouts: int
    core_share: float = 0.0

    @property
    def per_second(self) -> float:
        """Answers per second: the figure of the table."""
        return self.requests / self.seconds

    @property
    def per_core_second(self) -> float:
        """Answers per second of the server's processor time: the same where it had its core to itself."""
        return self.requests / (self.core_share * self.seconds) if self.core_share else 0.0

    @property
    def answered_well(self) -> int:
        """How many answers said that the request was carried out."""
        return self.requests - self.bad_status

    @property
    def fault(self) -> str | None:
        """Why the run does not count, or None."""
        faults = [
            f"{count} {what}"
            for count, what in (
                (self.bad_status, "answers that are neither 2xx nor 3xx"),
                (self.socket_errors, "socket errors"),
                (self.timeouts, "timeouts of 2 s"),
            )
            if count
        ]
        if not self.requests:
            faults.append("no answer at all")
        return ", ".join(faults) or None


def wrk_missing() -> str | None:
    """Say what to install where wrk is absent."""
    if shutil.which("wrk"):
        return None
    return "wrk is not installed: it is Debian's and Ubuntu's package `wrk` (apt-get install wrk)."


def load(port: int, requests: Sequence[Request], seconds: int, *, core: int, folder: Path) -> Run:
    """Send the requests in turn over 32 connections for so many seconds, from one thread on one core."""
    file = folder / "requests.txt"
    file.write_text(
        "".join(f"{each.method}\t{each.path}\t{each.etag}\t{each.body}\n" for each in requests),
        encoding="utf-8",
    )
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"wrk failed: {(done.stderr or done.stdout).strip()[-400:]}")
    counts: dict[str, int] = json.loads(lines[-1])
    return Run(
        requests=counts["requests"],
        seconds=counts["microseconds"] / 1e6,
        bytes_per_answer=counts["bytes"] / max(1, counts["requests"]),
        p50_ms=counts["p50"] / 1000,
        p99_ms=counts["p99"] / 1000,
        bad_status=counts["bad_status"],
        socket_errors=counts["socket_errors"],
        timeouts=counts["timeouts"],
    )
