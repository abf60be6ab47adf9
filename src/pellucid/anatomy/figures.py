"""Figures as people read them: durations, sizes, counts, shares.

In: nanoseconds, bytes, numbers. Out: short text with its unit. Three digits, so that two of them compare at a glance.
"""

from __future__ import annotations

__all__ = ["count_text", "duration_text", "join_text", "number_text", "share_text", "size_text"]

_PLURALS = {"query": "queries", "entry": "entries", "address": "addresses", "child": "children", "try": "tries"}


def number_text(value: float) -> str:
    """`0.41`, `9.2`, `61.3`, `184`, `1,204`: no more digits than anybody compares."""
    if value < 0:
        return f"-{number_text(-value)}"
    if value < 0.995:
        return f"{value:.2f}" if value else "0"
    if value < 99.95:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def duration_text(nanoseconds: int) -> str:
    """`85 µs`, `0.41 ms`, `184 ms`, `1.20 s`, `2 min 5 s`."""
    if nanoseconds < 0:
        return f"-{duration_text(-nanoseconds)}"
    if nanoseconds < 95_000:
        return f"{nanoseconds / 1e3:.0f} µs" if nanoseconds else "0 ms"
    ms = nanoseconds / 1e6
    if ms < 999.5:
        return f"{number_text(ms)} ms"
    if ms < 99_995:
        return f"{ms / 1e3:.2f} s" if ms < 9995 else f"{ms / 1e3:.1f} s"
    minutes, seconds = divmod(round(ms / 1e3), 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def size_text(size: int) -> str:
    """`820 B`, `2.3 kB`, `212 kB`, `1.4 MB`: decimal units, as networks count."""
    if size < 1000:
        return f"{size} B"
    number, unit = size / 1000, "kB"
    for larger in ("MB", "GB"):
        if number >= 999.5:
            number, unit = number / 1000, larger
    return f"{number:.1f} {unit}" if number < 99.95 else f"{number:,.0f} {unit}"


def count_text(count: int, what: str) -> str:
    """`1 request`, `14 requests`; `what` is the singular, its last word is what is counted."""
    if count == 1:
        return f"1 {what}"
    head, _, last = what.rpartition(" ")
    plural = _PLURALS.get(last, f"{last}s")
    return f"{count:,} {head} {plural}" if head else f"{count:,} {plural}"


def share_text(part: float, whole: float) -> str:
    """`61 %`; never 0 % of something, never 100 % of less than all."""
    if whole <= 0 or part <= 0:
        return "0 %"
    percent = 100 * part / whole
    return "less than 1 %" if percent < 0.5 else f"{min(round(percent), 100 if part >= whole else 99)} %"


def join_text(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
