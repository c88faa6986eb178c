"""fhirpy, an asynchronous FHIR client, against the running server."""

from __future__ import annotations

import pytest
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound


async def test_create_read_update_delete(base_url: str) -> None:
    client = AsyncFHIRClient(base_url)
    patient = client.resource(
        "Patient", name=[{"family": "Chalmers", "given": ["Peter"]}], birthDate="1974-12-25"
    )
    await patient.save()
    assert patient.id
    read = await client.reference("Patient", patient.id).to_resource()
    assert read["name"] == [{"family": "Chalmers", "given": ["Peter"]}]
    read["active"] = True
    await read.save()
    assert read["meta"]["versionId"] == "2"
    again = await client.resources("Patient").search(_id=patient.id).first()
    assert again is not None
    assert again["active"] is True
    await again.delete()  # type: ignore[no-untyped-call]
    with pytest.raises(ResourceNotFound):
        await client.reference("Patient", patient.id).to_resource()


async def test_search_page_by_page(base_url: str) -> None:
    client = AsyncFHIRClient(base_url)
    for n in range(12):
        await client.resource("Organization", id=f"org{n:02}", name=f"Clinic {n}", active=bool(n % 2)).save()
    found = [each.id async for each in client.resources("Organization").search(active="true").limit(2)]
    assert found == ["org01", "org03", "org05", "org07", "org09", "org11"]
    assert len(await client.resources("Organization").limit(5).fetch_all()) == 12
    # its count() sends a parameter of another server's
    lenient = AsyncFHIRClient(base_url, extra_headers={"Prefer": "handling=lenient"})
    assert await lenient.resources("Organization").search(name="Clinic 1").count() == 3
    assert (await client.resources("Organization").search(_id="org03").get()).id == "org03"


async def test_conditional_update(base_url: str) -> None:
    client = AsyncFHIRClient(base_url)
    identifier = [{"system": "http://example.org/npi", "value": "1"}]
    known = client.resources("Practitioner").search(identifier="http://example.org/npi|1")
    made, created = await known.update(client.resource("Practitioner", identifier=identifier))
    assert created
    changed, created = await known.update(client.resource("Practitioner", identifier=identifier, active=True))
    assert not created
    assert (changed.id, changed["active"]) == (made.id, True)


async def test_conditional_create_as_it_asks_for_it_makes_no_duplicate(base_url: str) -> None:
    """It puts the criteria into the URL of the POST; R4 has them in If-None-Exist."""
    client = AsyncFHIRClient(base_url)
    known = client.resources("Location").search(identifier="http://example.org/rooms|1")
    with pytest.raises(OperationOutcome) as caught:
        await known.get_or_create(client.resource("Location"))
    assert "If-None-Exist" in caught.value.resource["issue"][0]["diagnostics"]
    assert await client.resources("Location").fetch() == []


async def test_a_bundle(base_url: str) -> None:
    client = AsyncFHIRClient(base_url)
    urn = "urn:uuid:0d9a1b52-4a10-4b0e-8f7e-6d1f2c3b4a51"
    bundle = client.resource(
        "Bundle", type="transaction",
        entry=[{"fullUrl": urn, "resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
               {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                             "subject": {"reference": urn}}, "request": {"method": "POST", "url": "Observation"}}],
    )  # fmt: skip
    await bundle.save()
    assert bundle["type"] == "transaction-response"
    where = [entry["response"]["location"].split("/")[1] for entry in bundle["entry"]]
    observation = await client.reference("Observation", where[1]).to_resource()
    assert observation["subject"]["reference"] == f"Patient/{where[0]}"


async def test_faults_are_outcomes(base_url: str) -> None:
    client = AsyncFHIRClient(base_url)
    with pytest.raises(OperationOutcome) as caught:
        await client.resource("Patient", gender="xx").save()
    assert caught.value.resource["issue"][0]["expression"] == ["Patient.gender"]
