"""The patch interaction, JSON Patch and FHIRPath Patch. http://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from resources import codec
from tests.rest.expecting import body, patient, posted, refused

JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def fhirpath(**parts: Any) -> dict[str, Any]:
    named = [{"name": name, ("valueCode" if name == "type" else "valueString"): value}
             for name, value in parts.items() if name != "value"]  # fmt: skip
    if "value" in parts:
        named.append({"name": "value", **parts["value"]})
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": named}]}


async def test_json_patch(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient(active=True, name=[{"family": "A"}]))
    operations = [
        {"op": "test", "path": "/active", "value": True},
        {"op": "replace", "path": "/active", "value": False},
        {"op": "add", "path": "/name/-", "value": {"family": "B"}},
    ]
    response = await client.patch(f"Patient/{logical_id}", json=operations, headers=JSON_PATCH)
    assert response.status_code == 200
    assert response.headers["etag"] == 'W/"2"'
    assert response.headers["location"].endswith(f"Patient/{logical_id}/_history/2")
    assert body(response)["name"] == [{"family": "A"}, {"family": "B"}]
    assert (await client.get(f"Patient/{logical_id}")).content == response.content


async def test_fhirpath_patch(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient(name=[{"family": "A"}]))
    add = fhirpath(type="add", path="Patient", name="birthDate", value={"valueDate": "1974-12-25"})
    response = await client.patch(f"Patient/{logical_id}", json=add)
    assert response.status_code == 200
    assert body(response)["birthDate"] == "1974-12-25"
    remove = fhirpath(type="delete", path="Patient.name.where(family = 'A')")
    assert "name" not in body(await client.patch(f"Patient/{logical_id}", json=remove))


async def test_patched_numbers_keep_their_digits(client: httpx.AsyncClient) -> None:
    sent = {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "valueQuantity": {"value": codec.number("6.30")}}  # fmt: skip
    logical_id = await posted(client, sent)
    operations = b'[{"op":"add","path":"/valueQuantity/unit","value":"g"},{"op":"add","path":"/referenceRange","value":[{"low":{"value":1.10}}]}]'
    response = await client.patch(f"Observation/{logical_id}", content=operations, headers=JSON_PATCH)
    assert '"value":6.30' in response.text
    assert '"value":1.10' in response.text


async def test_a_patch_that_changes_nothing_makes_no_version(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient(active=True))
    for operations in ([], [{"op": "replace", "path": "/active", "value": True}]):
        response = await client.patch(f"Patient/{logical_id}", json=operations, headers=JSON_PATCH)
        assert (response.status_code, response.headers["etag"]) == (200, 'W/"1"')


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "test", "path": "/active", "value": False}], 422),
        ([{"op": "remove", "path": "/nothing"}], 422),
        ([{"op": "replace", "path": "/name/7", "value": {}}], 422),
        ([{"op": "bogus", "path": "/active"}], 400),
        ([{"op": "add", "path": "active", "value": 1}], 400),
        ([{"op": "add", "path": "/active"}], 400),
        ([{"path": "/active"}], 400),
        (["x"], 400),
        ({"op": "add"}, 400),
        ("x", 400),
        (None, 400),
        (5, 400),
        ([{"op": "add", "path": "/nickname", "value": "x"}], 400),
        ([{"op": "replace", "path": "/active", "value": "true"}], 400),
        ([{"op": "add", "path": "/name", "value": []}], 400),
        ([{"op": "replace", "path": "/id", "value": "other"}], 422),
        ([{"op": "remove", "path": "/id"}], 422),
        ([{"op": "replace", "path": "/resourceType", "value": "Group"}], 422),
        ([{"op": "replace", "path": "", "value": {"resourceType": "Patient"}}], 422),
        ([{"op": "replace", "path": "", "value": 5}], 422),
        ([{"op": "remove", "path": ""}], 422),
        ([{"op": "add", "path": "/$set", "value": 1}], 400),
        ([{"op": "add", "path": "/a.b", "value": 1}], 400),
        ([{"op": "copy", "from": "/name/0", "path": "/name/-"}] * 30000, 413),
        ([{"op": "copy", "from": "/name", "path": "/name/-"}] * 40, 413),
    ],
)  # fmt: skip
async def test_what_cannot_be_patched_leaves_what_was(
    client: httpx.AsyncClient, operations: object, status: int
) -> None:
    logical_id = await posted(client, patient(active=True, name=[{"family": "A"}]))
    response = await client.patch(f"Patient/{logical_id}", json=operations, headers=JSON_PATCH)
    refused(response, status)
    assert (await client.get(f"Patient/{logical_id}")).headers["etag"] == 'W/"1"'


HOSTILE = [
    "Patient" + ".name" * 20_000,
    "(" * 50_000,
    "Patient.name.where(" * 2_000 + "true" + ")" * 2_000,
    "Patient.name.where(family.matches('(a+)+$'))",
    "Patient.name.where(family.replaceMatches('(a|a)*', 'b').exists())",
    "Patient.repeat(children()).repeat(children())",
    "Patient.name.where(iif(true, family, resolve()).exists())",
    "Patient.name.trace('x')",
    "Patient.name[99999999999999999999]",
    "Patient.name[-1]",
    "Patient.name.where(family = 'A' or " + " or ".join(["family = 'B'"] * 5_000) + ")",
    "Patient.name.where(1/0 = 1)",
    "Patient.name; drop",
    "Patient.name\u0001",
    "Patient.`name",
    "Patient.name.where(family = '\\u00')",
    "''",
    "5",
    "{}",
    "Observation.status",
    "__import__('os')",
]


@pytest.mark.parametrize("path", HOSTILE, ids=[path[:20] for path in HOSTILE])
async def test_hostile_expressions_are_refused_in_time(client: httpx.AsyncClient, path: str) -> None:
    await client.put("Patient/hostile", json=patient(id="hostile", name=[{"family": "a" * 40 + "!"}]))
    async with asyncio.timeout(3):
        response = await client.patch("Patient/hostile", json=fhirpath(type="delete", path=path))
    refused(response, response.status_code)
    assert response.status_code in {400, 422}
    assert (await client.get("Patient/hostile")).json()["name"] == [{"family": "a" * 40 + "!"}]


@pytest.mark.parametrize(
    "parameters",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": [{"name": "operation"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "bogus", "valueString": "x"}]},
        fhirpath(type="bogus", path="Patient"),
        fhirpath(type="add", path="Patient", name="birthDate"),
        fhirpath(type="add", path="Patient", name="birthDate", value={"valueString": "soon"}),
        fhirpath(type="add", path="Patient", name="nickname", value={"valueString": "x"}),
        fhirpath(type="replace", path="Patient.id", value={"valueId": "other"}),
        fhirpath(path="Patient.active"),
    ],
)
async def test_what_is_no_fhirpath_patch_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, Any]
) -> None:
    await client.put("Patient/parameters", json=patient(id="parameters", active=True))
    response = await client.patch("Patient/parameters", json=parameters)
    if parameters == {"resourceType": "Parameters"}:
        assert response.status_code in {200, 400, 422}
    else:
        refused(response, response.status_code)
        assert response.status_code in {400, 422}
    assert (await client.get("Patient/parameters")).headers["etag"] == 'W/"1"'


async def test_other_bodies_are_told_what_was_expected(client: httpx.AsyncClient) -> None:
    await client.put("Patient/other", json=patient(id="other"))
    refused(await client.patch("Patient/other", json=patient(id="other")), 400, says="Parameters")
    for wrong in ("text/plain", "application/merge-patch+json", "application/xml-patch+xml"):
        response = await client.patch("Patient/other", content=b"{}", headers={"Content-Type": wrong})
        refused(response, 415, says="JSON Patch")


async def test_what_is_not_there_cannot_be_patched(client: httpx.AsyncClient) -> None:
    refused(await client.patch("Patient/never", json=[], headers=JSON_PATCH), 404)
    await client.put("Patient/gone", json=patient(id="gone"))
    await client.delete("Patient/gone")
    refused(await client.patch("Patient/gone", json=[], headers=JSON_PATCH), 410)


async def test_if_match(client: httpx.AsyncClient) -> None:
    await client.put("Patient/matched", json=patient(id="matched"))
    operations = [{"op": "add", "path": "/active", "value": True}]
    stale = {**JSON_PATCH, "If-Match": 'W/"9"'}
    refused(await client.patch("Patient/matched", json=operations, headers=stale), 412)
    fresh = {**JSON_PATCH, "If-Match": 'W/"1"'}
    assert (await client.patch("Patient/matched", json=operations, headers=fresh)).status_code == 200
