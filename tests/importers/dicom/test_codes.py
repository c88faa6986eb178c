from __future__ import annotations

from types import MappingProxyType

import pytest

from importers.dicom import codes
from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion

STUDY = StudyConversion("1.2.3", SourceConfig(name="PACS 1"))


def item(code: str, scheme: str, meaning: str = "", version: str = "") -> dict[str, str]:
    told = {
        "CodeValue": code,
        "CodingSchemeDesignator": scheme,
        "CodeMeaning": meaning,
        "CodingSchemeVersion": version,
    }
    return {name: value for name, value in told.items() if value}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            item("121071", "DCM", "Finding"),
            {
                "system": "http://dicom.nema.org/resources/ontology/DCM",
                "code": "121071",
                "display": "Finding",
            },
        ),
        (item("39607008", "SCT"), {"system": "http://snomed.info/sct", "code": "39607008"}),
        (item("39607008", "sct"), {"system": "http://snomed.info/sct", "code": "39607008"}),
        (item("T-28000", "SRT"), {"system": "http://snomed.info/sct", "code": "39607008"}),
        (item("T-28000", "SNM3"), {"system": "http://snomed.info/sct", "code": "39607008"}),
        (item("T-28000", "SCT"), {"system": "http://snomed.info/sct", "code": "39607008"}),
        (item("24627-2", "LN"), {"system": "http://loinc.org", "code": "24627-2"}),
        (item("mm", "UCM"), {"system": "http://unitsofmeasure.org", "code": "mm"}),
        (
            item("RID1", "RADLEX", version="4"),
            {"system": "http://radlex.org", "version": "4", "code": "RID1"},
        ),
        (item("X", "99ACME"), {"system": "urn:x-local:PACS%201:99ACME", "code": "X"}),
        (item("X", ""), {"system": "urn:x-local:PACS%201:-", "code": "X"}),
        (
            {"LongCodeValue": "a  b", "CodingSchemeDesignator": "99L"},
            {"system": "urn:x-local:PACS%201:99L", "code": "a b"},
        ),
        (
            {"URNCodeValue": "urn:oid:1.2", "CodeMeaning": "x"},
            {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2", "display": "x"},
        ),
    ],
)
def test_codings(told: dict[str, str], expected: dict[str, str]) -> None:
    assert codes.coding(STUDY, told) == expected


def test_a_code_of_snomed_rt_without_successor_is_text_alone() -> None:
    assert codes.coding(STUDY, item("T-99999", "SRT", "Somewhere")) is None
    assert codes.concept(STUDY, item("T-99999", "SRT", "Somewhere")) == {"text": "Somewhere"}


def test_nothing_said() -> None:
    assert codes.coding(STUDY, {}) is None
    assert codes.concept(STUDY, {"CodingSchemeDesignator": "DCM"}) is None


def test_each_concept_once() -> None:
    told = [item("1", "LN", "a"), item("1", "LN", "a"), item("2", "LN", "b"), {}]
    assert [each["text"] for each in codes.concepts(STUDY, told)] == ["a", "b"]


def test_local_schemes() -> None:
    config = SourceConfig(
        code_systems=MappingProxyType({"99A": "https://a.example", "LN": "https://ln.example"})
    )
    study = StudyConversion(
        "1", config, schemes={"99A": "1.2.3", "99B": "1.2.3", "99C": "no uid", "99D": "1.02"}
    )
    assert codes.system(study, "99A") == "https://a.example"
    assert codes.system(study, "LN") == "https://ln.example"
    assert codes.system(study, "99B") == "urn:oid:1.2.3"
    assert codes.system(study, "99C") == "urn:x-local:default:99C"
    assert codes.system(study, "99D") == "urn:x-local:default:99D"
