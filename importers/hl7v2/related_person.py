"""NK1 and GT1 → RelatedPerson, Patient.contact and Account. http://hl7.org/fhir/uv/v2mappings, map NK1[…].

A related person is found by the patient and the name.
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
    human_name,
    identifier,
    period,
)
from importers.hl7v2.er7 import Segment
from importers.hl7v2.identifiers import authority, system, token, type_concept
from importers.hl7v2.keyed import of_patient
from importers.hl7v2.override import overridable
from importers.hl7v2.patient import MOST_NUMBERS, strong_numbers
from resources.codec import Json
from resources.datatypes import period_interval

_ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_HIMSELF = {"SEL", "SE", "SELF", "SLF", "ONESELF", "18"}


def is_patient_himself(relationship: str) -> bool:
    """Whether a code of table 0063 (as senders write it) means the patient."""
    return relationship.upper() in _HIMSELF


def next_of_kin(conversion: Conversion, patient: Draft) -> None:
    """A RelatedPerson and a contact of the patient for each NK1 with a name or an organization."""
    contacts = []
    for nk1 in conversion.message.all("NK1"):
        person = _person(conversion, nk1)
        if "name" in person:
            related = {"resourceType": "RelatedPerson", "patient": conversion.reference(patient), **person}
            if born := (birth_date(conversion, nk1.value(16)) if nk1.raw(16) else None):
                related["birthDate"] = born
            if numbers := [each for value in nk1.values(33) if (each := identifier(conversion, value))]:
                related["identifier"] = numbers
            person_match(conversion, related, patient)
        if contact := _contact(conversion, nk1, person):
            contacts.append(contact)
    if contacts:
        patient.resource["contact"] = contacts


def mother(conversion: Conversion, pid: Segment, patient: Draft) -> None:
    """The mother of a newborn, known by her numbers (PID-21)."""
    numbers = strong_numbers(conversion, pid.values(21)[:MOST_NUMBERS])
    if any(letter.isdigit() for each in numbers for letter in each["value"]):  # and not a misplaced Y or N
        relationship = {"system": _ROLE_CODE, "code": "MTH", "display": "mother"}
        resource = {
            "resourceType": "RelatedPerson",
            "identifier": numbers,
            "patient": conversion.reference(patient),
            "relationship": [{"coding": [relationship]}],
        }
        known = frozenset(each["value"] for each in numbers)
        conversion.add(resource, match=(of_patient(patient),), same=partial(_has_number, known))


@overridable("NK1")
def _person(conversion: Conversion, nk1: Segment) -> Json:
    """What RelatedPerson and Patient.contact have in common."""
    person: Json = {}
    if names := [each for value in nk1.values(2) if (each := human_name(conversion, value))]:
        person["name"] = names
    relationships = [
        each
        for field, table in ((3, "0063"), (7, "0131"))
        if nk1.raw(field) and (each := codeable_concept(conversion, nk1.value(field), table))
    ]
    if relationships:
        person["relationship"] = relationships
    points = []
    for field, use in ((5, "home"), (6, "work"), (40, "")):
        points += [each for value in nk1.values(field) for each in contact_points(conversion, value, use)]
    if points:
        person["telecom"] = points
    if addresses := [each for value in nk1.values(4) if (each := address(conversion, value))]:
        person["address"] = addresses
    person |= coded(conversion, "gender", "0001", nk1.text(15))
    since = period(conversion, nk1.value(8), nk1.value(9)) if nk1.raw(8) or nk1.raw(9) else None
    if since and period_interval(since):
        person["period"] = since
    return person


def _contact(conversion: Conversion, nk1: Segment, person: Json) -> Json | None:
    """One name and one address fit into Patient.contact."""
    contact = {name: value[0] if name in {"name", "address"} else value for name, value in person.items()}
    if nk1.raw(13) and (employer := organization(conversion, nk1.value(13))):
        contact["organization"] = employer
    is_somebody = contact.keys() & {"name", "telecom", "address", "organization"}
    return contact if is_somebody else None


def guarantors(conversion: Conversion, patient: Draft) -> list[Json]:
    """References to who pays for the patient, one for each GT1: the patient, or a RelatedPerson."""
    found = []
    for gt1 in conversion.message.all("GT1"):
        if is_patient_himself(gt1.text(11)):
            found.append(conversion.reference(patient))
            continue
        names = [each for value in gt1.values(3) if (each := human_name(conversion, value))]
        if names:
            found.append(conversion.reference(_guarantor(conversion, gt1, names, patient)))
    return found


@overridable("GT1")
def _guarantor(conversion: Conversion, gt1: Segment, names: list[Json], patient: Draft) -> Draft:
    relationships: list[Json] = [{"coding": [{"system": _ROLE_CODE, "code": "GUAR", "display": "guarantor"}]}]
    if gt1.raw(11) and (kind := codeable_concept(conversion, gt1.value(11), "0063")):
        relationships.append(kind)
    person: Json = {
        "resourceType": "RelatedPerson",
        "patient": conversion.reference(patient),
        "relationship": relationships,
        "name": names,
    }
    if numbers := [each for value in gt1.values(2) if (each := identifier(conversion, value))]:
        person["identifier"] = numbers
    points = []
    for field, use in ((6, "home"), (7, "work")):
        points += [each for value in gt1.values(field) for each in contact_points(conversion, value, use)]
    if points:
        person["telecom"] = points
    if addresses := [each for value in gt1.values(5) if (each := address(conversion, value))]:
        person["address"] = addresses
    if born := (birth_date(conversion, gt1.value(8)) if gt1.raw(8) else None):
        person["birthDate"] = born
    person |= coded(conversion, "gender", "0001", gt1.text(9))
    return person_match(conversion, person, patient)


def account(conversion: Conversion, pid: Segment, patient: Draft, encounter: Draft | None) -> Draft | None:
    """The Account of PID-18, which the guarantors pay and the visit is charged to."""
    payers = guarantors(conversion, patient)
    value = pid.value(18)
    number = value.text(1)
    if not number:
        return None
    kind = type_concept(conversion, value.text(5).upper() or "AN")
    found = {"type": kind, "system": system(conversion, authority(value.component(4)), "AN"), "value": number}
    resource: Json = {
        "resourceType": "Account",
        "identifier": [found],
        "status": "active",
        "subject": [conversion.reference(patient)],
    }
    if payers:
        resource["guarantor"] = [{"party": each} for each in payers]
    draft = conversion.add(resource, match=(token(found),))
    if encounter is not None:
        encounter.resource["account"] = [conversion.reference(draft)]
    return draft


def person_match(conversion: Conversion, person: Json, patient: Draft) -> Draft:
    """The draft of a RelatedPerson; one of the same name in the same message is the same, completed."""
    key = _key(person)
    known = conversion.named.get((patient.url, key))
    if known is not None:
        _complete(known.resource, person)
        return known
    draft = conversion.add(person, match=(of_patient(patient),), same=partial(_same, key))
    conversion.named[patient.url, key] = draft
    return draft


def _complete(known: Json, other: Json) -> None:
    for name, value in other.items():
        if name == "relationship":
            known[name] = [*known.get(name, []), *(each for each in value if each not in known.get(name, []))]
        else:
            known.setdefault(name, value)


def _key(person: Json) -> Hashable:
    name = (person.get("name") or [{}])[0]
    given = name.get("given", [""])[0]
    return str(name.get("family", "")).casefold(), str(given).casefold()


def _same(key: Hashable, stored: Json) -> bool:
    return _key(stored) == key


def _has_number(known: frozenset[str], stored: Json) -> bool:
    return any(each.get("value") in known for each in stored.get("identifier", ()))
