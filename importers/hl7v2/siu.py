"""SIU^S12 to S26 → Appointment. http://hl7.org/fhir/uv/v2mappings, SCH, AIS, AIG, AIL and AIP[Appointment].

An appointment is known by the number of its placer or of its filler; whatever the event, it is the same resource.
docs/hl7v2.md#appointments
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from importers.hl7v2 import actors, appointment_times, datatypes, identifiers
from importers.hl7v2.conversion import Conversion, ConversionError, Draft
from importers.hl7v2.documents import observed
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING, Issue
from importers.hl7v2.notes import remarks
from importers.hl7v2.obx import Panel
from importers.hl7v2.order_group import Result
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_ENDING = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
"""Events that say more than SCH-25, which some senders leave as it was"""
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/participant-type"
_UNITS = {
    "MIN": 1,
    "M": 1,
    "MINUTES": 1,
    "MINUTE": 1,
    "MN": 1,
    "H": 60,
    "HR": 60,
    "HOUR": 60,
    "HOURS": 60,
    "HRS": 60,
}


def appointments(conversion: Conversion) -> None:
    """The appointment of a message."""
    sch = conversion.message.first("SCH")
    if sch is None:
        told = "An SCH segment was expected; without one there is no appointment"
        raise ConversionError(Issue("SCH", told, REQUIRED_FIELD_MISSING, "error"))
    about = subject(conversion) if conversion.message.first("PID") is not None else Subject()
    draft = appointment(conversion, sch, about)
    results = [Result(obx) for obx in conversion.message.all("OBX")]
    if results:
        key = (
            str(draft.resource["identifier"][0]["value"])
            if "identifier" in draft.resource
            else conversion.content
        )
        found = observed(
            conversion, results, Panel(f"{conversion.facility}/appointment/{key}", about.elements())
        )
        draft.resource["supportingInformation"] = [conversion.reference(each) for each in found]


@overridable("SCH")
def appointment(conversion: Conversion, sch: Segment, about: Subject) -> Draft:
    """The Appointment of an SCH and of the resources named behind it."""
    resource: Json = {"resourceType": "Appointment"}
    numbers = _numbers(conversion, sch)
    if numbers:
        resource["identifier"] = numbers
    else:
        conversion.issue(
            "SCH-1",
            "SCH-1 and SCH-2 are empty; nobody can change this appointment later",
            REQUIRED_FIELD_MISSING,
        )
    _add_status(conversion, sch, resource)
    _add_concepts(conversion, sch, resource)
    _add_times(conversion, sch, resource)
    resource["participant"] = _participants(conversion, sch, about, resource)
    if comment := _comment(conversion):
        resource["comment"] = comment
    for field in (26, 27):
        for value in sch.values(field):
            number = identifiers.entity(conversion, value, "PLAC" if field == 26 else "FILL")
            if number is not None:
                resource.setdefault("basedOn", []).append({"type": "ServiceRequest", "identifier": number})
    draft = conversion.add(resource, tuple(identifiers.token(number) for number in numbers))
    draft.adjust = appointment_times.adjusted
    return draft


def _numbers(conversion: Conversion, sch: Segment) -> list[Json]:
    """SCH-1 and SCH-2; without an authority, the numbers of placers and fillers are told apart."""
    found = []
    for field, code, whose in ((1, "PLAC", "placer"), (2, "FILL", "filler")):
        value = sch.value(field)
        number = identifiers.entity(conversion, value, code)
        if number is None:
            continue
        if not (value.text(3) or (value.text(2) and value.text(2) != value.text(1))):
            number["system"] = conversion.config.derived_uri("appointment", conversion.facility, whose)
        found.append(number)
    return found


def _add_status(conversion: Conversion, sch: Segment, resource: Json) -> None:
    event = conversion.message.event
    said = sch.text(25)
    known = conversion.code("0278", said) or conversion.code("0278", said.capitalize())
    resource["status"] = _ENDING.get(event) or (known["code"] if known is not None else "booked")
    if said and known is None:
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0278", "code": " ".join(said.split())}
        kept = {"url": f"{datatypes.EXTENSION}alternate-codes", "valueCodeableConcept": {"coding": [coding]}}
        resource["_status"] = {"extension": [kept]}


def _add_concepts(conversion: Conversion, sch: Segment, resource: Json) -> None:
    services = [
        concept
        for ais in conversion.message.all("AIS")
        if (concept := datatypes.codeable_concept(conversion, ais.value(3))) is not None
    ]
    if services:
        resource["serviceType"] = services
    if kind := datatypes.codeable_concept(conversion, sch.value(8), "0277"):
        resource["appointmentType"] = kind
    reason = datatypes.codeable_concept(conversion, sch.value(7), "0276")
    if reason is not None:
        resource["reasonCode"] = [reason]
    event_reason = datatypes.codeable_concept(conversion, sch.value(6))
    if event_reason is not None and resource["status"] in appointment_times.CALLED_OFF:
        resource["cancelationReason"] = event_reason


def _add_times(conversion: Conversion, sch: Segment, resource: Json) -> None:
    message = conversion.message
    found = appointment_times.of_message(conversion, sch)
    minutes = _minutes(sch.text(9), sch.text(10))
    if minutes is not None:
        resource["minutesDuration"] = minutes
    if found is None:
        return
    start, end = found
    if end is None:
        lasting = minutes
        for name, field in (("AIS", 7), ("AIG", 11), ("AIL", 9), ("AIP", 9)):
            segment = message.first(name)
            if lasting is None and segment is not None:
                lasting = _minutes(segment.text(field), segment.text(field + 1))
        if lasting is None:
            conversion.issue(
                "SCH-9", "Nothing says how long the appointment lasts; its end was set to its start"
            )
        end = (dt.datetime.fromisoformat(start) + dt.timedelta(minutes=lasting or 0)).isoformat()
        end = end.replace("+00:00", "Z") if start.endswith("Z") else end
    resource["start"], resource["end"] = start, end


def _minutes(number: str, unit: str) -> int | None:
    factor = _UNITS.get(unit.upper(), 0)
    value = datatypes.decimal(number)
    if value is None or not factor or not 0 < value * factor < 1_000_000:
        return None
    return int(value * factor) or None


def _participants(conversion: Conversion, sch: Segment, about: Subject, resource: Json) -> list[Json]:
    status = {"cancelled": "declined", "proposed": "needs-action", "pending": "needs-action"}.get(
        resource["status"], "accepted"
    )
    found: list[Json] = []
    if about.patient is not None:
        found.append({"actor": about.patient, "status": status})
    for field, text in ((12, "placer contact"), (16, "filler contact"), (20, "entered by")):
        for value in sch.values(field):
            actor = actors.practitioner(conversion, value)
            _add(found, actor, status, {"text": text})
    for segment in conversion.message.segments:
        if segment.name in _RESOURCES:
            _add_resource(conversion, segment, found, status)
    return found or [{"type": [{"text": "not named"}], "status": status}]


_RESOURCES = frozenset({"AIG", "AIL", "AIP"})


def _add_resource(conversion: Conversion, segment: Segment, found: list[Json], status: str) -> None:
    kind = datatypes.codeable_concept(conversion, segment.value(4))
    for value in segment.values(3):
        _add(found, _actor(conversion, segment.name, value), status, kind, _period(conversion, segment))


def _actor(conversion: Conversion, name: str, value: Value) -> Json | None:
    if name == "AIP":
        return actors.practitioner(conversion, value)
    if name == "AIL":
        return actors.location(conversion, value)
    display = value.text(2) or value.text(1)
    return {"display": display} if display else None


def _add(
    found: list[Json], actor: Json | None, status: str, kind: Json | None = None, period: Json | None = None
) -> None:
    """One participant for each actor, with all the roles he has."""
    if actor is None:
        return
    known = next((each for each in found if each.get("actor") == actor), None)
    if known is None:
        known = {"actor": actor, "status": status}
        found.append(known)
    if kind is not None and kind not in known.get("type", ()):
        known["type"] = [*known.get("type", ()), kind]
    if period:
        known.setdefault("period", period)


def _period(conversion: Conversion, segment: Segment) -> Json:
    field, lasting = {"AIG": (8, 11), "AIL": (6, 9), "AIP": (6, 9)}[segment.name]
    start = datatypes.instant(conversion, segment.value(field)) if segment.raw(field) else None
    if start is None:
        return {}
    minutes = _minutes(segment.text(lasting), segment.text(lasting + 1))
    if minutes is None:
        return {"start": start}
    end = dt.datetime.fromisoformat(start) + dt.timedelta(minutes=minutes)
    return {"start": start, "end": end.isoformat()}


def _comment(conversion: Conversion) -> str:
    notes: Sequence[Segment] = conversion.message.all("NTE")
    return "\n".join(str(each["text"]) for each in remarks(conversion, notes))


_EVENTS = "S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26"

EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {"SIU": appointments, **{f"SIU^{event}": appointments for event in _EVENTS.split()}}
)
