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

    def __init__(self, stream: TextIO | None, enabled: bool | None = None) -> None:
        if enabled is None:
            enabled = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._stream = stream if enabled else None
        self._shown = False

    def update(self, done: int, known: int, size: int, elapsed: int) -> None:
        """Say how many of the known requests are done, how many bytes came, and how long it took so far (nanoseconds)."""
        if self._stream is None:
            return
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            width = 80
        text = f"{done} of {known} requests, {size_text(size)}, {duration_text(elapsed)}"
        self._write(f"\r\x1b[2K{fit(text, max(width - 1, 1))}")
        self._shown = True

    def erase(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write("\r\x1b[2K")
            self._shown = False

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone: the journey goes on without it
            self._stream = None
