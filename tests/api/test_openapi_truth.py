"""The API's description tells the truth: schemathesis asks all that it offers, on a real socket, and judges all answers by it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from everything import make
from pellucid.api.openapi import openapi
from pellucid.server import worker
from pellucid.settings import Settings
from pellucid.sql import migrate

CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip


def described() -> dict[str, Any]:
    """The document without its "default" answers: each status must be named."""
    app = make()

    async def describe() -> Any:
        backend = app.backend(Settings(database=":memory:"))
        await backend.start()
        try:
            return openapi(app.catalog, backend.endpoints)
        finally:
            await backend.stop()

    document = asyncio.run(describe())
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation["responses"].pop("default", None)
    return document


DOCUMENT = described()
OPERATIONS = [
    operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values() if isinstance(operation, dict)
]


FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
ENDPOINTS = ["checkout", "add", "named", "thing", "nothing", "healthz", "readyz"]
ACCEPTED = st.sampled_from(
    [None, "*/*", "text/csv", "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json", "text/html"]
)
PREFERRED = st.sampled_from(
    [None, "return=representation", "count=exact", "resolution=merge-duplicates", "resolution=ignore-duplicates", "tx=rollback",
        "handling=strict, nonsense", "max-affected=0"]
)  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running backend with a few rows, on a thread of its own."""
    app = make()
    path = tmp_path_factory.mktemp("truth") / "test.db"
    migrate.update(app.catalog, path)
    addresses: list[str] = []
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        backend = app.backend(Settings(database=str(path)))
        await backend.start()
        async with worker.running(backend.handler) as address:
            addresses.append(address)
            up.set()
            await asyncio.to_thread(down.wait)
        await backend.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert up.wait(10)
    try:
        for collection, row in (("groups", {"name": "g"}), ("things", {"group": "g", "whole": 1}), ("stricts", {"name": "x"})):
            assert requests.post(f"{addresses[0]}/api/{collection}", json=row, timeout=10).status_code == 201
        yield addresses[0]
    finally:
        down.set()
        thread.join(10)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_as_described(schema: Any, address: str, name: str, mode: GenerationMode) -> None:
    operation = schema.find_operation_by_id(name)
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters or operation.query):
        return  # nothing to be wrong about

    with requests.Session() as session:

        @settings(
            max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy(generation_mode=mode), ACCEPTED, PREFERRED)
        def ask(case: Case, accept: str | None, prefer: str | None) -> None:
            if mode is GenerationMode.POSITIVE and name not in ENDPOINTS:
                wishes = {"Accept": accept, "Prefer": prefer}
                case.headers = {**case.headers, **{key: value for key, value in wishes.items() if value}}
            if mode is GenerationMode.NEGATIVE and case.media_type in FORMS and isinstance(case.body, dict):
                # A form has no nulls and no nesting, and an empty field is no value, whatever its schema.
                assume(not any(value in ("", None) or isinstance(value, (dict, list)) for value in case.body.values()))
            response = case.call(base_url=address, session=session)
            case.validate_response(response, checks=CHECKS)

        ask()
