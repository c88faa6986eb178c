from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from importers.dicom.answers import CANNOT_UNDERSTAND, OTHER_STUDY, REQUIRED_MISSING, Answer
from importers.dicom.header import Header
from importers.dicom.intake import Part, enough, opened
from tests.importers.dicom.dimse.sending import CT, ROOT, image

SYNTAX = str(ExplicitVRLittleEndian)


def part(dataset: Dataset, **told: str) -> Part:
    file = BytesIO()
    dataset.save_as(file, implicit_vr=False, little_endian=True)
    spool = enough(SYNTAX)
    raw = file.getvalue()
    for start in range(0, len(raw), 16_384):
        spool.write(raw[start : start + 16_384])
    return Part(spool, SYNTAX, **told)


def test_pixels_are_not_kept() -> None:
    large = part(image(1, pixels=5_000_000))
    assert not isinstance(large.body, dict)
    assert large.body.size > 5_000_000
    assert large.body.kept < 300_000
    assert isinstance(opened(large), Header)


def test_a_report_is_kept_whole() -> None:
    items = []
    for number in range(4000):
        item = Dataset()
        item.ValueType, item.RelationshipType = "TEXT", "CONTAINS"
        item.TextValue = f"Finding {number} " + "x" * 60
        items.append(item)
    report = image(1, pixels=0, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", ContentSequence=items)
    del report[0x7FE00010]
    made = part(report)
    assert not isinstance(made.body, dict)
    assert len(made.body.opened().read()) == made.body.size > 300_000
    header = opened(made)
    assert isinstance(header, Header)


def test_a_header_that_goes_on_is_read_to_its_end() -> None:
    dataset = image(1, pixels=64)
    dataset.add_new(0x00091001, "OB", b"\0" * 1_000_000)
    header = opened(part(dataset))
    assert isinstance(header, Header)
    assert header.study_uid == f"{ROOT}.1"


def test_what_is_no_dicom_is_not_kept_either() -> None:
    spool = enough()
    for _ in range(100):
        spool.write(b"x" * 10_000)
    assert spool.kept < 300_000
    found = opened(Part(spool))
    assert isinstance(found, Answer)
    assert (found.failure, found.sop_uid) == (CANNOT_UNDERSTAND, "")


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_what_lacks_a_uid_is_still_named(name: str) -> None:
    told: dict[str, Any] = {name: None}
    found = opened(part(image(7, **told)))
    assert isinstance(found, Answer)
    assert (found.sop_class, found.sop_uid, found.failure) == (CT, f"{ROOT}.1.1.7", REQUIRED_MISSING)


def test_a_study_that_was_not_asked_for() -> None:
    found = opened(part(image(1)), "1.2.3")
    assert isinstance(found, Answer)
    assert found.failure == OTHER_STUDY


def test_what_the_command_says_has_to_be_so() -> None:
    found = opened(part(image(1), sop_class=CT, sop_uid="1.2.3"))
    assert isinstance(found, Answer)
    assert (found.failure, found.sop_uid) == (REQUIRED_MISSING, "1.2.3")


def test_json_of_any_kind_is_answered() -> None:
    for body in ({}, {"00080018": 1}, {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}):
        found = opened(Part(body))
        assert isinstance(found, Answer)
        assert found.failure == REQUIRED_MISSING
    assert found.sop_uid == "1.2.3"
