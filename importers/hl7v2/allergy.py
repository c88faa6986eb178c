"""AL1 and IAM (with IAR) → AllergyIntolerance. http://hl7.org/fhir/uv/v2mappings, maps AL1[…] and IAM[…].

An allergy is found by IAM-7, else by its patient and code. A segment that is not sent deletes nothing; an action D
makes the allergy one that was entered in error.
"""

from __future__ import annotations

from functools import partial

from importers.hl7v2 import identifiers
from importers.hl7v2.actors import practitioner
from importers.hl7v2.conversion import Conversion, Draft, Same
from importers.hl7v2.datatypes import EXTENSION, codeable_concept, coded, date_time
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.keyed import concept_key, consistent, has_code, of_patient
from importers.hl7v2.override import overridable
from resources.codec import Json

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_VERIFIED = {
    "C": "confirmed",
    "S": "unconfirmed",
    "P": "unconfirmed",
    "U": "unconfirmed",
    "E": "entered-in-error",
}
"""Table 0438, allergy clinical status, as it says how certain the allergy is"""


def allergies(conversion: Conversion, patient: Draft) -> None:
    """An AllergyIntolerance for each AL1 and IAM."""
    for segment in conversion.message.all("AL1"):
        _al1(conversion, segment, patient)
    if conversion.message.first("IAM") is not None:
        _iams(conversion, patient)


@overridable("AL1")
def _al1(conversion: Conversion, al1: Segment, patient: Draft) -> None:
    resource = _common(conversion, al1, patient)
    if resource is None:
        return
    if identified := (date_time(conversion, al1.value(6)) if al1.raw(6) else None):
        resource["onsetDateTime"] = identified
    _add(conversion, resource, patient, deleted=False)


def _iams(conversion: Conversion, patient: Draft) -> None:
    """Each IAM with the IAR that follow it."""
    current: Json | None = None
    action = ""
    for segment in conversion.message.segments:
        if segment.name == "IAM":
            if current is not None:
                _add(conversion, current, patient, deleted=action == "D")
            current, action = _iam(conversion, segment, patient), segment.text(6).upper()
        elif segment.name == "IAR" and current is not None:
            _add_reaction(conversion, segment, current)
    if current is not None:
        _add(conversion, current, patient, deleted=action == "D")


@overridable("IAM")
def _iam(conversion: Conversion, iam: Segment, patient: Draft) -> Json | None:
    resource = _common(conversion, iam, patient)
    if resource is None:
        return None
    if number := (identifiers.entity(conversion, iam.value(7)) if iam.raw(7) else None):
        resource["identifier"] = [number]
    onset = date_time(conversion, iam.value(11)) if iam.raw(11) else None
    if onset:
        resource["onsetDateTime"] = onset
    elif told := iam.text(12):
        resource["onsetString"] = told
    if reported := (date_time(conversion, iam.value(13)) if iam.raw(13) else None):
        resource["recordedDate"] = reported
    if verified := _VERIFIED.get(iam.text(17).upper()):
        resource["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": verified}]}
    if recorder := (practitioner(conversion, iam.value(18)) if iam.raw(18) else None):
        resource["recorder"] = recorder
    clinician_code = codeable_concept(conversion, iam.value(27)) if iam.raw(27) else None
    if clinician_code and "coding" in clinician_code and "coding" in resource["code"]:
        resource["code"]["coding"] += clinician_code["coding"]
    return resource


def _common(conversion: Conversion, segment: Segment, patient: Draft) -> Json | None:
    code = codeable_concept(conversion, segment.value(3))
    if code is None:
        told = "The allergen is missing; the segment was left out"
        conversion.issue(f"{segment.place}-3", told, REQUIRED_FIELD_MISSING)
        return None
    resource: Json = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "code": code,
        "patient": conversion.reference(patient),
    }
    _add_kind(conversion, segment, resource)
    severity = segment.text(4)
    reactions = [{"text": text} for value in segment.values(5) if (text := value.text(2) or value.text(1))]
    if reactions:
        reaction: Json = {"manifestation": reactions}
        if known := conversion.code("0128/severity", severity):
            reaction["severity"] = known["code"]
        resource["reaction"] = [reaction]
    resource |= coded(conversion, "criticality", "0128", severity)
    return resource


def _add_kind(conversion: Conversion, segment: Segment, resource: Json) -> None:
    kind = segment.text(2)
    if known := conversion.code("0127", kind):
        resource["type"] = known["code"]
    if category := conversion.code("0127/category", kind):
        resource["category"] = [category["code"]]
    elif kind and (concept := codeable_concept(conversion, segment.value(2), "0127")):
        kept = {"url": f"{EXTENSION}alternate-codes", "valueCodeableConcept": concept}
        resource["extension"] = [kept]


def _add_reaction(conversion: Conversion, iar: Segment, resource: Json) -> None:
    manifestation = codeable_concept(conversion, iar.value(1))
    if manifestation is None:
        return
    reaction: Json = {"manifestation": [manifestation]}
    if known := conversion.code("0128/severity", iar.text(2)):
        reaction["severity"] = known["code"]
    if managed := iar.text(4):
        reaction["note"] = [{"text": managed}]
    resource.setdefault("reaction", []).append(reaction)


def _add(conversion: Conversion, resource: Json, patient: Draft, *, deleted: bool) -> None:
    clear: tuple[str, ...] = ()
    wrong = resource.get("verificationStatus", {}).get("coding", [{}])[0].get("code") == "entered-in-error"
    if deleted or wrong:
        resource["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "entered-in-error"}]}
        del resource["clinicalStatus"]
        clear = ("clinicalStatus",)
    match, same = _found_by(resource, patient)
    conversion.add(resource, match=match, clear=clear, same=same).adjust = consistent


def _found_by(resource: Json, patient: Draft) -> tuple[tuple[str, ...], Same]:
    by_code = of_patient(patient, concept=resource["code"])
    numbers = tuple(identifiers.token(each) for each in resource.get("identifier", ()))
    same = partial(_same, concept_key(resource["code"]), resource.get("identifier", []))
    return (*numbers, by_code), same


def _same(key: object, numbers: list[Json], stored: Json) -> bool:
    values = {each["value"] for each in numbers}
    if any(each.get("value") in values for each in stored.get("identifier", ())):
        return True
    return has_code(key, stored)
