"""The batch interaction. http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from resources import validation
from tests.rest.expecting import body, events, observation, patient, refused, total


def batch(*entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def entry(method: str, url: str, resource: Any = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    return made if resource is None else {"resource": resource, **made}


async def answered(client: httpx.AsyncClient, *entries: Any) -> list[dict[str, Any]]:
    response = await client.post("", json=batch(*entries))
    assert response.status_code == 200, response.text
    bundle = body(response)
    validation.check(bundle)
    assert bundle["type"] == "batch-response"
    answers: list[dict[str, Any]] = bundle["entry"]
    return answers


def statuses(answers: list[dict[str, Any]]) -> list[str]:
    return [each["response"]["status"][:3] for each in answers]


async def test_every_interaction_is_possible_and_answered_in_order(client: httpx.AsyncClient) -> None:
    for logical_id in ("b1", "b2", "b3", "b4"):
        await client.put(f"Patient/{logical_id}", json=patient(id=logical_id))
    json_patch = base64.b64encode(b'[{"op":"add","path":"/active","value":true}]').decode()
    answers = await answered(
        client,
        entry("GET", "Patient/b1"),
        entry("POST", "Patient", patient()),
        entry("PUT", "Patient/b2", patient(id="b2", active=True)),
        entry("PATCH", "Patient/b3", {"resourceType": "Binary", "contentType": "application/json-patch+json",
                                      "data": json_patch}),
        entry("DELETE", "Patient/b4"),
        entry("GET", "Patient?_id=b1"),
        entry("GET", "Patient/b1/_history/1"),
        entry("GET", "Patient/b1/_history"),
        entry("GET", "metadata"),
        entry("GET", f"{client.base_url}Patient/b1"),
        entry("GET", "/Patient/b1"),
        entry("POST", "Patient/_search?_id=b1"),
    )  # fmt: skip
    assert statuses(answers) == ["200", "201", "200", "200", "204", *["200"] * 7]
    assert answers[1]["response"]["location"].startswith("Patient/")
    assert answers[1]["response"]["etag"] == 'W/"1"'
    assert [each["resource"]["resourceType"] for each in answers if "resource" in each] == [
        "Patient", "Bundle", "Patient", "Bundle", "CapabilityStatement", "Patient", "Patient", "Bundle",
    ]  # fmt: skip
    assert (await client.get("Patient/b3")).json()["active"] is True
    assert (await client.get("Patient/b4")).status_code == 410


async def test_a_failing_entry_stops_no_other(client: httpx.AsyncClient) -> None:
    answers = await answered(
        client,
        entry("POST", "Patient", patient(gender="xx")),
        entry("PUT", "Patient/kept", patient(id="kept")),
        entry("GET", "Patient/never"),
        entry("POST", "Patient"),
        entry("PUT", "Patient/a", patient(id="b")),
        entry("DELETE", "Patient"),
        entry("POST", "Foo", patient()),
        entry("GET", "http://other.example/fhir/Patient/1"),
        entry("POST", "Observation", patient()),
        entry("GET", "Patient?nickname=x"),
        entry("GET", "Patient?name=%ff"),
        entry("GET", "Patient/a/b/c"),
        entry("GET", "../health/ready"),
        entry("PUT", "Patient/x", patient(id="x"), ifMatch="garbage"),
        entry("PUT", "Patient/x", patient(id="x"), ifMatch='W/"3"'),
        entry("POST", "Patient", patient(), ifNoneExist="garbage"),
        entry("POST", "AuditEvent", patient()),
        entry("GET", "Patient/kept?_elements=nickname"),
    )
    expected = ["400", "201", "404", "400", "400", "412", "404", "400", "400", "400", "400", "404", "404", "400",
                "412", "400", "400", "400"]  # fmt: skip
    assert statuses(answers) == expected
    for position, answer in enumerate(answers):
        if not answer["response"]["status"].startswith("2"):
            (expression, *_) = answer["response"]["outcome"]["issue"][0]["expression"]
            assert expression.startswith(f"Bundle.entry[{position}]")
    assert answers[0]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].resource.gender"]
    assert (await client.get("Patient/kept")).status_code == 200


@pytest.mark.parametrize(
    ("odd", "at"),
    [
        (None, "Bundle.entry[0]"),
        (1, "Bundle.entry[0]"),
        ("x", "Bundle.entry[0]"),
        ([], "Bundle.entry[0]"),
        ({}, "Bundle.entry[0]"),
        ({"request": None}, "Bundle.entry[0].request"),
        ({"request": {"method": "GET"}}, "Bundle.entry[0].request.url"),
        ({"request": {"url": "Patient"}}, "Bundle.entry[0].request.method"),
        ({"request": {"method": "get", "url": "Patient"}}, "Bundle.entry[0].request.method"),
        ({"request": {"method": "GET", "url": ""}}, "Bundle.entry[0].request.url"),
        ({"request": {"method": "GET", "url": 5}}, "Bundle.entry[0].request.url"),
        ({"request": {"method": "GET", "url": "a", "ifModifiedSince": "x"}}, "Bundle.entry[0].request.ifModifiedSince"),
        ({"request": {"method": "POST", "url": "Patient"}, "resource": "x"}, "Bundle.entry[0].resource"),
        ({"request": {"method": "POST", "url": "Patient"}, "bogus": 1}, "Bundle.entry[0].bogus"),
        ({"search": {"mode": "match"}, "request": {"method": "GET", "url": "Patient"}}, "Bundle"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_a_bundle_of_odd_shape_is_refused_as_a_whole(
    client: httpx.AsyncClient, odd: Any, at: str, kind: str
) -> None:
    before = await total(client, "Patient")
    bundle = {**batch(odd, entry("POST", "Patient", patient())), "type": kind}
    response = await client.post("", json=bundle)
    assert response.status_code in {400, 422}
    refused(response, response.status_code, at=at)
    assert await total(client, "Patient") == before


@pytest.mark.parametrize("kind", [None, "searchset", "collection", "document", "", [], {}, 1, "Batch"])
async def test_other_bundles_are_refused_at_the_base(client: httpx.AsyncClient, kind: Any) -> None:
    refused(await client.post("", json={"resourceType": "Bundle", "type": kind}), 400, at="Bundle.type")


async def test_other_resources_are_refused_at_the_base(client: httpx.AsyncClient) -> None:
    refused(await client.post("", json=patient()), 400, at="Bundle")
    refused(await client.post("", json={}), 400)
    refused(await client.post("", json=[]), 400)


async def test_two_entries_with_one_fullurl_are_refused(client: httpx.AsyncClient) -> None:
    same = {"fullUrl": "urn:uuid:6e1b2e02-4a4f-4b8c-9f0b-0c2b6a3a1f10", **entry("POST", "Patient", patient())}
    for kind in ("batch", "transaction"):
        response = await client.post("", json={**batch(same, same), "type": kind})
        refused(response, response.status_code, says="bdl-7")


async def test_an_empty_batch_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post("", json={"resourceType": "Bundle", "type": "batch"})
    assert body(response) == {"resourceType": "Bundle", "type": "batch-response"}
    refused(await client.post("", json={"resourceType": "Bundle", "type": "batch", "entry": []}), 400)


async def test_a_thousand_broken_entries_are_answered(client: httpx.AsyncClient) -> None:
    before = await total(client, "Observation")
    broken = [entry("POST", "Observation", observation(status=f"bogus-{n}")) for n in range(1000)]
    assert set(statuses(await answered(client, *broken))) == {"400"}
    assert await total(client, "Observation") == before


async def test_each_entry_and_the_batch_leave_an_event(client: httpx.AsyncClient) -> None:
    asked = batch(entry("POST", "Patient", patient()), entry("GET", "Patient/never"), entry("GET", "Foo/1"))
    found = await events(client, await client.post("", json=asked))
    told = sorted((each["subtype"][0]["code"], each["outcome"]) for each in found)
    assert told == [("batch", "0"), ("batch", "4"), ("create", "0"), ("read", "4")]


async def test_entries_take_summaries_and_preferences(client: httpx.AsyncClient) -> None:
    await client.put("Patient/cut", json=patient(id="cut", birthDate="1974-12-25", language="de"))
    (cut,) = await answered(client, entry("GET", "Patient/cut?_elements=birthDate"))
    assert set(cut["resource"]) == {"resourceType", "id", "meta", "birthDate"}
    response = await client.post(
        "", json=batch(entry("POST", "Patient", patient())), headers={"Prefer": "return=representation"}
    )
    assert body(response)["entry"][0]["resource"]["resourceType"] == "Patient"


async def test_entries_are_conditional_like_requests(client: httpx.AsyncClient) -> None:
    await client.put("Patient/known", json=patient(id="known"))
    (same,) = await answered(client, entry("GET", "Patient/known", ifNoneMatch='W/"1"'))
    assert same["response"]["status"].startswith("304")
    assert "resource" not in same
    (later,) = await answered(client, entry("GET", "Patient/known", ifModifiedSince="2099-01-01T00:00:00Z"))
    assert later["response"]["status"].startswith("304")


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_audit_events_are_not_changed_through_bundles(
    client: httpx.AsyncClient, kind: str, method: str
) -> None:
    newest = (await client.get("AuditEvent?_count=1")).json()["entry"][0]["resource"]
    url = f"AuditEvent/{newest['id']}"
    asked = {**batch(entry(method, url, None if method == "DELETE" else newest)), "type": kind}
    response = await client.post("", json=asked)
    if kind == "transaction":
        refused(response, 405)
    else:
        assert statuses(body(response)["entry"]) == ["405"]
    assert (await client.get(f"AuditEvent/{newest['id']}")).json() == newest
