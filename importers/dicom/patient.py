"""Whose study it is: Patient, found by PatientID and its issuer. DICOM is a weak source: what is known stays.

http://hl7.org/fhir/R4/patient-mappings.html, PS3.3 C.7.1.1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from importers.dicom import header, identifiers, times
from importers.dicom.names import human_names
from importers.dicom.sources import SourceConfig
from importers.dicom.study import LOCAL, TAGS, StudyConversion, first
from importers.hl7v2.conversion import Draft
from resources.codec import Json

_GENDERS = {"M": "male", "F": "female", "O": "other"}
_DEMOGRAPHICS = {
    "name": "PatientName",
    "gender": "PatientSex",
    "birthDate": "PatientBirthDate",
}
UNIDENTIFIED = f"{LOCAL}:unidentified"
"""System of the identifier of somebody who came without one: the study he is known by"""


def patient_key(values: Mapping[str, Any], config: SourceConfig) -> str:
    """System and number of the patient as a search has them (`urn:oid:1.2.3|4711`); empty where nobody is named."""
    found = identifiers.patient_identifier(config, values)
    return identifiers.token(found).removeprefix("identifier=") if found is not None else ""


def patient(study: StudyConversion, values: Mapping[str, Any]) -> Draft:
    """The Patient of a study: created if unknown. Without a number he is one of his own, for this study alone."""
    found = identifiers.patient_identifier(study.config, values)
    removed = str(values.get("PatientIdentityRemoved", "")).upper() == "YES"
    resource: Json = {"resourceType": "Patient"}
    codes = ["de-identified"] if removed else []
    if found is None:
        study.issue("PatientID", "names nobody; a Patient was made for this study alone")
        codes.append("unreconciled")
    if codes:
        resource["meta"] = {"tag": [{"system": TAGS, "code": code} for code in codes]}
    main = found or {"system": UNIDENTIFIED, "value": study.uid}
    resource["identifier"] = [main, *_others(study, values, main)]
    resource |= demographics(study, values)
    return study.add(resource, (identifiers.token(main),), role="reference", adjust=_keeping(study))


def demographics(study: StudyConversion, values: Mapping[str, Any]) -> Json:
    """Names, gender, date of birth."""
    made: Json = {}
    issues: list[header.Issue] = []
    if names := human_names(values.get("PatientName", {}), "PatientName", issues):
        made["name"] = names
    if sex := str(values.get("PatientSex", "")).upper():
        made["gender"] = _GENDERS.get(sex, "unknown")
        if sex not in _GENDERS:
            issues.append(header.Issue("PatientSex", "is none of M, F and O"))
    if told := values.get("PatientBirthDate"):
        born = times.birth_date(str(told), issues)
        if born is not None:
            made["birthDate"] = born
    study.told(issues)
    return made


def _others(study: StudyConversion, values: Mapping[str, Any], main: Json) -> list[Json]:
    """Other numbers, where their issuer is said: without one they could be anybody's."""
    found: list[Json] = []
    for item in values.get("OtherPatientIDsSequence", ()):
        qualifiers = first(item, "IssuerOfPatientIDQualifiersSequence")
        issued = identifiers.issuer(study.config, qualifiers, str(item.get("IssuerOfPatientID", "")))
        kind = str(item.get("TypeOfPatientID", "TEXT")).upper()
        if issued[0] is None or kind != "TEXT":
            continue
        made = identifiers.identifier(study.config, item.get("PatientID"), "MR", issued, "patient")
        known = [(each["system"], each["value"]) for each in (main, *found)]
        if made is not None and (made["system"], made["value"]) not in known:
            found.append(made)
    return found


def _keeping(study: StudyConversion) -> Any:
    """What is stored of a patient stays as it is; gaps are filled, differences told."""

    def adjust(stored: Json, merged: Json, told: Json, _newer: bool) -> Json:
        if not stored:
            return merged
        kept = dict(stored)
        for name, keyword in _DEMOGRAPHICS.items():
            if name not in told:
                continue
            if name not in stored:
                kept[name] = told[name]
            elif name == "name":
                if not _same_family(stored["name"], told["name"]):
                    study.issue(keyword, "differs from what is stored of the patient, which was kept")
            elif stored[name] != told[name]:
                study.issue(keyword, "differs from what is stored of the patient, which was kept")
        return kept

    return adjust


def _same_family(stored: list[Json], told: list[Json]) -> bool:
    families = {str(each.get("family", "")).casefold() for each in stored}
    return any(str(each.get("family", "")).casefold() in families for each in told)
