from __future__ import annotations

from importers.dicom import header
from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion, first
from resources.codec import Json

DEVICE: Json = {"resourceType": "Device", "identifier": [{"system": "s", "value": "1"}]}


def test_what_matches_the_same_is_one_draft() -> None:
    made = StudyConversion("1.2.3", SourceConfig())
    one = made.add(DEVICE, ("identifier=s|1", "identifier=s|2"))
    assert made.add({**DEVICE}, ("identifier=s|2",)) is one
    assert made.add({**DEVICE, "resourceType": "Patient"}, ("identifier=s|2",)) is not one
    assert made.add({**DEVICE}) is not one
    assert made.reference(one) == {"reference": one.url}
    assert len({draft.url for draft in made.drafts}) == 3


def test_an_issue_is_told_once() -> None:
    made = StudyConversion("1.2.3", SourceConfig())
    made.told([header.Issue("PatientSex", "x"), header.Issue("PatientSex", "x")])
    made.issue("PatientSex", "y")
    assert [(issue.place, issue.text) for issue in made.issues] == [("PatientSex", "x"), ("PatientSex", "y")]


def test_derived_systems() -> None:
    made = StudyConversion("1.2.3", SourceConfig())
    assert made.derived("serial", " A B ", "") == "urn:fhir-server:dicom:serial:A%20B:-"


def test_the_first_item() -> None:
    assert first({"S": [{"a": 1}, {"b": 2}]}, "S") == {"a": 1}
    assert first({}, "S") == {}
