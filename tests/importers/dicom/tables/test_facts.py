from __future__ import annotations

import pytest

from importers.dicom.tables import facts


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("CHEST", ("43799004", "Chest")),
        ("chest", ("43799004", "Chest")),
        ("ABDOMENPELVIS", ("818982008", "Abdomen and Pelvis")),
        ("ABDOMEN PELVIS", ("818982008", "Abdomen and Pelvis")),
        ("NOSUCH", None),
    ],
)
def test_body_parts(term: str, expected: tuple[str, str] | None) -> None:
    assert facts.body_part(term) == expected


def test_modalities() -> None:
    assert facts.modality("CT") == "Computed Tomography"
    assert facts.modality("XX") is None
    assert facts.is_acquisition("MG")
    assert not any(facts.is_acquisition(code) for code in ("SR", "KO", "PR", "SEG", "RTSTRUCT", "DOC", "OT"))


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("2", "CT"),
        ("2.1", "CT"),
        ("1", "CR"),
        ("1.1.1", "DX"),
        ("1.2", "MG"),
        ("128", "PT"),
        ("88.59", "KO"),
        ("88.67", "SR"),
        ("104.1", "DOC"),
        ("481.5", "RTPLAN"),
        ("7", "OT"),
        ("20", "NM"),
    ],
)
def test_modality_of_a_class(last: str, code: str) -> None:
    assert facts.modality_of_class(f"1.2.840.10008.5.1.4.1.1.{last}") == code


def test_snomed() -> None:
    assert facts.snomed_ct("T-28000") == "39607008"
    assert facts.snomed_ct("39607008") is None


def test_laterality() -> None:
    assert {side: code for side, (code, _) in facts.LATERALITY.items()} == {
        "R": "24028007",
        "L": "7771000",
        "B": "51440002",
        "U": "66459002",
    }
