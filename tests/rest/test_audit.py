"""One AuditEvent for each thing that was done, or tried. http://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import pytest

from fhir_server.interactions.create import EXTERNAL
from resources import validation
from tests.rest.conftest import Start
from tests.rest.expecting import Json, events, observation, patient, posted, refused, subtypes, total

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


async def only_event(client: httpx.AsyncClient, response: httpx.Response) -> Json:
    (event,) = await events(client, response)
    return event


def references(event: Json) -> list[str]:
    return [each["what"]["reference"] for each in event["entity"] if "reference" in each.get("what", {})]


def query_of(event: Json) -> str:
    (told,) = [each["query"] for each in event["entity"] if "query" in each]
    return base64.b64decode(told).decode()


async def test_who_from_where_with_what_and_when(client: httpx.AsyncClient) -> None:
    await client.put("Patient/who", json=patient(id="who"))
    response = await client.get("Patient/who", headers={"User-Agent": "Chart/1.0", "X-Request-Id": "req-who"})
    event = await only_event(client, response)
    validation.check(event)
    agent, server = event["agent"]
    assert agent["requestor"] is True
    assert agent["network"] == {"address": "127.0.0.1", "type": "2"}
    assert agent["name"] == "Chart/1.0"
    assert agent["who"]
    assert server["requestor"] is False
    assert event["recorded"].endswith("Z")
    assert event["source"]["observer"]["display"].startswith("fhir-server")
    assert (event["type"]["code"], event["action"], event["outcome"]) == ("rest", "R", "0")
    assert {"value": "req-who"} in [each.get("what", {}).get("identifier") for each in event["entity"]]
    assert references(event) == ["Patient/who/_history/1", "Patient/who"]


@pytest.mark.parametrize(
    "case",
    [
        ("POST", "Patient", b'{"resourceType":"Patient"}', {}, "create", "C", "0"),
        ("PUT", "Patient/a1", b'{"resourceType":"Patient","id":"a1"}', {}, "update", "U", "0"),
        ("PATCH", "Patient/a1", b'[{"op":"add","path":"/active","value":true}]', JSON_PATCH, "patch", "U", "0"),
        ("GET", "Patient/a1", b"", {}, "read", "R", "0"),
        ("HEAD", "Patient/a1", b"", {}, "read", "R", "0"),
        ("GET", "Patient/a1/_history/1", b"", {}, "vread", "R", "0"),
        ("GET", "Patient/a1/_history", b"", {}, "history-instance", "E", "0"),
        ("GET", "Patient/_history", b"", {}, "history-type", "E", "0"),
        ("GET", "_history", b"", {}, "history-system", "E", "0"),
        ("GET", "Patient?_id=a1", b"", {}, "search-type", "E", "0"),
        ("POST", "Patient/_search", b"_id=a1", FORM, "search-type", "E", "0"),
        ("GET", "metadata", b"", {}, "capabilities", "R", "0"),
        ("POST", "", b'{"resourceType":"Bundle","type":"batch"}', {}, "batch", "E", "0"),
        ("POST", "", b'{"resourceType":"Bundle","type":"transaction"}', {}, "transaction", "E", "0"),
        ("GET", "Patient/a1", b"", {"If-None-Match": 'W/"2"'}, "read", "R", "0"),
        ("DELETE", "Patient/a1", b"", {}, "delete", "D", "0"),
        ("GET", "Patient/a1", b"", {}, "read", "R", "4"),
        ("GET", "Patient/never", b"", {}, "read", "R", "4"),
        ("GET", "Patient/bad_id", b"", {}, None, "E", "4"),
        ("GET", "Foo/1", b"", {}, None, "E", "4"),
        ("GET", "$foo", b"", {}, None, "E", "4"),
        ("PUT", "metadata", b"{}", {}, None, "E", "4"),
        ("DELETE", "AuditEvent/1", b"", {}, None, "E", "4"),
        ("GET", "Patient?bogus=1", b"", {}, "search-type", "E", "4"),
        ("GET", "Patient/a1", b"", {"Accept": "text/html"}, "read", "R", "4"),
        ("POST", "Patient", b"{", {}, "create", "C", "4"),
        ("POST", "Patient", b'{"resourceType":"Patient","gender":"x"}', {}, "create", "C", "4"),
        ("POST", "Patient", b'{"resourceType":"Patient","birthDate":"2999-01-01"}', {}, "create", "C", "4"),
        ("POST", "Patient", b"x", {"Content-Type": "text/plain"}, "create", "C", "4"),
        ("POST", "Patient", b"x", {"Content-Encoding": "br"}, "create", "C", "4"),
        ("PUT", "Patient/a1", b'{"resourceType":"Patient","id":"a1"}', {"If-Match": 'W/"9"'}, "update", "U", "4"),
        ("PUT", "Patient/a1", b'{"resourceType":"Patient","id":"a1"}', {"If-Match": "x"}, "update", "U", "4"),
        ("PATCH", "Patient/a1", b"[]", JSON_PATCH, "patch", "U", "4"),
        ("POST", "", b'{"resourceType":"Bundle","type":"batch","entry":[null]}', {}, "batch", "E", "4"),
        ("POST", "", b'{"resourceType":"Bundle","type":"transaction","entry":[{}]}', {}, "transaction", "E", "4"),
        ("POST", "", b"{}", {}, "transaction", "E", "4"),
    ],
)  # fmt: skip
async def test_one_event_for_each_thing_done_or_tried(
    client: httpx.AsyncClient, case: tuple[Any, ...]
) -> None:
    method, path, content, headers, subtype, action, outcome = case
    response = await client.request(method, path, content=content, headers=headers)
    assert (response.status_code < 400) == (outcome == "0"), response.text
    event = await only_event(client, response)
    validation.check(event)
    assert subtypes([event]) == [subtype]
    assert (event["action"], event["outcome"]) == (action, outcome)
    assert ("outcomeDesc" in event) == (outcome != "0")


async def test_events_are_found_by_what_they_are_about(client: httpx.AsyncClient) -> None:
    await client.put("Patient/1", json=patient(id="1"))
    await client.put("Patient/2", json=patient(id="2"))
    observed = await posted(client, observation(subject={"reference": "Patient/1"}))
    await client.get("Patient/1")
    await client.get("Patient?_id=1")
    await client.get(f"Observation/{observed}")
    await client.delete("Patient/1")
    refused(await client.get("Patient/1"), 410)
    by_entity = (
        await client.get("AuditEvent", params={"entity": "Patient/1", "_sort": "_lastUpdated"})
    ).json()
    told = [
        (each["resource"]["subtype"][0]["code"], each["resource"]["outcome"]) for each in by_entity["entry"]
    ]
    assert told == [
        ("update", "0"), ("create", "0"), ("read", "0"), ("search-type", "0"), ("read", "0"), ("delete", "0"),
        ("read", "4"),
    ]  # fmt: skip
    by_patient = (
        await client.get("AuditEvent", params={"patient": "Patient/1", "_sort": "_lastUpdated"})
    ).json()
    assert len(by_patient["entry"]) >= 5
    assert await total(client, "AuditEvent", entity="Patient/2") == 1
    by_observation = (await client.get("AuditEvent", params={"entity": f"Observation/{observed}"})).json()
    assert len(by_observation["entry"]) == 2


async def test_a_search_tells_its_query_and_whom_it_showed(client: httpx.AsyncClient) -> None:
    await client.put("Patient/shown", json=patient(id="shown", name=[{"family": "Sh\u00f6wn"}]))
    event = await only_event(client, await client.get("Patient", params={"family": "Sh\u00f6wn"}))
    assert query_of(event) == f"GET {client.base_url}Patient?family=Sh%C3%B6wn"
    assert references(event) == ["Patient/shown"]
    form = await client.post("Patient/_search", content=b"family=shown&_count=1", headers=FORM)
    told = query_of(await only_event(client, form))
    assert told == f"POST {client.base_url}Patient/_search family=shown&_count=1"
    conditional = {"If-None-Exist": "identifier=http://example.org|7"}
    created = await client.post("Patient", json=patient(), headers=conditional)
    assert "identifier=http://example.org|7" in query_of(await only_event(client, created))


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("Patient/_search?_pretty=true", b"family=form", 200),
        ("_search", b"_type=Patient&_id=form", 200),
        ("Patient/form/*/_search", b"_count=1", 200),
        ("Patient/form/Observation/_search", b"", 200),
        ("Patient/_search", b"bogus=1", 400),
        ("Patient/_search?_summary=bogus", b"", 400),
    ],
)
async def test_a_form_is_told_as_it_was_sent(
    client: httpx.AsyncClient, path: str, content: bytes, status: int
) -> None:
    response = await client.post(path, content=content, headers=FORM)
    assert response.status_code == status
    told = query_of(await only_event(client, response))
    assert told == f"POST {client.base_url}{path} {content.decode()}".rstrip()


async def test_a_history_tells_the_versions_it_showed(client: httpx.AsyncClient) -> None:
    for n in range(2):
        await client.put("Patient/h", json=patient(id="h", language=f"x-{n}"))
    event = await only_event(client, await client.get("Patient/h/_history"))
    assert references(event)[:2] == ["Patient/h/_history/2", "Patient/h/_history/1"]


async def test_a_write_tells_the_version_it_made(client: httpx.AsyncClient) -> None:
    response = await client.post("Patient", json=patient())
    event = await only_event(client, response)
    assert references(event)[0] == f"Patient/{response.json()['id']}/_history/1"
    deleted = await client.delete(f"Patient/{response.json()['id']}")
    assert references(await only_event(client, deleted))[0] == f"Patient/{response.json()['id']}/_history/2"


async def test_failures_tell_why_and_no_more_than_was_asked(client: httpx.AsyncClient) -> None:
    secret = patient(name=[{"family": "Geheim"}], gender="Geheim", birthDate="Geheim")
    event = await only_event(client, await client.post("Patient", json=secret))
    assert "Patient.gender" in event["outcomeDesc"]
    assert "Geheim" not in str(event)
    unknown = await only_event(client, await client.get("Patient/nobody"))
    assert "Patient/nobody" in unknown["outcomeDesc"]
    assert references(unknown) == ["Patient/nobody"]


async def test_a_failed_transaction_leaves_no_event_of_success(client: httpx.AsyncClient) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": patient(), "request": {"method": "POST", "url": "Patient"}},
            {"request": {"method": "GET", "url": "Patient/never-there"}},
        ],
    }
    response = await client.post("", json=bundle)
    refused(response, 404)
    found = await events(client, response)
    assert {event["outcome"] for event in found} == {"4"}
    assert "transaction" in subtypes(found)


async def test_a_conditional_delete_names_all_it_deleted(start: Start) -> None:
    async with start(conditional_delete_multiple=True) as client:
        made = [await posted(client, patient(identifier=[{"value": "many"}])) for _ in range(3)]
        event = await only_event(client, await client.delete("Patient?identifier=many"))
        assert {f"Patient/{each}/_history/2" for each in made} <= set(references(event))


async def test_a_clients_event_is_kept_as_such(client: httpx.AsyncClient) -> None:
    """It cannot imitate one of the server's: its tag says where it came from, whatever it says itself."""
    await client.get("metadata")
    servers = (await client.get("AuditEvent?_count=1&_sort=-_lastUpdated")).json()["entry"][0]["resource"]
    forged = {**servers, "meta": {"tag": [{"system": EXTERNAL["system"], "code": "server"}]}}
    response = await client.post("AuditEvent", json=forged)
    assert response.status_code == 201
    assert response.json()["meta"]["tag"] == [EXTERNAL]
    assert response.json()["id"] != servers["id"]
    tag = f"{EXTERNAL['system']}|{EXTERNAL['code']}"
    found = (await client.get("AuditEvent", params={"_tag": tag})).json()["entry"]
    assert [each["resource"]["id"] for each in found] == [response.json()["id"]]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("where", ["type", "instance", "condition"])
async def test_events_stay_as_they_are(client: httpx.AsyncClient, method: str, where: str) -> None:
    await client.get("metadata")
    newest = (await client.get("AuditEvent?_count=1&_sort=-_lastUpdated")).json()["entry"][0]["resource"]
    path = {"type": "AuditEvent", "instance": f"AuditEvent/{newest['id']}",
            "condition": f"AuditEvent?_id={newest['id']}"}[where]  # fmt: skip
    response = await client.request(method, path, json={**newest, "outcome": "12"})
    refused(response, 405)
    assert (await client.get(f"AuditEvent/{newest['id']}")).json() == newest
    assert (await only_event(client, response))["outcome"] == "4"


async def test_events_are_read_like_anything_and_that_is_audited_too(client: httpx.AsyncClient) -> None:
    first = await only_event(client, await client.get("metadata"))
    read = await client.get(f"AuditEvent/{first['id']}")
    assert read.json() == first
    again = await only_event(client, read)
    assert references(again) == [f"AuditEvent/{first['id']}/_history/1"]
    history = (await client.get(f"AuditEvent/{first['id']}/_history")).json()
    assert len(history["entry"]) == 1


@pytest.mark.parametrize("agent", ["", "a" * 5000, "b\u00e9b\u00e9", "<script>", "a\tb", "\x80\x9f"])
async def test_whatever_a_client_calls_itself_is_kept_harmless(client: httpx.AsyncClient, agent: str) -> None:
    response = await client.get("metadata", headers={b"User-Agent": agent.encode("latin-1")})
    assert response.status_code == 200
    event = await only_event(client, response)
    validation.check(event)
    assert len(event["agent"][0].get("name", "")) <= 1000


async def test_hostile_queries_are_kept_harmless(client: httpx.AsyncClient) -> None:
    for query in (
        "name=%00",
        "name=%FF",
        "a" * 20_000 + "=x",
        "name=" + "%F0%9F%A9%BA" * 500,
        "name=%ED%A0%80",
    ):
        response = await client.get(f"Patient?{query}")
        validation.check(await only_event(client, response))


async def test_the_trail_grows_by_exactly_what_was_asked(client: httpx.AsyncClient) -> None:
    """Also for what is asked at the same time."""
    before = await total(client, "AuditEvent")
    answers: list[Any] = await asyncio.gather(
        *(client.get("Patient/nobody-at-all") for _ in range(20)),
        *(client.post("Patient", json=patient()) for _ in range(20)),
    )
    after = await total(client, "AuditEvent")
    assert after - before == len(answers) + 1
