"""What a server tells of its inside: Server-Timing as others write it, and a real Pellucid server's spans at their true place."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import App, Model, anyone
from pellucid.client.inside import ANATOMY, look_inside, parent_of, timings
from pellucid.client.options import TraceOptions
from pellucid.client.trace import begin, trace
from pellucid.http.headers import Headers
from pellucid.http.messages import Request
from pellucid.http.url import Url, parse_url
from pellucid.journey import Clock, Initiator, Journey, Received, Timing, Visit
from pellucid.spans import Trace, boot_id, new_trace_id, now
from running import asking
from scripted import Answer, Asked, scripted
from shell import Shell

MS = 1_000_000
URL = parse_url("http://shop.test/api/notes")


def told(*values: str) -> list[Timing]:
    return timings([("server-timing", value) for value in values])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("db;dur=53.2", [Timing("db", 53.2)]),
        ('cache;desc="Cache Read";dur=23.2', [Timing("cache", 23.2, "Cache Read")]),
        ("miss, db;dur=5, app;dur=47.2", [Timing("miss", None), Timing("db", 5.0), Timing("app", 47.2)]),
        ("a ; dur = 1.5 ; desc=x ,b", [Timing("a", 1.5, "x"), Timing("b", None)]),
        ('a;desc="say \\"hi\\", then; go";dur=2', [Timing("a", 2.0, 'say "hi", then; go')]),
        ("a;dur=1;dur=2;desc=x;desc=y", [Timing("a", 1.0, "x")]),
        ("a;DUR=1;start=9;flag", [Timing("a", 1.0)]),
        ("a;dur=abc, b;dur=", [Timing("a", None), Timing("b", None)]),
        ("a;dur=1e3;desc=", [Timing("a", 1000.0, "")]),
        ("a;dur=-1;desc", [Timing("a", -1.0, "")]),
        (",, a,, ,b ,", [Timing("a", None), Timing("b", None)]),
        ('a;desc="never ends, b', [Timing("a", None, "never ends, b")]),
        ("@@, a", [Timing("a", None)]),
        ("", []),
    ],
)
def test_server_timing_is_read_as_the_standard_has_it(value: str, found: list[Timing]) -> None:
    assert told(value) == found


def test_all_fields_count_and_others_do_not() -> None:
    fields = [("server-timing", "a"), ("x-timing", "no"), ("Server-Timing", "b, c")]
    assert [entry.name for entry in timings(fields)] == ["a", "b", "c"]


def test_there_is_a_bound() -> None:
    assert len(told(", ".join(["a;dur=1"] * 500), "b")) == 100


@given(st.text(max_size=200), st.text(alphabet='ab;,="\\ \t.1', max_size=60))
def test_any_text_can_be_read(one: str, other: str) -> None:
    for entry in told(one, other):
        assert entry.name
        assert entry.duration is None or isinstance(entry.duration, float)


def test_the_trace_may_be_sent_back_under_two_names() -> None:
    context = f"00-{'a' * 32}-{'b' * 16}-01"
    for name in ("trace", "traceparent"):
        assert parent_of(told(f'db;dur=1, {name};desc="{context}"')) == ("a" * 32, "b" * 16)
    assert parent_of(told("trace;desc=nonsense, db")) is None


# -- placing ------------------------------------------------------------------------------------------------------------


def journey(clock: Clock, boot: str | None = "this") -> Journey:
    return Journey("x", "x", "x", time.time(), clock.started, "0" * 32, boot=boot)


def visit(link: str | None = f'</_pellucid/requests/1>; rel="{ANATOMY}"') -> Visit:
    found = Visit(0, URL.href, "GET", "document", Initiator(None, "user"), 0)
    found.sent_first, found.sent_last, found.first_byte, found.last_byte = 10 * MS, 11 * MS, 31 * MS, 33 * MS
    found.received = Received(200, "OK", "1.1", [("link", '</next>; rel="next"'), *([("link", link)] if link else [])])
    return found


def anatomy(started: int = 0, boot: str | None = "this") -> dict[str, Any]:
    spans = [
        {"name": "parse", "start_ms": 0.0, "duration_ms": 2.0, "depth": 0},
        {"name": "sql", "start_ms": 2.0, "duration_ms": 6.5, "depth": 1, "detail": {"sql": "SELECT 1", "rows": 3}},
        {"name": "write", "start_ms": 10.0, "duration_ms": 2.0, "depth": 0},
    ]
    return {"id": "1", "duration_ms": 12.0, "spans": spans, "clock": {"boot": boot, "started_ns": started}, "more": 1}


class Answering:
    """A server that answers with these, one after the other."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, url: Url) -> tuple[int, bytes]:
        self.asked.append(url.href)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


def look(at: Visit, answers: Answering, boot: str | None = "this", late: int = 40 * MS) -> Visit:
    clock = Clock()
    clock.started -= late  # what is told about lies in the past
    asyncio.run(look_inside(at, URL, answers, clock, journey(clock, boot)))
    return at


def test_one_host_is_one_clock() -> None:
    clock = Clock()
    clock.started -= 40 * MS
    found, answers = visit(), Answering((200, anatomy(clock.started + 15 * MS)))
    asyncio.run(look_inside(found, URL, answers, clock, journey(clock)))
    assert answers.asked == ["http://shop.test/_pellucid/requests/1"]
    assert found.inside is not None
    assert found.inside.aligned == "clock"
    assert [(span.name, span.start, span.duration, span.depth) for span in found.inside.spans] == [
        ("parse", 15 * MS, 2 * MS, 0),
        ("sql", 17 * MS, 6_500_000, 1),
        ("write", 25 * MS, 2 * MS, 0),
    ]
    assert found.inside.spans[1].detail == {"sql": "SELECT 1", "rows": 3}
    assert found.inside.slack == 10 * MS


@pytest.mark.parametrize("boots", [("this", "other"), (None, None), ("this", None)])
def test_two_hosts_stand_in_the_middle_of_the_wait_and_say_so(boots: tuple[str | None, str | None]) -> None:
    found = look(visit(), Answering((200, anatomy(123, boots[0]))), boots[1])
    assert found.inside is not None
    assert found.inside.aligned == "wait"
    assert found.inside.slack == 10 * MS
    assert found.inside.spans[0].start == 16 * MS
    assert "10.0 ms stand in the middle of the wait; 10.0 ms of it were network and kernel" in found.inside.says


def test_a_clock_that_cannot_be_the_same_is_not_taken_for_it() -> None:
    for started in (0, now() + 3600 * 10**9):
        found = look(visit(), Answering((200, anatomy(started))))
        assert found.inside is not None
        assert found.inside.aligned == "wait"


def test_a_server_that_took_longer_than_the_wait_ends_with_it() -> None:
    at = visit()
    at.sent_last = 25 * MS
    found = look(at, Answering((200, anatomy(0))))
    assert found.inside is not None
    assert found.inside.slack == 0
    assert found.inside.spans[-1].start == 31 * MS


@pytest.mark.parametrize("whole", [12.0, 0.0])
def test_no_span_is_drawn_outside_of_its_request(whole: float) -> None:
    wild = [
        {"name": "n" * 100_000, "start_ms": start, "duration_ms": duration, "depth": depth, "detail": detail}
        for start, duration in ((-1e300, 1e300), (1e30, 1e30), (-5, -5), (3, 1e308), (1e308, 1e308))
        for depth, detail in ((10**18, None), (-3, json.loads("[" * 900 + "]" * 900)))
    ]
    found = visit()
    look(found, Answering((200, {**anatomy(), "duration_ms": whole, "spans": wild})))
    assert found.inside is not None
    first = min(span.start for span in found.inside.spans)
    for span in found.inside.spans:
        assert 0 <= span.duration <= 12 * MS
        assert span.start + span.duration <= first + 12 * MS
        assert span.start >= 10 * MS
        assert 0 <= span.depth <= 32
        assert len(span.name) <= 200
    assert len(json.dumps(found.inside.spans[1].detail)) < 100


@pytest.mark.parametrize("whole", [-1.0, 1e9, 1e300])
def test_a_request_that_took_longer_than_the_trace_is_not_drawn(whole: float) -> None:
    found = visit()
    look(found, Answering((200, {**anatomy(), "duration_ms": whole})))
    assert found.inside is None
    assert "not so long ago" in found.notes[0].message


def test_it_is_asked_again_until_it_is_there() -> None:
    found = look(visit(), answers := Answering((404, {}), (404, {}), (200, anatomy())))
    assert found.inside is not None
    assert len(answers.asked) == 3


@pytest.mark.parametrize(
    ("answer", "says"),
    [((404, {}), "404"), ((403, {}), "403"), ((0, b""), "did not come"), ((200, b"{"), "read"), ((200, b"\xff"), "read"),
     ((200, b"[" * 100_000), "read"), ((200, {"id": 1}), "read")],
)  # fmt: skip
def test_what_cannot_be_had_is_said_and_no_more(answer: tuple[int, object], says: str) -> None:
    found = look(visit(), Answering(answer))
    assert found.inside is None
    assert says in found.notes[0].message


@pytest.mark.parametrize(
    "link",
    [
        None,
        '</x>; rel="next"',
        f'<http://evil.test/x>; rel="{ANATOMY}"',
        f'<//shop.test:81/x>; rel="{ANATOMY}"',
        f"<x>; title={ANATOMY}",
    ],
)
def test_nobody_is_asked_without_a_link_to_the_same_origin(link: str | None) -> None:
    found = look(visit(link), answers := Answering((200, anatomy())))
    assert answers.asked == []
    assert found.inside is None
    assert found.notes == []


# -- a real server ------------------------------------------------------------------------------------------------------


class Note(Model, read=anyone, write=anyone):
    text: str


def test_a_real_backend_in_this_process_tells_exact_instants(tmp_path: Path) -> None:
    with asking(App(models=[Note]), tmp_path, mode="dev", anatomy="on") as asker:
        clock = Clock()
        at = visit(None)
        at.sent_first = at.sent_last = clock()
        answer = asker.get("/api/notes?text=eq.a")
        at.first_byte = at.last_byte = clock()
        at.received = Received(200, "OK", "1.1", answer.pairs)
        at.timings = timings(answer.pairs)

        async def ask(url: Url) -> tuple[int, bytes]:
            found = await asker._ask(request_for(url))
            return found.status, found.body

        trace = journey(clock, boot_id())
        asker.runner.run(look_inside(at, URL, ask, clock, trace))
        inside = at.inside
        assert inside is not None
        assert inside.aligned == ("clock" if boot_id() is not None else "wait")
        names = [span.name for span in inside.spans]
        assert names == ["route", "lookup", "sql", "encode", "write"]
        for span in inside.spans:
            assert at.sent_last - 1000 <= span.start <= span.start + span.duration <= at.first_byte + 1000
        sql = inside.spans[2].detail
        assert isinstance(sql, dict)
        assert sql["sql"].startswith("SELECT")
        assert sql["plan"]
        assert {"route", "sql"} <= {timing.name for timing in at.timings}
        assert parent_of(at.timings) is not None


def request_for(url: Url) -> Request:
    return Request("GET", url.target, Headers(), id=new_trace_id(), trace=Trace(new_trace_id(), now()))


APP = """
from pellucid import App, Model, anyone

class Note(Model, read=anyone, write=anyone):
    text: str

app = App(models=[Note], static="public")
"""
PAGE = "<!doctype html><title>x</title><script src=a.js></script><link rel=stylesheet href=b.css>"
TOKEN = "correct horse battery"


def whole(url: str, **options: Any) -> Journey:
    told = TraceOptions(timeout=20, **options)

    async def going() -> Journey:
        at, clock, assumed = begin(url, told)
        await trace(at, clock, told, assumed=assumed)
        return at

    return asyncio.run(going())


@pytest.fixture
def project(tmp_path: Path) -> Shell:
    project = Shell(tmp_path / "shop")
    project.write("app.py", APP)
    project.write("public/index.html", PAGE)
    project.write("public/a.js", "1")
    project.write("public/b.css", "b {}")
    return project


def test_a_server_in_dev_shows_the_inside_of_a_page_and_of_its_parts(project: Shell) -> None:
    with project.serving("dev", "app.py") as served:
        page = whole(f"{served.address}/")
        api = whole(f"{served.address}/api/notes")
        assert len(page.visits) == 4  # the icon is asked for as well
        for at in (*page.visits, *api.visits):
            assert at.inside is not None
            assert at.sent_first is not None
            assert at.last_byte is not None
            assert at.inside.aligned == ("clock" if boot_id() is not None else "wait")
            assert all(span.start >= 0 and span.start + span.duration <= at.last_byte + 50 * MS for span in at.inside.spans)
            ends = [span.start + span.duration for span in at.inside.spans if span.name == "route"]
            assert all(at.sent_first <= end <= at.last_byte for end in ends)
        assert "sql" in [span.name for span in api.visits[0].inside.spans]  # type: ignore[union-attr]
        assert not {id for connection in page.connections for id in connection.visits} - {at.id for at in page.visits}
        assert whole(f"{served.address}/api/notes", inside=False).visits[0].inside is None


def test_a_server_in_production_shows_it_to_whom_has_the_token(project: Shell) -> None:
    project("migrate", "make", "first", "app.py")
    project("migrate", "apply", "app.py")
    with project.serving("run", "app.py", PELLUCID_ANATOMY="on", PELLUCID_ANATOMY_TOKEN=TOKEN) as served:
        for token in (None, "another horse altogether"):
            found = whole(f"{served.address}/api/notes", token=token).visits[0]
            assert found.received is not None
            assert found.received.status == 200
            assert found.inside is None
            assert found.timings == []
        found = whole(f"{served.address}/api/notes", token=TOKEN).visits[0]
        assert found.inside is not None
        assert "sql" in [span.name for span in found.inside.spans]
        assert TOKEN not in served.said


def test_the_token_does_not_follow_a_redirect_to_somebody_else() -> None:
    async def going() -> list[Asked]:
        async with scripted({}) as other, scripted({"/": Answer("", 302, headers=(("location", other.url("/end")),))}) as first:
            await first.traced("/", token=TOKEN)
            return [*first.asked, *other.asked]

    asked = asyncio.run(going())
    assert [request.target for request in asked] == ["/", "/end"]
    assert [request.headers.get("pellucid-token") for request in asked] == [TOKEN, None]


def test_the_token_is_not_sent_where_others_can_read_it() -> None:
    async def going() -> tuple[Journey, list[Asked]]:
        async with scripted({"/": Answer("x")}) as site:
            return await site.traced("/", "shop.example", token=TOKEN), site.asked

    found, asked = asyncio.run(going())
    assert "pellucid-token" not in asked[0].headers
    assert [note.message for note in found.notes if "token was not sent" in note.message]
