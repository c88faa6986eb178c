"""The capabilities interaction. http://hl7.org/fhir/R4/http.html#capabilities"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import httpx
import pytest

from resources import validation
from tests.rest.conftest import Start
from tests.rest.expecting import body, events, refused, subtypes


async def statement_of(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.get("metadata")
    assert response.status_code == 200
    return body(response)


def told_of(statement: dict[str, Any], resource_type: str) -> dict[str, Any]:
    (found,) = [each for each in statement["rest"][0]["resource"] if each["type"] == resource_type]
    told: dict[str, Any] = found
    return told


async def test_it_is_valid_and_says_who_and_where(client: httpx.AsyncClient) -> None:
    statement = await statement_of(client)
    issues = validation.check(statement)
    assert [issue for issue in issues if "dom-6" not in issue.diagnostics] == []
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["kind"] == "instance"
    assert statement["software"]["version"] == version("fhir-server")
    assert statement["implementation"]["url"] == str(client.base_url).rstrip("/")
    assert statement["instantiates"]
    assert set(statement["format"]) >= {"application/fhir+json", "json"}
    assert "application/json-patch+json" in statement["patchFormat"]


async def test_settings_are_told(start: Start) -> None:
    async with start(update_create=False, conditional_delete_multiple=True) as client:
        told = told_of(await statement_of(client), "Patient")
        assert (told["updateCreate"], told["conditionalDelete"]) == (False, "multiple")
    async with start() as client:
        told = told_of(await statement_of(client), "Patient")
        assert (told["updateCreate"], told["conditionalDelete"]) == (True, "single")


async def test_every_parameter_it_claims_is_answered(client: httpx.AsyncClient) -> None:
    samples = {
        "token": "x",
        "string": "x",
        "date": "2020",
        "reference": "Patient/x",
        "uri": "http://example.org",
        "number": "5",
        "quantity": "5",
    }
    for resource_type in (
        "Patient",
        "Encounter",
        "Observation",
        "MedicationRequest",
        "AuditEvent",
        "ValueSet",
    ):
        for parameter in told_of(await statement_of(client), resource_type)["searchParam"]:
            if parameter["type"] not in samples:
                continue  # what a composite or special parameter takes depends on its parts
            query = {parameter["name"]: samples[parameter["type"]]}
            response = await client.get(resource_type, params=query)
            assert response.status_code == 200, (resource_type, query, response.text)


async def test_what_audit_events_take_is_told(client: httpx.AsyncClient) -> None:
    told = told_of(await statement_of(client), "AuditEvent")
    assert {each["code"] for each in told["interaction"]} == {
        "read", "vread", "search-type", "history-instance", "history-type", "create",
    }  # fmt: skip


async def test_every_interaction_it_claims_is_answered_for_every_type(client: httpx.AsyncClient) -> None:
    for told in (await statement_of(client))["rest"][0]["resource"]:
        claimed = {each["code"] for each in told["interaction"]}
        allowed = set((await client.options(f"{told['type']}/x")).headers["allow"].split(", "))
        assert ("update" in claimed) == ("PUT" in allowed)
        assert ("delete" in claimed) == ("DELETE" in allowed)
        assert ("read" in claimed) == ("GET" in allowed)


@pytest.mark.parametrize("mode", ["full", "normative"])
async def test_modes(client: httpx.AsyncClient, mode: str) -> None:
    assert (await client.get(f"metadata?mode={mode}")).status_code == 200


async def test_unknown_modes_are_refused(client: httpx.AsyncClient) -> None:
    refused(await client.get("metadata?mode=bogus"), 400, says="mode")


async def test_it_is_audited(client: httpx.AsyncClient) -> None:
    assert subtypes(await events(client, await client.get("metadata"))) == ["capabilities"]


async def test_head_and_summary(client: httpx.AsyncClient) -> None:
    head = await client.head("metadata")
    assert (head.status_code, head.content) == (200, b"")
    summary = body(await client.get("metadata?_summary=true"))
    assert summary["meta"]["tag"][0]["code"] == "SUBSETTED"
    validation.check(summary)
