"""Resources that a List names, on the running server. http://hl7.org/fhir/R4/search.html#list"""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from tests.rest.expecting import patient


def entry(text: str) -> dict[str, dict[str, str]]:
    return {"item": {"reference": text}}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def resources(client: httpx.AsyncClient) -> None:
    both = {"resourceType": "List", "status": "current", "mode": "working"}
    for each in (
        patient(id="ann", gender="female"),
        patient(id="bob", gender="male"),
        patient(id="cid", gender="male"),
        {"resourceType": "Group", "id": "ann", "type": "person", "actual": True},
        {**both, "id": "one", "entry": [entry("Patient/ann"), entry("Patient/bob")]},
        {**both, "id": "two", "entry": [entry("Patient/cid"), entry("Group/ann")]},
        {**both, "id": "none"},
    ):
        answer = await client.put(f"{each['resourceType']}/{each['id']}", json=each)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Patient?_list=one", ["ann", "bob"]),
        ("Patient?_list=List/two", ["cid"]),
        ("Patient?_list=one,two", ["ann", "bob", "cid"]),
        ("Patient?_list=one&gender=male", ["bob"]),
        ("Patient?_list=one&_list=two", []),
        ("Group?_list=two", ["ann"]),
        ("Patient?_list=none", []),
        ("Patient?_list=unknown", []),
    ],
)
async def test_what_a_list_names_is_found(client: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    answer = await client.get(query)
    assert answer.status_code == 200, answer.text
    found = [each["resource"]["id"] for each in answer.json().get("entry", [])]
    assert sorted(found) == expected
    links = {each["relation"]: each["url"] for each in answer.json()["link"]}
    assert "_list=" in links["self"]


@pytest.mark.parametrize(
    "query", ["Patient?_list=$current-allergies", "Patient?_list=", "Patient?_list:missing=true"]
)
async def test_functional_lists_are_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(query)
    assert answer.status_code == 400
    assert "_list" in answer.text


async def test_pages_sorted_by_another_parameter_lead_through_all(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/search.html#sort"""
    found: list[str] = []
    url = "Patient?_list=one,two&_sort=-gender,_id&_count=1"
    for _ in range(5):
        page = (await client.get(url)).json()
        found += [each["resource"]["id"] for each in page.get("entry", [])]
        links = {each["relation"]: each["url"] for each in page["link"]}
        if "next" not in links:
            break
        url = links["next"]
    assert found == ["bob", "cid", "ann"]
