"""What happened: the latest, the slowest and the failed requests, kept in memory and told as plain data.

In: one call per request after its last byte has left. Out: JSON-able dicts, made when somebody looks. It knows no sockets,
models or databases; query plans come from a function handed in, once per statement.

Problem: recording must cost next to nothing on the way of a request, but secrets must not be kept even for a moment longer
than the request. Formatting at once is slow; keeping the request keeps its secrets and its body. So a record is a tuple of
references to what is safe as it stands (instants, method, status) and to redacted copies of what is not, made once per header
block and only for targets that look as if they held a secret.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Literal

from pellucid.anatomy.redact import REDACTED, Pairs, redact_fields, redact_headers, redact_target
from pellucid.http.messages import Request, Response
from pellucid.spans import Span, Trace, boot_id, now

__all__ = ["Explain", "Recorder", "Which", "is_quiet", "server_timing", "spans_until"]

Explain = Callable[[str], Awaitable[list[str]]]
"""The plan of a statement, a line a step; asked at most once per text."""

Which = Literal["latest", "slowest", "failed"]

# request id, trace, method, redacted target, status, redacted request fields, fixed lines, redacted fields, body bytes, finished
_Record = tuple[str, Trace, str, str, int, Pairs, bytes, Sequence[tuple[str, str]], "int | None", int]

_QUIET = frozenset({"/he", "/re", "/_p"})
_QUIET_PATHS = frozenset({"/healthz", "/readyz"})
_QUIET_FOLDER = "/_pellucid/"
_SLOW_FOR_NS = 15 * 60 * 10**9
_MOST_PLANS = 512


class Recorder:
    """The Observer that keeps requests: call it after each answer, ask `recent` and `find` later.

    Kept are the `keep_latest` last requests, the `keep_slowest` slowest of about the last quarter of an hour, and the
    `keep_failed` last ones that were answered with a 5xx or a 4xx other than 404 (scanners would drown the rest). Health
    checks, the anatomy's own pages and requests without a trace are not recorded. One thread at a time.
    """

    def __init__(
        self, keep_latest: int = 200, keep_slowest: int = 50, keep_failed: int = 100, explain: Explain | None = None
    ) -> None:
        self.explain = explain
        self._ring: list[_Record | None] = [None] * keep_latest
        self._next = 0
        self._last = keep_latest - 1
        self._failed: list[_Record | None] = [None] * keep_failed
        self._next_failed = 0
        self._slow: list[tuple[int, int, _Record]] = []  # a heap of (duration, finished, record)
        self._keep_slowest = keep_slowest
        self._bar = -1 if keep_slowest else 1 << 62  # a request slower than this is among the slowest
        self._plans: dict[str, list[str]] = {}

    def observe(self, request: Request, response: Response, finished: int) -> None:
        """Record one request. `finished` is the instant of its last byte in nanoseconds."""
        trace = request.trace
        target = request.target
        if trace is None or (target[:3] in _QUIET and is_quiet(request.path)):
            return
        headers = request.headers
        fields = response.headers
        body = response.body
        status = response.status
        # Facts are untyped; redact.py alone writes this one.
        shown: Pairs = headers.facts.get(REDACTED) or redact_headers(headers)  # type: ignore[assignment]
        at = self._next
        self._ring[at] = record = (
            request.id,
            trace,
            request.method,
            redact_target(target) if request.query else target,
            status,
            shown,
            response.fixed,
            redact_fields(fields) if fields else fields,
            len(body) if isinstance(body, bytes) else response.length,
            finished,
        )
        if status >= 400 and status != 404:
            self._keep_failed(record)
        if finished - trace.started > self._bar:
            self._keep_slow(finished - trace.started, record)
        self._next = at + 1
        if at == self._last:
            self._next = 0
            self._forget_slow(finished)

    __call__ = observe

    def _keep_failed(self, record: _Record) -> None:
        if self._failed:
            self._failed[self._next_failed] = record
            self._next_failed = (self._next_failed + 1) % len(self._failed)

    def _keep_slow(self, duration: int, record: _Record) -> None:
        heappush(self._slow, (duration, record[-1], record))
        if len(self._slow) > self._keep_slowest:
            heappop(self._slow)
        if len(self._slow) == self._keep_slowest:
            self._bar = self._slow[0][0]

    def _forget_slow(self, instant: int) -> None:
        """Let the slowest of long ago go, or those of the start would hold their places for ever."""
        fresh = [entry for entry in self._slow if instant - entry[1] < _SLOW_FOR_NS]
        if len(fresh) < len(self._slow):
            heapify(fresh)
            self._slow, self._bar = fresh, -1

    # -- looking -------------------------------------------------------------------------------------------------------

    def recent(self, which: Which = "latest", limit: int = 100) -> list[dict[str, object]]:
        """Summaries of recorded requests: the newest or the slowest first."""
        clock = _wall_clock()
        return [_summary(record, clock) for record in self._records(which)[: max(limit, 0)]]

    async def find(self, id: str) -> dict[str, object] | None:
        """One recorded request whole, by its request id, the end of it (six digits or more), or its trace id."""
        for which in ("latest", "failed", "slowest"):
            for record in self._records(which):
                if id == record[1].id or (len(id) >= 6 and record[0].endswith(id)):
                    return await self._whole(record)
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._ring = [None] * len(self._ring)
        self._failed = [None] * len(self._failed)
        self._slow.clear()
        self._next = self._next_failed = 0
        self._bar = -1 if self._keep_slowest else 1 << 62

    def _records(self, which: Which) -> list[_Record]:
        if which == "slowest":
            return [record for _, _, record in sorted(self._slow, key=lambda entry: entry[:2], reverse=True)]
        ring, at = (self._ring, self._next) if which == "latest" else (self._failed, self._next_failed)
        return [record for record in (ring[at:] + ring[:at])[::-1] if record is not None]

    async def _whole(self, record: _Record) -> dict[str, object]:
        _, trace, _, _, _, fields, fixed, headers, size, _ = record
        asked = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        lines = [line.partition(b": ") for line in fixed.split(b"\r\n") if line]
        said = [(name.decode("latin-1"), value.decode("latin-1")) for name, _, value in lines]
        sent = next((int(value) for name, value in asked if name == "content-length" and value.isdecimal()), 0)
        return {
            **_summary(record, _wall_clock()),
            "clock": {"boot": boot_id(), "started_ns": trace.started},
            "spans": [await self._span(span) for span in spans_until(trace, record[-1])],
            "request": {"headers": asked, "body_bytes": sent},
            "response": {"headers": [*redact_fields(said), *headers], "body_bytes": size},
        }

    async def _span(self, span: Span) -> dict[str, object]:
        told: dict[str, object] = {
            "name": span.name,
            "start_ms": _ms(span.start),
            "duration_ms": _ms(span.duration),
            "depth": span.depth,
        }
        detail = _plain(span.detail)
        if detail is not None:
            told["detail"] = detail
        if isinstance(detail, dict) and isinstance(text := detail.get("sql"), str) and (plan := await self._plan(text)):
            told["detail"] = {**detail, "plan": plan}
        return told

    async def _plan(self, text: str) -> list[str]:
        if self.explain is None:
            return []
        if text not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            try:
                self._plans[text] = await self.explain(text)
            except Exception as error:  # a statement that cannot be explained must not hide the request
                self._plans[text] = [f"no plan: {error}"]
        return self._plans[text]


def spans_until(trace: Trace, finished: int) -> list[Span]:
    """The spans of a request that is over: what lies between the last station and the last byte is its writing."""
    spans = trace.spans()
    last = max((span.start + span.duration for span in spans), default=0)
    if finished - trace.started > last and not any(span.name == "write" for span in spans):
        spans.append(Span("write", last, finished - trace.started - last))
    return spans


def server_timing(trace: Trace, span_id: str | None = None) -> str:
    """The value of `Server-Timing` (W3C Server Timing, section 3.1): durations summed by name, and the trace to join with.

    At most a dozen entries: the first ones by name, the others summed as `other`. `span_id` is the server's own span for the
    join, 16 hex digits.
    """
    sums: dict[str, list[int]] = {}
    for span in trace.spans():
        entry = sums.setdefault(span.name, [0, 0])
        entry[0] += span.duration
        entry[1] += 1
    names = list(sums)
    shown = names if len(names) <= 11 else names[:10]
    entries = [_timing(name, *sums[name]) for name in shown]
    if len(shown) < len(names):
        entries.append(_timing("other", sum(sums[name][0] for name in names[10:]), 1))
    entries.append(f'trace;desc="00-{trace.id}-{span_id or trace.id[16:]}-01"')
    return ", ".join(entries)


def _timing(name: str, duration: int, times: int) -> str:
    token = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name) or "other"
    said = f';desc="{times} times"' if times > 1 else ""
    return f"{token};dur={_ms(duration):g}{said}"


def _summary(record: _Record, clock: int) -> dict[str, object]:
    id, trace, method, target, status, _, _, _, size, finished = record
    return {
        "id": id,
        "trace_id": trace.id,
        "parent": trace.parent,
        "method": method,
        "target": target,
        "status": status,
        "started": (clock + trace.started) / 1e9,
        "duration_ms": _ms(finished - trace.started),
        "body_bytes": size,
    }


def _wall_clock() -> int:
    """Nanoseconds to add to an instant of the traces' clock to get the time of day."""
    return time.time_ns() - now()


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _plain(detail: object) -> object:
    """What a mark carries, as JSON can say it. A pair (text, count) is a statement and its number of rows."""
    match detail:
        case None | bool() | int() | float() | str():
            return detail
        case (str() as text, int() | None as rows):
            return {"sql": text} if rows is None else {"sql": text, "rows": rows}
        case dict():
            return {str(key): _plain(value) for key, value in detail.items()}
        case tuple() | list():
            return [_plain(value) for value in detail]
        case _:
            return str(detail)


def is_quiet(path: str) -> bool:
    """Whether nobody wants to see requests for this path: health checks, and the anatomy's own."""
    return path in _QUIET_PATHS or path.startswith(_QUIET_FOLDER)
