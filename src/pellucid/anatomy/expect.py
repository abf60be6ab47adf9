"""Expectations of a journey, for scripts: `total<500ms`, `status==200`, `image.bytes<200kB`.

In: text, a journey. Out: for each expectation whether it was met, and the actual value. What nobody told (the SQL of a server
that does not say) is not met.

Times run as browsers count them: `total`, `first_byte` (also `ttfb`) and `document` from the start of everything; `dns`,
`connect`, `tls` are what the document and its redirects took; `wait` and `receive` are the document's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from pellucid.anatomy.figures import duration_text, number_text, size_text
from pellucid.anatomy.inside import server_time, statements
from pellucid.anatomy.phases import connection_of, end_of, lookup_of, request_pieces, spans_of
from pellucid.anatomy.remark import document_of, first_round
from pellucid.anatomy.verdict import span_of
from pellucid.anatomy.waterfall import chain_of
from pellucid.errors import near, shorten
from pellucid.journey import Journey, Kind, Visit

__all__ = ["METRICS", "BadExpectation", "Expectation", "Result", "check", "parse"]

Sort = Literal["time", "bytes", "count"]
Op = Literal["<", "<=", ">", ">=", "==", "!="]


class BadExpectation(ValueError):
    """A text that is no expectation: `message` says what was wrong, `hint` what would be right."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Expectation(msgspec.Struct, frozen=True):
    """One expectation. `value` is in nanoseconds, bytes or a number, as the metric has it."""

    metric: str
    op: Op
    value: float
    kind: Kind | None = None
    """Of these resources only."""

    @property
    def text(self) -> str:
        """As people write it: `image.bytes < 200 kB`."""
        name = f"{self.kind}.{self.metric}" if self.kind is not None else self.metric
        return f"{name} {self.op} {_value_text(self._sort, self.value)}"

    @property
    def _sort(self) -> Sort:
        return (OF_A_KIND if self.kind is not None else METRICS)[self.metric][0]


class Result(msgspec.Struct, frozen=True):
    """What came of an expectation; `actual` is None where nobody told."""

    expectation: Expectation
    actual: float | None
    passed: bool
    text: str
    """`met: total < 500 ms, it was 184 ms`"""


# What can be measured


def _total(journey: Journey) -> float | None:
    start, end = span_of(journey)
    return end - start


def _setup(phase: str) -> Callable[[Journey], float | None]:
    def measured(journey: Journey) -> float | None:
        sums = 0
        seen: set[tuple[int, int]] = set()
        for visit in chain_of(first_round(journey)):
            connection = connection_of(journey, visit) if not visit.reused else None
            for name, start, end in spans_of(lookup_of(journey, visit), connection, end_of(visit)):
                if name == phase and (start, end) not in seen:
                    seen.add((start, end))
                    sums += end - start
        return sums

    return measured


def _phase(phase: str) -> Callable[[Journey], float | None]:
    def measured(journey: Journey) -> float | None:
        document = document_of(journey)
        if document is None:
            return None
        return sum(piece.end - piece.start for piece in request_pieces(document) if piece.phase == phase)

    return measured


def _at(instant: str) -> Callable[[Journey], float | None]:
    def measured(journey: Journey) -> float | None:
        document = document_of(journey)
        at = getattr(document, instant) if document is not None else None
        return at if isinstance(at, int) else None

    return measured


def _server(journey: Journey) -> float | None:
    document = document_of(journey)
    if document is None:
        return None
    if document.inside is not None and document.inside.spans:
        start, end = server_time(document.inside)
        return end - start
    told = next((each.duration for each in document.timings if each.name.lower() == "total"), None)
    return told * 1e6 if told is not None else None


def _sql(journey: Journey, count: bool) -> float | None:
    insides = [visit.inside for visit in first_round(journey) if visit.inside is not None]
    found = [statement for inside in insides for statement in statements(inside)]
    if not insides:
        return None
    return sum(len(statement.spans) if count else statement.duration for statement in found)


def _bytes(visits: list[Visit]) -> float:
    return sum(visit.body.wire for visit in visits)


def _requests(visits: list[Visit]) -> float:
    return sum(1 for visit in visits if visit.from_cache != "fresh")


def _failures(visits: list[Visit]) -> float:
    refused = [visit for visit in visits if visit.received is not None and visit.received.status >= 400]
    return len({visit.id for visit in visits if visit.failure is not None} | {visit.id for visit in refused})


def _slowest(visits: list[Visit]) -> float:
    return max((end_of(visit) - visit.discovered for visit in visits), default=0)


def _status(journey: Journey) -> float | None:
    document = document_of(journey)
    return document.received.status if document is not None and document.received is not None else None


METRICS: dict[str, tuple[Sort, Callable[[Journey], float | None]]] = {
    "total": ("time", _total),
    "dns": ("time", _setup("dns")),
    "connect": ("time", _setup("connect")),
    "tls": ("time", _setup("tls")),
    "wait": ("time", _phase("wait")),
    "receive": ("time", _phase("receive")),
    "first_byte": ("time", _at("first_byte")),
    "ttfb": ("time", _at("first_byte")),
    "document": ("time", _at("last_byte")),
    "server": ("time", _server),
    "sql": ("time", lambda journey: _sql(journey, count=False)),
    "sql_count": ("count", lambda journey: _sql(journey, count=True)),
    "requests": ("count", lambda journey: _requests(first_round(journey))),
    "connections": ("count", lambda journey: len({visit.connection for visit in first_round(journey)} - {None})),
    "redirects": ("count", lambda journey: max(len(chain_of(first_round(journey))) - 1, 0)),
    "failures": ("count", lambda journey: _failures(first_round(journey)) or (1 if journey.failure is not None else 0)),
    "status": ("count", _status),
    "bytes": ("bytes", lambda journey: _bytes(first_round(journey))),
    "transfer": ("bytes", lambda journey: _bytes(first_round(journey))),
}
"""What can be expected of a journey: the sort of value, and how it is measured."""

OF_A_KIND: dict[str, tuple[Sort, Callable[[list[Visit]], float]]] = {
    "bytes": ("bytes", _bytes),
    "transfer": ("bytes", _bytes),
    "requests": ("count", _requests),
    "failures": ("count", _failures),
    "slowest": ("time", _slowest),
}
_KINDS: tuple[Kind, ...] = get_args(Kind)
_SHORT: dict[str, Kind] = {"css": "stylesheet", "js": "script", "img": "image", "html": "document"}
_UNITS: dict[Sort, dict[str, float]] = {
    "time": {"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9},
    "bytes": {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1024, "mib": 1024**2, "gib": 1024**3},
    "count": {"": 1},
}
_RIGHT = {"time": "500ms", "bytes": "200kB", "count": "3"}
_FORM = re.compile(r"([^<>=!]*?)\s*(<=|>=|==|!=|<|>|=)\s*([0-9]+(?:\.[0-9]+)?)\s*([^\W\d]*)", re.UNICODE)


def parse(text: str) -> list[Expectation]:
    """Expectations separated by commas. Raises BadExpectation."""
    parts = [part.strip() for part in text.split(",")]
    return [_parse_one(part) for part in parts if part] or [_parse_one("")]


def _parse_one(text: str) -> Expectation:
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadExpectation(f"{shorten(text)} is not an expectation", "total<500ms, status==200 and image.bytes<200kB are")
    name, op, number, unit = found.groups()
    kind, metric = _parse_name(name.strip().lower())
    sort = (OF_A_KIND if kind is not None else METRICS)[metric][0]
    factor = _UNITS[sort].get(unit.lower())
    if factor is None:
        wrong = f"has the unit {unit}" if unit else "has no unit"
        expected = {"time": "us, ms or s", "bytes": "B, kB, MB, KiB or MiB", "count": "no unit, since it is a number"}[sort]
        raise BadExpectation(f"{shorten(text)} {wrong}, but {name.strip()} takes {expected}", f"{name.strip()}{op}{_RIGHT[sort]}")
    if len(number) > 15:
        raise BadExpectation(f"{shorten(number)} is more than anything that is measured", "total<500ms is an expectation")
    return Expectation(metric, "==" if op == "=" else op, float(number) * factor, kind)  # type: ignore[arg-type]


def _parse_name(name: str) -> tuple[Kind | None, str]:
    head, dot, metric = name.rpartition(".")
    if not dot:
        if metric not in METRICS:
            raise BadExpectation(f"{shorten(metric)} is not measured", near(metric, METRICS) or f"what is: {', '.join(METRICS)}")
        return None, metric
    named: list[Kind] = [each for each in _KINDS if head in (each, f"{each}s")]
    kind = _SHORT.get(head) or (named[0] if named else None)
    if kind is None:
        raise BadExpectation(f"{shorten(head)} is no kind of resource", near(head, _KINDS) or f"these are: {', '.join(_KINDS)}")
    if metric not in OF_A_KIND:
        hint = near(metric, OF_A_KIND) or f"what is: {', '.join(OF_A_KIND)}"
        raise BadExpectation(f"{shorten(metric)} is not measured of a kind of resource", hint)
    return kind, metric


# Checking


def check(journey: Journey, expectations: list[Expectation]) -> list[Result]:
    """What came of each, in order."""
    return [_check_one(journey, expectation) for expectation in expectations]


def _check_one(journey: Journey, expectation: Expectation) -> Result:
    if expectation.kind is not None:
        sort, of_visits = OF_A_KIND[expectation.metric]
        actual: float | None = of_visits([visit for visit in first_round(journey) if visit.kind == expectation.kind])
    else:
        sort, of_journey = METRICS[expectation.metric]
        actual = of_journey(journey)
    if actual is None:
        why = "the server did not tell" if expectation.metric in ("server", "sql", "sql_count") else "no answer came"
        return Result(expectation, None, False, f"not met: {expectation.text}, {why}")
    passed = _holds(actual, expectation.op, expectation.value)
    head = "met" if passed else "not met"
    return Result(expectation, actual, passed, f"{head}: {expectation.text}, it was {_value_text(sort, actual)}")


def _holds(actual: float, op: Op, value: float) -> bool:
    match op:
        case "<":
            return actual < value
        case "<=":
            return actual <= value
        case ">":
            return actual > value
        case ">=":
            return actual >= value
        case "==":
            return actual == value
        case "!=":
            return actual != value


def _value_text(sort: Sort, value: float) -> str:
    if sort == "time":
        return duration_text(round(value))
    if sort == "bytes":
        return size_text(round(value))
    return f"{value:.0f}" if value == int(value) else number_text(value)
