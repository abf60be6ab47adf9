"""Installs the peers below bench/.peers, once for each set of exact versions.

In: bench/requirements.txt and bench/peers/*/package.json. Out: one virtual environment for the Python peers,
one folder with node_modules for each Node peer. Raises `CannotInstall` with the reason, for the table.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

__all__ = [
    "BENCH",
    "HOME",
    "PEERS",
    "CannotInstall",
    "node_folder",
    "python_bin",
    "system_program",
    "versions",
]

BENCH = Path(__file__).parent
PEERS = BENCH / "peers"
HOME = BENCH / ".peers"


class CannotInstall(Exception):
    """A peer is left out; the message says what was missing or went wrong."""


@cache
def python_bin() -> Path:
    """Return the bin folder of the Python peers' environment, made on first use."""
    home, wanted = HOME / "python", BENCH / "requirements.txt"
    stamp = home / "installed.txt"
    if not _current(stamp, wanted):
        print("  installing the Python peers (bench/requirements.txt) ...", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(home)])
        _run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--requirement", str(wanted)])
        shutil.copyfile(wanted, stamp)
    return home / "bin"


def node_folder(name: str) -> Path:
    """Return the folder of a Node peer: its node_modules, made on first use, and its present source."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise CannotInstall("node and npm are not installed (Debian's packages `nodejs` and `npm`)")
    source, home = PEERS / name, HOME / name
    home.mkdir(parents=True, exist_ok=True)
    stamp, wanted = home / "installed.json", source / "package.json"
    if not _current(stamp, wanted):
        print(f"  installing {name} (better-sqlite3 may be compiled: a minute) ...", flush=True)
        shutil.copyfile(wanted, home / "package.json")
        _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], folder=home)
        shutil.copyfile(wanted, stamp)
    # Node looks for modules beside the file it runs, so the source goes where they are.
    shutil.copyfile(source / "server.js", home / "server.js")
    return home


def system_program(name: str, package: str) -> str:
    """Find a program of the system's; /usr/sbin is not on every user's path."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise CannotInstall(f"{name} is not installed (Debian's package `{package}`)")
    return found


def _current(stamp: Path, wanted: Path) -> bool:
    return stamp.exists() and stamp.read_bytes() == wanted.read_bytes()


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotInstall(f"`{' '.join(command[:4])} ...` failed: {(done.stderr or done.stdout).strip()[-400:]}")


def versions() -> dict[str, str]:
    """Say the exact version of everything that was installed or found."""
    found = {}
    python = HOME / "python/bin/python"
    if python.exists():
        for line in _output([str(python), "-m", "pip", "freeze"]).splitlines():
            name, _, version = line.partition("==")
            found[name] = version
    for program, arguments in (("node", "--version"), ("nginx", "-v"), ("wrk", "-v")):
        if path := shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin"):
            found[program] = _output([path, arguments]).splitlines()[0]
    for package in sorted(HOME.glob("*/installed.json")):
        found |= json.loads(package.read_text())["dependencies"]
    return found


def _output(command: Sequence[str]) -> str:
    """Return what a program prints, on whichever stream (nginx says its version on the second)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()
