"""What is wrong with the models: `ModelError`, which lists every mistake of all models with its cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Mistake", "ModelError", "Wrong"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: where (`Product` or `Product.price`), what is wrong, and what would be right."""

    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.cure}"


class ModelError(TypeError):
    """The models cannot be used. `mistakes` holds all of them; the message has a line for each."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(self.mistakes)} mistakes" if len(self.mistakes) != 1 else "a mistake"
        super().__init__("\n  ".join([f"{count} in the models", *map(str, self.mistakes)]))


class Wrong(Exception):
    """A mistake found while one thing is read, caught where its place is known: what is wrong, and what would be right."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure
