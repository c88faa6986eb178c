"""Statuses that were told at different times agree."""

from __future__ import annotations

from typing import Any

import pytest

from importers.hl7v2.keyed import concept_key, consistent
from resources import validation

ACTIVE = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
}
WRONG = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}
    ]
}


def condition(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, **elements}


@pytest.mark.parametrize(
    ("merged", "told", "newer", "status", "wrong"),
    [
        ({"clinicalStatus": ACTIVE}, {}, True, "active", False),
        ({"clinicalStatus": ACTIVE, "abatementDateTime": "2024"}, {}, True, "resolved", False),
        ({"clinicalStatus": ACTIVE, "verificationStatus": WRONG}, {}, True, "active", False),
        ({"clinicalStatus": ACTIVE, "verificationStatus": WRONG}, {}, False, None, True),
        (
            {"clinicalStatus": ACTIVE, "verificationStatus": WRONG},
            {"verificationStatus": WRONG},
            True,
            None,
            True,
        ),
        (
            {"abatementDateTime": "2024", "verificationStatus": WRONG},
            {"verificationStatus": WRONG},
            True,
            None,
            True,
        ),
    ],
)
def test_statuses_agree(
    merged: dict[str, Any], told: dict[str, Any], newer: bool, status: str | None, wrong: bool
) -> None:
    result = consistent({}, condition(**merged), condition(**told), newer)
    clinical = result.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
    assert (clinical, "verificationStatus" in result) == (status, wrong)
    assert [issue for issue in validation.validate(result) if issue.severity == "error"] == []


def test_a_concept_is_known_by_its_first_code_else_by_its_text() -> None:
    assert concept_key({"coding": [{"display": "x"}, {"system": "urn:s", "code": "1"}], "text": "t"}) == (
        "urn:s",
        "1",
    )
    assert concept_key({"text": "Peanut"}) == concept_key({"text": "PEANUT"})
    assert concept_key(None) == ""
