"""A real browser for tests: headless Chromium, told what to do over the DevTools protocol.

In: addresses, JavaScript expressions, keys and clicks. Out: what the page made of them, and whatever went wrong on the way:
console errors, exceptions, failed requests. The protocol travels over two pipes (`--remote-debugging-pipe`: JSON texts, each
ended by a zero byte, on the descriptors 3 and 4), so that there is no port to find and no WebSocket to speak.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Page", "dumped", "needs_chromium", "paged"]

DEADLINE = 30.0
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--lang=en",
)  # fmt: skip
# Chromium expects its ends of the pipes on 3 and 4, and subprocess keeps the numbers that they have.
_ON_3_AND_4 = """\
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])  # out of the way of 3 and 4
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")


class Page:
    """A tab: what it shows, what it asked for, what went wrong in it."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._unread = b""
        self._serial = 0
        self._session: str | None = None
        self.speaker: str | None = None
        """The session of the event that is heard: who watches several tabs tells them apart by it."""
        self._read = False
        self.wrong: list[str] = []
        """Console errors and warnings, exceptions, requests that failed or were answered with an error."""
        self.asked: list[tuple[str, str]] = []
        """Method and URL of every request."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._serial += 1
        told: dict[str, object] = {"id": self._serial, "method": method, "params": parameters}
        if self._session is not None:
            told["sessionId"] = self._session
        data = json.dumps(told).encode() + b"\0"
        while data:
            data = data[os.write(self._writing, data) :]
        until = time.monotonic() + DEADLINE
        while True:
            message = self._next(until, method)
            if message.get("id") == self._serial:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result

    def _next(self, until: float, waiting_for: str) -> dict[str, Any]:
        """The next message; what events tell is kept."""
        while b"\0" not in self._unread:
            left = until - time.monotonic()
            assert left > 0, f"chromium did not answer {waiting_for} within {DEADLINE} s"
            if select.select([self._reading], [], [], left)[0]:
                piece = os.read(self._reading, 1 << 20)
                assert piece, f"chromium ended before it answered {waiting_for}"
                self._unread += piece
        data, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(data)
        if "method" in message:
            self.speaker = message.get("sessionId")
            self._hear(message["method"], message["params"])
        return message

    def _hear(self, event: str, told: dict[str, Any]) -> None:
        if event == "Page.domContentEventFired":
            self._read = True
        elif event == "Network.requestWillBeSent":
            self.asked.append((told["request"]["method"], told["request"]["url"]))
        elif event == "Network.responseReceived" and told["response"]["status"] >= 400:
            self.wrong.append(f"{told['response']['status']} {told['response']['url']}")
        elif event == "Network.loadingFailed" and not told.get("canceled"):
            self.wrong.append(f"{told['errorText']}: a {told['type']}")
        elif event == "Runtime.exceptionThrown":
            self.wrong.append(told["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.wrong.append(" ".join(str(each.get("value", each.get("description"))) for each in told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.wrong.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    # What a user does.

    def open(self, address: str) -> None:
        """Go to an address and read its document; what the page makes of it is waited for with `until`."""
        self._read = False
        told = self.call("Page.navigate", url=address)
        assert "errorText" not in told, f"{address}: {told['errorText']}"
        until = time.monotonic() + DEADLINE
        while "loaderId" in told and not self._read:  # without one, only what follows # has changed
            self._next(until, address)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until this is true of the document, looking after each of its changes; gives the value."""
        never = json.dumps(f"never true: {expression}\n")
        return self.evaluate(
            f"""new Promise((tell, fail) => {{
                const look = () => {{
                    const value = {expression};
                    if (value) watch.disconnect(), tell(value);
                    return value;
                }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                if (!look()) setTimeout(() => fail(new Error({never} + document.body.innerText)), {DEADLINE * 900});
            }})"""
        )

    def text(self, selector: str) -> str:
        """What the first element that fits shows, once there is one."""
        found = f"document.querySelector({json.dumps(selector)})"
        said: str = self.until(f"{found} && {{ text: {found}.innerText }}")["text"]
        return said

    def click(self, selector: str) -> None:
        """Click the middle of the first element that fits, with the mouse."""
        place = self.until(
            f"""(() => {{
                const found = document.querySelector({json.dumps(selector)});
                if (!found) return null;
                found.scrollIntoView({{ block: "center", behavior: "instant" }});
                const box = found.getBoundingClientRect();
                return box.width ? {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }} : null;
            }})()"""
        )
        for event in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=event, button="left", clickCount=1, **place)

    def type(self, text: str) -> None:
        """Put a text where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key: "Enter", "ArrowDown", "Escape", "/"."""
        told: dict[str, object] = {"key": key, "code": "Slash" if key == "/" else key}
        if key in ("Enter", "/"):
            told["text"] = "\r" if key == "Enter" else key
        for event in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=event, windowsVirtualKeyCode=13 if key == "Enter" else 0, **told)

    def close(self) -> None:
        """Close the whole browser."""
        self._session = None
        self.call("Browser.close")

    # What a user sees.

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's size in pixels, and the colours that its user prefers; up to 500 pixels it is a telephone."""
        mobile = width <= 500
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """A screenshot, of the whole page or of the window."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def paged(folder: Path, *, flags: Sequence[str] = ()) -> Iterator[Page]:
    """A browser with one empty page; `folder` is where it keeps what it must, `flags` are further ones."""
    assert PROGRAM is not None
    (their_reading, our_writing), (our_reading, their_writing) = os.pipe(), os.pipe()
    inherited = (their_reading, their_writing)
    with _chromium((*flags, "--remote-debugging-pipe", "about:blank"), folder, via=_ON_3_AND_4, pass_fds=inherited) as process:
        for end in inherited:
            os.close(end)
        try:
            page = Page(our_reading, our_writing)
            yield page
            page.close()
            process.wait(DEADLINE)
        finally:
            os.close(our_reading)
            os.close(our_writing)


@contextmanager
def _chromium(
    arguments: Sequence[str], folder: Path, *, via: str = "", pass_fds: Sequence[int] = (), **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the browser, which is gone afterwards with all its children."""
    assert PROGRAM is not None
    trampoline = [sys.executable, "-c", via, *map(str, pass_fds)] if via else []
    words = [*trampoline, PROGRAM, *FLAGS, f"--user-data-dir={folder}", *arguments]
    with subprocess.Popen(
        words, pass_fds=pass_fds, env=_environment(folder), stderr=subprocess.DEVNULL, start_new_session=True, **options
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)


def dumped(address: str, folder: Path, *, budget_ms: int = 10_000) -> str:
    """The document as it stands when nothing more happens, as HTML."""
    arguments = (f"--virtual-time-budget={budget_ms}", "--dump-dom", address)
    with _chromium(arguments, folder, stdout=subprocess.PIPE) as process:
        return process.communicate(timeout=DEADLINE)[0].decode()


def _environment(folder: Path) -> Mapping[str, str]:
    return {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder), "LANG": "C.UTF-8"}
