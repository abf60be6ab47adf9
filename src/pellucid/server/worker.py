"""A worker: accepts connections on sockets that listen already, until it is told to stop.

In: a handler and sockets. Out: nothing but answers. It knows neither the application nor the supervisor that may have started
it; that one is told "ready" through a socket, if there is one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TypeVar

from pellucid.http.messages import Handler, Observer
from pellucid.server.connection import Limits
from pellucid.server.listen import address_of, listen
from pellucid.server.protocol import HttpProtocol
from pellucid.server.service import OnError, Sampling, Service, log_error

__all__ = ["SUPERVISOR_VARIABLE", "announce_ready", "run", "running", "serve", "stop_on_signals"]

SUPERVISOR_VARIABLE = "PELLUCID_SUPERVISOR_FD"
"""Names the socket between a worker and its supervisor: the worker says when it serves, and each notices the other's end."""

T = TypeVar("T")


async def serve(
    handler: Handler,
    sockets: Sequence[socket.socket],
    *,
    stop: asyncio.Event,
    limits: Limits | None = None,
    observer: Observer | None = None,
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    tls: ssl.SSLContext | None = None,
    grace: float = 10.0,
    server_name: str = "pellucid",
    on_error: OnError = log_error,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until `stop` is set; then accept no more, let what is under way end within `grace` seconds, and return.

    The sockets are closed at the end. `observer` is told of answers, of as many as `sampling` says; `on_error` of a
    handler's exception, with its request.
    """
    service = Service(handler, limits=limits, observer=observer, sampling=sampling, on_error=on_error, server_name=server_name)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(
            lambda: HttpProtocol(service),
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=service.limits.header_timeout if tls is not None else None,
            backlog=2048,
        )
        for listening in sockets
    ]
    if on_ready is not None:
        on_ready()
    try:
        await stop.wait()
    finally:
        for server in servers:
            server.close()
        await service.stop(grace)


@asynccontextmanager
async def running(
    handler: Handler,
    sockets: Sequence[socket.socket] | None = None,
    *,
    limits: Limits | None = None,
    observer: Observer | None = None,
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    tls: ssl.SSLContext | None = None,
    grace: float = 5.0,
    on_error: OnError = log_error,
) -> AsyncIterator[str]:
    """Serve while the block runs; gives the address. Without sockets it takes a free port of 127.0.0.1."""
    own = list(sockets) if sockets is not None else listen("127.0.0.1", 0)
    address = address_of(own[0], "http" if tls is None else "https")
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(
        serve(
            handler,
            own,
            stop=stop,
            limits=limits,
            observer=observer,
            sampling=sampling,
            tls=tls,
            grace=grace,
            on_error=on_error,
            on_ready=ready.set,
        )
    )
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not task.done():
            yield address
    finally:
        stop.set()
        await task


@cache
def _link() -> socket.socket | None:
    """The connection to the supervisor, if there is one."""
    number = os.environ.pop(SUPERVISOR_VARIABLE, "")
    if not number:
        return None
    link = socket.socket(fileno=int(number))
    link.setblocking(False)
    return link


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM, SIGINT and a supervisor's death set the event; a second SIGINT ends the process at once."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    link = _link()
    if link is not None:

        def orphaned() -> None:
            loop.remove_reader(link)
            stop.set()

        loop.add_reader(link, orphaned)


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this worker serves."""
    link = _link()
    if link is not None:
        link.send(b"\n")


def run(main: Coroutine[object, object, T]) -> T:
    """Run a worker's main coroutine, on uvloop where there is one."""
    try:
        import uvloop  # optional: has no wheel on some platforms
    except ImportError:
        return asyncio.run(main)
    if sys.version_info >= (3, 12):
        return asyncio.run(main, loop_factory=uvloop.new_event_loop)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
