"""REF^I12 to I15 → ServiceRequest of a referral. HL7 v2.8.2 chapter 11 (RF1, PRD); docs/hl7v2.md#orders"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import actors, datatypes, identifiers, orders, service_request
from importers.hl7v2.conversion import Conversion, ConversionError, Draft
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING, Issue
from importers.hl7v2.notes import remarks
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_STATUS = {"A": "active", "P": "active", "R": "revoked", "E": "completed"}
"""Table 0283"""
_PRIORITY = {"S": "stat", "A": "asap", "R": "routine"}
"""Table 0280"""
_SENDING = frozenset({"RP"})
_RECEIVING = frozenset({"RT", "CP"})


def referrals(conversion: Conversion) -> None:
    """The referral of a message, with the orders and observations sent along."""
    rf1 = conversion.message.first("RF1")
    if rf1 is None and conversion.message.first("OBR") is None:
        told = "An RF1 segment was expected; without one, and without an OBR, there is no referral"
        raise ConversionError(Issue("RF1", told, REQUIRED_FIELD_MISSING, "error"))
    about = subject(conversion)
    if rf1 is not None:
        referral(conversion, rf1, about)
        orders.add(conversion, about)
        return
    conversion.issue("RF1", "RF1 is missing; the orders say what is asked", REQUIRED_FIELD_MISSING)
    for draft in orders.add(conversion, about)[:1]:
        for prd in conversion.message.all("PRD"):
            _add_provider(conversion, prd, draft.resource)


@overridable("RF1")
def referral(conversion: Conversion, rf1: Segment, about: Subject) -> Draft:
    """The ServiceRequest of an RF1 and of the providers around it."""
    found = [
        number
        for field, code in ((6, "PLAC"), (11, "FILL"))
        if rf1.raw(field) and (number := identifiers.entity(conversion, rf1.value(field), code)) is not None
    ]
    resource: Json = {"resourceType": "ServiceRequest"}
    if found:
        resource["identifier"] = found
    cancelled = conversion.message.event == "I14"
    resource["status"] = "revoked" if cancelled else _STATUS.get(rf1.text(1).upper(), "active")
    resource["intent"] = "order"
    if priority := _PRIORITY.get(rf1.text(2).upper()):
        resource["priority"] = priority
    coding = {"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}
    resource["category"] = [{"coding": [coding]}]
    if kind := datatypes.codeable_concept(conversion, rf1.value(3), "0281"):
        resource["code"] = kind
    resource |= about.elements()
    if rf1.raw(7) and (written := datatypes.date_time(conversion, rf1.value(7))):
        resource["authoredOn"] = written
    for prd in conversion.message.all("PRD"):
        _add_provider(conversion, prd, resource)
    if about.insurance:
        resource["insurance"] = [*about.insurance]
    if reasons := service_request.concepts(conversion, rf1, 10):
        resource["reasonCode"] = reasons
    if notes := remarks(conversion, conversion.message.all("NTE")):
        resource["note"] = notes
    return conversion.add(resource, tuple(identifiers.token(number) for number in found))


def _add_provider(conversion: Conversion, prd: Segment, resource: Json) -> None:
    """PRD-1 says whether the provider refers (RP) or is referred to (RT)."""
    roles = {value.text(1).upper() for value in prd.values(1)}
    person = _provider(conversion, prd)
    if person is None:
        return
    if roles & _SENDING:
        resource["requester"] = person
    elif roles & _RECEIVING:
        resource["performer"] = [*resource.get("performer", ()), person]


def _provider(conversion: Conversion, prd: Segment) -> Json | None:
    name = datatypes.human_name(conversion, prd.value(2)) if prd.raw(2) else None
    number: Value | None = prd.value(7) if prd.raw(7) else None
    display = actors.shown(name) if name else ""
    if number is None or not number.text(1):
        return {"display": display} if display else None
    authority = (number.text(3), "", "")
    identifier: Json = {
        "system": identifiers.system(conversion, authority, number.text(2)),
        "value": number.text(1),
    }
    resource: Json = {"resourceType": "Practitioner", "identifier": [identifier]}
    if name:
        resource["name"] = [name]
    draft = conversion.add(resource, (identifiers.token(identifier),), role="reference")
    return {**conversion.reference(draft), **({"display": display} if display else {})}


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {f"REF^{event}": referrals for event in ("I12", "I13", "I14", "I15")}
)
