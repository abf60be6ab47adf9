"""Models as classes and instances: what a user's own code does with them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import pytest
from annotated_types import Ge

from pellucid.schema.model import Many, Model, Ref, field, make_uuid7, me, now, uuid7


class Maker(Model):
    name: str
    products: Many[Product]


class Product(Model):
    LIMIT: ClassVar[int] = 9
    name: str
    price: Annotated[Decimal, Ge(0)] = field(places=2)
    maker: Ref[Maker]
    tags: list[str] = []  # noqa: RUF012
    pin: str = field(default="0000", secret=True)
    note: str | None
    seller: Ref[Maker] | None = me
    made: datetime = now
    day: date = now
    double: Decimal = field(computed="price * 2")
    created: datetime = field(stamp="created")


class Ticket(Model):
    id: UUID = uuid7
    code: str


def product(**more: object) -> Product:
    return Product(**{"name": "Tea", "price": Decimal(2), "maker": 1, **more})  # type: ignore[arg-type]


def test_an_instance_holds_what_it_was_given_and_the_defaults() -> None:
    made = product()
    assert (made.name, made.price, made.maker, made.note, made.id, made.seller, made.created) == (
        "Tea",
        Decimal(2),
        1,
        None,
        None,
        None,
        None,
    )
    assert made.made.tzinfo is UTC
    assert type(made.day) is date


def test_a_default_list_is_each_instances_own() -> None:
    one, other = product(), product()
    one.tags.append("new")
    assert other.tags == []


def test_a_ref_takes_an_instance_and_keeps_its_key() -> None:
    maker = Maker(id=7, name="Twinings")
    made = product(maker=maker)
    assert made.maker == 7
    made.seller = maker
    assert made.seller == 7
    with pytest.raises(ValueError, match="this Maker has no id yet"):
        product(maker=Maker(name="new"))


def test_a_wrong_name_says_which_was_meant() -> None:
    with pytest.raises(TypeError, match="Product has no field 'nmae'; did you mean 'name'"):
        product(nmae="x")
    with pytest.raises(TypeError, match="Product needs name, maker"):
        Product(price=Decimal(1))  # type: ignore[call-arg]
    made = product()
    with pytest.raises(AttributeError, match="no field 'prise'; did you mean 'price'"):
        made.prise = 3  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="did you mean 'price'"):
        _ = made.prise  # type: ignore[attr-defined]


def test_a_relation_that_was_not_loaded_says_so() -> None:
    with pytest.raises(AttributeError, match=r"Maker\.products was not loaded; ask for it with select="):
        _ = Maker(id=1, name="x").products


def test_instances_compare_by_value_and_hide_secrets() -> None:
    assert Maker(id=1, name="x") == Maker(id=1, name="x") != Maker(id=2, name="x")
    assert "pin=***" in repr(product(pin="1234"))
    assert "1234" not in repr(product(pin="1234"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Maker(name="x"))


def test_fields_of_a_base_are_inherited() -> None:
    class Stamped(Model):
        created: datetime = field(stamp="created")

    class Named(Model):
        name: str

    class Post(Stamped, Named):
        text: str

    assert set(Post.__declared__.annotations) == {"created", "name", "text"}
    assert Post(name="a", text="b").text == "b"


def test_uuid7_sorts_by_time_and_has_version_and_variant() -> None:
    made = [make_uuid7() for _ in range(50)]
    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in made)
    milliseconds = made[0].int >> 80
    assert abs(milliseconds / 1000 - datetime.now(UTC).timestamp()) < 5
    assert Ticket(code="x").id != Ticket(code="x").id


def test_field_refuses_options_that_it_does_not_have() -> None:
    with pytest.raises(TypeError, match="no option 'uniqe'; did you mean 'unique'"):
        field(uniqe=True)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not both"):
        field(default=1, factory=int)  # type: ignore[call-overload]
