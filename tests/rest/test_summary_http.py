"""Parts and formats of answers: _summary, _elements, _pretty, _format. http://hl7.org/fhir/R4/search.html#summary"""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from resources import validation
from tests.rest.expecting import body, events, observation, patient, refused, subtypes, total

TAG = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def resources(client: httpx.AsyncClient) -> None:
    narrative = {"status": "generated", "div": DIV}
    await client.put(
        "Observation/o", json=observation(id="o", text=narrative, note=[{"text": "n"}], valueInteger=1)
    )
    whole = patient(id="p", text=narrative, birthDate="1974-12-25", maritalStatus={"text": "m"})
    await client.put("Patient/p", json=whole)


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("_summary=true", {"status", "code", "valueInteger"}),
        ("_summary=text", {"status", "code", "text"}),
        ("_summary=data", {"status", "code", "valueInteger", "note"}),
        ("_elements=note", {"status", "code", "note"}),
        ("_elements=value", {"status", "code", "valueInteger"}),
        ("_elements=note,value", {"status", "code", "valueInteger", "note"}),
    ],
)
async def test_parts(client: httpx.AsyncClient, query: str, members: set[str]) -> None:
    read = body(await client.get(f"Observation/o?{query}"))
    assert set(read) == {"resourceType", "id", "meta"} | members
    assert read["meta"]["tag"] == [TAG]
    assert read["meta"]["versionId"] == "1"
    validation.check(read)
    assert body(await client.get(f"Observation/o/_history/1?{query}")) == read
    searched = body(await client.get(f"Observation?_id=o&{query}"))
    validation.check(searched)
    assert searched["entry"][0]["resource"] == read
    history = body(await client.get(f"Observation/o/_history?{query}"))
    validation.check(history)
    assert history["entry"][0]["resource"] == read


async def test_false_is_everything(client: httpx.AsyncClient) -> None:
    whole = await client.get("Observation/o")
    assert (await client.get("Observation/o?_summary=false")).content == whole.content


async def test_what_is_stored_is_whole(client: httpx.AsyncClient) -> None:
    cut = await client.put(
        "Patient/cut?_elements=birthDate", json=patient(id="cut", birthDate="1974", active=True)
    )
    assert "active" not in body(cut)
    assert body(await client.get("Patient/cut"))["active"] is True


@pytest.mark.parametrize("query", ["_summary=bogus", "_summary=", "_summary=count", "_elements=", "_elements=nickname",
                                   "_elements=name,,id", "_pretty=maybe"])  # fmt: skip
async def test_what_cannot_be_done_is_refused_before_anything_is(
    client: httpx.AsyncClient, query: str
) -> None:
    before = await total(client, "Patient")
    created = await client.post(f"Patient?{query}", json=patient())
    updated = await client.put(f"Patient/new?{query}", json=patient(id="new"))
    transaction = await client.post(
        f"?{query}",
        json={"resourceType": "Bundle", "type": "transaction",
              "entry": [{"resource": patient(), "request": {"method": "POST", "url": "Patient"}}]},
    )  # fmt: skip
    for response in (created, updated, await client.get(f"Patient/p?{query}"), transaction):
        refused(response, 400, says=query.partition("=")[0])
        found = await events(client, response)
        assert [event["outcome"] for event in found] == ["4"]
    assert await total(client, "Patient") == before


async def test_elements_of_the_whole_system(client: httpx.AsyncClient) -> None:
    bundle = body(await client.get("_history?_elements=birthDate&_count=1000"))
    assert bundle["type"] == "history"
    refused(await client.get("_history?_elements=nickname"), 400)
    statement = body(await client.get("metadata?_elements=software"))
    assert "software" in statement
    assert "document" not in statement
    refused(await client.get("metadata?_elements=birthDate"), 400)


async def test_a_bundle_that_is_stored_is_cut_as_a_resource(client: httpx.AsyncClient) -> None:
    entry = {
        "fullUrl": "urn:uuid:6e1b2e02-4a4f-4b8c-9f0b-0c2b6a3a1f10",
        "resource": patient(birthDate="1974"),
    }
    sent = {"resourceType": "Bundle", "id": "b", "type": "collection", "language": "de", "entry": [entry]}
    assert (await client.put("Bundle/b", json=sent)).status_code == 201
    cut = body(await client.get("Bundle/b?_elements=language"))
    assert set(cut) == {"resourceType", "id", "meta", "language", "type"}
    assert subtypes(await events(client, await client.get("Bundle/b?_summary=text"))) == ["read"]


async def test_pretty(client: httpx.AsyncClient) -> None:
    plain, pretty = await client.get("Patient/p"), await client.get("Patient/p?_pretty=true")
    assert body(plain) == body(pretty)
    assert "\n  " in pretty.text
    assert "\n" not in plain.text.strip()
    assert "\n  " in (await client.get("Patient/never?_pretty=true")).text
    assert "\n  " in (await client.get("Foo?_pretty=true")).text


@pytest.mark.parametrize(
    ("named", "media_type"),
    [("json", "application/fhir+json"), ("application/json", "application/json"), ("text/json", "application/json"),
     ("application/fhir%2Bjson", "application/fhir+json"), ("application/fhir+json", "application/fhir+json")],
)  # fmt: skip
async def test_format_overrides_accept(client: httpx.AsyncClient, named: str, media_type: str) -> None:
    response = await client.get(f"Patient/p?_format={named}", headers={"Accept": "text/html"})
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    "named", ["xml", "ttl", "bogus", "application/fhir%2Bxml", "text/html", "json%0d%0aX: y", "html"]
)
async def test_unknown_formats_are_406(client: httpx.AsyncClient, named: str) -> None:
    before = await total(client, "Patient")
    refused(await client.post(f"Patient?_format={named}", json=patient()), 406)
    assert await total(client, "Patient") == before
