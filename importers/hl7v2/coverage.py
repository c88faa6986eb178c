"""IN1, IN2 and IN3 → Coverage, with payor and subscriber. http://hl7.org/fhir/uv/v2mappings, map IN1[Coverage].

A Coverage is found by its patient, company, plan and policy number.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from importers.hl7v2.actors import organization
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.datatypes import (
    address,
    birth_date,
    codeable_concept,
    coded,
    contact_points,
    date,
    human_name,
)
from importers.hl7v2.er7 import Segment
from importers.hl7v2.identifiers import identifier, token
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.keyed import of_patient
from importers.hl7v2.override import overridable
from importers.hl7v2.related_person import is_patient_himself, person_match
from resources.codec import Json

_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
_SUBSCRIBER_ID = "http://hl7.org/fhir/5.0/StructureDefinition/extension-subscriberId"


def coverages(conversion: Conversion, patient: Draft) -> list[Draft]:
    """A Coverage for each IN1, with what the IN2 after it adds."""
    found: list[tuple[Segment, Segment | None]] = []
    for segment in conversion.message.segments:
        if segment.name == "IN1":
            found.append((segment, None))
        elif segment.name == "IN2" and found and found[-1][1] is None:
            found[-1] = (found[-1][0], segment)
    return [_coverage(conversion, in1, in2, patient) for in1, in2 in found]


@overridable("IN1")
def _coverage(conversion: Conversion, in1: Segment, in2: Segment | None, patient: Draft) -> Draft:
    resource: Json = {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": conversion.reference(patient),
    }
    resource["payor"] = [_payor(conversion, in1, resource)]
    if kind := (codeable_concept(conversion, in1.value(15), "0086") if in1.raw(15) else None):
        resource["type"] = kind
    _add_subscriber(conversion, in1, in2, resource, patient)
    if relationship := (codeable_concept(conversion, in1.value(17), "0063") if in1.raw(17) else None):
        resource["relationship"] = relationship
    start = date(conversion, in1.value(12)) if in1.raw(12) else None
    end = date(conversion, in1.value(13)) if in1.raw(13) else None
    if start and end and end < start:
        told = "The end of the insurance lies before its beginning; it was left out"
        conversion.issue(f"{in1.place}-13", told, DATA_TYPE_ERROR)
        end = None
    bounds = {name: bound for name, bound in (("start", start), ("end", end)) if bound}
    if bounds:
        resource["period"] = bounds
    _add_classes(in1, resource)
    if (order := in1.text(1)).isdecimal() and 0 < int(order[:10]) < 2**31 and len(order) < 11:
        resource["order"] = int(order)
    match = (of_patient(patient),)
    return conversion.add(resource, match=match, same=partial(_same, _key(resource)))


def _payor(conversion: Conversion, in1: Segment, resource: Json) -> Json:
    """The insurance company: by its number (IN1-3), else inside the Coverage, since a name is nobody's identity."""
    name = in1.text(4) or in1.text(2, 2) or in1.text(2)
    number = identifier(conversion, in1.value(3)) if in1.raw(3) else None
    if number is None and in1.value(4).text(10):
        found = organization(conversion, in1.value(4))
        if found is not None:
            return found
    company: Json = {"resourceType": "Organization"}
    if number is not None:
        company["identifier"] = [number]
    if name:
        company["name"] = name
    addresses = [_of_company(found) for value in in1.values(5) if (found := address(conversion, value))]
    if addresses:
        company["address"] = addresses
    telecom = [
        _of_company(each) for value in in1.values(7) for each in contact_points(conversion, value, "work")
    ]
    if telecom:
        company["telecom"] = telecom
    if number is not None:
        draft = conversion.add(company, match=(token(number),), role="reference")
        reference = conversion.reference(draft)
        return {**reference, "display": name} if name else reference
    if not name:
        return {"display": "unknown"}
    if set(company) == {"resourceType", "name"}:
        return {"display": name}
    resource["contained"] = [{**company, "id": "payor"}]
    return {"reference": "#payor", "display": name}


def _of_company(contact: Json) -> Json:
    """An address or telephone number of a company, which is nobody's home whatever its sender says (org-2, org-3)."""
    return {name: value for name, value in contact.items() if name != "use" or value != "home"}


def _add_subscriber(
    conversion: Conversion, in1: Segment, in2: Segment | None, resource: Json, patient: Draft
) -> None:
    number = in1.text(36) or in1.text(49) or (in2.text(61) if in2 is not None else "")
    if number:
        resource["subscriberId"] = number
    if employer := in1.text(11):
        resource["policyHolder"] = {"display": employer}
    if in1.raw(49) and (known := identifier(conversion, in1.value(49))):
        resource["extension"] = [{"url": _SUBSCRIBER_ID, "valueIdentifier": known}]
    if is_patient_himself(in1.text(17)):
        resource["subscriber"] = conversion.reference(patient)
        return
    names = [name for value in in1.values(16) if (name := human_name(conversion, value))]
    if not names:
        return
    person: Json = {"resourceType": "RelatedPerson", "patient": conversion.reference(patient), "name": names}
    if relationship := (codeable_concept(conversion, in1.value(17), "0063") if in1.raw(17) else None):
        person["relationship"] = [relationship]
    if born := (birth_date(conversion, in1.value(18)) if in1.raw(18) else None):
        person["birthDate"] = born
    addresses = [found for value in in1.values(19) if (found := address(conversion, value))]
    if addresses:
        person["address"] = addresses
    person |= coded(conversion, "gender", "0001", in1.text(43))
    resource["subscriber"] = conversion.reference(person_match(conversion, person, patient))


def _add_classes(in1: Segment, resource: Json) -> None:
    classes = []
    for code, value, name in (("group", in1.text(8), in1.text(9)), ("plan", in1.text(2), in1.text(2, 2))):
        if value:
            kind = {"coding": [{"system": _CLASS, "code": code}]}
            classes.append({"type": kind, "value": value, **({"name": name} if name else {})})
    if classes:
        resource["class"] = classes


def _key(coverage: Json) -> Hashable:
    """Who pays under which plan and policy, whatever else is corrected."""
    payor = coverage["payor"][0]
    plans = tuple(
        each["value"] for each in coverage.get("class", ()) if each["type"]["coding"][0]["code"] == "plan"
    )
    return payor.get("display"), plans, coverage.get("subscriberId")


def _same(key: Hashable, stored: Json) -> bool:
    return bool(stored.get("payor")) and _key(stored) == key
