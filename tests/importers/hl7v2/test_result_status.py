"""`importers.hl7v2.result_status`: which result may take the place of which."""

from __future__ import annotations

import pytest

from importers.hl7v2 import result_status
from resources.codec import Json
from tests.importers.hl7v2.making import faults


@pytest.mark.parametrize("status", sorted(set(result_status.OBSERVATION.values())))
def test_each_status_of_an_observation_is_one_of_fhir(status: str) -> None:
    assert faults({"resourceType": "Observation", "status": status, "code": {"text": "a"}}) == []


@pytest.mark.parametrize("status", sorted(set(result_status.REPORT.values())))
def test_each_status_of_a_report_is_one_of_fhir(status: str) -> None:
    assert faults({"resourceType": "DiagnosticReport", "status": status, "code": {"text": "a"}}) == []


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ([], "unknown"),
        (["final", "unknown"], "unknown"),
        (["final", "final"], "final"),
        (["final", "cancelled"], "final"),
        (["final", "corrected"], "corrected"),
        (["final", "preliminary"], "partial"),
        (["preliminary", "preliminary"], "preliminary"),
        (["registered"], "registered"),
        (["cancelled"], "cancelled"),
        (["entered-in-error", "entered-in-error"], "entered-in-error"),
        (["entered-in-error", "cancelled"], "cancelled"),
    ],
)
def test_status_of_a_report_by_its_observations(observations: list[str], expected: str) -> None:
    assert result_status.of_report(observations) == expected


def _result(status: str, value: int = 1, **more: object) -> Json:
    return {"resourceType": "Observation", "status": status, "valueInteger": value, **more}


@pytest.mark.parametrize("after", ["unknown", "registered", "partial", "preliminary"])
@pytest.mark.parametrize("before", ["final", "corrected", "amended"])
def test_what_is_open_does_not_replace_what_is_closed(before: str, after: str) -> None:
    stored, told = _result(before), _result(after, 2)
    assert result_status.settled(stored, told, told, newer=True) == stored


def test_what_is_new_is_as_it_was_told() -> None:
    told = _result("preliminary")
    assert result_status.settled({}, told, told, newer=True) == told


def test_flags_and_notes_go_with_their_value() -> None:
    stored = _result(
        "final", interpretation=[{"text": "high"}], note=[{"text": "repeat"}], subject={"display": "a"}
    )
    told = _result("corrected", 2)
    assert result_status.settled(stored, {**stored, **told}, told, newer=True) == {
        **told,
        "subject": {"display": "a"},
    }


def test_a_value_that_comes_takes_the_reason_for_its_absence_away() -> None:
    stored: Json = {
        "resourceType": "Observation",
        "status": "registered",
        "dataAbsentReason": {"text": "pending"},
    }
    told = _result("final")
    assert result_status.settled(stored, {**stored, **told}, told, newer=True) == told


def test_what_is_withdrawn_as_an_error_keeps_what_it_said() -> None:
    stored, told = _result("final"), {"resourceType": "Observation", "status": "entered-in-error"}
    assert result_status.settled(stored, {**stored, **told}, told, newer=True)["valueInteger"] == 1


def test_an_older_one_only_fills_gaps() -> None:
    stored, told = _result("final", note=[{"text": "a"}]), _result("final", 2)
    assert result_status.settled(stored, stored, told, newer=False) == stored


@pytest.mark.parametrize(("value", "expected"), [(1, "corrected"), (2, "final")])
def test_a_correction_stays_one_until_the_value_changes(value: int, expected: str) -> None:
    stored, told = _result("corrected"), _result("final", value)
    assert result_status.settled(stored, {**stored, **told}, told, newer=True)["status"] == expected
