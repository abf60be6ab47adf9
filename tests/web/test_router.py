"""The router: every rule of precedence, each way it can refuse, and that no order of declaration changes an answer."""

from __future__ import annotations

import itertools

import pytest

from pellucid.errors import METHOD_NOT_ALLOWED, NOT_FOUND, Problem
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.web.router import Endpoint, Route, RouteError, Router, parameters


def named(name: str) -> Endpoint:
    """An endpoint that answers with its own name and the values it got."""

    def endpoint(_request: Request, values: tuple[str, ...]) -> Response:
        return Response(200, f"{name}{list(values)}".encode())

    return endpoint


def routes(*declared: str) -> list[Route]:
    return [Route(*line.split(), named(line)) for line in declared]


def ask(router: Router, method: str, target: str) -> Response:
    request = Request(method, target, Headers())
    endpoint, values = router.resolve(request)
    response = endpoint(request, values)
    assert isinstance(response, Response)
    return response


DECLARED = (
    "GET /",
    "GET /posts",
    "POST /posts",
    "GET /posts/new",
    "GET /posts/{id:int}",
    "GET /posts/{slug}",
    "DELETE /posts/{slug}",
    "GET /posts/{slug}/comments/{n}",
    "GET /posts/{slug}/comments/last",
    "GET /files/{rest:path}",
    "GET /files/{name}",
    "GET /a/{x}/c",
    "GET /{x}/b/c",
    "GET /folder/",
)

ANSWERS = {
    "/": "GET /[]",
    "/posts": "GET /posts[]",
    "/posts/new": "GET /posts/new[]",
    "/posts/12": "GET /posts/{id:int}['12']",
    "/posts/-3": "GET /posts/{id:int}['-3']",
    "/posts/1²": "GET /posts/{slug}['1²']",
    "/posts/tea": "GET /posts/{slug}['tea']",
    "/posts/tea/comments/4": "GET /posts/{slug}/comments/{n}['tea', '4']",
    "/posts/tea/comments/last": "GET /posts/{slug}/comments/last['tea']",
    "/files/one": "GET /files/{name}['one']",
    "/files/one/two": "GET /files/{rest:path}['one/two']",
    "/files/": "GET /files/{rest:path}['']",
    "/a/b/c": "GET /a/{x}/c['b']",
    "/z/b/c": "GET /{x}/b/c['z']",
    "/posts/a%2Fb": "GET /posts/{slug}['a/b']",
    "/posts/a%20b?x=%2F": "GET /posts/{slug}['a b']",
    "/posts%2Fnew": None,
    "/posts/": None,
    "/posts//comments/4": None,
}


@pytest.mark.parametrize("target", ANSWERS)
def test_the_most_specific_route_answers(target: str) -> None:
    router = Router(routes(*DECLARED))
    answer = ANSWERS[target]
    if answer is not None:
        assert ask(router, "GET", target).body == answer.encode()
    elif target == "/posts/":
        assert ask(router, "GET", target).status == 308
    else:
        with pytest.raises(Problem):
            ask(router, "GET", target)


def test_the_order_of_declaration_never_matters() -> None:
    chosen = ("GET /posts/{id:int}", "GET /posts/{slug}", "GET /posts/new", "GET /{x}/b/c", "GET /posts/{rest:path}")
    for order in itertools.permutations(chosen):
        router = Router(routes(*order))
        for target in ("/posts/new", "/posts/7", "/posts/tea", "/posts/b/c", "/posts/q/r/s"):
            expected = ask(Router(routes(*chosen)), "GET", target).body
            assert ask(router, "GET", target).body == expected


def test_a_method_that_only_a_less_specific_route_offers_is_still_answered() -> None:
    router = Router(routes("POST /posts/new", "GET /posts/{slug}"))
    assert ask(router, "GET", "/posts/new").body == b"GET /posts/{slug}['new']"


def test_head_follows_get_and_options_is_answered_with_allow() -> None:
    router = Router(routes(*DECLARED))
    assert ask(router, "HEAD", "/posts/new").body == b"GET /posts/new[]"
    answer = ask(router, "OPTIONS", "/posts")
    assert (answer.status, answer.header("allow")) == (204, "GET, HEAD, POST, OPTIONS")
    assert ask(router, "OPTIONS", "/posts/tea").header("allow") == "GET, HEAD, DELETE, OPTIONS"
    assert "PATCH" in str(ask(router, "OPTIONS", "*").header("allow"))


def test_a_method_that_is_not_offered_is_405_with_the_exact_allow() -> None:
    with pytest.raises(Problem) as caught:
        ask(Router(routes(*DECLARED)), "PATCH", "/posts")
    assert caught.value.code is METHOD_NOT_ALLOWED
    assert caught.value.headers == (("allow", "GET, HEAD, POST, OPTIONS"),)


def test_a_missing_path_names_near_ones_only_where_hints_are_on() -> None:
    with pytest.raises(Problem) as caught:
        ask(Router(routes(*DECLARED), hints=True), "GET", "/post/tea/comments/4")
    assert caught.value.code is NOT_FOUND
    assert caught.value.hint == "did you mean /posts/{slug}/comments/{n} or /posts/{slug}/comments/last?"
    with pytest.raises(Problem) as caught:
        ask(Router(routes(*DECLARED)), "GET", "/post/tea/comments/4")
    assert caught.value.hint is None


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/posts/?a=b", "/posts?a=b"),
        ("/folder", "/folder/"),
        ("/posts/t%20a/", "/posts/t%20a"),
        ("/posts/tea/comments/4/", "/posts/tea/comments/4"),
    ],
)
def test_the_other_form_with_or_without_a_slash_redirects_to_the_one_that_exists(target: str, location: str) -> None:
    answer = ask(Router(routes(*DECLARED)), "GET", target)
    assert (answer.status, answer.header("location")) == (308, location)


@pytest.mark.parametrize("target", ["//evil.example/", "/\\evil.example/", "//evil.example"])
def test_a_redirect_never_leads_to_another_site(target: str) -> None:
    router = Router(routes("GET /{a}", "GET /{a}/{rest:path}", "GET //{b}"))
    answer = ask(router, "GET", target)
    if answer.status == 308:
        location = str(answer.header("location"))
        assert location.startswith("/")
        assert location[1:2] not in ("/", "\\")


def test_the_fallback_gets_what_no_route_fits_and_its_404_keeps_the_hint() -> None:
    def files(request: Request, values: tuple[str, ...]) -> Response:
        if values != ("/logo.png",):
            raise Problem(NOT_FOUND)
        return Response(200, b"logo")

    router = Router(routes(*DECLARED), fallback=files, hints=True)
    assert ask(router, "GET", "/logo.png").body == b"logo"
    assert ask(router, "GET", "/posts").body == b"GET /posts[]"
    with pytest.raises(Problem) as caught:
        ask(router, "GET", "/postz")
    assert caught.value.hint is not None
    assert "/posts" in caught.value.hint


def test_two_routes_for_the_same_requests_fail_at_start_and_both_are_named() -> None:
    with pytest.raises(RouteError, match=r"GET /a/\{x\} \(one\) and GET /a/\{y\} \(two\)"):
        Router([Route("GET", "/a/{x}", named(""), "one"), Route("GET", "/a/{y}", named(""), "two")])


@pytest.mark.parametrize("pattern", ["a", "/{x}/{x}", "/{rest:path}/a", "/{x}.json", "/{x:float}", "/{}", "/a}b", "/{1x}"])
def test_a_malformed_pattern_fails_at_start(pattern: str) -> None:
    with pytest.raises(RouteError, match=r"GET"):
        Router([Route("GET", pattern, named(""))])


def test_the_names_of_parameters_come_in_order() -> None:
    assert parameters("/a/{x}/{n:int}/{rest:path}") == ("x", "n", "rest")


def test_every_route_is_listed_as_declared() -> None:
    declared = routes(*DECLARED)
    assert Router(declared).routes() == tuple(declared)
