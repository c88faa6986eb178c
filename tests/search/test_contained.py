"""http://hl7.org/fhir/R4/search.html#contained: a chained condition is evaluated inside of contained resources"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.search import joins
from fhir_server.search.ask import everything
from fhir_server.search.clauses import parse
from fhir_server.search.query import filter_of
from tests.search.conftest import SITE, Shelf
from tests.search.driving import Driver

Shelves = Mapping[str, Shelf]


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:drugs", "code": code}]}


def request(logical_id: str, *inside: dict[str, Any], reference: str = "#m1", **more: Any) -> dict[str, Any]:
    whole = {"id": logical_id, "status": "active", "medicationReference": {"reference": reference}, **more}
    return {**whole, "contained": list(inside)} if inside else whole


def medication(logical_id: str, code: str, ingredient: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Medication",
        "id": logical_id,
        "code": coded(code),
        "ingredient": [{"itemCodeableConcept": coded(ingredient)}],
        **more,
    }


@pytest.fixture(scope="module", autouse=True)
def resources(shelves: Shelves) -> None:
    shelves["Medication"].put(medication("m1", "stored", "abc"), medication("m2", "stored", "xyz"))
    shelves["Organization"].put({"id": "maker", "name": "Maker"})
    shelves["MedicationRequest"].put(
        request("23", medication("m1", "mixture", "abc")),
        request("two", medication("m1", "mixture", "xyz"), medication("m2", "other", "abc")),
        request("made", medication("m1", "m", "n", manufacturer={"reference": "Organization/maker"})),
        request("stored", reference="Medication/m1"),
        request("dangling", medication("m2", "mixture", "abc"), reference="#nothing"),
    )
    shelves["Observation"].put(
        {
            "id": "o",
            "subject": {"reference": "#p"},
            "performer": [{"reference": "#a"}, {"reference": "#b"}],
            "contained": [
                {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1980", "name": [{"family": "Inside"}]},
                {"resourceType": "Practitioner", "id": "a", "name": [{"family": "Alpha"}], "gender": "male"},
                {"resourceType": "Practitioner", "id": "b", "name": [{"family": "Beta"}], "gender": "female"},
            ],
        }
    )  # fmt: skip


def find(shelves: Shelves, resource_type: str, *query: tuple[str, str]) -> list[str]:
    search = parse(resource_type, query)
    joined = Driver(shelves).planned(joins.conditions(search, SITE, everything))
    filter_ = filter_of(search, SITE, joined=joined)
    return sorted(each["_id"] for each in shelves[resource_type].collection.find(filter_, {"_id": 1}))


CASES = [
    ("MedicationRequest", "medication.ingredient-code", "abc", ["23", "stored"]),
    ("MedicationRequest", "medication.ingredient-code", "urn:drugs|xyz", ["two"]),
    ("MedicationRequest", "medication.code", "mixture", ["23", "two"]),
    ("MedicationRequest", "medication.code", "other", []),
    ("MedicationRequest", "medication.code:not", "mixture", ["made", "stored"]),
    ("MedicationRequest", "medication.code:missing", "true", []),
    ("MedicationRequest", "medication.manufacturer.name", "maker", ["made"]),
    # the id of a contained resource is nobody's outside
    ("MedicationRequest", "medication._id", "m1", ["stored"]),
    ("MedicationRequest", "medication", "Medication/m1", ["stored"]),
    ("MedicationRequest", "_filter", "medication.code eq mixture and not(medication.ingredient-code eq abc)", ["two"]),
    ("Medication", "_has:MedicationRequest:medication:status", "active", ["m1"]),
    ("Observation", "subject:Patient.gender", "male", ["o"]),
    ("Observation", "subject:Group.code", "x", []),
    ("Observation", "patient.birthdate", "lt1990", ["o"]),
    ("Observation", "patient.birthdate", "lt1970", []),
    ("Observation", "patient.name", "ins", ["o"]),
    ("Observation", "subject:Location.near", "1|2|3|km", []),
    ("Observation", "performer:Practitioner.family", "beta", ["o"]),
    ("Observation", "_filter", 'performer:Practitioner.family co "a" and performer:Practitioner.gender eq female', ["o"]),
]  # fmt: skip


@pytest.mark.parametrize(("resource_type", "name", "value", "expected"), CASES)
def test_chains_lead_into_contained_resources(
    shelves: Shelves, resource_type: str, name: str, value: str, expected: list[str]
) -> None:
    assert find(shelves, resource_type, (name, value)) == expected


def test_they_are_found_by_the_index(shelves: Shelves) -> None:
    search = parse("MedicationRequest", [("medication.code", "mixture")])
    driver = Driver(shelves)
    driver.planned(joins.conditions(search, SITE, everything))
    (within,) = [ask for level in driver.levels for ask in level if ":contained" in str(ask.filter)]
    collection = shelves["MedicationRequest"].collection
    assert "COLLSCAN" not in str(collection.find(within.filter).explain()["queryPlanner"]["winningPlan"])


def test_without_contained_resources_the_plan_stays_what_it_was(shelves: Shelves) -> None:
    search = parse("Observation", [("subject:Patient.gender", "female")])
    joined = Driver(shelves).planned(joins.conditions(search, SITE, everything))
    assert joined == [{"s.subject": {"$in": []}}]
