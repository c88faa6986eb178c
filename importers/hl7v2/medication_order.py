"""RXO, RXE and RXG → MedicationRequest. http://hl7.org/fhir/uv/v2mappings, map RXO[MedicationRequest].

What was ordered (RXO) and what the pharmacy made of it (RXE) are one request; the latter is more exact. A request is
known by the number of its placer, else of its filler. docs/hl7v2.md#medication
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from importers.hl7v2 import actors, datatypes, dosage, identifiers, order_status, service_request, timing
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.medication import medication_of
from importers.hl7v2.notes import remarks
from importers.hl7v2.order_group import OrderGroup
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject
from resources.codec import Json

_STATUS = {"revoked": "cancelled"}
_STOPPED = frozenset({"DC", "DR", "OD"})
"""Order controls that stop what has been taken already"""


def is_medication(group: OrderGroup) -> bool:
    return any(segment.name in _ORDERS for segment in group.others)


_ORDERS = frozenset({"RXO", "RXE", "RXG", "RXD", "RXA"})


def add(conversion: Conversion, groups: Sequence[OrderGroup], about: Subject) -> list[Draft]:
    """A request of each group that has one."""
    numbers = [service_request.numbers(conversion, group) for group in groups]
    often = Counter(str(known.placer_first["value"]) for known in numbers if known.placer_first is not None)
    found = []
    for group, known in zip(groups, numbers, strict=True):
        number = known.placer_first
        alone = number is None or often[str(number["value"])] == 1
        if (draft := request(conversion, group, about, alone=alone)) is not None:
            found.append(draft)
    return found


def first(group: OrderGroup, name: str) -> Segment | None:
    return next((segment for segment in group.others if segment.name == name), None)


@overridable("RXO")
def request(
    conversion: Conversion, group: OrderGroup, about: Subject, *, alone: bool = True, role: str = "fact"
) -> Draft | None:
    """The MedicationRequest of an RXO, an RXE or an RXG; None where they name no medication."""
    rxo, rxe, rxg = (first(group, name) for name in ("RXO", "RXE", "RXG"))
    named = [(segment, field) for segment, field in ((rxe, 2), (rxg, 4), (rxo, 1)) if segment is not None]
    concepts = (datatypes.codeable_concept(conversion, segment.value(field)) for segment, field in named)
    concept = next((found for found in concepts if found is not None), None)
    if concept is None:
        texts = [
            text for text in (dosage.text_of(rxo, 6), dosage.text_of(rxo, 7), dosage.text_of(rxe, 7)) if text
        ]
        if not named or not texts:
            return None
        concept = {"text": texts[0]}
        conversion.issue(
            named[0][0].place,
            "No medication is named; its instructions were taken for it",
            REQUIRED_FIELD_MISSING,
        )
    known = service_request.numbers(conversion, group)
    found = [number for number in (known.placer, known.filler) if number is not None]
    resource: Json = {"resourceType": "MedicationRequest", "identifier": [*found]}
    resource["status"] = _status(group)
    resource["intent"] = "instance-order" if rxg is not None and rxe is None and rxo is None else "order"
    match = _found_by(conversion, known, named[-1][0].text(named[-1][1]), resource, alone=alone)
    if not resource["identifier"]:
        del resource["identifier"]
    resource |= about.elements()
    resource |= medication_of(conversion, group, concept, match, rxe or rxo)
    _add_order(conversion, group, about, resource)
    _add_dispense(conversion, rxo, rxe, resource)
    notes = remarks(conversion, group.notes)
    if rxe is not None and rxo is not None and rxo.raw(1) and rxo.raw(1) != rxe.raw(2):
        ordered = datatypes.codeable_concept(conversion, rxo.value(1)) or {}
        coding = ordered.get("coding", [{}])[0]
        name = ordered.get("text") or " ".join(filter(None, (coding.get("code"), coding.get("display"))))
        notes.append({"text": f"Ordered as: {name}"})
    if notes:
        resource["note"] = notes
    return conversion.add(resource, match, role=role)


def _status(group: OrderGroup) -> str:
    orc = group.orc
    status = order_status.status(orc, group.obr)
    if orc is not None and orc.text(1).upper() in _STOPPED:
        return "stopped"
    return _STATUS.get(status, status)


def _found_by(
    conversion: Conversion, known: service_request.Numbers, code: str, resource: Json, *, alone: bool
) -> tuple[str, ...]:
    number = known.placer_first
    if number is None:
        return ()
    value = f"{service_request.short(conversion, number)}/{code}"
    own = {"system": conversion.config.derived_uri("medication-order"), "value": " ".join(value.split())}
    resource["identifier"].append(own)
    return (identifiers.token(own), identifiers.token(number)) if alone else (identifiers.token(own),)


def _add_order(conversion: Conversion, group: OrderGroup, about: Subject, resource: Json) -> None:
    """Who ordered it when and why, and how it is to be taken."""
    orc = group.orc
    rxo, rxe = first(group, "RXO"), first(group, "RXE")
    if about.insurance:
        resource["insurance"] = [*about.insurance]
    for segment, field in ((orc, 9), (rxe, 32)):
        if "authoredOn" in resource or segment is None or not segment.raw(field):
            continue
        if (written := datatypes.date_time(conversion, segment.value(field))) is not None:
            resource["authoredOn"] = written
    for segment, field in ((orc, 12), (rxo, 14), (rxe, 13)):
        if "requester" in resource or segment is None or not segment.raw(field):
            continue
        if (person := actors.practitioner(conversion, segment.value(field))) is not None:
            resource["requester"] = person
    if orc is not None and orc.raw(10) and (enterer := actors.practitioner(conversion, orc.value(10))):
        resource["recorder"] = enterer
    if (
        orc is not None
        and orc.raw(4)
        and (group_number := identifiers.entity(conversion, orc.value(4), "PGN"))
    ):
        resource["groupIdentifier"] = group_number
    reasons = [
        concept
        for segment, field in ((orc, 16), (rxo, 20), (rxe, 27))
        if segment is not None
        for concept in service_request.concepts(conversion, segment, field)
    ]
    if reasons:
        resource["reasonCode"] = reasons
    encoded = [tq1 for tq1 in group.timings if rxe is not None and tq1.index > rxe.index]
    rxg = first(group, "RXG")
    told = timing.told(encoded or group.timings, (rxe, 1), (rxg, 3), (orc, 7))
    planned = timing.schedule(conversion, told)
    resource |= datatypes.coded(conversion, "priority", "0485", planned.priority)
    if found := dosage.instructions(conversion, group, planned):
        resource["dosageInstruction"] = found


def _add_dispense(conversion: Conversion, rxo: Segment | None, rxe: Segment | None, resource: Json) -> None:
    """How much may be handed out, how often, by whom, and whether something else may be."""
    segment, amount, unit, refills, allowed, pharmacy = (
        (rxe, 10, 11, 12, 9, 40) if rxe is not None else (rxo, 11, 12, 13, 9, 32)
    )
    if segment is None:
        return
    found: Json = {}
    quantity = dosage.quantity_at(conversion, segment, amount, unit)
    if quantity is not None:
        found["quantity"] = quantity
    if segment.text(refills).isdigit():
        found["numberOfRepeatsAllowed"] = int(segment.text(refills))
    if segment.raw(pharmacy) and (name := segment.text(pharmacy, 2) or segment.text(pharmacy)):
        found["performer"] = {"display": name}
    if found:
        resource["dispenseRequest"] = found
    if segment.raw(allowed) and (
        concept := datatypes.codeable_concept(conversion, segment.value(allowed), "0161")
    ):
        resource["substitution"] = {"allowedCodeableConcept": concept}
