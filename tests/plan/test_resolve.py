"""Names to fields and relations: what is found, and how what is not found is refused."""

from __future__ import annotations

import pytest

from pellucid.api.filters import parse
from pellucid.errors import Problem
from pellucid.plan.plan import ReadPlan, Use
from pellucid.plan.resolve import resolve
from pellucid.schema.catalog import catalog
from pellucid.schema.model import Many, Model, Ref, field
from pellucid.schema.rules import NOBODY, Actor, anyone, owner, role


class Person(Model, read=anyone):
    name: str
    nick: str | None
    secret: str | None = field(default=None, read=role("staff"))
    bought: Many[Order] = field(via="buyer")


class Order(Model, read=anyone):
    buyer: Ref[Person]
    seller: Ref[Person]
    note: str | None
    active: bool
    lines: Many[Line]


class Line(Model, read=owner("boss") | role("staff")):
    order: Ref[Order]
    boss: Ref[Person]
    amount: int


MODELS = catalog([Person, Order, Line])
BOSS, STAFF = Actor(1), Actor(2, frozenset({"staff"}))


def plan_of(model: str, query_string: str, actor: Actor = NOBODY) -> ReadPlan:
    return resolve(MODELS, model, parse(model, query_string).shape, actor)


@pytest.mark.parametrize(
    ("model", "query_string", "code", "message", "hint"),
    [
        ("Order", "nott=eq.1", "PL301", "Order has no field 'nott'", "'note'"),
        ("Order", "select=nott", "PL301", "no field 'nott'", "'note'"),
        ("Order", "order=nott", "PL301", "no field 'nott'", "'note'"),
        ("Order", "select=lines(amonut)", "PL301", "Line has no field 'lines.amonut'", "'amount'"),
        ("Order", "select=line(*)", "PL305", "Order has no relation 'line'", "'lines'"),
        ("Order", "select=sum(id)", "PL303", "the aggregate 'sum()' is not offered", "count=exact"),
        ("Order", "select=note(*)", "PL305", "no relation 'note'", "plain field"),
        ("Order", "select=people(*)", "PL300", "could be 2 relations", "'people!buyer' or 'people!seller'"),
        ("Order", "select=people!shop(*)", "PL305", "with the hint 'shop'", None),
        ("Order", "select=note,x:note,note:id", "PL300", "two columns are called 'note'", "other:note"),
        ("Order", "select=id,...buyer(id)", "PL300", "two columns are called 'id'", None),
        ("Order", "select=...lines(amount)", "PL300", "leads to many", "lines("),
        ("Order", "order=lines(amount)", "PL300", "many rows", None),
        ("Order", "select=note->a", "PL300", "no '->' inside", None),
        ("Order", "select=note::json", "PL300", "cannot be cast to 'json'", "text, int, float"),
        ("Order", "select=note::int", "PL300", "cannot be cast", None),
        ("Order", "active=like.a*", "PL304", "compares text", "eq"),
        ("Order", "note=is.true", "PL304", "for booleans", "is.null"),
    ],
)
def test_what_does_not_fit_the_models_is_named_with_what_would(
    model: str, query_string: str, code: str, message: str, hint: str | None
) -> None:
    with pytest.raises(Problem) as raised:
        plan_of(model, query_string, STAFF)
    assert raised.value.code.id == code
    assert message in raised.value.message
    if hint is not None:
        assert hint in (raised.value.hint or "")


def test_a_relation_is_found_by_its_name_its_model_or_its_collection() -> None:
    for query_string in ("select=lines(*)", "select=Line(*)", "select=lines!order(*)"):
        assert plan_of("Order", query_string, STAFF).level.branches[0].relation.name == "lines"
    assert plan_of("Order", "select=people!seller(*)").level.branches[0].relation.local == "seller"
    assert plan_of("Order", "select=by:people!buyer(*)").level.branches[0].name == "by"


def test_an_order_is_total_and_ends_with_the_key_in_the_last_direction() -> None:
    assert [(key.column.field.name, key.descending) for key in plan_of("Order", "order=note.desc").level.order] == [
        ("note", True),
        ("id", True),
    ]
    assert [key.column.field.name for key in plan_of("Order", "order=id.desc,note").level.order] == ["id"]
    assert [key.column.field.name for key in plan_of("Order", "").level.order] == ["id"]
    nulls = [key.nulls_first for key in plan_of("Order", "order=note,buyer.desc,seller.nullsfirst").level.order]
    assert nulls[:3] == [False, True, True]


def test_slots_are_typed_by_what_they_are_compared_with() -> None:
    plan = plan_of("Order", "id=gt.1&note=like.a*&note=ilike.b&limit=5&offset=6")
    assert [slot.use for slot in plan.slots] == [Use.VALUE, Use.PATTERN, Use.IPATTERN, Use.LIMIT, Use.OFFSET]
    assert plan.slots[0].field is not None
    assert plan.slots[0].field.name == "id"


def test_rules_are_reduced_to_what_only_a_row_can_say() -> None:
    assert plan_of("Line", "", STAFF).level.rule is None
    assert plan_of("Line", "", BOSS).level.rule == owner("boss")
    assert plan_of("Order", "select=lines(*)", BOSS).level.branches[0].level.rule == owner("boss")
    assert plan_of("Line", "", BOSS) == plan_of("Line", "", Actor(7))


@pytest.mark.parametrize("query_string", ["select=lines(*)", "select=id,lines!inner()", "lines=is.null", "select=id,l:lines(id)"])
def test_an_embed_that_may_not_be_read_is_refused_by_name(query_string: str) -> None:
    with pytest.raises(Problem, match="l") as raised:
        plan_of("Order", query_string)
    assert raised.value.code.slug == "sign-in-required"


def test_near_names_never_tell_of_fields_that_may_not_be_read() -> None:
    with pytest.raises(Problem) as raised:
        plan_of("Person", "secre=eq.1")
    assert "secret" not in (raised.value.hint or "")
    with pytest.raises(Problem) as raised:
        plan_of("Person", "secre=eq.1", STAFF)
    assert "secret" in (raised.value.hint or "")
