"""Searches over several types and in compartments, on the running server.

http://hl7.org/fhir/R4/http.html#vsearch, http://hl7.org/fhir/R4/search.html#searchcontexts,
http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
import pytest_asyncio

from resources import validation
from tests.rest.expecting import body, events, patient, refused, subtypes
from tests.rest.test_search import FORM, links
from tests.rest.test_search_joins import observation, reference

TAG = {"tag": [{"code": "here"}]}


def resources() -> list[dict[str, Any]]:
    found = [
        patient(id=f"p{n}", meta=TAG, name=[{"family": f"F{n}"}], identifier=[{"value": f"{n}"}])
        for n in range(3)
    ]
    found += [
        observation(f"x{n}", f"Patient/p{n % 2}", f"{n}", meta=TAG, identifier=[{"value": f"{n}"}])
        for n in range(5)
    ]
    # One logical id may be that of several types.
    found += [
        {"resourceType": "Organization", "id": "x2", "name": "x", "meta": TAG},
        {"resourceType": "Condition", "id": "x1", "subject": reference("Patient/p1"), "meta": TAG},
        {"resourceType": "Condition", "id": "x2", "subject": reference("Patient/p0"), "meta": TAG,
         "asserter": reference("Patient/p1")},
        observation("perf", "Patient/p0", "9", meta=TAG, performer=[reference("Patient/p1")]),
        observation("other", "Patient/p2", "9", meta=TAG, encounter=reference("Encounter/e")),
    ]  # fmt: skip
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def stored(client: httpx.AsyncClient) -> None:
    for each in resources():
        answer = await client.put(f"{each['resourceType']}/{each['id']}", json=each)
        assert answer.status_code == 201, answer.text


def found_in(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [
        entry["fullUrl"].split("/fhir/")[1]
        for entry in bundle.get("entry", [])
        if entry["search"]["mode"] == mode
    ]


OBSERVATIONS = [f"Observation/{each}" for each in ("other", "perf", "x0", "x1", "x2", "x3", "x4")]
PATIENTS = ["Patient/p0", "Patient/p1", "Patient/p2"]
CONDITIONS = ["Condition/x1", "Condition/x2"]
OF_P0 = [
    "Condition/x2",
    "Observation/perf",
    "Observation/x0",
    "Observation/x2",
    "Observation/x4",
    "Patient/p0",
]
ALL = [*CONDITIONS, *OBSERVATIONS, "Organization/x2", *PATIENTS]

FOUND = [
    ("?_tag=here&_count=100", ALL),
    ("?_tag=here&_type=Patient", PATIENTS),
    ("?_tag=here&_type=Patient,Condition", [*CONDITIONS, *PATIENTS]),
    ("?_tag=here&_type=Patient,Condition&_type=Condition,Observation", CONDITIONS),
    ("?_id=x2", ["Condition/x2", "Observation/x2", "Organization/x2"]),
    ("?_id=x2&_type=Observation,Organization,Substance", ["Observation/x2", "Organization/x2"]),
    ("?_tag=nowhere", []),
    ("?_type=Substance", []),
    # parameters that all named types have
    ("?_type=Patient,Observation&identifier=2", ["Observation/x2", "Patient/p2"]),
    ("?_type=Observation,Condition&subject:Patient.name=F1",
     ["Condition/x1", "Observation/x1", "Observation/x3"]),
    ("?_type=Patient&_has:Observation:subject:code=9", ["Patient/p0", "Patient/p2"]),
    ("?_type=Patient,Organization&_filter=name sw f1 or name sw x", ["Organization/x2", "Patient/p1"]),
    ("?_tag=here&_sort=-_id&_type=Observation,Organization&_count=3",
     ["Observation/x4", "Observation/x3", "Organization/x2"]),
    ("?_tag=here&_lastUpdated=gt2001&_type=Organization", ["Organization/x2"]),
    ("Patient/p1/Observation", ["Observation/perf", "Observation/x1", "Observation/x3"]),
    ("Patient/p1/Observation?code=3", ["Observation/x3"]),
    ("Patient/p1/Observation?_sort=-_id&_count=1", ["Observation/x3"]),
    ("Patient/p1/Condition", CONDITIONS),
    ("Patient/p1/Patient", ["Patient/p1"]),
    ("Patient/p1/*?_tag=here", [*CONDITIONS, "Observation/perf", "Observation/x1", "Observation/x3", "Patient/p1"]),
    ("Patient/p1/*?_type=Condition,Patient", [*CONDITIONS, "Patient/p1"]),
    ("Encounter/e/Observation", ["Observation/other"]),
    # where nobody is nothing is found
    ("Patient/nobody/Observation", []),
    ("Patient/nobody/*", []),
]  # fmt: skip


@pytest.mark.parametrize(("query", "found"), FOUND)
async def test_what_is_asked_for_is_found(client: httpx.AsyncClient, query: str, found: list[str]) -> None:
    bundle = body(await client.get(query))
    validation.check(bundle)
    assert found_in(bundle) == found
    assert found_in(body(await client.get(links(bundle)["self"]))) == found
    path, _, text = query.partition("?")
    posted = await client.post(f"{path}/_search" if path else "_search", content=text.encode(), headers=FORM)
    assert found_in(body(posted)) == found


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13, 50])
@pytest.mark.parametrize("sort", ["", "_id", "-_id", "_lastUpdated", "-_lastUpdated"])
@pytest.mark.parametrize("where", ["?", "Patient/p0/*?"])
async def test_pages_over_types_lead_forwards_and_back(
    client: httpx.AsyncClient, where: str, count: int, sort: str
) -> None:
    """http://hl7.org/fhir/R4/http.html#paging"""
    query = f"{where}_tag=here" + (f"&_sort={sort}" if sort else "")
    whole = found_in(body(await client.get(f"{query}&_count=100")))
    assert sorted(whole) == (ALL if where == "?" else OF_P0)
    url: str | None = f"{query}&_count={count}"
    seen: list[str] = []
    page: dict[str, Any] = {}
    while url is not None:
        page = body(await client.get(url))
        assert len(found_in(page)) <= count
        seen += found_in(page)
        url = links(page).get("next")
    assert seen == whole
    back = found_in(page)
    while (previous := links(page).get("previous")) is not None:
        page = body(await client.get(previous))
        back = found_in(page) + back
    assert back == whole


async def test_a_walk_neither_repeats_nor_loses_while_others_write(client: httpx.AsyncClient) -> None:
    tag = {"tag": [{"code": "moving"}]}
    for n in range(0, 6, 2):
        await client.put(f"Patient/m{n}", json=patient(id=f"m{n}", meta=tag))
        await client.put(f"Location/m{n}", json={"resourceType": "Location", "id": f"m{n}", "meta": tag})
    first = body(await client.get("?_tag=moving&_count=2"))
    await client.put("Location/m1", json={"resourceType": "Location", "id": "m1", "meta": tag})
    await client.put("Device/m1", json={"resourceType": "Device", "id": "m1", "meta": tag})
    await client.delete("Location/m0")
    rest = body(await client.get(links(first)["next"].replace("_count=2", "_count=9")))
    assert found_in(first) + found_in(rest) == [
        "Location/m0", "Location/m2", "Location/m4", "Patient/m0", "Patient/m2", "Patient/m4",
    ]  # fmt: skip


async def test_totals_parts_and_includes(client: httpx.AsyncClient) -> None:
    counted = body(await client.get("?_tag=here&_summary=count"))
    assert (counted["total"], "entry" in counted) == (len(ALL), False)
    assert body(await client.get("Patient/p1/*?_tag=here&_count=0"))["total"] == 6
    assert body(await client.get("?_tag=here&_count=1&_total=accurate"))["total"] == len(ALL)
    cut = body(await client.get("?_tag=here&_type=Patient&_elements=identifier"))
    assert all("name" not in entry["resource"] for entry in cut["entry"])
    more = body(await client.get("?_id=x1&_type=Observation,Condition&_include=Observation:subject"))
    assert found_in(more, "include") == ["Patient/p1"]
    back = body(await client.get("Patient/p2/*?_type=Patient&_revinclude=Observation:subject"))
    assert found_in(back, "include") == ["Observation/other"]


async def test_the_self_link_says_what_was_applied(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/search.html#conformance"""
    bundle = body(await client.get("?_type=Patient,Condition&_tag=here&_pretty=true&_include=*"))
    query = "_type=Condition%2CPatient&_tag=here&_include=%2A&_count=20&_pretty=true"
    assert links(bundle)["self"] == f"{client.base_url}?{query}".replace("/?", "?")
    inside = body(await client.get("Patient/p1/Observation?code=3"))
    assert links(inside)["self"] == f"{client.base_url}Patient/p1/Observation?code=3&_count=20"


async def test_lenient_leaves_out_what_not_all_types_have(client: httpx.AsyncClient) -> None:
    headers = {"Prefer": "handling=lenient"}
    bundle = body(await client.get("?_type=Patient,Condition&birthdate=2000&_tag=here", headers=headers))
    assert found_in(bundle) == [*CONDITIONS, *PATIENTS]
    assert "birthdate" in bundle["entry"][-1]["resource"]["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("?_type=Bogus", 400, "Bogus"),
        ("?_type=Patient,Bogus", 400, "Bogus"),
        ("?_type=", 400, "_type"),
        ("?_type=Patient,", 400, "_type"),
        ("?_type=Patient&_type=Observation", 400, "_type"),
        ("?name=x", 400, "name"),
        ("?_type=Patient,Observation&name=x", 400, "name"),
        ("?_sort=name&_type=Patient,Organization", 400, "_sort"),
        ("?_sort=_lastUpdated,_id", 400, "_sort"),
        ("?_cursor=x", 400, "_cursor"),
        ("?_count=-1", 400, "_count"),
        ("?" + "&".join(["_tag=here"] * 500), 400, "500"),
        ("Patient/p1/*?_type=Organization", 400, "Organization"),
        ("Patient/p1/Observation?bogus=1", 400, "bogus"),
        ("Patient/p1/Organization", 404, "Organization"),
        ("Patient/p1/Bogus", 404, "Bogus"),
        ("Bogus/p1/Patient", 404, "Bogus"),
        ("Organization/x2/Observation", 404, "Organization"),
        ("Organization/x2/*", 404, "Organization"),
        ("Patient/p!1/Observation", 400, "p!1"),
        ("Patient/p1/Observation/more", 404, "more"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    client: httpx.AsyncClient, query: str, status: int, says: str
) -> None:
    refused(await client.get(query), status, says=says)


async def test_a_cursor_serves_only_its_own_search(client: httpx.AsyncClient) -> None:
    following = links(body(await client.get("?_tag=here&_type=Patient,Observation&_count=2")))["next"]
    refused(await client.get(following.replace("Patient", "Condition")), 400, says="_cursor")
    inside = links(body(await client.get("Patient/p1/*?_tag=here&_count=2")))["next"]
    refused(await client.get(inside.replace("/p1/", "/p2/")), 400, says="_cursor")
    single = links(body(await client.get("Patient/p1/Observation?_count=1")))["next"]
    refused(await client.get(single.replace("/p1/", "/p0/")), 400, says="_cursor")


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    refused(await client.put("Patient/p1/Observation", json={}), 405)
    refused(await client.post("Patient/p1/*", json={}), 405)
    allowed = await client.options("Patient/p1/Observation")
    assert (allowed.status_code, allowed.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_searches_leave_events_that_say_where_they_looked(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/auditevent.html"""
    for query, kind in (
        ("Patient/p1/Observation?code=9", "search-type"),
        ("Patient/p1/*?_tag=nowhere", "search-system"),
        ("?_type=Substance", "search-system"),
        ("Patient/p1/Observation?bogus=9", "search-type"),
    ):
        (event,) = await events(client, await client.get(query))
        assert subtypes([event]) == [kind]
        asked = next(entity["query"] for entity in event["entity"] if "query" in entity)
        assert base64.b64decode(asked).decode().endswith(f"/fhir/{query}".replace("/fhir/?", "/fhir?"))
        about = {"reference": "Patient/p1"} in [entity.get("what") for entity in event["entity"]]
        assert about is (query.startswith("Patient") and event["outcome"] == "0")


async def test_events_are_searched_where_they_are_named(client: httpx.AsyncClient) -> None:
    await client.get("Patient/p2")
    assert not [
        each for each in found_in(body(await client.get("Patient/p2/*?_count=100"))) if "Audit" in each
    ]
    assert found_in(body(await client.get("Patient/p2/*?_type=AuditEvent&_count=1")))[0].startswith(
        "AuditEvent/"
    )


async def test_entries_of_a_batch_may_search_so(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/http.html#transaction"""
    urls = [
        "?_tag=here&_type=Patient",
        "Patient/p1/Condition",
        "Patient/p1/*?_type=Condition",
        "?_type=Bogus",
    ]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    for kind in ("batch", "transaction"):
        answer = await client.post(
            "", json={"resourceType": "Bundle", "type": kind, "entry": entries[: 3 + (kind == "batch")]}
        )
        found = body(answer)["entry"]
        assert [found_in(each["resource"]) for each in found[:3]] == [PATIENTS, CONDITIONS, CONDITIONS]
        if kind == "batch":
            assert found[3]["response"]["status"] == "400"
