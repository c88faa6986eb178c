"""Chained parameters, `_has` and `_filter` on the running server.

http://hl7.org/fhir/R4/search.html#chaining, http://hl7.org/fhir/R4/search.html#has,
http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from resources import validation
from tests.rest.expecting import body, patient, refused
from tests.rest.test_search import FORM, ids, links

LOINC = "http://loinc.org"


def reference(text: str) -> dict[str, Any]:
    return {"reference": text}


def code(value: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": value}]}


def observation(logical_id: str, subject: str, loinc: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": logical_id, "status": "final", "code": code(loinc),
        "subject": reference(subject), **more,
    }  # fmt: skip


RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "trust", "name": "Hospital Trust"},
    {"resourceType": "Organization", "id": "clinic", "name": "Clinic", "partOf": reference("Organization/trust")},
    {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Gregor"}]},
    {
        "resourceType": "PractitionerRole", "id": "role", "practitioner": reference("Practitioner/dr"),
        "organization": reference("Organization/clinic"),
    },
    patient(
        id="ann", name=[{"family": "Muñoz", "given": ["Ann"]}], gender="female", birthDate="1980-02-03", active=True,
        generalPractitioner=[reference("PractitionerRole/role")], managingOrganization=reference("Organization/clinic"),
        identifier=[{"system": "http://example.org/mrn", "value": "1"}],
    ),
    patient(
        id="bob", name=[{"family": "Smith", "given": ["Bob"]}], gender="male", birthDate="1990",
        generalPractitioner=[reference("Practitioner/dr"), reference("Organization/clinic")],
        link=[{"other": reference("Patient/ann"), "type": "seealso"}],
    ),
    patient(id="cid", name=[{"family": "Smithers"}], gender="male"),
    {"resourceType": "Location", "id": "ward", "name": "Smith Ward"},
    {"resourceType": "Group", "id": "g1", "type": "person", "actual": True, "member": [{"entity": reference("Patient/ann")}]},
    observation("o1", "Patient/ann", "718-7", effectiveDateTime="2024-01-01", performer=[reference("Practitioner/dr")]),
    observation("o2", "Patient/bob", "718-7", effectiveDateTime="2023-01-01"),
    observation("o3", "Patient/bob", "4548-4", hasMember=[reference("Observation/o2")]),
    observation("o4", "Location/ward", "4548-4"),
    {**observation("o5", "", "1234-5"), "subject": {"identifier": {"value": "x"}, "display": "Smith"}},
    {
        "resourceType": "Questionnaire", "id": "q1", "status": "active", "url": "http://example.org/q", "version": "2",
        "title": "Falls",
    },
    {"resourceType": "QuestionnaireResponse", "id": "qr1", "status": "completed", "questionnaire": "http://example.org/q|2"},
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def resources(client: httpx.AsyncClient) -> None:
    for each in RESOURCES:
        answer = await client.put(f"{each['resourceType']}/{each['id']}", json=each)
        assert answer.status_code == 201, answer.text
    # What was deleted leads nowhere.
    gone = patient(id="gone", name=[{"family": "Smith"}])
    await client.put("Patient/gone", json=gone)
    await client.put("Observation/o9", json=observation("o9", "Patient/gone", "718-7"))
    await client.delete("Patient/gone")


CHAINED = [
    ("Observation?subject:Patient.name=muñoz", ["o1"]),
    ("Observation?subject:Patient.name=smith", ["o2", "o3"]),
    ("Observation?patient.name=munoz", ["o1"]),
    # any type that a subject can be of and that has the parameter: Patient and Location
    ("Observation?subject.name=smith", ["o2", "o3", "o4"]),
    ("Observation?subject:Location.name=smith", ["o4"]),
    ("Observation?subject.name:exact=Smith", ["o2", "o3"]),
    ("Observation?subject:Patient.name:contains=ITH", ["o2", "o3"]),
    ("Observation?patient.gender:not=male", ["o1"]),
    ("Observation?patient.birthdate:missing=false", ["o1", "o2", "o3"]),
    ("Observation?patient.birthdate=ge1985", ["o2", "o3"]),
    ("Observation?patient.identifier=http://example.org/mrn|1", ["o1"]),
    ("Observation?patient.name=smith,munoz", ["o1", "o2", "o3"]),
    ("Observation?patient.name=smith&code=718-7", ["o2"]),
    # all parameters have to hold, of one and the same patient or of others
    ("Observation?patient.name=smith&patient.gender=female", []),
    ("Observation?patient._id=ann", ["o1"]),
    ("Observation?has-member.patient.name=bob", ["o3"]),
    ("Patient?general-practitioner.name=gregor", ["bob"]),
    ("Patient?general-practitioner.organization.name=clinic", ["ann"]),
    ("Patient?general-practitioner:PractitionerRole.organization.partof.name=hospital", ["ann"]),
    ("Patient?organization.partof.name=hospital", ["ann"]),
    ("Observation?patient.general-practitioner:PractitionerRole.practitioner.family=gregor", ["o1"]),
    ("Patient?name.family=x", None),
    ("Observation?patient.name=nobody", []),
    ("QuestionnaireResponse?questionnaire.title=falls", ["qr1"]),
    ("QuestionnaireResponse?questionnaire.title=rises", []),
]  # fmt: skip
"""http://hl7.org/fhir/R4/search.html#chaining"""

HAS = [
    ("Patient?_has:Observation:patient:code=718-7", ["ann", "bob"]),
    (f"Patient?_has:Observation:patient:code={LOINC}|4548-4", ["bob"]),
    ("Patient?_has:Observation:subject:code=4548-4", ["bob"]),
    ("Location?_has:Observation:subject:code=4548-4", ["ward"]),
    ("Patient?_has:Observation:patient:date=ge2024", ["ann"]),
    ("Patient?_has:Observation:patient:code=718-7&gender=male", ["bob"]),
    # both hold, but of different observations
    ("Patient?_has:Observation:patient:code=718-7&_has:Observation:patient:code=4548-4", ["bob"]),
    ("Patient?_has:Observation:patient:code=718-7,4548-4", ["ann", "bob"]),
    ("Patient?_has:Observation:patient:code=nothing", []),
    ("Patient?_has:Group:member:_id=g1", ["ann"]),
    # nested: who is the subject of an observation that is a member of another
    ("Patient?_has:Observation:patient:_has:Observation:has-member:code=4548-4", ["bob"]),
    # in a chain, and a chain in it
    ("Observation?patient._has:Group:member:_id=g1", ["o1"]),
    ("Patient?_has:Observation:patient:performer:Practitioner.family=gregor", ["ann"]),
    ("Practitioner?_has:Observation:performer:patient.name=ann", ["dr"]),
    ("Practitioner?_has:PractitionerRole:practitioner:organization.name=clinic", ["dr"]),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", ["q1"]),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=amended", []),
    ("Patient?_has:Patient:link:name=bob", ["ann"]),
    ("Patient?_has:Observation:patient:code:not=718-7", ["bob"]),
]
"""http://hl7.org/fhir/R4/search.html#has"""

FILTERED = [
    ('Patient?_filter=name co "uño"', ["ann"]),
    ("Patient?_filter=family eq SMITH", ["bob"]),
    ("Patient?_filter=family sw smith", ["bob", "cid"]),
    ("Patient?_filter=family ew hers", ["cid"]),
    ("Patient?_filter=birthdate ge 1980-02-03 and birthdate lt 1990", ["ann"]),
    ("Patient?_filter=birthdate eq 1980", ["ann"]),
    ("Patient?_filter=birthdate ne 1980", ["bob"]),
    ("Patient?_filter=gender eq male and not(family eq smith)", ["cid"]),
    ("Patient?_filter=not (gender eq male)", ["ann"]),
    ("Patient?_filter=birthdate pr true", ["ann", "bob"]),
    ("Patient?_filter=birthdate po 1990-05", ["bob"]),
    ("Patient?_filter=birthdate co 1990-05-01", ["bob"]),
    ("Patient?_filter=birthdate co 1990-05-01 and birthdate sa 1990", []),
    ("Patient?_filter=gender ne male", ["ann"]),
    ("Patient?_filter=family ne smith", ["ann", "cid"]),
    ("Patient?_filter=family gt smith", ["cid"]),
    ("Patient?_filter=family ge smith", ["bob", "cid"]),
    ("Patient?_filter=family lt smithers", ["ann", "bob"]),
    ("Patient?_filter=family le smithers", ["ann", "bob", "cid"]),
    ("Patient?_filter=id ne ann", ["bob", "cid"]),
    ("Patient?_filter=family ss smith", None),
    ("Patient?_filter=birthdate pr false", ["cid"]),
    # from left to right: (female or smithers) and has a birthdate
    ("Patient?_filter=gender eq female or family eq smithers and birthdate pr true", ["ann"]),
    ("Patient?_filter=gender eq female or (family eq smithers and gender eq male)", ["ann", "cid"]),
    (f"Observation?_filter=code eq {LOINC}|718-7", ["o1", "o2", "o9"]),
    ("Observation?_filter=code eq loinc|718-7 and subject re Patient/bob", ["o2"]),
    ('Observation?_filter=subject.name co "ith"', ["o2", "o3", "o4"]),
    ("Observation?_filter=patient.id eq ann", ["o1"]),
    ("Patient?_filter=_has:Observation:patient:code eq 4548-4", ["bob"]),
    ("Patient?_filter=gender eq male&name=bob", ["bob"]),
    ('Patient?_filter=(((gender eq "male")))', ["bob", "cid"]),
]
"""http://hl7.org/fhir/R4/search_filter.html"""


@pytest.mark.parametrize(("query", "found"), [*CHAINED, *HAS, *FILTERED])
async def test_what_other_resources_say_is_found(
    client: httpx.AsyncClient, query: str, found: list[str] | None
) -> None:
    resource_type, _, text = query.partition("?")
    response = await client.get(query)
    if found is None:
        refused(response, 400)
        return
    bundle = body(response)
    validation.check(bundle)
    assert ids(bundle) == found
    assert ids(body(await client.get(links(bundle)["self"]))) == found
    form = text.replace("%", "%25").replace("+", "%2B").encode()
    assert ids(body(await client.post(f"{resource_type}/_search", content=form, headers=FORM))) == found


REFUSED = [
    ("Observation?subject:Patient.nickname=x", "nickname"),
    ("Observation?subject.nickname=x", "Patient"),
    ("Observation?subject:Practitioner.name=x", "Practitioner"),
    ("Observation?subject:Bogus.name=x", "Bogus"),
    ("Observation?code.name=x", "code"),
    ("Observation?bogus.name=x", "bogus"),
    ("Observation?subject:Patient.=x", "subject:Patient."),
    ("Observation?.name=x", ".name"),
    ("Observation?subject:Patient.name=", "subject:Patient.name"),
    ("Observation?subject:Patient.birthdate=soon", "birthdate"),
    ("Observation?subject:Patient.name:bogus=x", "bogus"),
    ("Observation?" + ".".join(["has-member"] * 20) + ".code=x", "has-member"),
    ("Observation?" + ".".join(["focus"] * 8) + "._id=x", "focus"),
    ("Patient?" + "_has:Patient:link:" * 12 + "name=x", "_has"),
    ("Patient?_has=x", "_has"),
    ("Patient?_has:=x", "_has"),
    ("Patient?_has:Observation=x", "_has"),
    ("Patient?_has:Observation:patient=x", "_has"),
    ("Patient?_has:Observation:patient:=x", "_has"),
    ("Patient?_has:Bogus:patient:code=x", "Bogus"),
    ("Patient?_has:Observation:bogus:code=x", "bogus"),
    ("Patient?_has:Observation:code:code=x", "code"),
    ("Patient?_has:Observation:encounter:code=x", "encounter"),
    ("Patient?_has:Observation:patient:bogus=x", "bogus"),
    ("Patient?_has:Observation:patient:code=", "_has:Observation:patient:code"),
    ("Patient?_filter=", "_filter"),
    ("Patient?_filter=name", "_filter"),
    ("Patient?_filter=name eq", "_filter"),
    ("Patient?_filter=name xx x", "xx"),
    ("Patient?_filter=bogus eq x", "bogus"),
    ("Patient?_filter=name eq x and", "_filter"),
    ("Patient?_filter=and name eq x", "_filter"),
    ("Patient?_filter=(name eq x", "_filter"),
    ("Patient?_filter=name eq x)", "_filter"),
    ("Patient?_filter=not name eq x", "_filter"),
    ('Patient?_filter=name eq "x', "_filter"),
    ('Patient?_filter=name eq "\\x"', "JSON"),
    ("Patient?_filter=gender co male", "gender"),
    ("Patient?_filter=name[given eq x].family eq y", "name"),
    ("Patient?_filter=name:exact eq x", "name:exact"),
    ("Patient?_filter=birthdate po soon", "birthdate"),
    ("Patient?_filter=general-practitioner ne x", "'ne' is not possible"),
    ("Patient?_filter=_text eq munoz", "'eq' is not possible"),
    ("Patient?_filter=birthdate eq soon", "birthdate"),
    ("Patient?_filter=birthdate pr maybe", "pr"),
    ("Patient?_filter=" + "(" * 200 + "name eq x" + ")" * 200, "_filter"),
    ("Patient?_filter=" + " or ".join(["name eq x"] * 60), "_filter"),
    ("Patient?_filter:exact=name eq x", "_filter"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "says"), REFUSED)
async def test_what_leads_nowhere_is_refused_and_named(
    client: httpx.AsyncClient, query: str, says: str
) -> None:
    """http://hl7.org/fhir/R4/search.html#errors"""
    refused(await client.get(query), 400, says=says)


async def test_lenient_leaves_out_what_it_does_not_know_at_the_end_of_a_chain(
    client: httpx.AsyncClient,
) -> None:
    """http://hl7.org/fhir/R4/search.html#errors"""
    lenient = {"Prefer": "handling=lenient"}
    bundle = body(await client.get("Observation?patient.nickname=x&code=718-7", headers=lenient))
    assert ids(bundle) == ["o1", "o2", "o9"]
    assert "patient.nickname" in bundle["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    assert "nickname" not in links(bundle)["self"]


async def test_pages_of_a_chained_search(client: httpx.AsyncClient) -> None:
    url: str | None = "Observation?subject.name=smith&_count=1"
    seen = []
    while url is not None:
        page = body(await client.get(url))
        seen += ids(page)
        url = links(page).get("next")
    assert seen == ["o2", "o3", "o4"]
    following = links(body(await client.get("Observation?subject.name=smith&_count=1")))["next"]
    refused(await client.get(following.replace("smith", "munoz")), 400, says="_cursor")
    counted = body(await client.get("Observation?subject.name=smith&_count=0"))
    assert counted["total"] == 3


async def test_criteria_of_writes_may_be_chained(client: httpx.AsyncClient) -> None:
    """http://hl7.org/fhir/R4/http.html#ccreate: the criteria are a search, whole or refused"""
    headers = {"If-None-Exist": "patient.name=munoz"}
    again = await client.post("Observation", json=observation("x", "Patient/ann", "1"), headers=headers)
    assert again.status_code == 200
    assert again.json()["id"] == "o1"
    refused(await client.delete("Observation?subject.name=smith"), 412)
