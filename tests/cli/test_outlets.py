"""Where `pellucid trace` puts what it found, when that is no place of the usual kind: closed, full, narrow in letters, a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle import Site, served
from pellucid.cli.outlets import Outlets, safe_json
from shell import DEADLINE, environment


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>Shop</title>" + "".join(f"<img src={n}.png>" for n in range(20)))
    with served(folder) as running:
        yield running


def traced(line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A line for a shell, in which `trace` is the command."""
    line = f'trace() {{ "{sys.executable}" -m pellucid trace "$@"; }}; {line}'
    kept = {name: value for name, value in environment(**variables).items() if value}
    return subprocess.run(["bash", "-o", "pipefail", "-c", line], env=kept, capture_output=True, timeout=DEADLINE, check=False)


@pytest.mark.parametrize("flags", ["", "-v", "--json"])
def test_nobody_reads_to_the_end(site: Site, tmp_path: Path, flags: str) -> None:
    har = tmp_path / "x.har"
    done = traced(f"trace {site.origin}/ {flags} --har {har} | true")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(har.read_bytes())["log"]["entries"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_stream_that_was_closed_from_the_start(site: Site, closed: str) -> None:
    done = traced(f"trace {site.origin}/ {closed}")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_below_standard_output(site: Site, tmp_path: Path) -> None:
    har = tmp_path / "x.har"
    done = traced(f"trace {site.origin}/ --har {har} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == b"Error: standard output: No space left on device\n"
    assert har.exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r"])
def test_letters_that_the_output_does_not_have(site: Site, encoding: str) -> None:
    done = traced(f"trace {site.origin}/ -v", PYTHONUTF8="", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"200 OK" in done.stdout


def test_json_does_not_command_a_terminal() -> None:
    said = '{"a": "\\u001b[31m\x9b31m\u202e\u200b\ufeff é ☃"}'
    safe = safe_json(said.encode())
    assert safe == '{"a": "\\u001b[31m\\u009b31m\\u202e\\u200b\\ufeff é ☃"}'
    assert json.loads(safe) == json.loads(said)


def test_interrupting_shows_what_there_is_and_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        process = subprocess.Popen(
            [sys.executable, "-m", "pellucid", "trace", url], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1000).startswith(b"GET / ")
            process.send_signal(signal.SIGINT)
            said, wrong = process.communicate(timeout=DEADLINE)
    assert (process.returncode, wrong) == (130, b"")
    assert re.match(rb"The trace was interrupted, after [\d.]+ m?s", said)
    assert b"GET /" in said


def test_a_file_is_replaced_whole_and_keeps_what_it_is(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    real.chmod(0o640)
    link.symlink_to(real)
    outlets = Outlets()
    outlets.write(link, b"after", "--har")
    outlets.close()
    assert link.is_symlink()
    assert real.read_text() == "after"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link", "real"]


def test_a_file_may_be_standard_output(site: Site) -> None:
    done = traced(f"trace {site.origin}/ --json --html /dev/stdout | tail -c 8")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"</html>\n", b"")


def test_what_is_private_is_for_its_owner_only(tmp_path: Path) -> None:
    outlets = Outlets()
    outlets.write(tmp_path / "jar", b"secret", "--cookie-jar", private=True)
    outlets.close()
    assert stat.S_IMODE((tmp_path / "jar").stat().st_mode) == 0o600


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        outlets = Outlets()
        outlets.write(pipe, b"told", "--har")
        outlets.close()
        assert os.read(reading, 100) == b"told"
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    finally:
        os.close(reading)
