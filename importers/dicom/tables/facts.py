"""Codes of DICOM: body parts, modalities, SNOMED's old codes. `build` made the table, see there for its origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

DCM = "http://dicom.nema.org/resources/ontology/DCM"
SNOMED = "http://snomed.info/sct"

LATERALITY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "R": ("24028007", "Right"),
        "L": ("7771000", "Left"),
        "B": ("51440002", "Bilateral"),
        "U": ("66459002", "Unilateral"),
    }
)
"""CID 244"""

_MODALITY_OF_CLASS = (
    ("1.2.840.10008.5.1.4.1.1.1.1", "DX"),
    ("1.2.840.10008.5.1.4.1.1.1.2", "MG"),
    ("1.2.840.10008.5.1.4.1.1.1.3", "IO"),
    ("1.2.840.10008.5.1.4.1.1.13.1.3", "MG"),
    ("1.2.840.10008.5.1.4.1.1.1", "CR"),
    ("1.2.840.10008.5.1.4.1.1.2", "CT"),
    ("1.2.840.10008.5.1.4.1.1.3", "US"),
    ("1.2.840.10008.5.1.4.1.1.4", "MR"),
    ("1.2.840.10008.5.1.4.1.1.6", "US"),
    ("1.2.840.10008.5.1.4.1.1.9.1", "ECG"),
    ("1.2.840.10008.5.1.4.1.1.9.2", "HD"),
    ("1.2.840.10008.5.1.4.1.1.11", "PR"),
    ("1.2.840.10008.5.1.4.1.1.12.1", "XA"),
    ("1.2.840.10008.5.1.4.1.1.12.2", "RF"),
    ("1.2.840.10008.5.1.4.1.1.20", "NM"),
    ("1.2.840.10008.5.1.4.1.1.66.4", "SEG"),
    ("1.2.840.10008.5.1.4.1.1.66.7", "SEG"),
    ("1.2.840.10008.5.1.4.1.1.67", "RWV"),
    ("1.2.840.10008.5.1.4.1.1.77.1.6", "SM"),
    ("1.2.840.10008.5.1.4.1.1.88.59", "KO"),
    ("1.2.840.10008.5.1.4.1.1.88", "SR"),
    ("1.2.840.10008.5.1.4.1.1.104", "DOC"),
    ("1.2.840.10008.5.1.4.1.1.128", "PT"),
    ("1.2.840.10008.5.1.4.1.1.130", "PT"),
    ("1.2.840.10008.5.1.4.1.1.481.1", "RTIMAGE"),
    ("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE"),
    ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"),
    ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN"),
)
"""The beginning of a SOP class → its modality, where it can be only one; the longest beginnings first"""


@cache
def _facts() -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))
    return read


def body_part(term: str) -> tuple[str, str] | None:
    """Code and display in SNOMED CT of a defined term of BodyPartExamined; spaces and case do not count."""
    found = _facts()["body_parts"].get("".join(term.upper().split()))
    return (found[0], found[1]) if found else None


def modality(code: str) -> str | None:
    """The meaning of a code of CID 33, current or retired to CID 29."""
    found: str | None = _facts()["modalities"].get(code)
    return found


def is_acquisition(code: str) -> bool:
    """Whether a modality acquires (CID 29): documents, plans and presentations do not."""
    return code in _acquisition()


@cache
def _acquisition() -> frozenset[str]:
    return frozenset(_facts()["acquisition"])


def modality_of_class(sop_class: str) -> str:
    """The modality that a SOP class implies; OT where it implies none."""
    for uid, implied in _MODALITY_OF_CLASS:
        if sop_class == uid or sop_class.startswith(f"{uid}."):
            return implied
    return "OT"


def snomed_ct(srt: str) -> str | None:
    """The code in SNOMED CT of one in SNOMED RT (`T-A0100`); None where there is none."""
    found: str | None = _facts()["snomed"].get(srt)
    return found
