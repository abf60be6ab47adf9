"""Long work beside the event loop, which ends with whoever waits for it.

In: a function. Out: what it returns, or its error. Cancelling the wait ends the work too.

Problem: the cascade of a page takes as long as some answers, so it runs in a thread, and a thread cannot be cancelled: of a page
made for that purpose the command would end minutes after its time was up. Standard: `asyncio.to_thread`, whose threads are waited
for when the loop is closed. A process of its own would have to be given the page and to give back its findings, at a cost for
every page. Choice: a thread that nobody waits for, and into which an exception is thrown (`PyThreadState_SetAsyncExc`). It comes
between two steps of Python code, which is where all of the time goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["beside"]

T = TypeVar("T")


class _GiveUp(BaseException):
    """Thrown into the thread; no `except Exception` keeps it."""


async def beside(work: Callable[[], T]) -> T:
    """Run `work` in a thread and wait for it; when the wait is cancelled, so is the work."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]

    lock = threading.Lock()
    over = False

    def run() -> None:
        nonlocal over
        value: T | None = None
        error: BaseException | None = None
        try:
            try:
                value = work()
            except Exception as raised:
                error = raised
            with lock:
                over = True  # from here on nothing is thrown
        except _GiveUp:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    thread = threading.Thread(target=run, name="pellucid beside", daemon=True)
    thread.start()
    try:
        return await done
    except asyncio.CancelledError:
        with lock:
            if not over:
                _throw(thread)
        raise


def _throw(thread: threading.Thread) -> None:
    import ctypes  # late: almost no wait is cancelled

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_GiveUp))
