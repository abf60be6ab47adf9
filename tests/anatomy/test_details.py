"""What `--show` tells: every stage of every kind of journey, at every width, with nothing cut off."""

from __future__ import annotations

import asyncio
import re
from typing import get_args, get_type_hints

import pytest

from journeys import expired, nameless, shop, simple
from pellucid.anatomy.cells import width as cells
from pellucid.anatomy.details import STAGES, details, sections, visit_sections
from pellucid.journey import Attempt, CookieFate, Journey, Lookup, Note, Skipped, TlsMessage
from scripted import Answer, Site, scripted

JOURNEYS = {"shop": shop, "simple": simple, "nameless": nameless, "expired": expired}


@pytest.mark.parametrize("name", JOURNEYS)
@pytest.mark.parametrize("width", [40, 60, 100, 160])
def test_no_line_is_too_long_and_nothing_is_lost(name: str, width: int) -> None:
    journey = JOURNEYS[name]()
    text = details(journey, STAGES, width, whole=True)
    assert all(cells(line) <= width for line in text.splitlines())
    assert "\x1b" not in text
    together = re.sub(r"\s+", "", text)
    for section in sections(journey, STAGES, whole=True):
        for item in section.items:
            assert re.sub(r"\s+", "", item.text) in together


def test_colours_say_nothing_that_words_do_not() -> None:
    plain = details(shop(), STAGES, 100)
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", details(shop(), STAGES, 100, "256"))
    assert [line.rstrip() for line in coloured.splitlines()] == plain.splitlines()


def test_each_stage_tells_what_it_is_about() -> None:
    journey = shop()
    found = {stage: details(journey, (stage,), 120) for stage in STAGES}
    assert "from the root down" in found["dns"]
    assert "won" in found["connect"]
    assert "lost" in found["connect"]
    assert "kernel" in found["connect"]
    assert "TLSv1.3" in found["tls"]
    assert "valid" in found["tls"]
    assert "because of" in found["request"]
    assert "status" in found["response"]
    assert "framing" in found["body"]
    assert "window" in found["page"]


@pytest.mark.parametrize("how", get_args(get_type_hints(Lookup)["how"]))
def test_every_way_to_an_address_is_told(how: str) -> None:
    journey = shop()
    journey.lookups[0].how = how  # type: ignore[assignment]
    assert details(journey, ("dns",), 100).startswith("\nName pellucid.shop: ")


def test_a_journey_without_tls_says_so() -> None:
    assert "No TLS" in details(simple(), ("tls",), 100)


def test_strangers_cannot_write_to_the_terminal() -> None:
    journey = simple()
    evil = "\x1b[2J\x07\r\nx\x9b31m"
    journey.visits[0].notes.append(Note("type", "warning", evil))
    journey.visits[0].cookies.append(CookieFate(evil, "v", "refused", evil))
    journey.skipped.append(Skipped(f"http://a/{evil}", "image", journey.visits[0].initiator, evil))
    assert journey.visits[0].received is not None
    journey.visits[0].received.headers.append(("x-evil", evil))
    text = details(journey, STAGES, 80)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


SITE: Site = {
    "/": Answer(
        "<p>x",
        headers=(
            ("Cache-Control", "max-age=60"),
            ("Strict-Transport-Security", "max-age=100"),
            ("X-Nobody-Knows", "1"),
            ("Set-Cookie", "c=1; Domain=elsewhere.example"),
            ("Server-Timing", 'db;dur=12.5;desc="two queries"'),
        ),
    )
}


def test_a_real_answer_is_explained_field_by_field() -> None:
    async def going() -> str:
        async with scripted(SITE) as running:
            return details(await running.traced("/"), STAGES, 120)

    text = asyncio.run(going())
    assert "RFC 9110, section 15.3.1" in text, "the status"
    assert "RFC 9111, section 5.2" in text, "cache-control"
    assert "Not in the registry" in text, "what nobody knows"
    assert re.search(r"cookie +c: refused", text)
    assert "db 12.5 ms" in text
    assert "two queries" in text


def test_a_request_says_on_which_connection_it_went_and_whether_that_was_new() -> None:
    journey = shop()
    reused = next(visit for visit in journey.visits if visit.reused)
    text = "".join(item.text for section in visit_sections(reused) for item in section.items if item.label == "connection")
    assert text == f"{reused.connection}, used before"
    assert re.search(r"connection +\d+, new", details(journey, ("request",), 100))


def test_addresses_are_numbered_as_they_were_tried_and_not_as_they_were_sorted() -> None:
    journey = shop()
    lookup, tried = journey.lookups[0], [Attempt("2001:db8::1", 80, 0, 1, "lost"), Attempt("203.0.113.5", 80, 0, 1, "won")]
    assert journey.connections[0].lookup == lookup.id
    journey.connections[0].attempts = tried
    lookup.addresses = [attempt.address for attempt in reversed(tried)] + ["192.0.2.99"]
    notes = {item.text: item.note for item in sections(journey, ("dns",))[0].items if item.label == "address"}
    assert [notes[attempt.address] for attempt in tried] == [f"tried as number {n}" for n in range(1, len(tried) + 1)]
    assert notes["192.0.2.99"] == "not tried"


def test_handshake_messages_stand_in_the_order_of_their_instants() -> None:
    journey = shop()
    tls = next(each.tls for each in journey.connections if each.tls is not None)
    at = tls.started
    tls.messages = [TlsMessage(at + 20, True, "Finished", 36), TlsMessage(at + 10, False, "NewSessionTicket", 9)]
    text = details(journey, ("tls",), 100)
    assert text.index("NewSessionTicket") < text.index("→ Finished")


def test_a_hint_is_told_with_its_place_and_what_it_brought_about() -> None:
    async def going() -> Journey:
        page = "<link rel=preconnect href=http://127.0.0.1:9><link rel=dns-prefetch href=http://cdn.example/><img src=/a.png>"
        async with scripted({"/": Answer(page), "/a.png": Answer(b"", type="image/png")}) as running:
            return await running.traced("/")

    journey = asyncio.run(going())
    ahead = next(connection for connection in journey.connections if connection.port == 9)
    assert ahead.ahead is not None
    assert (ahead.ahead.what, ahead.ahead.offset) == ("<link rel=preconnect>", 0)
    assert "because of <link rel=preconnect> at byte 0, line 1 of " in details(journey, ("connect",), 200)
    text = details(journey, ("page",), 200)
    assert re.search(r"127\.0\.0\.1:9\n +connected ahead: <link rel=preconnect> at byte 0", text)
    assert "image, Medium, on connection 1: <img src>" in text
    assert re.search(r"left out +http://cdn\.example/\n +other: dns-prefetch asks for the address of its host alone", text)
