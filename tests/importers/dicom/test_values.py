from __future__ import annotations

from typing import Any

import pytest

from importers.dicom import tags
from importers.dicom.header import Issue
from importers.dicom.values import name, parsed

BY_KEYWORD = {attribute.keyword: attribute for attribute in tags.ATTRIBUTES}


def value(keyword: str, text: str) -> tuple[Any, list[str]]:
    issues: list[Issue] = []
    return parsed(text, BY_KEYWORD[keyword], issues), [issue.keyword for issue in issues]


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("PatientID", " 4711 ", "4711"),
        ("PatientID", "", None),
        ("PatientID", "\\", None),
        ("StudyInstanceUID", "1.2.3\0", "1.2.3"),
        ("InstanceNumber", " 12 ", 12),
        ("InstanceNumber", "-5", -5),
        ("InstanceNumber", "+5", 5),
        ("InstanceNumber", "12.0", 12),
        ("SeriesNumber", "99999999999", 99999999999),
        ("SoftwareVersions", "VA1\\VB2", ["VA1", "VB2"]),
        ("SoftwareVersions", "VA1", ["VA1"]),
        ("OperatorsName", "A^B\\C^D", [{"alphabetic": "A^B"}, {"alphabetic": "C^D"}]),
        ("PatientName", "A^B=C^D=E^F", {"alphabetic": "A^B", "ideographic": "C^D", "phonetic": "E^F"}),
        ("PatientName", "=C^D", {"ideographic": "C^D"}),
        ("PatientName", "^^^==", None),
    ],
)
def test_values_are_plain(keyword: str, text: str, expected: object) -> None:
    assert value(keyword, text) == (expected, [])


@pytest.mark.parametrize("text", ["1A", "1.5", "1e3", "--1", "٣"])
def test_what_is_no_integer(text: str) -> None:
    assert value("InstanceNumber", text) == (None, ["InstanceNumber"])


def test_of_several_the_first() -> None:
    assert value("StudyDescription", "Thorax\\Abdomen") == ("Thorax", ["StudyDescription"])


def test_what_is_too_long_is_cut() -> None:
    found, issues = value("PatientName", "A" * 300_000)
    assert len(found["alphabetic"]) == 324
    assert issues == ["PatientName"]


def test_a_name_of_nothing_but_delimiters() -> None:
    assert name({"alphabetic": "^^"}, BY_KEYWORD["PatientName"], []) == {}
