"""The REST API as HTTP means it: RFC 9110 (semantics), 9457 (problems), 5789 (PATCH), 7240 (Prefer), CORS; over a real socket."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from everything import make
from wired import Client, Reply, wired

Talk = Callable[[Client], Awaitable[None]]
ORIGIN = "https://shop.example"
READ = ("/api/things/1", "/api/things?limit=3", "/api/things")
WISHES: list[dict[str, str]] = [
    {}, {"accept": "text/csv"}, {"accept_encoding": "br"}, {"prefer": "count=exact"}, {"if_none_match": "*"},
]  # fmt: skip


@pytest.fixture
def over_the_wire(tmp_path: Path) -> Callable[[Talk], None]:
    """Run a talk with a backend that has a group, 200 things in it, and a configured origin."""

    def run(talk: Talk) -> None:
        async def prepared(client: Client) -> None:
            assert (await client.ask("POST", "/api/groups", {"name": "g"})).status == 201
            rows = [{"group": "g", "text": "t" * 100, "whole": at} for at in range(200)]
            assert (await client.ask("POST", "/api/things", rows)).status == 201
            await talk(client)

        wired(make(), tmp_path, prepared, cors_origins=(ORIGIN,))

    return run


def fields(reply: Reply) -> set[tuple[str, str]]:
    """The fields that do not differ from one answer to the next."""
    return {(name, value) for name, value in reply.fields if name not in ("date", "x-request-id", "traceresponse", "connection")}


def test_head_is_get_without_the_body(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        for target in (
            "/api/things/1",
            "/api/things?limit=3",
            "/api/things",
            "/api/things/0",
            "/healthz",
            "/openapi.json",
            "/named/x",
            "/x",
        ):
            for wishes in (
                {},
                {"accept": "text/csv"},
                {"accept_encoding": "br"},
                {"prefer": "count=exact"},
                {"if_none_match": "*"},
            ):
                get, head = await client.ask("GET", target, **wishes), await client.ask("HEAD", target, **wishes)
                assert (head.status, head.body) == (get.status, b"")
                assert fields(head) == fields(get) or get.status >= 400, (target, wishes)

    over_the_wire(talk)


def test_a_304_says_what_the_200_said_and_no_more(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        for target in ("/api/things/1", "/api/things"):
            for coding in ("identity", "gzip", "br", "zstd"):
                full = await client.ask("GET", target, accept_encoding=coding)
                tag = full.get("etag")
                assert tag is not None
                again = await client.ask("GET", target, accept_encoding=coding, if_none_match=tag)
                assert (again.status, again.body, again.get("etag")) == (304, b"", tag)
                assert again.get("cache-control") == full.get("cache-control")
                assert again.list("vary") == full.list("vary") >= {"accept", "accept-encoding", "prefer", "origin"}
                for name in ("content-type", "content-length", "content-encoding", "transfer-encoding"):
                    assert again.get(name) is None

    over_the_wire(talk)


def test_each_representation_has_its_own_tag(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        tags: list[str | None] = []
        for accept in ("application/json", "text/csv", "application/vnd.pgrst.array+json"):
            reply = await client.ask("GET", "/api/things/1", accept=accept)
            assert (reply.get("content-type") or "").startswith(accept)
            tags.append(reply.get("etag"))
        tags += [
            (await client.ask("GET", "/api/things", accept_encoding=coding)).get("etag") for coding in ("identity", "br", "gzip")
        ]
        assert len(set(tags)) == len(tags)
        assert (await client.ask("GET", "/api/things/1", accept="text/csv", if_none_match=str(tags[0]))).status == 200

    over_the_wire(talk)


def test_conditions_hold_on_reads_and_are_never_ignored_on_writes(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        tag = str((await client.ask("GET", "/api/things/1")).get("etag"))
        for target in ("/api/things/1", "/api/things?limit=1"):
            current = str((await client.ask("GET", target)).get("etag"))
            assert (await client.ask("GET", target, if_match=current)).status == 200
            assert (await client.ask("GET", target, if_match="*")).status == 200
            assert (await client.ask("GET", target, if_match='"x"')).status == 412
            assert (await client.ask("GET", target, if_match=f"W/{current}")).status == 412, "If-Match compares strongly"
        for method, target, body in (
            ("PATCH", "/api/things?id=eq.1", {"text": "x"}), ("DELETE", "/api/things?id=eq.1", None), ("POST", "/api/things", {}),
        ):  # fmt: skip
            reply = await client.ask(method, target, body, if_match=tag)
            assert (reply.status, reply.json["code"]) == (400, "PL210"), "a state of many rows has no meaning here"
        for method, body in (("PUT", {}), ("PATCH", {}), ("DELETE", None)):
            assert (await client.ask(method, "/api/things/999", body, if_match="*")).status == 412
        assert (await client.ask("PATCH", "/api/things/1", {"text": "x"}, if_match=tag)).status == 200

    over_the_wire(talk)


def test_a_405_and_options_name_what_is_offered(over_the_wire: Callable[[Talk], None]) -> None:
    offered = {
        "/api/things": {"get", "head", "post", "patch", "delete", "options"},
        "/api/things/1": {"get", "head", "put", "patch", "delete", "options"},
        "/nothing": {"delete", "options"},
        "/healthz": {"get", "head", "options"},
    }

    async def talk(client: Client) -> None:
        for target, methods in offered.items():
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"):
                if method.lower() not in methods:
                    reply = await client.ask(method, target)
                    assert (reply.status, reply.list("allow")) == (405, methods)
            options = await client.ask("OPTIONS", target)
            assert (options.status, options.list("allow"), options.body) == (204, methods, b"")
        assert (await client.ask("OPTIONS", "*")).status == 204

    over_the_wire(talk)


def test_a_415_names_what_this_method_takes(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        for method, target, field, takes, refuses in (
            ("POST", "/api/things", "accept-post", "text/csv", "text/xml"),
            ("PATCH", "/api/things/1", "accept-patch", "application/merge-patch+json", "text/csv"),
            ("PUT", "/api/things/1", "accept", "application/json", "text/csv"),
        ):
            for content_type in (refuses, ""):
                sent = {"content_type": content_type} if content_type else {}
                reply = await client.ask(method, target, b"{}", **sent)
                assert (reply.status, reply.json["code"]) == (415, "PL203")
                assert takes in reply.list(field)
                assert refuses not in reply.list(field)
        coded = await client.ask(
            "POST", "/api/things", gzip.compress(b"{}"), content_type="application/json", content_encoding="gzip"
        )
        assert (coded.status, coded.get("accept-encoding")) == (415, "identity")

    over_the_wire(talk)


def test_only_met_preferences_are_said_to_be_applied(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        wishes = "return=minimal, count=exact, max-affected=5, tx=rollback, speed=high"
        assert (await client.ask("GET", "/api/things", prefer=wishes)).get("preference-applied") == "count=exact"
        assert (await client.ask("GET", "/api/things/1", prefer=wishes)).get("preference-applied") is None
        one = await client.ask("PATCH", "/api/things/1", {"text": "x"}, prefer=wishes)
        assert (one.status, one.list("preference-applied")) == (204, {"return=minimal", "max-affected=5", "tx=rollback"})
        assert "content-range" not in dict((await client.ask("DELETE", "/api/things/1", prefer="tx=rollback")).fields)
        some = await client.ask("PATCH", "/api/things?id=lte.3", {"text": "x"}, prefer="count=exact")
        assert (some.get("preference-applied"), some.get("content-range")) == ("count=exact", "0-2/3")
        ignored = await client.ask("POST", "/api/things", {"id": 1}, prefer="resolution=ignore-duplicates")
        assert (ignored.status, ignored.body, ignored.get("location")) == (204, b"", None)

    over_the_wire(talk)


def test_pages_and_ranges(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        for given, wanted in (
            ("0-0", "0-0/*"),
            ("items=5-6", "5-6/*"),
            ("199-", "199-199/*"),
            ("0-999999999999999999", "0-199/*"),
        ):
            reply = await client.ask("GET", "/api/things?select=id&order=id", range=given)
            assert (reply.status, reply.get("content-range")) == (200, wanted)
        for ignored in ("bytes=0-10", "-5", "a-b", "0-1,3-4"):
            assert len((await client.ask("GET", "/api/things", range=ignored)).json) == 200
        paged = await client.ask("GET", "/api/things?limit=2&offset=1", range="50-59")
        assert (paged.status, paged.get("content-range")) == (200, "1-2/*"), "the query says it better than Range"
        counted = await client.ask("GET", "/api/things?limit=2", prefer="count=exact")
        assert (counted.status, counted.get("content-range")) == (206, "0-1/200")
        beyond = await client.ask("GET", "/api/things?offset=500", prefer="count=exact")
        assert (beyond.status, beyond.get("content-range")) == (416, "*/200")
        assert (await client.ask("GET", "/api/things", range="5-2")).status == 416

    over_the_wire(talk)


def test_every_problem_has_the_members_of_rfc_9457(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        ask, json = client.ask, "application/json"
        replies = [
            await ask("GET", "/nope"), await ask("PUT", "/api/things"), await ask("GET", "/api/things/0"),
            await ask("GET", "/api/things", accept="a/b"), await ask("GET", "/api/things?x=eq.1"),
            await ask("GET", "/api/things?limit=x"), await ask("POST", "/api/things", b"{", content_type=json),
            await ask("POST", "/api/things", {"whole": "x"}), await ask("POST", "/api/things", {"group": "none"}),
            await ask("POST", "/api/things", {"id": 1}), await ask("POST", "/api/things", b"x", content_type="a/b"),
            await ask("PATCH", "/api/things", {"whole": 1}), await ask("GET", "/add/x"), await ask("GET", "/thing/0"),
            await ask("GET", "/api/things/1", if_match='"x"'), await ask("GET", "/api/things", range="2-1"),
            await ask("POST", "/checkout", {"products": []}), await ask("GET", "/api/things", prefer="handling=strict, x"),
            await ask("GET", "/" + "x" * 20_000), await ask("GET", "/", x="y" * 70_000), await ask("GET", "/%FF"),
            await ask("POST", "/api/things", {}, expect="magic"), await ask("CONNECT", "/x"),
        ]  # fmt: skip
        assert {reply.status for reply in replies} >= {400, 404, 405, 406, 409, 412, 414, 415, 416, 417, 422, 431, 501}
        for reply in replies:
            problem = reply.json
            assert reply.get("content-type") == "application/problem+json", reply
            assert problem["type"].startswith("urn:pellucid:problem:")
            assert (problem["status"], bool(problem["title"]), bool(problem["detail"])) == (reply.status, True, True)
            assert problem["code"].startswith("PL")
            assert reply.get("etag") is None

    over_the_wire(talk)


def test_what_was_made_says_where_it_is(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        for method, target in (("POST", "/api/groups"), ("PUT", "/api/groups/b")):
            made = await client.ask(method, target, {"name": "a" if method == "POST" else "b"})
            read = await client.ask("GET", str(made.get("location")))
            assert (made.status, read.status, made.body, made.get("etag")) == (201, 200, read.body, read.get("etag"))
        again = await client.ask("PUT", "/api/groups/b", {})
        assert (again.status, again.get("location")) == (200, None)
        assert (await client.ask("POST", "/api/things", [])).json == []

    over_the_wire(talk)


def test_a_page_of_a_configured_origin_may_read_and_another_not(over_the_wire: Callable[[Talk], None]) -> None:
    async def talk(client: Client) -> None:
        wanted = {"access_control_request_method": "PATCH", "access_control_request_headers": "content-type, if-match"}
        for target in ("/api/things/1", "/checkout", "/nope"):
            allowed = await client.ask("OPTIONS", target, origin=ORIGIN, **wanted)
            assert (allowed.status, allowed.get("access-control-allow-origin")) == (204, ORIGIN)
            assert "patch" in allowed.list("access-control-allow-methods")
            assert {"content-type", "if-match"} <= allowed.list("access-control-allow-headers")
            for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example", "http://shop.example"):
                denied = await client.ask("OPTIONS", target, origin=origin, **wanted)
                assert denied.get("access-control-allow-origin") is None
                assert "origin" in denied.list("vary")
        for target, status in (("/api/things/1", 200), ("/api/things/0", 404), ("/api/things?x=eq.1", 400)):
            reply = await client.ask("GET", target, origin=ORIGIN)
            assert (reply.status, reply.get("access-control-allow-origin")) == (status, ORIGIN), "a page may read refusals too"
            assert {"etag", "link", "location", "content-range"} <= reply.list("access-control-expose-headers")
            plain = await client.ask("GET", target)
            assert (plain.get("access-control-allow-origin"), "origin" in plain.list("vary")) == (None, True)

    over_the_wire(talk)
