"""Two journeys side by side: what became slower, faster, bigger, smaller, what is new and what is gone.

In: two summaries, each made of a journey or of an HTTP archive (HAR 1.2) that any tool wrote. Out: text. Requests are matched by
method and URL, the document's own origin left out, so that a copy on another host compares as well.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from pellucid.anatomy.cells import clean, fit, fit_middle, pad, width, wrap
from pellucid.anatomy.expect import METRICS
from pellucid.anatomy.figures import count_text, duration_text, number_text, size_text
from pellucid.anatomy.layout import LEAST, Line
from pellucid.anatomy.phases import end_of
from pellucid.anatomy.terminal import Color, encode
from pellucid.anatomy.verdict import judge, span_of
from pellucid.anatomy.waterfall import chain_of
from pellucid.journey import Journey

__all__ = ["Change", "Entry", "Summary", "changes", "compare"]

_MOST = 10
_SHARE, _LEAST_NS, _LEAST_BYTES = 0.2, 2_000_000, 500
"""A difference that is less than a fifth, 2 ms or 500 bytes is noise."""
_ERA = datetime(1970, 1, 1, tzinfo=UTC)
_PHASES = ("dns", "connect", "tls", "wait", "receive")


class Entry(msgspec.Struct, frozen=True):
    """One request: its URL, status, nanoseconds from its discovery to its end, bytes as transferred."""

    method: str
    url: str
    status: int
    duration: int
    size: int


class Summary(msgspec.Struct, frozen=True):
    """What a journey and an archive both can tell. Times in nanoseconds."""

    name: str
    verdict: str
    origin: str
    """Of the document, left out when requests are matched."""
    total: int
    first_byte: int | None
    phases: dict[str, int]
    """`dns`, `connect`, `tls` of the document and its redirects; `wait` and `receive` of the document."""
    connections: int
    size: int
    entries: list[Entry]

    @classmethod
    def from_journey(cls, journey: Journey, round: int = 1) -> Summary:
        """The summary of one round of a journey."""
        visits = [visit for visit in journey.visits if visit.round == round]
        chain = chain_of(visits)
        phases = {name: value for name in _PHASES if (value := METRICS[name][1](journey)) is not None}
        start, end = span_of(journey, round)
        first = chain[-1].first_byte if chain else None
        return cls(
            name=clean(journey.shown or journey.url),
            verdict=judge(journey, round).text,
            origin=_origin(chain[-1].url if chain else journey.url),
            total=end - start,
            first_byte=first - start if first is not None else None,
            phases={name: int(value) for name, value in phases.items()},
            connections=len({visit.connection for visit in visits} - {None}),
            size=sum(visit.body.wire for visit in visits),
            entries=[
                Entry(
                    visit.method,
                    visit.url.partition("#")[0],
                    visit.received.status if visit.received is not None else 0,
                    end_of(visit) - visit.discovered,
                    visit.body.wire,
                )
                for visit in visits
            ],
        )

    @classmethod
    def from_har(cls, har: dict[str, object]) -> Summary:
        """The summary of an HTTP archive. Raises ValueError where it has no entries to compare."""
        raw = [entry for entry in _list(_dict(har.get("log")).get("entries")) if isinstance(entry, dict)]
        if not raw:
            raise ValueError("The HTTP archive has no entries in `log.entries`")
        told = sorted((_har_entry(entry) for entry in raw), key=lambda each: each[0])
        began = told[0][0]
        total = max(start + entry.duration for start, entry, _ in told) - began
        last = next((at for at, (_, entry, _) in enumerate(told) if not 300 <= entry.status < 400), len(told) - 1)
        start, document, timings = told[last]
        phases = {name: sum(each[name] for _, _, each in told[: last + 1]) for name in ("dns", "connect", "tls")}
        wires = {str(entry[key]) for entry in raw for key in ("_connectionId", "connection") if entry.get(key)}
        size = sum(entry.size for _, entry, _ in told)
        count = count_text(len(told), "request")
        return cls(
            name=clean(document.url),
            verdict=f"{document.status} in {duration_text(total)}: {count}, {size_text(size)} (from an HTTP archive)",
            origin=_origin(document.url),
            total=total,
            first_byte=start - began + document.duration - timings["receive"],
            phases={**phases, "wait": timings["wait"], "receive": timings["receive"]},
            connections=len(wires),
            size=size,
            entries=[entry for _, entry, _ in told],
        )


# Archives


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _nanoseconds(value: object) -> int:
    return round(value * 1e6) if isinstance(value, int | float) and 0 < value < 1e12 else 0


def _har_entry(raw: dict[str, object]) -> tuple[int, Entry, dict[str, int]]:
    """An entry with its start in nanoseconds and its timings; an archive's `connect` includes `ssl` (HAR 1.2)."""
    request, response, told = _dict(raw.get("request")), _dict(raw.get("response")), _dict(raw.get("timings"))
    try:
        at = datetime.fromisoformat(str(raw.get("startedDateTime")))
        start = (at.replace(tzinfo=at.tzinfo or UTC) - _ERA) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        start = 0
    sizes = [response.get("bodySize"), response.get("_transferSize"), _dict(response.get("content")).get("size")]
    size = next((each for each in sizes if isinstance(each, int) and each >= 0), 0)
    status = response.get("status")
    tls = _nanoseconds(told.get("ssl"))
    timings = {
        "dns": _nanoseconds(told.get("dns")),
        "connect": max(_nanoseconds(told.get("connect")) - tls, 0),
        "tls": tls,
        "wait": _nanoseconds(told.get("wait")),
        "receive": _nanoseconds(told.get("receive")),
    }
    entry = Entry(
        str(request.get("method") or "GET"),
        str(request.get("url") or "").partition("#")[0],
        status if isinstance(status, int) else 0,
        _nanoseconds(raw.get("time")),
        size,
    )
    return start, entry, timings


# Changes


class Change(msgspec.Struct, frozen=True):
    """A request of both, or of one of them only."""

    url: str
    before: Entry | None
    after: Entry | None

    @property
    def time(self) -> int:
        """By how much it became slower, in nanoseconds; 0 where that is noise."""
        return self._difference("duration", _LEAST_NS)

    @property
    def size(self) -> int:
        """By how much it became bigger, in bytes; 0 where that is noise."""
        return self._difference("size", _LEAST_BYTES)

    @property
    def answered_otherwise(self) -> bool:
        """Whether its status changed."""
        return self.before is not None and self.after is not None and self.before.status != self.after.status

    def _difference(self, what: str, least: int) -> int:
        if self.before is None or self.after is None:
            return 0
        old, new = int(getattr(self.before, what)), int(getattr(self.after, what))
        return new - old if abs(new - old) >= max(least, old * _SHARE) else 0


def changes(before: Summary, after: Summary) -> list[Change]:
    """Every request of either, matched; those of `after` in their order, then those that are gone."""
    old, new = _by_key(before), _by_key(after)
    found = [Change(key[1], old.get(key), entry) for key, entry in new.items()]
    return found + [Change(key[1], entry, None) for key, entry in old.items() if key not in new]


def _by_key(summary: Summary) -> dict[tuple[str, str, int], Entry]:
    """Entries by method, URL without the document's origin, and how many there were of these before."""
    keyed: dict[tuple[str, str, int], Entry] = {}
    counts: dict[tuple[str, str], int] = {}
    host = summary.origin.partition("://")[2]
    for entry in summary.entries:
        url = entry.url
        if _origin(url) == summary.origin:
            url = url.removeprefix(summary.origin) or "/"
        elif host and url.partition("://")[2].startswith(f"{host}/"):  # a redirect to https
            url = url.replace(host, "…", 1)
        number = counts[entry.method, url] = counts.get((entry.method, url), -1) + 1
        keyed[entry.method, url, number] = entry
    return keyed


def _origin(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}" if separator else ""


# The text


def compare(before: Summary, after: Summary, wanted: int, color: Color = "none") -> str:
    """Both in `wanted` columns (40 at least), with a newline at the end."""
    room = max(wanted, LEAST)
    lines: list[Line] = [
        [],
        [("Compared", "title")],
        *_heading("before", before, room),
        *_heading("after", after, room),
        [],
        *_totals(before, after, room),
    ]
    found = changes(before, after)
    both = [change for change in found if change.before is not None and change.after is not None]
    lines += _section("Slower", [each for each in both if each.time > 0], room)
    lines += _section("Faster", [each for each in both if each.time < 0], room)
    lines += _section("Bigger", [each for each in both if each.size > 0], room)
    lines += _section("Smaller", [each for each in both if each.size < 0], room)
    lines += _section("Answered otherwise", [each for each in both if each.answered_otherwise], room)
    lines += _section("New", [each for each in found if each.before is None], room)
    lines += _section("Gone", [each for each in found if each.after is None], room)
    same = sum(1 for each in both if not each.time and not each.size and not each.answered_otherwise)
    if same:
        lines += [[], [(fit(f"{count_text(same, 'request')} as before", room), "dim")]]
    return "\n".join(encode(line, color) for line in lines) + "\n"


def _heading(name: str, summary: Summary, room: int) -> list[Line]:
    prefix = f"  {name:<7}"
    return [
        [(prefix, "dim"), (fit_middle(summary.name, room - len(prefix)), "label")],
        *([(" " * len(prefix), ""), (part, "")] for part in wrap(summary.verdict, room - len(prefix))),
    ]


def _totals(before: Summary, after: Summary, room: int) -> list[Line]:
    name = min(room - 28, 16)
    lines: list[Line] = [[(f"{'':{name}}{'before':>9}{'after':>9}", "axis")]]
    rows: list[tuple[str, int | None, int | None, str]] = [
        ("total", before.total, after.total, "time"),
        ("first byte", before.first_byte, after.first_byte, "time"),
        *((phase, before.phases.get(phase), after.phases.get(phase), "time") for phase in _PHASES),
        ("requests", len(before.entries), len(after.entries), "count"),
        ("connections", before.connections, after.connections, "count"),
        ("bytes", before.size, after.size, "bytes"),
    ]
    for label, old, new, sort in rows:
        if not old and not new:
            continue
        words: Line = [(pad(label, name), "label"), *((pad(f" {_text(each, sort)}", 9, right=True), "") for each in (old, new))]
        if old is not None and new is not None and old != new:
            noise = sort == "time" and abs(new - old) < max(_LEAST_NS / 4, old * 0.05)
            style = "dim" if noise else "bad" if new > old else "good"
            words.append((pad(f" {_signed(new - old, sort)}", 10, right=True), style))
            if old and room >= name + 28 + 9:
                words.append((f"{100 * (new - old) / old:>+7.0f} %", style))
        lines.append(words)
    return lines


def _text(value: int | None, sort: str) -> str:
    if value is None:
        return "–"
    return duration_text(value) if sort == "time" else size_text(value) if sort == "bytes" else f"{value:,}"


def _signed(value: int, sort: str) -> str:
    return f"{'+' if value > 0 else '-'}{_text(abs(value), sort)}"


def _section(title: str, found: list[Change], room: int) -> list[Line]:
    if not found:
        return []
    by_size = title in ("Bigger", "Smaller")
    if title in ("Slower", "Faster", "Bigger", "Smaller"):
        found = sorted(found, key=lambda each: -abs(each.size if by_size else each.time))
    lines: list[Line] = [[], [(title, "title")]]
    for change in found[:_MOST]:
        head, style, tail = _change_texts(title, change)
        prefix = f"{fit(head, 10):>10}  "
        tail = tail if room >= 60 else ""
        url = fit_middle(clean(change.url), room - len(prefix) - (width(tail) + 2 if tail else 0))
        gap = " " * (room - len(prefix) - width(url) - width(tail)) if tail else ""
        lines.append([(prefix, style), (url, "label"), (gap, ""), (tail, "dim")])
    if len(found) > _MOST:
        lines.append([(f"{'':>10}  {len(found) - _MOST:,} more", "dim")])
    return lines


def _change_texts(title: str, change: Change) -> tuple[str, str, str]:
    """What stands before the URL, its style, and what stands behind it."""
    before, after = change.before, change.after
    if before is None or after is None:
        entry = after or before
        assert entry is not None
        return size_text(entry.size), "", duration_text(entry.duration)
    if title == "Answered otherwise":
        return f"{before.status} → {after.status}", "bad" if after.status >= 400 else "moved", ""
    by_size = title in ("Bigger", "Smaller")
    sort = "bytes" if by_size else "time"
    old, new = (before.size, after.size) if by_size else (before.duration, after.duration)
    factor = f"  ×{number_text(new / old)}" if old and new / old >= 2 else ""
    return _signed(new - old, sort), "bad" if new > old else "good", f"{_text(old, sort)} → {_text(new, sort)}{factor}"
