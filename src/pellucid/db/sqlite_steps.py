"""What travels through the writer: scripts, sessions and their steps, each with a future on the loop.

In: made on the loop. Out: `outcome` or `error`, filled in by the writer thread (sqlite_writer.py), then
handed to the future on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

from pellucid.db.database import Script, Value
from pellucid.errors import Problem
from pellucid.spans import Trace

__all__ = ["End", "Job", "Look", "Session", "Step", "Stop"]


class Step:
    """Something on its way through the writer: a future on the loop, then what came of it."""

    __slots__ = ("error", "future", "outcome")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self.outcome: object = None
        self.error: BaseException | None = None


class Job(Step):
    """A script to run."""

    __slots__ = ("rollback", "script", "trace")

    def __init__(
        self, future: asyncio.Future[Any], script: Script[Any], trace: Trace | None, rollback: bool
    ) -> None:
        super().__init__(future)
        self.script = script
        self.trace = trace
        self.rollback = rollback


class Look(Step):
    """A read inside a session."""

    __slots__ = ("text", "values")

    def __init__(self, future: asyncio.Future[Any], text: str, values: Sequence[Value]) -> None:
        super().__init__(future)
        self.text = text
        self.values = values


class End(Step):
    """The end of a session: commit, or take everything back."""

    __slots__ = ("commit",)

    def __init__(self, future: asyncio.Future[Any], commit: bool) -> None:
        super().__init__(future)
        self.commit = commit


class Session(Step):
    """A transaction that the loop drives step by step; `future` completes when it has begun.

    `pending` and `ended` (why there will be no more steps) are touched on the loop only.
    """

    __slots__ = ("ended", "pending", "steps", "trace")

    def __init__(self, future: asyncio.Future[Any], trace: Trace | None) -> None:
        super().__init__(future)
        self.trace = trace
        self.steps: SimpleQueue[Job | Look | End] = SimpleQueue()
        self.pending: set[asyncio.Future[Any]] = set()
        self.ended: Problem | None = None


class Stop:
    """The last thing in the queue."""
