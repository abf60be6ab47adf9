"""The log tells people and machines what happened, and never a secret."""

from __future__ import annotations

import io
import json
import logging

import pytest

from pellucid.cli.logs import AccessLog, JsonFormatter, PrettyFormatter, readable_traceback, wants_colour
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.settings import Settings
from pellucid.spans import Trace, new_trace_id, now

MS = 1_000_000


def logged(settings: Settings, *requests: tuple[Request, Response, int]) -> list[str]:
    """What an access log writes of some requests."""
    stream = io.StringIO()
    logger = logging.Logger("pellucid.access")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else PrettyFormatter(settings, stream))
    logger.addHandler(handler)
    log = AccessLog(settings, logger)
    for request, response, finished in requests:
        log(request, response, finished)
    return stream.getvalue().splitlines()


def asked(target: str = "/api/cities", status: int = 200, took: int = MS, *, seen: bool = True) -> tuple[Request, Response, int]:
    finished = now()
    trace = Trace("a" * 32, finished - took) if seen else None
    if trace is not None:
        trace.marks = [("parse", trace.started + took // 4, None, 0), ("sql", finished, ("SELECT 1", 1), 0)]
    request = Request("GET", target, Headers(), id=new_trace_id(), trace=trace, client="127.0.0.1")
    return request, Response(status, b"{}"), finished


def test_production_logs_one_json_object_a_line() -> None:
    request, response, finished = asked("/api/cities?token=hunter2")
    line, *others = logged(Settings(access_log=True), (request, response, finished))
    told = json.loads(line)
    assert not others
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "info", "logger": "pellucid.access", "message": "GET /api/cities?token=*** 200", "id": request.id,
        "trace_id": "a" * 32, "client": "127.0.0.1", "method": "GET", "target": "/api/cities?token=***", "status": 200,
        "duration_ms": 1.0, "body_bytes": 2, "stations_ms": {"parse": 0.25, "sql": 0.75},
    }  # fmt: skip


def test_without_an_access_log_only_the_slow_and_the_failed_are_written() -> None:
    lines = logged(
        Settings(access_log=False, slow_request_ms=100),
        asked("/quick"),
        asked("/wrong", 422),
        asked("/slow", took=200 * MS),
        asked("/broken", 500),
        asked("/unseen", 503, seen=False),
    )
    told = [json.loads(line) for line in lines]
    assert [(entry["target"], entry["level"]) for entry in told] == [
        ("/slow", "warning"),
        ("/broken", "error"),
        ("/unseen", "error"),
    ]
    assert told[2]["duration_ms"] is None


def test_development_logs_a_readable_line() -> None:
    (line,) = logged(Settings(access_log=True, log_format="pretty"), asked("/api/cities?password=hunter2"))
    assert " GET    200 /api/cities?password=*** " in line
    assert "1.00 ms" in line
    assert line.endswith("parse 0.25 sql 0.75")


def test_a_station_that_encloses_others_is_not_counted_twice() -> None:
    request, response, finished = asked()
    trace = Trace("a" * 32, finished - 10 * MS)
    begin = trace.started
    trace.marks = [
        ("sql", begin + 4 * MS, None, 1),
        ("handler", begin + 8 * MS, (begin, None), -1),
        ("write", begin + 10 * MS, None, 0),
    ]
    request.trace = trace
    (line,) = logged(Settings(access_log=True), (request, response, finished))
    assert json.loads(line)["stations_ms"] == {"sql": 4.0, "write": 2.0}


def broken() -> None:
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError("no price") from error


def test_a_traceback_shows_the_cause_first_and_the_users_lines() -> None:
    with pytest.raises(RuntimeError) as caught:
        broken()
    text = readable_traceback(caught.value)
    assert text.index("ValueError: invalid literal") < text.index("which led to") < text.index("RuntimeError: no price")
    assert "tests/cli/test_logs.py:" in text
    assert 'int("x")' in text


def test_a_traceback_leaves_our_own_frames_out() -> None:
    from pellucid.settings import load

    try:
        try:
            load({"port": "x"}, environ={})
        except Exception as error:
            raise KeyError("shop") from error
    except KeyError as error:
        text = readable_traceback(error)
    assert "src/pellucid" not in text
    assert "test_logs.py" in text


def test_an_error_keeps_its_whole_traceback_for_machines() -> None:
    try:
        broken()
    except RuntimeError as error:
        record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), (RuntimeError, error, error.__traceback__))
    record.order = 7
    told = json.loads(JsonFormatter().format(record))
    assert told["error"] == "RuntimeError"
    assert told["order"] == 7
    assert "invalid literal" in told["traceback"]


def test_log_lines_of_user_code_name_their_logger() -> None:
    stream = io.StringIO()
    record = logging.LogRecord("shop", logging.WARNING, __file__, 1, "only %d left", (3,), None)
    assert PrettyFormatter(Settings(), stream).format(record).endswith(" warning shop: only 3 left")


def test_an_error_of_ours_carries_the_requests_mark_and_no_control_characters() -> None:
    record = logging.LogRecord("pellucid", logging.ERROR, __file__, 1, "GET %s failed", ("/\x1b[2J\nforged",), None)
    record.request_id = "0123456789abcdef"
    assert PrettyFormatter(Settings(), io.StringIO()).format(record).endswith(" error   GET /\\x1b[2J\\nforged failed #abcdef")


@pytest.mark.parametrize(
    ("environ", "tty", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
    ],
)
def test_colours_are_for_terminals_that_want_them(environ: dict[str, str], tty: bool, wanted: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    assert wants_colour(Stream(), environ) is wanted
