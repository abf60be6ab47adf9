"""Behind nginx, as most sites run: every kind of request and answer comes through whole, and a reload is not noticed."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from nginx import Front, fronted, needs_nginx
from shell import DEADLINE, Shell

pytestmark = needs_nginx

APP = '''\
from collections.abc import AsyncIterator
from hashlib import sha256

from pellucid import App, Model, Request, anyone


class Item(Model, read=anyone, write=anyone):
    name: str


app = App(models=[Item], static="public")


@app.post("/digest")
async def digest(request: Request) -> dict[str, object]:
    seen, size = sha256(), 0
    async for piece in request.chunks():
        seen.update(piece)
        size += len(piece)
    return {"size": size, "digest": seen.hexdigest(), "coding": request.headers.get("transfer-encoding")}


@app.get("/count")
async def count(to: int = 1000) -> AsyncIterator[str]:
    for number in range(to):
        yield f"{number}\\n"
'''
LARGE = bytes(range(256)) * 40_000  # 10 MB


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("front") / "project")
    shell.write("app.py", APP)
    shell.write("public/small.txt", "small\n")
    (shell.folder / "public" / "large.bin").write_bytes(LARGE)
    shell("load", "app.py", "--model", "Item", str(shell.write("items.csv", "name\nTea\nMilk\n")))
    return shell


@pytest.fixture(scope="module", params=["a port", "a Unix socket"])
def front(request: pytest.FixtureRequest, project: Shell) -> Iterator[Front]:
    with fronted(project, unix=request.param == "a Unix socket") as front:
        yield front


def test_reading(front: Front) -> None:
    status, headers, body = front.ask("GET", "/api/items?order=id&limit=2")
    assert (status, json.loads(body)) == (200, [{"id": 1, "name": "Tea"}, {"id": 2, "name": "Milk"}])
    assert headers["content-type"].startswith("application/json")
    assert front.ask("GET", "/api/items?nme=eq.Tea")[0] == 400
    assert front.ask("GET", "/nowhere")[0] == 404


def test_head_has_the_fields_of_get_and_no_body(front: Front) -> None:
    status, headers, body = front.ask("HEAD", "/large.bin")
    assert (status, headers["content-length"], body) == (200, str(len(LARGE)), b"")


def test_writing(front: Front) -> None:
    status, headers, _ = front.ask("POST", "/api/items", b'{"name": "Oil"}', content_type="application/json")
    assert status == 201
    where = headers["location"]
    assert json.loads(front.ask("GET", where)[2])["name"] == "Oil"
    assert front.ask("DELETE", where)[0] == 204
    assert front.ask("GET", where)[0] == 404


@pytest.mark.parametrize("size", [0, 1, 65_536, len(LARGE)])
def test_an_upload_of_known_length(front: Front, size: int) -> None:
    _, _, body = front.ask("POST", "/digest", LARGE[:size])
    assert json.loads(body) == {"size": size, "digest": sha256(LARGE[:size]).hexdigest(), "coding": None}


def test_an_upload_in_chunks_arrives_in_chunks(front: Front) -> None:
    pieces = [LARGE[:1], LARGE[1:70_000], LARGE[70_000:1_000_000]]
    _, _, body = front.ask("POST", "/digest", iter(pieces))
    assert json.loads(body) == {"size": 1_000_000, "digest": sha256(LARGE[:1_000_000]).hexdigest(), "coding": "chunked"}


def test_a_body_beyond_the_limit_is_refused_and_the_next_request_served(front: Front) -> None:
    connection = front.connect()
    status, _, _ = connection.ask("POST", "/api/items", b"[" + b" " * 20_000_000 + b"]", content_type="application/json")
    assert status == 413
    connection.close()
    assert front.ask("GET", "/api/items")[0] == 200


def test_a_large_download_is_whole(front: Front) -> None:
    status, headers, body = front.ask("GET", "/large.bin")
    assert (status, len(body)) == (200, len(LARGE))
    assert body == LARGE
    assert headers["accept-ranges"] == "bytes"


def test_a_range(front: Front) -> None:
    status, headers, body = front.ask("GET", "/large.bin", Range="bytes=1000-1999")
    assert (status, body) == (206, LARGE[1000:2000])
    assert headers["content-range"] == f"bytes 1000-1999/{len(LARGE)}"
    assert front.ask("GET", "/large.bin", Range="bytes=99999999-")[0] == 416


def test_a_stream_of_unknown_length(front: Front) -> None:
    status, headers, body = front.ask("GET", "/count?to=5000")
    assert status == 200
    assert headers["transfer-encoding"] == "chunked"
    assert body == b"".join(b"%d\n" % number for number in range(5000))


@pytest.mark.parametrize("target", ["/small.txt", "/api/items/1"])
def test_what_has_not_changed_is_not_sent_again(front: Front, target: str) -> None:
    _, headers, _ = front.ask("GET", target)
    status, again, body = front.ask("GET", target, If_None_Match=headers["etag"])
    assert (status, body) == (304, b"")
    assert again["etag"] == headers["etag"]


def test_connections_are_used_again_whatever_was_asked(front: Front) -> None:
    connection = front.connect()
    connection.ask("GET", "/api/items/1")
    before = front.connections_made()
    for _ in range(10):
        assert connection.ask("GET", "/api/items/1")[0] == 200
        assert connection.ask("HEAD", "/small.txt")[0] == 200
        assert connection.ask("GET", "/small.txt", If_None_Match="*")[0] == 304
        assert connection.ask("POST", "/digest", b"x" * 1000)[0] == 200
        assert connection.ask("POST", "/digest", iter([b"x", b"y"]))[0] == 200
        assert connection.ask("GET", "/count?to=3")[0] == 200
        assert connection.ask("GET", "/nowhere")[0] == 404
    connection.close()
    assert front.connections_made() - before <= 1


def test_a_reload_under_steady_requests_fails_none(project: Shell) -> None:
    with fronted(project, workers=2) as front:
        stop, answered, statuses = threading.Event(), threading.Semaphore(0), []

        def ask() -> None:
            connection = front.connect()
            while not stop.is_set():
                statuses.append(connection.ask("GET", "/api/items/1")[0])
                statuses.append(connection.ask("POST", "/digest", b"not to be sent twice")[0])  # nginx doesn't, and answers 502
                answered.release()
            connection.close()

        callers = [threading.Thread(target=ask) for _ in range(4)]
        for caller in callers:
            caller.start()
        try:
            for _ in range(2):
                for _ in range(20):
                    assert answered.acquire(timeout=DEADLINE)
                at = len(front.served.said)
                front.served.process.send_signal(signal.SIGHUP)
                front.served.wait_for("All workers were replaced", at)
            for _ in range(20):
                assert answered.acquire(timeout=DEADLINE)
        finally:
            stop.set()
            for caller in callers:
                caller.join(DEADLINE)
        assert set(statuses) == {200}
        assert "upstream prematurely closed" not in Path(front.folder, "error.log").read_text(errors="replace")
