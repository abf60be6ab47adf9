"""A real nginx for tests, in front of a real server.

In: a project, as `shell.Shell` has it. Out: a front to ask, which is gone afterwards. nginx listens on a Unix socket, so that no
port can be taken; the server behind it listens on a port or on a Unix socket. Or, with `site`, files alone, on a port.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shell import DEADLINE, Served, Shell

__all__ = ["Front", "Through", "fronted", "needs_nginx", "site"]

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log debug;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    upstream app {{ server {upstream}; keepalive 8; }}
    server {{
        listen unix:{folder}/front;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_request_buffering off;
        }}
    }}
}}
"""

SITE = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/html html; text/css css; }}
    server {{
        listen 127.0.0.1:{port};
        root {root};
        {lines}
    }}
}}
"""

needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")

Answer = tuple[int, dict[str, str], bytes]


class Through(http.client.HTTPConnection):
    """A connection to the front."""

    def __init__(self, path: Path) -> None:
        super().__init__("front.test", timeout=DEADLINE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def ask(self, method: str, target: str, body: bytes | Iterable[bytes] | None = None, **headers: str) -> Answer:
        """One request: status, fields by lower-case name, body. What is not bytes is sent in chunks."""
        self.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


class Front:
    """A running nginx and the server behind it."""

    def __init__(self, folder: Path, served: Served) -> None:
        self.folder = folder
        self.served = served

    def connect(self) -> Through:
        """A new connection to nginx."""
        return Through(self.folder / "front")

    def ask(self, method: str, target: str, body: bytes | Iterable[bytes] | None = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            return connection.ask(method, target, body, **headers)
        finally:
            connection.close()

    def connections_made(self) -> int:
        """How often nginx has connected to the server so far."""
        return (self.folder / "error.log").read_text(errors="replace").count(" connect to ")


@contextmanager
def fronted(project: Shell, *, unix: bool = False, workers: int = 1) -> Iterator[Front]:
    """nginx in front of `pellucid run` on the project's app.py."""
    assert PROGRAM is not None
    folder = project.folder.parent / "nginx"
    folder.mkdir(exist_ok=True)
    place = ("--unix-socket", "server") if unix else ()
    with project.serving("run", "app.py", "--workers", str(workers), *place) as served:
        served.wait_for('"message":"ready"')
        upstream = f"unix:{project.folder}/server" if unix else served.address.removeprefix("http://")
        user = "user root;" if os.geteuid() == 0 else ""  # as root its workers change to an account that may not come in here
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, upstream=upstream, user=user))
        front = Front(folder, served)
        with _running(config, front.connect):
            yield front


@contextmanager
def site(folder: Path, root: Path, lines: str = "") -> Iterator[str]:
    """nginx with the files below `root` on a port of 127.0.0.1; `lines` are for its server block. Gives its address."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(SITE.format(folder=folder, port=port, root=root, user=user, lines=lines))
    with _running(config, lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(config: Path, connect: Callable[[], http.client.HTTPConnection]) -> Iterator[None]:
    """nginx with that configuration, from when it listens."""
    assert PROGRAM is not None
    folder = config.parent
    with subprocess.Popen([PROGRAM, "-e", f"{folder}/error.log", "-p", folder, "-c", config]) as nginx:
        try:
            _wait_until_it_listens(connect, nginx, folder / "error.log")
            yield
        finally:
            nginx.terminate()
            nginx.wait(DEADLINE)


def _wait_until_it_listens(
    connect: Callable[[], http.client.HTTPConnection], nginx: subprocess.Popen[bytes], log: Path
) -> None:
    """nginx tells nobody when it is ready, so its door is tried."""
    until = time.monotonic() + DEADLINE
    while nginx.poll() is None and time.monotonic() < until:
        connection = connect()
        try:
            connection.connect()
            return
        except OSError:
            time.sleep(0.01)
        finally:
            connection.close()
    raise AssertionError(log.read_text())
