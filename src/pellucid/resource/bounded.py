"""A dict that stays small though strangers choose its keys."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Bounded"]

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V]):
    """A dict of at most `most` entries. A lookup costs what a dict's does: when it is full, the oldest half goes at
    once, so that
    a stranger who sends ever new keys pays for one pass per half a cache."""

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.most and key not in self:
            for old in list(self)[: max(1, self.most // 2)]:
                del self[old]
        super().__setitem__(key, value)
