"""Endpoints from typed functions: where values come from, what becomes of bad ones and of results, what fails at start."""

from __future__ import annotations

import asyncio
import datetime
import enum
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from annotated_types import Ge, Gt, Le, Len

from pellucid.errors import (
    INVALID_BODY,
    INVALID_PARAMETER,
    MALFORMED_BODY,
    NOT_FOUND,
    OVERLOADED,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from pellucid.http.forms import UploadFile
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.spans import Trace
from pellucid.web.endpoint import EndpointSpec, Place, compile_endpoint
from pellucid.web.router import RouteError, parameters
from pellucid.web.templates import Page, Templates
from pellucid.web.threads import Threads


class Call:
    def __init__(self, request: Request) -> None:
        self.request = request


class Colour(enum.Enum):
    RED = "red"


class Cart(msgspec.Struct):
    name: Annotated[str, Len(1, 5)]
    price: Annotated[Decimal, Ge(0)] = Decimal(1)
    tags: list[str] = []


@dataclass
class Point:
    x: int
    y: int = 0


@pytest.fixture
def threads() -> Iterator[Threads]:
    pool = Threads(2, 1)
    yield pool
    pool.close()


def build(
    function: Callable[..., object], method: str, pattern: str, threads: Threads, **options: Any
) -> tuple[Any, EndpointSpec]:
    return compile_endpoint(function, method, pattern, call_type=Call, make_call=Call, threads=threads, **options)


def ask(
    endpoint: Any, method: str = "GET", target: str = "/", *values: str, body: bytes = b"", type: str = "application/json"
) -> tuple[int, bytes, str | None]:
    """Status, whole body and content type of the answer."""

    async def answer() -> tuple[int, bytes, str | None]:
        headers = Headers([(b"content-type", type.encode())] if body else [])
        response = endpoint(Request(method, target, headers, body=body), values)
        if not isinstance(response, Response):
            response = await response
        data = response.body if isinstance(response.body, bytes) else b"".join([chunk async for chunk in response.body])
        return response.status, data, response.header("content-type")

    return asyncio.run(answer())


def refused(code: object, endpoint: Any, *arguments: str, **options: Any) -> dict[str, str]:
    with pytest.raises(Problem) as caught:
        ask(endpoint, *arguments, **options)
    assert caught.value.code is code
    return {error.path: error.code for error in caught.value.errors}


def test_values_come_from_path_query_call_and_request(threads: Threads) -> None:
    async def find(
        call: Call, request: Request, city: int, km: Annotated[float, Gt(0), Le(500)] = 50.0, tag: list[str] | None = None
    ) -> object:
        """Find cities.

        Nearest first.
        """
        assert call.request is request
        return [city, km, tag]

    endpoint, spec = build(find, "GET", "/near/{city}", threads)
    assert ask(endpoint, "GET", "/near/3", "3") == (200, b"[3,50.0,null]", "application/json")
    assert ask(endpoint, "GET", "/near/3?km=2&tag=a&tag=b%20c&other=1", "3")[1] == b'[3,2.0,["a","b c"]]'
    assert (spec.summary, spec.description) == ("Find cities.", "Nearest first.")
    assert [(p.name, p.where, p.required) for p in spec.at(Place.PATH, Place.QUERY)] == [
        ("city", Place.PATH, True),
        ("km", Place.QUERY, False),
        ("tag", Place.QUERY, False),
    ]


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        (str, "a%2Bb", "a+b"),
        (int, "-3", -3),
        (float, "1e3", 1000.0),
        (bool, "true", True),
        (Decimal, "1.10", Decimal("1.10")),
        (datetime.datetime, "2020-01-01T00:00:00Z", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
        (datetime.date, "2020-01-01", datetime.date(2020, 1, 1)),
        (uuid.UUID, "12345678123456781234567812345678", uuid.UUID(int=0x12345678123456781234567812345678)),
        (Colour, "red", Colour.RED),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], "2", 2),
        (int | None, "4", 4),
        (Annotated[int, Ge(1)] | None, "4", 4),
        (list[int], "4", [4]),
    ],
)
def test_every_scalar_is_converted(kind: Any, sent: str, value: object, threads: Threads) -> None:
    seen: list[object] = []

    async def take(value: kind) -> None:  # type: ignore[valid-type]
        seen.append(value)

    take.__annotations__ = {"value": kind}
    endpoint, _ = build(take, "GET", "/", threads)
    assert ask(endpoint, "GET", f"/?value={sent}")[0] == 204
    assert seen == [value]


def test_all_bad_parameters_are_named_at_once(threads: Threads) -> None:
    async def take(
        id: int, page: Annotated[int, Ge(1)], colour: Colour = Colour.RED, most: float = 1.0, q: list[int] | None = None
    ) -> None: ...

    endpoint, _ = build(take, "GET", "/{id}", threads)
    assert refused(INVALID_PARAMETER, endpoint, "GET", "/x?page=0&colour=blue&most=x&q=1&q=z", "x") == {
        "path.id": "wrong-type",
        "query.page": "too-small",
        "query.colour": "not-a-choice",
        "query.most": "wrong-type",
        "query.q[1]": "wrong-type",
    }
    assert refused(INVALID_PARAMETER, endpoint, "GET", "/1", "1") == {"query.page": "missing"}
    assert refused(INVALID_PARAMETER, endpoint, "GET", "/1?page=1&page=2", "1") == {"query.page": "given-twice"}
    assert refused(INVALID_PARAMETER, endpoint, "GET", "/1?page=1&most=nan", "1") == {"query.most": "invalid"}


def test_a_query_never_replaces_a_path_value(threads: Threads) -> None:
    async def take(id: str) -> str:
        return id

    endpoint, _ = build(take, "GET", "/{id}", threads)
    assert ask(endpoint, "GET", "/a?id=b", "a")[1] == b"a"


def test_a_body_is_decoded_into_its_type(threads: Threads) -> None:
    async def add(cart: Cart) -> Cart:
        return cart

    async def move(point: Point, twice: bool = False) -> Point:
        return point

    endpoint, spec = build(add, "POST", "/", threads, status=201)
    whole = b'{"name":"tea","price":"2.50","tags":["a"]}'
    assert ask(endpoint, "POST", body=whole) == (201, whole, "application/json")
    assert spec.body is not None
    assert spec.body.type is Cart
    form = b"name=tea&price=2.50&tags=a"
    assert ask(endpoint, "POST", body=form, type="application/x-www-form-urlencoded")[1] == whole
    endpoint, _ = build(move, "POST", "/", threads)
    assert ask(endpoint, "POST", "/?twice=true", body=b'{"x":1}')[1] == b'{"x":1,"y":0}'


def test_all_bad_fields_and_parameters_are_named_at_once(threads: Threads) -> None:
    async def add(cart: Cart, n: int = 0) -> None: ...

    endpoint, _ = build(add, "POST", "/", threads)
    body = b'{"nam":"","price":"-1","tags":[1]}'
    expected = {"$.name": "missing", "$.price": "too-small", "$.tags[0]": "wrong-type", "$.nam": "unknown-field"}
    assert refused(INVALID_BODY, endpoint, "POST", body=body) == expected
    assert refused(INVALID_PARAMETER, endpoint, "POST", "/?n=x", body=body) == {"query.n": "wrong-type", **expected}
    assert refused(INVALID_BODY, endpoint, "POST", body=b"price=1", type="application/x-www-form-urlencoded") == {
        "$.name": "missing"
    }
    assert refused(INVALID_BODY, endpoint, "POST") == {"$": "missing"}
    refused(MALFORMED_BODY, endpoint, "POST", body=b"{")
    refused(UNSUPPORTED_MEDIA_TYPE, endpoint, "POST", body=b"{}", type="text/plain")


def test_a_body_may_be_optional_raw_or_of_any_shape(threads: Threads) -> None:
    async def optional(cart: Cart | None = None) -> bool:
        return cart is None

    async def raw(data: bytes) -> int:
        return len(data)

    async def shapeless(data: dict[str, object]) -> object:
        return data

    async def several(carts: list[Cart]) -> int:
        return len(carts)

    assert ask(build(optional, "POST", "/", threads)[0], "POST")[1] == b"true"
    assert ask(build(optional, "POST", "/", threads)[0], "POST", body=b'{"name":"a"}')[1] == b"false"
    assert ask(build(raw, "PUT", "/", threads)[0], "PUT", body=b"\x00\x01", type="x/y")[1] == b"2"
    assert ask(build(shapeless, "POST", "/", threads)[0], "POST", body=b'{"a":[1]}')[1] == b'{"a":[1]}'
    assert ask(build(several, "POST", "/", threads)[0], "POST", body=b'[{"name":"a"},{"name":"b"}]')[1] == b"2"


def test_files_come_from_a_multipart_body_and_are_closed_afterwards(threads: Threads) -> None:
    kept: list[UploadFile] = []

    async def upload(file: UploadFile, point: Point, more: list[UploadFile]) -> object:
        kept.append(file)
        return [file.filename, (await file.read()).decode(), point.x, [other.filename for other in more]]

    endpoint, _ = build(upload, "POST", "/", threads)
    parts = [
        'name="file"; filename="a.txt"\r\n\r\nhello',
        'name="x"\r\n\r\n3',
        'name="more"; filename="b"\r\n\r\n1',
        'name="more"; filename="c"\r\n\r\n2',
    ]
    body = "".join(f"--B\r\nContent-Disposition: form-data; {part}\r\n" for part in parts).encode()
    multipart = "multipart/form-data; boundary=B"
    answer = ask(endpoint, "POST", body=body + b"--B--\r\n", type=multipart)
    assert answer[1] == b'["a.txt","hello",3,["b","c"]]'
    assert kept[0].file.closed
    body = b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n3\r\n--B--\r\n'
    assert refused(INVALID_BODY, endpoint, "POST", body=body, type=multipart) == {"$.file": "missing"}
    refused(UNSUPPORTED_MEDIA_TYPE, endpoint, "POST", body=b"{}")


def test_beside_a_file_the_other_fields_of_the_form_are_parameters(threads: Threads) -> None:
    async def upload(album: int, file: UploadFile, title: str, stars: int = 3, tags: list[str] | None = None) -> object:
        return [album, file.filename, title, stars, tags]

    endpoint, spec = build(upload, "POST", "/{album}", threads)
    assert [parameter.name for parameter in spec.parameters if parameter.in_form] == ["title", "stars", "tags"]
    multipart = "multipart/form-data; boundary=B"

    def sent(*parts: str) -> bytes:
        parts = ('name="file"; filename="a.txt"\r\n\r\nhello', *parts)
        return "".join(f"--B\r\nContent-Disposition: form-data; {part}\r\n" for part in parts).encode() + b"--B--\r\n"

    fields = ['name="title"\r\n\r\nTea', 'name="tags"\r\n\r\na', 'name="tags"\r\n\r\nb', 'name="album"\r\n\r\n9']
    assert ask(endpoint, "POST", "/7", "7", body=sent(*fields), type=multipart)[1] == b'[7,"a.txt","Tea",3,["a","b"]]'
    both = ask(endpoint, "POST", "/7?title=Milk&stars=5", "7", body=sent(*fields), type=multipart)
    assert both[1] == b'[7,"a.txt","Tea",5,["a","b"]]', "the form comes first, then the query"
    assert ask(endpoint, "POST", "/7?title=Milk", "7", body=sent(), type=multipart)[1] == b'[7,"a.txt","Milk",3,null]'
    wrong = refused(INVALID_PARAMETER, endpoint, "POST", "/x", "x", body=sent('name="stars"\r\n\r\nmany'), type=multipart)
    assert wrong == {"path.album": "wrong-type", "form.title": "missing", "form.stars": "wrong-type"}


class Sub(Response):
    pass


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (None, (204, b"", None)),
        ("h\u00e9", (200, "h\u00e9".encode(), "text/plain; charset=utf-8")),
        (b"\x00", (200, b"\x00", "application/octet-stream")),
        ({"a": 1}, (200, b'{"a":1}', "application/json")),
        ([Point(1)], (200, b'[{"x":1,"y":0}]', "application/json")),
        (Decimal("1.10"), (200, b'"1.10"', "application/json")),
        (3, (200, b"3", "application/json")),
        (Response(418, b"tea"), (418, b"tea", None)),
        (Sub(418, b"tea"), (418, b"tea", None)),
    ],
)
@pytest.mark.parametrize("in_thread", [False, True])
def test_what_is_returned_decides_the_answer(result: object, answer: object, in_thread: bool, threads: Threads) -> None:
    async def later() -> object:
        return result

    def blocking() -> object:
        assert threading.current_thread() is not threading.main_thread()
        return result

    assert ask(build(blocking if in_thread else later, "GET", "/", threads)[0]) == answer


def test_an_async_iterator_is_streamed_and_closed(threads: Threads) -> None:
    closed: list[bool] = []

    async def words() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "\u00e9"
        finally:
            closed.append(True)

    assert ask(build(words, "GET", "/", threads)[0]) == (200, "a\u00e9".encode(), "text/plain; charset=utf-8")
    assert closed == [True]

    async def fails() -> AsyncIterator[bytes]:
        raise Problem(NOT_FOUND)
        yield b""

    refused(NOT_FOUND, build(fails, "GET", "/", threads)[0])

    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    assert ask(build(nothing, "GET", "/", threads)[0])[:2] == (200, b"")


def test_a_page_is_rendered_and_escaped(threads: Threads, tmp_path: Path) -> None:
    (tmp_path / "hello.html").write_text("<p>{{ name }}</p>")

    async def hello(name: str) -> Page:
        return Page("hello.html", {"name": name}, 201)

    endpoint, _ = build(hello, "GET", "/", threads, templates=Templates(tmp_path))
    assert ask(endpoint, "GET", "/?name=%3Cb%3E") == (201, b"<p>&lt;b&gt;</p>", "text/html; charset=utf-8")


tenant: ContextVar[str] = ContextVar("tenant")


def test_a_function_in_a_thread_sees_the_context_and_its_wait_is_marked(threads: Threads) -> None:
    def read() -> str:
        return tenant.get()

    endpoint, _ = build(read, "GET", "/", threads)
    trace = Trace("t", 0)

    async def answer() -> Response:
        tenant.set("acme")
        response: Response = await endpoint(Request("GET", "/", Headers(), trace=trace), ())
        return response

    assert asyncio.run(answer()).body == b"acme"
    assert [(name, detail) for name, _, detail, _ in trace.marks] == [
        ("thread", "waited for a thread"),
        ("endpoint", "read, in a thread"),
        ("encode", None),
    ]


def test_making_the_answer_is_a_station_of_its_own(threads: Threads, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>")

    async def page() -> Page:
        return Page("page.html")

    async def words() -> AsyncIterator[str]:
        yield "one"

    async def plain() -> Response:
        return Response(204)

    async def number() -> int:
        return 1

    cases = ((page, ["endpoint", "render"]), (words, ["encode"]), (plain, ["endpoint"]), (number, ["endpoint", "encode"]))
    for function, stations in cases:
        endpoint, _ = build(function, "GET", "/", threads, templates=Templates(tmp_path))
        trace = Trace("t", 0)
        asyncio.run(endpoint(Request("GET", "/", Headers(), trace=trace), ()))
        assert [mark[0] for mark in trace.marks] == stations


def test_more_calls_than_threads_and_queue_hold_are_refused_at_once(threads: Threads) -> None:
    gate = threading.Event()

    def wait() -> str:
        assert gate.wait(10)
        return "done"

    endpoint, _ = build(wait, "GET", "/", threads)

    async def crowd() -> None:
        first = [asyncio.ensure_future(endpoint(Request("GET", "/", Headers()), ())) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await endpoint(Request("GET", "/", Headers()), ())
        assert caught.value.code is OVERLOADED
        assert caught.value.headers == (("retry-after", "1"),)
        gate.set()
        assert [response.body for response in await asyncio.gather(*first)] == [b"done"] * 3
        assert (await endpoint(Request("GET", "/", Headers()), ())).body == b"done"

    asyncio.run(crowd())


async def untyped(name) -> None: ...  # type: ignore[no-untyped-def]
async def spread(**names: int) -> None: ...
async def positional(name: int, /) -> None: ...
async def unknown(name: set[object]) -> None: ...
async def path_struct(id: Cart) -> None: ...
async def two_bodies(a: Cart, b: Point) -> None: ...
async def one_body(cart: Cart) -> None: ...
async def misspelt(idd: int) -> None: ...
async def unresolved(name: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def lossy(carts: dict[str, list[Annotated[Decimal, Ge(0)]]]) -> None: ...
def generator() -> Iterator[str]:
    yield ""


@pytest.mark.parametrize(
    ("function", "method", "pattern", "message"),
    [
        (untyped, "GET", "/", "the parameter 'name' has no type; write for instance 'name: str'"),
        (spread, "GET", "/", "cannot be filled; write out the parameters by name"),
        (positional, "GET", "/", "cannot be filled"),
        (unknown, "GET", "/", "the parameter 'name' cannot be set"),
        (path_struct, "GET", "/{id}", "the path parameter 'id' cannot be Cart"),
        (two_bodies, "POST", "/", "a and b would both be the body; put them into one Struct"),
        (one_body, "GET", "/", "GET has no body, so 'cart' cannot be filled; use POST"),
        (misspelt, "GET", "/{id}", "no parameter of that name; did you mean 'idd'"),
        (unresolved, "GET", "/", "annotations cannot be read"),
        (lossy, "POST", "/", "cannot be kept"),
        (generator, "GET", "/", "make it an async one"),
    ],
)
def test_a_wrong_signature_fails_at_start_with_its_cure(
    function: Callable[..., object], method: str, pattern: str, message: str, threads: Threads
) -> None:
    with pytest.raises(RouteError) as caught:
        build(function, method, pattern, threads)
    assert message in str(caught.value)
    assert function.__name__ in str(caught.value)
    assert f"{method} {pattern}" in str(caught.value)
    parameters(pattern)
