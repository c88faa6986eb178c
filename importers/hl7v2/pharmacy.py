"""Medication ordered, encoded, given, dispensed, administered: OMP, RDE, RGV, RDS, RAS and their older kin.

RDS → MedicationDispense, RAS → MedicationAdministration, each with the request it goes back to.
HL7 v2.8.2 chapter 4A; docs/hl7v2.md#medication
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import datatypes, identifiers, medication_order, service_request
from importers.hl7v2.actors import location, practitioner
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.dosage import instructions, quantity_at, route, routes_of, text_of
from importers.hl7v2.er7 import Segment
from importers.hl7v2.medication import medication_of
from importers.hl7v2.notes import remarks
from importers.hl7v2.order_group import OrderGroup, by_patient, orders
from importers.hl7v2.orders import order_message
from importers.hl7v2.override import overridable
from importers.hl7v2.periods import span
from importers.hl7v2.subject import Subject, subject
from importers.hl7v2.timing import schedule, told
from resources.codec import Json

_COMPLETION = {"CP": "completed", "RE": "not-done", "NA": "not-done", "PA": "stopped"}
"""Table 0322"""
_ENDED = {
    "CA": "cancelled",
    "CR": "cancelled",
    "DC": "stopped",
    "DR": "stopped",
    "OD": "stopped",
    "DE": "entered-in-error",
}


def dispensed(conversion: Conversion) -> None:
    """RDS^O13 and O01: a MedicationDispense of each RXD."""
    _each(conversion, "RXD", dispense)


def administered(conversion: Conversion) -> None:
    """RAS^O17 and O01: a MedicationAdministration of each RXA."""
    _each(conversion, "RXA", administration)


def _each(conversion: Conversion, name: str, make: Callable[..., Draft | None]) -> None:
    for part in by_patient(conversion):
        about = subject(part)
        for group in orders(part.message).groups:
            prescription = medication_order.request(part, group, about, role="reference")
            for segment in group.others:
                if segment.name == name:
                    make(part, segment, group, about, prescription)
            if group.results:
                known = service_request.numbers(part, group)
                medication_order.observe(part, group, known, about)


def _key(conversion: Conversion, group: OrderGroup) -> str:
    number = service_request.numbers(conversion, group).placer_first
    return service_request.short(conversion, number) if number is not None else conversion.content


def _own(conversion: Conversion, kind: str, key: str) -> Json:
    return {"system": conversion.config.derived_uri(kind), "value": " ".join(key.split())}


def _about(about: Subject) -> Json:
    found = about.elements()
    if "encounter" in found:
        found["context"] = found.pop("encounter")
    return found


@overridable("RXD")
def dispense(
    conversion: Conversion, rxd: Segment, group: OrderGroup, about: Subject, prescription: Draft | None
) -> Draft | None:
    """The MedicationDispense of an RXD; None where it names no medication."""
    concept = datatypes.codeable_concept(conversion, rxd.value(2))
    if concept is None:
        return None
    own = _own(conversion, "dispense", f"{_key(conversion, group)}/{rxd.text(7)}/{rxd.text(1)}/{rxd.text(2)}")
    found = [own]
    if number := rxd.text(7):
        found.insert(
            0,
            {
                "system": conversion.config.derived_uri("id", conversion.facility, "prescription"),
                "value": number,
            },
        )
    resource: Json = {"resourceType": "MedicationDispense", "identifier": found}
    control = group.orc.text(1).upper() if group.orc is not None else ""
    resource["status"] = _ENDED.get(control, "completed")
    match = (identifiers.token(own),)
    resource |= medication_of(conversion, group, concept, match, rxd)
    resource |= _about(about)
    if person := practitioner(conversion, rxd.value(10)):
        resource["performer"] = [{"actor": person}]
    if prescription is not None:
        resource["authorizingPrescription"] = [conversion.reference(prescription)]
    if (quantity := quantity_at(conversion, rxd, 4, 5)) is not None:
        resource["quantity"] = quantity
    if rxd.raw(3) and (when := datatypes.date_time(conversion, rxd.value(3))):
        resource["whenHandedOver"] = when
    if place := location(conversion, rxd.value(13)):
        resource["destination"] = place
    notes = [{"text": text} for text in (rxd.text(9), text_of(rxd, 15)) if text]
    notes += remarks(conversion, group.notes)
    if notes:
        resource["note"] = notes
    planned = schedule(conversion, told(group.timings, (group.orc, 7)))
    if found_dosage := instructions(conversion, group, planned):
        resource["dosageInstruction"] = found_dosage
    if replaced := rxd.text(11):
        resource["substitution"] = _substitution(conversion, rxd, replaced)
    return conversion.add(resource, match)


def _substitution(conversion: Conversion, rxd: Segment, code: str) -> Json:
    """RXD-11, table 0167: N and 0 say that what was ordered was dispensed."""
    found: Json = {"wasSubstituted": code.upper() not in ("N", "0")}
    if (kind := datatypes.codeable_concept(conversion, rxd.value(11), "0167")) is not None:
        found["type"] = kind
    return found


@overridable("RXA")
def administration(
    conversion: Conversion, rxa: Segment, group: OrderGroup, about: Subject, prescription: Draft | None
) -> Draft | None:
    """The MedicationAdministration of an RXA; None where it names no medication."""
    concept = datatypes.codeable_concept(conversion, rxa.value(5))
    if concept is None:
        return None
    parts = (_key(conversion, group), rxa.text(5), rxa.text(1), rxa.text(2), rxa.text(3))
    own = _own(conversion, "administration", "/".join(parts))
    resource: Json = {"resourceType": "MedicationAdministration", "identifier": [own]}
    resource["status"] = _status(rxa)
    if rxa.raw(18) and (reason := datatypes.codeable_concept(conversion, rxa.value(18))):
        resource["statusReason"] = [reason]
    match = (identifiers.token(own),)
    resource |= medication_of(conversion, group, concept, match, rxa)
    resource |= _about(about)
    resource |= _effective(conversion, rxa)
    if person := practitioner(conversion, rxa.value(10)):
        resource["performer"] = [{"actor": person}]
    if reasons := service_request.concepts(conversion, rxa, 19):
        resource["reasonCode"] = reasons
    if prescription is not None:
        resource["request"] = conversion.reference(prescription)
    notes = [{"text": text}] if (text := text_of(rxa, 9)) else []
    notes += remarks(conversion, group.notes)
    if notes:
        resource["note"] = notes
    taken: Json = {}
    for rxr in routes_of(group, rxa)[:1]:
        taken |= route(conversion, rxr)
    dose = quantity_at(conversion, rxa, 6, 7)
    if dose is not None and not (dose["value"] == _NOT_RECORDED and len(dose) == 1):
        taken["dose"] = dose
    if taken:
        taken.setdefault("dose", _UNKNOWN_DOSE)
        resource["dosage"] = taken
    return conversion.add(resource, match)


_NOT_RECORDED = 999
"""What is written where nobody knows the dose"""
_UNKNOWN_DOSE: Json = {
    "extension": [{"url": f"{datatypes.EXTENSION}data-absent-reason", "valueCode": "unknown"}]
}


def _status(rxa: Segment) -> str:
    if rxa.text(21).upper() == "D":
        return "entered-in-error"
    return _COMPLETION.get(rxa.text(20).upper(), "completed" if not rxa.raw(20) else "unknown")


def _effective(conversion: Conversion, rxa: Segment) -> Json:
    start = datatypes.date_time(conversion, rxa.value(3)) if rxa.raw(3) else None
    end = datatypes.date_time(conversion, rxa.value(4)) if rxa.raw(4) else None
    if start and end and start != end:
        return {"effectivePeriod": span(start, end)}
    if start or end:
        return {"effectiveDateTime": start or end}
    url = f"{datatypes.EXTENSION}data-absent-reason"
    return {"_effectiveDateTime": {"extension": [{"url": url, "valueCode": "unknown"}]}}


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {
        **dict.fromkeys(("OMP^O09", "RDE^O01", "RDE^O11", "RDE^O25", "RGV^O15", "RGV^O01"), order_message),
        **dict.fromkeys(("RDS^O13", "RDS^O01"), dispensed),
        **dict.fromkeys(("RAS^O17", "RAS^O01"), administered),
    }
)
