"""RXO, RXE and RXG → MedicationRequest. http://hl7.org/fhir/uv/v2mappings, map RXO[MedicationRequest].

What was ordered (RXO) and what the pharmacy made of it (RXE) are one request; the latter is more exact. A request is
known by the number of its placer, else of its filler. docs/hl7v2.md#medication
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from importers.hl7v2 import actors, datatypes, dosage, identifiers, order_status, service_request, timing
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.documents import observed
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.medication import medication_of
from importers.hl7v2.notes import remarks
from importers.hl7v2.obx import Panel
from importers.hl7v2.order_group import OrderGroup
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject
from resources.codec import Json

_STATUS = {"revoked": "cancelled"}
_STOPPED = frozenset({"DC", "DR", "OD"})
"""Order controls that stop what has been taken already"""


def is_medication(conversion: Conversion, group: OrderGroup) -> bool:
    """Whether a group is about medication; an ORC alone is what its message is about."""
    if any(segment.name in _ORDERS for segment in group.others):
        return True
    return group.obr is None and conversion.message.type in _PHARMACY


_ORDERS = frozenset({"RXO", "RXE", "RXG", "RXD", "RXA"})
_PHARMACY = frozenset({"OMP", "RDE", "RGV", "RDS", "RAS"})


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
        if group.results:
            observe(conversion, group, known, about)
    return found


def observe(
    conversion: Conversion, group: OrderGroup, known: service_request.Numbers, about: Subject
) -> None:
    """What was observed for an order of medication."""
    number = known.placer_first
    key = service_request.short(conversion, number) if number else conversion.content
    observed(conversion, group.results, Panel(key, about.elements()))


def first(group: OrderGroup, name: str) -> Segment | None:
    return next((segment for segment in group.others if segment.name == name), None)


@overridable("RXO")
def request(
    conversion: Conversion, group: OrderGroup, about: Subject, *, alone: bool = True, role: str = "fact"
) -> Draft | None:
    """The MedicationRequest of an RXO, an RXE or an RXG, or that an RXD or RXA answers; None where nothing says which."""
    rxo, rxe, rxg = (first(group, name) for name in ("RXO", "RXE", "RXG"))
    known = service_request.numbers(conversion, group)
    named = _named(group)
    is_ordered = bool(rxo or rxe or rxg)
    if not is_ordered and known.placer_first is None:
        return None
    concept = _concept(conversion, group, named)
    if concept is None and is_ordered:
        return None
    resource: Json = {"resourceType": "MedicationRequest"}
    resource["identifier"] = [number for number in (known.placer, known.filler) if number is not None]
    if rxe is not None and (prescription := rxe.text(15)):
        system = conversion.config.derived_uri("id", conversion.facility, "prescription")
        resource["identifier"].append({"system": system, "value": prescription})
    resource["status"] = _status(group)
    resource["intent"] = "instance-order" if rxg is not None and rxe is None and rxo is None else "order"
    code = named[-1][0].text(named[-1][1]) if named else ""
    match = _found_by(conversion, known, code, resource, alone=alone)
    if not resource["identifier"]:
        del resource["identifier"]
    resource |= about.elements()
    resource |= medication_of(conversion, group, concept or _UNNAMED, match, rxe or rxo)
    _add_order(conversion, group, about, resource)
    _add_dispense(conversion, rxo, rxe, resource)
    if notes := [*remarks(conversion, group.notes), *_as_ordered(conversion, rxo, rxe)]:
        resource["note"] = notes
    draft = conversion.add(resource, match, role=role)
    if concept is None:
        draft.adjust = _medication_kept
    elif not order_status.refers_to_earlier(group.orc):
        draft.adjust = order_status.still_ended
    return draft


_UNNAMED: Json = {"text": "not named"}


def _named(group: OrderGroup) -> list[tuple[Segment, int]]:
    """Where a medication is named, what is most exact first."""
    fields = (("RXE", 2), ("RXG", 4), ("RXO", 1))
    found = [(segment, field) for name, field in fields if (segment := first(group, name)) is not None]
    if found:
        return found
    answers = (("RXD", 2), ("RXA", 5))
    return [(segment, field) for name, field in answers if (segment := first(group, name)) is not None]


def _concept(conversion: Conversion, group: OrderGroup, named: Sequence[tuple[Segment, int]]) -> Json | None:
    for segment, field in named:
        if (concept := datatypes.codeable_concept(conversion, segment.value(field))) is not None:
            return concept
    sources = (("RXO", 6), ("RXO", 7), ("RXE", 7))
    text = next((said for name, field in sources if (said := dosage.text_of(first(group, name), field))), "")
    if not text:
        return None
    told = "No medication is named; its instructions were taken for it"
    conversion.issue(named[0][0].place, told, REQUIRED_FIELD_MISSING)
    return {"text": text}


def _as_ordered(conversion: Conversion, rxo: Segment | None, rxe: Segment | None) -> list[Json]:
    """What was ordered, where the pharmacy chose another product."""
    if rxo is None or rxe is None or not rxo.raw(1) or rxo.raw(1) == rxe.raw(2):
        return []
    ordered = datatypes.codeable_concept(conversion, rxo.value(1)) or {}
    coding = ordered.get("coding", [{}])[0]
    name = ordered.get("text") or " ".join(filter(None, (coding.get("code"), coding.get("display"))))
    return [{"text": f"Ordered as: {name}"}] if name else []


def _medication_kept(stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """An order that is cancelled without its medication is about the one that was ordered."""
    kept = {name: value for name, value in stored.items() if name.startswith("medication")}
    if not kept:
        return merged
    return {name: value for name, value in merged.items() if not name.startswith("medication")} | kept


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
    if segment.text(refills).isdecimal() and len(segment.text(refills)) < 6:
        found["numberOfRepeatsAllowed"] = int(segment.text(refills))
    if segment.raw(pharmacy) and (name := segment.text(pharmacy, 2) or segment.text(pharmacy)):
        found["performer"] = {"display": name}
    if found:
        resource["dispenseRequest"] = found
    if segment.raw(allowed) and (
        concept := datatypes.codeable_concept(conversion, segment.value(allowed), "0161")
    ):
        resource["substitution"] = {"allowedCodeableConcept": concept}
