"""HTTP archives: valid against the public schema, and true to the journey."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from referencing import Registry, Resource

from journeys import expired, nameless, shop, simple
from pellucid.anatomy.har import archive
from pellucid.journey import Journey
from scripted import Answer, Site, scripted
from sites import HAR_SCHEMA, unpacked

JOURNEYS = {"shop": shop, "simple": simple, "nameless": nameless, "expired": expired}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft7Validator:
    folder = unpacked(HAR_SCHEMA)
    if folder is None:
        pytest.skip("the schema could not be fetched: npm is not installed")
    schemas = {file.name: json.loads(file.read_text()) for file in (folder / "lib").glob("*.json")}
    registry: Registry[Any] = Registry()
    for name, told in schemas.items():
        told["$schema"] = "http://json-schema.org/draft-07/schema#"  # an id of draft 06 that validates the same
        registry = registry.with_resources([(told["$id"], Resource.from_contents(told)), (name, Resource.from_contents(told))])
    return jsonschema.Draft7Validator(schemas["har.json"], registry=registry, format_checker=jsonschema.FormatChecker())


def plain(journey: Journey) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(msgspec.json.encode(archive(journey)))
    return told


@pytest.mark.parametrize("name", JOURNEYS)
def test_every_journey_makes_a_valid_archive(name: str, schema: jsonschema.Draft7Validator) -> None:
    wrong = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in schema.iter_errors(plain(JOURNEYS[name]()))
    ]
    assert not wrong


def test_the_schema_finds_what_is_wrong(schema: jsonschema.Draft7Validator) -> None:
    told = plain(JOURNEYS["shop"]())
    del told["log"]["entries"][0]["request"]["method"]
    told["log"]["entries"][0]["serverIPAddress"] = "nowhere"
    assert len(list(schema.iter_errors(told))) >= 2


@pytest.mark.parametrize("name", JOURNEYS)
def test_times_add_up_as_the_format_says(name: str) -> None:
    for entry in plain(JOURNEYS[name]())["log"]["entries"]:
        timings = entry["timings"]
        assert min(timings["send"], timings["wait"], timings["receive"]) >= 0
        assert entry["time"] == pytest.approx(
            sum(value for key, value in timings.items() if key != "ssl" and value > 0), abs=0.01
        )
        if timings["ssl"] > 0:
            assert timings["connect"] >= timings["ssl"], "connect holds ssl"


SITE: Site = {
    "/": Answer(
        "<!doctype html><link rel=stylesheet href=/a.css><p>ü",
        headers=(("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Lax"),),
    ),
    "/a.css": Answer("body{}", type="text/css"),
    "/favicon.ico": Answer(b"\x00\x01", type="image/x-icon"),
}


def made(**options: object) -> list[dict[str, Any]]:
    async def going() -> Journey:
        async with scripted(SITE) as running:
            return await running.traced("/?q=1&q=%C3%BC", **options)

    entries: list[dict[str, Any]] = plain(asyncio.run(going()))["log"]["entries"]
    return entries


def test_a_real_journey(schema: jsonschema.Draft7Validator) -> None:
    document, sheet, icon = made()
    assert document["request"]["queryString"] == [{"name": "q", "value": "1"}, {"name": "q", "value": "ü"}]
    assert document["response"]["cookies"] == [
        {"name": "a", "value": "1", "httpOnly": True, "secure": False, "path": "/", "sameSite": "Lax"}
    ]
    assert document["response"]["content"]["text"].endswith("<p>ü")
    assert document["_initiator"] == {"type": "other", "_what": "typed"}
    assert sheet["_initiator"]["type"] == "parser"
    assert sheet["_initiator"]["url"] == document["request"]["url"]
    assert sheet["_initiator"]["lineNumber"] == 0
    assert (sheet["_priority"], sheet["_resourceType"]) == ("VeryHigh", "stylesheet")
    assert sheet["connection"] == document["connection"]
    assert sheet["serverIPAddress"] == "127.0.0.1"
    assert icon["response"]["content"]["encoding"] == "base64"
    for entry in (document, sheet, icon):
        assert entry["response"]["_transferSize"] == entry["response"]["headersSize"] + entry["response"]["bodySize"]


def test_what_is_sent_stands_in_the_request() -> None:
    document, *_ = made(method="POST", body=b"name=Tom+%26+Ann&x=1", content_type="application/x-www-form-urlencoded")
    told = document["request"]["postData"]
    assert told["params"] == [{"name": "name", "value": "Tom & Ann"}, {"name": "x", "value": "1"}]
    assert told["text"] == "name=Tom+%26+Ann&x=1"
    assert document["request"]["bodySize"] == 20


def test_the_archive_is_utf_8_without_anything_json_cannot_say(tmp_path: Path) -> None:
    file = tmp_path / "x.har"
    file.write_bytes(msgspec.json.encode(archive(JOURNEYS["shop"]())))
    json.loads(file.read_text(encoding="utf-8"), parse_constant=lambda word: pytest.fail(word))
