"""What a server tells of its own inside: the durations of `Server-Timing`, and a Pellucid server's spans, put on our clock.

In: a visit whose answer is there. Out: its `timings` and its `inside`. Nothing is drawn here, and the requests that this takes
are no part of the journey.

Problem: the server measures on its clock, we on ours. Naive: begin the server's block where the request was sent. Then network
and kernel seem to cost nothing on the way there and everything on the way back. Standard: none; tracing systems guess, and shift
bars without saying so. Choice: where both run on one host the clocks are one (CLOCK_MONOTONIC, compared by the boot's id), so
offsets are exact. Elsewhere the block stands in the middle of the wait, and the slack is told.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from pellucid.http.fields import TCHAR, unquoted
from pellucid.http.sites import same_origin
from pellucid.http.url import BadUrl, Url, parse_url
from pellucid.journey import Clock, Inside, InsideSpan, Journey, Note, Timing, Visit

__all__ = ["ANATOMY", "Ask", "look_inside", "parent_of", "timings"]

Ask = Callable[[Url], Awaitable[tuple[int, bytes]]]
"""Fetches an address of the server's with a GET: status (0 where nothing came) and body."""

ANATOMY = "urn:pellucid:rel:anatomy"
"""The relation (RFC 8288, 2.1.2) from an answer to its anatomy."""

_MOST_TIMINGS = 100
_MOST_SPANS = 2_000
_LONGEST = 200
"""Letters of a name or an id."""
_DEEPEST = 32
_PAUSES = (0.005, 0.02, 0.05, 0.1, 0.2)
"""Seconds before asking again: an anatomy is there when the last byte has left, which may be a moment after we have it."""
_PATIENCE = 5.0

# -- Server-Timing -----------------------------------------------------------------------------------------------------

_NAME = re.compile(rf"[ \t]*({TCHAR}+)")
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({TCHAR}+)?[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"?|[^ \t;,]*))?[^;,]*', re.DOTALL)


def timings(headers: Iterable[tuple[str, str]]) -> list[Timing]:
    """The entries of all `Server-Timing` fields (W3C Server Timing, 3.1) in their order; of each parameter the first counts.

    At most a hundred. What cannot be read is left out, and what follows it is read nevertheless.
    """
    found: list[Timing] = []
    for name, value in headers:
        if name.lower() == "server-timing":
            found += _entries(value)
    return found[:_MOST_TIMINGS]


def _entries(value: str) -> list[Timing]:
    found: list[Timing] = []
    at = 0
    while at < len(value) and len(found) < _MOST_TIMINGS:
        name = _NAME.match(value, at)
        at = name.end() if name else at
        parameters: dict[str, str] = {}
        while match := _PARAMETER.match(value, at):
            at = match.end()
            if match[1]:
                parameters.setdefault(match[1].lower(), unquoted(match[2] or ""))
        if name:
            found.append(Timing(name[1], _milliseconds(parameters.get("dur")), parameters.get("desc")))
        comma = value.find(",", at)
        at = len(value) if comma < 0 else comma + 1
    return found


def _milliseconds(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"-?[0-9]{0,15}(?:\.[0-9]{0,15})?(?:[eE][+-]?[0-9]{1,2})?", text):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def parent_of(entries: Iterable[Timing]) -> tuple[str, str] | None:
    """The trace's id and the server's span in it, where the server sent them back: as `trace` (W3C Trace Context, level 3), or
    as `traceparent`, which is common.
    """
    for entry in entries:
        if entry.name.lower() in ("trace", "traceparent") and entry.description is not None:
            found = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", entry.description)
            if found is not None:
                return found[1], found[2]
    return None


# -- the anatomy -------------------------------------------------------------------------------------------------------


class _Clock(msgspec.Struct):
    started_ns: int
    boot: str | None = None


class _Span(msgspec.Struct):
    name: str
    start_ms: float
    duration_ms: float
    depth: int = 0
    detail: object = None


class _Anatomy(msgspec.Struct):
    id: str
    duration_ms: float
    spans: list[_Span]
    clock: _Clock | None = None


async def look_inside(visit: Visit, url: Url, ask: Ask, clock: Clock, journey: Journey) -> None:
    """Fill `visit.inside` where the answer links to its anatomy on the same origin. Never raises but CancelledError."""
    where = _anatomy_of(visit, url)
    if where is None:
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            status, body = await ask(where)
            for pause in _PAUSES:
                if status != 404:
                    break
                await asyncio.sleep(pause)
                status, body = await ask(where)
    except TimeoutError:
        _say(visit, "did not come in time")
        return
    if status != 200:
        _say(visit, f"was answered with {status}" if status else "did not come")
        return
    try:
        told = msgspec.json.decode(body, type=_Anatomy)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _say(visit, "could not be read")
        return
    at = clock()
    if not 0 <= told.duration_ms <= at / 1e6 + 1:
        _say(visit, f"told of {told.duration_ms:.4g} ms, and not so long ago this began")
        return
    visit.inside = _placed(visit, told, at, journey)


def _anatomy_of(visit: Visit, url: Url) -> Url | None:
    if visit.received is None:
        return None
    from pellucid.client.page.links import parse_links

    for name, value in visit.received.headers:
        if name != "link" or ANATOMY not in value:
            continue
        for link in parse_links(value):
            if ANATOMY in link.parameters.get("rel", "").split():
                try:
                    found = parse_url(link.href, url)
                except BadUrl:
                    continue
                return found if same_origin(found, url) else None
    return None


def _say(visit: Visit, what: str) -> None:
    visit.notes.append(Note("limit", "info", f"The server offered its anatomy of this request, which {what}"))


def _placed(visit: Visit, told: _Anatomy, at: int, journey: Journey) -> Inside:
    """The server's spans on the journey's clock."""
    spans = [_within(span, told.duration_ms) for span in told.spans[:_MOST_SPANS]]
    whole = _ns(told.duration_ms)
    writing = min((_ns(span.start_ms) for span in spans if span.name == "write" and span.depth == 0), default=whole)
    wait = _wait_of(visit)
    slack = max(0, wait[1] - wait[0] - writing)
    inside = Inside(told.id[:_LONGEST], slack=slack)
    started = _same_clock(told, whole, at, journey)
    if started is not None:
        inside.aligned = "clock"
        inside.says = "Both ran on this host and its one clock, so the instants are exact"
    else:
        started = wait[0] + slack // 2 if slack else max(0, wait[1] - writing)
        inside.says = (
            f"The server's clock is another, so its {writing / 1e6:.1f} ms stand in the middle of the wait; "
            f"{slack / 1e6:.1f} ms of it were network and kernel, and how they divide is not known"
        )
    inside.spans = [
        InsideSpan(span.name, started + _ns(span.start_ms), _ns(span.duration_ms), span.depth, span.detail) for span in spans
    ]
    return inside


def _within(span: _Span, whole: float) -> _Span:
    """The part of a span that lies within its request: whoever answers may say anything, and the axis is as long as the spans."""
    start = min(max(0.0, span.start_ms), whole)
    end = min(max(start, span.start_ms + span.duration_ms), whole)
    return _Span(span.name[:_LONGEST], start, end - start, min(max(0, span.depth), _DEEPEST), _shallow(span.detail, _DEEPEST))


def _shallow(value: object, levels: int) -> object:
    """Plain data without what is nested too deep for anybody to have meant it, and for those who read it."""
    if not isinstance(value, (dict, list)):
        return value
    if levels <= 0:
        return None
    if isinstance(value, list):
        return [_shallow(each, levels - 1) for each in value]
    return {name: _shallow(each, levels - 1) for name, each in value.items()}


def _wait_of(visit: Visit) -> tuple[int, int]:
    """From the last byte sent to the first byte received."""
    begin = visit.sent_last if visit.sent_last is not None else visit.discovered
    end = visit.first_byte if visit.first_byte is not None else begin
    return begin, max(begin, end)


def _same_clock(told: _Anatomy, whole: int, at: int, journey: Journey) -> int | None:
    """When the server began, on our clock, where that is the same one; what does not fit into the journey came from another."""
    clock = told.clock
    if clock is None or clock.boot is None or clock.boot != journey.boot:
        return None
    started = clock.started_ns - journey.started
    return started if started >= 0 and started + whole <= at else None


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
