"""Models checked together: what a user gets told, and what the other stations get."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MinLen, MultipleOf, Predicate

from pellucid.schema.catalog import catalog
from pellucid.schema.mistakes import ModelError
from pellucid.schema.model import FieldInfo, Many, Model, Ref, field, me, now, uuid7
from pellucid.schema.rules import anyone, nobody, owner, role, signed_in
from pellucid.schema.spec import Cascade, Default, Kind, RelationKind

Email = NewType("Email", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(msgspec.Struct):
    width: int


@dataclass
class Place:
    street: str


class User(Model):
    name: str


class Everything(Model):
    """One field of every kind."""

    a_int: int
    a_float: float
    a_str: Annotated[str, Len(1, 120), msgspec.Meta(pattern="^x")]
    a_bool: bool = True
    a_decimal: Annotated[Decimal, Ge(0), Lt(100)] = field(places=2)
    a_datetime: datetime = now
    a_date: date | None
    a_time: time
    a_duration: timedelta
    a_uuid: UUID = uuid7
    a_bytes: bytes
    a_enum: Colour = Colour.RED
    a_level: Level
    a_literal: Literal["x", "y"] | None = None
    a_dict: dict[str, int] = {}  # noqa: RUF012
    a_list: list[str] = field(factory=list)
    a_struct: Size | None
    a_dataclass: Place
    a_newtype: Email
    a_interval: Annotated[int, Interval(ge=1, le=9), MultipleOf(2)]
    a_predicate: Annotated[str, Predicate(str.isupper)]
    owner: Ref[User] | None = field(default=me, on_delete="set null")


def kinds(model: type[Model], *others: type[Model]) -> dict[str, Kind]:
    return {spec.name: spec.kind for spec in catalog([model, *others]).models[model.__name__].fields}


def test_every_annotation_has_its_kind() -> None:
    assert kinds(Everything, User) == {
        "id": Kind.INT, "a_int": Kind.INT, "a_float": Kind.FLOAT, "a_str": Kind.STR, "a_bool": Kind.BOOL,
            "a_decimal": Kind.DECIMAL,
        "a_datetime": Kind.DATETIME, "a_date": Kind.DATE, "a_time": Kind.TIME, "a_duration": Kind.DURATION, "a_uuid": Kind.UUID,
        "a_bytes": Kind.BYTES, "a_enum": Kind.ENUM, "a_level": Kind.ENUM, "a_literal": Kind.ENUM, "a_dict": Kind.JSON,
        "a_list": Kind.JSON, "a_struct": Kind.JSON, "a_dataclass": Kind.JSON, "a_newtype": Kind.STR, "a_interval": Kind.INT,
        "a_predicate": Kind.STR, "owner": Kind.INT,
    }  # fmt: skip


def test_a_field_says_what_its_annotation_and_field_say() -> None:
    model = catalog([User, Everything]).models["Everything"]
    decimal, date_, owner_ = model.field("a_decimal"), model.field("a_date"), model.field("owner")
    assert decimal is not None
    assert date_ is not None
    assert owner_ is not None
    assert [(check.name, check.bound) for check in decimal.checks] == [("ge", Decimal(0)), ("lt", Decimal(100))]
    assert decimal.places == 2
    assert decimal.default is Default.REQUIRED
    assert (date_.nullable, date_.default, date_.default_value) == (True, Default.VALUE, None)
    assert (owner_.ref, owner_.default, owner_.on_delete, owner_.nullable) == ("User", Default.ME, Cascade.SET_NULL, True)
    assert model.description == "One field of every kind."
    assert model.key.name == "id"
    assert model.key.default is Default.KEY
    text, predicate = model.field("a_str"), model.field("a_predicate")
    assert text is not None
    assert predicate is not None
    assert [check.name for check in text.checks] == ["min_length", "max_length", "pattern"]
    assert text.checks[0].message == "must have at least 1 character"
    assert predicate.checks[0].message == "must satisfy: isupper"


def test_unsaid_rules_are_nobody_and_write_is_three_verbs() -> None:
    class Open(Model, read=anyone, write=role("staff"), delete=nobody):
        name: str

    class Closed(Model):
        name: str

    models = catalog([Open, Closed]).models
    assert models["Open"].rules == type(models["Open"].rules)(anyone, role("staff"), role("staff"), nobody)
    assert models["Closed"].rules == type(models["Open"].rules)(nobody, nobody, nobody, nobody)


def test_keys_may_be_text_or_uuids_and_refs_follow_them() -> None:
    class Country(Model):
        code: Annotated[str, Len(2, 2)] = field(key=True)

    class City(Model):
        id: UUID = uuid7
        country: Ref[Country]

    class Street(Model):
        city: Ref[City]

    models = catalog([Street, City, Country]).models
    assert list(models) == ["Country", "City", "Street"]
    assert models["Country"].key.name == "code"
    assert [models["City"].key.kind, models["City"].key.default] == [Kind.UUID, Default.UUID7]
    country, city = models["City"].field("country"), models["Street"].field("city")
    assert country is not None
    assert city is not None
    assert (country.kind, country.python_type, city.kind) == (Kind.STR, str, Kind.UUID)


def test_relations_run_both_ways_and_through_a_third_model() -> None:
    class Post(Model):
        author: Ref[User]
        editor: Ref[User] | None = None
        tags: Many[Tag] = field(through="PostTag")
        joins: Many[PostTag]
        replies: Many[Post] = field(via="answers")
        answers: Ref[Post] | None = None

    class Tag(Model):
        name: str
        posts: Many[Post] = field(through="PostTag")

    class PostTag(Model, unique=[("post", "tag")]):
        post: Ref[Post] = field(on_delete="cascade")
        tag: Ref[Tag] = field(on_delete="cascade")

    models = catalog([User, Post, Tag, PostTag]).models
    found = {relation.name: relation for relation in models["Post"].relations}
    assert found["author"].kind is RelationKind.TO_ONE
    assert found["author"].local == "author"
    assert found["editor"].nullable
    assert not found["author"].nullable
    assert (found["tags"].kind, found["tags"].through, found["tags"].remote, found["tags"].far) == (
        RelationKind.MANY_TO_MANY, "PostTag", "post", "tag",
    )  # fmt: skip
    assert (found["joins"].kind, found["joins"].target, found["joins"].remote) == (RelationKind.TO_MANY, "PostTag", "post")
    assert (found["replies"].target, found["replies"].remote) == ("Post", "answers")
    assert models["PostTag"].indexes[0].unique
    assert models["PostTag"].indexes[0].fields == ("post", "tag")


def test_names_can_be_chosen() -> None:
    class Staff(Model, collection="employees", table="hr_staff", index=[("name", "-age"), "age"]):
        name: str
        age: int

    model = catalog([Staff]).models["Staff"]
    assert (model.collection, model.table) == ("employees", "hr_staff")
    assert [index.fields for index in model.indexes] == [("name", "-age"), ("age",)]
    assert catalog([Staff]).by_collection("employees") == model


def test_a_field_of_an_order_may_be_called_order() -> None:
    class Order(Model):
        lines: Many[Line]

    class Line(Model):
        order: Ref[Order]

    assert catalog([Order, Line]).models["Order"].relations[0].remote == "order"


def test_the_fingerprint_follows_tables_and_nothing_else() -> None:
    def version(rule: Any = nobody, **options: Any) -> str:
        class Thing(Model, read=rule):
            name: str = field(**options)

        return catalog([Thing]).fingerprint

    plain = version()
    assert plain == version() == version(rule=anyone) == version(description="x") == version(write_only=True)
    assert len({plain, version(unique=True), version(index=True), version(default="x")}) == 4


# -- mistakes ----------------------------------------------------------------------------------------------------------


def one(**members: Any) -> type[Model]:
    annotations = {name: value[0] if isinstance(value, tuple) else value for name, value in members.items()}
    defaults = {name: value[1] for name, value in members.items() if isinstance(value, tuple)}
    return type(Model)("Thing", (Model,), {"__annotations__": annotations, "__module__": __name__,
        **defaults})  # type: ignore[return-value]


MISTAKES: dict[str, tuple[Callable[[], type[Model]], str]] = {
    "unknown type": (lambda: one(x=complex), "Thing.x: the type complex is not known"),
    "unknown name": (lambda: one(x="Usr"), "Thing.x: the annotation 'Usr' uses the unknown name 'Usr'; did you mean 'User'?"),
    "model as type": (lambda: one(x=User), "Thing.x: User is a model, not a column; write Ref[User]"),
    "unknown model": (lambda: one(x=Ref["Usr"]), "Thing.x: there is no model 'Usr'; did you mean 'User'?"),
        # type: ignore[name-defined]
    "unlisted model": (lambda: one(x=Ref[Everything]),
        "Thing.x: the model Everything is not in the list; add Everything to models"),
    "ref to nothing": (lambda: one(x=Ref[int]), "Thing.x: <class 'int'> is not a model"),
    "no way back": (lambda: one(x=Many[User]), 'Thing.x: User has no Ref to Thing; add thing: Ref["Thing"] to User'),
    "bad through": (lambda: one(x=(Many[User], field(through="Nope"))), "there is no model 'Nope' to go through"),
    "nullable many": (lambda: one(x=Many[User] | None), "Thing.x: a Many is never null"),
    "many with column": (lambda: one(x=(Many[User], field(unique=True))), "Thing.x: a Many has no column"),
    "reserved": (lambda: one(select=int), "Thing.select: the query string has taken this name; rename it, select_"),
    "bad default": (lambda: one(x=(int, "a")), "Thing.x: the default does not fit: expected a whole number, not 'a'"),
    "default none": (lambda: one(x=(int, None)), "Thing.x: the default is None but the field cannot be null; add | None"),
    "default breaks": (lambda: one(x=(Annotated[int, Ge(5)], 1)),
        "Thing.x: the default 1 breaks the field's own rule: it must be at least 5"),
    "default choice": (lambda: one(x=(Literal["a"], "b")), "expected one of 'a', not 'b'; give one of 'a'"),
    "naive default": (lambda: one(x=(datetime, datetime(2026, 1, 1))),
        "Thing.x: the default does not fit: a time needs its offset"),
    "json default": (lambda: one(x=(list[int], ["a"])), "give a list[int]"),
    "enum default": (lambda: one(x=(Colour, "green")), "give a Colour"),
    "bad bound": (lambda: one(x=Annotated[str, Ge(3)]), "Thing.x: ge=3 does not fit str"),
    "bad length": (lambda: one(x=Annotated[int, MinLen(3)]), "Thing.x: a length of 3 does not fit int"),
    "bad pattern": (lambda: one(x=Annotated[int, msgspec.Meta(pattern="^x")]), "Thing.x: a pattern does not fit int"),
    "impossible": (lambda: one(x=Annotated[int, Gt(5), Le(5)]), "Thing.x: no value is both gt 5 and le 5"),
    "fine bound": (lambda: one(x=(Annotated[Decimal, Ge(Decimal("0.005"))], field(places=2))), "more than 2 digits"),
    "naive bound": (lambda: one(x=Annotated[datetime, Ge(datetime(2026, 1, 1))]), "add tzinfo=UTC"),
    "now for text": (lambda: one(x=(str, now)), "Thing.x: now is a moment"),
    "uuid7 for int": (lambda: one(x=(int, uuid7)), "Thing.x: uuid7 makes a UUID"),
    "me for int": (lambda: one(x=(int, me)), "Thing.x: me is the key of an account"),
    "mixed choices": (lambda: one(x=Literal["a", 1]), "the choices are not all text or all whole numbers"),
    "computed unknown": (lambda: one(x=int, y=(int, field(computed="z * 2"))),
        "Thing.y: computed= names 'z', which is no stored field"),
    "computed query": (lambda: one(y=(int, field(computed="(select 1)"))), "Thing.y: computed= names"),
    "computed script": (lambda: one(x=int, y=(int, field(computed="x; drop"))), "Thing.y: computed= has '; drop'"),
    "computed comment": (lambda: one(x=int, y=(int, field(computed="x -- 1"))), "Thing.y: computed= has '-- 1'"),
    "computed bound": (lambda: one(x=int, y=(int, field(computed="x + ?"))), "Thing.y: computed= has '?'"),
    "computed stored": (lambda: one(x=int, y=(int, FieldInfo(computed="x", unique=True))),
        "Thing.y: a computed field is not stored"),
    "set null": (lambda: one(x=(Ref[User], field(on_delete="set null"))), 'on_delete="set null" needs a field that can be null'),
    "on_delete": (lambda: one(x=(int, field(on_delete="cascade"))), "on_delete belongs to a Ref"),
    "bad on_delete": (lambda: one(x=(Ref[User], FieldInfo(on_delete="forget"))), "on_delete='forget' is unknown"),
    "places": (lambda: one(x=(int, field(places=2))), "places= belongs to a Decimal"),
    "bad places": (lambda: one(x=(Decimal, field(places=99))), "places=99 cannot be kept exactly"),
    "stamp": (lambda: one(x=(date, field(stamp="created"))), "Thing.x: a stamp is a datetime"),
    "two keys": (lambda: one(x=(int, field(key=True)), y=(int, field(key=True))), "Thing: it has several keys"),
    "float key": (lambda: one(x=(float, field(key=True))), "Thing.x: this cannot be the key"),
    "case": (lambda: one(name=str, Name=str), "Thing.Name: it differs from name in letter case only"),
    "odd name": (lambda: one(größe=str), "Thing.größe: the name cannot stand in a query string"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(MISTAKES))
def test_a_mistake_names_class_field_and_cure(case: str) -> None:
    make, says = MISTAKES[case]
    with pytest.raises(ModelError) as caught:
        catalog([User, make()])
    assert says in str(caught.value)


def test_what_is_wrong_with_a_field_is_told_once_and_not_again_of_those_that_name_it() -> None:
    class Thing(Model, index=["price"]):
        price: int = "a"  # type: ignore[assignment]
        doubled: int = field(computed="price * 2")
        wrong: int = field(computed="prize * 2")

    with pytest.raises(ModelError) as caught:
        catalog([Thing])
    assert [mistake.where for mistake in caught.value.mistakes] == ["Thing.price", "Thing.wrong"]
    assert caught.value.mistakes[1].cure == "did you mean 'price'?"


def test_all_mistakes_are_shown_at_once() -> None:
    class One(Model, read=owner, write=owner("nobody"), unique=[("a", "b")], index=["a", "nope"]):  # type: ignore[arg-type]
        a: complex
        b: int = "x"  # type: ignore[assignment]

    class Two(Model, collection="users"):
        both: Many[Three]

    class Three(Model):
        first: Ref[Two]
        second: Ref[Two]

    with pytest.raises(ModelError) as caught:
        catalog([User, One, Two, Three, User, int])  # type: ignore[list-item]
    message = str(caught.value)
    for part in (
        "One.a: the type complex", "One.b: the default does not fit", "One: read=<function owner",
            'owner("nobody") names no stored field',
        "One: index= names 'nope'", "Two.both: Three has several Refs to Two: first, second; say which: field(via=\"first\")",
        "Two: its collection 'users' is also that of User", "<class 'int'>: this is not a model",
    ):  # fmt: skip
        assert part in message
    assert message.startswith(f"{len(caught.value.mistakes)} mistakes in the models\n")


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ModelError, match="User: two models have this name"):
        catalog([User, type(Model)("User", (Model,), {"__annotations__": {}, "__module__": __name__})])  # type: ignore[list-item]


def test_rules_may_name_fields_that_exist() -> None:
    class Note(Model, read=owner("author") | role("staff"), create=signed_in):
        author: Ref[User] = me
        text: str = field(write=owner("author") & signed_in)

    assert catalog([User, Note]).models["Note"].rules.create == signed_in


def test_computed_fields_may_use_columns_functions_and_words_of_sql() -> None:
    class Line(Model):
        price: Decimal
        order: int
        total: Decimal = field(
            computed="round(price * 2) + CASE WHEN \"order\" > 1 AND price IS NOT NULL THEN 'x' || 'it''s' ELSE 1.5e3 END"
        )

    spec = catalog([Line]).models["Line"].field("total")
    assert spec is not None
    assert not spec.stored
    assert spec.read_only


UTC_BOUND = datetime(2026, 1, 1, tzinfo=UTC)


def test_bounds_take_the_fields_own_type() -> None:
    class Event(Model):
        at: Annotated[datetime, Ge(UTC_BOUND)]
        share: Annotated[float, Le(1)]
        price: Annotated[Decimal, Ge(0.5)] = field(places=1)

    fields = {spec.name: spec for spec in catalog([Event]).models["Event"].fields}
    assert fields["at"].checks[0].bound == UTC_BOUND
    assert isinstance(fields["share"].checks[0].bound, float)
    assert fields["price"].checks[0].bound == Decimal("0.5")
