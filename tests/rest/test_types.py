"""All resource types of R4, each with all its interactions. http://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from capability.table import TABLE
from resources import codec, validation
from resources.outcome import FHIRError
from tests.resources import generated
from tests.rest.expecting import body, refused

WRITTEN = [name for name in TABLE.types if TABLE.allows(name, "update")]


def valid(resource_type: str) -> dict[str, Any]:
    """A valid resource of the type, made from its definition; always the same."""
    for seed in range(2000):
        resource = generated.resource(resource_type, random.Random(seed))
        resource.pop("id", None)
        if resource_type == "Linkage":
            resource["item"] *= 2  # lnk-1: it links at least two
        try:
            validation.check(resource)
        except FHIRError:
            continue
        return resource
    raise AssertionError(f"no valid {resource_type} among 2000")


def test_nearly_every_type_takes_everything() -> None:
    assert len(TABLE.types) > 140
    assert len(WRITTEN) >= len(TABLE.types) - 1


@pytest.mark.parametrize("resource_type", WRITTEN)
async def test_every_type_is_written_read_found_and_deleted(
    client: httpx.AsyncClient, resource_type: str
) -> None:
    sent = valid(resource_type)
    where = f"{resource_type}/t1"
    put = await client.put(where, content=codec.encode({**sent, "id": "t1"}))
    assert put.status_code == 201, put.text
    assert (await client.get(where)).content == put.content
    assert (await client.get(f"{where}/_history/1")).content == put.content
    found = body(await client.get(f"{resource_type}?_id=t1"))
    assert found["entry"][0]["resource"] == body(put)
    assert (await client.put(where, content=codec.encode({**sent, "id": "t1"}))).headers["etag"] == 'W/"1"'
    operations = [{"op": "add", "path": "/language", "value": "de"}]
    patched = await client.patch(
        where, json=operations, headers={"Content-Type": "application/json-patch+json"}
    )
    assert body(patched)["language"] == "de", patched.text
    assert len(body(await client.get(f"{where}/_history"))["entry"]) == 2
    posted = await client.post(resource_type, content=codec.encode(sent))
    assert posted.status_code == 201, posted.text
    assert (await client.delete(where)).status_code == 204
    refused(await client.get(where), 410)


@pytest.mark.parametrize("resource_type", ["Resource", "DomainResource", "Element", "HumanName", "BackboneElement", "ActorDefinition",
                                           "Subscriptiontopic", "SubscriptionTopic", "MedicinalProductDefinition"])  # fmt: skip
async def test_what_is_no_type_of_r4_is_none_here(client: httpx.AsyncClient, resource_type: str) -> None:
    refused(await client.get(f"{resource_type}/1"), 404, says=resource_type)
    refused(await client.post(resource_type, json={"resourceType": resource_type}), 404, says=resource_type)
