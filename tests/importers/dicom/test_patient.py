from __future__ import annotations

from typing import Any

import pytest

from importers.dicom.patient import UNIDENTIFIED, patient_key
from importers.dicom.sources import SourceConfig
from resources.codec import Json
from tests.importers.dicom.making import header, item, of_type, places, study


def patient(**values: Any) -> Json:
    [found] = of_type(study(header(**values)), "Patient")
    return found


def test_a_patient() -> None:
    found = patient(
        PatientName="Muster^Erika",
        PatientBirthDate="19700131",
        PatientSex="F",
        PatientID=" 4711 ",
        IssuerOfPatientID="HOSP",
    )
    assert found["identifier"][0]["value"] == "4711"
    assert found["identifier"][0]["system"] == "urn:hl7v2:id:HOSP"
    assert found["name"] == [{"use": "usual", "text": "Erika Muster", "family": "Muster", "given": ["Erika"]}]
    assert found["gender"] == "female"
    assert found["birthDate"] == "1970-01-31"
    assert "meta" not in found


@pytest.mark.parametrize(
    ("sex", "gender"), [("M", "male"), ("F", "female"), ("O", "other"), ("X", "unknown"), (None, None)]
)
def test_gender(sex: str | None, gender: str | None) -> None:
    assert patient(PatientSex=sex).get("gender") == gender


def test_other_numbers_only_with_an_issuer() -> None:
    others = [
        item(PatientID="N1", IssuerOfPatientID="NAT", TypeOfPatientID="TEXT"),
        item(PatientID="N1", IssuerOfPatientID="NAT"),
        item(PatientID="N2"),
        item(PatientID="RF", IssuerOfPatientID="NAT", TypeOfPatientID="RFID"),
    ]
    found = patient(OtherPatientIDsSequence=others)["identifier"]
    assert [each["value"] for each in found] == ["4711", "N1"]


@pytest.mark.parametrize("number", [None, "ANON"])
def test_who_has_no_number_is_nobody_else(number: str | None) -> None:
    one = study(header(PatientID=number))
    other = study(header(PatientID=number, StudyInstanceUID="9.9"))
    assert of_type(one, "Patient")[0]["identifier"] == [{"system": UNIDENTIFIED, "value": "1.2.3"}]
    assert of_type(other, "Patient")[0]["identifier"] == [{"system": UNIDENTIFIED, "value": "9.9"}]
    assert of_type(one, "Patient")[0]["meta"]["tag"][0]["code"] == "unreconciled"
    assert places(one) == {"PatientID"}


def test_de_identified() -> None:
    found = patient(PatientIdentityRemoved="YES")
    assert [each["code"] for each in found["meta"]["tag"]] == ["de-identified"]
    assert found["identifier"][0]["system"] == "urn:fhir-server:dicom:de-identified"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"PatientID": "4711", "IssuerOfPatientID": "HOSP"}, "urn:hl7v2:id:HOSP|4711"),
        ({"PatientID": "47|11"}, r"urn:fhir-server:dicom:default:patient|47\|11"),
        ({}, ""),
        ({"PatientID": "NOID"}, ""),
    ],
)
def test_the_key_is_what_a_search_has(values: dict[str, str], expected: str) -> None:
    assert patient_key(values, SourceConfig()) == expected


def test_the_key_finds_the_draft() -> None:
    made = header(IssuerOfPatientID="HOSP")
    [draft] = [each for each in study(made).drafts if each.resource["resourceType"] == "Patient"]
    assert draft.match == (f"identifier={patient_key(made.values, SourceConfig())}",)
    assert draft.role == "reference"


def test_what_is_stored_of_a_patient_stays() -> None:
    made = study(header(PatientName="Muster^Erika", PatientSex="F", PatientBirthDate="19700131"))
    [draft] = [each for each in made.drafts if each.resource["resourceType"] == "Patient"]
    stored: Json = {
        "resourceType": "Patient",
        "id": "1",
        "name": [{"use": "official", "family": "Mueller"}],
        "gender": "male",
        "telecom": [{"value": "1"}],
    }
    assert draft.adjust is not None
    kept = draft.adjust(stored, {"never": "used"}, draft.resource, False)
    assert kept == {**stored, "birthDate": "1970-01-31"}
    assert places(made) == {"PatientName", "PatientSex"}
    assert all("Mueller" not in issue.text and "Muster" not in issue.text for issue in made.issues)
    same = draft.adjust(
        {**stored, "gender": "female", "name": [{"family": "MUSTER"}]}, {}, draft.resource, False
    )
    assert same["name"] == [{"family": "MUSTER"}]


def test_a_new_patient_is_as_told() -> None:
    made = study(header())
    [draft] = [each for each in made.drafts if each.resource["resourceType"] == "Patient"]
    assert draft.adjust is not None
    assert draft.adjust({}, draft.resource, draft.resource, True) == draft.resource


def test_names_that_disagree() -> None:
    one, other, third = (
        header(SOPInstanceUID=f"1.{number}", PatientName=name)
        for number, name in enumerate(("A^A", "B^B", "B^B"))
    )
    made = study(one, other, third)
    assert of_type(made, "Patient")[0]["name"][0]["family"] == "B"
    assert "PatientName" in places(made)
