"""The running server against its own OpenAPI document: what it answers is what the document says."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from capability.openapi import openapi

OPERATIONS = [
    (path, method)
    for path, item in openapi(base_url="http://127.0.0.1/fhir", title="", version="")["paths"].items()
    for method in item
]
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]
EXAMPLES = 6
WITHOUT_INPUT = {"/health/live", "/health/ready", "/metrics"}


def conformity(case: Any, root: str) -> None:
    case.call_and_validate(base_url=root, checks=CHECKS, timeout=30)


async def document_of(client: httpx.AsyncClient) -> dict[str, Any]:
    root = f"http://127.0.0.1:{client.base_url.port}"
    document: dict[str, Any] = (await client.get(f"{root}/openapi.json")).json()
    return document


async def test_the_document_served_is_that_of_the_table(client: httpx.AsyncClient) -> None:
    document = await document_of(client)
    assert [(path, method) for path, item in document["paths"].items() for method in item] == OPERATIONS
    assert document["servers"] == [{"url": f"http://127.0.0.1:{client.base_url.port}"}]


@pytest.mark.parametrize(
    ("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS]
)
async def test_answers_are_those_of_the_document(client: httpx.AsyncClient, path: str, method: str) -> None:
    await client.put("Patient/1", json={"resourceType": "Patient", "id": "1"})
    root = f"http://127.0.0.1:{client.base_url.port}"
    schema = schemathesis.openapi.from_dict(await document_of(client))
    operation = schema[path][method.upper()]
    strategy = operation.as_strategy()
    if path not in WITHOUT_INPUT and not (method == "options" and "{" not in path):
        strategy |= operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=2 * EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def conforms(case: Any) -> None:
        conformity(case, root)

    await asyncio.to_thread(conforms)


async def test_what_the_document_does_not_say_is_noticed(client: httpx.AsyncClient) -> None:
    document = await document_of(client)
    root = f"http://127.0.0.1:{client.base_url.port}"
    document["paths"]["/health/live"]["get"]["responses"] = {"204": {"description": "x"}}
    case = schemathesis.openapi.from_dict(document)["/health/live"]["GET"].Case()
    with pytest.raises(BaseExceptionGroup, match="Undocumented status code"):
        await asyncio.to_thread(conformity, case, root)
