"""The data set, and the requests and right answers that follow from it.

In: nothing but a fixed seed. Out: 250 countries and 10,000 cities, the same on every machine; an SQLite file
and CSV files of them; for each row of the table the requests that load a peer and what each must answer. It
must never know a peer's URLs or answer format: those are `peers.py`.
"""

from __future__ import annotations

import csv
import random
import sqlite3
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

__all__ = [
    "City",
    "Country",
    "DataSet",
    "Expected",
    "Row",
    "Wanted",
    "data_set",
    "expected",
    "wanted",
    "write_csv",
    "write_sqlite",
]

SEED = 20_250_101
COUNTRIES = 250
CITIES = 10_000
PAGE = 20
PAGES = 50
"""How deep the list pages go: a deep OFFSET would measure SQLite stepping over rows, not the server."""
CONDITIONAL_KEYS = 200

_SYLLABLES = "al be cor da en fi gra hol is ja kal lo mar nor os pel qui ras sta tor um va wes".split()  # noqa: SIM905


class Row(Enum):
    """A measure under load: one row of the table. The value is its name on the command line."""

    ONE = "one"
    NOT_MODIFIED = "not-modified"
    LIST = "list"
    FILTER = "filter"
    EMBED = "embed"
    INSERT = "insert"

    @property
    def title(self) -> str:
        """The words that the table uses."""
        return _TITLES[self]


_TITLES = {
    Row.ONE: "one row by key",
    Row.NOT_MODIFIED: "the same with\nIf-None-Match",
    Row.LIST: "20 rows",
    Row.FILTER: "20 rows filtered,\nsorted on an index",
    Row.EMBED: "20 cities, each\nwith its country",
    Row.INSERT: "durable insert,\n32 writers",
}


@dataclass(frozen=True, slots=True)
class Country:
    """One of the 250."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class City:
    """One of the 10,000; no two have the same population, so that every order is total."""

    id: int
    name: str
    country_id: int
    latitude: float
    longitude: float
    population: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """Both tables, in the order of their ids, which start at 1."""

    countries: tuple[Country, ...]
    cities: tuple[City, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request, said without a URL: the key, page, country or visit that it asks about."""

    row: Row
    id: int = 0
    offset: int = 0
    visitor: str = ""
    rating: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """What every peer must answer for one row of a table: the parts that are compared."""

    name: str
    population: int
    country: str | None = None


@cache
def data_set() -> DataSet:
    """Make the data set from the seed."""
    source = random.Random(SEED)

    def name(syllables: int) -> str:
        return "".join(source.choice(_SYLLABLES) for _ in range(syllables)).capitalize()

    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    codes = source.sample([first + second for first in letters for second in letters], COUNTRIES)
    countries = tuple(Country(id, code, f"{name(3)} {id}") for id, code in enumerate(codes, 1))
    populations = source.sample(range(15_000, 30_000_000), CITIES)
    cities = tuple(
        City(
            id=id,
            name=f"{name(2)} {name(2)}",
            # Every country has 40 cities, so a page of 20 is always full.
            country_id=(id - 1) % COUNTRIES + 1,
            latitude=round(source.uniform(-60, 75), 4),
            longitude=round(source.uniform(-180, 180), 4),
            population=population,
        )
        for id, population in enumerate(populations, 1)
    )
    return DataSet(countries, cities)


def wanted(row: Row) -> list[Wanted]:
    """The requests of one row of the table, shuffled with the seed: several thousand, or all that differ."""
    source = random.Random(f"{SEED} {row.value}")
    match row:
        case Row.ONE:
            return [Wanted(row, id=id) for id in source.sample(range(1, CITIES + 1), 5000)]
        case Row.NOT_MODIFIED:
            return [Wanted(row, id=id) for id in source.sample(range(1, CITIES + 1), CONDITIONAL_KEYS)]
        case Row.LIST | Row.EMBED:
            offsets = [page * PAGE for page in range(PAGES)]
            source.shuffle(offsets)
            return [Wanted(row, offset=offset) for offset in offsets]
        case Row.FILTER:
            return [Wanted(row, id=id) for id in source.sample(range(1, COUNTRIES + 1), COUNTRIES)]
        case Row.INSERT:
            return [
                Wanted(row, id=source.randint(1, CITIES), visitor=f"visitor {n}", rating=source.randint(1, 5))
                for n in range(5000)
            ]


def expected(want: Wanted) -> list[Expected]:
    """The rows that answer a request, in order; none for an insert."""
    data = data_set()
    match want.row:
        case Row.ONE | Row.NOT_MODIFIED:
            found = [data.cities[want.id - 1]]
        case Row.LIST | Row.EMBED:
            found = list(data.cities[want.offset : want.offset + PAGE])
        case Row.FILTER:
            of_country = [city for city in data.cities if city.country_id == want.id]
            found = sorted(of_country, key=lambda city: -city.population)[:PAGE]
        case Row.INSERT:
            found = []
    return [
        Expected(
            city.name,
            city.population,
            data.countries[city.country_id - 1].name if want.row is Row.EMBED else None,
        )
        for city in found
    ]


def write_sqlite(file: Path) -> None:
    """Write the tables as the peers on plain SQL use them, in WAL mode, analysed, replacing the file."""
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file)
    connection.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE countries (id INTEGER PRIMARY KEY, code TEXT NOT NULL, name TEXT NOT NULL) STRICT;
        CREATE TABLE cities (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            country_id INTEGER NOT NULL REFERENCES countries (id),
            latitude REAL NOT NULL,
            longitude REAL NOT NULL,
            population INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX cities_population ON cities (population);
        CREATE INDEX cities_country_population ON cities (country_id, population);
        CREATE TABLE visits (
            id INTEGER PRIMARY KEY,
            city_id INTEGER NOT NULL REFERENCES cities (id),
            visitor TEXT NOT NULL,
            rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5)
        ) STRICT;
        """
    )
    fill(connection, country_column="country_id", key=int)
    connection.execute("ANALYZE")
    connection.commit()
    connection.close()


def fill(connection: sqlite3.Connection, *, country_column: str, key: type[int] | type[str]) -> None:
    """Insert both tables; keys are integers, or text of 15 digits where a peer's ids are text."""

    def as_key(id: int) -> int | str:
        return id if key is int else f"{id:015d}"

    data = data_set()
    connection.executemany(
        "INSERT INTO countries (id, code, name) VALUES (?, ?, ?)",
        [(as_key(country.id), country.code, country.name) for country in data.countries],
    )
    connection.executemany(
        f"INSERT INTO cities (id, name, {country_column}, latitude, longitude, population) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                as_key(city.id),
                city.name,
                as_key(city.country_id),
                city.latitude,
                city.longitude,
                city.population,
            )
            for city in data.cities
        ],
    )
    connection.commit()


def write_csv(folder: Path) -> tuple[Path, Path]:
    """Write countries.csv and cities.csv, whose column for the country is `country`."""
    data = data_set()
    folder.mkdir(parents=True, exist_ok=True)
    countries, cities = folder / "countries.csv", folder / "cities.csv"
    with countries.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "code", "name"])
        writer.writerows((country.id, country.code, country.name) for country in data.countries)
    with cities.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "country", "latitude", "longitude", "population"])
        writer.writerows(
            (city.id, city.name, city.country_id, city.latitude, city.longitude, city.population) for city in data.cities
        )
    return countries, cities
