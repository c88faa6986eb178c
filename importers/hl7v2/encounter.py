"""PV1 and PV2 → Encounter. http://hl7.org/fhir/uv/v2mappings, maps PV1[Encounter] and PV2[Encounter].

A visit is known by its number (PV1-19, else PV1-50); without one it is the open visit of the patient in the same
class, that which began at the same time if the message says when. What a message changes in a stored visit is in
`visit`.
"""

from __future__ import annotations

from functools import partial

from importers.hl7v2 import identifiers
from importers.hl7v2.actors import location, practitioner
from importers.hl7v2.conversion import Conversion, Draft, Same
from importers.hl7v2.datatypes import EXTENSION, codeable_concept, date_time, decimal
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.override import overridable
from importers.hl7v2.patient import MOST_NUMBERS
from importers.hl7v2.roles import RESTRICTED
from importers.hl7v2.times import is_backwards
from importers.hl7v2.update import identifier_key
from importers.hl7v2.visit import OPEN, Visit, adjusted, since, status_of
from resources.codec import Json
from resources.datatypes import date_interval

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_UNKNOWN = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
_CLASSES = {"INPATIENT": "I", "OUTPATIENT": "O", "EMERGENCY": "E", "PREADMIT": "P"}

_PARTICIPANTS = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)
_HOSPITALIZATION = (
    (14, "0023", "admitSource", False),
    (13, "0092", "reAdmission", False),
    (38, "0114", "dietPreference", True),
    (16, "0099", "specialCourtesy", True),
    (15, "0009", "specialArrangement", True),
    (36, "0112", "dischargeDisposition", False),
)
"""PV1 field, HL7 table, element of hospitalization, whether it repeats"""

_DELETED = {
    4: "type",
    10: "serviceType",
    13: "hospitalization.reAdmission",
    14: "hospitalization.admitSource",
    15: "hospitalization.specialArrangement",
    16: "hospitalization.specialCourtesy",
    36: "hospitalization.dischargeDisposition",
    37: "hospitalization.destination",
    38: "hospitalization.dietPreference",
    44: "period.start",
    45: "period.end",
}
"""PV1 field → what its `\"\"` deletes"""
_ABOUT_PERSONS = {"A28", "A29", "A30", "A31", "A34", "A39", "A40", "A47"}
_PLANNED_END = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"
_REVERTED = {
    "A25": (f"extension.{_PLANNED_END}",),
    "A13": ("period.end", "hospitalization.dischargeDisposition", "hospitalization.destination"),
}
"""Event → what it takes back"""


@overridable("PV1")
def encounter(
    conversion: Conversion,
    patient: Draft,
    role: str = "fact",
    pv1: Segment | None = None,
    pv2: Segment | None = None,
) -> Draft | None:
    """The Encounter of a PV1 (the first of the message) and its PV2; None where the message has no visit."""
    if pv1 is None:
        pv1, pv2 = conversion.message.first("PV1"), conversion.message.first("PV2")
    if pv1 is None or not _is_visit(pv1, conversion.message.event):
        return None
    visit = Visit(conversion.message.event if conversion.message.type == "ADT" else "", _happened(conversion))
    resource: Json = {"resourceType": "Encounter"}
    numbers = visit_numbers(conversion, pv1)
    if numbers:
        resource["identifier"] = numbers
    _add_class_and_status(conversion, pv1, resource, visit)
    resource["subject"] = conversion.reference(patient)
    _add_period(conversion, pv1, resource, visit)
    _add_participants(conversion, pv1, pv2, resource)
    _add_locations(conversion, pv1, resource, visit)
    _add_concepts(conversion, pv1, resource)
    if pv2 is not None:
        _add_pv2(conversion, pv2, resource)
    match, same = _found_by(resource, patient)
    clear = tuple(path for field, path in _DELETED.items() if pv1.is_null(field)) if '""' in pv1.line else ()
    clear += _REVERTED.get(visit.event, ())
    draft = conversion.add(resource, match=match, clear=clear, role=role, same=same)
    draft.adjust = partial(adjusted, visit)
    return draft


def _happened(conversion: Conversion) -> str | None:
    """When the event occurred (EVN-6, or ZBE-2 of a movement), else when it was recorded."""
    for name, number in (("EVN", 6), ("ZBE", 2)):
        segment = conversion.message.first(name)
        if (
            segment is not None
            and segment.raw(number)
            and (told := date_time(conversion, segment.value(number)))
        ):
            return told
    return conversion.moment


def _is_visit(pv1: Segment, event: str) -> bool:
    """Whether there is a visit at all.

    Class N alone says that there is none, and persons are sent with a PV1 that says nothing but a class.
    """
    if any(pv1.values(field) for field in range(3, len(pv1.fields))):
        return True
    return event not in _ABOUT_PERSONS and pv1.text(2) not in ("", "N")


def visit_numbers(conversion: Conversion, pv1: Segment) -> list[Json]:
    """The Identifiers of a visit: PV1-19 and PV1-50."""
    found: dict[object, Json] = {}
    for field in (19, 50):
        for value in pv1.values(field)[:MOST_NUMBERS]:
            number = visit_number(conversion, value)
            if number is not None:
                found.setdefault(identifier_key(number), number)
    return list(found.values())


def visit_number(conversion: Conversion, value: Value) -> Json | None:
    """The Identifier of a visit: its system is the same whether the sender names the type (CX.5) or not."""
    text = value.text(1)
    if not text:
        return None
    authority = identifiers.authority(value.component(4))
    kind = identifiers.type_concept(conversion, value.text(5).upper() or "VN")
    return {"type": kind, "system": identifiers.system(conversion, authority, "VN"), "value": text}


def _found_by(resource: Json, patient: Draft) -> tuple[tuple[str, ...], Same | None]:
    numbers = resource.get("identifier")
    if numbers:
        return tuple(identifiers.token(number) for number in numbers), None
    kind = resource["class"]
    query = f"patient={patient.url}&{identifiers.token({'system': kind['system'], 'value': kind['code']}, 'class')}"
    start = resource.get("period", {}).get("start")
    return (query,), partial(_same_visit, start)


def _same_visit(start: str | None, stored: Json) -> bool:
    if start is None:
        return stored.get("status") in OPEN
    began = stored.get("period", {}).get("start")
    return began is not None and date_interval(began) == date_interval(start)


def _add_class_and_status(conversion: Conversion, pv1: Segment, resource: Json, visit: Visit) -> None:
    sent = pv1.text(2)
    code = _CLASSES.get(sent.upper(), sent)
    known = conversion.code("0004", code)
    if not sent:
        resource["class"] = dict(_UNKNOWN)
        visit.defaults.add("class")
    elif known is not None:
        resource["class"] = dict(known)
    else:
        local = {"system": conversion.coding_system(pv1.text(2, 3)), "code": " ".join(sent.split())}
        if display := pv1.text(2, 2):
            local["display"] = display
        resource["class"] = local
    of_class = conversion.code("0004/status", code)
    resource["status"] = status_of(visit, of_class["code"] if of_class else "", discharged=bool(pv1.text(45)))


def _add_period(conversion: Conversion, pv1: Segment, resource: Json, visit: Visit) -> None:
    start = date_time(conversion, pv1.value(44)) if pv1.raw(44) else None
    end = date_time(conversion, pv1.value(45)) if pv1.raw(45) and visit.event != "A13" else None
    if is_backwards(start, end):
        told = "The end of the visit (PV1-45) lies before its beginning (PV1-44); it was left out"
        conversion.issue(pv1.place + "-45", told, DATA_TYPE_ERROR)
        end = None
    period = {name: bound for name, bound in (("start", start), ("end", end)) if bound}
    if period:
        resource["period"] = period


def _add_participants(conversion: Conversion, pv1: Segment, pv2: Segment | None, resource: Json) -> None:
    found: dict[object, Json] = {}
    sources = [(pv1, *row) for row in _PARTICIPANTS]
    if pv2 is not None:
        sources.append((pv2, 13, "REF", "referrer"))
    for segment, field, code, text in sources:
        for value in segment.values(field):
            individual = practitioner(conversion, value)
            if individual is not None:
                kind = {"coding": [{"system": _PARTICIPATION, "code": code}], "text": text}
                key = (code, individual.get("reference"), individual.get("display"))
                found.setdefault(key, {"type": [kind], "individual": individual})
    if found:
        resource["participant"] = list(found.values())


def _add_locations(conversion: Conversion, pv1: Segment, resource: Json, visit: Visit) -> None:
    current = "planned" if resource["status"] == "planned" else "active"
    found: list[Json] = []
    for field, status in ((6, "completed"), (3, current), (11, "active"), (42, "reserved")):
        place = location(conversion, pv1.value(field)) if pv1.raw(field) else None
        if place is None:
            continue
        entry: Json = {"location": place, "status": status}
        if field == 11:
            temporary = {"coding": [{"code": "temporary"}]}
            url = f"{EXTENSION}subject-locationClassification"
            entry = {"extension": [{"url": url, "valueCodeableConcept": temporary}], **entry}
        elif field == 3 and (start := since(visit, resource)):
            entry["period"] = {"start": start}
        found.append(entry)
    if found:
        resource["location"] = found


def _add_concepts(conversion: Conversion, pv1: Segment, resource: Json) -> None:
    if pv1.raw(4) and (kind := codeable_concept(conversion, pv1.value(4), "0007")):
        resource["type"] = [kind]
    if pv1.raw(10) and (service := codeable_concept(conversion, pv1.value(10), "0069")):
        resource["serviceType"] = service
    found: Json = {}
    if pv1.raw(5) and (number := identifiers.identifier(conversion, pv1.value(5))):
        found["preAdmissionIdentifier"] = number
    for field, table, element, repeats in _HOSPITALIZATION:
        if not pv1.raw(field):
            continue
        concepts = [
            each for value in pv1.values(field) if (each := codeable_concept(conversion, value, table))
        ]
        if concepts:
            found[element] = concepts if repeats else concepts[0]
    if place := pv1.text(37):
        found["destination"] = {"display": place}
    if found:
        resource["hospitalization"] = found


def _add_pv2(conversion: Conversion, pv2: Segment, resource: Json) -> None:
    if reason := codeable_concept(conversion, pv2.value(3)):
        resource["reasonCode"] = [reason]
    if priority := codeable_concept(conversion, pv2.value(25), "0217"):
        resource["priority"] = priority
    days = decimal(pv2.text(11)) if pv2.text(11) else None
    if days is not None:
        unit = {"unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}
        resource["length"] = {"value": days, **unit}
    extensions: list[Json] = []
    for field, name in ((8, "plannedStartDate"), (9, "plannedEndDate")):
        if pv2.raw(field) and (planned := date_time(conversion, pv2.value(field))):
            url = f"http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.{name}"
            extensions.append({"url": url, "valueDateTime": planned})
    arrival = codeable_concept(conversion, pv2.value(38), "0430") if pv2.raw(38) else None
    if arrival and "coding" in arrival:
        url = f"{EXTENSION}encounter-modeOfArrival"
        extensions.append({"url": url, "valueCoding": arrival["coding"][0]})
    if extensions:
        resource["extension"] = extensions
    if pv2.text(22).upper() == "Y":
        resource["meta"] = {"security": [RESTRICTED]}
