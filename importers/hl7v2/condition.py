"""DG1 and PRB → Condition, and the diagnoses of a visit. http://hl7.org/fhir/uv/v2mappings, maps DG1[…], PRB[…].

A diagnosis is found by DG1-20, else by its patient, visit and code; a problem by PRB-4, else by patient and code.
"""

from __future__ import annotations

from functools import partial

from importers.hl7v2 import identifiers
from importers.hl7v2.actors import practitioner
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.datatypes import codeable_concept, date_time
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.keyed import concept_key, consistent, has_code, of_patient
from importers.hl7v2.override import overridable
from resources.codec import Json

_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_USES = {
    "A": ("AD", "Admission diagnosis"),
    "F": ("DD", "Discharge diagnosis"),
    "D": ("DD", "Discharge diagnosis"),
}
"""Table 0052 → http://terminology.hl7.org/CodeSystem/diagnosis-role"""
_ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"


def diagnoses(conversion: Conversion, patient: Draft, encounter: Draft | None) -> None:
    """A Condition for each DG1, which the visit lists."""
    listed = []
    for segment in conversion.message.all("DG1"):
        draft = _diagnosis(conversion, segment, patient, encounter)
        if draft is not None and encounter is not None and segment.text(21).upper() != "D":
            listed.append(_listed(conversion, segment, draft))
    if listed and encounter is not None:
        encounter.resource["diagnosis"] = listed


@overridable("DG1")
def _diagnosis(conversion: Conversion, dg1: Segment, patient: Draft, encounter: Draft | None) -> Draft | None:
    code = _code(conversion, dg1)
    if code is None:
        told = "The diagnosis is missing; the segment was left out"
        conversion.issue(f"{dg1.place}-3", told, REQUIRED_FIELD_MISSING)
        return None
    resource = _condition(conversion, "encounter-diagnosis", code, patient)
    if encounter is not None:
        resource["encounter"] = conversion.reference(encounter)
    numbers = _numbered(conversion, dg1, 20, resource)
    if onset := (date_time(conversion, dg1.value(5)) if dg1.raw(5) else None):
        resource["onsetDateTime"] = onset
    if recorded := (date_time(conversion, dg1.value(19)) if dg1.raw(19) else None):
        resource["recordedDate"] = recorded
    if asserter := (practitioner(conversion, dg1.value(16)) if dg1.raw(16) else None):
        resource["asserter"] = asserter
    if dg1.text(21).upper() == "D":
        resource["verificationStatus"] = _concept(_VERIFICATION, "entered-in-error")
    elif dg1.text(6).upper() == "W":
        resource["verificationStatus"] = _concept(_VERIFICATION, "provisional")
    match = (*numbers, of_patient(patient, encounter, code))
    same = partial(_same, concept_key(code), resource.get("identifier", []))
    draft = conversion.add(resource, match=match, same=same)
    draft.adjust = consistent
    return draft


def _code(conversion: Conversion, dg1: Segment) -> Json | None:
    """DG1-3, of the coding system in DG1-2 where it names none; DG1-4 is its text."""
    value, method, text = dg1.value(3), dg1.text(2), dg1.text(4)
    code = codeable_concept(conversion, value)
    if code is None:
        return {"text": text} if text else None
    if method and not value.text(3) and "coding" in code:
        code["coding"][0]["system"] = conversion.coding_system(method)
    if text:
        code["text"] = text
    return code


def _listed(conversion: Conversion, dg1: Segment, condition: Draft) -> Json:
    listed: Json = {"condition": conversion.reference(condition)}
    kind = dg1.text(6).upper()
    if kind in _USES:
        code, display = _USES[kind]
        listed["use"] = {"coding": [{"system": _ROLE, "code": code, "display": display}]}
    elif kind and (use := codeable_concept(conversion, dg1.value(6), "0052")):
        listed["use"] = use
    rank = dg1.text(15)
    if rank.isdigit() and 0 < int(rank) < 1000:
        listed["rank"] = int(rank)
    return listed


def problems(conversion: Conversion, patient: Draft, encounter: Draft | None) -> list[Draft]:
    """A Condition of the problem list for each PRB."""
    found = [_problem(conversion, prb, patient, encounter) for prb in conversion.message.all("PRB")]
    return [each for each in found if each is not None]


@overridable("PRB")
def _problem(conversion: Conversion, prb: Segment, patient: Draft, encounter: Draft | None) -> Draft | None:
    code = codeable_concept(conversion, prb.value(3))
    if code is None:
        told = "The problem is missing; the segment was left out"
        conversion.issue(f"{prb.place}-3", told, REQUIRED_FIELD_MISSING)
        return None
    resource = _condition(conversion, "problem-list-item", code, patient)
    if encounter is not None:
        resource["encounter"] = conversion.reference(encounter)
    numbers = _numbered(conversion, prb, 4, resource)
    dates = {
        "onsetDateTime": date_time(conversion, prb.value(16)) if prb.raw(16) else None,
        "abatementDateTime": date_time(conversion, prb.value(9)) if prb.raw(9) else None,
        "recordedDate": date_time(conversion, prb.value(7)) if prb.raw(7) else None,
    }
    resource |= {name: value for name, value in dates.items() if value}
    clear: tuple[str, ...] = ()
    if prb.text(1).upper() in {"DE", "D"}:
        resource["verificationStatus"] = _concept(_VERIFICATION, "entered-in-error")
        clear = ("clinicalStatus",)
    else:
        status = "resolved" if dates["abatementDateTime"] else "active"
        resource["clinicalStatus"] = _concept(_CLINICAL, status)
    match = (*numbers, of_patient(patient, concept=code))
    same = partial(_same, concept_key(code), resource.get("identifier", []))
    draft = conversion.add(resource, match=match, clear=clear, same=same)
    draft.adjust = consistent
    return draft


def _condition(conversion: Conversion, category: str, code: Json, patient: Draft) -> Json:
    return {
        "resourceType": "Condition",
        "category": [_concept(_CATEGORY, category)],
        "code": code,
        "subject": conversion.reference(patient),
    }


def _numbered(conversion: Conversion, segment: Segment, field: int, resource: Json) -> tuple[str, ...]:
    number = identifiers.entity(conversion, segment.value(field)) if segment.raw(field) else None
    if number is None:
        return ()
    resource["identifier"] = [number]
    return (identifiers.token(number),)


def _same(key: object, numbers: list[Json], stored: Json) -> bool:
    values = {each["value"] for each in numbers}
    if any(each.get("value") in values for each in stored.get("identifier", ())):
        return True
    return has_code(key, stored)


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}
