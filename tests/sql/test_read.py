"""Reads against a real SQLite: what each operator, order, page and embed answers, and that it takes one statement."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.api.filters import parse, parse_with_origins, scan
from pellucid.errors import Problem
from pellucid.plan.query import Shape
from pellucid.schema.rules import NOBODY, Actor
from pellucid.sql.read import compile_read

ANN, BEN, STAFF = Actor(1), Actor(2), Actor(9, frozenset({"staff"}))

FILTERS = [
    ("stock=eq.7", [2, 3]),
    ("stock=neq.7", [1]),  # null is never unequal, as in PostgreSQL
    ("stock=not.eq.7", [1]),
    ("stock=isdistinct.7", [1, 4]),
    ("stock=not.isdistinct.7", [2, 3]),
    ("stock=gt.0", [2, 3]),
    ("stock=gte.0", [1, 2, 3]),
    ("stock=lt.7&stock=lte.0", [1]),
    ("stock=in.(0,7)", [1, 2, 3]),
    ("stock=not.in.(0)", [2, 3]),
    ("stock=in.()", []),
    ("stock=not.in.()", [1, 2, 3, 4]),
    ("stock=is.null", [4]),
    ("stock=not.is.null", [1, 2, 3]),
    ("stock=is.not_null", [1, 2, 3]),
    ("stock=eq(any).{0,7}", [1, 2, 3]),
    ("stock=gt(all).{-1,0}", [2, 3]),
    ("stock=eq(any).{}", []),
    ("sold=is.true", [1]),
    ("sold=is.false", [2]),
    ("sold=is.unknown", [3, 4]),
    ("sold=not.is.true", [2, 3, 4]),
    ("sold=eq.true", [1]),
    ("price=eq.1234.5", [2]),
    ("price=lt.0", [1]),
    ("price=gte.0.00", [2, 3]),
    ("rating=gt.0.3", [2, 3]),
    ("added=lt.2026-01-02T04:04:06%2B01:00", [1]),
    ("day=eq.2026-01-02", [1]),
    ("length=gt.PT0S", [1]),
    ("kind=eq.poem", [1]),
    ("cover=eq.", [2]),
    ("worth=gt.0", [2]),
    ("title=like.alpha*", [2]),
    ("title=like.*lpha*", [1, 2]),
    ("title=like.Alpha_", [1]),
    (r"title=like.Alpha\*", [1]),
    (r"title=like.Beta\_\%25", [3]),
    ("title=like.*[x]?", [4]),
    ("title=like.Beta_%25", [3]),
    ("title=like.alpha", []),
    ("title=ilike.ALPHA*", [1, 2]),
    ("title=ilike.%C3%A9t%C3%A9*", [4]),
    (r"title=ilike.beta\__", [3]),
    ("title=not.ilike.alpha*", [3, 4]),
    ("title=like(any).{A*,B*}", [1, 3]),
    ("title=ilike(all).{a*,*t}", [2]),
    ("or=(stock.eq.0,title.like.B*)", [1, 3]),
    ("or=(stock.eq.0,not.and(stock.eq.7,title.like.B*))", [1, 2, 4]),
    ("not.or=(stock.eq.0,stock.is.null)", [2, 3]),
    ("and=(stock.eq.7,or(id.eq.2,id.eq.1))", [2]),
    ("data->n=eq.5", [1]),
    ("data->>n=eq.5", [1, 2]),
    ("data->n=is.null", [3, 4]),
    ("data->a->b->>1=eq.two", [1]),
    ("data->a->b->>-2=eq.two", [1]),
    ("data->t=eq.true", [1]),
    ("data->>n=like.*5", [1, 2]),
    ("author=eq.2", [3, 4]),
    ("editor=is.null", [2, 3]),
]


@pytest.mark.parametrize(("query_string", "expected"), FILTERS, ids=[row[0] for row in FILTERS])
def test_a_filter_finds_what_postgresql_would(library: Any, query_string: str, expected: list[int]) -> None:
    assert library.ids("Book", query_string) == expected


ORDERS = [
    ("order=stock", [1, 2, 3, 4]),
    ("order=stock.desc", [4, 3, 2, 1]),
    ("order=stock.nullsfirst", [4, 1, 2, 3]),
    ("order=stock.desc.nullslast", [3, 2, 1, 4]),
    ("order=stock.desc.nullslast,title", [3, 2, 1, 4]),
    ("order=title", [1, 3, 2, 4]),
    ("order=author(name).desc,id", [3, 4, 1, 2]),
    ("order=editor(name),id", [4, 1, 2, 3]),
    ("order=data->>n.desc.nullslast,id", [1, 2, 3, 4]),
    ("order=worth.desc.nullslast", [2, 3, 1, 4]),
    ("limit=2&offset=1", [2, 3]),
    ("limit=0", []),
    ("offset=3", [4]),
]


@pytest.mark.parametrize(("query_string", "expected"), ORDERS, ids=[row[0] for row in ORDERS])
def test_an_order_puts_nulls_where_postgresql_does(library: Any, query_string: str, expected: list[int]) -> None:
    assert library.ids("Book", query_string) == expected


EMBEDS = [
    ("Book", "select=id,author(name)&id=eq.1", [{"id": 1, "author": {"name": "Ursula"}}]),
    ("Book", "select=id,editor(id)&id=in.(1,2)", [{"id": 1, "editor": {"id": 2}}, {"id": 2, "editor": None}]),
    ("Book", "select=id,writer:author(n:name)&id=eq.1", [{"id": 1, "writer": {"n": "Ursula"}}]),
    ("Book", "select=id,tags(name)&id=in.(1,3)",
     [{"id": 1, "tags": [{"name": "sea"}, {"name": "sky"}]}, {"id": 3, "tags": []}]),
    ("Author", "select=name,books(id)&books.order=id.desc&id=eq.1",
     [{"name": "Ursula", "books": [{"id": 2}, {"id": 1}]}]),
    ("Author", "select=id,books(id)&books.limit=1&books.offset=1&id=lt.3",
     [{"id": 1, "books": [{"id": 2}]}, {"id": 2, "books": [{"id": 4}]}]),
    ("Author", "select=id,books(id)&books.stock=eq.7",
     [{"id": 1, "books": [{"id": 2}]}, {"id": 2, "books": [{"id": 3}]}, {"id": 3, "books": []}]),
    ("Author", "select=id,books!inner(id)&books.stock=eq.0", [{"id": 1, "books": [{"id": 1}]}]),
    ("Author", "select=id,books()&books=is.null", [{"id": 3}]),
    ("Author", "select=id,books()&books=not.is.null&books.sold=is.true", [{"id": 1}]),
    ("Author", "select=id&books=is.null", [{"id": 3}]),
    ("Author", "select=id,books(),edited()&or=(edited.is.null,books.is.null)", [{"id": 3}]),
    ("Author", "select=id,books!inner(id,tags!inner(name))&books.tags.name=eq.sky",
     [{"id": 1, "books": [{"id": 1, "tags": [{"name": "sky"}]}]}]),
    ("Tag", "select=name,books(title,author(name))&id=eq.1", [
        {"name": "sea", "books": [
            {"title": "Alpha*", "author": {"name": "Ursula"}}, {"title": "alphabet", "author": {"name": "Ursula"}},
        ]},
    ]),
    ("Book", "select=id,...author(by:name)&id=gt.2", [{"id": 3, "by": "Émile"}, {"id": 4, "by": "Émile"}]),
    ("Book", "select=id,...editor(by:name,books(id))&id=in.(1,2)", [
        {"id": 1, "by": "Émile", "books": [{"id": 3}, {"id": 4}]}, {"id": 2, "by": None, "books": []},
    ]),
    ("Author", "select=id,books(id,...editor(by:name))&id=eq.1",
     [{"id": 1, "books": [{"id": 1, "by": "Émile"}, {"id": 2, "by": None}]}]),
    ("Book", "select=id,data->a->b,n:data->>n,price::text,stock::float,sold::text,length::text,rating::int&id=eq.1", [
        {
            "id": 1, "b": [1, "two", None], "n": "5", "price": "-0.05", "stock": 0.0, "sold": "true", "length": "P1DT90.5S",
            "rating": 0,
        },
    ]),
    ("Author", "select=books(data->a->b,price::text,worth)&id=eq.1&books.id=eq.1",
     [{"books": [{"b": [1, "two", None], "price": "-0.05", "worth": 0}]}]),
    ("Book", 'select="id","a b":title&id=eq.2', [{"id": 2, "a b": "alphabet"}]),
    ("Author", 'select=id,books("it\'s":id)&id=eq.1', [{"id": 1, "books": [{"it's": 1}, {"it's": 2}]}]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "query_string", "expected"), EMBEDS, ids=[f"{row[0]}?{row[1]}" for row in EMBEDS])
def test_an_embed_answers_json_in_one_statement(library: Any, model: str, query_string: str, expected: object) -> None:
    assert library.json(model, query_string) == expected


def test_an_embedded_row_has_the_same_json_as_the_row_itself(library: Any) -> None:
    alone = {row["id"]: row for row in library.json("Book")}
    for author in library.json("Author", "select=books(*)"):
        for book in author["books"]:
            assert json.dumps(book) == json.dumps(alone[book["id"]])


def test_a_star_takes_an_embed_in_the_place_of_its_key(library: Any) -> None:
    (row,) = library.json("Book", "select=*,author(id)&id=eq.1")
    assert row["author"] == {"id": 1}
    assert row["editor"] == 2


def test_the_default_cap_bounds_embeds_that_have_no_limit(library: Any) -> None:
    query = parse("Author", "select=id,books(id)&id=eq.1")
    prepared = compile_read(library.catalog, "Author", query.shape, NOBODY, most=1)
    assert json.loads(library.run(prepared, prepared.bind(query.values))[0][1]) == [{"id": 1}]
    over = parse("Author", "limit=50")
    prepared = compile_read(library.catalog, "Author", over.shape, NOBODY, most=1)
    assert prepared.bind(over.values) == [1]


def test_a_count_rides_on_the_page_and_stands_alone_beyond_its_end(library: Any) -> None:
    for offset, rows in ((0, 2), (9, 0)):
        query = parse("Book", f"stock=eq.7&limit=2&offset={offset}")
        shape = Shape(where=query.shape.where, limit=query.shape.limit, offset=query.shape.offset, count=True, cursor=True)
        prepared = compile_read(library.catalog, "Book", shape, NOBODY)
        found = library.run(prepared, prepared.bind(query.values))
        assert len(found) == rows
        assert all(row[-1] == 2 for row in found)
        assert prepared.count is not None
        assert list(library.db.execute(prepared.count.text, prepared.bind(query.values, count=True))) == [(2,)]


def test_a_key_finds_one_row(library: Any) -> None:
    prepared = compile_read(library.catalog, "Book", Shape(key=0), NOBODY)
    assert library.run(prepared, prepared.bind(["3"]))[0][:2] == (3, "Beta_%")
    assert library.run(prepared, prepared.bind(["33"])) == []
    with pytest.raises(Problem, match="whole number"):
        prepared.bind(["x"])


# access ------------------------------------------------------------------------------------------------------------------


def test_rules_stand_in_the_where_of_every_model_that_is_touched(library: Any) -> None:
    assert library.ids("Note", actor=ANN) == [1]
    assert library.ids("Note", actor=BEN) == [2, 3]
    assert library.ids("Note", actor=STAFF) == [1, 2, 3]
    notes = "select=id,notes(text)&id=eq.1"
    assert library.json("Book", notes, ANN) == [{"id": 1, "notes": [{"text": "Ann's"}]}]
    assert len(library.json("Book", notes, STAFF)[0]["notes"]) == 2
    assert library.ids("Book", "notes=not.is.null", ANN) == [1]
    with pytest.raises(Problem, match="notes: without an account") as raised:
        library.json("Book", notes)
    assert raised.value.status == 401


def test_a_masked_field_is_null_in_answers_and_conditions(library: Any) -> None:
    ben_and_staff = Actor(2, frozenset({"staff"}))
    assert library.json("Note", "select=id,mood", ben_and_staff) == [
        {"id": 1, "mood": None},
        {"id": 2, "mood": "cross"},
        {"id": 3, "mood": None},
    ]
    assert library.ids("Note", "mood=eq.calm", ben_and_staff) == []
    assert library.ids("Note", "order=mood.desc.nullslast", ben_and_staff)[0] == 2


def test_fields_that_may_not_be_read_are_left_out_of_star_and_refused_by_name(library: Any) -> None:
    assert list(library.json("Author", "id=eq.1")[0]) == ["id", "name"]
    assert list(library.json("Author", "id=eq.1", STAFF)[0]) == ["id", "name", "email"]
    for query_string in ("select=email", "email=eq.x", "order=email", "select=books(author(email))"):
        model = "Author"
        with pytest.raises(Problem, match="email") as raised:
            library.json(model, query_string)
        assert raised.value.status == 401
        with pytest.raises(Problem, match="email") as raised:
            library.json(model, query_string, ANN)
        assert raised.value.status == 403
    with pytest.raises(Problem, match="only ever written"):
        library.json("Author", "password=eq.x", STAFF)


# hostile text -------------------------------------------------------------------------------------------------------------

HOSTILE = ["'; DROP TABLE books; --", '" OR 1=1 --', "x' OR 'a'='a", "\\'; --", "%00", "$1", "?", ":s0", "{}", "\n--\n"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_value_and_never_sql(library: Any, text: str) -> None:
    encoded = quote(text, safe="")
    assert library.ids("Book", f"title=eq.{encoded}") == []
    assert library.ids("Book", f"title=ilike.{encoded}") == []
    name = quote('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"', safe="")
    if any(char in text for char in '"\\\n'):
        for query_string in (f"data->>{name}=eq.1", f"select={name}:id", f"select=books({name}:id)"):
            with pytest.raises(Problem, match="a name without quotes"):
                library.rows("Author", query_string)
    else:
        assert library.ids("Book", f"data->>{name}=eq.1") == []
        assert library.json("Author", f"select={name}:id&id=eq.1") == [{text: 1}]
        assert library.json("Author", f"select=books({name}:id)&id=eq.2") == [{"books": [{text: 3}, {text: 4}]}]
    for query_string in (f"select={encoded}", f"{encoded}=eq.1", f"order={encoded}", f"select={encoded}(*)", f"limit={encoded}"):
        with pytest.raises(Problem):
            library.rows("Book", query_string)
    assert len(library.ids("Book")) == 4


# random questions ---------------------------------------------------------------------------------------------------------

STOCK = {1: 0, 2: 7, 3: 7, 4: None}
TESTS = {
    "eq": lambda value, given: value == given,
    "neq": lambda value, given: value != given,
    "gt": lambda value, given: value > given,
    "gte": lambda value, given: value >= given,
    "lt": lambda value, given: value < given,
    "lte": lambda value, given: value <= given,
}


def truth(tree: Any, stock: int | None) -> bool | None:
    """SQL's three values: true, false, and None for unknown."""
    match tree:
        case ("not", inner):
            value = truth(inner, stock)
            return None if value is None else not value
        case ("is", word):
            return (stock is None) == (word == "null")
        case ("and" | "or" as joint, parts):
            values = [truth(part, stock) for part in parts]
            decisive = joint == "or"
            return decisive if decisive in values else None if None in values else not decisive
        case (op, given):
            return None if stock is None else TESTS[op](stock, given)


def write(tree: Any) -> str:
    match tree:
        case ("not", ("and" | "or", _) as inner):
            return f"not.{write(inner)}"
        case ("not", inner):
            return write(inner).replace("stock.", "stock.not.", 1)
        case ("and" | "or" as joint, parts):
            return f"{joint}({','.join(map(write, parts))})"
        case (op, given):
            return f"stock.{op}.{given}"


LEAVES = st.one_of(
    st.tuples(st.sampled_from(sorted(TESTS)), st.integers(-1, 8)),
    st.tuples(st.just("is"), st.sampled_from(["null", "not_null"])),
)
NEGATED = LEAVES.flatmap(lambda leaf: st.sampled_from([leaf, ("not", leaf)]))
TREES = st.recursive(
    NEGATED,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)).flatmap(
        lambda group: st.sampled_from([group, ("not", group)])
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_of_conditions_means_what_three_valued_logic_says(library: Any, tree: Any) -> None:
    expected = [key for key, stock in STOCK.items() if truth(tree, stock) is True]
    assert library.ids("Book", f"and=({write(tree)})") == expected


KEYS = st.tuples(
    st.sampled_from(
        [
            "stock",
            "price",
            "title",
            "sold",
            "rating",
            "kind",
            "added",
            "author",
            "author(name)",
            "editor(name)",
            "data->>n",
            "worth",
        ]
    ),
    st.sampled_from(["", ".asc", ".desc"]),
    st.sampled_from(["", ".nullsfirst", ".nullslast"]),
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(KEYS, max_size=4), st.integers(1, 3))
def test_cursors_visit_every_row_once_in_any_order(library: Any, keys: list[str], page: int) -> None:
    order = f"order={','.join(keys)}&" if keys else ""
    whole = library.ids("Book", order)
    assert sorted(whole) == [1, 2, 3, 4]
    seen: list[int] = []
    after = ""
    while True:
        query = parse("Book", f"{order}limit={page}{after}")
        shape = Shape((), order=query.shape.order, limit=query.shape.limit, after=query.shape.after, cursor=True)
        prepared = compile_read(library.catalog, "Book", shape, NOBODY)
        rows = library.run(prepared, prepared.bind(query.values))
        seen += [row[-1] for row in rows]
        if len(rows) < page:
            break
        after = f"&after={prepared.cursor(rows[-1])}"
    assert seen == whole


def test_a_cursor_of_another_order_is_refused(library: Any) -> None:
    prepared = compile_read(library.catalog, "Book", Shape(cursor=True), NOBODY)
    row = library.run(prepared, prepared.bind())[0]
    for query_string in (f"order=stock&after={prepared.cursor(row)}", "after=abc", "after=%C3%A9", "after=gaA", "after=kpPA"):
        with pytest.raises(Problem) as raised:
            library.rows("Book", query_string)
        assert raised.value.code.slug == "bad-cursor"
    with pytest.raises(Problem):
        library.rows("Author", f"after={prepared.cursor(row)}")


QUERY_STRINGS = st.lists(
    st.sampled_from(
        [
            "stock=eq.7",
            "stock=gte.0",
            "title=like.a*",
            "title=ilike.%C3%A9*",
            "stock=in.(0,7)",
            "order=title.desc",
            "price=lt.5.5",
        ]
    ),
    max_size=4,
    unique_by=lambda part: part.split("=")[0] == "order" or part,
)


@settings(max_examples=60, deadline=None)
@given(QUERY_STRINGS, st.integers(0, 5))
def test_the_warm_way_binds_what_the_cold_way_binds(library: Any, parts: list[str], limit: int) -> None:
    query_string = "&".join([*parts, f"limit={limit}"])
    query, origins = parse_with_origins("Book", query_string)
    prepared = compile_read(library.catalog, "Book", query.shape, NOBODY)
    scanned = scan(query_string)
    assert scanned is not None
    assert prepared.template(query.values, origins).bind(scanned[1]) == tuple(prepared.bind(query.values))


def test_the_warm_way_binds_the_actor_and_the_parts_of_a_cursor(library: Any) -> None:
    first = compile_read(library.catalog, "Note", Shape(order=parse("Note", "order=text").shape.order, cursor=True), BEN)
    cursor = first.cursor(library.run(first, first.bind([], BEN.id))[0])
    query_string = f"text=gt.A&order=text&after={cursor}&book=in.(1,2)&limit=9"
    query, origins = parse_with_origins("Note", query_string)
    prepared = compile_read(library.catalog, "Note", query.shape, BEN)
    scanned = scan(query_string)
    assert scanned is not None
    bound = prepared.template(query.values, origins).bind(scanned[1], BEN.id)
    assert list(bound) == prepared.bind(query.values, BEN.id)
    assert [row[0] for row in library.run(prepared, bound)] == [3]
    plain, origins = parse_with_origins("Note", "text=gt.A&limit=9")
    prepared = compile_read(library.catalog, "Note", plain.shape, BEN)
    assert set(prepared.template(plain.values, origins).bind(["A", "9"], BEN.id)) == {2, "A", 9}


def test_a_template_refuses_constants_that_do_not_fit_at_once(library: Any) -> None:
    query, origins = parse_with_origins("Book", "stock=in.(1,x)")
    prepared = compile_read(library.catalog, "Book", query.shape, NOBODY)
    with pytest.raises(Problem, match="stock: expected a whole number"):
        prepared.template(query.values, origins)


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb"])
@pytest.mark.parametrize(
    ("model", "query_string"),
    [("Book", row[0]) for row in FILTERS + ORDERS] + [(row[0], row[1]) for row in EMBEDS],
)
def test_every_question_can_be_said_in_the_other_dialects(library: Any, dialect: str, model: str, query_string: str) -> None:
    query = parse(model, query_string)
    prepared = compile_read(library.catalog, model, query.shape, STAFF, dialect, lock=True)
    assert prepared.statement.text.startswith("SELECT ")
    assert "anon_map" not in prepared.statement.text
    prepared.bind(query.values, 9)


def test_an_index_serves_the_usual_list(library: Any) -> None:
    query = parse("Book", "stock=eq.7&limit=20")
    prepared = compile_read(library.catalog, "Book", query.shape, NOBODY)
    plan = " ".join(
        row[3] for row in library.db.execute("EXPLAIN QUERY PLAN " + prepared.statement.text, prepared.bind(query.values))
    )
    assert "USING INDEX" in plan
    assert "TEMP B-TREE" not in plan


def test_a_statement_is_the_same_for_all_values_and_all_accounts(library: Any) -> None:
    texts = {
        compile_read(library.catalog, "Note", parse("Note", f"text=like.{text}&limit={n}").shape, actor).statement.text
        for text, n, actor in (("a*", 1, ANN), ("b", 2, BEN), ("'", 3, Actor(77)))
    }
    assert len(texts) == 1
