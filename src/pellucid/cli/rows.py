"""Files of rows: CSV, TSV and JSON Lines, one row at a time, with line numbers.

In: a path. Out: rows of text or JSON objects, each with the line where it begins. Nothing is held in memory but the row; what
is wrong with the file itself (its encoding, its quotes) is a `RowError` with its line. It knows no models.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["FORMATS", "Line", "RowError", "read_csv", "read_json_lines", "read_lines"]

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json"}
"""What a file holds, by the end of its name."""

_LONGEST_CELL = 64 << 20
_BOM = b"\xef\xbb\xbf"


class RowError(Exception):
    """A file cannot be read on from this line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Line(NamedTuple):
    """A line of a text file."""

    number: int
    text: str


def read_lines(path: Path, read: Callable[[int], object] | None = None) -> Iterator[Line]:
    """The lines of a UTF-8 file, a byte order mark left out; `read` is told how many bytes each had. Raises RowError."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if read is not None:
                read(len(raw))
            if number == 1:
                raw = raw.removeprefix(_BOM)
            try:
                yield Line(number, raw.decode("utf-8"))
            except UnicodeDecodeError as error:
                shown = raw[max(0, error.start - 10) : error.start + 10].decode("latin-1")
                raise RowError(number, f"this is not UTF-8 (near {shown!r}); convert the file first") from None


def read_csv(path: Path, read: Callable[[int], object] | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file (RFC 4180) or, where it is named .tsv, one with tabs; the first is the header. Raises RowError."""
    csv.field_size_limit(_LONGEST_CELL)
    at = 0

    def texts() -> Iterator[str]:
        nonlocal at
        for line in read_lines(path, read):
            at = line.number
            yield line.text

    reader = csv.reader(texts(), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    begins = 1
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = at + 1
    except csv.Error as error:
        raise RowError(begins, f"this is not CSV: {error}") from None


def read_json_lines(path: Path, read: Callable[[int], object] | None = None) -> Iterator[tuple[int, bytes]]:
    """The objects of a JSON Lines file, still as text; empty lines are left out. Raises RowError."""
    for number, text in read_lines(path, read):
        if text.strip():
            yield number, text.encode()
