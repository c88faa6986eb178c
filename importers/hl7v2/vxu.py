"""VXU^V04 → Immunization. http://hl7.org/fhir/uv/v2mappings, RXA[Immunization], RXR[Immunization], ORC[Immunization].

OBX say what belongs to the vaccination (funding, eligibility, information given, doses of the series); others are
observations of their own. docs/hl7v2.md#immunization
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import actors, datatypes, identifiers, service_request, vaccine_details
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.documents import observed
from importers.hl7v2.dosage import quantity_at
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import DATA_TYPE_ERROR, REQUIRED_FIELD_MISSING, TABLE_VALUE_NOT_FOUND
from importers.hl7v2.notes import remarks
from importers.hl7v2.obx import Panel
from importers.hl7v2.order_group import OrderGroup, Result, by_patient, orders
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_STATUS = {"CP": "completed", "PA": "completed", "RE": "not-done", "NA": "not-done"}
"""Table 0322"""
_NO_NUMBER = frozenset({"", "0", "9999"})
"""Fillers without a number for the order write this into ORC-3"""
_ROLES = "http://terminology.hl7.org/CodeSystem/v2-0443"
_UNKNOWN_DOSE = 999


def vaccinations(conversion: Conversion) -> None:
    """The vaccinations of a message; the sender knows the patient well."""
    for part in by_patient(conversion):
        about = subject(part, role="fact")
        found = orders(part.message)
        for result in found.results:
            observed(part, [result], Panel(_of_person(part, result), about.elements()))
        for group in found.groups:
            _group(part, group, about)


def _of_person(conversion: Conversion, result: Result) -> str:
    """A key of what is said of the patient himself: immunity to one disease is not immunity to another."""
    pid = conversion.message.first("PID")
    number = pid.text(3) or pid.text(2) if pid is not None else ""
    return f"{conversion.facility}/{number or conversion.content}/{result.obx.text(5)[:40]}"


def _group(conversion: Conversion, group: OrderGroup, about: Subject) -> None:
    rxa = next((segment for segment in group.others if segment.name == "RXA"), None)
    if rxa is None:
        return
    draft = immunization(conversion, rxa, group, about)
    if draft is None:
        return
    shared = about.elements()
    rest = vaccine_details.add(conversion, group.results, draft.resource)
    if rest:
        shared["partOf"] = [conversion.reference(draft)]
        key = str(draft.resource["identifier"][-1]["value"])
        observed(conversion, rest, Panel(key, shared))


@overridable("RXA")
def immunization(conversion: Conversion, rxa: Segment, group: OrderGroup, about: Subject) -> Draft | None:
    """The Immunization of an RXA; None without a vaccine or a patient."""
    vaccine = datatypes.codeable_concept(conversion, rxa.value(5))
    if vaccine is None or about.patient is None:
        conversion.issue(
            rxa.place, "A vaccination needs a patient and a vaccine (RXA-5)", REQUIRED_FIELD_MISSING, "error"
        )
        return None
    resource: Json = {"resourceType": "Immunization"}
    match = _numbers(conversion, rxa, group, resource)
    _add_status(conversion, rxa, resource)
    resource["vaccineCode"] = vaccine
    resource["patient"] = about.patient
    if about.encounter is not None:
        resource["encounter"] = about.encounter
    _add_times(conversion, rxa, group.orc, resource)
    _add_source(conversion, rxa, resource)
    _add_place(conversion, rxa, resource)
    _add_product(conversion, rxa, resource)
    for rxr in (segment for segment in group.others if segment.name == "RXR"):
        for field, name, table in ((2, "site", "0163"), (1, "route", "0162")):
            if name not in resource and (
                concept := datatypes.codeable_concept(conversion, rxr.value(field), table)
            ):
                resource[name] = concept
    dose = quantity_at(conversion, rxa, 6, 7)
    if dose is not None and dose["value"] != _UNKNOWN_DOSE:
        resource["doseQuantity"] = dose
    _add_people(conversion, rxa, group.orc, resource)
    if notes := remarks(conversion, group.notes):
        resource["note"] = notes
    if reasons := service_request.concepts(conversion, rxa, 19):
        resource["reasonCode"] = reasons
    if rxa.text(20).upper() == "PA":
        resource["isSubpotent"] = True
    return conversion.add(resource, match)


def _numbers(conversion: Conversion, rxa: Segment, group: OrderGroup, resource: Json) -> tuple[str, ...]:
    known = service_request.numbers(conversion, group)
    usable = [
        each for each in (known.filler, known.placer) if each is not None and each["value"] not in _NO_NUMBER
    ]
    code = rxa.text(5)
    if usable:
        key = f"{service_request.short(conversion, usable[0])}/{code}"
    else:
        key = "/".join((conversion.facility, "", rxa.text(3), code, rxa.text(15)))
    own = {"system": conversion.config.derived_uri("immunization"), "value": " ".join(key.split())}
    resource["identifier"] = [*usable, own]
    match: tuple[str, ...] = (identifiers.token(own),)
    if usable and rxa.text(21).upper() in ("U", "D"):
        match += (identifiers.token(usable[0]),)
    return match


def _add_status(conversion: Conversion, rxa: Segment, resource: Json) -> None:
    code = rxa.text(20).upper()
    if rxa.text(21).upper() == "D":
        resource["status"] = "entered-in-error"
    else:
        resource["status"] = _STATUS.get(code, "completed")
        if code and code not in _STATUS:
            told = "This code is not in table 0322; the vaccination was taken as completed"
            conversion.issue(f"{rxa.place}-20", told, TABLE_VALUE_NOT_FOUND)
    if rxa.raw(18) and (reason := datatypes.codeable_concept(conversion, rxa.value(18))):
        resource["statusReason"] = reason
    elif code == "RE":
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATOBJ"}
        resource["statusReason"] = {"coding": [coding]}


def _add_times(conversion: Conversion, rxa: Segment, orc: Segment | None, resource: Json) -> None:
    given = datatypes.date_time(conversion, rxa.value(3)) if rxa.raw(3) else None
    if given:
        resource["occurrenceDateTime"] = given
    else:
        resource["occurrenceString"] = rxa.text(3) or "unknown"
        if not rxa.raw(3):
            conversion.issue(f"{rxa.place}-3", "The date of the vaccination is missing", DATA_TYPE_ERROR)
    for segment, field in ((rxa, 22), (orc, 9)):
        if "recorded" in resource or segment is None or not segment.raw(field):
            continue
        if (recorded := datatypes.date_time(conversion, segment.value(field))) is not None:
            resource["recorded"] = recorded


def _add_source(conversion: Conversion, rxa: Segment, resource: Json) -> None:
    """RXA-9: 00 of NIP001 is a new vaccination, all others are told of an earlier one."""
    remarks_of = []
    for value in rxa.values(9):
        if value.text(3).upper() != "NIP001" and not (value.text(1).isdigit() and len(value.text(1)) == 2):
            if text := value.text(2) or value.text(1):
                remarks_of.append({"text": text})
            continue
        resource["primarySource"] = value.text(1) == "00"
        if value.text(1) != "00" and (origin := datatypes.codeable_concept(conversion, value)):
            resource["reportOrigin"] = origin
    if remarks_of:
        resource["note"] = remarks_of


def _add_place(conversion: Conversion, rxa: Segment, resource: Json) -> None:
    """RXA-27, else RXA-11, whose facility is its fourth component."""
    place = actors.location(conversion, rxa.value(27)) if rxa.raw(27) else None
    if place is None and rxa.raw(11):
        place = actors.location(conversion, rxa.value(11))
    if place is not None:
        resource["location"] = place


def _add_product(conversion: Conversion, rxa: Segment, resource: Json) -> None:
    if rxa.raw(17):
        value = rxa.value(17)
        maker: Json = {"display": name} if (name := value.text(2) or value.text(1)) else {}
        if code := value.text(1):
            maker["identifier"] = {"system": conversion.coding_system(value.text(3) or "MVX"), "value": code}
        if maker:
            resource["manufacturer"] = maker
    if lot := rxa.text(15):
        resource["lotNumber"] = lot
    if rxa.raw(16) and (expires := datatypes.date(conversion, rxa.value(16))):
        resource["expirationDate"] = expires


def _add_people(conversion: Conversion, rxa: Segment, orc: Segment | None, resource: Json) -> None:
    people = []
    for segment, field, role, display in (
        (rxa, 10, "AP", "Administering Provider"),
        (orc, 12, "OP", "Ordering Provider"),
    ):
        for value in segment.values(field) if segment is not None else ():
            if (actor := actors.practitioner(conversion, value)) is not None:
                function = {"coding": [{"system": _ROLES, "code": role, "display": display}]}
                people.append({"function": function, "actor": actor})
    if people:
        resource["performer"] = people


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {"VXU": vaccinations, "VXU^V04": vaccinations}
)
