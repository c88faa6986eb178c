"""All search parameter expressions of R4 compile for all their bases, and find what they are for."""

from __future__ import annotations

from typing import Any

import pytest

from resources import registry
from resources.fhirpath import compile_path
from resources.search_parameters import all_parameters, parameters


def test_every_expression_compiles_for_every_base() -> None:
    compiled = 0
    for parameter in all_parameters():
        for base in parameter.base:
            if parameter.expression:
                assert callable(compile_path(parameter.expression, base)), parameter.url
                compiled += 1
    assert compiled > 1700


def test_every_expression_takes_an_empty_resource() -> None:
    for kind in registry.resource_types():
        for code, parameter in parameters(kind).items():
            if parameter.expression and parameter.type != "composite":
                found = compile_path(parameter.expression, kind)({"resourceType": kind})
                assert found in ([], [("boolean", False)]), (kind, code)


def test_every_component_compiles_where_its_composite_leads() -> None:
    compiled = 0
    for parameter in all_parameters():
        for base in parameter.base:
            for component in parameter.component:
                for element in _elements(parameter.expression or "", base):
                    assert callable(compile_path(component.expression, element))
                    compiled += 1
    assert compiled > 60


def _elements(expression: str, base: str) -> list[str]:
    branches = [branch.strip() for branch in expression.split("|")]
    return [branch for branch in branches if branch == base or branch.startswith(base + ".")]


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "deceasedDateTime": "2020-01-01",
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "a@b"}],
    "address": [{"city": "Basel"}],
    "generalPractitioner": [{"reference": "Practitioner/1"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "subject": {"reference": "Patient/1"},
    "effectivePeriod": {"start": "2020"},
    "valueCodeableConcept": {"text": "positive"},
    "component": [{"valueQuantity": {"value": 1}}, {"dataAbsentReason": {"text": "unknown"}}],
}
GROUP_SUBJECT: dict[str, Any] = {"resourceType": "Observation", "subject": {"reference": "Group/1"}}
CONDITION: dict[str, Any] = {"resourceType": "Condition", "onsetAge": {"value": 3}, "abatementString": "gone"}


@pytest.mark.parametrize(
    ("resource", "code", "expected"),
    [
        (PATIENT, "deceased", [("boolean", True)]),
        ({"resourceType": "Patient", "deceasedBoolean": False}, "deceased", [("boolean", False)]),
        ({"resourceType": "Patient"}, "deceased", [("boolean", False)]),
        (PATIENT, "death-date", [("dateTime", "2020-01-01")]),
        (PATIENT, "phone", [("ContactPoint", PATIENT["telecom"][0])]),
        (PATIENT, "email", [("ContactPoint", PATIENT["telecom"][1])]),
        (PATIENT, "address-city", [("string", "Basel")]),
        (PATIENT, "general-practitioner", [("Reference", {"reference": "Practitioner/1"})]),
        (OBSERVATION, "patient", [("Reference", {"reference": "Patient/1"})]),
        (GROUP_SUBJECT, "patient", []),
        (GROUP_SUBJECT, "subject", [("Reference", {"reference": "Group/1"})]),
        (OBSERVATION, "date", [("Period", {"start": "2020"})]),
        (OBSERVATION, "value-concept", [("CodeableConcept", {"text": "positive"})]),
        (OBSERVATION, "value-string", [("string", "positive")]),
        (OBSERVATION, "value-quantity", []),
        (OBSERVATION, "combo-value-quantity", [("Quantity", {"value": 1})]),
        (OBSERVATION, "component-data-absent-reason", [("CodeableConcept", {"text": "unknown"})]),
        (CONDITION, "onset-age", [("Age", {"value": 3})]),
        (CONDITION, "onset-date", []),
        (CONDITION, "abatement-string", [("string", "gone")]),
    ],
)
def test_what_an_expression_finds(
    resource: dict[str, Any], code: str, expected: list[tuple[str, Any]]
) -> None:
    kind = resource["resourceType"]

    expression = parameters(kind)[code].expression
    assert expression is not None
    assert compile_path(expression, kind)(resource) == expected
