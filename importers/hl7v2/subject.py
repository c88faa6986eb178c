"""Who and which visit a message is about, where that is not what it is mainly for: results, orders, documents.

What such a message says of the patient and of the visit fills gaps only: an analyser with an old address does not
overwrite what the registration said. docs/hl7v2.md#updates
"""

from __future__ import annotations

from dataclasses import dataclass

from importers.hl7v2 import encounter, identifiers, patient
from importers.hl7v2.allergy import allergies
from importers.hl7v2.condition import diagnoses
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.coverage import coverages
from importers.hl7v2.issue import SEQUENCE_ERROR
from importers.hl7v2.procedure import procedures
from importers.hl7v2.related_person import guarantors, next_of_kin
from resources.codec import Json


@dataclass(frozen=True, slots=True)
class Subject:
    """References to the patient and the visit; None where the message has none."""

    patient: Json | None = None
    encounter: Json | None = None
    person: Draft | None = None
    visit: Draft | None = None
    insurance: tuple[Json, ...] = ()

    def elements(self) -> Json:
        """`subject` and `encounter` of a clinical resource."""
        found = {"subject": self.patient, "encounter": self.encounter}
        return {name: reference for name, reference in found.items() if reference is not None}


def subject(conversion: Conversion, role: str = "reference", *, required: bool = True) -> Subject:
    """The Patient of the PID, the Encounter of the PV1, and what else is told about them.

    ConversionError without a PID; where it is not `required`, what is told is kept without a patient, and that is said.
    """
    message = conversion.message
    if message.first("PID") is None and not required:
        told = (
            "There is no PID segment: nobody knows whose results these are; they were kept without a patient"
        )
        conversion.issue("PID", told, SEQUENCE_ERROR)
        return Subject()
    person = patient.patient(conversion, role)
    visit = encounter.encounter(conversion, person, role)
    if visit is not None and role == "reference":
        visit.match += _numbered_by_receiver(conversion)
    if message.first("NK1"):
        next_of_kin(conversion, person)
    if message.first("GT1"):
        guarantors(conversion, person)
    if message.first("AL1") or message.first("IAM"):
        allergies(conversion, person)
    if message.first("DG1"):
        diagnoses(conversion, person, visit)
    if message.first("PR1"):
        procedures(conversion, person, visit)
    insurance: list[Json] = []
    if message.first("IN1"):
        insurance = [conversion.reference(coverage) for coverage in coverages(conversion, person)]
    reference = conversion.reference(visit) if visit is not None else None
    return Subject(conversion.reference(person), reference, person, visit, tuple(insurance))


def _numbered_by_receiver(conversion: Conversion) -> tuple[str, ...]:
    """Searches for a visit whose number names no authority: who gets the message may have given it."""
    message = conversion.message
    pv1, scope = message.first("PV1"), message.receiving_facility or message.receiving_application
    value = pv1.value(19) if pv1 is not None and pv1.raw(19) else None
    if value is None or not scope or any(identifiers.authority(value.component(4))) or not value.text(1):
        return ()
    system = identifiers.system(conversion, ("", "", ""), "VN", scope)
    return (identifiers.token({"system": system, "value": value.text(1)}),)
