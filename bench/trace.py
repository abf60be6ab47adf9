"""What `pellucid trace` costs, beside curl and Chromium on the same nginx in the same run: `python bench/trace.py`.

In: nginx, curl and chromium on the path. Out: a table of medians. Every trace and every curl is a fresh process; what Python
takes to start is told apart from what the trace takes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from chromium import Page, paged
from nginx import site

WATCHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
ROUNDS = 15
PARTS = 100
TIMED = """
import sys, time
from pellucid.cli.tracing import Told, run
from pellucid.client.options import TraceOptions
from pellucid.client.trace import prepare
only = len(sys.argv) > 2
prepare([sys.argv[1]], TraceOptions(only_document=only))
import pellucid.anatomy.hide, pellucid.anatomy.terminal
began = time.perf_counter()
code = run([sys.argv[1]], Told(only_document=only))
print((time.perf_counter() - began) * 1e3, file=sys.stderr)
sys.exit(code)
"""


def main() -> None:
    """Measure and print one table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        folder.chmod(0o755)
        _write_site(folder / "site")
        with site(folder, folder / "site") as origin:
            rows = [*_document(f"{origin}/small.html"), *_start(f"{origin}/small.html"), *_page(f"{origin}/page.html", folder)]
            rows += _large(f"{origin}/large.bin")
    width = max(len(name) for name, _ in rows)
    for row, value in rows:
        print(f"{row:<{width}}  {value}")


def _write_site(folder: Path) -> None:
    (folder / "small.html").write_text("<!doctype html><title>Small</title><link rel=icon href=data:,><p>Hello")
    parts = "".join(f'<img src="i{number}.svg" width=9 height=9>' for number in range(60))
    parts += "".join(f'<link rel=stylesheet href="s{number}.css">' for number in range(15))
    parts += "".join(f'<script src="j{number}.js"></script>' for number in range(PARTS - 75))
    (folder / "page.html").write_text(f"<!doctype html><title>Page</title><link rel=icon href=data:,>{parts}")
    for number in range(PARTS):
        shapes = "<g/>" * 50
        (folder / f"i{number}.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{shapes}</svg>')
        (folder / f"s{number}.css").write_text("".join(f".c{number}-{rule} {{ color: #123 }}\n" for rule in range(50)))
        (folder / f"j{number}.js").write_text("// " + "x" * 2000)
    (folder / "large.bin").write_bytes(os.urandom(1 << 20) * 50)


def _document(url: str) -> list[tuple[str, str]]:
    curls, ours, journeys = [], [], []
    for _ in range(ROUNDS):
        curls.append(_timed(lambda: subprocess.run(["curl", "-s", "-o", os.devnull, url], check=True)))
        done = subprocess.run([sys.executable, "-c", TIMED, url, "only"], capture_output=True, text=True, check=True)
        ours.append(float(done.stderr))
        journeys.append(_json(url, "--only-document")["finished"] / 1e6)
    curl, own, journey = map(statistics.median, (curls, ours, journeys))
    return [
        ("one document: curl, the process", f"{curl:6.1f} ms"),
        ("one document: trace with its drawing, once Python has started", f"{own:6.1f} ms   {own / curl:.2f} x curl (at most 3)"),
        ("one document: the journey itself", f"{journey:6.1f} ms"),
    ]


def _start(url: str) -> list[tuple[str, str]]:
    starts = []
    for _ in range(ROUNDS):
        began = time.time()
        starts.append((_json(url, "--only-document")["began"] - began) * 1e3)
    return [("start-up, until the journey begins", f"{statistics.median(starts):6.0f} ms   (under 250)")]


def _page(url: str, folder: Path) -> list[tuple[str, str]]:
    ours = [_json(url)["finished"] / 1e6 for _ in range(ROUNDS)]
    with paged(folder / "browser") as page:
        theirs = [_loaded(page, f"{url}?{number}") for number in range(ROUNDS)]
    own, chromium = statistics.median(ours), statistics.median(theirs[1:])
    return [
        (f"a page of {PARTS} parts: Chromium, until its load event", f"{chromium:6.0f} ms"),
        (f"a page of {PARTS} parts: trace", f"{own:6.0f} ms   {own / chromium:.2f} x Chromium (at most 1.5)"),
    ]


def _loaded(page: Page, url: str) -> float:
    page.call("Network.setCacheDisabled", cacheDisabled=True)
    page.open(url)
    page.until("document.readyState == 'complete'")
    spent: float = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    return spent


def _large(url: str) -> list[tuple[str, str]]:
    began = time.perf_counter()
    visit = _json(url)["visits"][0]
    spent = time.perf_counter() - began
    assert visit["body"]["decoded"] == 50 << 20, visit
    watched = subprocess.run([sys.executable, "-c", WATCHED, *_command(url)], capture_output=True, text=True, check=True)
    peak = float(watched.stdout)
    return [("a body of 50 MB: the whole command", f"{spent * 1e3:6.0f} ms"), ("a body of 50 MB: most memory", f"{peak:6.0f} MB")]


def _command(url: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "pellucid", "trace", url, "--json", *words]


def _json(url: str, *words: str) -> dict[str, object]:
    done = subprocess.run(_command(url, *words), capture_output=True, check=True)
    journey: dict[str, object] = json.loads(done.stdout)["journey"]
    return journey


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
