"""The line that says how far a journey is, while it is made.

In: counts. Out: one line on a terminal, which is taken away at the end; nothing where there is no terminal. It stands alone, so
that what draws the picture is imported only when there is one.
"""

from __future__ import annotations

import os
from typing import TextIO

from pellucid.anatomy.cells import fit
from pellucid.anatomy.figures import duration_text, size_text

__all__ = ["Progress"]


class Progress:
    """One line on a terminal that says how far a journey is; nothing where there is no terminal."""

    def __init__(self, stream: TextIO, enabled: bool | None = None) -> None:
        self._stream = stream
        self._enabled = stream.isatty() and os.environ.get("TERM") != "dumb" if enabled is None else enabled
        self._shown = False

    def update(self, done: int, known: int, size: int, elapsed: int) -> None:
        """Say how many of the known requests are done, how many bytes came, and how long it took so far (nanoseconds)."""
        if not self._enabled:
            return
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            width = 80
        text = f"{done} of {known} requests, {size_text(size)}, {duration_text(elapsed)}"
        self._stream.write(f"\r\x1b[2K{fit(text, max(width - 1, 1))}")
        self._stream.flush()
        self._shown = True

    def erase(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._shown = False
