from __future__ import annotations

from importers.dicom import digest
from tests.importers.dicom.making import header


def test_order_does_not_matter_and_content_does() -> None:
    assert digest.digest({"a": 1, "b": [{"c": "x", "d": "y"}]}) == digest.digest(
        {"b": [{"d": "y", "c": "x"}], "a": 1}
    )
    assert digest.digest({"a": 1}) != digest.digest({"a": "1"})
    assert len(digest.digest({})) == 64


def test_what_is_of_the_study_and_what_of_the_series() -> None:
    found = header(StudyDescription="S", SeriesDescription="R", InstanceNumber=1, AcquisitionDate="20240101")
    study, series = digest.study_values(found), digest.series_values(found)
    assert study["StudyDescription"] == "S"
    assert study["PatientID"] == "4711"
    assert series["SeriesDescription"] == "R"
    assert series["AcquisitionDate"] == "20240101"
    assert "InstanceNumber" not in study | series
    dated = header(SeriesDate="20240101", AcquisitionDate="20240102")
    assert "AcquisitionDate" not in digest.series_values(dated)
    moment = header(AcquisitionDateTime="20240103101500.123")
    assert digest.series_values(moment)["AcquisitionDate"] == "20240103"
