"""A bulk load takes everything or nothing, checks rows as the API does, and names the bad ones by file and line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge, Len

from pellucid.cli.bulk import LoadFailed, load_script, plan_sources
from pellucid.db.database import Row
from pellucid.db.sqlite import SQLite
from pellucid.schema.catalog import catalog
from pellucid.schema.model import Model, Ref, field
from pellucid.sql.migrate import update


class Country(Model):
    code: Annotated[str, Len(2, 2)] = field(unique=True)
    name: str


class City(Model):
    name: str
    country: Ref[Country]
    population: Annotated[int, Ge(0)] = 0
    founded: date | None
    price: Decimal = Decimal("1.50")
    twin: Ref[City] | None


CATALOG = catalog([Country, City])
COUNTRIES = "code,name\nFR,France\nDE,Germany\n"


class Files:
    """A folder with a database that fits the models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "data.db"
        update(CATALOG, self.database)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, *paths: Path, upsert: bool = False, model: str | None = None) -> dict[str, int]:
        async def run() -> dict[Path, int]:
            database = await SQLite.open(self.database)
            try:
                return await database.write(load_script(CATALOG, plan_sources(CATALOG, paths, model), upsert=upsert))
            finally:
                await database.close()

        return {path.name: count for path, count in asyncio.run(run()).items()}

    def bad(self, *paths: Path, upsert: bool = False, model: str | None = None) -> list[str]:
        with pytest.raises(LoadFailed) as caught:
            self.load(*paths, upsert=upsert, model=model)
        assert self.rows("SELECT count(*) FROM cities") == [(0,)]
        return [str(row).removeprefix(f"{self.folder}/") for row in caught.value.rows]

    def rows(self, sql: str) -> list[Row]:
        async def run() -> Sequence[Row]:
            database = await SQLite.open(self.database)
            try:
                rows = database.read(sql)
                return rows if isinstance(rows, list) else await rows
            finally:
                await database.close()

        return list(asyncio.run(run()))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_files_are_loaded_in_the_order_in_which_their_models_need_each_other(files: Files) -> None:
    cities = files.write("cities.csv", "name,country.code,population\nParis,FR,2100000\nBonn,DE,\n")
    countries = files.write("countries.csv", COUNTRIES)
    assert files.load(cities, countries) == {"countries.csv": 2, "cities.csv": 2}
    found = files.rows(
        "SELECT c.name, o.code, population, price FROM cities c JOIN countries o ON o.id = c.country ORDER BY c.id"
    )
    assert [tuple(row[:3]) for row in found] == [("Paris", "FR", 2_100_000), ("Bonn", "DE", 0)]


def test_json_lines_are_loaded_too(files: Files) -> None:
    countries = files.write("countries.csv", COUNTRIES)
    cities = files.write(
        "cities.ndjson",
        '{"name": "Paris", "country.code": "FR", "founded": "0250-01-01", "price": "2.25"}\n\n{"name": "Bonn", "country": 2}\n',
    )
    assert files.load(countries, cities) == {"countries.csv": 2, "cities.ndjson": 2}
    assert files.rows("SELECT name, country, founded FROM cities") == [("Paris", 1, "0250-01-01"), ("Bonn", 2, None)]


def test_tabs_quotes_line_ends_and_a_byte_order_mark_are_understood(files: Files) -> None:
    countries = files.write("countries.tsv", '\ufeffcode\tname\r\nFR\t"La ""France""\nd\'outre-mer"\r\n')
    files.load(countries)
    assert files.rows("SELECT name FROM countries") == [('La "France"\nd\'outre-mer',)]


def test_a_row_may_refer_to_one_before_it_in_the_same_file(files: Files) -> None:
    countries = files.write("countries.csv", COUNTRIES)
    cities = files.write("cities.csv", "id,name,country.code,twin.id\n7,Paris,FR,\n8,Bonn,DE,7\n")
    files.load(countries, cities)
    assert files.rows("SELECT name, twin FROM cities") == [("Paris", None), ("Bonn", 7)]


def test_every_bad_row_is_named_and_nothing_is_kept(files: Files) -> None:
    countries = files.write("countries.csv", COUNTRIES)
    cities = files.write(
        "cities.csv",
        'name,country.code,population,founded\nParis,FR,-1,\n"two\nlines",FR,1,\n,XX,1,\nBonn,DE,many,yesterday\nA,FR\nGood,FR,1,\n',
    )
    bad = files.bad(countries, cities)
    assert [line.split(": ")[0] for line in bad] == ["cities.csv:2", "cities.csv:5", "cities.csv:6", "cities.csv:7"]
    assert bad[0] == "cities.csv:2: population: must be at least 0"
    assert bad[1] == "cities.csv:5: country.code: there is no Country with code 'XX'"
    assert "population" in bad[2]
    assert "founded" in bad[2]
    assert bad[3] == "cities.csv:7: the row has 2 cells, the header 4"
    assert files.rows("SELECT count(*) FROM countries") == [(0,)]


def test_the_row_that_the_database_refuses_is_found_in_its_batch(files: Files) -> None:
    rows = [f"{a}{b},x" for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    rows[600] = "AB,again"
    (bad,) = files.bad(files.write("countries.csv", "code,name\n" + "\n".join(rows) + "\n"))
    assert bad.startswith("countries.csv:602: ")
    assert "code" in bad


def test_reading_stops_after_twenty_bad_rows(files: Files) -> None:
    countries = files.write("countries.csv", "code,name\n" + "toolong,x\n" * 100)
    with pytest.raises(LoadFailed) as caught:
        files.load(countries)
    assert len(caught.value.rows) == 20
    assert caught.value.more


def test_an_upsert_changes_the_named_fields_of_rows_that_are_there(files: Files) -> None:
    files.load(files.write("countries.csv", COUNTRIES))
    files.load(files.write("cities.csv", "id,name,country,population\n1,Paris,1,5\n"))
    files.load(files.write("cities.csv", "id,name,country\n1,Paname,1\n2,Bonn,2\n"), upsert=True)
    assert files.rows("SELECT id, name, population FROM cities") == [(1, "Paname", 5), (2, "Bonn", 0)]
    files.load(files.write("more.jsonl", '{"code": "FR", "name": "Frankreich"}'), upsert=True, model="Country")
    assert files.rows("SELECT id, name FROM countries ORDER BY id") == [(1, "Frankreich"), (2, "Germany")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cities.csv", "", "cities.csv:1: the file is empty"),
        ("cities.csv", "name,countri\n", "cities.csv:1: countri: City has no field 'countri'; did you mean 'country'?"),
        ("cities.csv", "name,country.cod\n", "'country.cod': 'cod' is no unique field of Country (did you mean 'code'?)"),
        ("cities.csv", "name,countri.code\n", "'countri.code': City has no reference 'countri' (did you mean 'country'?)"),
        ("cities.csv", "name,name,country\n", "cities.csv:1: columns are named twice: name"),
        ("cities.csv", 'name,country\n"a\n', "cities.csv:2: this is not CSV"),
        ("cities.csv", b"name,country\nM\xfcnchen,1\n", "cities.csv:2: this is not UTF-8 (near 'M\xfcnchen,1\\n')"),
        ("cities.csv", "name,country\nParis,77\n", "cities.csv:2: "),
        ("cities.jsonl", '{"name": 1}\n{"name": "x"\n', "cities.jsonl:2: "),
        ("cities.jsonl", '[1]\n', "cities.jsonl:1: "),
        ("cities.jsonl", '{"name": "x", "country.code": "QQ"}', "cities.jsonl:1: country.code: there is no Country"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_what_is_wrong(files: Files, name: str, text: str | bytes, message: str) -> None:
    assert any(message in line for line in files.bad(files.write(name, text)))


def test_an_upsert_needs_something_that_tells_rows_apart(files: Files) -> None:
    (bad,) = files.bad(files.write("cities.csv", "name,country\na,1\n"), upsert=True)
    assert bad == "cities.csv:1: --upsert needs a column that tells rows apart: id"


def test_a_file_whose_model_cannot_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no model 'citys' \(did you mean 'cities'\?\)"):
        plan_sources(CATALOG, [tmp_path / "citys.csv"])
    with pytest.raises(ValueError, match="it must end in"):
        plan_sources(CATALOG, [tmp_path / "cities.xlsx"])
