"""The query grammar: PostgREST's documented sentences, what is refused and how, and the quick scan against the full parse."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pellucid.api.filters import QueryLimits, parse, parse_with_origins, scan
from pellucid.errors import Problem
from pellucid.plan.query import Compare, Embed, Exists, Group, Order, Pick, Query, Shape


def shape_of(query_string: str) -> Shape:
    return parse("Thing", query_string).shape


def conditions_of(query_string: str) -> tuple[object, ...]:
    where = shape_of(query_string).where
    assert where is not None
    return where.parts


CONDITIONS = [
    ("age=lt.13", Compare("age", "lt", (0,)), ("13",)),
    ("name=eq.A%20b%2Bc+d", Compare("name", "eq", (0,)), ("A b+c d",)),
    ("name=eq.", Compare("name", "eq", (0,)), ("",)),
    ("name=eq.a.b,c(d)", Compare("name", "eq", (0,)), ("a.b,c(d)",)),
    ('name=eq."quoted"', Compare("name", "eq", (0,)), ('"quoted"',)),
    ("name=not.eq.x", Compare("name", "eq", (0,), negate=True), ("x",)),
    ("name=like.O*", Compare("name", "like", (0,)), ("O*",)),
    ("name=like(any).{O*,P*}", Compare("name", "like", (0, 1), quantifier="any"), ("O*", "P*")),
    ('name=ilike(all).{"a,b",c}', Compare("name", "ilike", (0, 1), quantifier="all"), ("a,b", "c")),
    ("id=eq(any).{1,2}", Compare("id", "eq", (0, 1), quantifier="any"), ("1", "2")),
    ("id=in.(1,2,3)", Compare("id", "in", (0, 1, 2)), ("1", "2", "3")),
    ("id=in.()", Compare("id", "in", ()), ()),
    ('name=in.("Hebdon,John","Williams,Mary")', Compare("name", "in", (0, 1)), ("Hebdon,John", "Williams,Mary")),
    (r'name=in.("Quote:\"","Backslash:\\")', Compare("name", "in", (0, 1)), ('Quote:"', "Backslash:\\")),
    ("a=is.null", Compare("a", "is", word="null"), ()),
    ("a=is.NOT_NULL", Compare("a", "is", word="not_null"), ()),
    ("a=not.is.unknown", Compare("a", "is", negate=True, word="unknown"), ()),
    ("a=isdistinct.5", Compare("a", "isdistinct", (0,)), ("5",)),
    ("data->a->>b=eq.5", Compare("data", "eq", (0,), path=("a", "b"), text=True), ("5",)),
    ("data->phones->0=gt.5", Compare("data", "gt", (0,), path=("phones", "0")), ("5",)),
    ('"limit"=eq.5', Compare("limit", "eq", (0,)), ("5",)),
    ("%61ge=eq.5", Compare("age", "eq", (0,)), ("5",)),
]


@pytest.mark.parametrize(("query_string", "condition", "values"), CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_a_condition_reads_as_documented(query_string: str, condition: Compare, values: tuple[str, ...]) -> None:
    query = parse("Thing", query_string)
    assert query.shape.where == Group("and", (condition,))
    assert query.values == values


def test_trees_nest_and_negate() -> None:
    query = parse("Thing", 'grade=gte.90&or=(age.eq.14,not.and(age.gte.11,age.lte.17))&not.and=(a.eq."x,y",b.in.(1,2))')
    inner = Group("and", (Compare("age", "gte", (2,)), Compare("age", "lte", (3,))), negate=True)
    assert query.shape.where == Group(
        "and",
        (
            Compare("grade", "gte", (0,)),
            Group("or", (Compare("age", "eq", (1,)), inner)),
            Group("and", (Compare("a", "eq", (4,)), Compare("b", "in", (5, 6))), negate=True),
        ),
    )
    assert query.values == ("90", "14", "11", "17", "x,y", "1", "2")


def test_select_names_columns_paths_casts_and_embeds() -> None:
    shape = shape_of(
        "select=id,fullName:full_name,price::text,data->a->>b,first:data->phones->0,"
        "lines(quantity,product(*)),dir:directors!fk!inner(id),...owner(mail:email),empty()"
    )
    assert shape.picks == (
        Pick("id"),
        Pick("full_name", "fullName"),
        Pick("price", cast="text"),
        Pick("data", "b", ("a", "b"), text=True),
        Pick("data", "first", ("phones", "0")),
    )
    assert shape.embeds == (
        Embed("lines", Shape((Pick("quantity"),), (Embed("product"),))),
        Embed("directors", Shape((Pick("id"),)), alias="dir", hint="fk", inner=True),
        Embed("owner", Shape((Pick("email", "mail"),)), spread=True),
        Embed("empty", Shape(())),
    )


@pytest.mark.parametrize("query_string", ["", "select=*", "select="])
def test_no_select_is_every_column(query_string: str) -> None:
    assert shape_of(query_string) == Shape()


def test_a_path_is_named_by_its_last_key() -> None:
    assert shape_of("select=data->phones->0,tags->0").picks == (
        Pick("data", "phones", ("phones", "0")),
        Pick("tags", "tags", ("0",)),
    )


def test_order_reads_directions_nulls_and_relations() -> None:
    assert shape_of("order=a,b.desc,c.nullsfirst,d.desc.nullslast,rel(e).asc,data->>x.desc").order == (
        Order("a"),
        Order("b", True),
        Order("c", nulls="first"),
        Order("d", True, "last"),
        Order("e", relation="rel"),
        Order("data", True, path=("x",), text=True),
    )


def test_embeds_have_their_own_conditions_order_and_page() -> None:
    query = parse(
        "Thing",
        "select=*,lines(*,p:product(*))&lines.limit=5&lines.offset=2&lines.order=n.desc&lines.n=gt.3"
        "&lines.p.or=(a.eq.1,b.eq.2)&lines.product.not.and=(c.eq.3)&limit=1",
    )
    product = Shape(
        where=Group(
            "and",
            (Group("or", (Compare("a", "eq", (3,)), Compare("b", "eq", (4,)))), Group("and", (Compare("c", "eq", (5,)),), True)),
        )
    )
    lines = Shape(
        embeds=(Embed("product", product, alias="p"),),
        where=Group("and", (Compare("n", "gt", (2,)),)),
        order=(Order("n", True),),
        limit=0,
        offset=1,
    )
    assert query.shape == Shape(embeds=(Embed("lines", lines),), limit=6)


def test_a_null_test_on_an_embed_asks_for_related_rows() -> None:
    assert conditions_of("select=*,lines()&lines=not.is.null") == (Exists("lines"),)
    assert conditions_of("select=*,lines()&lines=is.null") == (Exists("lines", negate=True),)
    assert conditions_of("select=*,lines()&lines=is.not_null") == (Exists("lines"),)
    assert shape_of("select=*,a(),b()&or=(a.not.is.null,b.is.null,c.is.null)").where == Group(
        "or", (Exists("a"), Exists("b", True), Compare("c", "is", word="null"))
    )


def test_paging_takes_limit_offset_and_a_cursor() -> None:
    query = parse("Thing", "limit=20&offset=40&after=abc-_=")
    assert (query.shape.limit, query.shape.offset, query.shape.after) == (0, 1, 2)
    assert query.values == ("20", "40", "abc-_=")


def test_parameters_of_writes_are_left_to_the_caller() -> None:
    assert shape_of("columns=a,b&on_conflict=a") == Shape()


REFUSED = [
    ("a=foo.1", "PL302", "'foo' is not an operator", "eq, "),
    ("a=eqq.1", "PL302", "'eqq'", "'eq'"),
    ("a=5", "PL302", "'5' is not an operator", "'eq.5'"),
    ("a", "PL300", "expected an operator", None),
    ("a=eq", "PL300", "expected '.'", None),
    ("a=fts.cat", "PL303", "'fts'", "ilike"),
    ("a=not.cs.{1}", "PL303", "'cs'", "nearest"),
    ("a=match.^x", "PL303", "'match'", "like"),
    ("select=count()", "PL303", "count()", "count=exact"),
    ("select=a.sum()", "PL303", "sum()", "count=exact"),
    ("a=is.maybe", "PL300", "is.maybe", "not_null"),
    ("a=like(some).{a}", "PL300", "like(some)", "like(any)"),
    ("a=in.(1,2", "PL300", "position 8, found the end", "double quotes"),
    ('a=in.("1)', "PL300", "closing '\"'", None),
    ("a=in.(1)x", "PL300", "position 7, found 'x'", None),
    ("or=(a.eq.1", "PL300", "',' or ')' at position 8", None),
    ("or=a.eq.1", "PL300", "'(' at position 1", None),
    ("or=()", "PL300", "a condition at position 2", None),
    ("or=(lines.n.eq.1)", "PL302", "'n'", "lines.n"),
    ("select=a,(b)", "PL300", "position 3", None),
    ("select=a(b", "PL300", "',' or ')'", None),
    ("select=a!x!y(b)", "PL300", "one hint", None),
    ("select=a&select=b", "PL300", "twice", "comma"),
    ("order=a&order=b", "PL300", "twice", "comma"),
    ("order=a.down", "PL300", "'down'", None),
    ("order=a,", "PL300", "a column", None),
    ("limit=-1", "PL300", "whole number", None),
    ("limit=1.5", "PL300", "whole number", None),
    ("limit=9999999999999999999", "PL300", "whole number", None),
    ("limit=1&limit=2", "PL300", "twice", None),
    ("after=", "PL300", "missing", None),
    ("lines.n=eq.1", "PL305", "'lines' is not embedded", "select=*,lines(*)"),
    ("select=lines(*)&line.n=eq.1", "PL305", "'line'", "'lines'"),
    ("lines.select=a&select=lines(*)", "PL300", "stand in 'select'", None),
    ("a=eq.%FF", "PL300", "UTF-8", None),
    ("a->=eq.1", "PL300", "a key", None),
    ("a->>b->c=eq.1", "PL300", "'->>' comes last", None),
    ("select=" + "a(" * 9 + ")" * 9, "PL306", "too deeply", None),
    ("or=" + "(and" * 9 + "(a.eq.1)" + ")" * 9, "PL306", "too deeply", None),
    ("&".join(["a=eq.1"] * 101), "PL306", "100 conditions", None),
    ("a=in.(" + ",".join(["1"] * 1001) + ")", "PL306", "1000 values", None),
    ("select=" + ",".join(f"r{n}(*)" for n in range(21)), "PL306", "20 embeds", None),
    ("order=" + ",".join(f"c{n}" for n in range(17)), "PL306", "16 sort keys", None),
    ("a=eq." + "x" * 9000, "PL306", "at most 8192", None),
]


@pytest.mark.parametrize(("query_string", "code", "message", "hint"), REFUSED, ids=[row[0][:40] for row in REFUSED])
def test_what_is_refused_says_where_and_what_would_be_right(query_string: str, code: str, message: str, hint: str | None) -> None:
    with pytest.raises(Problem) as raised:
        parse("Thing", query_string)
    assert raised.value.code.id == code
    assert message in raised.value.message
    assert len(raised.value.message) < 250
    if hint is not None:
        assert hint in (raised.value.hint or "")


def test_limits_are_the_callers_to_set() -> None:
    with pytest.raises(Problem, match="at most 1 conditions"):
        parse("Thing", "a=eq.1&b=eq.2", limits=QueryLimits(conditions=1))


def test_scan_blanks_simple_values_and_keeps_the_rest() -> None:
    assert scan("country=eq.5&order=population.desc&limit=20") == ("country=eq.&order=population.desc&limit=", ["5", "20"])
    assert scan("name=like.A%20b+c*&after=xyz&a=in.(1,2)") == ("name=like.&after=&a=in.(1,2)", ["A b c*", "xyz"])
    assert scan("") == ("", [])
    assert scan("a=eq.%FF") is None
    assert scan("a=eq." + "x" * 9000) is None


@pytest.mark.parametrize(
    "part", ["select=eq.5", "not=eq.5", "limit=x", "a.b=eq.5", "%61=eq.5", "a=not.eq.5", "a=is.null"]
)
def test_scan_leaves_what_is_not_simple(part: str) -> None:
    assert scan(part) == (part, [])


@pytest.mark.parametrize("name", ["limit", "offset", "after"])
def test_a_part_without_its_value_is_never_taken_for_one_with(name: str) -> None:
    assert scan(f"{name}=") != scan(f"{name}=1")
    bare, full = scan(f"{name}="), scan(f"{name}=1")
    assert bare is not None
    assert full is not None
    assert (bare[0] != full[0], bare[1]) == (True, [])


NAMES = st.sampled_from(["a", "name", "select", "order", "lines", "limit", "not", "x_1", "é"])
OPS = st.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "in", "is", "not.eq", "fts", "zz"])
VALUES = st.one_of(
    st.text(max_size=8).map(lambda text: quote(text, safe="*,.()+")), st.sampled_from(["null", "(1,2)", "5", "", "a&b"])
)
PARTS = st.one_of(
    st.builds("{}={}.{}".format, NAMES, OPS, VALUES),
    st.builds("{}={}".format, st.sampled_from(["limit", "offset", "after", "select", "order", "lines.limit"]), VALUES),
    st.sampled_from(["select=*,lines(*)", "order=a.desc", "or=(a.eq.1,b.gt.2)", "lines.a=eq.5", "lines=is.null", "", "&", "a"]),
)
QUERIES = st.lists(PARTS, max_size=6).map("&".join)


@settings(max_examples=400, deadline=None)
@given(QUERIES)
@example("limit=5&a=eq.1&select=*,lines(*)&lines.a=eq.5&offset=2&after=x")
def test_scan_and_template_give_what_parse_gives(query_string: str) -> None:
    try:
        query, origins = parse_with_origins("Thing", query_string)
    except Problem:
        return
    scanned = scan(query_string)
    assert scanned is not None
    _, values = scanned
    assert len(origins) == len(query.values)
    assert [origin for origin in origins if origin is not None] == list(range(len(values)))
    assert (
        tuple(constant if origin is None else values[origin] for constant, origin in zip(query.values, origins, strict=True))
        == query.values
    )


@settings(max_examples=200, deadline=None)
@given(QUERIES, st.lists(st.text(max_size=5).map(lambda text: quote(text, safe="")), min_size=12, max_size=12))
def test_equal_keys_have_equal_shapes(query_string: str, others: list[str]) -> None:
    scanned = scan(query_string)
    if scanned is None:
        return
    fill = iter(others)
    parts = [
        f"{head}.{next(fill)}" if scan(part) != (part, []) and (head := part.split(".")[0]) and "." in part else part
        for part in query_string.split("&")
    ]
    other = "&".join(parts)
    again = scan(other)
    assert again is not None
    assert again[0] == scanned[0]
    try:
        assert parse("Thing", query_string).shape == parse("Thing", other).shape
    except Problem:
        with pytest.raises(Problem):
            parse("Thing", other)


def outcome(query_string: str) -> str:
    try:
        return "query" if isinstance(parse("Thing", query_string), Query) else "neither"
    except Problem as problem:
        return problem.code.id


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet='ab.,()"!:*=&->{}\\ %1inotrde', max_size=60)))
@example("((((((((((")
@example('a=in.("\\')
def test_any_text_is_a_query_or_a_problem(text: str) -> None:
    for query_string in (text, f"select={text}", f"order={text}", f"or=({text})", f"a={text}"):
        assert outcome(query_string) in ("query", "PL300", "PL302", "PL303", "PL305", "PL306")
        scan(query_string)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=10), min_size=1, max_size=5))
def test_quoted_values_arrive_as_they_were(values: list[str]) -> None:
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    assert parse("Thing", f"a=in.({quote(quoted, safe='')})").values == tuple(values)
    assert parse("Thing", f"or=({','.join('a.eq.' + quote(part, safe='') for part in [_q(v) for v in values])})").values == tuple(
        values
    )


def _q(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
