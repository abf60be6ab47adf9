"""What users of the REST API rely on when they read."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import pytest
from annotated_types import Ge, Len

from pellucid import App, Many, Model, Ref, anyone, field
from running import Asker, asking


class Country(Model, read=anyone, write=anyone):
    code: Annotated[str, Len(2, 2)] = field(unique=True)
    name: str
    cities: Many[City]


class City(Model, read=anyone, write=anyone, index=[("country", "population")]):
    name: Annotated[str, Len(1, 80)]
    country: Ref[Country] = field(on_delete="restrict")
    population: Annotated[int, Ge(0)] = 0
    capital: bool = False
    tax: Decimal | None = field(default=None, places=2)
    facts: dict[str, object] | None = None


class Secret(Model):
    text: str


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with asking(App(models=[Country, City, Secret]), tmp_path_factory.mktemp("atlas"), max_rows=50) as asker:
        asker.post("/api/countries", [{"id": 1, "code": "FR", "name": "France"}, {"id": 2, "code": "JP", "name": "Japan"}])
        cities = [
            {"id": 1, "name": "Paris", "country": 1, "population": 2_138_551, "capital": True, "tax": "19.60"},
            {"id": 2, "name": "Lyon", "country": 1, "population": 522_969, "facts": {"rivers": ["Rhône", "Saône"]}},
            {"id": 3, "name": "Tōkyō", "country": 2, "population": 9_733_276, "capital": True},
        ]
        assert asker.post("/api/cities", cities).status == 201
        many = [{"name": f"Town {number:03}", "country": 2, "population": number % 7} for number in range(120)]
        assert asker.post("/api/cities", many, prefer="return=minimal").status == 201
        yield asker


def test_one_row_has_every_field_in_its_json_form(atlas: Asker) -> None:
    answer = atlas.get("/api/cities/1")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    expected = {"id": 1, "name": "Paris", "country": 1, "population": 2138551, "capital": True, "tax": "19.60", "facts": None}
    assert answer.json == expected
    assert atlas.get("/api/cities/2").json["facts"] == {"rivers": ["Rhône", "Saône"]}


def test_a_row_that_does_not_exist_is_404_and_a_bad_key_400(atlas: Asker) -> None:
    missing = atlas.get("/api/cities/99999")
    assert (missing.status, missing.json["code"]) == (404, "PL508")
    assert missing.headers["content-type"] == "application/problem+json"
    bad = atlas.get("/api/cities/paris")
    assert (bad.status, bad.json["code"]) == (404, "PL508")
    assert "paris" in bad.json["message"]
    assert atlas.patch("/api/cities/paris", {"population": 1}).status == 404
    assert atlas.get("/api/cities/1?population=gt.many").status == 400


def test_an_entity_tag_saves_the_body(atlas: Asker) -> None:
    tag = atlas.get("/api/cities/1").headers["etag"]
    assert tag.startswith('"')
    for wanted in (tag, f'"other", {tag}', "*", f"W/{tag}"):
        answer = atlas.get("/api/cities/1", if_none_match=wanted)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert atlas.get("/api/cities/1", if_none_match='"other"').status == 200
    listed = atlas.get("/api/cities?limit=2")
    assert atlas.get("/api/cities?limit=2", if_none_match=listed.headers["etag"]).status == 304


def test_filters_order_and_limit_pick_rows(atlas: Asker) -> None:
    answer = atlas.get("/api/cities?population=gte.500000&order=population.desc&select=name&limit=2")
    assert answer.json == [{"name": "Tōkyō"}, {"name": "Paris"}]
    assert answer.headers["content-range"] == "0-1/*"
    assert atlas.get("/api/cities?name=ilike.t%C5%8Dk*&select=id").json == [{"id": 3}]
    assert atlas.get("/api/cities?or=(name.eq.Paris,name.eq.Lyon)&select=name&order=name").json == [
        {"name": "Lyon"},
        {"name": "Paris"},
    ]
    assert atlas.get("/api/cities?capital=is.true&tax=not.is.null&select=tax").json == [{"tax": "19.60"}]
    assert atlas.get("/api/cities?tax=eq.19.6&select=id").json == [{"id": 1}]


def test_embeds_nest_in_both_directions(atlas: Asker) -> None:
    answer = atlas.get("/api/cities/1?select=name,country(code,cities(name))&country.cities.order=name")
    assert answer.json == {"name": "Paris", "country": {"code": "FR", "cities": [{"name": "Lyon"}, {"name": "Paris"}]}}
    answer = atlas.get("/api/countries?select=code,cities!inner(name,capital,tax)&cities.capital=is.true&order=code")
    assert answer.json[0] == {"code": "FR", "cities": [{"name": "Paris", "capital": True, "tax": "19.60"}]}
    assert [row["code"] for row in answer.json] == ["FR", "JP"]


def test_a_page_without_a_limit_is_bounded_and_links_to_the_next(atlas: Asker) -> None:
    seen: list[int] = []
    target = "/api/cities?select=id&order=population.desc,name"
    while True:
        answer = atlas.get(target)
        assert len(answer.json) <= 50
        seen += [row["id"] for row in answer.json]
        if "link" not in answer.headers:
            break
        target = answer.headers["link"].split(">")[0][1:]
    assert len(seen) == len(set(seen)) == 123


def test_a_count_is_given_when_asked_for(atlas: Asker) -> None:
    answer = atlas.get("/api/cities?limit=10&offset=20", prefer="count=exact")
    assert (answer.status, answer.headers["content-range"]) == (206, "20-29/123")
    assert answer.headers["preference-applied"] == "count=exact"
    whole = atlas.get("/api/cities?country=eq.1", prefer="count=exact")
    assert (whole.status, whole.headers["content-range"]) == (200, "0-1/2")
    none = atlas.get("/api/cities?country=eq.77", prefer="count=exact")
    assert (none.status, none.json, none.headers["content-range"]) == (200, [], "*/0")
    beyond = atlas.get("/api/cities?offset=500", prefer="count=exact")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "*/123")


def test_range_pages_as_postgrest_clients_do(atlas: Asker) -> None:
    answer = atlas.get("/api/cities?order=id", range="10-19", range_unit="items")
    assert (answer.status, len(answer.json), answer.headers["content-range"]) == (200, 10, "10-19/*")
    link = answer.headers["link"].split(">")[0][1:]
    after = atlas.get(link, range="10-19", range_unit="items")
    assert [row["id"] for row in after.json] == list(range(answer.json[-1]["id"] + 1, answer.json[-1]["id"] + 11))


def test_one_object_on_request(atlas: Asker) -> None:
    single = "application/vnd.pgrst.object+json"
    answer = atlas.get("/api/cities?name=eq.Paris", accept=single)
    assert (answer.status, answer.json["id"]) == (200, 1)
    several = atlas.get("/api/cities?limit=2", accept=single)
    assert (several.status, several.json["code"]) == (406, "PL309")


def test_csv_on_request(atlas: Asker) -> None:
    answer = atlas.get("/api/cities?id=lte.2&select=id,name,capital,tax,facts&order=id", accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.body.decode().split("\r\n")
    assert lines[:2] == ["id,name,capital,tax,facts", "1,Paris,true,19.60,"]
    assert lines[2].startswith('2,Lyon,false,,"{""rivers""')


def test_what_is_not_accepted_is_406(atlas: Asker) -> None:
    answer = atlas.get("/api/cities", accept="application/xml")
    assert (answer.status, answer.json["code"]) == (406, "PL202")


def test_an_unknown_preference_is_refused_only_under_strict_handling(atlas: Asker) -> None:
    assert atlas.get("/api/cities?limit=1", prefer="speed=high").status == 200
    answer = atlas.get("/api/cities?limit=1", prefer="handling=strict, speed=high")
    assert (answer.status, answer.json["code"]) == (400, "PL310")


def test_a_model_without_rules_is_closed(atlas: Asker) -> None:
    bad = atlas.post("/api/secrets", {"nonsense": 1})
    assert (bad.status, "errors" in bad.json) == (401, False)
    for answer in (
        atlas.get("/api/secrets"),
        atlas.get("/api/secrets/1"),
        atlas.post("/api/secrets", {"text": "x"}),
        atlas.delete("/api/secrets/1"),
    ):
        assert (answer.status, answer.json["code"]) == (401, "PL600")
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("/api/cities?nmae=eq.x", "PL301", "name"),
        ("/api/cities?name=equals.x", "PL302", "eq"),
        ("/api/cities?name=fts.x", "PL303", "ilike"),
        ("/api/cities?population=gt.many", "PL304", "many"),
        ("/api/cities?select=nation(*)", "PL305", "country"),
        ("/api/cities?after=bogus", "PL308", "cursor"),
        ("/api/cities?or=(name.eq.x", "PL300", "position"),
    ],
)
def test_a_query_that_cannot_be_understood_says_what_would_be_right(atlas: Asker, target: str, code: str, said: str) -> None:
    answer = atlas.get(target)
    assert answer.status == 400
    assert answer.json["code"] == code
    assert said in f"{answer.json['message']} {answer.json['hint']}"


def test_methods_that_are_not_offered_are_named(atlas: Asker) -> None:
    answer = atlas.ask("PUT", "/api/cities")
    assert answer.status == 405
    assert {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"} <= set(answer.headers["allow"].split(", "))
    assert atlas.ask("OPTIONS", "/api/cities/1").status == 204


def test_the_api_lists_its_collections(atlas: Asker) -> None:
    assert atlas.get("/api").json["collections"]["cities"] == "/api/cities"


def test_health_and_readiness(atlas: Asker) -> None:
    assert atlas.get("/healthz").json == {"status": "ok"}
    assert atlas.get("/readyz").json == {"status": "ready"}
