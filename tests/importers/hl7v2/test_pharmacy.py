"""`importers.hl7v2.pharmacy`, `medication_order`, `dosage`, `medication`: ordered, dispensed, administered."""

from __future__ import annotations

import pytest

from resources.codec import Json
from tests.importers.hl7v2.making import made, only

PID = "PID|1||1^^^A^MR||B^C"


def _request(event: str, *lines: str) -> Json:
    return only("MedicationRequest", event, PID, *lines)


@pytest.mark.parametrize(
    ("control", "status"),
    [("NW", "active"), ("CA", "cancelled"), ("DC", "stopped"), ("HD", "on-hold"), ("SC", "active")],
)
def test_status_of_a_request(control: str, status: str) -> None:
    assert _request("OMP^O09", f"ORC|{control}|P1^EHR", "RXO|A^Drug^L")["status"] == status


@pytest.mark.parametrize(
    ("rxo", "dose"),
    [
        (
            "RXO|A|5||mg",
            {"doseQuantity": {"value": 5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
        ),
        (
            "RXO|A|1|2|tab",
            {"doseRange": {"low": {"value": 1, "unit": "tab"}, "high": {"value": 2, "unit": "tab"}}},
        ),
        ("RXO|A|2|2|tab", {"doseQuantity": {"value": 2, "unit": "tab"}}),
        ("RXO|A|3|2|tab", {"doseQuantity": {"value": 3, "unit": "tab"}}),
    ],
)
def test_dose(rxo: str, dose: Json) -> None:
    [instruction] = _request("OMP^O09", "ORC|NW|P1^EHR", rxo)["dosageInstruction"]
    found = instruction["doseAndRate"][0]
    assert {name: value for name, value in found.items() if name != "type"} == dose


def test_what_the_pharmacy_made_of_it_counts() -> None:
    found = _request(
        "RDE^O11", "ORC|NW|P1^EHR", "RXO|A^Asked^L|1||mg", "RXE||B^Given^L|2||tab||Chew|||30|tab|3"
    )
    assert found["medicationCodeableConcept"]["coding"][0]["code"] == "B"
    assert found["note"] == [{"text": "Ordered as: A Asked"}]
    assert found["dosageInstruction"][0]["text"] == "Chew"
    assert found["dispenseRequest"]["numberOfRepeatsAllowed"] == 3
    assert found["identifier"][-1]["value"] == "EHR/P1/A"


def test_each_route_is_an_instruction() -> None:
    found = _request("OMP^O09", "ORC|NW|P1^EHR", "RXO|A", "RXR|PO^Oral^HL70162", "RXR|IV")
    assert len(found["dosageInstruction"]) == 2


def test_without_a_code_the_instructions_are_the_medication() -> None:
    resources, places = made("OMP^O09", PID, "ORC|NW|P1^EHR", "RXO||||||^two of the white ones")
    [found] = [each for each in resources if each["resourceType"] == "MedicationRequest"]
    assert found["medicationCodeableConcept"] == {"text": "two of the white ones"}
    assert places == ["RXO"]


def test_components_make_a_medication_of_its_own() -> None:
    resources, _ = made(
        "RDE^O11", PID, "ORC|NW|P1^EHR", "RXE||B^Bag^L|1", "RXC|A|C1^Salt^L|9|g", "RXC|B|C2^Water^L"
    )
    [medication] = [each for each in resources if each["resourceType"] == "Medication"]
    assert [part["isActive"] for part in medication["ingredient"]] == [True, False]


def test_a_dispense_points_at_its_request() -> None:
    resources, _ = made(
        "RDS^O13", PID, "ORC|RE|P1^EHR", "RXD|1|B^Given^L|20240301|30|tab|||||66^Pharm|N|||||||L7|20251231"
    )
    kinds = [each["resourceType"] for each in resources]
    assert kinds == [
        "Patient",
        "MedicationRequest",
        "Medication",
        "Practitioner",
        "MedicationDispense",
    ] or sorted(kinds) == sorted(
        ["Patient", "MedicationRequest", "Medication", "Practitioner", "MedicationDispense"]
    )
    dispense = resources[-1]
    assert dispense["authorizingPrescription"][0]["reference"].startswith("urn:uuid:")
    assert dispense["substitution"]["wasSubstituted"] is False


@pytest.mark.parametrize(
    ("completion", "action", "status"),
    [
        ("CP", "", "completed"),
        ("RE", "", "not-done"),
        ("NA", "", "not-done"),
        ("PA", "", "stopped"),
        ("CP", "D", "entered-in-error"),
        ("Q", "", "unknown"),
        ("", "", "completed"),
    ],
)
def test_status_of_an_administration(completion: str, action: str, status: str) -> None:
    rxa = f"RXA|0|1|20240301080000||A^Drug^L|5|mg{'|' * 13}{completion}|{action}"
    assert only("MedicationAdministration", "RAS^O17", PID, "ORC|RE|P1^EHR", rxa)["status"] == status


def test_an_unknown_dose_and_an_unknown_time() -> None:
    found = only(
        "MedicationAdministration", "RAS^O17", PID, "ORC|RE|P1^EHR", "RXA|0|1|||A^Drug^L|999", "RXR|PO"
    )
    assert "value" not in found["dosage"]["dose"]
    assert "effectiveDateTime" not in found
    assert "_effectiveDateTime" in found


def test_observations_of_an_order_are_kept() -> None:
    lines = ("ORC|NW|P1^EHR", "RXO|A", "OBX|1|NM|29463-7^Weight^LN||70|kg|||||F")
    assert only("Observation", "OMP^O09", PID, *lines)["valueQuantity"]["value"] == 70
