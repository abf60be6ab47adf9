"""What type checkers must know of models: read by mypy and basedpyright in test_typing.py, never run."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, assert_type
from uuid import UUID

from pellucid import Many, Model, Ref, anyone, field, me, now, role, uuid7


class User(Model):
    name: str


class Product(Model, read=anyone, write=role("staff"), unique=[("name", "maker")]):
    name: str
    price: Decimal = field(places=2)
    stock: int = 0
    cost: Decimal | None = field(default=None, read=role("staff"))
    maker: Ref[User]
    seller: Ref[User] | None = me
    made: datetime = now
    double: Decimal = field(computed="price * 2")
    created: datetime = field(stamp="created")
    lines: Many[Line] = field(via="product")


class Line(Model):
    product: Ref[Product]


class Ticket(Model):
    id: UUID = uuid7


user = User(name="Ann")
product = Product(name="Tea", price=Decimal(1), maker=user)
Product(name="Tea", price=Decimal(1), maker=3, seller=4, stock=1)
Ticket()
Ticket(id=UUID(int=1))

assert_type(product.name, str)
assert_type(product.cost, Decimal | None)
assert_type(product.lines, list[Line])
assert_type(product.double, Decimal)
assert_type(product.maker, Any)
assert_type(Ticket().id, UUID)

Product(name="Tea", price=Decimal(1))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Product(name=3, price=Decimal(1), maker=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Product(nmae="Tea", price=Decimal(1), maker=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
User(1, name="Ann")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Product(name="Tea", price=Decimal(1), maker=1, double=Decimal(2))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
_ = product.prise  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
