"""Make the pictures of the documentation from the product itself: `python docs/pictures/make.py`, with `make demo` done once.

Out: `trace.svg`, what `pellucid trace` draws of the atlas; `dev.svg`, what `pellucid dev` prints while the atlas is used;
`atlas.png`, its page, where Chromium is installed.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
ATLAS = HERE.parents[1] / "examples" / "atlas"
WIDTH = 132
TRACE_WIDTH = 110
TRACES = 25
"""So many journeys are made, and the quickest is drawn: whatever else this machine does can only add to it."""
ASKED = (
    "/api/countries?select=name,capital,population,continent(name)&order=population.desc&limit=20",
    "/api/cities?name=ilike.san*&select=name,country(name)&order=population.desc&limit=10",
    "/api/cities/2988507?select=name,population,country(name)",
    "/nearby/2988507?km=80",
    "/api/cities?select=name,country!inner()&country.code=eq.FR&order=population.desc&limit=5",
    "/api/cities?populaton=gte.1",
    "/images/logo.svg",
    "/api/countries?select=name,cities(name,population)&cities.order=population.desc&cities.limit=3&order=name&limit=50",
)


def main() -> None:
    """Serve a copy of the atlas, ask it a few things, and draw what it said."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "atlas"
        shutil.copytree(ATLAS, copy, ignore=shutil.ignore_patterns("*.ruff_cache", "__pycache__"))
        environ = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "PYTHONUTF8": "1"}
        command = [str(Path(sys.executable).with_name("pellucid"))]
        if not (copy / "data.db").exists():
            tables = [f"data/{name}.csv" for name in ("continents", "countries", "cities")]
            subprocess.run([*command, "load", "app.py", *tables], cwd=copy, check=True)
        command += ["dev", "app.py", "--port", str(free_port())]
        server = subprocess.Popen(command, cwd=copy, env=environ, stderr=subprocess.PIPE, text=True)
        lines: list[str] = []
        ready = threading.Event()
        reader = threading.Thread(target=read, args=(server, lines, ready))
        reader.start()
        try:
            if not ready.wait(60):
                raise SystemExit("the atlas did not start")
            port = re.search(r"127\.0\.0\.1:(\d+)", "".join(lines))
            assert port is not None
            for path in [ASKED[0], *ASKED]:  # the first once more, since the first of all imports what the others need
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}").read()
                except urllib.error.HTTPError:
                    pass
            shot(int(port[1]))
            trace(command[0], int(port[1]))
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
            reader.join()
    draw([line.replace(port[1], "8000") for line in lines])


def free_port() -> int:
    """A free port of four digits: in the pictures it stands in the cells of 8000."""
    for port in range(8000, 10_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise SystemExit("no port from 8000 to 9999 is free")


def read(server: subprocess.Popen[str], lines: list[str], ready: threading.Event) -> None:
    """Collect what the server says, until it ends."""
    assert server.stderr is not None
    for line in server.stderr:
        lines.append(line)
        if not line.strip():
            ready.set()


def draw(lines: list[str]) -> None:
    """The banner and one line per request as an SVG."""
    begin = next(number for number, line in enumerate(lines) if "serves" in line)
    blank = next(number for number, line in enumerate(lines) if number > begin and not line.strip())
    requests = [line for line in lines[blank + 2 :] if re.search(r"GET|POST", line)][: len(ASKED)]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in ["$ pellucid dev\n", *lines[begin : blank + 1], *requests]:
        console.print(Text.from_ansi(line.rstrip("\n")))
    picture = console.export_svg(title="pellucid dev", unique_id="dev")
    # The fonts would come from somebody else's server; every system has a monospaced one.
    (HERE / "dev.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))


def trace(pellucid: str, port: int) -> None:
    """The journey to the page as the tool draws it."""
    with tempfile.TemporaryDirectory() as folder:
        made: list[tuple[int, str]] = []
        for number in range(TRACES):
            file = Path(folder) / f"{number}.svg"
            url = f"http://127.0.0.1:{port}/"
            command = [pellucid, "trace", url, "--json", "--svg", str(file), "--width", str(TRACE_WIDTH)]
            told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            made.append((told["journey"]["finished"], file.read_text(encoding="utf-8")))
    made.sort()
    (HERE / "trace.svg").write_text(made[0][1].replace(f"127.0.0.1:{port}", "127.0.0.1:8000"), encoding="utf-8")


def shot(port: int) -> None:
    """A picture of the page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium is installed: atlas.png stays as it is")
        return
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
    target = [f"--screenshot={HERE / 'atlas.png'}", "--window-size=1200,690", f"http://127.0.0.1:{port}/"]
    subprocess.run([chromium, *options, *target], check=True, capture_output=True)


if __name__ == "__main__":
    main()
