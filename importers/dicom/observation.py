"""What all Observations have in common that are made of an instance: whose, of which study, since when, how certain.

http://hl7.org/fhir/R4/observation.html; docs/dicom.md#content
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from importers.dicom import codes, header, identifiers, times
from importers.dicom.study import UIDS, StudyConversion
from importers.dicom.tables import facts
from importers.hl7v2.conversion import Draft
from resources.codec import Json

INSTANCE = "urn:fhir-server:dicom:instance"
"""Extension: the SOP Instance UID of what an Observation was made of, or is about, as urn:oid"""
UCUM = "http://unitsofmeasure.org"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_NAMESPACE = uuid.UUID("b1a6a2c4-7d55-4a43-9f0e-5c9b8f2f7d10")
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
_REPAIRED = {
    "mGycm": "mGy.cm",
    "dGycm2": "dGy.cm2",
    "Gym2": "Gy.m2",
    "mGym2": "mGy.m2",
    "X-ray sources": "{X-ray sources}",
    "no units": "1",
}
"""Units as machines write them → UCUM"""
_REASONS = {"114000": "not-a-number", "114001": "negative-infinity", "114002": "positive-infinity"}


@dataclass(frozen=True, slots=True)
class About:
    """The instance, and the drafts of its study and patient as References."""

    content: Mapping[str, Any]
    study: Json
    subject: Json
    based_on: list[Json]

    @property
    def sop_uid(self) -> str:
        return str(self.content["sop"])

    def identifier(self, path: str) -> Json:
        """Of what was made of a part of the instance: the same whenever it is read again."""
        made = uuid.uuid5(_NAMESPACE, f"{self.sop_uid} {path}")
        return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{made}"}

    @property
    def uid(self) -> Json:
        """The identifier of the instance itself."""
        return {"system": UIDS, "value": f"urn:oid:{self.sop_uid}"}


def observation(study: StudyConversion, about: About, identifier: Json, code: Json) -> Json:
    """An Observation without a value."""
    made: Json = {
        "resourceType": "Observation",
        "extension": [{"url": INSTANCE, "valueUri": f"urn:oid:{about.sop_uid}"}],
        "identifier": [identifier],
    }
    if about.based_on:
        made["basedOn"] = about.based_on
    made |= {
        "partOf": [about.study],
        "status": status(about.content),
        "category": [{"coding": [{"system": _CATEGORIES, "code": "imaging", "display": "Imaging"}]}],
        "code": code,
        "subject": about.subject,
    }
    issues: list[header.Issue] = []
    if effective := times.date_time(about.content, "Content", study.config.zone, issues):
        made["effectiveDateTime"] = effective
    study.told(issues)
    made["derivedFrom"] = [about.study]
    return made


def add(study: StudyConversion, resource: Json) -> Draft:
    """The draft of an Observation or document, found by its identifiers, whoever it belonged to until now."""
    draft = study.add(resource, tuple(identifiers.token(each) for each in resource["identifier"]))
    draft.moves = True
    return draft


def status(content: Mapping[str, Any]) -> str:
    """Final where somebody has said so (PS3.3 C.17.2), else preliminary."""
    preliminary = str(content.get("PreliminaryFlag", ""))
    if preliminary == "PRELIMINARY":
        return "preliminary"
    verified = content.get("VerificationFlag") == "VERIFIED" and content.get("CompletionFlag") == "COMPLETE"
    return "final" if preliminary == "FINAL" or verified else "preliminary"


def name_of(study: StudyConversion, item: Mapping[str, Any]) -> tuple[str, str]:
    """System and code of the concept name of a content item; empty without one."""
    found = codes.coding(study, (item.get("ConceptNameCodeSequence") or [{}])[0])
    return (found["system"], found["code"]) if found is not None else ("", "")


def concept_of(study: StudyConversion, item: Mapping[str, Any], name: str) -> Json | None:
    """The CodeableConcept of a code sequence of an item."""
    told = item.get(name)
    return codes.concept(study, told[0]) if told else None


def value(study: StudyConversion, item: Mapping[str, Any]) -> Json:
    """`valueQuantity` of a NUM item, or why there is none."""
    measured = (item.get("MeasuredValueSequence") or [{}])[0]
    number = decimal(measured.get("NumericValue"))
    if number is not None:
        return {"valueQuantity": quantity(study, number, measured)}
    qualifier = (item.get("NumericValueQualifierCodeSequence") or [{}])[0].get("CodeValue", "")
    reason = _REASONS.get(qualifier, "unknown")
    return {"dataAbsentReason": {"coding": [{"system": _ABSENT, "code": reason}]}}


def quantity(study: StudyConversion, number: Decimal, item: Mapping[str, Any]) -> Json:
    """A Quantity with the unit of MeasurementUnitsCodeSequence, in UCUM where it is."""
    made: Json = {"value": number}
    told = (item.get("MeasurementUnitsCodeSequence") or [{}])[0]
    unit = codes.coding(study, told)
    if unit is None:
        return made
    if (repaired := _REPAIRED.get(unit["code"])) is not None:
        unit = {**unit, "system": UCUM, "code": repaired}
    made["unit"] = unit.get("display", unit["code"])
    if unit["system"] != UCUM or " " not in unit["code"] or unit["code"].startswith("{"):
        made |= {"system": unit["system"], "code": unit["code"]}
    return made


def decimal(text: object) -> Decimal | None:
    """A DS exactly as it was written; None if it is no number."""
    told = str(text).strip() if text is not None else ""
    return Decimal(told) if _DECIMAL.fullmatch(told) is not None else None


def dcm(code: str, display: str) -> Json:
    """A CodeableConcept of a code of DICOM."""
    return {"coding": [{"system": facts.DCM, "code": code, "display": display}]}
