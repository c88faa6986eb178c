"""The delete interaction: soft. http://hl7.org/fhir/R4/http.html#delete"""

from __future__ import annotations

import httpx

from tests.rest.conftest import Start
from tests.rest.expecting import body, events, observation, patient, posted, refused, total


async def test_what_is_deleted_is_gone_and_its_versions_stay(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient(active=True))
    response = await client.delete(f"Patient/{logical_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["etag"] == 'W/"2"'
    gone = await client.get(f"Patient/{logical_id}")
    refused(gone, 410, says=f"Patient/{logical_id} was deleted")
    assert gone.headers["etag"] == 'W/"2"'
    assert (await client.get(f"Patient/{logical_id}/_history/1")).status_code == 200
    methods = [entry["request"]["method"]
               for entry in body(await client.get(f"Patient/{logical_id}/_history"))["entry"]]  # fmt: skip
    assert methods == ["DELETE", "POST"]


async def test_what_is_deleted_is_not_found(client: httpx.AsyncClient) -> None:
    tag = {"meta": {"tag": [{"system": "http://example.org", "code": "deleted"}]}}
    logical_id = await posted(client, patient(**tag))
    assert await total(client, "Patient", _tag="http://example.org|deleted") == 1
    await client.delete(f"Patient/{logical_id}")
    assert await total(client, "Patient", _tag="http://example.org|deleted") == 0
    assert await total(client, "Patient", _id=logical_id) == 0


async def test_to_delete_again_changes_nothing(client: httpx.AsyncClient) -> None:
    await client.put("Patient/again", json=patient(id="again"))
    for _ in range(2):
        assert (await client.delete("Patient/again")).status_code == 204
    assert len(body(await client.get("Patient/again/_history"))["entry"]) == 2


async def test_what_never_was_needs_no_deleting(client: httpx.AsyncClient) -> None:
    response = await client.delete("Patient/never")
    assert (response.status_code, response.content) == (204, b"")
    refused(await client.get("Patient/never"), 404)
    refused(await client.get("Patient/never/_history"), 404)
    (event,) = await events(client, response)
    assert event["action"] == "D"
    assert {"reference": "Patient/never"} in [entity["what"] for entity in event["entity"]]
    refused(await client.delete("Patient/never", headers={"If-Match": 'W/"1"'}), 412)
    told = await client.delete("Patient/never", headers={"Prefer": "return=OperationOutcome"})
    assert told.status_code == 200
    assert "nothing was there to delete" in told.text


async def test_if_match(client: httpx.AsyncClient) -> None:
    await client.put("Patient/matched", json=patient(id="matched"))
    refused(await client.delete("Patient/matched", headers={"If-Match": 'W/"2"'}), 412)
    assert (await client.get("Patient/matched")).status_code == 200
    assert (await client.delete("Patient/matched", headers={"If-Match": 'W/"1"'})).status_code == 204


async def test_prefer_an_outcome(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient())
    prefer = {"Prefer": "return=OperationOutcome"}
    response = await client.delete(f"Patient/{logical_id}", headers=prefer)
    assert response.status_code == 200
    assert f"Patient/{logical_id} is deleted" in response.text
    again = await client.delete(f"Patient/{logical_id}", headers=prefer)
    assert "nothing was there to delete" in again.text


async def test_what_is_referred_to_stays_where_a_setting_says_so(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        await client.put("Patient/p", json=patient(id="p"))
        logical_id = await posted(client, observation(subject={"reference": "Patient/p"}))
        refused(await client.delete("Patient/p"), 409, says=f"Observation/{logical_id}")
        refused(await client.delete("Patient?_id=p"), 409, says=f"Observation/{logical_id}")
        assert (await client.get("Patient/p")).status_code == 200
        assert (await client.delete(f"Observation/{logical_id}")).status_code == 204
        assert (await client.delete("Patient/p")).status_code == 204
        refused(await client.post("Observation", json=observation(subject={"reference": "Patient/p"})), 422)


async def test_what_is_referred_to_may_go_by_default(client: httpx.AsyncClient) -> None:
    await client.put("Patient/free", json=patient(id="free"))
    await posted(client, observation(subject={"reference": "Patient/free"}))
    assert (await client.delete("Patient/free")).status_code == 204
