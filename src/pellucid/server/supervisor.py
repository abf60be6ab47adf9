"""Keeps workers running: starts them, replaces the dead, and exchanges them while the listening sockets stay open.

In: a command, the sockets that its processes shall serve, how many. Out: an exit status. It knows nothing of what they serve:
a worker is a process that inherits the sockets (`listen.inherited`), says when it is ready and stops when it is asked to
(`worker.announce_ready`, `worker.stop_on_signals`). As the sockets are open here all the time, a connection that is made
while no worker runs waits in the kernel's queue; none is refused.

    SIGTERM, SIGINT   stop: workers end what is under way
    SIGHUP            rolling restart: each worker is replaced once its successor is ready; if that fails, it stays
    a watched file    reload: workers are stopped first, so that whoever asks from now on is served by the new code
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from enum import Enum, auto
from pathlib import Path

from pellucid.http.messages import Request, Response
from pellucid.server.listen import FDS_VARIABLE
from pellucid.server.worker import SUPERVISOR_VARIABLE, running

__all__ = ["Supervisor", "concerns"]

_log = logging.getLogger("pellucid.server")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a worker that died at its start is started again; doubled each time."""
_STEADY = 5.0
"""Seconds after which a worker counts as started well."""
_KILL_AFTER = 1.0
"""Seconds beyond the grace period in which a worker should end by itself."""


_OTHERS = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders that installers and Python itself fill."""


class _Event(Enum):
    STOP = auto()
    RESTART = auto()
    CHANGED = auto()
    DIED = auto()


class _Worker:
    """One process: `ready` becomes True when it serves, False when it ended before."""

    __slots__ = ("link", "process", "ready", "started")

    def __init__(self, process: asyncio.subprocess.Process, link: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.started = loop.time()
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.link = link
        loop.add_reader(link, self._hear)

    def _hear(self) -> None:
        try:
            said = self.link.recv(1)
        except OSError:
            said = b""
        if not said:
            self.close()
        if not self.ready.done():
            self.ready.set_result(bool(said))

    def close(self) -> None:
        if self.link.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.link)
            self.link.close()


class Supervisor:
    """Runs `workers` processes of a command on the same listening sockets.

    `watch` names files and folders whose change reloads the workers; only names that end with one of `suffixes` count.
    `grace` is what the workers are given to end; `report` is told in a sentence what happens.
    """

    def __init__(
        self,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        *,
        workers: int = 1,
        grace: float = 10.0,
        watch: Sequence[Path] = (),
        suffixes: tuple[str, ...] = (".py",),
        environment: Mapping[str, str] | None = None,
        report: Callable[[str], None] = _log.info,
    ) -> None:
        self._command = list(command)
        self._sockets = list(sockets)
        self._count = workers
        self._grace = grace
        self._watched = [path.resolve() for path in watch]
        self._suffixes = suffixes
        self._environment = dict(os.environ if environment is None else environment)
        self._report = report
        self._workers: list[_Worker] = []
        self._awaited: _Worker | None = None
        self._pause = 0.0
        self._standing_in = False
        self._changed = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Run until a signal says stop, and return 0; or the exit status of a worker that never got ready."""
        self._events: asyncio.Queue[tuple[_Event, _Worker | None]] = asyncio.Queue()
        self._stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._tell, _Event.RESTART)
        if self._watched:
            self._spawn(self._watch())
        try:
            async with AsyncExitStack() as stand_in:
                failed = await self._start_all()
                if failed is not None and not self._watched:
                    return failed
                if failed is not None:
                    await self._stand_in(stand_in)
                while True:
                    event, worker = await self._events.get()
                    if event is _Event.STOP:
                        return 0
                    if event is _Event.RESTART:
                        await self._restart()
                    elif event is _Event.CHANGED:
                        await self._reload(stand_in)
                    elif worker in self._workers:
                        await self._replace(worker)
        finally:
            await self._stop_all()
            for task in self._tasks:
                task.cancel()

    def _asked_to_stop(self) -> None:
        self._stopping.set()
        if self._awaited is not None and not self._awaited.ready.done():
            self._awaited.ready.set_result(False)
        self._tell(_Event.STOP)

    def _tell(self, event: _Event, worker: _Worker | None = None) -> None:
        self._events.put_nowait((event, worker))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Starting.

    async def _start(self) -> _Worker:
        """Start a process; returns at once, before it is ready."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        numbers = [listening.fileno() for listening in self._sockets]
        environment = {
            **self._environment,
            FDS_VARIABLE: ",".join(map(str, numbers)),
            SUPERVISOR_VARIABLE: str(theirs.fileno()),
        }
        with theirs:
            process = await asyncio.create_subprocess_exec(*self._command, env=environment, pass_fds=[*numbers, theirs.fileno()])
        worker = _Worker(process, ours)
        self._spawn(self._await_death(worker))
        return worker

    async def _await_death(self, worker: _Worker) -> None:
        await worker.process.wait()
        worker.close()
        if not worker.ready.done():
            worker.ready.set_result(False)
        self._tell(_Event.DIED, worker)

    async def _is_ready(self, worker: _Worker) -> bool:
        """Wait until it serves; False where it ended before, or we are told to stop meanwhile."""
        if self._stopping.is_set():
            return False
        self._awaited = worker
        return await worker.ready

    async def _start_all(self) -> int | None:
        """Start all workers; the exit status of one that failed, in which case none is left."""
        # The first alone: what keeps all of them from starting is then said once.
        self._workers = [await self._start()]
        ready = [await self._is_ready(self._workers[0])]
        if ready[0]:
            self._workers += [await self._start() for _ in range(1, self._count)]
            ready += [await self._is_ready(worker) for worker in self._workers[1:]]
        if all(ready) or self._stopping.is_set():
            return None
        failed = self._workers[ready.index(False)]
        status = await failed.process.wait()
        if self._watched:
            self._report("The app could not be started; waiting for a change")
        else:
            self._report(f"A worker ended with status {status} before it was ready")
        await self._stop_all()
        return status if status > 0 else 1

    # Exchanging.

    async def _replace(self, dead: _Worker) -> None:
        """A worker died unasked: start another, after a pause if it did so at its start."""
        self._workers.remove(dead)
        lived = asyncio.get_running_loop().time() - dead.started
        self._pause = 0.0 if lived > _STEADY else min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._report(f"Worker {dead.process.pid} died ({_how(dead.process.returncode)}); starting another")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._pause)
        if not self._stopping.is_set():
            self._workers.append(await self._start())

    async def _restart(self) -> None:
        """Replace the workers one by one, each when its successor is ready."""
        for old in list(self._workers):
            new = await self._start()
            if not await self._is_ready(new):
                if not self._stopping.is_set():
                    self._report("A new worker could not be started; the old ones stay")
                await self._end(new)
                return
            if old in self._workers:
                self._workers.remove(old)
            self._workers.append(new)
            await self._end(old)
        self._report("All workers were replaced")

    async def _reload(self, stand_in: AsyncExitStack) -> None:
        """Stop the workers, then start them anew; where that fails, tell whoever asks until the next change."""
        self._report(f"{self._changed} changed; reloading")
        await self._stop_all()
        await stand_in.aclose()
        self._standing_in = False
        if await self._start_all() is not None:
            await self._stand_in(stand_in)

    async def _stand_in(self, stack: AsyncExitStack) -> None:
        """Answer in place of workers that cannot be started, rather than let callers wait."""
        copies = [listening.dup() for listening in self._sockets]
        await stack.enter_async_context(running(_not_started, copies, grace=0))
        self._standing_in = True

    async def _watch(self) -> None:
        # Imported here, since only a supervisor that watches needs it.
        from watchfiles import Change, awatch

        def counts(change: Change, name: str) -> bool:
            path = Path(name)
            # A folder that the app needs may be what keeps it from starting.
            made = change is Change.added and self._standing_in and path.is_dir()
            return concerns(path, self._watched, () if made else self._suffixes)

        async for changes in awatch(*self._watched, watch_filter=counts, stop_event=self._stopping, debounce=200):
            name = Path(min(path for _, path in changes)).name
            self._changed = name if len(changes) == 1 else f"{name} and {len(changes) - 1} more"
            self._tell(_Event.CHANGED)

    # Stopping.

    async def _stop_all(self) -> None:
        workers, self._workers = self._workers, []
        await asyncio.gather(*(self._end(worker) for worker in workers))

    async def _end(self, worker: _Worker) -> None:
        """Ask a process to end, and end it if it doesn't."""
        process = worker.process
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._grace + _KILL_AFTER)
        except TimeoutError:
            self._report(f"Worker {process.pid} did not end in time and was killed")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def concerns(path: Path, watched: Sequence[Path], suffixes: tuple[str, ...]) -> bool:
    """Whether a change reloads: a file's name ends so, and it is in no folder that others fill, nor in a hidden one.

    Without `suffixes` the path is a folder itself.
    """
    if suffixes and not path.name.endswith(suffixes):
        return False
    root = next((root for root in watched if path.is_relative_to(root)), path.parent)
    folders = path.relative_to(root).parts[: -1 if suffixes else None]
    return not any(folder in _OTHERS or folder.startswith(".") for folder in folders)


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"


# A browser asks again by itself (Refresh, HTML Living Standard, section 4.2.5.3), until the app is back.
_STAND_IN = b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nretry-after: 1\r\nrefresh: 2\r\n"


def _not_started(_request: Request) -> Response:
    body = b"The application could not be started. The terminal says why; correct the file, and this page works again.\n"
    return Response(503, body, fixed=_STAND_IN)
