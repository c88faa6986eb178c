"""ROL, PRT and ARV → who cares for the patient or takes part in the visit, and who may see them, by where they stand.

http://hl7.org/fhir/uv/v2mappings, maps ROL[Patient-GeneralPractitioner] and ROL[Encounter-PractitionerRole].
"""

from __future__ import annotations

from importers.hl7v2.actors import organization, practitioner
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.datatypes import codeable_concept, period
from importers.hl7v2.er7 import Segment
from resources.codec import Json
from resources.datatypes import period_interval

RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}

_FIELDS = {"ROL": (2, 3, 4, 14, 5, 6), "PRT": (2, 4, 5, 8, 11, 12)}
"""Segment → fields of action, role, person, organization, begin and end"""
_PRIMARY_CARE = {"PP", "PRI"}
_GONE = {"DE", "D", "DELETE"}
_AFTER_VISIT = {"PV1", "PV2"}
_AFTER_PATIENT = {"PID", "PD1"}
_TRANSPARENT = {"ARV", "ROL", "PRT", "NTE", "OH1", "OH2", "OH3", "OH4"}


def roles(conversion: Conversion, patient: Draft, encounter: Draft | None) -> None:
    """Adds those who care for the patient, or take part in the visit, to their resources, and labels of access."""
    before = ""
    for segment in conversion.message.segments:
        if segment.name not in _TRANSPARENT:
            before = segment.name
        if segment.name == "ARV":
            _restrict(segment, patient if before in _AFTER_PATIENT else encounter)
        fields = _FIELDS.get(segment.name)
        if fields is None or segment.text(fields[0]).upper() in _GONE:
            continue
        if before in _AFTER_PATIENT:
            _general_practitioner(conversion, segment, fields, patient)
        elif before in _AFTER_VISIT and encounter is not None:
            _participant(conversion, segment, fields, encounter)


def _restrict(arv: Segment, owner: Draft | None) -> None:
    """ARV-2 tells that access to what stands before it is restricted (A, U), or no longer (D, X)."""
    if owner is not None and arv.text(2).upper() in {"A", "U"}:
        owner.resource["meta"] = {"security": [RESTRICTED]}


def _general_practitioner(
    conversion: Conversion, segment: Segment, fields: tuple[int, ...], patient: Draft
) -> None:
    _, role, person, employer, _, _ = fields
    if segment.text(role).upper() not in _PRIMARY_CARE:
        return
    who = practitioner(conversion, segment.value(person)) or organization(conversion, segment.value(employer))
    if who is None:
        return
    key = ("generalPractitioner", who.get("reference"), who.get("display"))
    if key not in conversion.named:
        conversion.named[key] = patient
        known = patient.resource.setdefault("generalPractitioner", [])
        if who not in known[:10]:  # of PD1-4
            known.append(who)


def _participant(conversion: Conversion, segment: Segment, fields: tuple[int, ...], encounter: Draft) -> None:
    _, role, person, _, begin, end = fields
    kind = codeable_concept(conversion, segment.value(role), "0443")
    for value in segment.values(person):
        who = practitioner(conversion, value)
        if who is None:
            continue
        part: Json = {"individual": who}
        if kind is not None:
            part = {"type": [kind], **part}
        since = period(conversion, segment.value(begin), segment.value(end))
        if since and period_interval(since):
            part["period"] = since
        encounter.resource.setdefault("participant", []).append(part)
