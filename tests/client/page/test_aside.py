"""Work beside the event loop: what it gives, and that it ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pellucid.client.page.aside import beside


def test_what_it_returns() -> None:
    assert asyncio.run(beside(lambda: threading.current_thread() is not threading.main_thread()))


def test_its_error_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(beside(lambda: 1 // 0))


def test_work_without_end_ends_when_the_time_is_up() -> None:
    ended = threading.Event()
    steps = 0

    def work() -> None:
        nonlocal steps
        try:
            while True:
                try:
                    steps += 1
                except Exception:
                    continue
        finally:
            ended.set()

    async def given_up() -> None:
        async with asyncio.timeout(0.02):
            await beside(work)

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    assert ended.wait(10)
    assert steps


def test_giving_up_at_the_very_end_harms_nothing() -> None:
    async def racing() -> None:
        for _ in range(300):
            task = asyncio.ensure_future(beside(lambda: sum(range(100))))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(racing())
    for thread in threading.enumerate():
        if thread.name == "pellucid beside":
            thread.join(10)
            assert not thread.is_alive()
