"""Whatever a body holds: it is stored exactly, or refused with a problem that says why; the server never breaks on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from everything import make
from pellucid import App, Model, anyone, field
from running import Answer, Asker, asking

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CSV = "text/csv"
MERGE = "application/merge-patch+json"
quick = settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with asking(make(), tmp_path_factory.mktemp("any"), max_rows=1000) as asker:
        assert asker.post("/api/groups", {"name": "g"}).status == 201
        assert asker.put("/api/things/1", {}).status == 201
        yield asker


def fine(answer: Answer) -> Answer:
    """Done, or refused by a proper problem."""
    if answer.status >= 300:
        assert 400 <= answer.status < 500, answer
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == answer.status
    return answer


# Anything at all -----------------------------------------------------------------------------------------------------

FIELDS = ["group", "whole", "real", "text", "yes", "money", "exact", "moment", "day", "clock", "lasts", "token", "blob", "colour",
    "level", "facts", "items", "size", "tags"]  # fmt: skip
STRICT_FIELDS = [
    "name",
    "code",
    "stock",
    "even",
    "share",
    "price",
    "shelf",
    "place",
    "colour",
    "tags",
    "made",
    "updated",
    "pin",
    "twice",
]
ODD_TEXTS = ["NaN", "sNaN", "-Infinity", "1e999999", "1E-999999", "P999999999D", "-P999999999D", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59", "24:00:00", "====", "\0", "", " ", "null", "١", "1_000", "0x10",
    "'; DROP TABLE thing; --"]  # fmt: skip

plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
odd = plain | st.sampled_from(ODD_TEXTS)
anything = st.recursive(
    odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)
nearly = st.dictionaries(st.sampled_from([*FIELDS, *STRICT_FIELDS, "id", "nope"]), anything, max_size=5)

ADDRESSES = [
    ("POST", "/api/things"), ("POST", "/api/things?columns=items,real,money"), ("PUT", "/api/things/1"),
    ("PATCH", "/api/things/1"),
    ("POST", "/api/stricts"), ("PATCH", "/api/stricts?id=gt.0"), ("PUT", "/api/groups/%00"), ("POST", "/api/tokens"),
    ("POST", "/checkout"),
]  # fmt: skip


@quick
@given(st.sampled_from(ADDRESSES), st.sampled_from([JSON, MERGE]), anything | nearly | st.lists(nearly, max_size=3))
def test_any_json_is_taken_or_refused(backend: Asker, address: tuple[str, str], media: str, body: object) -> None:
    fine(backend.ask(*address, json.dumps(body).encode(), content_type=media))


@quick
@given(
    st.sampled_from(ADDRESSES),
    st.sampled_from([JSON, MERGE, FORM, CSV, "multipart/form-data; boundary=x"]),
    st.binary(max_size=60),
)
@example(("POST", "/api/things"), JSON, b"")
@example(("POST", "/api/things"), JSON, b"\xef\xbb\xbf{}")
@example(("POST", "/api/things"), JSON, b'{"real": NaN}')
@example(("POST", "/api/things"), JSON, b'{"real": 1e400}')
@example(("POST", "/api/things"), JSON, b'{"whole": 1, "whole": 2}')
@example(("POST", "/api/things"), JSON, b'{"text": "\\ud800"}')
@example(("POST", "/api/things"), JSON, b'{"text": "\xff"}')
@example(("POST", "/api/things"), JSON, b'{"whole": ' + b"1" * 5000 + b"}")
@example(("POST", "/api/things"), JSON, '{"text": "x"}'.encode("utf-16"))
@example(("POST", "/api/things"), CSV, b"text\na\0b")
@example(("POST", "/api/things"), CSV, b'text\n"a')
@example(("POST", "/api/things"), CSV, b'text\n"a"b')
@example(("POST", "/api/things"), CSV, b"text,text\na,b")
@example(("POST", "/api/things"), CSV, b"text\r1\r2")
@example(("POST", "/api/things"), CSV, b"text\n" + b"x" * 200_000)
def test_any_bytes_are_taken_or_refused(backend: Asker, address: tuple[str, str], media: str, body: bytes) -> None:
    fine(backend.ask(*address, body, content_type=media))


@quick
@given(st.lists(st.sampled_from([*FIELDS, *STRICT_FIELDS]), min_size=1, max_size=4), st.lists(odd, min_size=4, max_size=4))
def test_any_table_and_any_form_is_taken_or_refused(backend: Asker, names: list[str], values: list[object]) -> None:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values][: len(names)]
    quoted = ",".join('"' + text.replace('"', '""') + '"' for text in texts)
    form = b"&".join(f"{name}={_quote(text)}".encode() for name, text in zip(names, texts, strict=True))
    for path in ("/api/things", "/api/stricts"):
        for body in (quoted, ",".join(texts)):
            fine(backend.post(path, f"{','.join(names)}\r\n{body}\r\n".encode(), content_type=CSV))
        fine(backend.post(path, form, content_type=FORM))
        fine(backend.patch(f"{path}/1", form, content_type=FORM))


def _quote(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("levels", [400, 501, 990, 2000, 100_000])
def test_deep_nesting_is_bounded(backend: Asker, levels: int) -> None:
    deep, objects = b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels
    status = 201 if levels <= 400 else None
    for path in ("/api/things", "/api/things?columns=items"):
        answer = fine(backend.post(path, b'{"group": "g", "items": ' + deep + b"}", content_type=JSON))
        assert (answer.status == 201) is (status == 201)
    for body in (deep, b'{"whole": ' + deep + b"}"):
        assert fine(backend.post("/api/things", body, content_type=JSON)).status in (400, 422)
    fine(backend.patch("/api/things/1", b'{"facts": ' + objects + b"}", content_type=MERGE))
    fine(backend.post("/api/things", b"items\n" + deep, content_type=CSV))
    assert fine(backend.post("/checkout", b'{"products": ' + deep + b"}", content_type=JSON)).status in (400, 422)
    assert backend.get("/api/groups?select=things(items,group(things(items)))").status == 200, "no row may spoil an embed"


def test_a_number_that_json_cannot_hold_is_refused_from_texts_too(backend: Asker) -> None:
    for body, media in ((b"real\nNaN", CSV), (b"real\ninf", CSV), (b"real=nan", FORM), (b"real=-inf", FORM)):
        answer = backend.post("/api/things", body, content_type=media)
        assert (answer.status, answer.json["errors"][0]["path"][-5:]) == (422, ".real"), answer
    for text in ("NaN", "sNaN", "Infinity", "1e999999"):
        answer = backend.post("/api/stricts", {"name": "x", "price": text})
        assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, ["$.price"]), answer


def test_every_value_that_cannot_be_stored_is_named_with_its_place(backend: Asker) -> None:
    answer = backend.post("/api/things", [{"money": "1.00"}, {"money": "1.005", "lasts": "P999999999D"}, {"exact": "0.5"}])
    assert answer.status == 422
    assert [error["path"] for error in answer.json["errors"]] == ["$[1].money", "$[1].lasts", "$[2].exact"]
    answer = backend.patch("/api/things/1", {"money": "1.005", "exact": "0.5"})
    assert [error["path"] for error in answer.json["errors"]] == ["$.money", "$.exact"]


def test_columns_leaves_exact_numbers_exact(backend: Asker) -> None:
    body = b'[{"money": 12345678901234.57, "nope": 1e400, "whole": 9007199254740993}]'
    answer = backend.post("/api/things?columns=money,whole&select=money,whole", body, content_type=JSON)
    assert (answer.status, answer.json) == (201, [{"money": "12345678901234.57", "whole": 9007199254740993}])
    assert backend.post("/api/things?columns=whole", b"[1]", content_type=JSON).json["errors"][0]["path"] == "$[0]"
    assert backend.post("/api/things?columns=whole", {"whole": 2**70}).status == 422


# Valid rows ----------------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
whole = st.integers(-(2**63), 2**63 - 1)
number = st.floats(allow_nan=False, allow_infinity=False)
inner_json = st.recursive(
    st.none() | st.booleans() | whole | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "whole": whole,
    "real": number,
    "text": text,
    "yes": st.booleans(),
    "money": st.decimals(Decimal(-(2**63)).scaleb(-2), Decimal(2**63 - 1).scaleb(-2), places=2),
    "exact": whole.map(Decimal),
    "moment": st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)),
    "day": st.dates(),
    "clock": st.times(),
    "lasts": st.timedeltas(timedelta(days=-106_751_991), timedelta(days=106_751_991)),
    "token": st.uuids(),
    "blob": st.binary(max_size=20),
    "colour": st.sampled_from(["red", "green"]),
    "level": st.sampled_from([1, 2, 3]),
    "facts": st.dictionaries(text, inner_json, max_size=3),
    "items": st.lists(inner_json, max_size=3),
    "size": st.fixed_dictionaries({"width": st.integers(0, 1000), "note": st.none() | text}),
    "tags": st.lists(text, max_size=3),
}
READERS: dict[str, type] = {
    "money": Decimal,
    "exact": Decimal,
    "moment": datetime,
    "day": date,
    "clock": time,
    "lasts": timedelta,
}
things = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in VALUES.items()})


def meant(name: str, value: Any) -> object:
    """A value of an answer as the Python value it stands for."""
    return msgspec.convert(value, READERS[name]) if name in READERS and value is not None else value


@quick
@given(things)
@example({"real": 0.1 + 0.2})
@example({"real": 1.7976931348623157e308})
@example({"real": 5e-324, "text": "a\0b", "facts": {"\0": "\0"}})
@example({"lasts": timedelta(microseconds=-1)})
@example({"money": Decimal(-(2**63)).scaleb(-2), "exact": Decimal(-(2**63)), "whole": -(2**63)})
def test_a_row_comes_back_as_it_was_sent_by_every_way(backend: Asker, sent: dict[str, Any]) -> None:
    body = msgspec.json.encode({**sent, "group": "g"})
    made = backend.post("/api/things", body, content_type=JSON)
    assert made.status == 201, made
    row = made.json
    for name in VALUES:
        expected = sent.get(name)
        if expected is not None and name not in READERS:
            expected = msgspec.json.decode(msgspec.json.encode(expected))
        assert meant(name, row[name]) == expected, name
    read = backend.get(made.headers["location"])
    assert (read.body, read.headers["etag"]) == (made.body, made.headers["etag"])

    embedded = backend.get(f"/api/groups?select=things(*)&things.id=eq.{row['id']}").json[0]["things"]
    assert embedded == [row], "JSON made by the database is the JSON made by the codec"

    replaced = backend.put(made.headers["location"], read.body, content_type=JSON)
    assert (replaced.status, replaced.body) == (200, read.body), "what comes out goes in"

    table = backend.get(f"/api/things?id=eq.{row['id']}", accept=CSV).body
    assert backend.delete(made.headers["location"]).status == 204
    again = backend.post("/api/things", table, content_type=CSV)
    expected_row = {**row, "text": row["text"] or None, "blob": row["blob"] or None}  # an empty cell is null
    assert (again.status, again.json) == (201, [expected_row]), table


@quick
@given(things)
def test_a_filter_by_any_value_finds_the_row_that_has_it(backend: Asker, sent: dict[str, Any]) -> None:
    made = backend.post("/api/things", msgspec.json.encode(sent), content_type=JSON).json
    for name in VALUES:
        if name in ("facts", "items", "size", "tags", "blob"):
            continue
        value = made[name]
        spoken = value if isinstance(value, str) else json.dumps(value)
        condition = f"{name}=is.null" if value is None else f"{name}=eq.{_quote(spoken)}"
        found = backend.get(f"/api/things?select=id&id=eq.{made['id']}&{condition}")
        assert (found.status, found.json) == (200, [{"id": made["id"]}]), condition


def test_an_empty_cell_of_a_required_text_is_the_empty_text(tmp_path: Path) -> None:
    class Note(Model, read=anyone, write=anyone):
        key: str = field(key=True)
        text: str
        extra: str | None = None

    with asking(App(models=[Note]), tmp_path) as asker:
        answer = asker.post("/api/notes", b"key,text,extra\r\na,,\r\n", content_type=CSV)
        assert answer.json == [{"key": "a", "text": "", "extra": None}]
        assert asker.post("/api/notes", b"key,text\r\n,x\r\n", content_type=CSV).json["errors"][0]["path"] == "$[0].key"


def test_a_form_is_read_as_a_row_of_a_table(backend: Asker) -> None:
    made = backend.post(
        "/api/things?select=whole,real,yes,tags,text", b"whole=&real=1.5&yes=on&tags=%5B%22a%22%5D&text=x", content_type=FORM
    )
    assert (made.status, made.json) == (201, {"whole": None, "real": 1.5, "yes": True, "tags": ["a"], "text": "x"})
    path = made.headers["location"]
    changed = backend.patch(f"{path}?select=real,text", b"real=", content_type=FORM)
    assert changed.json == {"real": None, "text": "x"}, "an empty field takes a value away"
    assert backend.put("/api/groups/formed", b"", content_type=FORM).status == 201, "the path gives the key"
    bad = backend.post("/api/things", b"whole=x&nope=1", content_type=FORM)
    assert (bad.status, [error["path"] for error in bad.json["errors"]]) == (422, ["$.nope"])
