"""Searches that have an index of their own look at what they show, and at little else.

http://hl7.org/fhir/R4/search.html#2.21.1.1
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from capability.indexes import CURATED
from fhir_server.search import page
from fhir_server.search.clauses import parse
from fhir_server.search.plan import plan
from fhir_server.store.documents import CODEC_OPTIONS
from fhir_server.store.indexes import indexes_of
from tests.bench import population
from tests.search.conftest import SITE

KEY = b"k" * 32
MANY = 3_000
PATIENTS = 15

Json = dict[str, Any]


def _reference(target: str) -> Json:
    return {"reference": target}


def _coded(system: str, *codes: str) -> Json:
    return {"coding": [{"system": system, "code": each} for each in codes]}


def encounter(n: int) -> Json:
    begin = population.START + timedelta(hours=n * 7)
    resource: Json = {
        "resourceType": "Encounter", "id": f"e{n:05}", "status": ("planned", "finished", "finished", "cancelled")[n % 4],
        "class": {"code": "AMB"}, "subject": _reference(f"Patient/p{n % PATIENTS}"),
        "identifier": [{"system": "urn:visits", "value": f"{n}"}, {"system": "urn:other", "value": f"x{n}"}],
        "location": [{"location": _reference(f"Location/{n % 40}")}, {"location": _reference("Location/all")}],
        "period": {"start": begin.isoformat(), "end": (begin + timedelta(days=n % 9)).isoformat()},
    }  # fmt: skip
    if n % 11 == 0:
        del resource["period"]["end"]
    return resource


def medication_request(n: int) -> Json:
    return {
        "resourceType": "MedicationRequest", "id": f"m{n:05}", "status": ("active", "stopped", "completed")[n % 3],
        "intent": "order", "subject": _reference(f"Patient/p{n % PATIENTS}"),
        "medicationCodeableConcept": _coded("http://www.nlm.nih.gov/research/umls/rxnorm", str(n % 300), "any"),
        "authoredOn": str((population.START + timedelta(hours=n)).date()),
    }  # fmt: skip


def audit_event(n: int) -> Json:
    return {
        "resourceType": "AuditEvent", "id": f"a{n:05}",
        "recorded": (population.START + timedelta(minutes=n)).isoformat(timespec="milliseconds"),
        "agent": [{"who": _reference(f"Practitioner/{n % 20}")}, {"who": _reference("Device/server")}],
        "entity": [{"what": _reference(f"Patient/p{n % PATIENTS}")}, {"what": _reference(f"Observation/{n % 500}")}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def database(mongod_uri: str, module_database_name: str) -> Iterator[Database[Json]]:
    stock = {
        "Patient": population.patients(MANY),
        "Observation": population.observations(0, MANY, PATIENTS),
        "Encounter": map(encounter, range(MANY)),
        "MedicationRequest": map(medication_request, range(MANY)),
        "AuditEvent": map(audit_event, range(MANY)),
    }
    with MongoClient[Json](mongod_uri) as client:
        found = client.get_database(module_database_name, CODEC_OPTIONS)
        for name, resources in stock.items():
            found[name].create_indexes(indexes_of(name))
            found[name].insert_many(population.stored(resources, SITE))
        yield found


def examined(collection: Collection[Json], query: str) -> tuple[int, int, str]:
    """Documents returned and examined for the first page, and the stages of the plan."""
    pairs = [(name, value) for name, _, value in (each.partition("=") for each in query.split("&"))]
    planned = plan(parse(collection.name, pairs), SITE, KEY)
    told = collection.database.command(
        "explain",
        {
            "find": collection.name,
            "filter": planned.filter,
            "sort": dict(planned.sort),
            "limit": planned.limit,
        },
        verbosity="executionStats",
        codec_options=CODEC_OPTIONS,
    )
    stats = told["executionStats"]
    return stats["nReturned"], stats["totalDocsExamined"], str(told["queryPlanner"]["winningPlan"])


UCUM = "http://unitsofmeasure.org"

SEARCHES = [
    ("Patient", "identifier=000017"),
    ("Patient", "identifier=urn:oid:1.2.36.146.595.217.0.1|000017"),
    ("Patient", "general-practitioner=Practitioner/d7"),
    ("Patient", "name=family77&birthdate=1999-05-20"),
    ("Patient", "name=family77&birthdate=ge1970"),
    ("Patient", "name=family77&birthdate=lt1999-12"),
    ("Encounter", "patient=Patient/p3&date=ge2021"),
    ("Encounter", "patient=Patient/p3&date=2021-05"),
    ("Encounter", "patient=p3&date=ge2021&date=lt2021-06"),
    ("Encounter", "subject=Patient/p3&date=ge2021&_sort=-date"),
    ("Encounter", "patient=Patient/p3&_sort=date"),
    ("Encounter", "identifier=urn:visits|77"),
    ("Encounter", "location=Location/7"),
    ("Encounter", "location=Location/all&_count=50"),
    ("Encounter", "status=finished"),
    ("Observation", "patient=Patient/p7&code=718-7&_sort=-date"),
    ("Observation", "patient=Patient/p7&code=http://loinc.org|718-7&_sort=-date&_count=2"),
    ("Observation", "patient=Patient/p7&code=718-7&_sort=date&_count=2"),
    ("Observation", "subject=Patient/p7&code=718-7,4548-4&_sort=-date&_count=3"),
    ("Observation", "patient=p7&code=718-7&date=ge2022"),
    ("Observation", "patient=Patient/p7&code=718-7&date=ge2021&date=le2023"),
    ("Observation", "patient=Patient/p7&code=718-7&date=eb2022"),
    ("Observation", "patient=Patient/p7&category=laboratory&date=ge2022"),
    ("Observation", "patient=Patient/p7&category=vital-signs&_sort=-date&_count=5"),
    ("Observation", "code=718-7&date=2022-05"),
    ("Observation", "code=718-7&date=ge2022&_count=50"),
    ("Observation", "code=718-7&date=gt2022-05&date=lt2022-07"),
    ("Observation", "code=718-7&_sort=-date"),
    ("Observation", "code=718-7&_sort=date&_count=100"),
    ("Observation", f"code=718-7&value-quantity=lt6.5|{UCUM}|g/dL"),
    ("Observation", f"code=718-7&value-quantity=gt23|{UCUM}|g/dL"),
    ("Observation", "code=718-7&value-quantity=6.24"),
    ("Observation", f"code-value-quantity=718-7$lt6.5|{UCUM}|g/dL"),
    ("MedicationRequest", "patient=Patient/p3&status=active&_count=100"),
    ("MedicationRequest", "patient=Patient/p3&status=active,stopped&_count=200"),
    ("MedicationRequest", "patient=Patient/p3&authoredon=ge2020-03"),
    ("MedicationRequest", "patient=Patient/p3&authoredon=2020-03"),
    ("MedicationRequest", "code=77"),
    ("MedicationRequest", "code=any"),
    ("AuditEvent", "entity=Patient/p3&date=2020-01-01"),
    ("AuditEvent", "entity=Patient/p3&_sort=-date"),
    ("AuditEvent", "agent=Device/server&date=ge2020-01-02"),
    ("AuditEvent", "agent=Practitioner/7&date=gt2020-01-01T12:00:00Z"),
    ("AuditEvent", "agent=Practitioner/7,Practitioner/8&_sort=-date"),
    ("AuditEvent", "patient=Patient/p3&date=le2020-01-01T12:00:00Z"),
]


@pytest.mark.parametrize(("resource_type", "query"), SEARCHES)
def test_documents_examined_are_those_returned(
    database: Database[Json], resource_type: str, query: str
) -> None:
    returned, looked_at, stages = examined(database[resource_type], query)
    assert returned > 0
    assert looked_at <= 1.2 * returned, f"{looked_at} for {returned}: {stages}"
    if "_sort" in query or "date" in query or "authoredon" in query:
        assert "'SORT'" not in stages or resource_type == "Patient", stages


async def test_a_page_in_the_middle_costs_what_the_first_costs(database: Database[Json]) -> None:
    search = parse("Observation", [("code", "718-7"), ("_sort", "-date"), ("_count", "20")])
    observations = database["Observation"]
    middle = next(
        observations.find({"s.code": "718-7"}).sort([("s.date.s", -1), ("_id", -1)]).skip(90).limit(1)
    )
    position = page.position_of(page.order(search), middle)
    cursor = page.write(position, search, KEY, SITE.clock())
    returned, looked_at, stages = examined(observations, f"code=718-7&_sort=-date&_count=20&_cursor={cursor}")
    assert returned == 21
    assert looked_at <= 22, stages  # with the one it begins behind


def test_without_an_order_what_a_date_narrows_comes_newest_first() -> None:
    """The self link says what was really applied: http://hl7.org/fhir/R4/search.html#conformance"""
    for query, order in [
        ([("code", "718-7"), ("date", "ge2022")], (("date", -1),)),
        ([("patient", "Patient/1"), ("code", "a,b"), ("date", "2022"), ("status", "final")], (("date", -1),)),
        ([("code", "718-7"), ("date", "ge2022"), ("_sort", "_id")], (("_id", 1),)),
        ([("code", "718-7")], ()),
        ([("date", "ge2022")], ()),
        ([("code:not", "718-7"), ("date", "ge2022")], ()),
        ([("code", "718-7"), ("date:missing", "false")], ()),
        ([("code", "718-7"), ("date", "ge2022"), ("_count", "0")], ()),
    ]:
        assert plan(parse("Observation", query), SITE, KEY).search.sort == order, query


SOME = st.integers(0, 4)


@st.composite
def hostile(draw: st.DrawFn) -> Json:
    """Several of whatever there can be several of, and nothing of what there need not be."""

    def references(kind: str) -> list[Json]:
        return [_reference(f"{kind}/{n}") for n in range(draw(SOME))]

    def concepts() -> list[Json]:
        return [_coded(f"urn:{n}", *(f"c{m}" for m in range(draw(SOME)))) for n in range(draw(SOME))]

    period = draw(
        st.sampled_from([{}, {"start": "2020"}, {"end": "2021-05"}, {"start": "2020", "end": "2021"}])
    )
    subject: Json = draw(st.sampled_from([{}, _reference("Patient/1"), _reference("Group/1"), {"identifier": {"value": "x"}},
                                    _reference("http://elsewhere.example.org/Patient/1"), _reference("#p")]))  # fmt: skip
    timing: Json = draw(st.sampled_from([
        {"effectivePeriod": period}, {"effectiveDateTime": "2020-05"}, {"effectiveInstant": "2020-05-01T10:00:00Z"},
        {"effectiveTiming": {"event": ["2020-01-01", "2021-01-01"]}}, {},
    ]))  # fmt: skip
    quantity = {"value": Decimal(5), "unit": "g", "system": UCUM, "code": "g"}
    value: Json = draw(st.sampled_from([
        {"valueQuantity": quantity}, {"valueQuantity": {**quantity, "comparator": "<"}}, {}, {"valueString": "x"},
        {"valueSampledData": {"origin": quantity, "period": Decimal(1), "dimensions": 1, "data": "1 2 3"}},
        {"valueRange": {"low": quantity}},
    ]))  # fmt: skip
    identifiers = [{"system": "urn:x", "value": str(n)} for n in range(draw(SOME))]
    return draw(st.sampled_from([
        {"resourceType": "Patient", "identifier": identifiers, "birthDate": "1980-05",
         "name": [{"given": ["a"] * draw(SOME), "family": f"f{n}"} for n in range(draw(SOME))],
         "generalPractitioner": [*references("Practitioner"), *references("Organization")]},
        {"resourceType": "Encounter", "status": "planned", "identifier": identifiers, "subject": subject, "period": period,
         "location": [{"location": each, "period": period} for each in references("Location")]},
        {"resourceType": "Observation", "code": {"coding": [each for one in concepts() for each in one["coding"]]},
         "category": concepts(), "subject": subject, "component": [{"code": each, **value} for each in concepts()],
         "performer": [*references("Patient"), *references("Practitioner")], **timing, **value},
        {"resourceType": "MedicationRequest", "status": "active", "subject": subject, "authoredOn": "2020",
         "medicationCodeableConcept": _coded("urn:m", *(f"m{n}" for n in range(draw(SOME)))),
         "dosageInstruction": [{"timing": {"event": ["2020", "2021"]}}] * draw(SOME)},
        {"resourceType": "AuditEvent", "recorded": "2020-01-01T00:00:00Z",
         "agent": [{"who": each} for each in [*references("Patient"), *references("Device")]],
         "entity": [{"what": each} for each in [*references("Patient"), *references("Group"), subject]]},
    ]))  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(resource=hostile())
def test_no_resource_is_refused_by_its_indexes(database: Database[Json], resource: Json) -> None:
    """MongoDB refuses a document that has lists in two fields of one compound index."""
    collection = database[resource["resourceType"]]
    (document,) = population.stored(iter([{**resource, "id": "hostile"}]), SITE)
    collection.insert_one(document)
    collection.delete_one({"_id": "hostile"})


def test_every_index_has_searches() -> None:
    tried = {
        (name, each.partition("=")[0].split(":")[0]) for name, query in SEARCHES for each in query.split("&")
    }
    for name, some in CURATED.items():
        for index in some:
            assert {(name, each) for each in index.parameters} <= tried
