"""ADT messages: what happens to patients and their visits. HL7 v2.8.2 chapter 3."""

from __future__ import annotations

from collections.abc import Callable

from importers.hl7v2.allergy import allergies
from importers.hl7v2.condition import diagnoses, problems
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.coverage import coverages
from importers.hl7v2.encounter import encounter
from importers.hl7v2.obx import Panel, observations
from importers.hl7v2.order_group import Result
from importers.hl7v2.patient import patient
from importers.hl7v2.procedure import procedures
from importers.hl7v2.related_person import account, guarantors, mother, next_of_kin
from importers.hl7v2.roles import roles


def adt(conversion: Conversion) -> None:
    """One patient, his visit, and what is told about both."""
    subject = patient(conversion)
    if conversion.message.event in _ACTIVE:
        subject.resource["active"] = _ACTIVE[conversion.message.event]
    visit = encounter(conversion, subject)
    around(conversion, subject, visit)


def around(conversion: Conversion, subject: Draft, visit: Draft | None) -> None:
    """What other segments tell about the patient and the visit; a segment that is absent says nothing."""
    message = conversion.message
    if message.first("ROL") or message.first("PRT") or message.first("ARV"):
        roles(conversion, subject, visit)
    if message.first("NK1"):
        next_of_kin(conversion, subject)
    pid = message.first("PID")
    if pid is not None and pid.raw(18):
        account(conversion, pid, subject, visit)
    elif message.first("GT1"):
        guarantors(conversion, subject)
    if pid is not None and pid.raw(21):
        mother(conversion, pid, subject)
    allergies(conversion, subject)
    if message.first("DG1"):
        diagnoses(conversion, subject, visit)
    if message.first("PRB"):
        problems(conversion, subject, visit)
    if message.first("PR1"):
        procedures(conversion, subject, visit)
    if message.first("IN1"):
        coverages(conversion, subject)
    if message.first("OBX"):
        _observations(conversion, subject, visit)


def _observations(conversion: Conversion, subject: Draft, visit: Draft | None) -> None:
    """What was observed of the patient; the newest of each kind in a visit, since each message sends them all again."""
    shared = {"subject": conversion.reference(subject)}
    owner = visit if visit is not None and visit.resource.get("identifier") else subject
    if visit is not None:
        shared["encounter"] = conversion.reference(visit)
    numbers = owner.resource.get("identifier") or [{"value": conversion.content}]
    key = f"{owner.resource['resourceType']}/{numbers[0].get('system', '')}|{numbers[0]['value']}"
    results: list[Result] = []
    for segment in conversion.message.segments:
        if segment.name == "OBX":
            results.append(Result(segment))
        elif (
            segment.name == "NTE"
            and results
            and conversion.message.segments[segment.index - 1].name in _OF_RESULT
        ):
            results[-1].notes.append(segment)
    observations(conversion, results, Panel(key=key, shared=shared))


_ACTIVE = {"A28": True, "A29": False}
"""A person is added, deleted"""
_OF_RESULT = {"OBX", "NTE", "PRT"}


_ONE_VISIT = """
    A01 A02 A03 A04 A05 A06 A07 A08 A09 A10 A11 A12 A13 A14 A15 A16 A21 A22 A23 A25 A26 A27 A28 A29 A31 A32 A33
    A38 A52 A53 A54 A55 A60 A61 A62
"""
EVENTS: dict[str, Callable[[Conversion], None]] = dict.fromkeys(
    (f"ADT^{event}" for event in _ONE_VISIT.split()), adt
)
