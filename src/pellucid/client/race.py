"""Which address to try when (happy eyeballs, RFC 8305): decisions only.

In: addresses as their families become known, attempts that failed, instants in nanoseconds. Out: the next thing to do. It opens
nothing and reads no clock, so that every course of events can be played through by a test.

Addresses of the two families take turns, IPv6 first unless the resolver's own order says otherwise (section 4). Where IPv4 is
known first, IPv6 is given the resolution delay to arrive (section 3). An attempt that has not answered after the attempt delay
gets company, and one that fails makes room at once (section 5). What is known later joins the queue behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Race", "Start", "Wait"]


class Start(NamedTuple):
    """Try this address now; `why` is the beginning of a sentence for people."""

    address: str
    why: str


class Wait(NamedTuple):
    """Do nothing until something happens, or until this instant."""

    until: int | None


class Race:
    """The queue of addresses. `next` is asked again after every event; None says that nothing is left to try or to wait for."""

    def __init__(self, attempt_delay: int, resolution_delay: int) -> None:
        """Both delays in nanoseconds."""
        self._attempt_delay = attempt_delay
        self._resolution_delay = resolution_delay
        self._untried: dict[bool, deque[str]] = {True: deque(), False: deque()}  # by "is IPv6"
        self._seen: set[str] = set()
        self._mixed_first: bool | None = None
        self._resolved = False
        self._first_known: int | None = None
        self._running = 0
        self._last_start: int | None = None
        self._last_six: bool | None = None
        self._room: str | None = None

    def found(self, addresses: Sequence[str], at: int) -> None:
        """These addresses are known from now on, in the order in which the resolver prefers them."""
        new = [address for address in dict.fromkeys(addresses) if address not in self._seen]
        if new and self._first_known is None:
            self._first_known = at
            if len({":" in address for address in new}) == 2:
                self._mixed_first = ":" in new[0]
        for address in new:
            self._seen.add(address)
            self._untried[":" in address].append(address)

    def resolved(self) -> None:
        """No more addresses will come."""
        self._resolved = True

    def failed(self, how: str) -> None:
        """A running attempt came to nothing; `how` completes `the one before `."""
        self._running -= 1
        self._room = how

    def next(self, at: int) -> Start | Wait | None:
        """What to do at this instant."""
        if not (self._untried[True] or self._untried[False]):
            return Wait(None) if self._running or not self._resolved else None
        if self._last_start is None:
            assert self._first_known is not None
            until = self._first_known + self._resolution_delay
            if not (self._untried[True] or self._resolved or self._mixed_first is not None) and at < until:
                return Wait(until)
            waited = at - self._first_known
            why = "Tried first"
            if not self._untried[True] and not self._resolved:
                why = f"Tried first, after waiting {waited / 1e6:.0f} ms for an IPv6 address in vain"
            return self._start(at, why)
        if self._room is not None:
            return self._start(at, f"Tried at once, since the one before {self._room}")
        if not self._running:
            return self._start(at, "Tried as soon as the address was known, since nothing else was left")
        until = self._last_start + self._attempt_delay
        if at < until:
            return Wait(until)
        waited = at - self._last_start
        return self._start(at, f"Tried {waited / 1e6:.0f} ms after the one before, which had not answered")

    def _start(self, at: int, why: str) -> Start:
        six = (self._mixed_first is not False) if self._last_six is None else not self._last_six
        if not self._untried[six]:
            six = not six
        self._last_six, self._last_start, self._room = six, at, None
        self._running += 1
        return Start(self._untried[six].popleft(), why)
