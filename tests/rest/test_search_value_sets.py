"""Codes of value sets and code systems that are stored here, on the running server.

http://hl7.org/fhir/R4/search.html#modifiers: `:in` and `:not-in` take the URI of a value set, or the reference of one
that is on this server; `:above` and `:below` test for subsumption.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.rest.expecting import observation, refused

TREE = "http://example.org/CodeSystem/tree"
LOINC = "http://loinc.org"
Json = dict[str, Any]


def value_set(logical_id: str, compose: Json | None, **more: Any) -> Json:
    url = f"http://example.org/ValueSet/{logical_id}"
    known = {} if compose is None else {"compose": compose}
    return {"resourceType": "ValueSet", "id": logical_id, "url": url, "status": "active", **known, **more}


def listing(*codes: str) -> Json:
    return {"system": LOINC, "concept": [{"code": each} for each in codes]}


def below(code: str) -> Json:
    return {"system": TREE, "filter": [{"property": "concept", "op": "is-a", "value": code}]}


def coded(logical_id: str, system: str, code: str) -> Json:
    return observation(id=logical_id, code={"coding": [{"system": system, "code": code}]})


STORED: list[Json] = [
    {
        "resourceType": "CodeSystem", "id": "tree", "url": TREE, "status": "active", "content": "complete",
        "concept": [{"code": "a", "concept": [{"code": "b"}, {"code": "c"}]}, {"code": "d"}],
    },
    value_set("one", {"include": [listing("1-1", "2-2")]}),
    value_set("two", {"include": [{"system": LOINC}], "exclude": [listing("1-1")]}),
    value_set("nested", {"include": [{"valueSet": ["http://example.org/ValueSet/one|1"]}, below("a")]}, version="7"),
    value_set("expanded", None, expansion={"timestamp": "2024-01-01", "contains": [{"system": TREE, "code": "d"}]}),
    value_set("circle", {"include": [{"valueSet": ["http://example.org/ValueSet/circle"]}]}),
    value_set("large", {"include": [{"system": LOINC, "concept": [{"code": f"x{n}"} for n in range(10_001)]}]}),
    value_set("elsewhere", {"include": [{"system": "http://snomed.info/sct", "filter": [
        {"property": "concept", "op": "is-a", "value": "404684003"}]}]}),
    coded("l1", LOINC, "1-1"), coded("l2", LOINC, "2-2"), coded("l3", LOINC, "3-3"),
    coded("ta", TREE, "a"), coded("tb", TREE, "b"), coded("td", TREE, "d"),
    {"resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "x"},
     "result": [{"reference": "Observation/l2"}]},
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def resources(client: httpx.AsyncClient) -> None:
    STORED[1]["version"] = "1"
    for each in STORED:
        answer = await client.put(f"{each['resourceType']}/{each['id']}", json=each)
        assert answer.status_code == 201, answer.text


async def found(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(query)
    assert answer.status_code == 200, answer.text
    return sorted(each["resource"]["id"] for each in answer.json().get("entry", []))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Observation?code:in=http://example.org/ValueSet/one", ["l1", "l2"]),
        ("Observation?code:in=http://example.org/ValueSet/one|1", ["l1", "l2"]),
        ("Observation?code:in=ValueSet/one", ["l1", "l2"]),
        ("Observation?code:in=BASE/ValueSet/one", ["l1", "l2"]),
        ("Observation?code:not-in=ValueSet/one", ["l3", "ta", "tb", "td"]),
        ("Observation?code:in=ValueSet/two", ["l2", "l3"]),
        ("Observation?code:not-in=ValueSet/two", ["l1", "ta", "tb", "td"]),
        ("Observation?code:in=http://example.org/ValueSet/nested", ["l1", "l2", "ta", "tb"]),
        ("Observation?code:in=ValueSet/one&code:in=ValueSet/two", ["l2"]),
        ("Observation?code:in=ValueSet/one,ValueSet/expanded", ["l1", "l2", "td"]),
        ("Observation?code:below=http://example.org/CodeSystem/tree|a", ["ta", "tb"]),
        ("Observation?code:above=http://example.org/CodeSystem/tree|b", ["ta", "tb"]),
        ("Observation?_filter=code in ValueSet/two and not(code in ValueSet/one)", ["l3"]),
        ("Observation?_filter=code ni ValueSet/two", ["l1", "ta", "tb", "td"]),
        ("DiagnosticReport?result.code:in=ValueSet/one", ["r"]),
        ("DiagnosticReport?result.code:in=ValueSet/expanded", []),
        ("Observation?_has:DiagnosticReport:result:status=final&code:in=ValueSet/one", ["l2"]),
        ("?_type=Observation&_tag:not-in=ValueSet/one&_id=l1", ["l1"]),
    ],
)
async def test_codes_of_what_is_stored(client: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    base = str(client.base_url).rstrip("/")
    assert await found(client, query.replace("BASE", base)) == expected


async def test_conditional_interactions_know_them_too(client: httpx.AsyncClient) -> None:
    made = await client.post(
        "Observation", json=observation(), headers={"If-None-Exist": "code:in=ValueSet/expanded"}
    )
    assert made.status_code == 200
    assert made.headers["location"].split("/")[-3] == "td"


async def test_explain_shows_them(client: httpx.AsyncClient) -> None:
    told = await client.get("$explain", params={"search": "Observation?code:in=ValueSet/one"})
    assert told.status_code == 200
    assert "http://loinc.org|2-2" in told.text


async def test_a_changed_value_set_counts_at_once(client: httpx.AsyncClient) -> None:
    for codes, expected in ((["1-1"], ["l1"]), (["3-3"], ["l3"])):
        changed = value_set("changing", {"include": [listing(*codes)]})
        assert (await client.put("ValueSet/changing", json=changed)).status_code in {200, 201}
        assert await found(client, "Observation?code:in=http://example.org/ValueSet/changing") == expected
    assert (await client.delete("ValueSet/changing")).status_code == 204
    refused(await client.get("Observation?code:in=ValueSet/changing"), 400, says="not known here")


async def test_of_several_versions_the_latest_is_meant(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/references.html#canonical"""
    url = "http://example.org/ValueSet/versions"
    for version, code in (("1.10.0", "3-3"), ("1.9.0", "2-2"), ("1.2", "1-1")):
        each = value_set(f"v-{version}", {"include": [listing(code)]}, version=version) | {"url": url}
        assert (await client.put(f"ValueSet/{each['id']}", json=each)).status_code == 201
    assert await found(client, f"Observation?code:in={url}") == ["l3"]
    assert await found(client, f"Observation?code:in={url}|1.9.0") == ["l2"]
    refused(await client.get(f"Observation?code:in={url}|3"), 400, says="not known here")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ValueSet/circle", "consists of itself"),
        ("ValueSet/large", "more than 10,000 codes"),
        ("ValueSet/elsewhere", "selects codes of 'http://snomed.info/sct'"),
        ("ValueSet/unknown", "not known here"),
        ("CodeSystem/tree", "not known here"),
        ("ValueSet/one|2", "not known here"),
        (",".join(f"http://example.org/{n}" for n in range(101)), "more than 100 value sets"),
    ],
)
async def test_what_cannot_be_told_is_refused_by_name(
    client: httpx.AsyncClient, value: str, why: str
) -> None:
    answer = await client.get("Observation", params={"code:in": value})
    assert answer.status_code in {400, 413}
    refused(answer, answer.status_code, says=why)


async def test_extensions_in_place_of_values_are_no_fault(client: httpx.AsyncClient) -> None:
    absent = {"extension": [{"url": "http://example.org/why", "valueCode": "unknown"}]}
    odd = value_set("odd", {"include": [{"system": LOINC, "concept": [{"_code": absent}, {"code": "1-1"}]},
                                        {"valueSet": [None], "_valueSet": [absent]}]})  # fmt: skip
    stored = await client.put("ValueSet/odd", json=odd)
    assert stored.status_code == 201, stored.text
    refused(await client.get("Observation?code:in=ValueSet/odd"), 400, says="not known here")
