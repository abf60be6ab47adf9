"""What a real browser asks for: headless Chromium on a site of files, watched from both ends.

In: a folder served on loopback, and a page of it. Out: every request with Chromium's own word on who initiated it, and which of
them a client without JavaScript cannot know. The server's log has what the protocol does not tell (the icon).

How it is done: a site, hence an origin, of its own for every page, so that nothing is cached; first a page without anything on
the same origin, since the change of process at the first navigation loses events; then the page. All other hosts are unknown to
the browser. It is no private window: in those Chromium does not ask for manifests.
"""

from __future__ import annotations

import http.server
import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from chromium import DEADLINE, Page, paged
from small_files import small_file

__all__ = ["Browser", "Requested", "Score", "Site", "browser", "score", "served"]

_WARM = "/.warm"
_QUIET = 0.5
"""Seconds without a request after which a page that is loaded asks for nothing more."""
FLAGS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1280,720")


class Requested(NamedTuple):
    """One request of the browser's."""

    url: str
    kind: str
    """The protocol's ResourceType: Document, Stylesheet, Image, ..."""
    priority: str
    by: str
    """The initiator's type: parser, script, other; `log` for what only the server saw.

    `script` means that one ran: a module's static imports, which have no stack, count as the parser's.
    """
    initiator: str
    """The URL of whatever initiated it, where that is told."""


class Site:
    """A folder on loopback, with fields of its own for some paths, and what was asked of it.

    Below `/p/` is every file of which `small_files` knows the ending.
    """

    def __init__(self, folder: Path, headers: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> None:
        self.folder = folder
        self.headers = headers or {}
        self.asked: list[tuple[str, str]] = []
        """Path with query, and `Sec-Fetch-Dest`."""
        self.changed = threading.Condition()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def log(self, path: str, destination: str) -> None:
        """A request has come."""
        with self.changed:
            if path != _WARM:
                self.asked.append((path, destination))
            self.changed.notify_all()

    def wait_quiet(self) -> bool:
        """Let a while go by; whether nothing was asked in it."""
        with self.changed:
            return not self.changed.wait(_QUIET)


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2", ".woff": "font/woff",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json", ".vtt": "text/vtt",
    }  # fmt: skip

    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site
        super().__init__(*arguments, directory=str(site.folder))

    def do_GET(self) -> None:
        self.site.log(self.path, self.headers.get("Sec-Fetch-Dest", ""))
        made = small_file(self.path.partition("?")[0]) if self.path.startswith("/p/") else None
        if self.path == _WARM:
            made = "text/html", b"<!doctype html><link rel=icon href=data:,>"
        if made is None:
            super().do_GET()
            return
        kind, body = made
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in self.site.headers.get(self.path.partition("?")[0], ()):
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path, headers: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> Iterator[Site]:
    """A folder as a site."""
    site = Site(folder, headers)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()


class Browser:
    """Chromium, which visits pages as somebody would who has never been there."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def visit(self, site: Site, path: str) -> list[Requested]:
        """Every request of a page until it asks for nothing more, the page itself left out."""
        page = self._page
        watched = _Watched(page)
        try:
            watched.open(site.origin + _WARM)
            watched.requests.clear()
            watched.open(site.origin + path)
            until = time.monotonic() + DEADLINE
            while time.monotonic() < until and not (site.wait_quiet() and not watched.drain()):
                pass
        finally:
            watched.close()
        found = [each for each in watched.requests if each.url != site.origin + path]
        known = {each.url for each in found} | {site.origin + path}
        for asked, destination in site.asked:
            url = site.origin + asked
            if url not in known:
                found.append(Requested(url, destination, "", "log", ""))
                known.add(url)
        return found


class _Watched:
    """One page in a tab of its own."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[Requested] = []
        self._loaded = False
        self._hear_before = page._hear
        page._hear = self._hear  # type: ignore[method-assign]
        self._session = page._session
        page._session = None
        self._target = page.call("Target.createTarget", url="about:blank")["targetId"]
        page._session = page.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=1280, height=720, deviceScaleFactor=1, mobile=False)

    def _hear(self, event: str, told: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            request, initiator = told["request"], told["initiator"]
            if request["url"].startswith("http"):
                self.requests.append(
                    Requested(
                        request["url"].partition("#")[0], told.get("type", ""), request["initialPriority"],
                        "parser" if initiator["type"] == "script" and "stack" not in initiator else initiator["type"],
                        initiator.get("url", ""),
                    )
                )  # fmt: skip

    def open(self, address: str) -> None:
        """Go there, and wait for the load event."""
        self._loaded = False
        self._page.call("Page.navigate", url=address)
        until = time.monotonic() + DEADLINE
        while not self._loaded:
            self._page._next(until, f"the load event of {address}")

    def drain(self) -> int:
        """Hear what has been told already; gives how many requests there are new."""
        page, before = self._page, len(self.requests)
        while b"\0" in page._unread or select.select([page._reading], [], [], 0)[0]:
            page._next(time.monotonic() + DEADLINE, "what is there")
        return len(self.requests) - before

    def close(self) -> None:
        """Close the tab."""
        page = self._page
        page._session = None
        page.call("Target.closeTarget", targetId=self._target)
        page._session = self._session
        page._hear = self._hear_before  # type: ignore[method-assign]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser for many pages; `folder` is where it keeps what it must."""
    with paged(folder, flags=FLAGS) as page:
        yield Browser(page)


class Score(NamedTuple):
    """How far two sets of URLs agree."""

    common: frozenset[str]
    theirs: frozenset[str]
    """Only the browser's."""
    ours: frozenset[str]
    """Only ours."""
    scripted: frozenset[str]
    """Asked for by scripts, by the browser's own word; not counted."""

    @property
    def value(self) -> float:
        """URLs in common / URLs in either."""
        either = len(self.common) + len(self.theirs) + len(self.ours)
        return len(self.common) / either if either else 1.0


def score(requested: Sequence[Requested], ours: set[str]) -> Score:
    """Hold what we ask for against what the browser asked for, without what its scripts asked for."""
    by_parser = {each.url for each in requested if each.by != "script"}
    scripted = {each.url for each in requested if each.by == "script"} - by_parser
    theirs = frozenset(by_parser)
    mine = frozenset(ours) - scripted
    return Score(theirs & mine, theirs - mine, mine - theirs, frozenset(scripted))
