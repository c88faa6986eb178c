"""Conditional interactions. http://hl7.org/fhir/R4/http.html#cond-update"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.rest.conftest import Start
from tests.rest.expecting import body, patient, posted, refused, total

MRN = "http://example.org/mrn"


def known_as(value: str, **more: Any) -> dict[str, Any]:
    return patient(identifier=[{"system": MRN, "value": value}], **more)


def criteria(value: str) -> str:
    return f"identifier={MRN}|{value}"


async def test_create_only_where_nothing_matches(client: httpx.AsyncClient) -> None:
    condition = {"If-None-Exist": criteria("c1")}
    created = await client.post("Patient", json=known_as("c1"), headers=condition)
    assert created.status_code == 201
    again = await client.post("Patient", json=known_as("c1", active=True), headers=condition)
    assert again.status_code == 200
    assert again.content == created.content
    assert again.headers["location"] == created.headers["location"]
    assert await total(client, "Patient", identifier=f"{MRN}|c1") == 1
    await posted(client, known_as("c1"))
    refused(await client.post("Patient", json=known_as("c1"), headers=condition), 412)


async def test_criteria_of_a_create_in_the_url_are_refused(client: httpx.AsyncClient) -> None:
    before = await total(client, "Patient")
    refused(await client.post(f"Patient?{criteria('url')}", json=known_as("url")), 400, says="If-None-Exist")
    assert await total(client, "Patient") == before
    lenient = await client.post("Patient?x=1", json=known_as("url"), headers={"Prefer": "handling=lenient"})
    assert lenient.status_code == 201


@pytest.mark.parametrize("spelling", [
    "identifier=http://example.org/mrn|sp?ell", "?identifier=http://example.org/mrn|sp?ell",
    "Patient?identifier=http://example.org/mrn|sp?ell", quote("identifier=http://example.org/mrn|sp?ell", safe="="),
])  # fmt: skip
async def test_criteria_may_be_spelled_in_several_ways(client: httpx.AsyncClient, spelling: str) -> None:
    response = await client.post("Patient", json=known_as("sp?ell"), headers={"If-None-Exist": spelling})
    assert response.status_code in {200, 201}
    assert await total(client, "Patient", identifier=f"{MRN}|sp?ell") == 1


@pytest.mark.parametrize(
    ("garbage", "status"),
    [("", 400), ("x", 400), ("&", 400), ("identifier", 400), ("identifier=", 400), ("=", 400), ("=x", 400),
     ("bogus=1", 400), ("identifier=a&bogus=1", 400), ("identifier=%ff", 400), ("identifier=%zz", 400),
     ("identifier=a|b|c", 400), ("birthdate=soon", 400), ("Observation?identifier=a", 400),
     ("http://example.org/fhir/Patient?identifier=a", 400), ("_count=1", 412), ("_sort=_id", 412),
     ("identifier=a&_sort=bogus", 400), ("identifier=\u00e9\u00e9".encode().decode("latin-1"), 201)],
)  # fmt: skip
async def test_criteria_that_cannot_be_understood_are_refused(
    client: httpx.AsyncClient, garbage: str, status: int
) -> None:
    before = await total(client, "Patient")
    response = await client.post(
        "Patient", json=patient(), headers=[(b"If-None-Exist", garbage.encode("latin-1")),
                                            (b"Content-Type", b"application/fhir+json")]
    )  # fmt: skip
    assert response.status_code == status
    if status != 201:
        refused(response, status)
        assert await total(client, "Patient") == before


async def test_update_what_matches_or_create_it(client: httpx.AsyncClient) -> None:
    created = await client.put(f"Patient?{criteria('u1')}", json=known_as("u1"))
    assert created.status_code == 201
    logical_id = created.json()["id"]
    updated = await client.put(f"Patient?{criteria('u1')}", json=known_as("u1", active=True))
    assert (updated.status_code, updated.headers["etag"]) == (200, 'W/"2"')
    assert updated.json()["id"] == logical_id
    same = await client.put(f"Patient?{criteria('u1')}", json=known_as("u1", active=True))
    assert (same.status_code, same.headers["etag"]) == (200, 'W/"2"')
    right = await client.put(f"Patient?{criteria('u1')}", json=known_as("u1", id=logical_id))
    assert right.status_code == 200
    refused(
        await client.put(f"Patient?{criteria('u1')}", json=known_as("u1", id="other")), 400, at="Patient.id"
    )


async def test_update_by_criteria_takes_an_id_where_nothing_matches(client: httpx.AsyncClient) -> None:
    created = await client.put(f"Patient?{criteria('u2')}", json=known_as("u2", id="u2-id"))
    assert created.status_code == 201
    assert created.json()["id"] == "u2-id"
    refused(await client.put(f"Patient?{criteria('u3')}", json=known_as("u3", id="u2-id")), 412)


async def test_update_refuses_several_matches_and_none(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await posted(client, known_as("u4"))
    refused(await client.put(f"Patient?{criteria('u4')}", json=known_as("u4")), 412, says="u4")
    refused(await client.put("Patient", json=patient()), 412)
    refused(await client.put("Patient?_count=1", json=patient()), 412)
    refused(await client.put("Patient?bogus=1", json=patient()), 400)


async def test_patch_what_matches(client: httpx.AsyncClient) -> None:
    operations = [{"op": "add", "path": "/active", "value": True}]
    json_patch = {"Content-Type": "application/json-patch+json"}
    none = await client.patch(f"Patient?{criteria('p1')}", json=operations, headers=json_patch)
    refused(none, 404, says=f"No Patient matches the criteria 'identifier={MRN}|p1'")
    logical_id = await posted(client, known_as("p1"))
    patched = await client.patch(f"Patient?{criteria('p1')}", json=operations, headers=json_patch)
    assert (patched.status_code, patched.json()["id"], patched.json()["active"]) == (200, logical_id, True)
    await posted(client, known_as("p1"))
    refused(await client.patch(f"Patient?{criteria('p1')}", json=operations, headers=json_patch), 412)
    refused(await client.patch("Patient", json=operations, headers=json_patch), 412)


async def test_delete_what_matches(client: httpx.AsyncClient) -> None:
    assert (await client.delete(f"Patient?{criteria('d1')}")).status_code == 204
    logical_id = await posted(client, known_as("d1"))
    assert (await client.delete(f"Patient?{criteria('d1')}")).status_code == 204
    assert (await client.get(f"Patient/{logical_id}")).status_code == 410


async def test_delete_several_only_where_a_setting_says_so(client: httpx.AsyncClient, start: Start) -> None:
    for _ in range(2):
        await posted(client, known_as("d2"))
    refused(await client.delete(f"Patient?{criteria('d2')}"), 412, says="at most 1 may match")
    assert await total(client, "Patient", identifier=f"{MRN}|d2") == 2
    refused(await client.delete("Patient"), 412)
    async with start(conditional_delete_multiple=True, conditional_delete_cap=3) as several:
        for _ in range(3):
            await posted(several, known_as("d3"))
        told = await several.delete(
            f"Patient?{criteria('d3')}", headers={"Prefer": "return=OperationOutcome"}
        )
        assert (told.status_code, "3 Patient resources" in told.text) == (200, True)
        assert await total(several, "Patient", identifier=f"{MRN}|d3") == 0
        for _ in range(4):
            await posted(several, known_as("d4"))
        refused(
            await several.delete(f"Patient?{criteria('d4')}"),
            412,
            says="at most 3 may match",
        )
        assert await total(several, "Patient", identifier=f"{MRN}|d4") == 4
        refused(await several.delete("Patient"), 412)
        refused(await several.delete("Patient?_count=2"), 412)


async def test_delete_by_criteria_heeds_if_match(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, known_as("d5"))
    refused(await client.delete(f"Patient?{criteria('d5')}", headers={"If-Match": 'W/"2"'}), 412)
    assert (await client.get(f"Patient/{logical_id}")).status_code == 200
    right = await client.delete(f"Patient?{criteria('d5')}", headers={"If-Match": 'W/"1"'})
    assert right.status_code == 204


@pytest.mark.parametrize("tag", ["1", "W/1", 'W/"1', '"', "x", "", 'W/"1",,W/"2"', 'w/"1"', 'W/"é"', "*,*"])
async def test_tags_that_cannot_be_understood_are_refused(client: httpx.AsyncClient, tag: str) -> None:
    await client.put("Patient/tag", json=patient(id="tag"))
    for name in ("If-Match", "If-None-Match"):
        headers = {name.encode(): tag.encode("latin-1")}
        headers[b"Content-Type"] = b"application/fhir+json"
        response = await client.put("Patient/tag", json=patient(id="tag", active=True), headers=headers)
        refused(response, 400, says=name)
    refused(await client.get("Patient/tag", headers={b"If-None-Match": tag.encode("latin-1")}), 400)
    assert (await client.get("Patient/tag")).headers["etag"] == 'W/"1"'


async def test_if_match_on_update(client: httpx.AsyncClient) -> None:
    refused(await client.put("Patient/m", json=patient(id="m"), headers={"If-Match": 'W/"1"'}), 412)
    await client.put("Patient/m", json=patient(id="m"))
    stale = await client.put("Patient/m", json=patient(id="m", active=True), headers={"If-Match": 'W/"2"'})
    refused(stale, 412, says="version 1")
    for n, tag in enumerate(('W/"1"', '"2"', 'W/"9", W/"3"', "*")):
        response = await client.put(
            "Patient/m", json=patient(id="m", language=f"x-{n}"), headers={"If-Match": tag}
        )
        assert response.status_code == 200, tag
    await client.delete("Patient/m")
    refused(await client.put("Patient/m", json=patient(id="m"), headers={"If-Match": 'W/"5"'}), 412)


async def test_only_what_is_not_there_is_created(client: httpx.AsyncClient) -> None:
    new = {"If-None-Match": "*"}
    assert (await client.put("Patient/n", json=patient(id="n"), headers=new)).status_code == 201
    refused(await client.put("Patient/n", json=patient(id="n", active=True), headers=new), 412)
    assert body(await client.get("Patient/n")).get("active") is None
    await client.delete("Patient/n")
    assert (await client.put("Patient/n", json=patient(id="n"), headers=new)).status_code == 201
