"""What is known of one instance: plain values of the attributes of `tags`, whichever way they came.

http://hl7.org/fhir/R4/imagingstudy-mappings.html#dicom
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from importers.dicom import uids

CANNOT_UNDERSTAND = 0xC000
DOES_NOT_MATCH = 0xA900
CLASS_NOT_SUPPORTED = 0x0122
"""Statuses of PS3.4 table B.2-1 and PS3.7 annex C"""


class Issue(NamedTuple):
    """Something to tell about an attribute: its keyword (or nothing), and what is wrong, without the value."""

    keyword: str
    text: str


class NotDicom(Exception):
    """What came is no DICOM at all; the text tells why."""


class Refused(Exception):
    """A data set that is not taken. `status` is the DICOM status, the text holds no value of a patient."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Header:
    """One instance. `values`: keyword → str, int, list of them, or list of dicts for sequences; no empty ones.

    A person's name is a dict of `alphabetic`, `ideographic` and `phonetic`, each as DICOM writes it.
    """

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str
    values: Mapping[str, Any]
    issues: tuple[Issue, ...] = ()
    complete: bool = True
    """Nothing of the header is missing at its end, as far as that can be seen"""
    content: Mapping[str, Any] | None = None
    """What is kept of a report, a waveform or a document: see `content`"""


_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def header(
    values: Mapping[str, Any], issues: list[Issue], transfer_syntax: str = "", *, complete: bool = True
) -> Header:
    """The Header of values; raises Refused without the four UIDs that say what instance it is, or with bad ones."""
    sop_class = str(values.get("SOPClassUID", ""))
    if sop_class == uids.DIRECTORY:
        raise Refused(CLASS_NOT_SUPPORTED, "It is a DICOMDIR, a list of files, and no instance")
    if not uids.is_stored(sop_class):
        told = "SOPClassUID is not of a storage class: worklist items and procedure steps are no instances"
        raise Refused(CLASS_NOT_SUPPORTED, told)
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise Refused(DOES_NOT_MATCH, f"{', '.join(missing)}: required, but absent or empty")
    for name in _REQUIRED:
        if not uids.is_uid(str(values[name])):
            told = f"{name} is no UID: digits and dots, at most {uids.LONGEST} characters, were expected"
            raise Refused(CANNOT_UNDERSTAND, told)
        if uids.has_leading_zero(str(values[name])):
            issues.append(Issue(name, "a component of the UID begins with 0, which DICOM forbids"))
    return Header(
        study_uid=str(values["StudyInstanceUID"]),
        series_uid=str(values["SeriesInstanceUID"]),
        sop_uid=str(values["SOPInstanceUID"]),
        sop_class=sop_class,
        transfer_syntax=transfer_syntax,
        values=values,
        issues=tuple(issues),
        complete=complete,
    )
