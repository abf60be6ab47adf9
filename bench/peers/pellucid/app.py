"""The benchmark's models on Pellucid: countries, their cities, visits to write."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, Len
from pellucid import App, Model, Ref, anyone, field


class Country(Model, read=anyone):
    code: Annotated[str, Len(2, 2)]
    name: Annotated[str, Len(1, 80)]


class City(Model, read=anyone, index=[("country", "population")]):
    name: Annotated[str, Len(1, 80)]
    country: Ref[Country]
    latitude: float
    longitude: float
    population: int = field(index=True)


class Visit(Model, read=anyone, create=anyone):
    city: Ref[City]
    visitor: Annotated[str, Len(1, 80)]
    rating: Annotated[int, Ge(1), Le(5)]


app = App(models=[Country, City, Visit])
