"""The attributes that are read of a data set, and nothing else: what is not named here never leaves the file.

https://dicom.nema.org/medical/dicom/current/output/chtml/part06/chapter_6.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydicom.datadict import dictionary_VR, tag_for_keyword

_CODE = (
    "CodeValue LongCodeValue URNCodeValue CodingSchemeDesignator CodingSchemeVersion CodeMeaning".split()  # noqa: SIM905
)
_ISSUER = ["LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType"]
_PERSON = [("PersonIdentificationCodeSequence", _CODE), "InstitutionName"]

_WANTED: list[object] = [
    *"""
    SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID TimezoneOffsetFromUTC
    StudyDate StudyTime SeriesDate SeriesTime AcquisitionDate AcquisitionTime AcquisitionDateTime ContentDate
    ContentTime AccessionNumber StudyID StudyDescription SeriesDescription Modality SeriesNumber InstanceNumber
    NumberOfFrames BodyPartExamined Laterality ImageLaterality AdmissionID PerformedLocation
    InstitutionName InstitutionalDepartmentName
    ReferringPhysicianName NameOfPhysiciansReadingStudy PerformingPhysicianName OperatorsName
    Manufacturer ManufacturerModelName DeviceSerialNumber DeviceUID StationName SoftwareVersions
    PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex PatientIdentityRemoved
    ReasonForTheRequestedProcedure ContentLabel DocumentTitle MIMETypeOfEncapsulatedDocument
    CompletionFlag VerificationFlag PreliminaryFlag
    """.split(),  # noqa: SIM905  a table
    ("CodingSchemeIdentificationSequence", ["CodingSchemeDesignator", "CodingSchemeUID"]),
    ("IssuerOfAccessionNumberSequence", _ISSUER),
    ("IssuerOfAdmissionIDSequence", _ISSUER),
    ("IssuerOfPatientIDQualifiersSequence", _ISSUER),
    (
        "OtherPatientIDsSequence",
        [
            "PatientID",
            "IssuerOfPatientID",
            "TypeOfPatientID",
            ("IssuerOfPatientIDQualifiersSequence", _ISSUER),
        ],
    ),
    ("ProcedureCodeSequence", _CODE),
    ("InstitutionCodeSequence", _CODE),
    ("AnatomicRegionSequence", [*_CODE, ("AnatomicRegionModifierSequence", _CODE)]),
    ("ConceptNameCodeSequence", _CODE),
    ("ReasonForPerformedProcedureCodeSequence", _CODE),
    ("ReasonForRequestedProcedureCodeSequence", _CODE),
    ("ReferringPhysicianIdentificationSequence", _PERSON),
    ("PhysiciansReadingStudyIdentificationSequence", _PERSON),
    ("PerformingPhysicianIdentificationSequence", _PERSON),
    ("OperatorIdentificationSequence", _PERSON),
    ("UDISequence", ["UniqueDeviceIdentifier"]),
    (
        "SpecimenDescriptionSequence",
        ["SpecimenIdentifier", ("IssuerOfTheSpecimenIdentifierSequence", _ISSUER)],
    ),
    *(
        (
            name,
            [
                "AccessionNumber",
                ("IssuerOfAccessionNumberSequence", _ISSUER),
                "RequestedProcedureID",
                "PlacerOrderNumberImagingServiceRequest",
                ("OrderPlacerIdentifierSequence", _ISSUER),
                "FillerOrderNumberImagingServiceRequest",
                ("OrderFillerIdentifierSequence", _ISSUER),
                "ReasonForTheRequestedProcedure",
                ("ReasonForRequestedProcedureCodeSequence", _CODE),
            ],
        )
        for name in ("RequestAttributesSequence", "ReferencedRequestSequence")
    ),
]

LISTS = frozenset(
    {"NameOfPhysiciansReadingStudy", "PerformingPhysicianName", "OperatorsName", "SoftwareVersions"}
)
"""Attributes whose values are a list even where there is one"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A wanted attribute; `inner` are those wanted of the items of a sequence."""

    tag: int
    keyword: str
    vr: str
    inner: tuple[Attribute, ...] = ()


def _attributes(wanted: Iterable[object]) -> tuple[Attribute, ...]:
    found = []
    for each in wanted:
        keyword, inner = each if isinstance(each, tuple) else (each, ())
        tag = tag_for_keyword(str(keyword))
        if tag is None:
            raise KeyError(keyword)
        found.append(Attribute(int(tag), str(keyword), dictionary_VR(tag), _attributes(inner)))
    return tuple(sorted(found, key=lambda attribute: attribute.tag))


_UNITS = ("MeasurementUnitsCodeSequence", _CODE)
_ITEM: list[object] = [
    *("ValueType", "UID", "DateTime", "TextValue", "ObservationUID"),
    ("ConceptNameCodeSequence", _CODE),
    ("ConceptCodeSequence", _CODE),
    ("MeasuredValueSequence", ["NumericValue", _UNITS]),
    ("NumericValueQualifierCodeSequence", _CODE),
    ("ReferencedSOPSequence", ["ReferencedSOPInstanceUID"]),
]
_ANNOTATION: list[object] = [
    "NumericValue",
    ("ConceptNameCodeSequence", _CODE),
    _UNITS,
]
_WAVEFORM: list[object] = [
    *("NumberOfWaveformChannels", "NumberOfWaveformSamples", "SamplingFrequency", "WaveformBitsAllocated"),
    *("WaveformSampleInterpretation", "WaveformOriginality", "MultiplexGroupLabel"),
    (
        "ChannelDefinitionSequence",
        [
            *("ChannelSensitivity", "ChannelSensitivityCorrectionFactor", "ChannelBaseline", "ChannelLabel"),
            ("ChannelSourceSequence", _CODE),
            ("ChannelSensitivityUnitsSequence", _CODE),
        ],
    ),
]

STEP = _attributes(
    [
        *[
            "TimezoneOffsetFromUTC",
            "Modality",
            "PatientName",
            "PatientID",
            "IssuerOfPatientID",
            "PatientBirthDate",
            "PatientSex",
            "PerformedProcedureStepID",
            "PerformedStationAETitle",
            "PerformedStationName",
            "PerformedLocation",
            "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
            "PerformedProcedureStepEndDate",
            "PerformedProcedureStepEndTime",
            "PerformedProcedureStepStatus",
            "PerformedProcedureStepDescription",
        ],
        ("IssuerOfPatientIDQualifiersSequence", _ISSUER),
        ("ProcedureCodeSequence", _CODE),
        ("PerformedProcedureStepDiscontinuationReasonCodeSequence", _CODE),
        (
            "ScheduledStepAttributesSequence",
            ["StudyInstanceUID", "AccessionNumber", ("IssuerOfAccessionNumberSequence", _ISSUER)],
        ),
    ]
)
"""What is read of a modality performed procedure step. PS3.4 table F.7.2-1"""
ATTRIBUTES = _attributes(_WANTED)
"""All that is read of a data set, by tag"""
CONTENT_ITEM = _attributes(_ITEM)
"""Of an item of the content of a report: no text but that of `content.TEXTS`"""
ANNOTATION = _attributes(_ANNOTATION)
WAVEFORM = _attributes(_WAVEFORM)
CHARSET = 0x00080005
CONTENT, ANNOTATIONS, WAVEFORMS, SAMPLES = 0x0040A730, 0x0040B020, 0x54000100, 0x54001010
LAST = max(attribute.tag for attribute in ATTRIBUTES)
BY_TAG: Mapping[int, Attribute] = MappingProxyType({each.tag: each for each in ATTRIBUTES})
