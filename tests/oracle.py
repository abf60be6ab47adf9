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
_QUIET = 1.0
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
        self.heard = 0.0
        """When it was asked last."""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def log(self, path: str, destination: str) -> None:
        """A request has come."""
        self.heard = time.monotonic()
        if path != _WARM:
            self.asked.append((path, destination))


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
        self._tabs: dict[str, _Tab] = {}
        page._hear = self._hear  # type: ignore[method-assign]

    def visit(self, *visits: tuple[Site, str], scripts: bool = True) -> list[list[Requested]]:
        """Every request of each page until it asks for nothing more, the page itself left out; all at the same time.

        Without `scripts` none runs, nor is asked for: what is not asked for then is what they asked for.
        """
        tabs = [_Tab(self._page, site, path, scripts=scripts) for site, path in visits]
        self._tabs = {tab.session: tab for tab in tabs}
        for tab in tabs:
            tab.call("Page.navigate", url=tab.site.origin + _WARM)
        until = time.monotonic() + DEADLINE
        while not all(tab.quiet() for tab in tabs):
            assert time.monotonic() < until, f"never at rest: {[tab.address for tab in tabs if not tab.quiet()]}"
            self._listen()
            for tab in tabs:
                tab.go_on()
        for tab in tabs:
            tab.close()
        return [tab.told() for tab in tabs]

    def _hear(self, event: str, told: dict[str, Any]) -> None:
        tab = self._tabs.get(self._page.speaker or "")
        if tab is not None:
            tab.hear(event, told)

    def _listen(self) -> None:
        """Hear the next event, or let a moment go by."""
        page = self._page
        if b"\0" in page._unread or select.select([page._reading], [], [], 0.05)[0]:
            page._next(time.monotonic() + DEADLINE, "what is there")


class _Tab:
    """A window with one page: first the one without anything, then the one that is asked for."""

    def __init__(self, page: Page, site: Site, path: str, *, scripts: bool) -> None:
        self._page = page
        self.site = site
        self.address = site.origin + path
        self._requests: dict[str, Requested] = {}
        self._loads = 0
        self._gone = False
        self._heard = time.monotonic()
        page._session = None
        self._target = page.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        self.session: str = page.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Network"):
            self.call(f"{domain}.enable")
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Emulation.setDeviceMetricsOverride", width=1280, height=720, deviceScaleFactor=1, mobile=False)

    def call(self, method: str, **parameters: object) -> None:
        """A command to this tab."""
        self._page._session = self.session
        self._page.call(method, **parameters)
        self._page._session = None

    def hear(self, event: str, told: dict[str, Any]) -> None:
        """An event of this tab."""
        if event == "Page.loadEventFired":
            self._loads += 1
        elif event == "Network.requestWillBeSent" and self._gone and told["request"]["url"].startswith("http"):
            self._heard = time.monotonic()
            request, initiator = told["request"], told["initiator"]
            by = "parser" if initiator["type"] == "script" and "stack" not in initiator else initiator["type"]
            url, kind = request["url"].partition("#")[0], told.get("type", "")
            key = told["requestId"] + ("+" if "redirectResponse" in told else "")
            self._requests[key] = Requested(url, kind, request["initialPriority"], by, initiator.get("url", ""))
        elif event == "Network.loadingFailed" and told.get("blockedReason"):
            self._requests.pop(told["requestId"], None)

    def go_on(self) -> None:
        """Go to the page once the first one is there."""
        if self._loads == 1 and not self._gone:
            self._gone = True
            self.call("Page.navigate", url=self.address)

    def quiet(self) -> bool:
        """Whether the page has loaded, and nothing was asked for a while."""
        return self._loads > 1 and time.monotonic() - max(self._heard, self.site.heard) > _QUIET

    def told(self) -> list[Requested]:
        """What was asked for, with what only the site saw."""
        found = [each for each in self._requests.values() if each.url != self.address]
        known = {each.url for each in found} | {self.address}
        for asked, destination in self.site.asked:
            url = self.site.origin + asked
            if url not in known:
                found.append(Requested(url, destination, "", "log", ""))
                known.add(url)
        return found

    def close(self) -> None:
        """Close the window."""
        self._page.call("Target.closeTarget", targetId=self._target)


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


def score(requested: Sequence[Requested], ours: set[str], without: Sequence[Requested] | None = None) -> Score:
    """Hold what we ask for against what the browser asked for, without what its scripts asked for.

    Those are requests with the stack of a script; and, given what it asked for `without` scripts, all others but scripts
    themselves that are not among those: an image whose address a script has set is loaded later, without a stack.
    """
    unscripted = None if without is None else {each.url for each in without}
    by_parser = {
        each.url
        for each in requested
        if each.by != "script" and (unscripted is None or each.kind == "Script" or each.url in unscripted)
    }
    scripted = {each.url for each in requested} - by_parser
    theirs = frozenset(by_parser)
    mine = frozenset(ours) - scripted
    return Score(theirs & mine, theirs - mine, mine - theirs, frozenset(scripted))
