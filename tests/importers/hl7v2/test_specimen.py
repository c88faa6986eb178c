"""`importers.hl7v2.specimen`: SPM, and OBR of older versions."""

from __future__ import annotations

from resources.codec import Json
from tests.importers.hl7v2.making import made, only, segment

PID = "PID|1||1^^^A^MR||B^C"
OBR = "OBR|1|P1^EHR|F1^LAB|A^Test^L"


def _specimen(*lines: str) -> Json:
    return only("Specimen", "ORU^R01", PID, *lines)


def test_numbers_of_placer_and_filler() -> None:
    found = _specimen(OBR, "SPM|1|S1&EHR^S2&LAB||BLD^Blood^HL70487")
    assert [(each["type"]["coding"][0]["code"], each["value"]) for each in found["identifier"]] == [
        ("PGN", "S1"),
        ("FGN", "S2"),
    ]
    assert found["type"]["coding"][0]["code"] == "BLD"


def test_without_a_number_it_is_that_of_its_report() -> None:
    assert _specimen(OBR, "SPM|1|||SER")["identifier"][0]["value"] == "LAB/F1/A/1/SER"


def test_collection_and_container() -> None:
    fields = {
        1: "1", 2: "S1", 4: "SER", 7: "VENIP", 8: "LA^Left arm^HL70163", 12: "5^mL", 14: "clear", 27: "TUBE^Tube^L",
        17: "20240301080000^20240301081000", 18: "20240301090000", 20: "N", 24: "RT^Warm^L",
    }  # fmt: skip
    spm = segment("SPM", fields)
    found = _specimen(OBR, spm)
    assert found["collection"]["collectedPeriod"]["end"] == "2024-03-01T08:10:00+00:00"
    assert found["collection"]["quantity"]["code"] == "mL"
    assert (found["status"], found["receivedTime"]) == ("unavailable", "2024-03-01T09:00:00+00:00")
    assert found["container"][0]["type"]["coding"][0]["code"] == "TUBE"
    assert found["note"] == [{"text": "clear"}]


def test_a_rejected_one_is_unsatisfactory() -> None:
    assert _specimen(OBR, segment("SPM", {2: "S1", 21: "HEM^Haemolysed^L"}))["status"] == "unsatisfactory"


def test_older_versions_describe_it_in_the_order() -> None:
    fields = {
        2: "P1^EHR", 3: "F1^LAB", 4: "A^Test^L", 7: "20240301080000", 9: "3^mL", 10: "55^Moana", 14: "20240301090000",
        15: "SER&Serum&HL70487^HEP&Heparin&L^by hand^LA&Left arm&HL70163",
    }  # fmt: skip
    obr = segment("OBR", fields)
    found = _specimen(obr)
    assert found["type"]["coding"][0]["code"] == "SER"
    assert found["collection"]["collector"]["display"] == "Moana"
    assert found["collection"]["bodySite"]["coding"][0]["code"] == "LA"
    assert found["container"][0]["additiveCodeableConcept"]["coding"][0]["code"] == "HEP"


def test_one_that_several_orders_name_is_one() -> None:
    resources, _ = made(
        "ORU^R01", PID, OBR, "OBX|1|NM|A||1", "SPM|1|S1", "OBR|2|P1^EHR|F2^LAB|B", "OBX|1|NM|B||1", "SPM|1|S1"
    )
    assert len([each for each in resources if each["resourceType"] == "Specimen"]) == 1


def test_its_own_observations_are_about_it() -> None:
    resources, _ = made("ORU^R01", PID, OBR, "OBX|1|NM|A||1|||||F", "SPM|1|S1", "OBX|1|NM|PH||7|||||F")
    report = next(each for each in resources if each["resourceType"] == "DiagnosticReport")
    assert len(report["result"]) == 1
    assert [
        each["code"]["coding"][0]["code"]
        for each in resources
        if each["resourceType"] == "Observation" and "specimen" in each
    ]
