"""The search parameters of R4 and US Core as resources: http://hl7.org/fhir/R4/searchparameter.html"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resources.built_in_parameters import built_in

BIRTHDATE = "individual-birthdate"


async def found(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get("SearchParameter?" + query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", ())]


def own(logical_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter", "id": logical_id, "url": f"http://example.org/{logical_id}", "name": "n",
        "status": "draft", "description": "d", "code": "zz", "base": ["Patient"], "type": "token", **changes,
    }  # fmt: skip


async def test_they_are_read_and_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"SearchParameter/{BIRTHDATE}")
    assert answer.status_code == 200
    assert answer.json()["url"] == "http://hl7.org/fhir/SearchParameter/individual-birthdate"
    again = await client.get(
        f"SearchParameter/{BIRTHDATE}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    assert await found(client, "code=birthdate&base=Patient") == [BIRTHDATE, "us-core-patient-birthdate"]
    assert await found(client, "code=race") == ["us-core-race"]
    assert await found(client, "url=http://hl7.org/fhir/SearchParameter/clinical-code") == ["clinical-code"]
    assert await found(client, "derived-from:missing=false") == []


async def test_a_walk_shows_each_once_with_those_that_are_stored(client: httpx.AsyncClient) -> None:
    await client.put("SearchParameter/mine", json=own("mine"))
    for sort in ("", "&_sort=-code", "&_sort=_lastUpdated"):
        seen: list[str] = []
        url: str | None = f"SearchParameter?_count=200&_total=accurate{sort}"
        while url is not None:
            bundle = (await client.get(url)).json()
            assert bundle["total"] == len(built_in()) + 1
            seen += [entry["resource"]["id"] for entry in bundle["entry"]]
            url = next((each["url"] for each in bundle["link"] if each["relation"] == "next"), None)
        assert sorted(seen) == sorted([*built_in(), "mine"])
    await client.delete("SearchParameter/mine")


async def test_they_cannot_be_changed_and_are_in_no_history(client: httpx.AsyncClient) -> None:
    refused = await client.put(f"SearchParameter/{BIRTHDATE}", json=own(BIRTHDATE))
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"] == ["SearchParameter.id"]
    assert (await client.delete(f"SearchParameter/{BIRTHDATE}")).status_code == 405
    patch = {"Content-Type": "application/json-patch+json"}
    assert (
        await client.patch(f"SearchParameter/{BIRTHDATE}", content="[]", headers=patch)
    ).status_code == 405
    assert (await client.get(f"SearchParameter/{BIRTHDATE}/_history")).status_code == 404
    assert (await client.get(f"SearchParameter/{BIRTHDATE}")).status_code == 200
    history = (await client.get("SearchParameter/_history?_count=1000")).json().get("entry", [])
    assert BIRTHDATE not in str(history)


async def test_the_same_parameter_may_be_stored_and_takes_its_place(client: httpx.AsyncClient) -> None:
    text = own(
        BIRTHDATE, url=built_in()[BIRTHDATE]["url"], code="birthdate", description="The whole text", type="date",
        status="active", expression="Patient.birthDate",
    )  # fmt: skip
    assert (await client.put(f"SearchParameter/{BIRTHDATE}", json=text)).status_code == 201
    assert (await client.get(f"SearchParameter/{BIRTHDATE}")).json()["description"] == "The whole text"
    assert await found(client, f"url={text['url']}") == [BIRTHDATE]
    assert await found(client, f"_id={BIRTHDATE}&status=active") == [BIRTHDATE]
    assert (await client.delete(f"SearchParameter/{BIRTHDATE}")).status_code == 204
    answer = await client.get(f"SearchParameter/{BIRTHDATE}")
    assert (answer.status_code, answer.json()["version"]) == (200, "4.0.1")
    assert await found(client, f"url={text['url']}") == [BIRTHDATE]


@pytest.mark.parametrize("unknown", ["no-such-parameter", "Patient-birthdate"])
async def test_others_are_not_there(client: httpx.AsyncClient, unknown: str) -> None:
    assert (await client.get(f"SearchParameter/{unknown}")).status_code == 404
