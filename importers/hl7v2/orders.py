"""Orders: ORM^O01, OML^O21, O33 and O35, OMG^O19, OMI^O23, OMS and OMN → ServiceRequest, with what is asked and observed at entry.

http://hl7.org/fhir/uv/v2mappings, message maps ORM_O01 and OML_O21; HL7 v2.8.2 chapter 4; docs/hl7v2.md#orders
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from importers.hl7v2 import medication_order, service_request
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.documents import observed
from importers.hl7v2.er7 import Segment
from importers.hl7v2.identifiers import TYPES
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.obx import Panel
from importers.hl7v2.order_group import OrderGroup, SpecimenGroup, by_patient, orders
from importers.hl7v2.specimen import specimen, specimen_of_order
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json


def order_message(conversion: Conversion) -> None:
    """What a message orders, changes or cancels, for each of its patients."""
    for part in by_patient(conversion):
        add(part, subject(part))


def add(conversion: Conversion, about: Subject) -> list[Draft]:
    """The orders of a message, of services and of medication."""
    found = orders(conversion.message)
    medications: list[OrderGroup] = []
    services: list[OrderGroup] = []
    for group in found.groups:
        (medications if medication_order.is_medication(conversion, group) else services).append(group)
    placers = Counter(_placer(conversion, group) for group in services)
    drafts = [
        draft
        for group in services
        if (draft := _service(conversion, group, about, alone=placers[_placer(conversion, group)] == 1))
        is not None
    ]
    drafts += medication_order.add(conversion, medications, about)
    if found.results:
        common = Panel(f"{conversion.facility}//{conversion.content}", about.elements())
        observed(conversion, found.results, common)
    return drafts


def _placer(conversion: Conversion, group: OrderGroup) -> str:
    known = service_request.numbers(conversion, group)
    return str(known.placer_first["value"]) if known.placer_first is not None else ""


def _service(conversion: Conversion, group: OrderGroup, about: Subject, *, alone: bool) -> Draft | None:
    draft = service_request.order(conversion, group, about, alone=alone)
    if draft is None:
        segment = group.obr or group.orc
        if segment is not None:
            told = "The order has no number and names no service; it was not mapped, but what is observed was"
            conversion.issue(segment.place, told, REQUIRED_FIELD_MISSING)
        _asked(conversion, group, f"{conversion.facility}//{conversion.content}", about)
        return None
    numbers = draft.resource.get("identifier")
    key = str(numbers[-1]["value"]) if numbers else conversion.content
    if samples := _specimens(conversion, group, key, about):
        draft.resource["specimen"] = samples
    if asked := _asked(conversion, group, key, about):
        draft.resource["supportingInfo"] = asked
    imaging = [number for segment in group.others if segment.name == "IPC" for number in _of_imaging(segment)]
    if imaging:
        draft.resource["identifier"] = [*draft.resource.get("identifier", ()), *imaging]
    return draft


def _specimens(conversion: Conversion, group: OrderGroup, key: str, about: Subject) -> list[Json]:
    found = [_specimen(conversion, each, key, about) for each in group.specimens]
    if not found and group.obr is not None and (group.obr.raw(15) or group.obr.raw(9)):
        described = specimen_of_order(conversion, group.obr, key, about.patient)
        found = [described] if described is not None else []
    return list({draft.url: conversion.reference(draft) for draft in found}.values())


def _specimen(conversion: Conversion, group: SpecimenGroup, key: str, about: Subject) -> Draft:
    draft = specimen(conversion, group.spm, group.notes, key, about.patient)
    if group.results:
        shared = {**about.elements(), "specimen": conversion.reference(draft)}
        observed(conversion, group.results, Panel(f"{key}/{group.spm.text(1)}", shared))
    return draft


def _asked(conversion: Conversion, group: OrderGroup, key: str, about: Subject) -> list[Json]:
    """Answers to questions at order entry, and documents sent along."""
    common = Panel(key, about.elements())
    return [conversion.reference(each) for each in observed(conversion, group.results, common)]


def _of_imaging(ipc: Segment) -> Iterable[Json]:
    """Accession number and Study Instance UID of an IPC."""
    if accession := ipc.text(1):
        kind = {"coding": [{"system": TYPES, "code": "ACSN", "display": "Accession ID"}]}
        yield {"type": kind, "value": accession}
    if study := ipc.text(3):
        yield {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}


_MESSAGES = (
    "ORM^O01",
    "OML^O21",
    "OML^O33",
    "OML^O35",
    "OML^O39",
    "OMG^O19",
    "OMI^O23",
    "OMS^O05",
    "OMN^O07",
)

EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    dict.fromkeys(("ORM", "OML", *_MESSAGES), order_message)
)
