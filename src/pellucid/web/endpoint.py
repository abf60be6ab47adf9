"""A user's function as an endpoint: typed values in, whatever it returns out as a Response.

In: a function with annotations, its method and path. Out: an `Endpoint` for the router and an `EndpointSpec` for OpenAPI, both
made once at start. Functions with `async` run on the loop, others in a bounded pool of threads. It knows no models: the Call is
made by whoever compiles the endpoint, and so is the JSON of what the function returns.

What is returned decides the answer: a Response as it is, None 204, str text/plain, bytes application/octet-stream, an async
iterator a stream, a Page HTML, everything else JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import get_args, get_origin

import msgspec

from pellucid.http.forms import Form, FormLimits
from pellucid.http.messages import Request, Response
from pellucid.web.arguments import Arguments
from pellucid.web.router import Endpoint, RouteError
from pellucid.web.signature import EndpointSpec, ParameterSpec, Place, read_signature
from pellucid.web.templates import Page, Templates
from pellucid.web.threads import Threads

__all__ = ["EndpointSpec", "ParameterSpec", "Place", "compile_endpoint"]

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain; charset=utf-8\r\n"
_BYTES = b"content-type: application/octet-stream\r\n"

_encode = msgspec.json.Encoder().encode

Respond = Callable[[object], "Response | Awaitable[Response]"]


def compile_endpoint(
    function: Callable[..., object],
    method: str,
    pattern: str,
    *,
    call_type: type,
    make_call: Callable[[Request], object],
    threads: Threads,
    status: int | None = None,
    templates: Templates | None = None,
    encode: Callable[[object], bytes] = _encode,
    limits: FormLimits = FormLimits(),  # noqa: B008 (frozen)
) -> tuple[Endpoint, EndpointSpec]:
    """Make the endpoint and its description. Raises RouteError naming function, parameter and cure.

    `status` replaces 200 (and 204 for None); `encode` makes the JSON of a returned value; `make_call` gives the Call for a
    request to a parameter of type `call_type`.
    """
    spec = read_signature(function, method, pattern, call_type=call_type, status=status)
    try:
        arguments = Arguments(spec, make_call, limits)
    except TypeError as error:
        raise RouteError(f"{method} {pattern}: {spec.name}: {error}") from None
    respond = _responder(spec, encode, templates)
    if inspect.isasyncgenfunction(function):
        return _streaming(function, arguments, respond), spec
    if inspect.iscoroutinefunction(function):
        return _on_loop(function, arguments, respond, spec.name), spec
    return _in_thread(function, arguments, respond, spec.name, threads), spec


def _on_loop(function: Callable[..., Awaitable[object]], arguments: Arguments, respond: Respond, name: str) -> Endpoint:
    async def answer(request: Request, values: tuple[str, ...]) -> Response:
        if not arguments.waits:
            return await finish(request, await function(**arguments.plain(request, values)))
        found, form = await arguments.read(request, values)
        try:
            return await finish(request, await function(**found))
        finally:
            if form is not None:
                form.close()

    async def finish(request: Request, result: object) -> Response:
        if request.trace is not None:
            request.trace.mark("endpoint", name)
        return await _made(request, result, respond)

    return answer


def _in_thread(function: Callable[..., object], arguments: Arguments, respond: Respond, name: str, threads: Threads) -> Endpoint:
    async def answer(request: Request, values: tuple[str, ...]) -> Response:
        found, form = await arguments.read(request, values) if arguments.waits else (arguments.plain(request, values), None)
        try:
            result = await threads.run(function, found, request.trace)
            if request.trace is not None:
                request.trace.mark("endpoint", f"{name}, in a thread")
            return await _made(request, result, respond)
        finally:
            if form is not None:
                form.close()

    return answer


def _streaming(function: Callable[..., AsyncIterator[object]], arguments: Arguments, respond: Respond) -> Endpoint:
    async def answer(request: Request, values: tuple[str, ...]) -> Response:
        found, form = await arguments.read(request, values) if arguments.waits else (arguments.plain(request, values), None)
        chunks = function(**found)
        return await _made(request, chunks if form is None else _closing(chunks, form), respond)

    return answer


async def _made(request: Request, result: object, respond: Respond) -> Response:
    """The Response of what a function returned, and the station that making it is."""
    response = respond(result)
    if not isinstance(response, Response):
        response = await response
    if request.trace is not None and response is not result:
        request.trace.mark("render" if isinstance(result, Page) else "encode")
    return response


async def _closing(chunks: AsyncIterator[object], form: Form) -> AsyncIterator[object]:
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        form.close()


def _responder(spec: EndpointSpec, encode: Callable[[object], bytes], templates: Templates | None) -> Respond:
    """What turns a returned value into a Response, its header lines made once."""
    status = spec.status or 200
    empty = spec.status or 204
    stream_type = _TEXT if str in get_args(spec.returns) and get_origin(spec.returns) is not None else _BYTES

    def respond(value: object) -> Response | Awaitable[Response]:
        if value is None:
            return Response(empty)
        kind = type(value)
        if kind is Response:
            return value  # type: ignore[return-value]
        if kind is str:
            return Response(status, value.encode(), fixed=_TEXT)  # type: ignore[attr-defined]
        if kind is bytes:
            return Response(status, value, fixed=_BYTES)  # type: ignore[arg-type]
        if kind is Page:
            if templates is None:
                raise RuntimeError(f"{spec.name} returns a Page, but the application has no templates folder")
            return templates.respond(value)  # type: ignore[arg-type]
        if isinstance(value, Response):
            return value
        if isinstance(value, AsyncIterator):
            return _start_stream(value, status, stream_type)
        return Response(status, encode(value), fixed=_JSON)

    return respond


async def _start_stream(chunks: AsyncIterator[object], status: int, fixed: bytes) -> Response:
    """Take the first piece before the head is sent, so that a stream that fails at once is a proper problem."""
    try:
        first = _piece(await anext(chunks))
    except StopAsyncIteration:
        return Response(status, fixed=fixed)
    return Response(status, _stream(first, chunks), fixed=fixed)


async def _stream(first: bytes, chunks: AsyncIterator[object]) -> AsyncIterator[bytes]:
    try:
        if first:
            yield first
        async for chunk in chunks:
            if piece := _piece(chunk):
                yield piece
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def _piece(chunk: object) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"a stream yields bytes or str, not {type(chunk).__name__}")
