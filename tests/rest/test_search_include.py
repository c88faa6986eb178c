"""`_include` and `_revinclude` on the running server. http://hl7.org/fhir/R4/search.html#include"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from fhir_server.search.include import MOST_INCLUDED, MOST_LEVELS
from resources import validation
from tests.rest.conftest import Start
from tests.rest.expecting import body, events, patient, refused
from tests.rest.test_search import ids, links
from tests.rest.test_search_joins import observation, reference


def resources(base: str) -> list[dict[str, Any]]:
    return [
        {"resourceType": "Organization", "id": "top", "name": "Top"},
        {"resourceType": "Organization", "id": "mid", "name": "Mid", "partOf": reference("Organization/top")},
        {"resourceType": "Practitioner", "id": "dr"},
        patient(
            id="ann", managingOrganization=reference("Organization/mid"),
            generalPractitioner=[reference("Practitioner/dr"), reference("Organization/mid")],
        ),
        patient(id="bob", link=[{"other": reference("Patient/cid"), "type": "seealso"}]),
        patient(id="cid", link=[{"other": reference("Patient/bob"), "type": "seealso"}]),
        observation("o1", "Patient/ann", "1", performer=[reference("Practitioner/dr")]),
        observation("o2", f"{base}Patient/ann", "1"),
        observation("o3", "Patient/bob/_history/1", "1", hasMember=[reference("Observation/o1")]),
        observation("o4", "Patient/missing", "2"),
        observation("o5", "http://elsewhere.example.org/fhir/Patient/ann", "2"),
        {**observation("o6", "#p", "2"), "contained": [patient(id="p")]},
        {**observation("o7", "", "2"), "subject": {"identifier": {"value": "x"}}},
        observation("o8", "Patient/gone", "2"),
        {
            "resourceType": "Provenance", "id": "v1", "recorded": "2024-01-01T00:00:00Z",
            "target": [reference("Observation/o1"), reference("Patient/ann")],
            "agent": [{"who": reference("Practitioner/dr")}],
        },
        {"resourceType": "Questionnaire", "id": "q1", "status": "active", "url": "http://example.org/q"},
        {"resourceType": "QuestionnaireResponse", "id": "r1", "status": "completed", "questionnaire": "http://example.org/q|2"},
    ]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def stored(client: httpx.AsyncClient) -> None:
    await client.put("Patient/gone", json=patient(id="gone"))
    for each in resources(str(client.base_url)):
        answer = await client.put(f"{each['resourceType']}/{each['id']}", json=each)
        assert answer.status_code == 201, answer.text
    await client.delete("Patient/gone")


def included(bundle: dict[str, Any]) -> list[str]:
    found = [each for each in bundle.get("entry", []) if each["search"]["mode"] == "include"]
    assert all(
        each["fullUrl"].endswith(f"/{each['resource']['resourceType']}/{each['resource']['id']}")
        for each in found
    )
    return [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in found]


INCLUDES = [
    ("Observation?_id=o1&_include=Observation:subject", ["Patient/ann"]),
    ("Observation?_id=o1&_include=Observation:patient", ["Patient/ann"]),
    # each once, also where several refer to it; the absolute URL of this server is its own
    ("Observation?_id=o1,o2&_include=Observation:subject&_include=Observation:patient", ["Patient/ann"]),
    ("Observation?_id=o1&_include=Observation:subject:Patient", ["Patient/ann"]),
    ("Observation?_id=o1&_include=Observation:subject:Group", []),
    ("Observation?_id=o1&_include=Observation:subject&_include=Observation:performer", ["Patient/ann", "Practitioner/dr"]),
    # a versioned reference brings that version, which is also the current one
    ("Observation?_id=o3&_include=Observation:subject", ["Patient/bob"]),
    # what is not there, elsewhere, contained, described or deleted is left out, and no error
    ("Observation?code=2&_include=Observation:subject", []),
    ("Observation?_id=o1&_include=*", ["Patient/ann", "Practitioner/dr"]),
    ("Observation?_id=o1&_include=Observation:*", ["Patient/ann", "Practitioner/dr"]),
    ("Observation?_id=o1&_include=Observation:*:Practitioner", ["Practitioner/dr"]),
    # what matches already does not come along again
    ("Observation?_id=o1,o3&_include=Observation:has-member", []),
    ("Observation?_id=o3&_include=Observation:has-member", ["Observation/o1"]),
    # without :iterate only from what matches
    ("Observation?_id=o1&_include=Observation:subject&_include=Patient:organization", ["Patient/ann"]),
    (
        "Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:organization",
        ["Patient/ann", "Organization/mid"],
    ),
    (
        ("Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:organization"
        "&_include:iterate=Organization:partof"),
        ["Patient/ann", "Organization/mid", "Organization/top"],
    ),
    # cycles end
    ("Patient?_id=bob&_include:iterate=Patient:link", ["Patient/cid"]),
    ("Patient?_id=bob&_include:iterate=Patient:link&_revinclude:iterate=Patient:link", ["Patient/cid"]),
    ("Patient?_id=ann&_revinclude=Observation:subject", ["Observation/o1", "Observation/o2"]),
    ("Patient?_id=ann&_revinclude=Observation:subject:Patient", ["Observation/o1", "Observation/o2"]),
    ("Patient?_id=ann&_revinclude=Provenance:target", ["Provenance/v1"]),
    ("Patient?_id=ann&_revinclude=Provenance:target:Observation", []),
    ("Patient?_id=ann&_revinclude=Observation:*&_include=*",
     ["Observation/o1", "Observation/o2", "Organization/mid", "Practitioner/dr"]),
    ("Observation?_id=o1&_revinclude=Provenance:*", ["Provenance/v1"]),
    ("Observation?_id=o1&_revinclude=*", ["Observation/o3", "Provenance/v1"]),
    ("Practitioner?_revinclude=*", ["Observation/o1", "Patient/ann", "Provenance/v1"]),
    ("Questionnaire?_revinclude=*", ["QuestionnaireResponse/r1"]),
    (
        "Organization?_id=top&_revinclude:iterate=Organization:partof&_revinclude:iterate=Patient:organization",
        ["Organization/mid", "Patient/ann"],
    ),
    ("Observation?_id=o1&_include=Observation:subject&_revinclude:iterate=Provenance:target",
     ["Patient/ann", "Provenance/v1"]),
    # canonicals lead to what has that url
    ("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire", ["Questionnaire/q1"]),
    ("Questionnaire?_revinclude=QuestionnaireResponse:questionnaire", ["QuestionnaireResponse/r1"]),
    # an include of another type than is searched brings nothing
    ("Observation?_id=o1&_include=Patient:organization", []),
    ("Observation?_id=o1&_include=Observation:subject&_count=0", []),
]  # fmt: skip


@pytest.mark.parametrize(("query", "found"), INCLUDES)
async def test_what_is_referred_to_comes_along(
    client: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    bundle = body(await client.get(query))
    validation.check(bundle)
    assert sorted(included(bundle)) == sorted(found)
    again = body(await client.get(links(bundle)["self"]))
    assert included(again) == included(bundle)


async def test_matches_come_first_and_totals_count_only_them(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/search.html#count: included resources do not count"""
    bundle = body(await client.get("Observation?code=1&_include=*&_count=2&_total=accurate"))
    modes = [entry["search"]["mode"] for entry in bundle["entry"]]
    assert modes == ["match", "match", "include", "include"]
    assert bundle["total"] == 3
    following = body(await client.get(links(bundle)["next"]))
    assert ids(following) == ["o3"]
    assert included(following) == ["Observation/o1", "Patient/bob"]


@pytest.mark.parametrize("sort", ["_id", "-_lastUpdated", "date", "-date", "status", "-code,date"])
async def test_each_page_brings_its_own(client: httpx.AsyncClient, sort: str) -> None:
    """http://hl7.org/fhir/R4/search.html#sort: the order is that of the matches"""
    for path in ("Observation?subject:Patient._id=ann", "Patient/ann/Observation?status=final"):
        url: str | None = (
            f"{path}&_sort={sort}&_count=1&_include=Observation:subject&_include=Observation:performer"
        )
        seen = {}
        while url is not None:
            page = body(await client.get(url))
            seen.update({one: included(page) for one in ids(page)})
            url = links(page).get("next")
        assert seen == {"o1": ["Patient/ann", "Practitioner/dr"], "o2": ["Patient/ann"]}


async def test_parts_of_what_comes_along(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/search.html#summary"""
    bundle = body(await client.get("Observation?_id=o1&_include=Observation:subject&_elements=status,link"))
    ann = bundle["entry"][1]["resource"]
    assert set(ann) == {"resourceType", "id", "meta"}
    assert ann["meta"]["tag"][0]["code"] == "SUBSETTED"
    refused(
        await client.get("Observation?_include=Observation:subject&_elements=bogus"), 400, says="_elements"
    )
    refused(await client.get("Observation?_include=Observation:subject&_summary=text"), 400, says="_include")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("_include=", "_include"),
        ("_include=Observation", "_include"),
        ("_include=Observation:", "_include"),
        ("_include=:subject", "_include"),
        ("_include=Observation:subject:", "_include"),
        ("_include=Bogus:subject", "Bogus"),
        ("_include=Observation:bogus", "subject"),
        ("_include=Observation:code", "code"),
        ("_include=Observation:subject:Bogus", "Bogus"),
        ("_include=Observation:subject:Practitioner", "Practitioner"),
        ("_include:bogus=Observation:subject", "bogus"),
        ("_include:recurse=Observation:subject", "iterate"),
        ("_revinclude=Provenance", "_revinclude"),
        ("&".join(["_include=Observation:subject"] * 500), "500"),
    ],
)
async def test_what_cannot_come_along_is_refused(client: httpx.AsyncClient, query: str, says: str) -> None:
    refused(await client.get(f"Observation?{query}"), 400, says=says)


async def test_the_version_that_a_reference_names_comes_along(start: Start) -> None:
    """http://hl7.org/fhir/R4/search.html#include, http://hl7.org/fhir/R4/references.html#literal"""
    async with start() as client:
        for family in ("First", "Second", "Third"):
            await client.put("Patient/p", json=patient(id="p", name=[{"family": family}]))
        await client.put("Patient/gone", json=patient(id="gone"))
        await client.delete("Patient/gone")
        for each in (
            observation("now", "Patient/p", "1"),
            observation("v2", "Patient/p/_history/2", "1"),
            observation("v3", "Patient/p/_history/3", "1"),
            observation("v9", "Patient/p/_history/9", "1"),
            observation("gone", "Patient/gone/_history/1", "1"),
            observation("abs", f"{client.base_url}Patient/p/_history/1", "1"),
        ):
            assert (await client.put(f"Observation/{each['id']}", json=each)).status_code == 201

        async def families(ids: str, include: str = "_include=Observation:subject") -> list[str]:
            bundle = body(await client.get(f"Observation?_id={ids}&{include}"))
            validation.check(bundle)
            told = [each for each in bundle["entry"] if each["search"]["mode"] == "include"]
            assert all(each["fullUrl"].endswith("/Patient/p") for each in told)
            assert [each["resource"]["meta"]["versionId"] for each in told] == [
                {"First": "1", "Second": "2", "Third": "3"}[each["resource"]["name"][0]["family"]]
                for each in told
            ]
            return [each["resource"]["name"][0]["family"] for each in told]

        assert await families("now") == ["Third"]
        assert await families("v2") == ["Second"]
        assert await families("v3") == ["Third"]
        assert await families("now,v3") == ["Third"]
        assert sorted(await families("now,v2,v3,abs")) == ["First", "Second", "Third"]
        assert await families("v2", "_include=*") == ["Second"]
        assert await families("v2", "_include=Observation:subject:Group") == []
        assert await families("v9,gone") == []


async def test_patients_that_come_along_are_in_the_audit_trail(client: httpx.AsyncClient) -> None:
    response = await client.get("Organization?_id=mid&_revinclude=Patient:organization")
    (event,) = await events(client, response)
    assert {"reference": "Patient/ann"} in [entity["what"] for entity in event["entity"] if "what" in entity]


async def test_a_cap_is_announced(start: Start) -> None:
    async with start(max_count=2000) as client:
        entries = [
            {
                "resource": observation(f"c{n}", "Patient/full", "1"),
                "request": {"method": "PUT", "url": f"Observation/c{n}"},
            }
            for n in range(MOST_INCLUDED + 1)
        ]
        await client.put("Patient/full", json=patient(id="full"))
        stored = await client.post(
            "", json={"resourceType": "Bundle", "type": "batch", "entry": entries}, timeout=120
        )
        assert stored.status_code == 200
        bundle = body(await client.get("Patient?_revinclude=Observation:subject"))
        assert len(included(bundle)) == MOST_INCLUDED
        outcome = bundle["entry"][-1]
        assert outcome["search"]["mode"] == "outcome"
        assert "1,000" in outcome["resource"]["issue"][0]["diagnostics"]
        await client.delete("Observation/c7")
        whole = body(await client.get("Patient?_revinclude=Observation:subject"))
        assert len(included(whole)) == MOST_INCLUDED
        assert whole["entry"][-1]["search"]["mode"] == "include"


async def test_how_far_iterate_goes_is_announced(start: Start) -> None:
    async with start() as client:
        length = MOST_LEVELS + 2
        for n in range(length):
            above = {"partOf": reference(f"Organization/{n + 1}")} if n + 1 < length else {}
            await client.put(
                f"Organization/{n}", json={"resourceType": "Organization", "id": f"{n}", "name": "x", **above}
            )
        near = body(await client.get("Organization?_id=2&_include:iterate=Organization:partof"))
        assert included(near)[-1] == f"Organization/{length - 1}"
        assert near["entry"][-1]["search"]["mode"] == "include"
        far = body(await client.get("Organization?_id=0&_include:iterate=Organization:partof"))
        assert len(included(far)) == MOST_LEVELS
        assert far["entry"][-1]["search"]["mode"] == "outcome"
