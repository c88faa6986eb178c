"""Referential integrity where a setting asks for it: what counts as dangling.

http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.referencePolicy
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.rest.conftest import running
from tests.rest.expecting import Json, body, observation, patient, posted, refused

SUBJECT = "Observation.subject.reference"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server with referential integrity, with Patient/p at version 3 (2 was a deletion)."""
    async with running(mongod_uri, module_database_name, referential_integrity=True) as client:
        for language in ("x-1", None, "x-3"):
            if language is None:
                await client.delete("Patient/p")
            else:
                await client.put("Patient/p", json=patient(id="p", language=language))
        yield client


def about(reference: str) -> Json:
    return observation(subject={"reference": reference})


@pytest.mark.parametrize(
    "reference", ["Patient/p", "Patient/p/_history/1", "Patient/p/_history/3", "http://elsewhere.org/fhir/Patient/7/_history/9"]
)  # fmt: skip
async def test_what_exists_can_be_referred_to(strict: httpx.AsyncClient, reference: str) -> None:
    await posted(strict, about(reference))


@pytest.mark.parametrize("version", ["9", "2", "0", "x", "99999999999999999999"])
async def test_a_version_that_is_not_there_dangles(strict: httpx.AsyncClient, version: str) -> None:
    for where in ("Patient/p", f"{strict.base_url}Patient/p"):
        response = await strict.post("Observation", json=about(f"{where}/_history/{version}"))
        refused(response, 422, says=f"Patient/p has no version '{version}'", at=SUBJECT)


@pytest.mark.parametrize(
    "reference",
    ["Patient?identifier=si", "urn:uuid:0f34a2c1-5d3e-4b57-9c0e-6a1f0b9d7e29", "urn:oid:1.2.3.4"],
)
async def test_what_only_a_transaction_replaces_dangles(strict: httpx.AsyncClient, reference: str) -> None:
    refused(await strict.post("Observation", json=about(reference)), 422, says=reference, at=SUBJECT)


async def test_what_a_transaction_does_not_replace_dangles(strict: httpx.AsyncClient) -> None:
    uuids = [f"urn:uuid:0f34a2c1-5d3e-4b57-9c0e-6a1f0b9d7e0{n}" for n in range(2)]

    def transaction(reference: str) -> Json:
        return bundle("transaction", (uuids[0], patient(active=True)), (uuids[1], about(reference)))

    assert (await strict.post("", json=transaction(uuids[0]))).status_code == 200
    refused(
        await strict.post("", json=transaction(uuids[0][:-1] + "9")),
        422, says="fullUrl of no entry", at="Bundle.entry[1].resource.subject.reference",
    )  # fmt: skip


async def test_a_resource_may_refer_to_its_own_versions(strict: httpx.AsyncClient) -> None:
    await strict.put("Observation/own", json=observation(id="own"))
    for version, status in (("1", 200), ("3", 200), ("2", 200), ("9", 422)):
        newer = observation(id="own", derivedFrom=[{"reference": f"Observation/own/_history/{version}"}])
        response = await strict.put("Observation/own", json=newer)
        assert response.status_code == status, (version, response.text)


async def test_a_stored_bundle_may_refer_to_its_own_entries(strict: httpx.AsyncClient) -> None:
    uuid = "urn:uuid:0f34a2c1-5d3e-4b57-9c0e-6a1f0b9d7e77"
    stored = bundle(
        "collection", (uuid, patient()), ("urn:uuid:0f34a2c1-5d3e-4b57-9c0e-6a1f0b9d7e78", about(uuid))
    )
    for entry in stored["entry"]:
        del entry["request"]
    assert body(await strict.post("Bundle", json=stored))["type"] == "collection"


def bundle(kind: str, *entries: tuple[str | None, Json]) -> dict[str, Any]:
    named = [{"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}} |
             ({} if full_url is None else {"fullUrl": full_url}) for full_url, resource in entries]  # fmt: skip
    return {"resourceType": "Bundle", "type": kind, "entry": named}
