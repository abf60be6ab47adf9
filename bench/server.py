"""Runs one peer's server on one core and watches its processes.

In: a command, its environment, a port, the core. Out: the time to its first successful answer, its processor
time, its resident memory. It must never know what the server serves. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "Server", "free_port", "last_words", "running"]

START_SECONDS = 30
STOP_SECONDS = 5
_LOG = "server.log"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB (10^6 bytes): of all processes, and of the largest, which is the worker."""

    total: float
    largest: float


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has answered; `start_ms` is from spawning it to its first successful answer."""

    port: int
    session: int
    start_ms: float

    def processor_seconds(self) -> float:
        """User and system time of all its processes so far."""
        return sum(int(fields[11]) + int(fields[12]) for fields in _stats(self.session)) / _TICKS

    def memory(self) -> Memory:
        """Its resident memory now; pages that its processes share count in each."""
        sizes = [int(fields[21]) * _PAGE_BYTES / 1e6 for fields in _stats(self.session)]
        return Memory(sum(sizes), max(sizes, default=0.0))


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], *, port: int, core: int, path: str, folder: Path
) -> Iterator[Server]:
    """Start the server, wait until `path` answers 200, hand it over, stop it with all its children.

    Raises RuntimeError with the end of its log where it ends or stays silent instead.
    """
    with (folder / _LOG).open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"ended with code {process.returncode}: {last_words(folder)}")
            if time.perf_counter() - started > START_SECONDS:
                raise RuntimeError(f"no successful answer within {START_SECONDS} s: {last_words(folder)}")
            time.sleep(0.001)
        yield Server(port, process.pid, (time.perf_counter() - started) * 1000)
    finally:
        _stop(process)


def last_words(folder: Path) -> str:
    """Return the end of what the server printed."""
    return (folder / _LOG).read_text(errors="replace").strip()[-400:] or "(it printed nothing)"


def _answers(port: int, path: str) -> bool:
    """Ask once; anything but a 200 is a no."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200 ")


def _stop(process: subprocess.Popen[bytes]) -> None:
    _signal(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    while _stats(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def _stats(session: int) -> list[list[str]]:
    """Read /proc/<pid>/stat of each live process of a session, from field 3 (state) on."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text()
        except OSError:
            continue  # it ended while we looked
        fields = text[text.rindex(")") + 2 :].split()
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(fields)
    return found
