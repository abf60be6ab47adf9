"""Atlas: the countries and cities of the world, and the postcards that people send from them."""

from datetime import datetime
from math import asin, cos, degrees, radians, sin, sqrt
from typing import Annotated

import msgspec
from annotated_types import Ge, Gt, Le, Len

from pellucid import App, Call, Many, Model, Ref, anyone, field, now
from pellucid.errors import ROW_NOT_FOUND, Problem

EARTH = 6371.0  # mean radius in km


class Continent(Model, read=anyone):
    code: Annotated[str, Len(2, 2)] = field(unique=True)
    name: str
    countries: Many["Country"]


class Country(Model, read=anyone):
    code: Annotated[str, Len(2, 2)] = field(unique=True)  # ISO 3166-1 alpha-2
    iso3: Annotated[str, Len(3, 3)] = field(unique=True)
    name: str = field(unique=True)
    capital: str | None
    area: Annotated[int, Ge(0)]  # km²
    population: Annotated[int, Ge(0)]
    currency_code: Annotated[str, Len(3, 3)] | None
    currency_name: str | None
    phone: str | None
    continent: Ref[Continent]
    cities: Many["City"]


class City(Model, read=anyone):
    name: str = field(index=True)
    country: Ref[Country]
    latitude: Annotated[float, Ge(-90), Le(90)] = field(index=True)
    longitude: Annotated[float, Ge(-180), Le(180)]
    population: Annotated[int, Ge(0)] = field(index=True)
    timezone: str
    postcards: Many["Postcard"]


class Postcard(Model, read=anyone, create=anyone):
    city: Ref[City]
    author: Annotated[str, Len(1, 60)]
    text: Annotated[str, Len(1, 280)]
    written: datetime = now


app = App(models=[Continent, Country, City, Postcard], static="public")


class Neighbour(msgspec.Struct, frozen=True):
    id: int
    name: str
    population: int
    km: float


@app.get("/nearby/{city}")
async def nearby(call: Call, city: int, km: Annotated[float, Gt(0), Le(500)] = 50.0) -> list[Neighbour]:
    """The cities within `km` of this one, nearest first: of each search window the 200 largest."""
    here = await call.data.get(City, city)
    if here is None:
        raise Problem(ROW_NOT_FOUND, f"there is no city {city}")
    found: list[City] = []
    for south, north, west, east in windows(here, km):
        found += await call.data.find(
            City,
            id=f"neq.{here.id}",
            latitude=[f"gte.{south:.5f}", f"lte.{north:.5f}"],
            longitude=[f"gte.{west:.5f}", f"lte.{east:.5f}"],
            order="population.desc",
            limit=200,
        )
    away = sorted(((distance(here, place), place) for place in found), key=lambda pair: pair[0])
    return [Neighbour(place.id, place.name, place.population, round(far, 1)) for far, place in away if far <= km]


def windows(here: City, km: float) -> list[tuple[float, float, float, float]]:
    """What encloses the circle of `km` round a city, in degrees: two where it crosses the antimeridian."""
    tall = degrees(km / EARTH)
    ratio = sin(km / EARTH) / cos(radians(here.latitude))
    wide = degrees(asin(ratio)) if ratio < 1 else 180.0  # a circle round the pole meets every meridian
    turned = [here.longitude + turn for turn in (-360, 0, 360)]
    return [
        (here.latitude - tall, here.latitude + tall, longitude - wide, longitude + wide)
        for longitude in turned
        if longitude - wide <= 180 and longitude + wide >= -180
    ]


def distance(a: City, b: City) -> float:
    """The great-circle distance in km (haversine)."""
    north, east = radians(b.latitude - a.latitude) / 2, radians(b.longitude - a.longitude) / 2
    squared = sin(north) ** 2 + cos(radians(a.latitude)) * cos(radians(b.latitude)) * sin(east) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(squared)))
