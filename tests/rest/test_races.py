"""No race makes a duplicate. http://hl7.org/fhir/R4/http.html#ccreate"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.rest.conftest import running

RACERS = 50


def patient(value: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": "http://example.org/mrn", "value": value}]}


async def count(client: httpx.AsyncClient, value: str) -> int:
    found = await client.get(
        "Patient", params={"identifier": f"http://example.org/mrn|{value}", "_total": "accurate"}
    )
    total: int = found.json()["total"]
    return total


async def test_concurrent_conditional_creates_make_one_resource(client: httpx.AsyncClient) -> None:
    condition = {"If-None-Exist": "identifier=http://example.org/mrn|race-create"}
    posts = [client.post("Patient", json=patient("race-create"), headers=condition) for _ in range(RACERS)]
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(client, "race-create") == 1


async def test_concurrent_conditional_updates_make_one_resource(client: httpx.AsyncClient) -> None:
    params = {"identifier": "http://example.org/mrn|race-update"}
    puts = [client.put("Patient", params=params, json=patient("race-update")) for _ in range(RACERS)]
    answers = await asyncio.gather(*puts)
    assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [201]
    assert await count(client, "race-update") == 1


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_bundles_with_conditional_creates_make_one_resource(
    client: httpx.AsyncClient, kind: str
) -> None:
    value = f"race-{kind}"
    request = {
        "method": "POST",
        "url": "Patient",
        "ifNoneExist": f"identifier=http://example.org/mrn|{value}",
    }
    entry = {
        "fullUrl": "urn:uuid:6e1b2e02-4a4f-4b8c-9f0b-0c2b6a3a1f10",
        "resource": patient(value),
        "request": request,
    }
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
    answers = await asyncio.gather(*(client.post("", json=bundle) for _ in range(RACERS)))
    statuses = [answer.json()["entry"][0]["response"]["status"][:3] for answer in answers]
    assert sorted(statuses) == ["200"] * (RACERS - 1) + ["201"]
    assert await count(client, value) == 1


async def test_criteria_with_one_identifier_in_common_make_one_resource(
    mongod_uri: str, database_name: str
) -> None:
    """Two senders name one person, each with a number of his own beside the one that both know."""
    async with running(mongod_uri, database_name) as one, running(mongod_uri, database_name) as two:
        for attempt in range(10):
            asked = []
            common = f"race-common-{attempt}"
            for racer, client in enumerate((one, two)):
                own = f"race-own-{attempt}-{racer}"
                body = patient(common)
                body["identifier"] += patient(own)["identifier"]
                named = ",".join(f"http://example.org/mrn|{value}" for value in (own, common))
                condition = {"If-None-Exist": f"identifier={named}"}
                asked.append(client.post("Patient", json=body, headers=condition))
            answers = await asyncio.gather(*asked)
            assert sorted(answer.status_code for answer in answers) == [200, 201]
            assert await count(one, common) == 1


async def test_mixed_doors_and_two_servers_make_one_resource(mongod_uri: str, database_name: str) -> None:
    criteria = "identifier=http://example.org/mrn|race-mixed"
    request = {"method": "PUT", "url": f"Patient?{criteria}"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": patient("race-mixed"), "request": request}],
    }
    async with running(mongod_uri, database_name) as one, running(mongod_uri, database_name) as two:
        asked = []
        for client in (one, two):
            for _ in range(10):
                asked.append(client.post("", json=bundle))
                asked.append(client.put(f"Patient?{criteria}", json=patient("race-mixed")))
                asked.append(
                    client.post("Patient", json=patient("race-mixed"), headers={"If-None-Exist": criteria})
                )
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} <= {200, 201}
        assert await count(one, "race-mixed") == 1


async def test_concurrent_updates_all_become_versions(client: httpx.AsyncClient) -> None:
    body = {"resourceType": "Patient", "id": "versions"}
    await client.put("Patient/versions", json=body)
    puts = [client.put("Patient/versions", json={**body, "language": f"x-{n}"}) for n in range(RACERS)]
    answers = await asyncio.gather(*puts)
    assert {answer.status_code for answer in answers} == {200}
    versions = sorted(int(answer.json()["meta"]["versionId"]) for answer in answers)
    assert versions == list(range(2, RACERS + 2))
    history = (await client.get("Patient/versions/_history", params={"_count": 100})).json()
    told = [entry["resource"]["meta"]["versionId"] for entry in history["entry"]]
    assert told == [str(version) for version in range(RACERS + 1, 0, -1)]


async def test_of_concurrent_updates_with_if_match_one_wins(client: httpx.AsyncClient) -> None:
    body = {"resourceType": "Patient", "id": "if-match"}
    await client.put("Patient/if-match", json=body)
    puts = [
        client.put("Patient/if-match", json={**body, "language": f"x-{n}"}, headers={"If-Match": 'W/"1"'})
        for n in range(RACERS)
    ]
    answers = await asyncio.gather(*puts)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (RACERS - 1)


async def test_concurrent_puts_of_a_new_id_create_it_once(client: httpx.AsyncClient) -> None:
    body = {"resourceType": "Patient", "id": "fresh"}
    answers = await asyncio.gather(*(client.put("Patient/fresh", json=body) for _ in range(RACERS)))
    assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [201]
    assert {answer.json()["meta"]["versionId"] for answer in answers} == {"1"}
