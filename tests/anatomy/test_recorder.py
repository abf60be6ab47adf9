"""What the recorder keeps, what it must not keep, and what it tells."""

from __future__ import annotations

import asyncio
import gc
import json
import time

import msgspec

from pellucid.anatomy.recorder import Recorder, server_timing
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.spans import Trace, boot_id, new_trace_id, now

MS = 1_000_000
PLAIN = Headers([(b"host", b"localhost")])


def record(
    recorder: Recorder,
    target: str = "/api/cities",
    *,
    status: int = 200,
    took: int = MS,
    headers: Headers = PLAIN,
    marks: list[tuple[str, int, object, int]] | None = None,
    response: Response | None = None,
    method: str = "GET",
    body: bytes = b"",
    ended: int | None = None,
) -> str:
    """Let the recorder see one request that took so many nanoseconds; its id."""
    id = new_trace_id()
    ended = now() if ended is None else ended
    trace = Trace(id, ended - took)
    trace.marks = marks or []
    request = Request(method, target, headers, body=body, id=id, trace=trace)
    recorder(request, response or Response(status, b"{}"), ended)
    return id


def find(recorder: Recorder, id: str) -> dict[str, object]:
    found = asyncio.run(recorder.find(id))
    assert found is not None
    json.dumps(found)
    return found


def ids(recorder: Recorder, which: str = "latest") -> list[object]:
    return [summary["id"] for summary in recorder.recent(which)]  # type: ignore[arg-type]


def test_the_newest_comes_first_and_the_ring_forgets_the_oldest() -> None:
    recorder = Recorder(keep_latest=3)
    made = [record(recorder) for _ in range(5)]
    assert ids(recorder) == made[:1:-1]
    assert [summary["id"] for summary in recorder.recent(limit=1)] == made[-1:]


def test_the_slowest_are_kept_when_the_latest_have_moved_on() -> None:
    recorder = Recorder(keep_latest=2, keep_slowest=2)
    slow = record(recorder, took=90 * MS)
    slower = record(recorder, took=100 * MS)
    for _ in range(5):
        record(recorder)
    assert ids(recorder, "slowest") == [slower, slow]
    assert find(recorder, slow)["duration_ms"] == 90.0


def test_the_slowest_of_long_ago_make_room() -> None:
    recorder = Recorder(keep_latest=1, keep_slowest=1)
    hour = 3600 * 1000 * MS
    record(recorder, took=1000 * MS, ended=hour)
    record(recorder, took=MS, ended=2 * hour)
    fresh = record(recorder, took=MS, ended=2 * hour + MS)
    assert ids(recorder, "slowest") == [fresh]


def test_failures_are_kept_but_not_the_404s_of_scanners() -> None:
    recorder = Recorder(keep_latest=1, keep_failed=2)
    failed = [record(recorder, status=status) for status in (500, 422, 404, 503)]
    record(recorder)
    assert ids(recorder, "failed") == [failed[3], failed[1]]


def test_each_kind_can_be_switched_off() -> None:
    recorder = Recorder(keep_latest=1, keep_slowest=0, keep_failed=0)
    record(recorder, status=500)
    assert ids(recorder, "slowest") == ids(recorder, "failed") == []


def test_health_checks_and_the_anatomys_own_requests_are_not_recorded() -> None:
    recorder = Recorder()
    for target in ("/healthz", "/readyz", "/_pellucid/requests", "/_pellucid/requests/1?x=2"):
        record(recorder, target)
    assert ids(recorder) == []
    kept = [record(recorder, target) for target in ("/health", "/reports", "/_page", "/")]
    assert ids(recorder) == kept[::-1]


def test_a_request_without_a_trace_is_not_recorded() -> None:
    recorder = Recorder()
    recorder(Request("GET", "/", PLAIN), Response(), now())
    assert ids(recorder) == []


def test_a_request_is_told_whole() -> None:
    recorder = Recorder()
    response = Response(201, b"x" * 10, fixed=b"content-type: application/json\r\n", headers=[("location", "/api/cities/1")])
    headers = Headers([(b"host", b"localhost"), (b"content-length", b"7")])
    began = now()
    marks: list[tuple[str, int, object, int]] = [
        ("parse", began + MS, None, 0),
        ("sql", began + 3 * MS, ("SELECT 1", 20), 0),
    ]
    id = new_trace_id()
    trace = Trace("a" * 32, began, parent="b" * 16)
    trace.marks = marks
    recorder(Request("POST", "/api/cities", headers, body=b"1234567", id=id, trace=trace), response, began + 4 * MS)
    told = find(recorder, id)
    started = told.pop("started")
    assert isinstance(started, float)
    assert abs(started - time.time()) < 5
    assert told == {
        "id": id, "trace_id": "a" * 32, "parent": "b" * 16, "method": "POST", "target": "/api/cities", "status": 201,
        "duration_ms": 4.0, "body_bytes": 10,
        "clock": {"boot": boot_id(), "started_ns": began},
        "spans": [
            {"name": "parse", "start_ms": 0.0, "duration_ms": 1.0, "depth": 0},
            {"name": "sql", "start_ms": 1.0, "duration_ms": 2.0, "depth": 0, "detail": {"sql": "SELECT 1", "rows": 20}},
            {"name": "write", "start_ms": 3.0, "duration_ms": 1.0, "depth": 0},
        ],
        "request": {"headers": [("host", "localhost"), ("content-length", "7")], "body_bytes": 7},
        "response": {"headers": [("content-type", "application/json"), ("location", "/api/cities/1")], "body_bytes": 10},
    }  # fmt: skip
    assert find(recorder, "a" * 32)["id"] == id
    assert find(recorder, id[-6:])["id"] == id
    assert asyncio.run(recorder.find("none")) is None
    assert asyncio.run(recorder.find("")) is None


def test_no_secret_is_left_in_memory_once_the_request_is_gone() -> None:
    recorder = Recorder()

    def asked_and_gone() -> None:
        record(
            recorder,
            "/login?password=hunter2",
            status=500,
            headers=Headers([(b"authorization", b"Bearer hunter2"), (b"cookie", b"s=hunter2")]),
            response=Response(500, b"hunter2", headers=[("set-cookie", "s=hunter2")]),
            method="POST",
            body=b"hunter2",
        )

    asked_and_gone()
    gc.collect()
    kept, seen = [vars(recorder)], set[int]()
    while kept:
        item = kept.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        assert "hunter2" not in (item if isinstance(item, str) else item.decode("latin-1") if isinstance(item, bytes) else "")
        kept.extend(gc.get_referents(item) if not callable(item) else [])


def test_the_plan_of_a_statement_is_asked_for_once() -> None:
    asked: list[str] = []

    async def explain(text: str) -> list[str]:
        asked.append(text)
        return ["SEARCH city USING INDEX"]

    recorder = Recorder(explain=explain)
    marks: list[tuple[str, int, object, int]] = [("sql", now(), ("SELECT 1", 1), 0)] * 2
    first, second = record(recorder, marks=marks), record(recorder, marks=marks)
    for id in (first, second):
        spans = find(recorder, id)["spans"]
        assert isinstance(spans, list)
        assert spans[0]["detail"]["plan"] == ["SEARCH city USING INDEX"]
    assert asked == ["SELECT 1"]


def test_a_statement_that_cannot_be_explained_does_not_hide_its_request() -> None:
    async def explain(text: str) -> list[str]:
        raise ValueError("no such table")

    recorder = Recorder(explain=explain)
    id = record(recorder, marks=[("sql", now(), ("SELECT 1", None), 0)])
    assert "no plan: no such table" in json.dumps(find(recorder, id))


def test_details_of_any_kind_can_be_told() -> None:
    class Odd(msgspec.Struct):
        x: int = 1

    recorder = Recorder()
    details: list[object] = [None, 1, "text", ["a", (1, 2)], {"k": Odd()}, b"raw"]
    id = record(recorder, marks=[("a", now(), detail, 0) for detail in details])
    find(recorder, id)


def test_clear_forgets_everything() -> None:
    recorder = Recorder()
    record(recorder, status=500)
    recorder.clear()
    assert ids(recorder) == ids(recorder, "slowest") == ids(recorder, "failed") == []


def timed(*marks: tuple[str, int]) -> Trace:
    trace = Trace("a" * 16 + "b" * 16, 0)
    at = 0
    for name, duration in marks:
        at += duration
        trace.marks.append((name, at, None, 0))
    return trace


def test_server_timing_sums_by_name_and_ends_with_the_trace_to_join() -> None:
    trace = timed(("parse", 10_000), ("sql", 200_000), ("encode", 1_500), ("sql", 50_000))
    assert server_timing(trace, "c" * 16) == (
        f'parse;dur=0.01, sql;dur=0.25;desc="2 times", encode;dur=0.002, trace;desc="00-{trace.id}-{"c" * 16}-01"'
    )


def test_server_timing_has_at_most_a_dozen_entries_and_only_valid_names() -> None:
    trace = timed(*((f"step {number}", 1_000_000) for number in range(20)))
    entries = server_timing(trace).split(", ")
    assert len(entries) == 12
    assert entries[0] == "step-0;dur=1"
    assert entries[10] == "other;dur=10"
    assert entries[11] == f'trace;desc="00-{trace.id}-{"b" * 16}-01"'
