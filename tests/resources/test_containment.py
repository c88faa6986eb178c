from __future__ import annotations

from typing import Any

import pytest

from resources import containment, validation
from resources.outcome import FHIRError

ORGANIZATION = {"resourceType": "Organization", "id": "o", "name": "Ward"}


def patient(*contained: Any, **elements: Any) -> Any:
    return {"resourceType": "Patient", "contained": list(contained), **elements}


def issues(resource: Any) -> Any:
    return [(issue.code, issue.expression[0]) for issue in containment.faults(resource)]


def test_referenced_from_the_container() -> None:
    assert issues(patient(ORGANIZATION, managingOrganization={"reference": "#o"})) == []


def test_referenced_from_another_contained_resource() -> None:
    child = {"resourceType": "Organization", "id": "p", "partOf": {"reference": "#o"}}
    assert issues(patient(ORGANIZATION, child, managingOrganization={"reference": "#p"})) == []


def test_refers_back_to_the_container() -> None:
    child = {"resourceType": "Provenance", "id": "p", "target": [{"reference": "#"}]}
    assert issues(patient(child)) == []


def test_referenced_by_a_canonical() -> None:
    plan = {"resourceType": "CarePlan", "contained": [{"resourceType": "PlanDefinition", "id": "x"}]}
    assert issues({**plan, "instantiatesCanonical": ["#x"]}) == []


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (patient(ORGANIZATION), [("invariant", "Patient.contained[0]")]),
        (
            patient(managingOrganization={"reference": "#o"}),
            [("invariant", "Patient.managingOrganization.reference")],
        ),
        (patient({"resourceType": "Organization"}), [("required", "Patient.contained[0].id")]),
        (
            patient(ORGANIZATION, ORGANIZATION, managingOrganization={"reference": "#o"}),
            [("invariant", "Patient.contained[1].id")],
        ),
        (
            patient(
                {**ORGANIZATION, "contained": [{"resourceType": "Patient", "id": "q"}]}, x={"reference": "#o"}
            ),
            [("invariant", "Patient.contained[0].contained")],
        ),
        (
            patient(
                {**ORGANIZATION, "meta": {"versionId": "1", "security": [{"code": "R"}]}},
                x={"reference": "#o"},
            ),
            [
                ("invariant", "Patient.contained[0].meta.versionId"),
                ("invariant", "Patient.contained[0].meta.security"),
            ],
        ),
        (
            patient(
                {"resourceType": "Organization", "id": "o", "partOf": {"reference": "#x"}},
                y={"reference": "#o"},
            ),
            [("invariant", "Patient.contained[0].partOf.reference")],
        ),
    ],
)
def test_broken(resource: Any, expected: Any) -> None:
    assert issues(resource) == expected


def test_the_resources_of_a_bundle_are_not_its_own() -> None:
    entry = {"resource": patient(ORGANIZATION)}
    assert issues({"resourceType": "Bundle", "type": "collection", "entry": [entry]}) == []


@pytest.mark.parametrize("contained", [None, "x", {}, [None, 5, "#x"], [{"id": 5}], [[]]])
def test_malformed_parts_are_passed_over(contained: Any) -> None:
    containment.faults({"resourceType": "Patient", "contained": contained})


def references(reference: str, *contained: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "managingOrganization": {"reference": reference},
        "contained": list(contained),
        **members,
    }


WARD = {"resourceType": "Organization", "id": "a", "name": "x"}
PRACTITIONER = {"resourceType": "Practitioner", "id": "b"}


def test_a_contained_resource_is_of_a_type_that_may_stand_there() -> None:
    right = references(
        "#a", WARD, PRACTITIONER, generalPractitioner=[{"reference": "#b"}, {"reference": "#a"}]
    )
    assert validation.check(right) is not None
    wrong = references("#b", WARD, PRACTITIONER, generalPractitioner=[{"reference": "#a"}])
    (issue,) = containment.wrong_types(wrong)
    assert issue.expression == ("Patient.managingOrganization.reference",)
    assert issue.code == "value"
    assert "'#b' points to a Practitioner; expected Organization" in issue.diagnostics
    with pytest.raises(FHIRError) as refusal:
        validation.check(wrong)
    assert refusal.value.status == 400


def test_references_inside_contained_resources_and_back_count_too() -> None:
    inside = {"resourceType": "Organization", "id": "a", "partOf": {"reference": "#"}}
    issues = containment.wrong_types(
        references("#a", inside, PRACTITIONER, generalPractitioner=[{"reference": "#b"}])
    )
    assert [issue.expression for issue in issues] == [("Patient.contained[0].partOf.reference",)]
    assert "points to a Patient" in issues[0].diagnostics
    back = {"resourceType": "Provenance", "id": "a", "target": [{"reference": "#"}]}
    assert containment.wrong_types({"resourceType": "Patient", "contained": [back]}) == []


@pytest.mark.parametrize(
    "contained", [5, [None, 5, {}], [{"id": 5}], [{"resourceType": 7, "id": "a"}], [{"id": "a"}]]
)
def test_what_is_malformed_is_for_others_to_name(contained: Any) -> None:
    assert containment.wrong_types({**references("#a"), "contained": contained}) == []
