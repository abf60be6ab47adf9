"""The example, as whoever types `make demo` meets it: loaded, served, asked what its page asks, stopped."""

from __future__ import annotations

import csv
import http.client
import io
import re
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from shell import DEADLINE, Served, Shell

PUBLIC = Path(__file__).parents[2] / "examples" / "atlas" / "public"
PARIS = 2988507


def get(served: Served, target: str) -> Any:
    status, told = served.ask(quote(target, safe="/?&=.,()*"))
    assert status == 200, told
    return told


def head_of(served: Served, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=DEADLINE)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


# -- loading


def test_the_world_is_loaded_in_seconds(atlas: Shell) -> None:
    (atlas.folder / "data.db").unlink()
    began = time.perf_counter()
    said = atlas("load", "app.py", "data/continents.csv", "data/countries.csv", "data/cities.csv").stdout
    assert re.match(r"Loaded 34,263 rows in \d+\.\d s", said)
    assert time.perf_counter() - began < 15  # about 1 s on a quiet machine


def test_a_bad_row_is_named_by_file_and_line_and_nothing_is_kept(atlas: Shell) -> None:
    (atlas.folder / "data.db").unlink()
    cities = atlas.folder / "data" / "cities.csv"
    lines = cities.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[30_000] = re.sub(r",[A-Z]{2},", ",XX,", lines[30_000])
    cities.write_text("".join(lines), encoding="utf-8")
    files = ("data/continents.csv", "data/countries.csv", "data/cities.csv")
    said = atlas("load", "app.py", *files, code=1).stderr
    assert "cities.csv:30001" in said
    assert "'XX'" in said
    assert "nothing was loaded" in said
    with atlas.serving("dev", "app.py") as served:
        assert get(served, "/api/continents") == []


# -- what the page asks


def test_continents_come_with_their_countries_both_by_name(served: Served) -> None:
    continents = get(served, "/api/continents?select=code,name,countries(code,name,capital)&order=name&countries.order=name")
    assert [continent["name"] for continent in continents] == [
        "Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America",
    ]  # fmt: skip
    assert sum(len(continent["countries"]) for continent in continents) == 250
    europe = continents[3]
    assert {"code": "FR", "name": "France", "capital": "Paris"} in europe["countries"]
    names = [country["name"] for country in europe["countries"]]
    assert names == sorted(names)


def test_the_map_is_drawn_from_pages_of_the_largest_cities_without_gap_or_repetition(served: Served) -> None:
    asked = "/api/cities?select=id,name,latitude,longitude,population&order=population.desc,id.desc&limit=1000&offset="
    pages = [get(served, f"{asked}{page * 1000}") for page in range(5)]
    cities = [city for page in pages for city in page]
    assert cities[0]["name"] == "Shanghai"
    assert len({city["id"] for city in cities}) == 5000
    assert [city["population"] for city in cities] == sorted((city["population"] for city in cities), reverse=True)


def test_a_country_comes_with_its_continent_and_its_largest_cities(served: Served) -> None:
    (france,) = get(
        served,
        "/api/countries?code=eq.FR&select=*,continent(code,name),cities(id,name,population,latitude,longitude)"
        "&cities.order=population.desc&cities.limit=60",
    )
    assert (france["iso3"], france["capital"], france["currency_code"], france["phone"]) == ("FRA", "Paris", "EUR", "33")
    assert france["continent"] == {"code": "EU", "name": "Europe"}
    assert len(france["cities"]) == 60
    assert [city["name"] for city in france["cities"][:3]] == ["Paris", "Marseille", "Lyon"]


def test_paris_is_in_france_in_europe(served: Served) -> None:
    paris = get(
        served,
        f"/api/cities/{PARIS}?select=*,country(name,code,continent(code,name)),postcards(author,text,written)"
        "&postcards.order=written.desc&postcards.limit=10",
    )
    assert paris["name"] == "Paris"
    assert paris["timezone"] == "Europe/Paris"
    assert paris["country"] == {"name": "France", "code": "FR", "continent": {"code": "EU", "name": "Europe"}}


def test_near_paris_is_what_is_near_paris_the_nearest_first(served: Served) -> None:
    near = get(served, f"/nearby/{PARIS}?km=10")
    assert {"Montreuil", "Boulogne-Billancourt", "Saint-Denis"} <= {place["name"] for place in near}
    assert "Versailles" not in {place["name"] for place in near}
    distances = [place["km"] for place in near]
    assert distances == sorted(distances)
    assert distances[-1] <= 10
    assert PARIS not in {place["id"] for place in near}


def test_what_is_near_is_found_across_the_antimeridian(served: Served) -> None:
    """Labasa lies so near to 180° that a circle of 500 km round it goes on at -180°."""
    (labasa,) = get(served, "/api/cities?name=eq.Labasa&select=id,longitude")
    assert 500 / 111 + labasa["longitude"] > 180
    assert "Suva" in {place["name"] for place in get(served, f"/nearby/{labasa['id']}?km=300")}
    assert {place["name"] for place in get(served, f"/nearby/{labasa['id']}?km=500")} >= {"Suva"}


@pytest.mark.parametrize(
    ("typed", "first", "country"),
    [("par", "Paris", "FR"), ("SÃO P", "São Paulo", "BR"), ("new y", "New York City", "US"), ("東", None, None)],
)
def test_the_search_finds_the_largest_city_that_begins_so(served: Served, typed: str, first: str | None, country: str) -> None:
    found = get(
        served, f"/api/cities?name=ilike.{typed}*&order=population.desc&limit=20&select=id,name,population,country(name,code)"
    )
    if first is None:
        assert found == []
    else:
        assert (found[0]["name"], found[0]["country"]["code"]) == (first, country)
        assert len(found) <= 20


def test_a_postcard_is_sent_and_read(served: Served) -> None:
    status, sent = served.ask("/api/postcards", {"city": PARIS, "author": "Ada", "text": "The light on the river."})
    assert status == 201
    assert isinstance(sent, dict)
    assert (sent["author"], sent["city"]) == ("Ada", PARIS)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", sent["written"])
    latest = "postcards(author,text,written)&postcards.order=written.desc&postcards.limit=1"
    read = get(served, f"/api/cities/{PARIS}?select={latest}")
    assert read == {"postcards": [{name: sent[name] for name in ("author", "text", "written")}]}


def test_a_wrong_postcard_is_told_by_field(served: Served) -> None:
    status, problem = served.ask("/api/postcards", {"city": PARIS, "author": "", "text": "x" * 281, "wrtten": None})
    assert status == 422
    assert isinstance(problem, dict)
    errors = {error["path"]: error["code"] for error in problem["errors"]}
    assert errors == {"$.author": "too-short", "$.text": "too-long", "$.wrtten": "unknown-field"}
    status, problem = served.ask("/api/postcards", {"city": 1, "author": "Ada", "text": "x"})
    assert status in (409, 422)
    assert isinstance(problem, dict)
    assert "city" in problem["message"]


def test_nobody_writes_the_world_itself(served: Served) -> None:
    assert served.ask("/api/continents", {"code": "AT", "name": "Atlantis"})[0] in (401, 403)
    assert served.ask(f"/api/cities/{PARIS}", method="DELETE")[0] in (401, 403)
    assert served.ask("/api/postcards?id=gt.0", method="DELETE")[0] in (401, 403)


def test_unknown_cities_and_radii_are_the_callers_mistake(served: Served) -> None:
    assert served.ask("/nearby/1")[0] == 404
    assert served.ask(f"/nearby/{PARIS}?km=501")[0] in (400, 422)
    assert served.ask(f"/nearby/{PARIS}?km=near")[0] in (400, 422)


def test_counts_and_csv(served: Served) -> None:
    for collection, count in (("continents", 7), ("countries", 250), ("cities", 34006)):
        status, headers = head_of(served, f"/api/{collection}?limit=1", "HEAD", Prefer="count=exact")
        assert status in (200, 206)
        assert headers["content-range"] == f"0-0/{count}"
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=DEADLINE)
    connection.request("GET", "/api/continents?select=code,name&order=code", headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(connection.getresponse().read().decode())))
    connection.close()
    assert rows[0] == ["code", "name"]
    assert rows[1] == ["AF", "Africa"]


def test_the_commands_of_the_readme_answer(served: Served) -> None:
    text = (PUBLIC.parent / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^\$ curl 'localhost:8000(\S+)'$", text, re.MULTILINE)
    assert len(targets) >= 3
    for target in targets:
        assert get(served, target)


# -- the files of the page


def test_every_file_of_the_page_is_served_and_not_sent_twice(served: Served) -> None:
    files = [file for file in PUBLIC.rglob("*") if file.is_file()]
    assert len(files) > 8
    for file in files:
        path = f"/{file.relative_to(PUBLIC).as_posix()}"
        status, headers = head_of(served, path)
        assert status == 200
        kind = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}[file.suffix]
        assert headers["content-type"].startswith(kind)
        assert head_of(served, path, **{"If-None-Match": headers["etag"]})[0] == 304


def test_the_app_and_its_data_are_not_served(served: Served) -> None:
    for path in ("/app.py", "/data.db", "/../app.py", "/%2e%2e/app.py", "/data/cities.csv"):
        assert head_of(served, path)[0] in (400, 404)


def test_server_timing_says_where_the_time_went(served: Served) -> None:
    _, headers = head_of(served, f"/api/cities/{PARIS}")
    parts = dict(re.findall(r"([a-z]+);dur=([0-9.]+)", headers["server-timing"]))
    assert {"parse", "sql", "encode"} <= set(parts)
    assert 0 < sum(map(float, parts.values())) < 1000


def test_a_trace_shows_the_page_its_parts_and_the_sql_under_the_api_call_on_one_screen(served: Served, loaded: Shell) -> None:
    lines = loaded("trace", f"{served.address}/", "--width", "100").stdout.splitlines()
    assert lines[0].startswith("200 OK in ")
    assert len(lines) <= 40
    page = next(at for at, line in enumerate(lines) if line.startswith("GET / "))
    call = next(at for at, line in enumerate(lines) if line.startswith("├ /api/cities"))
    assert page < call
    assert lines[call + 1].startswith("│ └ server ")
    assert lines[call + 2].startswith("│   └ sql SELECT … FROM cities ORDER BY popula")
    for part in ("style.css", "app.js", "map.js", "postcards.js", "images/logo.svg", "images/favicon.svg"):
        assert any(f"/{part} " in line for line in lines[page:]), part


# -- the end


def test_sigterm_answers_what_is_under_way_and_ends_with_0(atlas: Shell) -> None:
    with atlas.serving("dev", "app.py") as served:
        netloc = urlsplit(served.address).netloc
        served.wait_for("ready after")
        late = http.client.HTTPConnection(netloc, timeout=DEADLINE)
        body = b'{"city": 2988507, "author": "Ada", "text": "Just in time."}'
        late.putrequest("POST", "/api/postcards")
        late.putheader("Content-Type", "application/json")
        late.putheader("Content-Length", str(len(body)))
        late.putheader("Expect", "100-continue")
        late.endheaders()
        assert late.sock is not None
        assert late.sock.recv(100).startswith(b"HTTP/1.1 100")  # from here on it is under way
        served.process.send_signal(signal.SIGTERM)
        late.send(body)
        answer = late.getresponse()
        assert answer.status == 201
        answer.read()
        late.close()
        assert served.process.wait(DEADLINE) == 0
    with atlas.serving("dev", "app.py") as served:
        assert [card["text"] for card in get(served, "/api/postcards")] == ["Just in time."]
