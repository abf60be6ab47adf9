"""FastAPI on SQLAlchemy's async ORM and aiosqlite, as its documentation builds it.

In: DATABASE from the environment. Out: the benchmark's five endpoints as JSON, models validated both ways.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['DATABASE']}")
new_session = async_sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine.sync_engine, "connect")
def set_pragmas(connection, record) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "countries"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]


class City(Base):
    __tablename__ = "cities"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_id: Mapped[int] = mapped_column(ForeignKey("countries.id"))
    latitude: Mapped[float]
    longitude: Mapped[float]
    population: Mapped[int]
    country: Mapped[Country] = relationship()


class Visit(Base):
    __tablename__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("cities.id"))
    visitor: Mapped[str]
    rating: Mapped[int]


class CountryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    code: str
    name: str


class CityOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    country_id: int
    latitude: float
    longitude: float
    population: int


class CityWithCountry(CityOut):
    country: CountryOut


class NewVisit(BaseModel):
    city: int
    visitor: Annotated[str, Field(min_length=1, max_length=80)]
    rating: Annotated[int, Field(ge=1, le=5)]


class VisitOut(NewVisit):
    id: int


async def session() -> AsyncIterator[AsyncSession]:
    async with new_session() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]
Limit = Annotated[int, Field(ge=0, le=100)]
Offset = Annotated[int, Field(ge=0)]

app = FastAPI()


@app.get("/cities/{city_id}")
async def one_city(city_id: int, session: Session) -> CityOut:
    city = await session.get(City, city_id)
    if city is None:
        raise HTTPException(404, "no such city")
    return city


@app.get("/cities")
async def some_cities(session: Session, limit: Limit = 20, offset: Offset = 0, country: int | None = None) -> list[CityOut]:
    query = select(City).limit(limit).offset(offset)
    if country is None:
        query = query.order_by(City.id)
    else:
        query = query.where(City.country_id == country).order_by(City.population.desc())
    return (await session.scalars(query)).all()


@app.get("/cities-with-country")
async def some_cities_with_country(session: Session, limit: Limit = 20, offset: Offset = 0) -> list[CityWithCountry]:
    query = select(City).options(joinedload(City.country)).order_by(City.id).limit(limit).offset(offset)
    return (await session.scalars(query)).all()


@app.post("/visits", status_code=201)
async def create_visit(new: NewVisit, session: Session) -> VisitOut:
    visit = Visit(city_id=new.city, visitor=new.visitor, rating=new.rating)
    session.add(visit)
    await session.commit()
    return VisitOut(id=visit.id, city=visit.city_id, visitor=visit.visitor, rating=visit.rating)
