from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from importers.dicom.dataset import read
from importers.dicom.sources import SourceConfig
from tests.importers.dicom.making import corpus, of_type, study
from tests.importers.dicom.reports import code, coded, container, num, observations, report, text, uid

MM = code("mm", "UCUM", "millimeter")
LUNG = code("T-28000", "SRT", "Lung")


def group(*items: Any, **more: Any) -> Any:
    return container(code("126010"), container(code("125007"), *items, **more))


SITE = coded(
    code("G-C0E3", "SRT", "Finding Site"),
    LUNG,
    coded(code("G-C171", "SRT", "Laterality"), code("G-A101", "SRT", "Left")),
)


def test_a_measurement() -> None:
    found = observations(
        report(
            group(
                text(code("112039"), "Lesion 1"),
                uid(code("112040"), "1.2.9"),
                coded(code("121071"), code("M-03010", "SRT", "Nodule")),
                SITE,
                num(code("G-A22A", "SRT", "Length"), "12.50", MM),
                num(
                    code("112031"), "-3", code("[hnsf'U]", "UCUM"), coded(code("370129005", "SCT"), code("1"))
                ),
                ObservationUID="1.2.8",
            ),
            ContentDate="20240102",
        )
    )
    length, attenuation, whole = found
    assert length["code"]["text"] == "Length"
    assert length["valueQuantity"] == {
        "value": Decimal("12.50"),
        "unit": "millimeter",
        "system": "http://unitsofmeasure.org",
        "code": "mm",
    }
    assert str(length["valueQuantity"]["value"]) == "12.50"
    assert [each["code"] for each in length["bodySite"]["coding"]] == ["39607008", "7771000"]
    assert length["effectiveDateTime"] == "2024-01-02"
    assert length["status"] == "preliminary"
    assert length["partOf"] == length["derivedFrom"]
    assert attenuation["method"]["text"] == "1"
    assert "method" not in length
    assert whole["valueCodeableConcept"]["text"] == "Nodule"
    assert whole["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.8"}]
    assert len(whole["hasMember"]) == 2
    tracking = [each["valueIdentifier"]["value"] for each in length["extension"] if "valueIdentifier" in each]
    assert tracking == ["Lesion 1", "urn:oid:1.2.9"]


def test_groups_are_found_wherever_they_are() -> None:
    deep = container(code("1"), container(code("2"), container(code("3"), group(num(code("4"), "1", MM)))))
    assert len(observations(report(deep))) == 2


def test_what_stands_in_no_group_is_no_measurement() -> None:
    assert observations(report(num(code("1"), "1", MM))) == []


@pytest.mark.parametrize("value", ["NaN", "", None])
def test_without_a_number_there_is_a_reason(value: str | None) -> None:
    made = num(code("1"), value, MM)
    found = observations(report(group(made)))[0]
    assert "valueQuantity" not in found
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_why_there_is_no_number() -> None:
    made = num(code("1"), None, MM)
    made.NumericValueQualifierCodeSequence = code("114000")
    found = observations(report(group(made)))[0]
    assert found["dataAbsentReason"]["coding"][0]["code"] == "not-a-number"


def test_codes_are_results_too() -> None:
    found = observations(
        report(group(coded(code("R-00339", "SRT", "Shape"), code("G-A437", "SRT", "Round"))))
    )
    assert found[0]["valueCodeableConcept"]["text"] == "Round"


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "preliminary"),
        ({"PreliminaryFlag": "FINAL"}, "final"),
        (
            {"PreliminaryFlag": "PRELIMINARY", "VerificationFlag": "VERIFIED", "CompletionFlag": "COMPLETE"},
            "preliminary",
        ),
        ({"VerificationFlag": "VERIFIED", "CompletionFlag": "COMPLETE"}, "final"),
        ({"VerificationFlag": "VERIFIED", "CompletionFlag": "PARTIAL"}, "preliminary"),
    ],
)
def test_status(flags: dict[str, str], status: str) -> None:
    assert observations(report(group(num(code("1"), "1", MM)), **flags))[0]["status"] == status


def test_read_again_it_is_the_same() -> None:
    made = report(group(num(code("1"), "1", MM), num(code("1"), "2", MM)))
    one, other = observations(made), observations(made)
    assert one == other
    assert len({each["identifier"][0]["value"] for each in one}) == 3


def test_it_can_be_switched_off() -> None:
    made = report(group(num(code("1"), "1", MM)))
    assert of_type(study(made, config=SourceConfig(results=False)), "Observation") == []


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("highdicom_sr_document", 2),
        ("dcmqi_sr-example__sr", 23),
        ("dwv_annotation__tid1500-0__sr-ellipse", 24),
        ("test-SR", 0),
        ("reportsi", 0),
        ("openrem_ESR_non-dose", 0),
    ],
)
def test_reports_of_others(name: str, count: int) -> None:
    with corpus(f"files/{name}.dcm").open("rb") as stream:
        assert len(observations(read(stream))) == count
