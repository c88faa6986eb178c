"""`importers.hl7v2.oru` and `obr`: reports, their results and what they answer."""

from __future__ import annotations

import pytest

from resources.codec import Json
from tests.importers.hl7v2.making import made, only

PID = "PID|1||1^^^A^MR||B^C"


def _report(*lines: str) -> Json:
    return only("DiagnosticReport", "ORU^R01", PID, *lines)


def _obr(**fields: str) -> str:
    known = {"f1": "1", "f2": "P1^EHR", "f3": "F1^LAB", "f4": "A^Test^L", "f25": "F"} | fields
    return "OBR|" + "|".join(known.get(f"f{number}", "") for number in range(1, 36))


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, "LAB/F1/A"),
        ({"f3": ""}, "EHR/P1/A"),
        ({"f2": "", "f3": "", "f7": "20240301"}, "HOSP//A/20240301"),
        ({"f26": "630-4&Bacteria&LN^2"}, "LAB/F1/A/630-4/2"),
        ({"f4": "^Only text"}, "LAB/F1/Only text"),
    ],
)
def test_what_a_report_is_known_by(fields: dict[str, str], key: str) -> None:
    assert _report(_obr(**fields))["identifier"][-1]["value"] == key


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("F", "final"),
        ("P", "preliminary"),
        ("C", "corrected"),
        ("X", "cancelled"),
        ("A", "partial"),
        ("Z", "unknown"),
        ("Q", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    found = _report(_obr(f25=code))
    assert found["status"] == status
    assert ("_status" in found) == (code in "AZQ")


def test_without_a_status_it_has_that_of_its_results() -> None:
    found = _report(_obr(f25=""), "OBX|1|NM|A||1||||||F", "OBX|2|NM|B||1||||||C")
    assert found["status"] == "corrected"


@pytest.mark.parametrize(
    ("section", "lines", "category"),
    [
        ("CH", ["OBX|1|ST|A||x|||||F"], "laboratory"),
        ("RAD", ["OBX|1|ST|A||x|||||F"], "imaging"),
        ("", ["OBX|1|NM|A||1||||||F"], "laboratory"),
        ("", ["OBX|1|NM|8867-4^Pulse^LN||60||||||F"], "vital-signs"),
        ("PHY", ["OBX|1|NM|A||1||||||F"], ""),
        ("", ["OBX|1|ST|A||x|||||F"], ""),
    ],
)
def test_category_of_the_results(section: str, lines: list[str], category: str) -> None:
    found = only("Observation", "ORU^R01", PID, _obr(f24=section), *lines)
    codes = [each["coding"][0]["code"] for each in found.get("category", [])]
    assert codes == ([category] if category else [])


def test_who_interpreted_and_who_did_it() -> None:
    found = _report(_obr(f32="5&Sato&Keiko", f33="^Bell^Ann", f34="6&Moana", f35="7&Ngata"))
    assert [each["display"] for each in found["resultsInterpreter"]] == ["Keiko Sato", "Ann Bell"]
    roles = [each["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] for each in found["performer"]]
    assert roles == ["SPRF", "TRANS"]


def test_time_is_a_period_where_it_has_an_end() -> None:
    assert _report(_obr(f7="20240301080000"))["effectiveDateTime"] == "2024-03-01T08:00:00+00:00"
    found = _report(_obr(f7="20240301080000", f8="20240301090000"))
    assert found["effectivePeriod"]["end"] == "2024-03-01T09:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "orders"),
    [
        ({}, 1),
        ({"f2": ""}, 0),
        ({"f2": "", "f16": "5^Sato"}, 1),
        ({"f2": "", "f13": "fever"}, 1),
        ({"f2": "", "f3": "", "f16": "5^Sato"}, 0),
    ],
)
def test_an_order_is_made_where_something_is_said_of_it(fields: dict[str, str], orders: int) -> None:
    resources, _ = made("ORU^R01", PID, _obr(**fields))
    assert len([each for each in resources if each["resourceType"] == "ServiceRequest"]) == orders


def test_susceptibilities_belong_to_their_isolate() -> None:
    resources, _ = made(
        "ORU^R01",
        PID,
        _obr(),
        "OBX|1|CWE|630-4^Bacteria^LN|1|A^E. coli^L||||||F",
        "OBX|2|CWE|630-4^Bacteria^LN|2|B^K. oxytoca^L||||||F",
        _obr(f3="F2^LAB", f4="S^Panel^L", f26="630-4&Bacteria&LN^2^K. oxytoca"),
        "OBX|1|ST|AMP||R|||||F",
    )
    isolates = [
        each for each in resources if each.get("code", {}).get("coding", [{}])[0].get("code") == "630-4"
    ]
    [susceptibility] = [each for each in resources if "derivedFrom" in each]
    assert ["hasMember" in each for each in isolates] == [False, True]
    assert susceptibility["derivedFrom"][0]["reference"].startswith("urn:uuid:")


def test_an_isolate_of_an_earlier_message_is_named() -> None:
    found = only(
        "Observation", "ORU^R01", PID, _obr(f26="630-4&Bacteria&LN^1^E. coli"), "OBX|1|ST|AMP||R|||||F"
    )
    assert found["derivedFrom"] == [{"type": "Observation", "display": "E. coli"}]


def test_results_without_a_patient_are_kept_and_told() -> None:
    resources, places = made("ORU^R01", _obr(), "OBX|1|NM|A||1||||||F")
    assert [each["resourceType"] for each in resources] == ["DiagnosticReport", "Observation"]
    assert places == ["PID"]


def test_results_of_two_patients_stay_apart() -> None:
    lines = [
        _obr(),
        "OBX|1|NM|A||1||||||F",
        "PID|2||2^^^A^MR||D^E",
        _obr(f3="F2^LAB"),
        "OBX|1|NM|A||2||||||F",
    ]
    resources, _ = made("ORU^R01", PID, *lines)
    subjects = {each["subject"]["reference"] for each in resources if each["resourceType"] == "Observation"}
    assert len(subjects) == 2
