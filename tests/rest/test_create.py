"""The create interaction. http://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from resources import codec
from tests.rest.conftest import Start
from tests.rest.expecting import body, observation, patient, refused, total


async def test_the_server_chooses_the_id(client: httpx.AsyncClient) -> None:
    response = await client.post("Patient", json=patient(id="mine", active=True))
    assert response.status_code == 201
    logical_id = body(response)["id"]
    assert logical_id != "mine"
    UUID(logical_id)
    assert response.headers["location"] == f"{client.base_url}Patient/{logical_id}/_history/1"
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["last-modified"].endswith(" GMT")
    assert (await client.get(response.headers["location"])).content == response.content
    assert (await client.get("Patient/mine")).status_code == 404


async def test_two_equal_creates_make_two(client: httpx.AsyncClient) -> None:
    one, two = [(await client.post("Basic", json={"resourceType": "Basic", "code": {"text": "x"}})).json()["id"]
                for _ in range(2)]  # fmt: skip
    assert one != two


async def test_return_minimal_and_outcome(client: httpx.AsyncClient) -> None:
    minimal = await client.post("Patient", json=patient(), headers={"Prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert "content-type" not in minimal.headers
    assert minimal.headers["location"]
    told = await client.post("Patient", json=patient(), headers={"Prefer": "return=OperationOutcome"})
    assert told.status_code == 201
    assert body(told)["issue"][0]["severity"] == "information"
    whole = await client.post("Patient", json=patient(), headers={"Prefer": "return=representation"})
    assert body(whole)["resourceType"] == "Patient"


@pytest.mark.parametrize(
    ("resource", "status", "at"),
    [
        (patient(gender="xx"), 400, "Patient.gender"),
        (patient(active="true"), 400, "Patient.active"),
        (patient(name=[]), 400, "Patient.name"),
        (patient(name=[{"family": ""}]), 400, "Patient.name[0].family"),
        (patient(name=[{"given": ["a", 1]}]), 400, "Patient.name[0].given[1]"),
        (patient(birthDate="1974-02-30"), 400, "Patient.birthDate"),
        (patient(birthDate="2974-01-01"), 422, "Patient.birthDate"),
        (patient(birthDate="1774-01-01"), 422, "Patient.birthDate"),
        (patient(deceasedBoolean=True, deceasedDateTime="2020"), 400, "Patient"),
        (patient(managingOrganization={"reference": "Patient/1"}), 400, "Patient.managingOrganization.reference"),
        (patient(contact=[{"gender": "male"}]), 422, "Patient.contact[0]"),
        (patient(nickname="x"), 400, "Patient.nickname"),
        (observation(status="bogus"), 400, "Observation.status"),
        (observation(valueQuantity={"value": "1"}), 400, "Observation.value.value"),
        ({"resourceType": "Observation", "status": "final"}, 400, "Observation.code"),
    ],
)  # fmt: skip
async def test_what_breaks_its_definition_is_refused_and_named(
    client: httpx.AsyncClient, resource: dict[str, object], status: int, at: str
) -> None:
    resource_type = str(resource["resourceType"])
    before = await total(client, resource_type)
    outcome = refused(await client.post(resource_type, json=resource), status)
    told = {expression for issue in outcome["issue"] for expression in issue.get("expression", [])}
    assert any(expression.startswith(at) for expression in told), told
    assert await total(client, resource_type) == before


async def test_all_faults_are_told_at_once(client: httpx.AsyncClient) -> None:
    wrong = patient(gender="xx", active=1, birthDate="x", nickname="x")
    outcome = refused(await client.post("Patient", json=wrong), 400)
    told = {expression for issue in outcome["issue"] for expression in issue.get("expression", [])}
    assert told >= {"Patient.gender", "Patient.active", "Patient.birthDate", "Patient.nickname"}


async def test_warnings_do_not_keep_a_resource_out(client: httpx.AsyncClient) -> None:
    odd = patient(address=[{"country": "US", "state": "Massachusetts", "postalCode": "none"}])
    assert (await client.post("Patient", json=odd)).status_code == 201


@pytest.mark.parametrize(
    "resource_type", ["Observation", "Foo", None, 1, ["Patient"], {"a": 1}, "patient", ""]
)
async def test_the_type_in_the_body_must_be_that_in_the_url(
    client: httpx.AsyncClient, resource_type: object
) -> None:
    wrong = {"resourceType": resource_type} if resource_type is not None else {"active": True}
    refused(await client.post("Patient", json=wrong), 400, says="the URL says Patient", at="Patient")


async def test_dangling_references_are_accepted_by_default(client: httpx.AsyncClient) -> None:
    response = await client.post("Observation", json=observation(subject={"reference": "Patient/nobody"}))
    assert response.status_code == 201


async def test_dangling_references_are_422_where_a_setting_says_so(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        dangling = observation(
            subject={"reference": "Patient/nobody"}, performer=[{"reference": "Patient/a"}]
        )
        outcome = refused(await client.post("Observation", json=dangling), 422)
        told = {expression for issue in outcome["issue"] for expression in issue["expression"]}
        assert told == {"Observation.subject.reference", "Observation.performer[0].reference"}
        assert await total(client, "Observation") == 0
        elsewhere = observation(subject={"reference": "http://elsewhere.example/fhir/Patient/1"})
        assert (await client.post("Observation", json=elsewhere)).status_code == 201
        display = observation(subject={"display": "somebody"})
        assert (await client.post("Observation", json=display)).status_code == 201
        own = observation(subject={"reference": f"{client.base_url}Patient/nobody"})
        refused(await client.post("Observation", json=own), 422)


async def test_large_resources_are_stored_exactly(client: httpx.AsyncClient) -> None:
    components = [
        {"code": {"text": f"{n}"}, "valueQuantity": {"value": codec.number(f"{n}.10")}} for n in range(5000)
    ]
    sent = observation(component=components)
    response = await client.post("Observation", content=codec.encode(sent))
    assert response.status_code == 201
    read = body(await client.get(f"Observation/{response.json()['id']}"))
    assert codec.encode(read["component"]) == codec.encode(components)
