"""The transaction interaction. http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.rest.conftest import Start

PATIENT_URN = "urn:uuid:0d9a1b52-4a10-4b0e-8f7e-6d1f2c3b4a51"
OBSERVATION_URN = "urn:uuid:1f3b5c77-9d21-4c6e-a0b1-7e8f9a0b1c2d"


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    full_url = more.pop("fullUrl", None)
    made: dict[str, Any] = {} if full_url is None else {"fullUrl": full_url}
    if resource is not None:
        made["resource"] = resource
    return {**made, "request": {"method": method, "url": url, **more}}


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


def ids(response: httpx.Response) -> list[str]:
    return [each["response"]["location"].split("/")[1] for each in response.json()["entry"]]


async def test_references_between_entries_are_rewritten_everywhere(client: httpx.AsyncClient) -> None:
    narrative = (
        f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{PATIENT_URN}">who</a> {PATIENT_URN}</div>'
    )
    told = observation(
        text={"status": "generated", "div": narrative},
        contained=[{"resourceType": "Provenance", "id": "p", "target": [{"reference": PATIENT_URN}, {"reference": "#"}],
                    "recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"display": "x"}}]}],
        extension=[
            {"url": "http://example.org/who", "valueReference": {"reference": PATIENT_URN}},
            {"url": "http://example.org/uri", "valueUri": PATIENT_URN},
            {"url": "http://example.org/canonical", "valueCanonical": PATIENT_URN},
            {"url": "http://example.org/string", "valueString": PATIENT_URN},
        ],
        identifier=[{"system": "urn:ietf:rfc:3986", "value": PATIENT_URN}],
        subject={"reference": PATIENT_URN},
    )  # fmt: skip
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Observation", told, fullUrl=OBSERVATION_URN),
            entry("POST", "Patient", {"resourceType": "Patient"}, fullUrl=PATIENT_URN),
        ),
    )
    assert response.status_code == 200, response.text
    assert response.json()["type"] == "transaction-response"
    observation_id, patient_id = ids(response)
    where = f"Patient/{patient_id}"
    stored = (await client.get(f"Observation/{observation_id}")).json()
    assert stored["subject"]["reference"] == where
    assert stored["contained"][0]["target"][0]["reference"] == where
    assert stored["text"]["div"] == narrative.replace(f'"{PATIENT_URN}"', f'"{where}"')
    reference, uri, canonical, string = stored["extension"]
    assert reference["valueReference"]["reference"] == where
    assert uri["valueUri"] == where
    assert canonical["valueCanonical"] == PATIENT_URN
    assert string["valueString"] == PATIENT_URN
    assert stored["identifier"] == told["identifier"]


async def test_relative_references_follow_an_entry_that_gets_a_new_id(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Patient", {"resourceType": "Patient"}, fullUrl="http://other.example/fhir/Patient/77"),
            entry("POST", "Observation", observation(subject={"reference": "Patient/77"}),
                  fullUrl="http://other.example/fhir/Observation/1"),
            entry("POST", "Observation", observation(subject={"reference": "http://other.example/fhir/Patient/77"}),
                  fullUrl="http://other.example/fhir/Observation/2"),
        ),
    )  # fmt: skip
    patient_id, *observations = ids(response)
    for each in observations:
        assert (await client.get(f"Observation/{each}")).json()["subject"][
            "reference"
        ] == f"Patient/{patient_id}"


async def test_conditional_references_find_what_is_stored_and_what_comes_along(
    client: httpx.AsyncClient,
) -> None:
    stored = {
        "resourceType": "Practitioner",
        "id": "stored",
        "identifier": [{"system": "http://n", "value": "old"}],
    }
    await client.put("Practitioner/stored", json=stored)
    new = {"resourceType": "Practitioner", "identifier": [{"system": "http://n", "value": "new"}]}
    references = [{"reference": f"Practitioner?identifier=http://n|{value}"} for value in ("old", "new")]
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Observation", observation(performer=references)),
            entry("POST", "Practitioner", new),
        ),
    )
    assert response.status_code == 200, response.text
    observation_id, practitioner_id = ids(response)
    performers = (await client.get(f"Observation/{observation_id}")).json()["performer"]
    assert performers == [
        {"reference": "Practitioner/stored"},
        {"reference": f"Practitioner/{practitioner_id}"},
    ]


async def test_a_conditional_reference_that_matches_nothing_fails_the_transaction(
    client: httpx.AsyncClient,
) -> None:
    reference = {"reference": "Practitioner?identifier=http://n|nobody"}
    response = await client.post(
        "", json=bundle(entry("POST", "Observation", observation(performer=[reference])))
    )
    assert response.status_code == 412
    issue = response.json()["issue"][0]
    assert "http://n|nobody" in issue["diagnostics"]
    assert issue["expression"] == ["Bundle.entry[0].resource"]


async def test_one_failing_entry_undoes_all_and_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(
            entry("PUT", "Patient/never", {"resourceType": "Patient", "id": "never"}),
            entry("GET", "Patient/not-there-at-all"),
        ),
    )
    assert response.status_code == 404
    assert response.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1]")
    assert (await client.get("Patient/never")).status_code == 404


async def test_to_delete_what_never_was_fails_nothing(client: httpx.AsyncClient) -> None:
    kept = {"resourceType": "Patient", "id": "beside-a-delete"}
    response = await client.post(
        "", json=bundle(entry("DELETE", "Patient/never-was"), entry("PUT", "Patient/beside-a-delete", kept))
    )
    assert response.status_code == 200, response.text
    assert [each["response"]["status"][:3] for each in response.json()["entry"]] == ["204", "201"]
    assert (await client.get("Patient/beside-a-delete")).status_code == 200


async def test_all_faults_of_all_entries_are_reported_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Patient", {"resourceType": "Patient", "gender": "x"}),
            entry("POST", "Patient", {"resourceType": "Patient"}),
            entry("POST", "Observation", {"resourceType": "Observation", "code": {"text": "x"}}),
        ),
    )
    assert response.status_code == 400
    told = {expression for issue in response.json()["issue"] for expression in issue["expression"]}
    assert "Bundle.entry[0].resource.gender" in told
    assert any(expression.startswith("Bundle.entry[2].resource") for expression in told)
    assert not any("entry[1]" in expression for expression in told)


async def test_two_entries_about_one_resource_are_refused(client: httpx.AsyncClient) -> None:
    twice = {"resourceType": "Patient", "id": "twice"}
    response = await client.post(
        "", json=bundle(entry("PUT", "Patient/twice", twice), entry("DELETE", "Patient/twice"))
    )
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["Bundle.entry[1].request.url"]
    assert (await client.get("Patient/twice")).status_code == 404


async def test_entries_are_processed_in_the_order_of_the_specification(client: httpx.AsyncClient) -> None:
    old = {"resourceType": "Patient", "id": "old", "identifier": [{"system": "http://o", "value": "1"}]}
    await client.put("Patient/old", json=old)
    new = {"resourceType": "Patient", "identifier": [{"system": "http://o", "value": "1"}]}
    response = await client.post(
        "",
        json=bundle(
            entry("GET", "Patient?identifier=http://o|1"),
            entry("POST", "Patient", new, ifNoneExist="identifier=http://o|1"),
            entry("DELETE", "Patient/old"),
        ),
    )
    found, created, deleted = response.json()["entry"]
    assert deleted["response"]["status"].startswith("204")
    assert created["response"]["status"].startswith("201")
    new_id = created["response"]["location"].split("/")[1]
    assert [each["resource"]["id"] for each in found["resource"]["entry"]] == [new_id]


async def test_responses_say_status_location_etag_and_when(client: httpx.AsyncClient) -> None:
    await client.put("Patient/kept", json={"resourceType": "Patient", "id": "kept"})
    response = await client.post(
        "",
        json=bundle(
            entry("PUT", "Patient/kept", {"resourceType": "Patient", "id": "kept", "language": "de"}),
            entry("POST", "Patient", {"resourceType": "Patient"}),
            entry("GET", "Patient/kept"),
        ),
    )
    updated, created, read = response.json()["entry"]
    assert updated["response"]["status"] == "200 OK"
    assert updated["response"]["etag"] == 'W/"2"'
    assert updated["response"]["location"] == "Patient/kept/_history/2"
    assert "resource" not in updated
    assert created["response"]["status"] == "201 Created"
    assert created["response"]["etag"] == 'W/"1"'
    assert created["response"]["lastModified"].endswith("Z")
    assert read["resource"]["language"] == "de"


async def test_prefer_representation_gives_the_resources_back(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(entry("POST", "Patient", {"resourceType": "Patient"})),
        headers={"Prefer": "return=representation"},
    )
    assert response.json()["entry"][0]["resource"]["resourceType"] == "Patient"


async def test_patch_and_if_match_inside_a_transaction(client: httpx.AsyncClient) -> None:
    await client.put("Patient/patched", json={"resourceType": "Patient", "id": "patched"})
    patch = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"},
            {"name": "name", "valueString": "active"}, {"name": "value", "valueBoolean": True}]}],
    }  # fmt: skip
    wrong = await client.post("", json=bundle(entry("PATCH", "Patient/patched", patch, ifMatch='W/"7"')))
    assert wrong.status_code == 412
    right = await client.post("", json=bundle(entry("PATCH", "Patient/patched", patch, ifMatch='W/"1"')))
    assert right.status_code == 200, right.text
    assert (await client.get("Patient/patched")).json()["active"] is True


@pytest.mark.parametrize("size", [5000])
async def test_large_bundles_are_one_transaction(client: httpx.AsyncClient, size: int) -> None:
    many = [entry("POST", "Observation", observation(valueInteger=n)) for n in range(size)]
    response = await client.post("", json=bundle(*many))
    assert response.status_code == 200
    assert len(response.json()["entry"]) == size
    last = ids(response)[-1]
    assert (await client.get(f"Observation/{last}")).json()["valueInteger"] == size - 1


async def test_every_entry_leaves_its_own_audit_event(client: httpx.AsyncClient) -> None:
    response = await client.post("", json=bundle(entry("POST", "Patient", {"resourceType": "Patient"})))
    (patient_id,) = ids(response)
    events = (await client.get("AuditEvent", params={"entity": f"Patient/{patient_id}"})).json()["entry"]
    assert [each["resource"]["subtype"][0]["code"] for each in events] == ["create"]
    request_id = response.headers["x-request-id"]
    assert events[0]["resource"]["entity"][-1]["what"]["identifier"]["value"] == request_id


async def test_dangling_references_are_refused_where_integrity_is_on(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        dangling = await client.post(
            "", json=bundle(entry("POST", "Observation", observation(subject={"reference": "Patient/no"})))
        )
        assert dangling.status_code == 422
        assert dangling.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource.subject.reference"]
        together = await client.post(
            "",
            json=bundle(
                entry("POST", "Patient", {"resourceType": "Patient"}, fullUrl=PATIENT_URN),
                entry(
                    "POST",
                    "Observation",
                    observation(subject={"reference": PATIENT_URN}),
                    fullUrl=OBSERVATION_URN,
                ),
            ),
        )
        assert together.status_code == 200, together.text
        patient_id, observation_id = ids(together)
        assert (await client.delete(f"Patient/{patient_id}")).status_code == 409
        both = bundle(
            entry("DELETE", f"Patient/{patient_id}"), entry("DELETE", f"Observation/{observation_id}")
        )
        assert (await client.post("", json=both)).status_code == 200


async def test_an_id_that_is_not_the_entrys_name_redirects_no_reference(client: httpx.AsyncClient) -> None:
    """With a urn as fullUrl, `Patient/there` means the one that is stored, whatever id the new one was sent with."""
    await client.put("Patient/there", json={"resourceType": "Patient", "id": "there"})
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Patient", {"resourceType": "Patient", "id": "there"}, fullUrl=PATIENT_URN),
            entry(
                "POST",
                "Observation",
                observation(subject={"reference": "Patient/there"}),
                fullUrl=OBSERVATION_URN,
            ),
        ),
    )
    _, observation_id = ids(response)
    assert (await client.get(f"Observation/{observation_id}")).json()["subject"][
        "reference"
    ] == "Patient/there"


Z = {"resourceType": "Patient", "id": "z", "identifier": [{"system": "urn:x", "value": "z"}]}
PATCH_Z = {
    "resourceType": "Parameters",
    "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "active"}, {"name": "value", "valueBoolean": True}]}],
}  # fmt: skip


@pytest.mark.parametrize(
    "pair",
    [
        (entry("DELETE", "Patient?identifier=urn:x|z"), entry("PUT", "Patient/z", Z)),
        (entry("PUT", "Patient/z", Z), entry("PUT", "Patient?identifier=urn:x|z", Z)),
        (entry("PUT", "Patient/z", Z), entry("PATCH", "Patient?identifier=urn:x|z", PATCH_Z)),
        (entry("DELETE", "Patient/z"), entry("DELETE", "Patient?identifier=urn:x|z")),
        (entry("DELETE", "Patient?identifier=urn:x|z"), entry("PATCH", "Patient/z", PATCH_Z)),
        (entry("PUT", "Patient?identifier=urn:x|z", Z), entry("PUT", "Patient?identifier=z", Z)),
    ],
)
async def test_identities_that_criteria_resolve_to_may_not_overlap(
    client: httpx.AsyncClient, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """http://hl7.org/fhir/R4/http.html#trules: "including resolved identities from conditional update/delete"."""
    await client.put("Patient/z", json=Z)
    before = (await client.get("Patient/z")).json()
    for both in (pair, pair[::-1]):
        response = await client.post("", json=bundle(*both))
        assert response.status_code == 400, response.text
        assert "Patient/z" in response.json()["issue"][0]["diagnostics"]
    assert (await client.get("Patient/z")).json() == before


async def test_a_conditional_create_beside_its_like_is_refused(client: httpx.AsyncClient) -> None:
    same = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "like"}]}
    plain = entry("POST", "Patient", same)
    conditional = entry("POST", "Patient", same, ifNoneExist="identifier=urn:x|like")
    response = await client.post("", json=bundle(plain, conditional))
    assert response.status_code == 412
    assert response.json()["issue"][0]["expression"] == ["Bundle.entry[1].request"]
    found = await client.get("Patient?identifier=urn:x|like&_summary=count")
    assert found.json()["total"] == 0


async def test_json_patches_refer_to_other_entries(client: httpx.AsyncClient) -> None:
    await client.put("Patient/jp", json={"resourceType": "Patient", "id": "jp"})
    known = {
        "resourceType": "Patient",
        "id": "known-jp",
        "identifier": [{"system": "urn:x", "value": "known-jp"}],
    }
    await client.put("Patient/known-jp", json=known)
    links = [{"other": {"reference": reference}, "type": "seealso"}
             for reference in (PATIENT_URN, "Patient?identifier=urn:x|known-jp")]  # fmt: skip
    operations = [{"op": "add", "path": "/link", "value": links}]
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
    response = await client.post(
        "",
        json=bundle(
            entry("PATCH", "Patient/jp", binary),
            entry("POST", "Patient", {"resourceType": "Patient"}, fullUrl=PATIENT_URN),
        ),
    )
    assert response.status_code == 200, response.text
    new_id = ids(response)[1]
    found = [link["other"]["reference"] for link in (await client.get("Patient/jp")).json()["link"]]
    assert found == [f"Patient/{new_id}", "Patient/known-jp"]


async def test_fhirpath_patches_refer_conditionally(client: httpx.AsyncClient) -> None:
    await client.put("Patient/fp", json={**Z, "id": "fp", "identifier": [{"system": "urn:x", "value": "fp"}]})
    made = await client.post("Observation", json=observation())
    patch = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Observation"},
            {"name": "name", "valueString": "subject"},
            {"name": "value", "valueReference": {"reference": "Patient?identifier=urn:x|fp"}}]}],
    }  # fmt: skip
    where = f"Observation/{made.json()['id']}"
    response = await client.post("", json=bundle(entry("PATCH", where, patch)))
    assert response.status_code == 200, response.text
    assert (await client.get(where)).json()["subject"]["reference"] == "Patient/fp"


async def test_what_a_reference_becomes_must_be_allowed_there(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Organization", {"resourceType": "Organization", "name": "x"}, fullUrl=PATIENT_URN),
            entry("POST", "Observation", observation(subject={"reference": PATIENT_URN})),
        ),
    )
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.subject.reference"]


async def test_totals_see_what_the_transaction_wrote(client: httpx.AsyncClient) -> None:
    basic = {"resourceType": "Basic", "code": {"coding": [{"system": "urn:x", "code": "total"}]}}
    response = await client.post(
        "", json=bundle(entry("POST", "Basic", basic), entry("GET", "Basic?code=urn:x|total&_total=accurate"))
    )
    assert response.json()["entry"][1]["resource"]["total"] == 1


async def test_relative_references_resolve_against_their_own_base(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Patient", {"resourceType": "Patient"}, fullUrl="http://one.example/fhir/Patient/p1"),
            entry("POST", "Observation", observation(subject={"reference": "Patient/p1"}),
                  fullUrl="http://two.example/fhir/Observation/o1"),
            entry("POST", "Observation", observation(subject={"reference": "Patient/p1/_history/3"}),
                  fullUrl="http://one.example/fhir/Observation/o2"),
        ),
    )  # fmt: skip
    patient_id, other, same = ids(response)
    assert (await client.get(f"Observation/{other}")).json()["subject"]["reference"] == "Patient/p1"
    assert (await client.get(f"Observation/{same}")).json()["subject"]["reference"] == f"Patient/{patient_id}"


async def test_elements_that_hold_no_link_stay(client: httpx.AsyncClient) -> None:
    kept = {"url": "http://example.org/uuid", "valueUuid": PATIENT_URN}
    inner = {"resourceType": "Bundle", "type": "collection",
             "entry": [{"fullUrl": PATIENT_URN, "resource": {"resourceType": "Patient"}}]}  # fmt: skip
    response = await client.post(
        "",
        json=bundle(
            entry("POST", "Patient", {"resourceType": "Patient", "extension": [kept]}, fullUrl=PATIENT_URN),
            entry("POST", "Bundle", inner),
        ),
    )
    patient_id, bundle_id = ids(response)
    assert (await client.get(f"Patient/{patient_id}")).json()["extension"] == [kept]
    assert (await client.get(f"Bundle/{bundle_id}")).json()["entry"] == inner["entry"]


async def test_warnings_reach_who_asks_for_outcomes(client: httpx.AsyncClient) -> None:
    odd = {"resourceType": "Patient", "address": [{"country": "US", "postalCode": "X"}]}
    prefer = {"Prefer": "return=OperationOutcome"}
    for kind in ("transaction", "batch"):
        asked = {**bundle(entry("POST", "Patient", odd)), "type": kind}
        answer = (await client.post("", json=asked, headers=prefer)).json()["entry"][0]
        told = [
            issue["expression"] for issue in answer["response"]["outcome"]["issue"] if "expression" in issue
        ]
        assert ["Patient.address[0].postalCode"] in told


async def test_an_entry_without_request_is_named(client: httpx.AsyncClient) -> None:
    asked = bundle(
        entry("POST", "Patient", {"resourceType": "Patient"}), {"resource": {"resourceType": "Patient"}}
    )
    response = await client.post("", json=asked)
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]


async def test_a_version_that_is_named_stays_named(client: httpx.AsyncClient) -> None:
    kept = {"resourceType": "Patient", "id": "kept-version"}
    await client.put("Patient/kept-version", json=kept)
    base = str(client.base_url).rstrip("/")
    response = await client.post(
        "",
        json=bundle(
            entry("PUT", "Patient/kept-version", {**kept, "active": True}, fullUrl=f"{base}/Patient/kept-version"),
            entry("PUT", "Observation/kept-version",
                  observation(id="kept-version", subject={"reference": "Patient/kept-version/_history/1"}),
                  fullUrl=f"{base}/Observation/kept-version"),
        ),
    )  # fmt: skip
    assert response.status_code == 200, response.text
    told = (await client.get("Observation/kept-version")).json()["subject"]["reference"]
    assert told == "Patient/kept-version/_history/1"
