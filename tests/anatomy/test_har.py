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

from chromium import needs_chromium, paged
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


IMPORT = """(async () => {
    const {HARFormat, Importer} = await import("devtools://devtools/bundled/models/har/har.js");
    return JSON.stringify(%s.map(told => Importer.Importer.requestsFromHARLog(new HARFormat.HARRoot(told).log).map(request => [
        request.url(), request.statusCode, request.priority(), request.connectionId, request.initiator().type,
        Math.round(request.duration * 1e6) / 1e3])));
})()"""


@needs_chromium
def test_devtools_reads_the_archive(tmp_path: Path) -> None:
    """By the code that a browser's Network panel imports archives with."""
    archives = [plain(make()) for make in JOURNEYS.values()]
    with paged(tmp_path) as page:
        target = page.call("Target.createTarget", url="devtools://devtools/bundled/devtools_app.html")["targetId"]
        page._session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page.until("location.protocol === 'devtools:' && document.readyState === 'complete'")
        told = page.call("Runtime.evaluate", expression=IMPORT % json.dumps(archives), awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in told, told
    for told_of, archived in zip(json.loads(told["result"]["value"]), archives, strict=True):
        entries = archived["log"]["entries"]
        assert len(told_of) == len(entries)
        found = {url: (status, priority, connection, by) for url, status, priority, connection, by, _ in told_of}
        for entry in entries:
            status, priority, connection, by = found[entry["request"]["url"]]
            assert (status, priority) == (entry["response"]["status"], entry["_priority"])
            assert connection == entry.get("_connectionId", "")
            assert by == entry["_initiator"]["type"]
        lasting = {url: duration for url, *_, duration in told_of}
        assert all(abs(lasting[entry["request"]["url"]] - entry["time"]) < 1 for entry in entries)


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
