from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from importers.dicom.sources import SourceConfig
from resources.codec import Json
from tests.importers.dicom.making import header, item, places, study

SNOMED = "http://snomed.info/sct"


def one(*told: dict[str, Any], config: SourceConfig | None = None) -> tuple[Json, set[str]]:
    headers = [
        header(**{"SOPInstanceUID": f"1.{number}", **each}) for number, each in enumerate(told or ({},))
    ]
    made = study(*headers, config=config)
    [found] = made.drafts[0].resource["series"]
    return found, places(made)


def test_a_series() -> None:
    found, issues = one({"SeriesNumber": 3, "SeriesDescription": "Lung"}, {"SeriesNumber": 3})
    assert found["uid"] == "1.2.3.4"
    assert found["number"] == 3
    assert found["description"] == "Lung"
    assert found["numberOfInstances"] == 2
    assert issues == set()


@pytest.mark.parametrize("number", [-1, 2**31, 99999999999])
def test_numbers_that_fhir_cannot_hold(number: int) -> None:
    header_ = header(SeriesNumber=1)
    header_ = type(header_)(
        *(header_.study_uid, header_.series_uid, header_.sop_uid, header_.sop_class, ""),
        {**header_.values, "SeriesNumber": number},
    )
    made = study(header_)
    assert "number" not in made.drafts[0].resource["series"][0]
    assert places(made) == {"SeriesNumber"}


@pytest.mark.parametrize(
    ("told", "code", "display", "issue"),
    [
        ({"Modality": "CT"}, "CT", "Computed Tomography", False),
        ({"Modality": "ct"}, "CT", "Computed Tomography", False),
        ({"Modality": "CT1"}, "CT1", None, True),
        ({"Modality": None}, "CT", "Computed Tomography", True),
        (
            {"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"},
            "SR",
            "Structured Report Document",
            True,
        ),
        ({"Modality": None, "SOPClassUID": "1.2.9"}, "OT", "Other", True),
    ],
)
def test_modality(told: dict[str, Any], code: str, display: str | None, issue: bool) -> None:
    found, issues = one(told)
    assert found["modality"]["code"] == code
    assert found["modality"].get("display") == display
    assert ("Modality" in issues) is issue


REGION = item(CodeValue="T-28000", CodingSchemeDesignator="SRT", CodeMeaning="Lung")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"BodyPartExamined": "CHEST"}, {"system": SNOMED, "code": "43799004", "display": "Chest"}),
        ({"BodyPartExamined": "chest"}, {"system": SNOMED, "code": "43799004", "display": "Chest"}),
        ({"BodyPartExamined": "BIG TOE OF JOE"}, {"display": "BIG TOE OF JOE"}),
        (
            {"BodyPartExamined": "CHEST", "AnatomicRegionSequence": [REGION]},
            {"system": SNOMED, "code": "39607008", "display": "Lung"},
        ),
        (
            {
                "AnatomicRegionSequence": [
                    item(CodeValue="T-99999", CodingSchemeDesignator="SRT", CodeMeaning="There")
                ]
            },
            {"display": "There"},
        ),
        ({}, None),
    ],
)
def test_body_site(told: dict[str, Any], expected: Json | None) -> None:
    assert one(told)[0].get("bodySite") == expected


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ([{"Laterality": "R"}], "24028007"),
        ([{"Laterality": "L"}], "7771000"),
        ([{"Laterality": "B"}], "51440002"),
        ([{"Laterality": "U"}], "66459002"),
        ([{"Laterality": "X"}], None),
        ([{"ImageLaterality": "L"}, {"ImageLaterality": "L"}], "7771000"),
        ([{"ImageLaterality": "L"}, {"ImageLaterality": "R"}], None),
        ([{"ImageLaterality": "L"}, {}], None),
        ([{"Laterality": "R", "ImageLaterality": "L"}], "24028007"),
    ],
)
def test_laterality(told: list[dict[str, Any]], code: str | None) -> None:
    assert one(*told)[0].get("laterality", {}).get("code") == code


def test_started() -> None:
    config = SourceConfig(zone=ZoneInfo("Europe/Copenhagen"))
    told = {"SeriesDate": "20240102", "SeriesTime": "101500", "AcquisitionDate": "20240101"}
    assert one(told, config=config)[0]["started"] == "2024-01-02T10:15:00+01:00"
    assert one(told)[0]["started"] == "2024-01-02"
    assert one({"AcquisitionDate": "20240101"})[0]["started"] == "2024-01-01"
    later = {"SeriesDate": "20240102", "SeriesTime": "111500"}
    assert one(later, told, config=config)[0]["started"] == "2024-01-02T10:15:00+01:00"
    found, issues = one({"AcquisitionDate": "20240101", "Modality": "CT"})
    assert issues == set()
    assert "started" in found


def test_specimens_each_once() -> None:
    told = {
        "SpecimenDescriptionSequence": [
            item(
                SpecimenIdentifier="S1",
                IssuerOfTheSpecimenIdentifierSequence=[
                    item(UniversalEntityID="1.2.9", UniversalEntityIDType="ISO")
                ],
            ),
            item(SpecimenIdentifier="S2"),
        ]
    }
    found, _ = one(told, {**told, "SeriesDescription": "x"})
    assert [each["identifier"] for each in found["specimen"]] == [
        {"system": "urn:oid:1.2.9", "value": "S1"},
        {"system": "urn:fhir-server:dicom:default:specimen", "value": "S2"},
    ]


def test_instances_that_disagree() -> None:
    found, issues = one({"Modality": "PT"}, {"Modality": "CT"}, {"Modality": "CT"})
    assert found["modality"]["code"] == "CT"
    assert issues == {"Modality"}
