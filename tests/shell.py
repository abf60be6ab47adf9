"""`pellucid` as a user types it: real processes in a folder, what they say and what they answer.

In: the words of a command. Out: what it printed; of a server, what it says while it runs and its answers over HTTP.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["DEADLINE", "Served", "Shell", "environment"]

DEADLINE = 20.0


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PELLUCID_")}
    return {**kept, "NO_COLOR": "1", "PYTHONUTF8": "1", **more}


class Shell:
    """A folder in which `pellucid` is typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def __call__(self, *words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pellucid", *words],
            cwd=self.folder, env=environment(**variables), capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done

    @contextmanager
    def serving(self, *words: str, terminal: bool = False, **variables: str) -> Iterator[Served]:
        """`pellucid dev` or `run` while the block runs; ended by SIGTERM, and its exit code looked at.

        With `terminal` somebody sits before it, and may `type`.
        """
        near, far = os.openpty() if terminal else (-1, -1)
        process = subprocess.Popen(
            [sys.executable, "-m", "pellucid", *words, *(() if "--port" in words else ("--port", "0"))],
            cwd=self.folder, env=environment(**variables), stdin=far if terminal else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=far if terminal else subprocess.PIPE,
        )  # fmt: skip
        served = Served(process, near if terminal else process.stderr.fileno() if process.stderr else -1)
        try:
            yield served
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0, served.said
        finally:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
            for end in (near, far) if terminal else ():
                os.close(end)


class Served:
    """A running server: what it says, and what it answers."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int) -> None:
        self._pipe = pipe
        self.process = process
        self.said = ""
        os.set_blocking(self._pipe, False)

    def type(self, text: str) -> None:
        """Type this at the terminal."""
        os.write(self._pipe, text.encode())

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """Wait until it has said this, beginning at a position of what it said."""
        until = time.monotonic() + DEADLINE
        while (found := re.compile(pattern, re.MULTILINE).search(self.said, after)) is None:
            left = until - time.monotonic()
            assert left > 0, f"never said {pattern!r}, but:\n{self.said}"
            if select.select([self._pipe], [], [], left)[0]:
                piece = os.read(self._pipe, 65536)
                assert piece, f"ended with {self.process.wait()} before it said {pattern!r}:\n{self.said}"
                self.said += piece.decode()
        return found

    @property
    def address(self) -> str:
        return self.wait_for(r"http://[0-9.]+:\d+")[0]

    def ask(self, path: str, body: object = None, method: str | None = None) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "prefer": "return=representation"} if data else {}
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if "json" in (answer.headers["content-type"] or "") else text.decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
