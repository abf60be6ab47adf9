"""A terminal for the documentation's examples: a folder, a server that really runs, and curl without curl.

In: commands as a page has them. Out: what they print. Commands run in `sh`, except `cd`, servers (`pellucid dev`, `run`),
which run on until the next one or the end, and `curl`, whose few options are understood here, so that the tests need nothing but
Python.

The page's port 8000 stands for the port that the server found free.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

DEADLINE = 20.0
_UNSAFE = re.compile(r"[?*&()\[\]{}!<>;|$~]")
_IS_READY = r'\(ready after|"message":"ready"'
_READY = re.compile(r"https?://[^/\s]*:(\d+)")


class Server:
    """A server process and what it has said so far."""

    def __init__(self, arguments: list[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.arguments = arguments
        self.lines: list[str] = []
        self.seen = 0
        """How many lines the page has been compared with."""
        self.changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            arguments, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self._ended = True
            self.changed.notify_all()

    def wait(self, pattern: str, start: int = 0) -> bool:
        """Wait until a line from `start` on fits, or the process has ended; False for the latter."""

        def fits() -> bool:
            return any(re.search(pattern, line) for line in self.lines[start:])

        with self.changed:
            if not self.changed.wait_for(lambda: fits() or self._ended, DEADLINE):
                raise AssertionError(f"the server never said {pattern!r}; it said {self.lines[start:]}")
            return fits()

    def stop(self) -> int:
        """End it as Ctrl+C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the server did not stop: {self.lines[-5:]}") from None
        self._reader.join(DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


class Terminal:
    """One page's terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: Server | None = None
        self.ports: dict[str, str] = {}
        """Ports of the page -> ports that are used."""
        bin = Path(sys.executable).parent
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PELLUCID_", "PYTEST", "COV"))}
        path = f"{bin}{os.pathsep}{os.environ.get('PATH', '')}"
        self.environ = {**kept, "PATH": path, "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "120"}

    # Files

    def write(self, name: str, text: str, *, more: bool = False) -> None:
        """Write a file of the project; a server in development is waited for until it has taken it up."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if file.exists() else None
        after = f"{before}\n\n{text}" if more and before is not None else text
        if after == before:
            return
        said = len(self.server.lines) if self.server is not None else 0
        file.write_text(after, encoding="utf-8")
        if file.suffix == ".py":
            self._wait_for_reload(said)

    # Commands

    def run(self, text: str, given: str | None = None) -> list[str]:
        """Run one command, and give the lines that it prints."""
        words = shlex.split(text)
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return []
        if words[0] == "curl":
            return self._curl(text)
        if words[0] == "pellucid" and words[1] in ("dev", "run") and "--help" not in words:
            return self._serve(words)
        if words[:2] == ["pellucid", "trace"]:
            for shown, used in self.ports.items():
                text = text.replace(f":{shown}", f":{used}")
        before, said = self._watched(), len(self.server.lines) if self.server is not None else 0
        done = subprocess.run(
            ["/bin/sh", "-c", text], input=given or "", cwd=self.folder, env=self.environ, text=True, encoding="utf-8",
            timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if self._watched() != before:
            self._wait_for_reload(said)
        return self._plain(done.stdout.splitlines())

    def _watched(self) -> dict[str, int]:
        """What a server in development looks at, by the time of its last change."""
        return {str(file): file.stat().st_mtime_ns for file in self.folder.glob("*.py")}

    def _wait_for_reload(self, said: int) -> None:
        server = self.server
        if server is not None and server.process.poll() is None and "dev" in server.arguments:
            server.wait("^(Ready again|pellucid: )", said)

    def _plain(self, lines: list[str]) -> list[str]:
        """Lines with the page's ports and without the way to the temporary folder."""
        text = "\n".join(lines).replace(f"{self.folder}/", "").replace(str(self.folder), ".")
        for shown, used in self.ports.items():
            text = re.sub(rf"(?<=[:=]){used}\b", shown, text)
        return text.split("\n")

    def _serve(self, words: list[str]) -> list[str]:
        self.close()
        shown = words[words.index("--port") + 1] if "--port" in words else "8000"
        if "--port" in words:
            words[words.index("--port") + 1] = "0"
        self.server = Server(words, self.folder, {**self.environ, "PELLUCID_PORT": "0"})
        self.server.wait(f"{_IS_READY}|before it was ready")
        if not any(re.search(_IS_READY, line) for line in self.server.lines):
            # It refused to start; in development it waits for a change then.
            self.server.stop()
            lines, self.server = self.server.lines, None
            return self._plain(lines)
        if "dev" in words:
            self.server.wait("^$")
        self.server.seen = len(self.server.lines)
        if (port := next((found[1] for line in self.server.lines if (found := _READY.search(line))), None)) is not None:
            self.ports = {shown: port}
        return self._plain(self.server.lines)

    def said(self, fits: Callable[[list[str]], bool]) -> list[str]:
        """What the server has said since the page looked last, waited for until it fits: a line is written after its answer."""
        assert self.server is not None, "no server runs"
        server = self.server
        with server.changed:
            server.changed.wait_for(lambda: fits(self._plain(server.lines[server.seen :])), 5)
            lines, server.seen = server.lines[server.seen :], len(server.lines)
        return self._plain(lines)

    def close(self) -> None:
        """End the server."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    # curl

    def _curl(self, text: str) -> list[str]:
        command, pipe, filter = text.partition(" | ")
        assert not pipe or filter == "python3 -m json.tool", f"only json.tool stands behind a pipe: {text}"
        asked = read_curl(command)
        assert not pipe or asked.silent, "curl in front of a pipe needs -s, else it shows its progress"
        for shown, used in self.ports.items():
            asked.url = asked.url.replace(f":{shown}", f":{used}")
        try:
            answer = exchange(asked, self.folder)
        except OSError as error:
            return [f"curl: {error}"]
        if pipe:
            return self._plain(json.dumps(json.loads(answer), indent=4).split("\n"))
        return self._plain(answer.splitlines())

    def get(self, target: str) -> tuple[int, bytes]:
        """GET a path of the server that runs."""
        connection = http.client.HTTPConnection("127.0.0.1", int(next(iter(self.ports.values()))), timeout=DEADLINE)
        try:
            connection.request("GET", quote(target, safe="/?&=.,():*!{}\"'@%->|+;$~"))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@dataclass(slots=True)
class Asked:
    """A curl command, read."""

    url: str = ""
    method: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | None = None
    forms: list[str] = field(default_factory=list)
    head: bool = False
    only_head: bool = False
    silent: bool = False
    insecure: bool = False
    glob: bool = True
    unix: str | None = None


def read_curl(text: str) -> Asked:
    """Read a curl command; a word that a shell or curl would not take as it stands is refused."""
    bare = re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"", "", text)
    assert not _UNSAFE.search(bare), f"a shell would not take this as it stands: {text}"
    asked = Asked()
    words = iter(shlex.split(text)[1:])
    for word in words:
        match word:
            case "-i":
                asked.head = True
            case "-s":
                asked.silent = True
            case "-g":
                asked.glob = False
            case "-k":
                asked.insecure = True
            case "-I":
                asked.method, asked.only_head, asked.head = "HEAD", True, True
            case "-X":
                asked.method = next(words)
            case "-H":
                name, _, value = next(words).partition(":")
                asked.headers.append((name, value.strip()))
            case "-d" | "--data-binary":
                asked.body = next(words)
            case "--json":
                asked.body = next(words)
                asked.headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
            case "-F":
                asked.forms.append(next(words))
            case "--unix-socket":
                asked.unix = next(words)
            case _:
                assert not word.startswith("-"), f"curl's option {word} is not understood here"
                assert not asked.url, f"two addresses: {asked.url} and {word}"
                asked.url = word if "://" in word else f"http://{word}"
    assert asked.url.isascii(), f"curl does not encode what is not ASCII: {text}"
    assert " " not in asked.url, f"curl does not encode blanks: {text}"
    assert not asked.glob or not re.search(r"[\[\]{}]", asked.url), (
        f"curl takes brackets and braces for a list without -g: {text}"
    )
    return asked


def exchange(asked: Asked, folder: Path) -> str:
    """Send what curl would send, and give what it would print."""
    parts = urlsplit(asked.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    host = "127.0.0.1" if host == "localhost" else host
    connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=DEADLINE, context=ssl._create_unverified_context())
    names = {name.lower() for name, _ in asked.headers}
    body, headers = _body(asked, folder)
    headers = [("User-Agent", "curl/8.0"), ("Accept", "*/*"), *headers]
    headers = [(name, value) for name, value in headers if name.lower() not in names] + asked.headers
    target = parts.path or "/"
    try:
        if asked.unix is not None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(folder / asked.unix))
        connection.putrequest(
            asked.method or ("GET" if body is None else "POST"),
            f"{target}?{parts.query}" if parts.query else target,
            skip_accept_encoding=True,
        )
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    head = "".join(f"{name}: {value}\n" for name, value in answer.getheaders())
    text = "" if asked.only_head else content.decode("utf-8")
    return f"HTTP/1.1 {answer.status} {answer.reason}\n{head}\n{text}" if asked.head else text


def _body(asked: Asked, folder: Path) -> tuple[bytes | None, list[tuple[str, str]]]:
    if asked.forms:
        boundary = "------------------------d74496d66958873e"
        pieces: list[bytes] = []
        for form in asked.forms:
            name, _, value = form.partition("=")
            named = (
                f'; filename="{Path(value[1:]).name}"\r\nContent-Type: application/octet-stream' if value.startswith("@") else ""
            )
            content = (folder / value[1:]).read_bytes() if value.startswith("@") else value.encode()
            pieces.append(
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
            )
        return b"".join([*pieces, f"--{boundary}--\r\n".encode()]), [
            ("Content-Type", f"multipart/form-data; boundary={boundary}")
        ]
    if asked.body is None:
        return None, []
    body = (folder / asked.body[1:]).read_bytes() if asked.body.startswith("@") else asked.body.encode()
    return body, [("Content-Type", "application/x-www-form-urlencoded")]
