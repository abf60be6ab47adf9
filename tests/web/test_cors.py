"""CORS: exactly the configured origins may read, preflights are answered, and a wrong configuration fails at start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from pellucid.errors import FORBIDDEN, Problem
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.web.cors import Cors, CorsStep

SHOP = "https://shop.example"
SHARED = Response(200, b"ok", headers=[("etag", '"a"')])


def handler(request: Request) -> Response | Awaitable[Response]:
    if request.path == "/forbidden":
        raise Problem(FORBIDDEN)
    return later(request) if request.path.startswith("/later") else SHARED


async def later(request: Request) -> Response:
    if request.path == "/later/forbidden":
        raise Problem(FORBIDDEN)
    return SHARED


def ask(cors: Cors, method: str = "GET", path: str = "/", **fields: str) -> dict[str, str]:
    headers = Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()])
    try:
        answer = CorsStep(cors)(Request(method, path, headers), handler)
        if not isinstance(answer, Response):

            async def wait() -> Response:
                return await answer

            answer = asyncio.run(wait())
    except Problem as problem:
        return dict(problem.headers)
    return dict(answer.headers)


@pytest.mark.parametrize("path", ["/", "/later", "/forbidden", "/later/forbidden"])
def test_a_configured_origin_may_read_answers_and_refusals(path: str) -> None:
    found = ask(Cors((SHOP,), credentials=True), path=path, origin=SHOP)
    assert found["access-control-allow-origin"] == SHOP
    assert found["access-control-allow-credentials"] == "true"
    exposed = found["access-control-expose-headers"].split(", ")
    assert {"ETag", "Link", "Content-Range", "Location", "X-Request-Id", "Server-Timing"} <= set(exposed)
    assert found["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null", ""]
)
def test_no_other_origin_may(origin: str) -> None:
    found = ask(Cors((SHOP,)), origin=origin)
    assert "access-control-allow-origin" not in found
    assert found["vary"] == "Origin"


def test_an_answer_without_an_origin_varies_too_and_anybody_needs_no_vary() -> None:
    assert ask(Cors((SHOP,)))["vary"] == "Origin"
    assert ask(Cors(("*",))) == {"etag": '"a"'}
    assert ask(Cors(("*",)), origin="https://any.example")["access-control-allow-origin"] == "*"


def test_a_preflight_is_answered_for_allowed_methods_and_headers() -> None:
    found = ask(
        Cors((SHOP,)),
        "OPTIONS",
        origin=SHOP,
        access_control_request_method="PATCH",
        access_control_request_headers="Content-Type, Prefer",
    )
    assert found["access-control-allow-origin"] == SHOP
    assert "PATCH" in found["access-control-allow-methods"]
    assert found["access-control-allow-headers"] == "Content-Type, Prefer"
    assert found["access-control-max-age"] == "7200"


@pytest.mark.parametrize(
    ("origin", "method", "names"),
    [("https://evil.example", "GET", ""), (SHOP, "TRACE", ""), (SHOP, "GET", "x-secret")],
)
def test_a_preflight_for_anything_else_allows_nothing(origin: str, method: str, names: str) -> None:
    found = ask(
        Cors((SHOP,)), "OPTIONS", origin=origin, access_control_request_method=method, access_control_request_headers=names
    )
    assert not [name for name in found if name.startswith("access-control")]
    assert "Origin" in found["vary"]


def test_a_response_that_is_shared_is_never_changed() -> None:
    ask(Cors((SHOP,)), origin=SHOP)
    assert SHARED.headers == [("etag", '"a"')]


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ("*",), "credentials": True},
        {"origins": ("*", SHOP)},
        {"origins": ("shop.example",)},
        {"origins": ("https://*.example",)},
        {"origins": (SHOP + "/",)},
    ],
)
def test_a_wrong_configuration_fails_at_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="CORS origin"):
        Cors(**wrong)  # type: ignore[arg-type]
