"""Where functions that block run: a bounded pool of threads with a bounded queue.

In: a function and its arguments. Out: its result, awaited. What finds no room gets OVERLOADED (503) at once, since a queue that
only grows makes every answer late and none fail.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pellucid.errors import OVERLOADED, Problem
from pellucid.spans import Trace

__all__ = ["Threads"]

T = TypeVar("T")


class Threads:
    """`size` threads, made when first needed, and room for `waiting` calls more."""

    def __init__(self, size: int = 16, waiting: int = 64) -> None:
        self._size = size
        self._room = size + waiting
        self._under_way = 0
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., T], arguments: Mapping[str, object], trace: Trace | None = None) -> T:
        """Call the function in a thread, with the caller's context variables. Raises OVERLOADED.

        The call goes on in its thread when the awaiting task is cancelled, and keeps its place until it ends.
        """
        if self._under_way >= self._room:
            raise Problem(OVERLOADED, "all threads are busy and their queue is full", headers=[("retry-after", "1")])
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="pellucid")
        context = contextvars.copy_context()

        def call() -> T:
            # What came before was waiting for a thread. The loop appends nothing meanwhile, since it awaits us.
            if trace is not None:
                trace.mark("thread", "waited for a thread")
            return context.run(function, **arguments)

        self._under_way += 1
        future = self._pool.submit(call)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _soon(loop, self._leave))
        return await asyncio.wrap_future(future)

    def _leave(self) -> None:
        self._under_way -= 1

    def close(self) -> None:
        """Take no more calls, and wait for those under way."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        # The loop is closed: nobody counts any more.
        pass
