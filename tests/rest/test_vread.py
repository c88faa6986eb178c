"""The vread interaction. http://hl7.org/fhir/R4/http.html#vread"""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from tests.rest.expecting import events, patient, refused


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def versions(client: httpx.AsyncClient) -> None:
    """Version 1 and 2 differ, 3 is a deletion, 4 brings it back."""
    for language in ("de", "fr"):
        await client.put("Patient/v", json=patient(id="v", language=language))
    await client.delete("Patient/v")
    await client.put("Patient/v", json=patient(id="v", language="it"))


@pytest.mark.parametrize(("version", "language"), [("1", "de"), ("2", "fr"), ("4", "it")])
async def test_every_version_can_be_read(client: httpx.AsyncClient, version: str, language: str) -> None:
    response = await client.get(f"Patient/v/_history/{version}")
    assert response.status_code == 200
    assert response.json()["language"] == language
    assert response.json()["meta"]["versionId"] == version
    assert response.headers["etag"] == f'W/"{version}"'
    (event,) = await events(client, response)
    assert event["subtype"][0]["code"] == "vread"
    assert {"reference": f"Patient/v/_history/{version}"} in [each["what"] for each in event["entity"]]


async def test_the_version_that_is_a_deletion_is_410(client: httpx.AsyncClient) -> None:
    refused(await client.get("Patient/v/_history/3"), 410, says="Patient/v was deleted")


@pytest.mark.parametrize(
    "version", ["0", "5", "01", "-1", "1.0", "x", "9" * 30, "é", "%00", "1%0a", "a" * 65]
)
async def test_what_is_no_version_is_404(client: httpx.AsyncClient, version: str) -> None:
    refused(await client.get(f"Patient/v/_history/{version}"), 404, says="has no version")


async def test_versions_of_what_never_was_are_404(client: httpx.AsyncClient) -> None:
    refused(await client.get("Patient/never/_history/1"), 404)


async def test_versions_are_conditional_too(client: httpx.AsyncClient) -> None:
    response = await client.get("Patient/v/_history/1", headers={"If-None-Match": 'W/"1"'})
    assert response.status_code == 304
