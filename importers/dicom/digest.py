"""Which values are of the study, of the series, of the instance; and digests, by which equal ones are known.

Digests are of the values, not of the bytes: an instance that was compressed on its way is still the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from importers.dicom.header import Header

_encoder = msgspec.json.Encoder(order="deterministic")

STUDY = (
    *(
        "StudyDate",
        "StudyTime",
        "TimezoneOffsetFromUTC",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
    ),
    *("StudyDescription", "StudyID", "ProcedureCodeSequence", "ReferringPhysicianName"),
    *("ReferringPhysicianIdentificationSequence", "NameOfPhysiciansReadingStudy"),
    *("PhysiciansReadingStudyIdentificationSequence", "AdmissionID", "IssuerOfAdmissionIDSequence"),
    *("PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    *("OtherPatientIDsSequence", "PatientBirthDate", "PatientSex", "PatientIdentityRemoved"),
)
"""Keywords of patient and study, one value for all instances unless something is wrong"""
SERIES = (
    *("SeriesDate", "SeriesTime", "AcquisitionDate", "SeriesDescription", "Modality", "SeriesNumber"),
    *("TimezoneOffsetFromUTC", "BodyPartExamined", "AnatomicRegionSequence", "Laterality", "ImageLaterality"),
    *("PerformingPhysicianName", "PerformingPhysicianIdentificationSequence", "OperatorsName"),
    *("OperatorIdentificationSequence", "InstitutionName", "InstitutionCodeSequence"),
    *("InstitutionalDepartmentName", "PerformedLocation", "Manufacturer", "ManufacturerModelName"),
    *("DeviceSerialNumber", "DeviceUID", "StationName", "SoftwareVersions", "UDISequence"),
    *("RequestAttributesSequence", "ReferencedRequestSequence", "ReasonForTheRequestedProcedure"),
    *("ReasonForRequestedProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence"),
    *("SpecimenDescriptionSequence", "CodingSchemeIdentificationSequence"),
)
"""Keywords of series, equipment and request"""


CONTENT = "Content"
"""Among the values of the series, what is kept of the content of the instance; no keyword of DICOM"""


def study_values(header: Header) -> dict[str, Any]:
    """What an instance says of its study and patient."""
    return {name: header.values[name] for name in STUDY if name in header.values}


def series_values(header: Header) -> dict[str, Any]:
    """What an instance says of its series; the day of acquisition only where there is no SeriesDate.

    Of the time of acquisition, which each instance has its own, nothing: instances would have nothing in common.
    """
    found = {name: header.values[name] for name in SERIES if name in header.values}
    if "SeriesDate" in found:
        found.pop("AcquisitionDate", None)
    elif "AcquisitionDate" not in found and "AcquisitionDateTime" in header.values:
        found["AcquisitionDate"] = str(header.values["AcquisitionDateTime"])[:8]
    if header.content is not None:
        found[CONTENT] = header.content
    return found


def digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of values, whatever their order."""
    return hashlib.sha256(_encoder.encode(values)).hexdigest()
