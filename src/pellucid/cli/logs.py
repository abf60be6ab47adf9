"""Logging, configured by the command line only: lines for people or one JSON object a line, and the request log.

In: settings, log records and finished requests. Out: text on stderr. Nothing is configured on import: an App inside another
program leaves that program's logging alone. Targets pass `anatomy/redact.py` before they are written.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

import msgspec

from pellucid.anatomy.recorder import is_quiet, spans_until
from pellucid.anatomy.redact import redact_target
from pellucid.cli.line import BOLD, GREY, RED, YELLOW, Facts, printable, request_line, style
from pellucid.http.messages import Request, Response
from pellucid.settings import Settings
from pellucid.spans import Trace

__all__ = ["ACCESS", "AccessLog", "JsonFormatter", "PrettyFormatter", "configure", "readable_traceback", "wants_colour"]

ACCESS = "pellucid.access"
_FACTS = "pellucid_request"
"""The attribute of a log record that holds the facts of a request."""

_OURS = str(Path(__file__).resolve().parents[1])
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", _FACTS}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log record to stderr in the format that the settings ask for."""
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(PrettyFormatter(settings, target) if settings.log_format == "pretty" else JsonFormatter())
    logging.basicConfig(handlers=[handler], level=_LEVELS[settings.log_level], force=True)
    for noisy in ("asyncio", "watchfiles"):  # which event loop, how many changes: of no use to anybody here
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def wants_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to colour what is written there: a terminal, unless NO_COLOR (no-color.org) or TERM say otherwise."""
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class AccessLog:
    """Writes one record a request, after its answer."""

    def __init__(self, settings: Settings, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(ACCESS)
        self._all = settings.access_log
        self._slow_ns = int(settings.slow_request_ms * 1e6)

    def __call__(self, request: Request, response: Response, finished: int) -> None:
        """Log one request, or decide that it is not worth a line."""
        trace, status = request.trace, response.status
        duration = None if trace is None else finished - trace.started
        slow = duration is not None and duration >= self._slow_ns
        if not (self._all or slow or status >= 500) or (status < 500 and is_quiet(request.path)):
            return
        level = logging.ERROR if status >= 500 else logging.WARNING if slow and not self._all else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        body = response.body
        facts = Facts(
            clock="",
            method=request.method,
            target=redact_target(request.target),
            status=status,
            id=request.id,
            duration=duration,
            size=len(body) if isinstance(body, bytes) else response.length,
            stations=_stations(trace, finished) if trace is not None else {},
        )
        extra = {_FACTS: facts, "client": request.client, "trace_id": trace.id if trace is not None else request.id}
        self._logger.log(level, "%s %s %d", request.method, facts.target, status, extra=extra)


def _stations(trace: Trace, finished: int) -> dict[str, int]:
    """Nanoseconds by station. An enclosing span counts only where nothing inside it is measured."""
    sums: dict[str, int] = {}
    spans = spans_until(trace, finished)
    for at, span in enumerate(spans):
        if at + 1 == len(spans) or spans[at + 1].depth <= span.depth or spans[at + 1].start >= span.start + span.duration:
            sums[span.name] = sums.get(span.name, 0) + span.duration
    return sums


class PrettyFormatter(logging.Formatter):
    """Lines for people: requests as `cli/line.py` draws them, errors with a traceback that begins in the user's own code."""

    def __init__(self, settings: Settings, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._colour = wants_colour(stream)
        self._slow_ms = settings.slow_request_ms

    def format(self, record: logging.LogRecord) -> str:
        """One record as a line, or a few where it carries an exception."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = getattr(record, _FACTS, None)
        if isinstance(facts, Facts):
            line = request_line(
                msgspec.structs.replace(facts, clock=clock), self._width(), colour=self._colour, slow_ms=self._slow_ms
            )
            return line.rstrip()
        colour = {logging.WARNING: YELLOW, logging.ERROR: RED, logging.CRITICAL: RED}.get(record.levelno, GREY)
        level = style(f"{record.levelname.lower():<7}", colour, self._colour)
        name, message = f"{style(record.name, GREY, self._colour)}: ", record.getMessage()
        if record.name.partition(".")[0] == "pellucid":
            name, message = "", printable(message)  # it may hold a part of a request
        id = getattr(record, "request_id", None)
        mark = f" {style(f'#{id[-6:]}', GREY, self._colour)}" if isinstance(id, str) and id else ""
        lines = [f"{style(clock, GREY, self._colour)} {level} {name}{message}{mark}"]
        if record.exc_info and record.exc_info[1] is not None:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """The traceback without our own frames, where some are the user's."""
        return "" if ei[1] is None else readable_traceback(ei[1], colour=self._colour)

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):  # not a terminal
            return 140


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then whatever the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line of JSON."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts = getattr(record, _FACTS, None)
        if isinstance(facts, Facts):
            told |= {"id": facts.id, "method": facts.method, "target": facts.target, "status": facts.status}
            told["duration_ms"] = None if facts.duration is None else round(facts.duration / 1e6, 3)
            told["body_bytes"] = facts.size
            told["stations_ms"] = {name: round(duration / 1e6, 3) for name, duration in facts.stations.items()}
        told |= {name: value for name, value in vars(record).items() if name not in _KNOWN}
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = type(record.exc_info[1]).__name__
            told["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return msgspec.json.encode(told, enc_hook=str).decode()


def readable_traceback(error: BaseException, *, colour: bool = False) -> str:
    """An exception with its causes, innermost last, without the frames of ours that stand before the user's."""
    parts: list[str] = []
    chain: list[BaseException] = []
    while error not in chain:
        chain.append(error)
        below = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if below is None:
            break
        error = below
    for at, each in enumerate(reversed(chain)):
        if at:
            parts.append("    which led to")
        frames = traceback.extract_tb(each.__traceback__)
        theirs = [frame for frame in frames if not _is_ours(frame.filename)]
        for frame in theirs or ([] if isinstance(each, SyntaxError) else frames):  # it names its place itself
            parts.append(f"    {_place(frame)} {style(f'in {frame.name}', GREY, colour)}")
            if frame.line:
                parts.append(f"        {frame.line}")
        said = "".join(traceback.format_exception_only(each)).strip().replace("\n", "\n    ")
        said = said.replace(f'"{Path.cwd()}{os.sep}', '"')  # a SyntaxError's place
        if type(each).__module__.partition(".")[0] == "pellucid":
            said = said.removeprefix(f"{type(each).__module__}.")
        parts.append(f"    {style(said, f'{BOLD};{RED}', colour)}")
    return "\n".join(parts)


def _is_ours(file: str) -> bool:
    """Whether a frame is of Pellucid, of asyncio or of a frozen module, and so tells a user nothing about their own code."""
    return file.startswith((_OURS, "<frozen")) or f"{os.sep}asyncio{os.sep}" in file or file == "uvloop/loop.pyx"


def _place(frame: traceback.FrameSummary) -> str:
    file = Path(frame.filename)
    try:
        shown = file.relative_to(Path.cwd())
    except ValueError:
        shown = file
    return f"{shown}:{frame.lineno}"
