"""`importers.hl7v2.vxu`: vaccinations given, refused, reported and deleted."""

from __future__ import annotations

import pytest

from importers.hl7v2.conversion import ConversionError
from resources.codec import Json
from tests.importers.hl7v2.making import made, only

PID = "PID|1||1^^^A^MR||B^C"


def _vaccination(rxa: str, *others: str, orc: str = "ORC|RE||V1^CLN") -> Json:
    return only("Immunization", "VXU^V04", PID, orc, rxa, *others)


@pytest.mark.parametrize(
    ("completion", "action", "status"),
    [
        ("CP", "A", "completed"),
        ("PA", "A", "completed"),
        ("RE", "A", "not-done"),
        ("NA", "", "not-done"),
        ("", "", "completed"),
        ("CP", "D", "entered-in-error"),
        ("CP", "U", "completed"),
    ],
)
def test_status(completion: str, action: str, status: str) -> None:
    found = _vaccination(f"RXA|0|1|20240301||140^Flu^CVX|0.5|mL{'|' * 13}{completion}|{action}")
    assert found["status"] == status
    assert found.get("isSubpotent", False) == (completion == "PA")


@pytest.mark.parametrize(
    ("orc", "key"),
    [
        ("ORC|RE||V1^CLN", "CLN/V1/140"),
        ("ORC|RE|P1^EHR", "EHR/P1/140"),
        ("ORC|RE||9999^CLN", "HOSP//20240301/140/L1"),
        ("ORC|RE", "HOSP//20240301/140/L1"),
    ],
)
def test_what_it_is_known_by(orc: str, key: str) -> None:
    found = _vaccination("RXA|0|1|20240301||140^Flu^CVX||||||||||L1", orc=orc)
    assert found["identifier"][-1] == {"system": "urn:hl7v2:immunization", "value": key}


@pytest.mark.parametrize(("code", "primary"), [("00^New^NIP001", True), ("01^Historical^NIP001", False)])
def test_source(code: str, primary: bool) -> None:
    found = _vaccination(f"RXA|0|1|20240301||140^Flu^CVX|999|||{code}")
    assert found["primarySource"] == primary
    assert ("reportOrigin" in found) != primary
    assert "doseQuantity" not in found


def test_a_refusal_without_a_reason_is_one_of_the_patient() -> None:
    found = _vaccination(f"RXA|0|1|20240301||20^DTaP^CVX{'|' * 15}RE")
    assert found["statusReason"]["coding"][0]["code"] == "PATOBJ"


def test_a_date_that_is_none_is_kept_as_text() -> None:
    assert _vaccination("RXA|0|1|spring||140^Flu^CVX")["occurrenceString"] == "spring"
    assert _vaccination("RXA|0|1|||140^Flu^CVX")["occurrenceString"] == "unknown"


def test_details_by_their_codes() -> None:
    found = _vaccination(
        "RXA|0|1|20240301||140^Flu^CVX",
        "OBX|1|CE|64994-7^E^LN|1|V02^VFC^HL70064||||||F",
        "OBX|2|CE|30963-3^F^LN|1|PHC70^Private^CDCPHINVS||||||F",
        "OBX|3|CE|30956-7^T^LN|2|88^Influenza^CVX||||||F",
        "OBX|4|DT|29768-9^P^LN|2|20230801||||||F",
        "OBX|5|DT|29769-7^G^LN|2|20240301||||||F",
        "OBX|6|NM|30973-2^N^LN|3|2||||||F",
        "OBX|7|ST|48767-8^C^LN|4|left arm||||||F",
    )
    assert found["programEligibility"][0]["coding"][0]["code"] == "V02"
    assert found["fundingSource"]["coding"][0]["code"] == "PHC70"
    assert found["education"] == [
        {"documentType": "Influenza", "publicationDate": "2023-08-01", "presentationDate": "2024-03-01"}
    ]
    assert found["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    assert found["note"] == [{"text": "left arm"}]


def test_other_observations_are_part_of_it() -> None:
    lines = ("RXA|0|1|20240301||140^Flu^CVX", "OBX|1|CE|31044-1^Reaction^LN||A^B^L||||||F")
    found = only("Observation", "VXU^V04", PID, "ORC|RE||V1^CLN", *lines)
    assert found["partOf"][0]["reference"].startswith("urn:uuid:")


def test_without_a_vaccine_it_is_an_error_and_without_a_patient_nothing() -> None:
    resources, places = made("VXU^V04", PID, "ORC|RE||V1^CLN", "RXA|0|1|20240301")
    assert ([each["resourceType"] for each in resources], places) == (["Patient"], ["RXA"])
    with pytest.raises(ConversionError):
        made("VXU^V04", "ORC|RE||V1^CLN", "RXA|0|1|20240301||140^Flu^CVX")
