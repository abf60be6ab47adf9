"""Names of the laboratory, walked and validated: what the tests of DNSSEC share.

In: a Laboratory. Out: answers and verdicts, and all that was fetched for them, to be changed and validated again.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Generator

import dns.name
import msgspec

from hierarchy import Laboratory
from pellucid.client.dns.answers import Answer
from pellucid.client.dns.asking import Asking
from pellucid.client.dns.dnssec import Validation, Validator
from pellucid.client.dns.driver import Driver
from pellucid.client.dns.memory import Memory
from pellucid.client.dns.walk import Limits, Walk
from pellucid.journey import Clock, Failure, Hop

__all__ = ["Fetched", "replay", "validated"]

Key = tuple[dns.name.Name, str]
Change = Callable[[Answer], Answer]


class Fetched(msgspec.Struct):
    """An answer, its verdict, and everything that the verdict rests upon."""

    answer: Answer
    validation: Validation
    fetched: dict[Key, Answer]
    hops: list[Hop]


def validated(
    lab: Laboratory, name: str, kind: str = "A", anchors: tuple[str, ...] | None = None, now: float | None = None
) -> Fetched:
    """Walk to the name and validate what was found, as a run of its own."""
    clock, hops = Clock(), []
    walk = Walk(Memory(), clock, hops, hints=lab.hints, port=lab.port, limits=Limits(patience=0.4))
    driver, fetched = Driver(clock), {}

    def fetch(name: dns.name.Name, kind: str) -> Asking[Answer]:
        answer = yield from walk.one(name, kind, f"{kind} of {name}")
        fetched[name, kind] = answer
        return answer

    async def run() -> Fetched:
        answer = await driver.run(walk.resolve(dns.name.from_text(name), kind))
        validator = Validator(fetch, lab.anchor if anchors is None else anchors, now)
        return Fetched(answer, await driver.run(validator.validate(answer)), fetched, hops)

    return asyncio.run(run())


def replay(lab: Laboratory, answer: Answer, fetched: dict[Key, Answer]) -> Validation:
    """Validate again without servers; what was not fetched then does not come now."""

    def fetch(name: dns.name.Name, kind: str) -> Asking[Answer]:
        missing = Answer(name, kind, "failed", failure=Failure("not-fetched", "nobody was there"))
        return fetched.get((name, kind), missing)
        yield  # a generator, as fetch must be

    return run(Validator(fetch, lab.anchor).validate(copy.deepcopy(answer)))


def run(steps: Generator[object, object, Validation]) -> Validation:
    """A generator that asks nothing, to its end."""
    try:
        next(steps)
    except StopIteration as end:
        found: Validation = end.value
        return found
    raise AssertionError("it asked")
