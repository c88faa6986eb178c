from __future__ import annotations

from decimal import Decimal

import pytest

from importers.dicom.observation import About, decimal, quantity
from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("1.50", Decimal("1.50")),
        (" -3 ", Decimal(-3)),
        ("+.5", Decimal("0.5")),
        ("1e-3", Decimal("0.001")),
        ("NaN", None),
        ("Infinity", None),
        ("1,5", None),
        ("", None),
        (None, None),
        ("1e999", None),
        ("٣", None),
    ],
)
def test_numbers(told: str | None, expected: Decimal | None) -> None:
    assert decimal(told) == expected


@pytest.mark.parametrize(
    ("code", "scheme", "expected"),
    [
        ("mGycm", "UCUM", "mGy.cm"),
        ("dGycm2", "UCUM", "dGy.cm2"),
        ("Gym2", "UCUM", "Gy.m2"),
        ("X-ray sources", "UCUM", "{X-ray sources}"),
        ("mm", "UCM", "mm"),
        ("no units", "UCUM", "1"),
    ],
)
def test_units_are_repaired(code: str, scheme: str, expected: str) -> None:
    study = StudyConversion("1", SourceConfig())
    unit = [{"CodeValue": code, "CodingSchemeDesignator": scheme, "CodeMeaning": "told"}]
    found = quantity(study, Decimal(1), {"MeasurementUnitsCodeSequence": unit})
    assert found == {"value": 1, "unit": "told", "system": "http://unitsofmeasure.org", "code": expected}


def test_without_a_unit() -> None:
    assert quantity(StudyConversion("1", SourceConfig()), Decimal(1), {}) == {"value": 1}


def test_identifiers_are_of_instance_and_place() -> None:
    one, other = (About({"sop": sop}, {}, {}, []) for sop in ("1.2", "1.3"))
    assert one.identifier("1.") == one.identifier("1.")
    assert one.identifier("1.") != one.identifier("2.")
    assert one.identifier("1.") != other.identifier("1.")
    assert one.uid == {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}
