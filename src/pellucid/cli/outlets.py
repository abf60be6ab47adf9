"""Where a command puts what it found: standard output, and files.

In: text and bytes. Out: all of it that can be put anywhere. What cannot does not keep the rest from being written; it is said at
the end, by `close`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

import click

__all__ = ["Outlets", "safe_json"]

_OBEYED = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def safe_json(text: bytes) -> str:
    """JSON that may be printed: what a terminal obeys (C1 controls, directions of writing) is written as `\\u...`."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text.decode())


class Outlets:
    """Standard output and files, for one command. Call `close` at the end."""

    def __init__(self) -> None:
        self._problems: list[click.ClickException] = []

    def say(self, text: str, *, err: bool = False) -> None:
        """Print; letters that the output's encoding does not have become question marks. Nobody reading is no mistake."""
        try:
            click.echo(_printable(text, err), nl=False, err=err, color=True)  # else it takes colours out where nobody looks
        except BrokenPipeError:
            _mute(err)
        except OSError as error:
            _mute(err)
            self._problems.append(click.ClickException(f"standard {'error' if err else 'output'}: {error.strerror}"))

    def write(self, file: Path, data: bytes, flag: str, *, private: bool = False) -> None:
        """Write a file whole or not at all; `private`: a new one is for its owner only."""
        try:
            _replace(file, data, private)
        except OSError as error:
            self._problems.append(click.BadParameter(f"{file}: {error.strerror}", param_hint=flag))

    def close(self) -> None:
        """Raise the first thing that went wrong; tell the others."""
        for problem in self._problems[1:]:
            with contextlib.suppress(OSError):
                click.echo(f"Error: {problem.format_message()}", err=True)
        if self._problems:
            raise self._problems[0]


def _printable(text: str, err: bool) -> str:
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968"):
        encoding = "utf-8"  # click takes it for a mistake, and prints UTF-8
    return text.encode(encoding, "replace").decode(encoding)


def _mute(err: bool) -> None:
    """What is still in the buffer goes nowhere, so that it does not fail once more when Python ends."""
    stream = sys.stderr if err else sys.stdout
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _replace(file: Path, data: bytes, private: bool) -> None:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):  # /dev/stdout, a pipe
        file.write_bytes(data)
        return
    target = file.resolve()  # a link stays one
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        if mode is not None:
            os.chmod(unfinished, stat.S_IMODE(mode))
        elif not private:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(unfinished, 0o666 & ~mask)
        os.replace(unfinished, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
