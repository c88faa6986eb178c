from __future__ import annotations

import random
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom import digest, imaging_study
from importers.dicom.header import Header
from importers.dicom.sources import SourceConfig
from resources.codec import Json
from tests.importers.dicom.making import (
    assert_valid,
    faults,
    groups,
    header,
    item,
    of_type,
    places,
    study,
)


def resource(*headers: Header, config: SourceConfig | None = None) -> Json:
    return study(*headers, config=config).drafts[0].resource


def instance(series: int, number: int, **values: Any) -> Header:
    return header(
        **{
            "SeriesInstanceUID": f"1.2.3.{series}",
            "SOPInstanceUID": f"1.2.3.{series}.{number}",
            "SeriesNumber": series,
            "InstanceNumber": number,
            **values,
        }
    )


def test_a_study() -> None:
    found = resource(
        instance(1, 1, StudyDate="20240229", StudyTime="1015", StudyDescription="Thorax"),
        instance(1, 2, StudyDate="20240229", StudyTime="1015", StudyDescription="Thorax"),
        instance(2, 1, StudyDate="20240229", StudyTime="1015", StudyDescription="Thorax"),
        config=SourceConfig(zone=ZoneInfo("Europe/Copenhagen")),
    )
    assert found["identifier"] == [{"use": "official", "system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]
    assert found["status"] == "available"
    assert found["started"] == "2024-02-29T10:15:00+01:00"
    assert found["description"] == "Thorax"
    assert (found["numberOfSeries"], found["numberOfInstances"]) == (2, 3)
    assert [(each["uid"], each["numberOfInstances"]) for each in found["series"]] == [
        ("1.2.3.1", 2),
        ("1.2.3.2", 1),
    ]
    assert all("instance" not in each for each in found["series"])


def test_it_is_found_by_its_uid() -> None:
    draft = study(header()).drafts[0]
    assert draft.match == ("identifier=urn:dicom:uid|urn:oid:1.2.3",)


def test_modalities_are_those_that_acquire() -> None:
    ct, sr = instance(1, 1), instance(2, 1, Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    assert [each["code"] for each in resource(ct, sr)["modality"]] == ["CT"]
    assert [each["code"] for each in resource(sr)["modality"]] == ["SR"]
    assert [each["code"] for each in resource(ct, instance(3, 1, Modality="PT"))["modality"]] == ["CT", "PT"]


def test_counts_come_from_the_rows() -> None:
    made = header()
    made = type(made)(
        *(made.study_uid, made.series_uid, made.sop_uid, made.sop_class, ""),
        {**made.values, "NumberOfFrames": 99},
    )
    assert resource(made)["numberOfInstances"] == 1


def test_a_time_without_a_zone_is_left_out() -> None:
    assert resource(header(StudyDate="20240229", StudyTime="101530"))["started"] == "2024-02-29"


def test_the_earliest_of_different_starts() -> None:
    found = resource(
        instance(1, 1, StudyDate="20240302"), instance(1, 2, StudyDate="20240301"), instance(1, 3)
    )
    assert found["started"] == "2024-03-01"


def test_what_most_series_say() -> None:
    made = study(
        instance(1, 1, StudyDescription="A"),
        instance(2, 1, StudyDescription="B"),
        instance(3, 1, StudyDescription="B"),
    )
    assert made.drafts[0].resource["description"] == "B"
    assert places(made) == {"StudyDescription"}


def test_procedure_codes_each_once_over_all_instances() -> None:
    code = [item(CodeValue="24627-2", CodingSchemeDesignator="LN", CodeMeaning="CT Chest")]
    found = resource(
        instance(1, 1, ProcedureCodeSequence=code), instance(2, 1, ProcedureCodeSequence=code), instance(3, 1)
    )
    assert found["procedureCode"] == [
        {
            "coding": [{"system": "http://loinc.org", "code": "24627-2", "display": "CT Chest"}],
            "text": "CT Chest",
        }
    ]


def test_local_schemes_have_the_uids_that_instances_say() -> None:
    found = resource(
        instance(
            1,
            1,
            ProcedureCodeSequence=[item(CodeValue="X", CodingSchemeDesignator="99A")],
            CodingSchemeIdentificationSequence=[item(CodingSchemeDesignator="99A", CodingSchemeUID="1.2.9")],
        )
    )
    assert found["procedureCode"][0]["coding"][0]["system"] == "urn:oid:1.2.9"


def test_where() -> None:
    told = {"InstitutionalDepartmentName": "Radiology"}
    assert resource(header(**told))["location"]["display"] == "Radiology"
    assert resource(header(PerformedLocation="Room 1", **told))["location"]["display"] == "Room 1"


def test_scripts_in_text_are_text() -> None:
    found = resource(header(StudyDescription="<script>alert(1)</script>"))
    assert found["description"] == "<script>alert(1)</script>"
    assert "text" not in found


_HEADERS = [
    instance(
        series,
        number,
        StudyDescription=["A", "B", None][number % 3],
        StudyDate=["20240101", "20240102"][number % 2],
        SeriesDescription=["x", "y"][(series + number) % 2],
        OperatorsName=["A^B", "C^D"][number % 2],
        Manufacturer="ACME",
        ManufacturerModelName="M",
        DeviceSerialNumber=str(series),
        AccessionNumber=["1", "2"][series % 2],
        RequestAttributesSequence=[item(AccessionNumber=str(number))],
    )
    for series in (1, 2, 3)
    for number in (1, 2, 3, 4)
]


@given(st.permutations(_HEADERS))
def test_the_order_of_arrival_changes_nothing(order: list[Header]) -> None:
    found, expected = study(*order), study(*_HEADERS)
    assert [(each.resource, each.match, each.url) for each in found.drafts] == [
        (each.resource, each.match, each.url) for each in expected.drafts
    ]
    assert found.issues == expected.issues


_texts = st.text(max_size=12) | st.sampled_from(["", " ", "^", "=", "20240101", "-1", "1.2.3", "99X", "\\"])
_names = st.sampled_from([*digest.STUDY, *digest.SERIES])


@given(st.dictionaries(_names.filter(lambda name: "Sequence" not in name), _texts, max_size=12))
def test_whatever_the_values_the_resources_are_valid(told: dict[str, str]) -> None:
    lists = {"NameOfPhysiciansReadingStudy", "PerformingPhysicianName", "OperatorsName"}
    values: dict[str, Any] = {}
    for name, text in told.items():
        cleaned = "".join(each for each in text if each.isprintable()).strip()
        if not cleaned or name in {"SeriesNumber", "SOPClassUID"}:
            continue
        if name in lists:
            values[name] = [{"alphabetic": cleaned}]
        elif (name.endswith("Name") and "Physician" in name) or name == "PatientName":
            values[name] = {"alphabetic": cleaned}
        elif name == "SoftwareVersions":
            values[name] = [cleaned]
        else:
            values[name] = " ".join(cleaned.split())
    base = header(PatientID=None, PatientName=None, Modality=None)
    made = Header(
        base.study_uid, base.series_uid, base.sop_uid, base.sop_class, "", {**base.values, **values}
    )
    assert_valid(imaging_study.study("1.2.3", groups([made]), SourceConfig()))


def test_a_hundred_thousand_instances_in_a_few_groups_cost_nothing() -> None:
    made = groups([instance(series, 1) for series in range(1, 60)])
    start = time.process_time()
    found = imaging_study.drafts("1.2.3", made, SourceConfig())
    assert time.process_time() - start < 0.5
    assert found[0].resource["numberOfSeries"] == 59


def test_many_devices_and_people() -> None:
    told = [
        instance(
            number,
            1,
            Manufacturer="ACME",
            ManufacturerModelName="M",
            DeviceSerialNumber=str(number % 3),
            OperatorsName=f"O{number}^X",
        )
        for number in range(1, 10)
    ]
    random.Random(1).shuffle(told)
    made = study(*told)
    assert len(of_type(made, "Device")) == 3
    assert len({draft.url for draft in made.drafts}) == len(made.drafts)


@pytest.mark.parametrize("kind", ["ImagingStudy", "Patient"])
def test_urls_are_the_same_again(kind: str) -> None:
    one, other = study(header()), study(header())
    assert [each.url for each in one.drafts if each.resource["resourceType"] == kind] == [
        each.url for each in other.drafts if each.resource["resourceType"] == kind
    ]
    assert one.drafts[0].url != study(header(StudyInstanceUID="1.9")).drafts[0].url
    assert faults({"resourceType": "Patient"}) == []
