"""The update interaction. http://hl7.org/fhir/R4/http.html#update"""

from __future__ import annotations

import httpx
import pytest

from tests.rest.conftest import Start
from tests.rest.expecting import body, observation, patient, posted, refused


async def test_each_update_is_a_version(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient(active=True))
    response = await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, active=False))
    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'
    assert response.headers["location"] == f"{client.base_url}Patient/{logical_id}/_history/2"
    assert body(response)["meta"]["versionId"] == "2"
    assert body(await client.get(f"Patient/{logical_id}"))["active"] is False
    assert body(await client.get(f"Patient/{logical_id}/_history/1"))["active"] is True


async def test_lastupdated_goes_up_with_every_version(client: httpx.AsyncClient) -> None:
    told = [(await client.put("Patient/up", json=patient(id="up", language=f"x-{n}"))).json()["meta"]["lastUpdated"]
            for n in range(10)]  # fmt: skip
    assert told == sorted(set(told))


async def test_a_client_may_choose_an_id(client: httpx.AsyncClient) -> None:
    response = await client.put("Patient/chosen-1.A", json=patient(id="chosen-1.A"))
    assert response.status_code == 201
    assert response.headers["location"] == f"{client.base_url}Patient/chosen-1.A/_history/1"
    assert (await client.get("Patient/chosen-1.A")).status_code == 200


async def test_a_client_may_not_choose_an_id_where_a_setting_says_so(start: Start) -> None:
    async with start(update_create=False) as client:
        told = await client.put("Patient/mine", json=patient(id="mine"))
        refused(told, 405)
        assert told.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
        told = await client.put("Patient?identifier=mine", json=patient(id="mine"))
        refused(told, 405)
        assert told.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST"
        assert (await client.get("Patient/mine")).status_code == 404
        logical_id = await posted(client, patient())
        known = await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, active=True))
        assert known.status_code == 200
        await client.delete(f"Patient/{logical_id}")
        back = await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, active=True))
        assert back.status_code == 201, "the id is one of the server's"
        statement = body(await client.get("metadata"))
        (told,) = [each for each in statement["rest"][0]["resource"] if each["type"] == "Patient"]
        assert told["updateCreate"] is False


@pytest.mark.parametrize("change", [{}, {"meta": {"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z"}}])
async def test_what_changes_nothing_makes_no_version(
    client: httpx.AsyncClient, change: dict[str, object]
) -> None:
    logical_id = await posted(client, observation(valueInteger=1))
    same = observation(id=logical_id, valueInteger=1, **change)
    response = await client.put(f"Observation/{logical_id}", json=same)
    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"1"'
    history = body(await client.get(f"Observation/{logical_id}/_history"))
    assert len(history["entry"]) == 1


async def test_a_digit_more_is_a_change(client: httpx.AsyncClient) -> None:
    template = '{"resourceType":"Observation","id":"digit","status":"final","code":{"text":"x"},"valueQuantity":{"value":%s}}'
    versions = []
    for number in ("6.3", "6.30", "6.30", "63e-1"):
        response = await client.put("Observation/digit", content=template % number)
        versions.append(response.headers["etag"])
        assert f'"value":{number}' in response.text
    assert versions == ['W/"1"', 'W/"2"', 'W/"2"', 'W/"3"']


async def test_large_whole_numbers_survive_every_way_of_writing(client: httpx.AsyncClient) -> None:
    sent = '{"resourceType":"Observation","id":"large","status":"final","code":{"text":"x"},"valueQuantity":{"value":3000000000}}'
    for _ in range(2):
        assert (await client.put("Observation/large", content=sent)).headers["etag"] == 'W/"1"'
    operations = [{"op": "add", "path": "/valueQuantity/unit", "value": "g"}]
    json_patch = {"Content-Type": "application/json-patch+json"}
    patched = await client.patch("Observation/large", json=operations, headers=json_patch)
    assert '"valueQuantity":{"value":3000000000,"unit":"g"}' in patched.text
    for path in ("Observation/large/_history/1", "Observation?_id=large", "Observation/large/_history"):
        assert '"value":3000000000' in (await client.get(path)).text


async def test_an_update_brings_what_was_deleted_back(client: httpx.AsyncClient) -> None:
    await client.put("Patient/back", json=patient(id="back"))
    await client.delete("Patient/back")
    response = await client.put("Patient/back", json=patient(id="back"))
    assert response.status_code == 201
    assert response.headers["etag"] == 'W/"3"'
    assert (await client.get("Patient/back")).status_code == 200


@pytest.mark.parametrize(
    ("resource", "at"),
    [(patient(), "Patient.id"), (patient(id="other"), "Patient.id"), (patient(id=5), "Patient.id"),
     (patient(id=None), "Patient.id"), (patient(id="MISMATCH"), "Patient.id")],
)  # fmt: skip
async def test_the_id_in_the_body_must_be_that_in_the_url(
    client: httpx.AsyncClient, resource: dict[str, object], at: str
) -> None:
    refused(await client.put("Patient/mismatch", json=resource), 400, at=at)
    assert (await client.get("Patient/mismatch")).status_code == 404


async def test_an_invalid_update_leaves_what_was(client: httpx.AsyncClient) -> None:
    await client.put("Patient/safe", json=patient(id="safe", active=True))
    refused(await client.put("Patient/safe", json=patient(id="safe", active=1)), 400, at="Patient.active")
    response = await client.get("Patient/safe")
    assert (body(response)["active"], response.headers["etag"]) == (True, 'W/"1"')


async def test_dangling_references_are_422_where_a_setting_says_so(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        await client.put("Patient/p", json=patient(id="p"))
        right = observation(id="o", subject={"reference": "Patient/p"})
        assert (await client.put("Observation/o", json=right)).status_code == 201
        wrong = observation(id="o", subject={"reference": "Patient/q"})
        refused(await client.put("Observation/o", json=wrong), 422, at="Observation.subject.reference")
        itself = patient(id="p", link=[{"other": {"reference": "Patient/p"}, "type": "seealso"}])
        assert (await client.put("Patient/p", json=itself)).status_code == 200
