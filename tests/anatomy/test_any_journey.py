"""Whatever a journey holds, it is drawn at any width: no line too wide, no visit forgotten, nothing that commands a terminal."""

from __future__ import annotations

import re
from typing import get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.anatomy.cells import clean, fit, fit_middle, pad, wrap
from pellucid.anatomy.cells import width as cells
from pellucid.anatomy.expect import METRICS, check, parse
from pellucid.anatomy.svg import picture
from pellucid.anatomy.terminal import overview
from pellucid.anatomy.verdict import judge
from pellucid.anatomy.waterfall import draw, rounds
from pellucid.journey import (
    Attempt,
    Connection,
    Failure,
    Hop,
    Inside,
    InsideSpan,
    Journey,
    Kind,
    Lookup,
    Note,
    Received,
    Timing,
    Tls,
    Visit,
)

QUICK = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
HARD = ["日本語", "\x1b[2J", "a\u202eb", "e" + "\u0301" * 9, "🙂🙂", "x" * 300, "a b " * 40, "\ud800", "a\nb"]
TEXT = st.text(max_size=12) | st.sampled_from(HARD)
AT = st.integers(0, 2 * 10**9) | st.integers(0, 10**5)
MAYBE = st.none() | AT
ID = st.integers(-1, 8)
FAILURE = st.none() | st.builds(Failure, TEXT, TEXT)
SQL = st.fixed_dictionaries({"sql": TEXT}, optional={"rows": st.none() | st.integers(), "plan": st.lists(TEXT, max_size=2)})
SPANS = st.lists(st.builds(InsideSpan, TEXT, AT, AT, st.integers(0, 3), st.none() | SQL | TEXT), max_size=6)
INSIDE = st.none() | st.builds(Inside, TEXT, SPANS, st.sampled_from(["clock", "wait"]), AT)
KIND = st.sampled_from(get_args(Kind))


@st.composite
def visits(draw: st.DrawFn) -> list[Visit]:
    """Visits whose initiators, redirects and instants need not make sense."""
    found: list[Visit] = []
    for id in range(draw(st.integers(0, 6))):
        plain: dict[str, object] = {
            "id": id,
            "url": draw(st.sampled_from(["http://a.example/", "https://b.example/x?y=1#z", "data:,x"])) + draw(TEXT),
            "method": draw(st.sampled_from(["GET", "POST"])),
            "kind": draw(KIND),
            "initiator": {"visit": draw(st.none() | ID), "by": draw(st.sampled_from(["user", "parser", "redirect", "style"]))},
            "discovered": draw(AT),
        }
        visit = msgspec.convert(plain, Visit)
        for name in ("queued_until", "connection_ready", "sent_first", "sent_last", "first_byte", "last_byte", "finished"):
            setattr(visit, name, draw(MAYBE))
        visit.lookup, visit.connection, visit.redirected_from = draw(st.none() | ID), draw(st.none() | ID), draw(st.none() | ID)
        visit.reused, visit.round = draw(st.booleans()), draw(st.integers(1, 2))
        visit.received = draw(st.none() | st.builds(Received, st.integers(100, 599), TEXT, st.just("1.1")))
        visit.failure, visit.inside = draw(FAILURE), draw(INSIDE)
        visit.body.wire, visit.from_cache = draw(st.integers(0, 10**10)), draw(st.sampled_from([None, "fresh", "validated"]))
        visit.timings = draw(st.lists(st.builds(Timing, TEXT, st.none() | st.floats(0, 10**6), st.none() | TEXT), max_size=8))
        found.append(visit)
    return found


HOP = st.builds(Hop, TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, st.just("udp"), AT, AT, st.just("answer"), TEXT)
LOOKUP = st.builds(
    Lookup, ID, TEXT, TEXT, st.sampled_from(["literal", "walk", "system", "cache"]), AT, MAYBE, st.lists(TEXT, max_size=3),
    hops=st.lists(HOP, max_size=4), verdict=st.sampled_from([None, "bogus", "secure"]), failure=FAILURE,
)  # fmt: skip
ATTEMPT = st.builds(Attempt, TEXT, st.integers(0, 65535), AT, MAYBE, st.sampled_from(["won", "lost", "refused", None]), TEXT)
TLS = st.none() | st.builds(Tls, AT, MAYBE, alpn=st.none() | TEXT, group=st.none() | TEXT, failure=FAILURE)
CONNECTION = st.builds(
    Connection, ID, st.just("https"), TEXT, st.integers(0, 65535), AT, connected=MAYBE, ready=MAYBE, lookup=st.none() | ID,
    attempts=st.lists(ATTEMPT, max_size=9), tls=TLS, failure=FAILURE,
)  # fmt: skip
JOURNEY = st.builds(
    Journey, TEXT, TEXT, TEXT, st.just(1e9), st.just(0), st.just("t"), finished=MAYBE, lookups=st.lists(LOOKUP, max_size=3),
    connections=st.lists(CONNECTION, max_size=3), visits=visits(), failure=FAILURE,
    notes=st.lists(st.builds(Note, st.sampled_from(["script", "limit"]), st.sampled_from(["info", "warning"]), TEXT), max_size=2),
)  # fmt: skip


@settings(QUICK, max_examples=40)
@given(JOURNEY, st.integers(40, 180))
def test_any_journey_fits_any_width(journey: Journey, width: int) -> None:
    text = overview(journey, width)
    assert max(map(cells, text.split("\n"))) <= width
    assert not {letter for letter in text if not letter.isprintable()} - {"\n"}, repr(text)
    assert re.sub(r"\x1b\[[0-9;]*m", "", overview(journey, width, "256")).isprintable() or "\n" in text


@settings(QUICK, max_examples=30)
@given(JOURNEY, st.integers(1, 5))
def test_every_visit_is_drawn_or_counted(journey: Journey, most: int) -> None:
    for turn in rounds(journey):
        for limit in (most, None):
            rows = draw(journey, turn, limit).rows
            stood_for = sorted(id for row in rows for id in row.visits)
            assert stood_for == sorted(visit.id for visit in journey.visits if visit.round == turn)


@settings(QUICK, max_examples=15)
@given(JOURNEY)
def test_pieces_lie_on_the_axis_and_in_order(journey: Journey) -> None:
    for turn in rounds(journey):
        drawing = draw(journey, turn)
        for row in drawing.rows:
            assert all(drawing.start <= piece.start and piece.end <= drawing.end for piece in row.pieces)
            if row.role == "visit":
                assert all(one.end <= two.start for one, two in zip(row.pieces, row.pieces[1:], strict=False))


@settings(QUICK, max_examples=15)
@given(JOURNEY)
def test_any_journey_is_judged_measured_and_pictured(journey: Journey) -> None:
    assert judge(journey).text.isprintable()
    for name, (sort, _) in METRICS.items():
        check(journey, parse(f"{name}<1{'ms' if sort == 'time' else ''}"))
    assert picture(journey, 80).endswith("</svg>\n")


@given(TEXT, st.integers(0, 40))
def test_texts_are_cut_to_their_room(text: str, room: int) -> None:
    safe = clean(text)
    assert safe.isprintable()
    assert cells(fit(safe, room)) <= room
    assert cells(fit_middle(safe, room)) <= room
    assert cells(pad(safe, room)) == room
    assert max(cells(line) for line in wrap(safe, max(room, 2))) <= max(room, 2)
