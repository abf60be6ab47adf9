"""What strangers may send: names that are no names, endless queries, forged cursors, races. Over a real socket."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest

from everything import make
from running import asking
from wired import Client, Reply, wired

INJECTED = [
    "'; DROP TABLE thing; --",
    '"; DROP TABLE thing; --',
    "a' OR '1'='1",
    "1); DELETE FROM thing; --",
    'id" FROM thing; --',
    "--",
    "/*",
    "`",
    "]",
    "\\",
    "\0",
    "\x01",
    "\r\nX-Evil: 1",
    "\u2028",
    "x" * 5000,
    "(((",
    "*",
    "->>'a'",
    "a->'b",
    "rowid",
    "sqlite_master",
    "_pellucid_idempotency",
    "İ",
    "ﬁ",
    "%2527",
]

PLACES = [
    "?select={}",
    "?select=a:{}",
    "?select={}:id",
    '?select="{}":id',
    '?select="{}"',
    "?select={}(*)",
    "?select=group({})",
    '?select="{}":group(*)',
    "?select=facts->{}",
    '?select=facts->"{}"',
    "?select=facts->>{}",
    "?select=id::{}",
    "?select=group!{}(*)",
    "?order={}",
    "?order=id.{}",
    "?order=facts->{}",
    "?order=group({})",
    "?order={}(name)",
    "?limit={}",
    "?offset={}",
    "?after={}",
    "?{}=eq.1",
    "?id={}",
    "?id=eq.{}",
    "?text=eq.{}",
    "?id=in.({})",
    '?text=in.("{}")',
    "?text=like.{}",
    "?text=ilike.{}",
    "?text=eq(any).{{{}}}",
    "?text=is.{}",
    "?or=({})",
    "?or=(text.eq.{})",
    "?and=({}.eq.1)",
    "?facts->{}=eq.1",
    '?facts->"{}"=eq.1',
    "?facts->>a=eq.{}",
    "?select=*,group(*)&group.{}=eq.1",
    "?select=*,group(*)&group.order={}",
    "?columns={}",
    "?on_conflict={}",
    "/{}",
    "?not.or=({})",
    "?{}",
    "{}",
]


def proper(reply: Reply) -> Reply:
    """An answer that is one, and not the server's mistake."""
    assert reply.status < 500, reply
    assert reply.get("x-evil") is None
    assert b"\r\nX-Evil" not in reply.raw.partition(b"\r\n\r\n")[0]
    if reply.status >= 400:
        assert reply.get("content-type") == "application/problem+json"
        assert reply.json["status"] == reply.status
        assert len(reply.body) < 20_000
    return reply


def test_no_place_for_a_name_lets_sql_or_a_header_in(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        rows = [{"group": "g", "text": "t", "facts": {"a": 1}}, {"text": "u"}]
        assert (await client.ask("POST", "/api/groups", {"name": "g"})).status == 201
        assert (await client.ask("POST", "/api/things", rows)).status == 201
        for place in PLACES:
            for text in INJECTED:
                target = "/api/things" + place.replace('"', "%22").replace(">", "%3E").format(quote(text, safe=""))
                proper(await client.ask("GET", target))
                proper(await client.ask("POST", target, {}, prefer="tx=rollback"))
                proper(await client.ask("PATCH", target, {"whole": 1}, prefer="tx=rollback, count=exact"))
                if "?" in place:
                    proper(await client.ask("DELETE", target, prefer="tx=rollback"))
        left = (await client.ask("GET", "/api/things?select=id,text,whole&order=id")).json
        assert left == [{"id": 1, "text": "t", "whole": None}, {"id": 2, "text": "u", "whole": None}]

    wired(make(), tmp_path, talk)


def test_names_in_an_answer_are_only_ever_json(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        assert (await client.ask("POST", "/api/things", {"whole": 1})).status == 201
        for alias in ("a b", "'; --", "é", "a,b", "</script>", "a.b"):
            reply = proper(await client.ask("GET", f"/api/things?select=%22{quote(alias, safe='')}%22:whole"))
            assert (reply.status, reply.json) == (200, [{alias: 1}])
        for name in ("a/b", "..", "x\r\nSet-Cookie: a=b", "é中", "a?b#c", '"><', "%0d%0a", " ", "+", "a;b=c"):
            made = proper(await client.ask("POST", "/api/groups", {"name": name}))
            assert made.status == 201
            location = made.get("location")
            assert location == f"/api/groups/{quote(name, safe='')}"
            assert (await client.ask("GET", location)).json == {"name": name}
        assert (await client.ask("POST", "/api/groups", {"name": ""})).status == 422, "no path could name it"

    wired(make(), tmp_path, talk)


@pytest.mark.parametrize(
    "query",
    [
        "or=" + "(" * 5000,
        "or=" + "(or" * 2000,
        "select=" + "group(" * 1000,
        "select=" + "group(things(" * 20 + "id" + "))" * 20,
        "id=in.(" + "1," * 3000 + "1)",
        "&".join(["id=gt.0"] * 200),
        "order=" + ",".join(["id"] * 100),
        "select=" + ",".join(f"a{at}:id" for at in range(400)),
        "facts" + "->a" * 2000 + "=eq.1",
        "text=like." + "*" * 7000,
        "text=ilike." + "*a" * 3000,
        "a" * 9000,
        "=" * 8000,
        "&" * 8000,
        "select=" + '"' * 2001,
    ],
)
def test_what_is_too_much_is_refused_at_once(tmp_path: Path, query: str) -> None:
    with asking(make(), tmp_path) as asker:
        asker.post("/api/things", {"text": "a" * 5000})
        answer = asker.get(f"/api/things?{query}")
        assert answer.status in (200, 400), answer
        deadline = asker.get("/api/things?limit=1")
        assert deadline.status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 200),
        ("limit=999999999999999999", 200),
        ("limit=9223372036854775807", 400),
        ("limit=99999999999999999999", 400),
        ("limit=-1", 400),
        ("limit=", 400),
        ("limit=%D9%A1", 400),
        ("limit=1&limit=2", 400),
        ("offset=999999999999999999", 200),
        ("offset=", 400),
        ("offset=-1", 400),
        ("id=in.()", 200),
        ("id=not.in.()", 200),
        ("whole=eq.9223372036854775807", 200),
        ("id=eq.9223372036854775808", 400),
        ("id=eq.-9223372036854775809", 400),
        ("after=", 400),
        ("after=AAAA", 400),
        ("after=ks6sPufYAQ&order=whole", 400),
        ("=", 400),
        ("&", 200),
        ("select=", 200),
        ("order=", 200),
        ("id=eq.", 400),
    ],
)
def test_the_edges_of_numbers_and_empty_parts(tmp_path: Path, query: str, status: int) -> None:
    with asking(make(), tmp_path) as asker:
        asker.post("/api/things", [{"whole": 9223372036854775807}, {}])
        for _ in range(2):  # unknown, then warm
            for warm in ("limit=1", "offset=1", "id=eq.1"):
                asker.get(f"/api/things?{warm}")
            assert asker.get(f"/api/things?{query}").status == status


def test_a_cursor_of_another_query_or_of_nobodys_is_refused(tmp_path: Path) -> None:
    with asking(make(), tmp_path) as asker:
        asker.post("/api/things", [{"text": text} for text in "abc"])
        link = asker.get("/api/things?order=text.desc&limit=1").headers["link"]
        cursor = link.partition("after=")[2].partition(">")[0]
        assert asker.get(f"/api/things?order=text.desc&limit=1&after={cursor}&select=text").json == [{"text": "b"}]
        for forged in (cursor[:-1], cursor + "A", cursor[::-1], "A" * 4000, "%00", "é", "null", "W10", "-1"):
            assert asker.get(f"/api/things?order=text.desc&after={quote(forged)}").status in (200, 400)
        assert asker.get(f"/api/things?order=text&after={cursor}").json["code"] == "PL308"
        assert asker.get(f"/api/things?order=whole.desc&after={cursor}").json["code"] == "PL308"


def test_a_link_survives_whatever_the_query_holds(tmp_path: Path) -> None:
    with asking(make(), tmp_path) as asker:
        asker.post("/api/things", [{"facts": {"a": "x"}, "text": "<"} for _ in range(3)])
        for query in ("facts->>a=eq.x&limit=1", "text=neq.>;rel=self&limit=1", "limit=1&text=like.*<*"):
            link = asker.get(f"/api/things?{query}").headers["link"]
            target, _, rest = link.removeprefix("<").partition(">")
            assert rest == '; rel="next"'
            assert asker.get(f"{target}&select=id").json == [{"id": 2}]


@pytest.mark.parametrize(
    "prefer", ["", ",", "return", "return=", "=", ";;,,==", 'a="b', "x" * 4000, "max-affected=-1", "count=exact;q=1"]
)
def test_a_garbled_wish_is_no_reason_to_refuse(tmp_path: Path, prefer: str) -> None:
    with asking(make(), tmp_path) as asker:
        assert asker.get("/api/things", prefer=prefer).status == 200
        assert asker.post("/api/things", {}, prefer=prefer).status == 201


def test_of_many_writers_of_one_unique_value_exactly_one_wins(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        for name in ("a", "b", "c"):
            replies = await asyncio.gather(*[client.ask("POST", "/api/stricts", {"name": name}) for _ in range(30)])
            assert Counter(reply.status for reply in replies) == {201: 1, 409: 29}
            replies = await asyncio.gather(*[client.ask("PUT", f"/api/groups/{name}", {}, if_none_match="*") for _ in range(30)])
            assert Counter(reply.status for reply in replies) == {201: 1, 412: 29}
            keys = [client.ask("POST", "/api/things", {"text": name}, idempotency_key=name) for _ in range(30)]
            assert len({reply.get("location") for reply in await asyncio.gather(*keys)}) == 1
        assert len((await client.ask("GET", "/api/things")).json) == 3

    wired(make(), tmp_path, talk)


def test_of_many_changes_to_one_state_exactly_one_wins(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        tag = (await client.ask("POST", "/api/things", {"whole": 0})).get("etag")
        for value in range(1, 6):
            assert tag is not None
            asked = [
                client.ask(method, "/api/things/1", {"whole": value * 100 + at}, if_match=tag)
                for at, method in enumerate(["PATCH", "PUT"] * 10)
            ]
            replies = await asyncio.gather(*asked)
            assert Counter(reply.status for reply in replies) == {200: 1, 412: 19}
            tag = next(reply.get("etag") for reply in replies if reply.status == 200)
        deleted = await asyncio.gather(*[client.ask("DELETE", "/api/things/1", if_match=str(tag)) for _ in range(10)])
        assert Counter(reply.status for reply in deleted) == {204: 1, 412: 9}

    wired(make(), tmp_path, talk)


def test_a_write_that_answers_one_object_is_taken_back_where_there_are_several(tmp_path: Path) -> None:
    single = "application/vnd.pgrst.object+json"
    with asking(make(), tmp_path) as asker:
        assert asker.post("/api/things", [{"whole": 1}, {"whole": 2}], accept=single).status == 406
        assert asker.get("/api/things").json == []
        asker.post("/api/things", [{"whole": 1}, {"whole": 2}])
        assert asker.patch("/api/things?id=gt.0", {"whole": 9}, accept=single).status == 406
        assert asker.delete("/api/things?id=gt.0", accept=single, prefer="return=representation").status == 406
        assert [row["whole"] for row in asker.get("/api/things").json] == [1, 2]
        assert asker.patch("/api/things?id=eq.1", {"whole": 9}, accept=single).json["whole"] == 9
