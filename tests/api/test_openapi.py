"""The API's description: valid, complete, and true to the models."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, Len, Lt
from openapi_spec_validator import validate

from pellucid.api.openapi import openapi, openapi_document, possible
from pellucid.http.forms import UploadFile
from pellucid.http.messages import Response
from pellucid.schema.catalog import catalog
from pellucid.schema.model import Many, Model, Ref, field, me, now, uuid7
from pellucid.schema.rules import anyone, nobody, owner, role, signed_in
from pellucid.web.signature import EndpointSpec, read_signature
from pellucid.web.templates import Page


class Colour(enum.Enum):
    RED = "red"


class Size(msgspec.Struct):
    width: int


class User(Model):
    name: str


class Product(Model, read=anyone, write=role("staff")):
    """A thing for sale."""

    name: Annotated[str, Len(1, 120)]
    price: Annotated[Decimal, Ge(0)] = field(places=2, description="in euros")
    stock: Annotated[int, Ge(0), Lt(1000)] = 0
    share: Annotated[float, Ge(0)] | None
    colour: Colour = Colour.RED
    level: Literal[1, 2] | None = None
    size: Size | None
    tags: Annotated[list[str], Len(0, 9)] = []  # noqa: RUF012
    made: datetime = now
    day: date | None
    at: time | None
    lasts: timedelta | None
    token: UUID = uuid7
    photo: bytes | None
    pin: str = field(write_only=True, default="0000")
    secret: str = field(secret=True, default="")
    double: Decimal = field(computed="price * 2", places=2)
    created: datetime = field(stamp="created")
    maker: Ref[User] | None
    lines: Many[Line]


class Line(Model, read=owner("buyer") | role("staff"), create=signed_in):
    product: Ref[Product]
    buyer: Ref[User] = me


class Code(Model, read=anyone, create=anyone, update=anyone):
    code: Annotated[str, Len(2, 2)] = field(key=True)


CATALOG = catalog([User, Product, Line, Code])


class Call:
    pass


class Cart(msgspec.Struct):
    size: Size
    note: str = ""


@dataclass
class Receipt:
    total: Decimal


def checkout(call: Call, cart: Cart) -> Receipt:
    """Buy what is in the cart.

    It takes from the stock.
    """
    raise NotImplementedError


def nearby(city: int, km: Annotated[float, msgspec.Meta(gt=0, le=500)] = 50.0,
    kinds: list[str] = []) -> list[Product]: ...  # type: ignore[empty-body]  # noqa: B006


def upload(photo: UploadFile) -> None: ...


def page() -> Page: ...  # type: ignore[empty-body]


def text() -> str: ...  # type: ignore[empty-body]


async def stream() -> AsyncIterator[bytes]:
    yield b""


def raw(body: bytes) -> Response: ...  # type: ignore[empty-body]


def maybe(code: str) -> Product | None: ...


def endpoints() -> list[EndpointSpec]:
    asked = [
        (checkout, "POST", "/checkout"), (nearby, "GET", "/nearby/{city:int}"), (upload, "POST", "/upload"), (page,
            "GET", "/page"),
        (text, "GET", "/text"), (stream, "GET", "/stream"), (raw, "PUT", "/raw"), (maybe, "GET",
            "/maybe/{code:path}"), (text, "GET", "/text2"),
    ]  # fmt: skip
    return [read_signature(function, method, path, call_type=Call) for function, method, path in asked]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return msgspec.json.decode(openapi_document(CATALOG, endpoints(), title="Shop", version="2.0"))


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    validate(msgspec.json.decode(openapi_document(catalog([]))))
    assert document["info"]["title"] == "Shop"


def test_a_verb_is_described_where_its_rule_could_allow_it(document: dict[str, Any]) -> None:
    verbs = {path: sorted(key for key in item if key != "parameters") for path, item in document["paths"].items()}
    assert verbs["/api/products"] == ["delete", "get", "patch", "post"]
    assert verbs["/api/products/{id}"] == ["delete", "get", "patch", "put"]
    assert verbs["/api/lines"] == ["get", "post"]
    assert verbs["/api/codes/{code}"] == ["get", "patch", "put"]
    assert not any(path.startswith("/api/users") for path in verbs)
    assert [possible(rule) for rule in (anyone, nobody, nobody & anyone, nobody | role("x"), signed_in)] == [
        True,
        False,
        False,
        True,
        True,
    ]


def test_every_operation_has_its_own_id(document: dict[str, Any]) -> None:
    ids = [part["operationId"] for item in document["paths"].values() for key, part in item.items() if key != "parameters"]
    assert len(set(ids)) == len(ids)
    assert {"list_products", "get_product", "create_product", "checkout", "text", "text_2"} <= set(ids)


def test_a_row_shows_what_may_be_seen(document: dict[str, Any]) -> None:
    row = document["components"]["schemas"]["Product"]
    shown = row["properties"]
    assert row["description"] == "A thing for sale."
    assert "required" not in row, "select may leave anything out"
    assert "pin" not in shown
    assert "secret" not in shown
    assert shown["price"]["type"] == "string"
    assert shown["price"]["pattern"] == r"^-?\d+\.\d{2}$"
    assert shown["double"]["readOnly"] is True
    assert shown["lines"]["items"] == {"$ref": "#/components/schemas/Line"}
    assert {"$ref": "#/components/schemas/User"} in shown["maker"]["anyOf"]
    assert shown["level"]["enum"] == [1, 2, None]
    assert document["components"]["schemas"]["Size"]["properties"] == {"width": {"type": "integer"}}


def test_a_body_says_what_is_needed_and_what_is_filled_in(document: dict[str, Any]) -> None:
    create = document["components"]["schemas"]["ProductCreate"]
    assert create["required"] == ["name", "price"]
    assert create["additionalProperties"] is False
    takes = create["properties"]
    assert not {"double", "created"} & takes.keys()
    assert takes["name"] == {"type": "string", "minLength": 1, "maxLength": 120}
    assert (takes["stock"]["minimum"], takes["stock"]["exclusiveMaximum"], takes["stock"]["default"]) == (0, 1000, 0)
    assert "maximum" not in takes["stock"]
    assert takes["price"]["type"] == ["string", "number"]
    assert takes["price"]["description"] == "in euros; must be at least 0"
    assert (takes["colour"]["default"], takes["tags"]["default"], takes["tags"]["maxItems"]) == ("red", [], 9)
    assert takes["pin"]["writeOnly"] is True
    assert takes["made"]["description"] == "now, where it is left out"
    update = document["components"]["schemas"]["ProductUpdate"]
    assert "required" not in update
    assert not any("default" in schema for schema in update["properties"].values())


def test_each_visible_field_can_be_filtered_by(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/products"]["get"]["parameters"]
    filters = {each["name"]: each for each in parameters if "$ref" not in each}
    assert filters.keys() == document["components"]["schemas"]["Product"]["properties"].keys() - {"lines"}
    import re

    for each in filters.values():
        assert all(re.search(each["schema"]["items"]["pattern"], example) for example in each["example"])
    shared = {each["$ref"].rpartition("/")[2] for each in parameters if "$ref" in each}
    assert shared == {"and", "or", "select", "order", "limit", "offset", "after", "prefer", "range", "if_none_match"}


def test_answers_and_problems_are_named(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert paths["/api/products"]["get"]["responses"].keys() >= {"200", "206", "304", "400", "416", "503", "default"}
    assert paths["/api/products"]["post"]["responses"].keys() >= {"201", "401", "403", "409", "413", "415", "422"}
    assert paths["/api/products/{id}"]["patch"]["responses"].keys() >= {"200", "204", "404", "412"}
    assert "401" not in paths["/api/codes"]["post"]["responses"]
    assert "text/csv" in paths["/api/products"]["get"]["responses"]["200"]["content"]
    assert "text/csv" in paths["/api/products"]["post"]["requestBody"]["content"]
    assert "application/merge-patch+json" in paths["/api/products/{id}"]["patch"]["requestBody"]["content"]
    assert paths["/api/codes/{code}"]["parameters"][0]["schema"]["maxLength"] == 2
    problem = paths["/api/products"]["get"]["responses"]["400"]["content"]["application/problem+json"]
    assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_users_endpoints_are_described_from_their_signatures(document: dict[str, Any]) -> None:
    paths, schemas = document["paths"], document["components"]["schemas"]
    post = paths["/checkout"]["post"]
    assert (post["summary"], post["description"]) == ("Buy what is in the cart.", "It takes from the stock.")
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Cart"}
    assert post["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Receipt"}
    assert schemas["Cart"]["properties"]["size"] == {"$ref": "#/components/schemas/Size"} or "Size_2" in schemas
    near = paths["/nearby/{city}"]["get"]
    by_name = {each["name"]: each for each in near["parameters"]}
    assert by_name["city"]["in"] == "path"
    assert by_name["km"]["schema"]["maximum"] == 500
    assert by_name["km"]["schema"]["default"] == 50.0
    assert by_name["kinds"]["schema"]["type"] == "array"
    assert near["responses"]["200"]["content"]["application/json"]["schema"]["items"] == {"$ref": "#/components/schemas/Product"}
    assert "multipart/form-data" in paths["/upload"]["post"]["requestBody"]["content"]
    assert "204" in paths["/upload"]["post"]["responses"]
    assert "text/html" in paths["/page"]["get"]["responses"]["200"]["content"]
    assert "text/plain" in paths["/text"]["get"]["responses"]["200"]["content"]
    assert paths["/raw"]["put"]["requestBody"]["content"] == {"application/octet-stream": {}}
    assert paths["/maybe/{code}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"][0] == {
        "$ref": "#/components/schemas/Product"
    }


def test_a_class_named_as_a_model_keeps_out_of_its_way() -> None:
    def endpoint(body: clash) -> None: ...  # type: ignore[valid-type]

    clash = msgspec.defstruct("Product", [("other", int)])
    endpoint.__annotations__ = {"body": clash, "return": None}
    made: Any = openapi(CATALOG, [read_signature(endpoint, "POST", "/clash", call_type=Call)])
    body = made["paths"]["/clash"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Product_2"}
    assert made["components"]["schemas"]["Product_2"]["properties"] == {"other": {"type": "integer"}}
    assert "name" in made["components"]["schemas"]["Product"]["properties"]
