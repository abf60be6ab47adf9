"""The hot path makes no more calls than it did: a number that is the same on any machine, where seconds are not.

The committed numbers are calls of Python and C functions per warm request, from the bytes of a request to those of its
answer. A change that makes fewer lowers the number here; one that makes more than 5 % more needs a reason.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from pellucid import App, Model, Ref, anyone, field
from pellucid.server.connection import Limits
from pellucid.server.protocol import HttpProtocol
from pellucid.server.service import Service
from running import asking


class Country(Model, read=anyone, write=anyone):
    name: str


class City(Model, read=anyone, write=anyone):
    name: str
    country: Ref[Country]
    population: int = field(index=True)


class Wire(asyncio.Transport):
    """The far end of a connection, in memory: this test counts calls, and a socket's would be the loop's."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return False


HEADERS = (
    b"Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: application/json\r\n"
    b"Accept-Language: en\r\nAccept-Encoding: gzip, br\r\nReferer: http://localhost/\r\nSec-Fetch-Mode: cors\r\n\r\n"
)

COMMITTED = {
    "/api/cities/7": 57,
    "/api/cities?limit=20": 76,
    "/api/cities?country=eq.1&order=population.desc&limit=20": 87,
    "/api/cities?select=*,country(*)&limit=20": 83,
    "/healthz": 35,
}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpProtocol, Wire]]:
    with asking(App(models=[Country, City]), tmp_path_factory.mktemp("calls")) as asker:
        asker.post("/api/countries", {"name": "France"})
        asker.post("/api/cities", [{"name": f"City {at}", "country": 1, "population": at} for at in range(100)])

        async def connect() -> tuple[HttpProtocol, Wire]:
            made = HttpProtocol(Service(asker.backend.handler, limits=Limits()))
            wire = Wire()
            made.connection_made(wire)
            return made, wire

        yield asker.runner.run(connect())


def count(act: Callable[[], None]) -> int:
    """How many functions are called, Python's and C's."""
    calls = 0

    def tally(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    sys.setprofile(tally)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls - 1  # sys.setprofile itself


@pytest.mark.parametrize("target", COMMITTED)
def test_a_warm_request_makes_no_more_calls_than_committed(protocol: tuple[HttpProtocol, Wire], target: str) -> None:
    connection, wire = protocol
    request = f"GET {target} HTTP/1.1\r\n".encode() + HEADERS
    for _ in range(3):
        connection.data_received(request)
    assert wire.sent[-1].startswith(b"HTTP/1.1 200 OK\r\n")
    calls = min(count(lambda: connection.data_received(request)) for _ in range(3))
    committed = COMMITTED[target]
    assert calls <= committed * 1.05, f"{target}: {calls} calls, {committed} were committed"


def test_the_database_is_asked_once_per_read(tmp_path: Path) -> None:
    with asking(App(models=[Country, City]), tmp_path, anatomy="on", mode="dev") as asker:
        asker.post("/api/countries", {"name": "France"})
        asker.post("/api/cities", {"name": "Paris", "country": 1, "population": 1})
        asker.get("/api/countries?select=name")
        asker.get("/api/cities?select=*,country(name)&order=population.desc&limit=5")
        latest = asker.get("/_pellucid/requests?limit=1").json[0]
        spans = asker.get(f"/_pellucid/requests/{latest['id']}").json["spans"]
        assert [span["name"] for span in spans].count("sql") == 1
