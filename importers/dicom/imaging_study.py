"""Instances of a study → ImagingStudy and what belongs to it. A pure function: the order of arrival changes nothing.

`instance[]` is not in it: the versioned resource stays small, instances are added where it is read.

http://hl7.org/fhir/R4/imagingstudy-mappings.html#dicom, docs/dicom.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from importers.dicom import actors, choice, codes, identifiers, orders
from importers.dicom.patient import patient
from importers.dicom.results import results
from importers.dicom.rows import Group
from importers.dicom.series import earliest, series
from importers.dicom.sources import SourceConfig
from importers.dicom.study import UIDS, StudyConversion
from importers.dicom.tables import facts
from importers.hl7v2.conversion import Draft
from resources.codec import Json

_TOGETHER = (
    ("AccessionNumber", "IssuerOfAccessionNumberSequence"),
    ("StudyDescription",),
    ("ReferringPhysicianName", "ReferringPhysicianIdentificationSequence"),
    ("ReferringPhysicianIdentificationSequence", "ReferringPhysicianName"),
    ("NameOfPhysiciansReadingStudy", "PhysiciansReadingStudyIdentificationSequence"),
    ("PhysiciansReadingStudyIdentificationSequence", "NameOfPhysiciansReadingStudy"),
    ("AdmissionID", "IssuerOfAdmissionIDSequence"),
    (
        "PatientID",
        "IssuerOfPatientID",
        "IssuerOfPatientIDQualifiersSequence",
        "PatientIdentityRemoved",
    ),
    ("PatientName",),
    ("PatientBirthDate",),
    ("PatientSex",),
    ("OtherPatientIDsSequence",),
)
"""Attributes of study and patient; those in a row are taken of the same instances"""


def study(uid: str, groups: Sequence[Group], config: SourceConfig) -> StudyConversion:
    """What becomes of the active instances of a study, at least one: its ImagingStudy is the first draft."""
    made = StudyConversion(uid, config)
    identifier = {"use": "official", "system": UIDS, "value": f"urn:oid:{uid}"}
    resource: Json = {"resourceType": "ImagingStudy", "identifier": [identifier]}
    made.add(resource, (identifiers.token(identifier),))
    _fill(made, resource, sorted(groups, key=lambda group: (group.series_uid, group.first)))
    return made


def drafts(uid: str, groups: Sequence[Group], config: SourceConfig) -> list[Draft]:
    """The drafts of `study`."""
    return study(uid, groups, config).drafts


def _fill(made: StudyConversion, resource: Json, groups: Sequence[Group]) -> None:
    made.schemes |= _schemes(groups)
    values = _values(made, groups)
    own = orders.accession(made, values)
    if own is not None:
        resource["identifier"].append(own)
    resource["status"] = "available"
    endpoint = actors.endpoint(made)
    listed = [
        series(made, uid, list(members), None)
        for uid, members in groupby(groups, key=lambda group: group.series_uid)
    ]
    resource["modality"] = _modalities(listed)
    resource["subject"] = subject = made.reference(patient(made, values))
    based_on = orders.based_on(made, groups, own)
    told = {
        "encounter": orders.encounter(made, values),
        "started": earliest(made, [group.study for group in groups], ("Study",)),
        "basedOn": based_on,
        "referrer": next(iter(_people(made, values, "ReferringPhysician")), None),
        "interpreter": _people(made, values, "PhysiciansReadingStudy"),
        "endpoint": [endpoint] if endpoint is not None else None,
        "numberOfSeries": len(listed),
        "numberOfInstances": sum(group.count for group in groups),
        "procedureCode": codes.concepts(made, _items(groups, "ProcedureCodeSequence")),
        "location": _location(groups),
        "reasonCode": orders.reasons(made, groups),
        "description": values.get("StudyDescription"),
        "series": sorted(listed, key=lambda each: (each.get("number", -1), each["uid"])),
    }
    resource |= {name: value for name, value in told.items() if value not in (None, [])}
    results(made, groups, made.reference(made.drafts[0]), subject, based_on)


def _values(made: StudyConversion, groups: Sequence[Group]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for names in _TOGETHER:
        values, disagree = choice.chosen(groups, names)
        if disagree:
            made.issue(names[0], "instances of the study disagree; what most series say was taken")
        found |= {name: value for name, value in values.items() if name not in found}
    return found


def _people(made: StudyConversion, values: Mapping[str, Any], role: str) -> list[Json]:
    name = "NameOfPhysiciansReadingStudy" if role == "PhysiciansReadingStudy" else f"{role}Name"
    return actors.practitioners(made, values.get(name), values.get(f"{role}IdentificationSequence"))


def _items(groups: Sequence[Group], keyword: str) -> list[Mapping[str, Any]]:
    return [item for items in choice.distinct(groups, keyword) for item in items]


def _schemes(groups: Sequence[Group]) -> dict[str, str]:
    """Local coding schemes by designator; where instances disagree, as the first of them says."""
    found: dict[str, str] = {}
    for items in choice.distinct(groups, "CodingSchemeIdentificationSequence", of_series=True):
        for item in items:
            if "CodingSchemeDesignator" in item and "CodingSchemeUID" in item:
                found.setdefault(str(item["CodingSchemeDesignator"]), str(item["CodingSchemeUID"]))
    return found


def _modalities(listed: Sequence[Json]) -> list[Json]:
    """Those that acquire, each once; all where none does (a study of documents)."""
    found = {each["modality"]["code"]: each["modality"] for each in listed}
    acquiring = [found[code] for code in sorted(found) if facts.is_acquisition(code)]
    return acquiring or [found[code] for code in sorted(found)]


def _location(groups: Sequence[Group]) -> Json | None:
    for keyword in ("PerformedLocation", "InstitutionalDepartmentName"):
        told, _ = choice.chosen(groups, (keyword,), of_series=True)
        if told:
            return {"type": "Location", "display": str(told[keyword])}
    return None
