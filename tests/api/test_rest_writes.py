"""What users of the REST API rely on when they change data."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from annotated_types import Ge, Len

from pellucid import App, Call, Many, Model, Problem, Ref, anyone, field, now, uuid7
from pellucid.errors import CHECK_VIOLATION
from running import Asker, asking


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Product(Model, read=anyone, write=anyone):
    name: Annotated[str, Len(1, 20)] = field(unique=True)
    price: Annotated[Decimal, Ge(0)] = field(default=Decimal("1.50"), places=2)
    stock: Annotated[int, Ge(0)] = 0
    size: Size = Size.SMALL
    details: dict[str, object] | None = None
    code: UUID = uuid7
    made: datetime = now
    created: datetime = field(stamp="created")
    updated: datetime = field(stamp="updated")
    lines: Many[Line]


class Line(Model, read=anyone, write=anyone):
    product: Ref[Product]
    quantity: Annotated[int, Ge(1)]


class Key(Model, read=anyone, write=anyone):
    word: str = field(key=True)
    value: int


def app() -> App:
    return App(models=[Product, Line, Key])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Asker]:
    with asking(app(), tmp_path) as asker:
        yield asker


def test_a_created_row_comes_back_with_its_place_and_defaults(shop: Asker) -> None:
    answer = shop.post("/api/products", {"name": "Tea"})
    assert (answer.status, answer.headers["location"]) == (201, "/api/products/1")
    row = answer.json
    assert (row["id"], row["price"], row["stock"], row["size"], row["details"]) == (1, "1.50", 0, "small", None)
    assert UUID(row["code"]).version == 7
    assert row["made"].endswith("Z")
    assert row["created"] <= row["updated"]
    assert shop.get("/api/products/1").json == row
    assert shop.get("/api/products/1").headers["etag"] == answer.headers["etag"]


def test_prefer_says_what_comes_back(shop: Asker) -> None:
    answer = shop.post("/api/products", {"name": "A"}, prefer="return=minimal")
    assert (answer.status, answer.body, answer.headers["location"]) == (201, b"", "/api/products/1")
    assert answer.headers["preference-applied"] == "return=minimal"
    answer = shop.post("/api/products?select=name", {"name": "B"}, prefer="return=representation")
    assert answer.json == {"name": "B"}
    answer = shop.patch("/api/products/1", {"stock": 2}, prefer="return=minimal")
    assert (answer.status, answer.body) == (204, b"")
    answer = shop.delete("/api/products/1?select=name,stock", prefer="return=representation")
    assert (answer.status, answer.json) == (200, {"name": "A", "stock": 2})


def test_all_that_is_wrong_is_said_at_once(shop: Asker) -> None:
    answer = shop.post("/api/products", {"nmae": "x", "price": "-1", "stock": -1, "size": "huge", "name": ""})
    assert (answer.status, answer.json["code"]) == (422, "PL401")
    found = {error["path"]: error["code"] for error in answer.json["errors"]}
    assert {"$.nmae", "$.stock", "$.size", "$.name"} <= set(found)
    assert any("'name'" in error["message"] for error in answer.json["errors"])
    price = shop.post("/api/products", {"name": "x", "price": "-1"})
    assert [error["path"] for error in price.json["errors"]] == ["$.price"]
    assert shop.post("/api/products", {"name": "x", "price": "1.005"}).json["errors"][0]["path"] == "$.price"


def test_a_body_that_is_no_json_is_400(shop: Asker) -> None:
    answer = shop.post("/api/products", b"{oops", content_type="application/json")
    assert (answer.status, answer.json["code"]) == (400, "PL400")
    answer = shop.post("/api/products", b"<x/>", content_type="application/xml")
    assert (answer.status, answer.json["code"]) == (415, "PL203")


def test_many_are_created_in_one_transaction_or_none(shop: Asker) -> None:
    answer = shop.post("/api/products", [{"name": "A"}, {"name": "B"}])
    assert (answer.status, [row["id"] for row in answer.json], answer.headers["content-range"]) == (201, [1, 2], "0-1/*")
    answer = shop.post("/api/products", [{"name": "C"}, {"name": "A"}])
    assert (answer.status, answer.json["code"]) == (409, "PL500")
    assert answer.json["errors"][0]["path"] == "$[1].name"
    answer = shop.post("/api/products", [{"name": "C"}, {"name": ""}, {"nme": 1}])
    assert {error["path"] for error in answer.json["errors"]} >= {"$[1].name", "$[2].nme"}
    assert [row["name"] for row in shop.get("/api/products?select=name&order=id").json] == ["A", "B"]


def test_csv_and_forms_are_taken_too(shop: Asker) -> None:
    table = b'name,price,size,details\r\nTea,2.5,large,"{""a"":1}"\r\nMilk,,,\r\n'
    answer = shop.post("/api/products?select=name,price,size,details", table, content_type="text/csv")
    assert answer.status == 201
    assert answer.json == [
        {"name": "Tea", "price": "2.50", "size": "large", "details": {"a": 1}},
        {"name": "Milk", "price": "1.50", "size": "small", "details": None},
    ]
    bad = shop.post("/api/products", b"name,stock\nX,many\n,1\n", content_type="text/csv")
    assert {error["path"] for error in bad.json["errors"]} == {"$[0].stock", "$[1].name"}
    form = shop.post("/api/products?select=name,stock", b"name=Jam&stock=7", content_type="application/x-www-form-urlencoded")
    assert (form.status, form.json) == (201, {"name": "Jam", "stock": 7})


def test_columns_picks_from_a_body_that_holds_more(shop: Asker) -> None:
    answer = shop.post("/api/products?columns=name,stock&select=name,stock", [{"name": "A", "stock": 1, "colour": "red"}])
    assert (answer.status, answer.json) == (201, [{"name": "A", "stock": 1}])
    answer = shop.post("/api/products?columns=name,stok", {"name": "B"})
    assert (answer.status, "stock" in answer.json["hint"]) == (400, True)


def test_an_upsert_merges_or_ignores_what_is_there(shop: Asker) -> None:
    shop.post("/api/products", {"name": "A", "stock": 1})
    answer = shop.post(
        "/api/products?on_conflict=name&select=id,name,stock",
        [{"name": "A", "stock": 5}, {"name": "B"}],
        prefer="resolution=merge-duplicates",
    )
    assert [(row["id"] == 1, row["stock"]) for row in answer.json] == [(True, 5), (False, 0)]
    answer = shop.post(
        "/api/products?on_conflict=name&select=name", [{"name": "A"}, {"name": "C"}], prefer="resolution=ignore-duplicates"
    )
    assert answer.json == [{"name": "C"}]
    assert shop.get("/api/products/1?select=stock").json == {"stock": 5}


def test_put_creates_then_replaces_whole(shop: Asker) -> None:
    made = shop.put("/api/products/7", {"name": "A", "stock": 3})
    assert (made.status, made.headers["location"], made.json["id"]) == (201, "/api/products/7", 7)
    again = shop.put("/api/products/7", {"name": "B"})
    assert (again.status, again.json["name"], again.json["stock"]) == (200, "B", 0)
    assert again.json["created"] == made.json["created"]
    assert shop.put("/api/keys/red", {"word": "blue", "value": 1}).status == 422
    made = shop.put("/api/keys/a%2Fb", {"value": 1})
    assert (made.status, made.headers.get("location")) == (201, "/api/keys/a%2Fb"), made
    assert shop.get("/api/keys/a%2Fb").json == {"word": "a/b", "value": 1}


def test_patch_changes_what_is_named(shop: Asker) -> None:
    row = shop.post("/api/products", {"name": "A", "details": {"a": {"x": 1, "y": 2}, "b": 1}}).json
    changed = shop.patch("/api/products/1", {"stock": 4}).json
    assert changed == {**row, "stock": 4, "updated": changed["updated"]}
    assert changed["updated"] > row["updated"]
    merged = shop.patch(
        "/api/products/1?select=details", {"details": {"a": {"y": None}, "c": 3}}, content_type="application/merge-patch+json"
    )
    assert merged.json == {"details": {"a": {"x": 1}, "b": 1, "c": 3}}
    replaced = shop.patch("/api/products/1?select=details", {"details": {"z": 1}})
    assert replaced.json == {"details": {"z": 1}}
    assert shop.patch("/api/products/9", {"stock": 4}).status == 404
    assert shop.patch("/api/products/1", {"created": "2020-01-01T00:00:00Z"}).status == 422
    assert shop.patch("/api/products/1", {}).json["stock"] == 4


def test_whole_collections_change_only_with_a_filter(shop: Asker) -> None:
    shop.post("/api/products", [{"name": name, "stock": at} for at, name in enumerate("ABC")])
    for answer in (shop.patch("/api/products", {"stock": 9}), shop.delete("/api/products")):
        assert (answer.status, answer.json["code"]) == (400, "PL307")
    answer = shop.patch("/api/products?stock=gte.1&select=name", {"stock": 9})
    assert (answer.status, answer.json, answer.headers["content-range"]) == (200, [{"name": "B"}, {"name": "C"}], "0-1/*")
    answer = shop.patch("/api/products?stock=gte.0", {"stock": 1}, prefer="max-affected=2")
    assert (answer.status, answer.json["code"]) == (400, "PL311")
    assert shop.get("/api/products?stock=eq.9&select=id").json == [{"id": 2}, {"id": 3}]
    answer = shop.delete("/api/products?stock=eq.9", prefer="count=exact")
    assert (answer.status, answer.headers["content-range"]) == (204, "0-1/2")


def test_a_dry_run_changes_nothing(shop: Asker) -> None:
    answer = shop.post("/api/products", {"name": "A"}, prefer="tx=rollback")
    assert (answer.status, answer.headers["preference-applied"]) == (201, "tx=rollback")
    assert shop.get("/api/products").json == []


def test_a_write_can_require_the_state_that_was_read(shop: Asker) -> None:
    tag = shop.post("/api/products", {"name": "A"}).headers["etag"]
    assert shop.patch("/api/products/1", {"stock": 1}, if_match='"old"').status == 412
    assert shop.put("/api/products/1", {"name": "A"}, if_match='"old"').status == 412
    assert shop.delete("/api/products/1", if_match='"old"').status == 412
    changed = shop.patch("/api/products/1", {"stock": 1}, if_match=tag)
    assert changed.status == 200
    assert shop.patch("/api/products/1", {"stock": 2}, if_match=tag).status == 412
    assert shop.put("/api/products/1", {"name": "B"}, if_none_match="*").status == 412
    assert shop.put("/api/products/2", {"name": "B"}, if_none_match="*").status == 201
    assert shop.delete("/api/products/1", if_match=changed.headers["etag"]).status == 204


def test_a_repeated_post_is_answered_and_not_done_again(shop: Asker) -> None:
    first = shop.post("/api/products", {"name": "A"}, idempotency_key="k1")
    again = shop.post("/api/products", {"name": "A"}, idempotency_key="k1")
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert again.headers["idempotency-replayed"] == "true"
    other = shop.post("/api/products", {"name": "B"}, idempotency_key="k1")
    assert (other.status, other.json["code"]) == (422, "PL208")
    assert len(shop.get("/api/products").json) == 1
    assert shop.post("/api/products", {"name": ""}, idempotency_key="k2").status == 422
    assert shop.post("/api/products", {"name": "C"}, idempotency_key="k2").status == 201


def test_references_are_kept(shop: Asker) -> None:
    answer = shop.post("/api/lines", {"product": 5, "quantity": 1})
    assert (answer.status, answer.json["code"], answer.json["errors"][0]["path"]) == (409, "PL501", "$.product")
    shop.post("/api/products", {"name": "A"})
    assert shop.post("/api/lines", {"product": 1, "quantity": 1}).status == 201
    answer = shop.delete("/api/products/1")
    assert (answer.status, answer.json["code"]) == (409, "PL501")


def test_what_was_written_comes_back_with_its_embeds(shop: Asker) -> None:
    shop.post("/api/products", {"name": "A"})
    answer = shop.post("/api/lines?select=quantity,product(name)", {"product": 1, "quantity": 2})
    assert answer.json == {"quantity": 2, "product": {"name": "A"}}
    answer = shop.patch("/api/products/1?select=name,lines(quantity)", {"stock": 1})
    assert answer.json == {"name": "A", "lines": [{"quantity": 2}]}
    answer = shop.delete("/api/lines/1?select=product(name)", prefer="return=representation")
    assert answer.json == {"product": {"name": "A"}}


def test_numbers_beyond_64_bits_are_refused_by_name(shop: Asker) -> None:
    answer = shop.post("/api/products", {"name": "A", "stock": 2**70})
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, "$.stock")


def test_hooks_run_in_the_transaction_of_the_write(tmp_path: Path) -> None:
    shop_app = app()
    seen: list[str] = []

    @shop_app.before(Line, "create")
    async def take_from_stock(line: Line, call: Call) -> None:
        product = await call.data.get(Product, line.product)
        assert product is not None
        if product.stock < line.quantity:
            raise Problem(CHECK_VIOLATION, f"only {product.stock} left")
        await call.data.update(Product, product.id, stock=product.stock - line.quantity)

    @shop_app.before(Product, "create", "update")
    async def tidy(product: Product, call: Call) -> None:
        product.name = product.name.strip()

    @shop_app.after(Line, "create", "delete")
    async def note(line: object, call: Call) -> None:
        seen.append(repr(line))

    with asking(shop_app, tmp_path) as shop:
        assert shop.post("/api/products", {"name": "  Tea ", "stock": 3}).json["name"] == "Tea"
        assert shop.patch("/api/products/1", {"name": " Tee"}).json["name"] == "Tee"
        assert shop.post("/api/lines", {"product": 1, "quantity": 2}).status == 201
        assert shop.get("/api/products/1?select=stock").json == {"stock": 1}
        answer = shop.post("/api/lines", [{"product": 1, "quantity": 1}, {"product": 1, "quantity": 1}])
        assert (answer.status, answer.json["message"]) == (422, "only 0 left")
        assert shop.get("/api/products/1?select=stock").json == {"stock": 1}
        assert shop.post("/api/lines", {"product": 1, "quantity": 1}, prefer="tx=rollback").status == 201
        assert shop.get("/api/products/1?select=stock").json == {"stock": 1}
        assert shop.delete("/api/lines/1").status == 204
        assert len(seen) == 3
