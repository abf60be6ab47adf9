"""What users of an App rely on: endpoints beside models, pages, steps, seeing through, and other servers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import msgspec
import pytest
import uvicorn

from pellucid import App, Call, Model, Page, Problem, Request, Response, anyone, field
from pellucid.errors import FORBIDDEN
from pellucid.http.messages import Handler
from pellucid.spans import boot_id, now
from pellucid.sql import migrate
from running import asking


class Note(Model, read=anyone, write=anyone):
    text: str
    secret: str = field(default="s3cret", secret=True)


class Sum(msgspec.Struct):
    total: int


def test_endpoints_see_the_data_and_hide_secrets(tmp_path: Path) -> None:
    app = App(models=[Note])

    @app.post("/notes/{text}", status=201)
    async def add(call: Call, text: str) -> Note:
        return await call.data.create(Note(text=text))

    @app.get("/notes")
    async def search(call: Call, like: str = "*", limit: int = 10) -> list[Note]:
        return await call.data.find(Note, text=f"ilike.{like}", order="text.desc", limit=limit)

    @app.get("/sum")
    def blocking(a: int, b: int = 2) -> Sum:
        return Sum(a + b)

    @app.get("/words")
    async def words() -> AsyncIterator[str]:
        for word in ("one ", "two"):
            yield word

    @app.delete("/notes/{id}")
    async def remove(call: Call, id: int) -> None:
        await call.data.delete(Note, id)

    @app.get("/count")
    async def count(call: Call) -> int:
        return await call.data.count(Note, text="neq.a")

    with asking(app, tmp_path) as asker:
        assert asker.ask("POST", "/notes/a").json == {"id": 1, "text": "a"}
        assert asker.ask("POST", "/notes/B").status == 201
        assert asker.get("/notes").json == [{"id": 1, "text": "a"}, {"id": 2, "text": "B"}]
        assert asker.get("/notes?like=b").json == [{"id": 2, "text": "B"}]
        assert asker.get("/count").json == 1
        assert asker.get("/sum?a=1").json == {"total": 3}
        wrong = asker.get("/sum?b=x")
        assert (wrong.status, {error["path"] for error in wrong.json["errors"]}) == (422, {"query.a", "query.b"}), wrong
        assert asker.get("/words").body == b"one two"
        assert asker.delete("/notes/1").status == 204
        assert asker.delete("/notes/1").status == 404
        assert asker.get("/api/notes").json == [{"id": 2, "text": "B"}]


def test_an_endpoint_can_make_several_writes_one_and_its_writes_run_hooks(tmp_path: Path) -> None:
    app = App(models=[Note])
    seen: list[object] = []

    @app.before(Note, "create", "update")
    async def tidy(note: Note, call: Call) -> None:
        note.text = note.text.strip()

    @app.after(Note, "create", "update", "delete")
    async def look(note: object, call: Call) -> None:
        seen.append(note.text if isinstance(note, Note) else note)
        assert await call.data.count(Note) >= 0

    @app.post("/pair")
    async def pair(call: Call, fail: bool = False) -> list[Note]:
        async with call.data.transaction() as data:
            first = await data.create(Note(text=" a "))
            second = await data.update(Note, first.id, text=" b ")
            if fail:
                raise Problem(FORBIDDEN, "not today")
        return [first, second]

    @app.delete("/pair/{id}")
    async def remove(call: Call, id: int) -> None:
        await call.data.delete(Note, id)

    with asking(app, tmp_path) as asker:
        assert asker.ask("POST", "/pair").json == [{"id": 1, "text": "a"}, {"id": 1, "text": "b"}]
        assert asker.ask("POST", "/pair?fail=true").status == 403
        assert asker.get("/api/notes").json == [{"id": 1, "text": "b"}]
        assert asker.delete("/pair/1").status == 204
        assert seen == ["a", "b", "a", "b", 1]


def test_pages_and_files_live_beside_the_api(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("<h1>Home</h1>")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "hello.html").write_text("Hello {{ name }}")
    app = App(static=tmp_path / "public", templates=tmp_path / "pages")

    @app.get("/hello/{name}")
    async def hello(name: str) -> Page:
        return Page("hello.html", {"name": name})

    with asking(app, tmp_path) as asker:
        assert asker.get("/").body == b"<h1>Home</h1>"
        page = asker.get("/hello/%3Cb%3E")
        assert (page.body, page.headers["content-type"]) == (b"Hello &lt;b&gt;", "text/html; charset=utf-8")
        assert asker.get("/nothing").status == 404


def test_steps_go_round_every_request_in_their_order(tmp_path: Path) -> None:
    order: list[str] = []

    async def outer(request: Request, next: Handler) -> Response:
        order.append("outer")
        answer = next(request)
        response = answer if isinstance(answer, Response) else await answer
        response.headers.append(("x-outer", str(response.status)))
        return response

    def door(request: Request, next: Handler) -> Response | Awaitable[Response]:
        order.append("door")
        if "x-key" not in request.headers:
            raise Problem(FORBIDDEN, "no key")
        return next(request)

    with asking(App(models=[Note], steps=[outer, door]), tmp_path) as asker:
        closed = asker.get("/api/notes")
        assert (closed.status, closed.json["code"]) == (403, "PL601")
        opened = asker.get("/api/notes", x_key="1")
        assert (opened.status, opened.headers["x-outer"]) == (200, "200")
        assert order == ["outer", "door"] * 2
        assert asker.get("/nowhere", x_key="1").headers["x-outer"] == "404"


def test_a_mistake_in_an_endpoint_is_a_500_with_a_trace_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.get("/broken")
    async def broken() -> int:
        return 1 // 0

    with asking(app, tmp_path) as asker:
        answer = asker.get("/broken")
        assert (answer.status, answer.json["code"]) == (500, "PL900")
        assert "ZeroDivisionError" not in answer.body.decode()
        assert len(answer.json["trace_id"]) == 32
        assert "ZeroDivisionError" in caplog.text


def test_dev_shows_what_happened_inside(tmp_path: Path) -> None:
    with asking(App(models=[Note]), tmp_path, mode="dev", anatomy="on") as asker:
        answer = asker.post("/api/notes", {"text": "a"}, authorization="Bearer s3cr3t-t0ken")
        assert "sql;dur=" in answer.headers["server-timing"]
        assert asker.get("/api/notes?text=eq.a").status == 200
        recent = asker.get("/_pellucid/requests").json
        assert [row["method"] for row in recent] == ["GET", "POST"]
        one = asker.get(f"/_pellucid/requests/{recent[0]['id']}").json
        names = [span["name"] for span in one["spans"]]
        assert names == ["route", "lookup", "sql", "encode", "write"]
        sql = next(span for span in one["spans"] if span["name"] == "sql")
        assert "SELECT" in json.dumps(sql)
        assert "SCAN" in json.dumps(sql)
        written = asker.get(f"/_pellucid/requests/{recent[1]['id']}").json
        assert {"wait", "sql", "commit"} <= {span["name"] for span in written["spans"]}
        assert "s3cr3t" not in json.dumps(written)
        assert asker.get("/api/notes?txt=eq.a").status == 400
        refused = asker.get("/_pellucid/requests?order=failed").json[0]
        spans = asker.get(f"/_pellucid/requests/{refused['id']}").json["spans"]
        assert ("refuse", "PL301 unknown-field") in [(span["name"], span.get("detail")) for span in spans]
        assert asker.get("/_pellucid/requests/none").status == 404
        assert asker.get("/_pellucid/requests?order=slowest").status == 200
        wrong = asker.get("/_pellucid/requests?order=slow")
        assert (wrong.status, wrong.json["message"]) == (400, "order='slow' is none of latest, slowest, failed")


def test_production_shows_nothing_to_strangers(tmp_path: Path) -> None:
    with asking(App(models=[Note]), tmp_path, anatomy="on") as asker:
        answer = asker.get("/api/notes")
        assert "server-timing" not in answer.headers
        assert asker.get("/_pellucid/requests").status == 404
        assert "did you mean" not in asker.get("/api/note").body.decode()


def test_an_answer_links_to_what_happened_beside_its_other_links(tmp_path: Path) -> None:
    with asking(App(models=[Note]), tmp_path, mode="dev", anatomy="on") as asker:
        for text in "ab":
            asker.post("/api/notes", {"text": text})
        answer = asker.get("/api/notes?limit=1")
        id = asker.get("/_pellucid/requests").json[0]["id"]
        lines = [value for name, value in answer.pairs if name == "link"]
        assert f'</_pellucid/requests/{id}>; rel="urn:pellucid:rel:anatomy"' in lines
        assert [line.partition(">; ")[2] for line in lines if "/api/notes?" in line] == ['rel="next"']
        assert len(lines) == 2
        one = asker.get(f"/_pellucid/requests/{id}").json
        assert one["clock"]["boot"] == boot_id()
        assert 0 < now() - one["clock"]["started_ns"] < 60e9
        assert not [value for name, value in asker.get("/healthz").pairs if name == "link"]


def test_production_shows_what_happened_to_whom_has_the_token(tmp_path: Path) -> None:
    token = "correct horse battery"
    with asking(App(models=[Note]), tmp_path, anatomy="on", anatomy_token=token) as asker:
        for strangers in ({}, {"pellucid-token": "correct horse batterz"}, {"pellucid-token": ""}, {"pellucid-token": "\u00e9"}):
            answer = asker.ask("GET", "/api/notes", headers=strangers)
            assert not {"server-timing", "link"} & set(answer.headers)
            assert "Pellucid" not in answer.headers["vary"]
            for target in ("/_pellucid/requests", f"/_pellucid/requests/{'0' * 32}"):
                refused = asker.ask("GET", target, headers=strangers)
                assert (refused.status, refused.json["code"]) == (403, "PL601")
                assert "horse" not in refused.body.decode()
        answer = asker.ask("GET", "/api/notes", headers={"pellucid-token": token})
        assert ("vary", "Pellucid-Token") in answer.pairs
        assert "sql;dur=" in answer.headers["server-timing"]
        target = answer.headers["link"].partition("<")[2].partition(">")[0]
        one = asker.ask("GET", target, headers={"pellucid-token": token})
        assert one.status == 200
        assert "sql" in [span["name"] for span in one.json["spans"]]
        assert ["pellucid-token", "***"] in one.json["request"]["headers"]
        assert "horse" not in one.body.decode()
    with asking(App(models=[Note]), tmp_path, anatomy="off", anatomy_token=token) as asker:
        assert "link" not in asker.ask("GET", "/api/notes", headers={"pellucid-token": token}).headers


def test_it_runs_under_another_asgi_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(models=[Note])
    log: list[str] = []

    @app.on_start
    async def begin(data: object) -> None:
        log.append("start")

    @app.on_stop
    async def end(data: object) -> None:
        log.append("stop")

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    monkeypatch.setenv("PELLUCID_DATABASE", str(tmp_path / "asgi.db"))
    migrate.update(app.catalog, tmp_path / "asgi.db")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on"))
    started = threading.Event()
    startup = server.startup

    async def tell(*args: object, **more: object) -> None:
        await startup(*args, **more)  # type: ignore[arg-type]
        started.set()

    server.startup = tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(10)
        port = server.servers[0].sockets[0].getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/api/notes", b'{"text":"a"}', {"content-type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("location"), json.loads(answer.read())) == (
            201,
            "/api/notes/1",
            {"id": 1, "text": "a"},
        )
        connection.request("HEAD", "/api/notes/1")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, "19", b"")
        connection.request("GET", "/stream")
        assert connection.getresponse().read() == b"ab"
        connection.request("GET", "/api/notes?x=eq.1")
        assert json.loads(connection.getresponse().read())["code"] == "PL301"
        connection.close()
    finally:
        server.should_exit = True
        thread.join(10)
    assert log == ["start", "stop"]
