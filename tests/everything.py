"""A backend that uses everything there is: a field of every kind, constraints, several kinds of keys, relations, endpoints."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from annotated_types import Ge, Gt, Le, Len, MultipleOf

from pellucid import App, Call, Many, Model, Problem, Ref, anyone, field, now, uuid7
from pellucid.errors import ROW_NOT_FOUND


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Size(msgspec.Struct):
    width: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    note: str | None = None


class Group(Model, read=anyone, write=anyone):
    """Has things, and a key of its own choosing."""

    name: str = field(key=True)
    things: Many[Thing]


class Thing(Model, read=anyone, write=anyone):
    """A field of every kind, each of them may be absent."""

    group: Ref[Group] | None = field(default=None, on_delete="cascade")
    whole: int | None = None
    real: float | None = None
    text: str | None = None
    yes: bool | None = None
    money: Decimal | None = field(default=None, places=2)
    exact: Decimal | None = field(default=None, places=0)
    moment: datetime | None = None
    day: date | None = None
    clock: time | None = None
    lasts: timedelta | None = None
    token: UUID | None = None
    blob: bytes | None = None
    colour: Colour | None = None
    level: Literal[1, 2, 3] | None = None
    facts: dict[str, Any] | None = None
    items: list[Any] | None = None
    size: Size | None = None
    tags: list[str] | None = None


class Strict(Model, read=anyone, write=anyone, unique=[("shelf", "place")]):
    """Constraints of every kind."""

    name: Annotated[str, Len(1, 12)] = field(unique=True)
    code: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")] = "a"
    stock: Annotated[int, Ge(0), Le(100)] = 0
    even: Annotated[int, MultipleOf(2)] = 0
    share: Annotated[float, Gt(0), Le(1)] = 0.5
    price: Annotated[Decimal, Ge(0)] = field(default=Decimal("1.00"), places=2)
    shelf: int = 0
    place: int | None = None
    colour: Colour = Colour.RED
    tags: Annotated[list[str], Len(0, 3)] = []  # noqa: RUF012
    made: datetime = now
    updated: datetime = field(stamp="updated")
    pin: str = field(default="0000", write_only=True)
    twice: int = field(computed="stock * 2")


class Token(Model, read=anyone, write=anyone):
    """A key that the server makes."""

    id: UUID = field(key=True, default=uuid7)
    note: str = ""


class Cart(msgspec.Struct):
    products: Annotated[list[int], msgspec.Meta(min_length=1, max_length=5)]
    note: Annotated[str, msgspec.Meta(max_length=10)] = ""


class Receipt(msgspec.Struct):
    count: int
    note: str


MODELS: list[type[Model]] = [Group, Thing, Strict, Token]


def make() -> App:
    """The App, made afresh."""
    app = App(models=MODELS, title="Everything")

    @app.post("/checkout", status=201)
    async def checkout(call: Call, cart: Cart) -> Receipt:
        return Receipt(len(cart.products), cart.note)

    @app.get("/add/{first}")
    async def add(first: int, second: Annotated[int, Ge(0)] = 1, words: list[str] = []) -> dict[str, int]:  # noqa: B006
        return {"sum": first + second, "words": len(words)}

    @app.get("/named/{name}")
    def named(name: str, loud: bool = False) -> str:
        return name.upper() if loud else name

    @app.get("/thing/{id}")
    async def thing(call: Call, id: int) -> Thing:
        found = await call.data.get(Thing, id)
        if found is None:
            raise Problem(ROW_NOT_FOUND, f"there is no thing {id}")
        return found

    @app.delete("/nothing")
    async def nothing() -> None: ...

    return app
