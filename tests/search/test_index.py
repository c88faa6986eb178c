"""http://hl7.org/fhir/R4/searchparameter.html"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.index import search_document
from resources import registry
from tests.search.conftest import SITE


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "hb",
    "meta": {
        "versionId": "1",
        "lastUpdated": "2024-05-01T08:00:00.000Z",
        "profile": ["http://a.org/lab|1.0"],
    },
    "status": "final",
    "category": [{"coding": [{"system": "urn:category", "code": "laboratory"}]}],
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "718-7"}, {"system": "urn:local", "code": "718-7"}]
    },
    "subject": {"reference": "Patient/p1", "display": "Eve"},
    "encounter": {"reference": "https://home.example.org/fhir/Encounter/e1"},
    "effectiveDateTime": "2024-05-01T10:00:00+02:00",
    "performer": [
        {"reference": "Practitioner/d1"},
        {"reference": "Practitioner/d1"},
        {"reference": "Organization/o1"},
    ],
    "valueQuantity": {"value": Decimal("6.30"), "unit": "g/dL"},
    "component": [{"code": {"coding": [{"code": "c"}]}, "dataAbsentReason": {"text": "broken"}}],
}


def test_an_observation() -> None:
    assert search_document(OBSERVATION, SITE) == {
        "_profile": ["http://a.org/lab|1.0", "http://a.org/lab"],
        "status": ["http://hl7.org/fhir/observation-status|final", "final"],
        "category": ["urn:category|laboratory", "laboratory"],
        "code": ["http://loinc.org|718-7", "718-7", "urn:local|718-7"],
        "combo-code": ["http://loinc.org|718-7", "718-7", "urn:local|718-7", "c", "|c"],
        "component-code": ["c", "|c"],
        "component-data-absent-reason": None,
        "component-data-absent-reason:text": "broken",
        "combo-data-absent-reason": None,
        "combo-data-absent-reason:text": "broken",
        "subject": "Patient/p1",
        "patient": "Patient/p1",
        "encounter": "Encounter/e1",
        "date": {"s": utc("2024-05-01T08:00"), "e": utc("2024-05-01T08:00:01")},
        "performer": ["Practitioner/d1", "Organization/o1"],
        "value-quantity": {"lo": Decimal("6.30"), "u": "g/dL"},
        "combo-value-quantity": {"lo": Decimal("6.30"), "u": "g/dL"},
    }


def test_the_resource_is_left_as_it_is() -> None:
    before = repr(OBSERVATION)
    first = search_document(OBSERVATION, SITE)
    first["code"].append("x")
    assert repr(OBSERVATION) == before
    assert "x" not in search_document(OBSERVATION, SITE)["combo-code"]


def test_values_are_not_shared_between_parameters() -> None:
    values = search_document(OBSERVATION | {"component": []}, SITE)
    assert values["code"] == values["combo-code"]
    values["code"].append("x")
    assert "x" not in values["combo-code"]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Patient"}, {"deceased": ["false", "|false"]}),
        ({"resourceType": "Basic", "id": "1", "meta": {"lastUpdated": "2024-05-01T08:00:00Z"}}, {}),
        (
            {"resourceType": "Basic", "_created": {"extension": [{"url": "urn:x", "valueCode": "unknown"}]}},
            {},
        ),
        ({"resourceType": "Basic", "subject": {"display": "Eve"}}, {"subject": None}),
        ({"resourceType": "Basic", "author": {"reference": "#eve"}}, {"author": None}),
        (
            {"resourceType": "Basic", "subject": {"reference": "Patient/1/_history/2"}},
            {
                "subject": "Patient/1",
                "patient": "Patient/1",
                "subject:versioned": "Patient/1/_history/2",
                "patient:versioned": "Patient/1/_history/2",
            },
        ),
        (
            {"resourceType": "Basic", "subject": {"identifier": {"system": "urn:s", "value": "1"}}},
            {"subject": None, "subject:identifier": ["urn:s|1", "1"]},
        ),
        (
            {"resourceType": "Bundle", "type": "collection"},
            {"type": ["http://hl7.org/fhir/bundle-type|collection", "collection"]},
        ),
    ],
)
def test_small_resources(resource: dict[str, Any], expected: dict[str, Any]) -> None:
    assert search_document(resource, SITE) == expected


@pytest.mark.parametrize("resource_type", sorted(registry.resource_types()))
def test_every_type_can_be_indexed(resource_type: str) -> None:
    values = search_document({"resourceType": resource_type, "meta": {"tag": [{"code": "t"}]}}, SITE)
    assert values["_tag"] == ["t", "|t"]


def test_a_date_that_is_none_is_not_found_by_time_and_not_missing() -> None:
    assert search_document({"resourceType": "Basic", "created": "yesterday"}, SITE) == {"created": None}


def test_race_and_ethnicity_of_us_core_are_found_with_their_system() -> None:
    """http://hl7.org/fhir/us/core/StructureDefinition-us-core-race.html"""
    race = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [
            {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"}},
            {"url": "text", "valueString": "White"},
        ],
    }  # fmt: skip
    found = search_document({"resourceType": "Patient", "id": "1", "extension": [race]}, SITE)
    assert {"2106-3", "urn:oid:2.16.840.1.113883.6.238|2106-3"} <= set(found["race"])
    assert "ethnicity" not in found or found["ethnicity"] is None
