"""PID and PD1 → Patient. http://hl7.org/fhir/uv/v2mappings, maps PID[Patient] and PD1[Patient].

A patient is found by PID-3, and by PID-2 and PID-4 where PID-3 has nothing (version 2.2 and before); by numbers
of strong types only (docs/hl7v2.md#identity). A Social Security number or a phone number finds nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from importers.hl7v2 import identifiers
from importers.hl7v2.actors import organization, practitioner
from importers.hl7v2.conversion import Conversion, ConversionError, Draft
from importers.hl7v2.datatypes import (
    EXTENSION,
    address,
    as_text,
    birth_date,
    codeable_concept,
    coded,
    contact_points,
    date_time,
    human_name,
    human_names,
    identifier,
)
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import CARDINALITY, REQUIRED_FIELD_MISSING, SEQUENCE_ERROR, Issue
from importers.hl7v2.override import overridable
from importers.hl7v2.race import ethnicity, race
from importers.hl7v2.roles import RESTRICTED
from importers.hl7v2.tables import codes
from importers.hl7v2.update import identifier_key
from resources.codec import Json

_SEX = {"FEMALE": "F", "MALE": "M", "OTHER": "O", "UNKNOWN": "U"}
_YES = {"Y": True, "N": False, "YES": True, "NO": False, "1": True, "0": False}
MOST_NUMBERS = 100
"""Identifiers of a patient, or of a visit, that are looked at in one message"""
_NO_NUMBER = re.compile(r"0+|9{6,}|UNKNOWN|UNK|NONE|N/?A|TEST", re.IGNORECASE)
"""What is written where a number is asked for and there is none"""

_DELETED = {
    5: ("name",),
    6: (f"extension.{EXTENSION}patient-mothersMaidenName",),
    7: ("birthDate",),
    8: ("gender",),
    11: ("address",),
    13: ("telecom.home",),
    14: ("telecom.work",),
    15: ("communication",),
    16: ("maritalStatus",),
    17: (f"extension.{EXTENSION}patient-religion",),
    19: (f"identifier.{identifiers.SSN}",),
    23: (f"extension.{EXTENSION}patient-birthPlace",),
    24: ("multipleBirthBoolean",),
    25: ("multipleBirthInteger",),
    26: (f"extension.{EXTENSION}patient-citizenship",),
    28: (f"extension.{EXTENSION}patient-nationality",),
    29: ("deceasedDateTime",),
    30: ("deceasedBoolean",),
}
"""PID field → what its `\"\"` deletes"""

_CODED_EXTENSIONS = (
    (17, "0006", "patient-religion", ""),
    (26, "", "patient-citizenship", "code"),
    (28, "", "patient-nationality", "code"),
    (39, "", "patient-citizenship", "code"),
)
"""PID field, HL7 table, extension, extension inside it"""


def patient(conversion: Conversion, role: str = "fact") -> Draft:
    """The Patient of the first PID and PD1; ConversionError without a PID.

    With role `reference`, demographics only fill gaps of a patient who is known.
    """
    pid = conversion.message.first("PID")
    if pid is None:
        told = "A PID segment was expected; without one nobody knows whose message this is"
        raise ConversionError(Issue("PID", told, SEQUENCE_ERROR, "error"))
    return patient_of(conversion, pid, conversion.message.first("PD1"), role)


@overridable("PID")
def patient_of(conversion: Conversion, pid: Segment, pd1: Segment | None = None, role: str = "fact") -> Draft:
    """The Patient of one PID."""
    resource, match, clear = demographics(conversion, pid)
    if pd1 is not None:
        _add_pd1(conversion, pd1, resource)
    if not match:
        told = "No number in PID-3 says who the patient is; a new Patient was made for this message"
        conversion.issue(pid.place + "-3", told, REQUIRED_FIELD_MISSING)
    return conversion.add(resource, match=match, clear=clear, role=role)


def demographics(conversion: Conversion, pid: Segment) -> tuple[Json, tuple[str, ...], tuple[str, ...]]:
    """Of a PID: the Patient, the searches that find it, the elements deleted."""
    resource: Json = {"resourceType": "Patient"}
    numbers, match = numbers_of(conversion, pid)
    if numbers:
        resource["identifier"] = numbers
    _add_names(conversion, pid, resource)
    _add_contact_points(conversion, pid, resource)
    _add_birth(conversion, pid, resource)
    _add_person(conversion, pid, resource)
    _add_death(conversion, pid, resource)
    _add_extensions(conversion, pid, resource)
    clear: tuple[str, ...] = ()
    if '""' in pid.line:
        clear = tuple(path for field, paths in _DELETED.items() if pid.is_null(field) for path in paths)
    return resource, match, clear


def numbers_of(conversion: Conversion, pid: Segment) -> tuple[list[Json], tuple[str, ...]]:
    """The Identifiers of a PID, and the searches by those that say who it is."""
    found: list[Json] = []
    match = _add_numbers(conversion, pid.values(3), found)
    others = [value for field in (2, 4) for value in pid.values(field)]
    weaker = _add_numbers(conversion, others, found)
    social = pid.text(19)
    if social:
        system = identifiers.SSN
        if not re.fullmatch(r"\d{3}-?\d{2}-?\d{4}", social):
            system = conversion.config.derived_uri("id", conversion.facility, "SS")
        kind = identifiers.type_concept(conversion, "SS")
        _put(found, {"type": kind, "system": system, "value": social})
    licence = pid.value(20) if pid.raw(20) else None
    if licence:
        state = licence.text(2)
        names = ("id", "DL", state) if state else ("id", conversion.facility, "DL")
        kind = identifiers.type_concept(conversion, "DL")
        number = {"type": kind, "system": conversion.config.derived_uri(*names), "value": licence.text(1)}
        if number["value"]:
            _put(found, number)
    return found, tuple(match or weaker)


def _add_numbers(conversion: Conversion, values: Iterable[Value], found: list[Json]) -> list[str]:
    match = []
    for value in values:
        if len(found) >= MOST_NUMBERS:
            told = f"A patient has at most {MOST_NUMBERS} numbers in a message; the others were left out"
            conversion.issue(value.place, told, CARDINALITY)
            break
        number = identifier(conversion, value)
        if number is not None:
            _put(found, number)
            if is_strong(conversion, value):
                match.append(identifiers.token(number))
    return match


def strong_numbers(conversion: Conversion, values: Iterable[Value]) -> list[Json]:
    """The Identifiers among CX that say who a patient is."""
    found = ((value, identifier(conversion, value)) for value in values)
    return [number for value, number in found if number is not None and is_strong(conversion, value)]


def _put(found: list[Json], number: Json) -> None:
    if identifier_key(number) not in {identifier_key(each) for each in found}:
        found.append(number)


def is_strong(conversion: Conversion, value: Value) -> bool:
    """Whether a CX says who a patient is: by its type, one that nobody knows included, or having none."""
    if _NO_NUMBER.fullmatch(value.text(1)):
        return False
    kind = value.text(5).upper()
    if not kind or conversion.config.is_strong(kind):
        return True
    return kind != "SSN" and codes.lookup("0203", kind) is None


def _add_names(conversion: Conversion, pid: Segment, resource: Json) -> None:
    names = human_names(conversion, pid, 5)
    for value in pid.values(9):
        alias = human_name(conversion, value)
        if alias is not None:
            names.append(alias if "use" in alias else {**alias, "use": "nickname"})
    if names:
        resource["name"] = names


def _add_contact_points(conversion: Conversion, pid: Segment, resource: Json) -> None:
    addresses = [found for value in pid.values(11) if (found := address(conversion, value))]
    county = pid.text(12)
    if county and len(addresses) == 1:
        addresses[0].setdefault("district", county)
    elif county and not addresses:
        addresses = [{"district": county}]
    if addresses:
        resource["address"] = addresses
    points: dict[object, Json] = {}
    for field, use in ((13, "home"), (14, "work"), (40, "")):
        for value in pid.values(field):
            for point in contact_points(conversion, value, use):
                points.setdefault((point["system"], point["value"], point.get("use")), point)
    if points:
        resource["telecom"] = list(points.values())


def _add_birth(conversion: Conversion, pid: Segment, resource: Json) -> None:
    if not pid.raw(7):
        return
    value = pid.value(7)
    born = birth_date(conversion, value)
    if born is None:
        resource |= as_text("birthDate", value)
        return
    resource["birthDate"] = born
    if len(value.text()) > 8:
        exact = date_time(conversion, value)
        if exact is not None and "T" in exact:
            time = {"url": f"{EXTENSION}patient-birthTime", "valueDateTime": exact}
            resource["_birthDate"] = {"extension": [time]}


def _add_person(conversion: Conversion, pid: Segment, resource: Json) -> None:
    sex = pid.text(8)
    resource |= coded(conversion, "gender", "0001", _SEX.get(sex.upper(), sex))
    marital = codeable_concept(conversion, pid.value(16), "0002") if pid.raw(16) else None
    if marital:
        resource["maritalStatus"] = marital
    language = codeable_concept(conversion, pid.value(15), "0296") if pid.raw(15) else None
    if language:
        resource["communication"] = [{"language": language}]
    order = pid.text(25)
    if order.isdigit() and 0 < int(order) < 100:
        resource["multipleBirthInteger"] = int(order)
    elif (multiple := _YES.get(pid.text(24).upper())) is not None:
        resource["multipleBirthBoolean"] = multiple


def _add_death(conversion: Conversion, pid: Segment, resource: Json) -> None:
    died = date_time(conversion, pid.value(29)) if pid.raw(29) else None
    if died:
        resource["deceasedDateTime"] = died
    elif (dead := _YES.get(pid.text(30).upper())) is not None:
        resource["deceasedBoolean"] = dead


def _add_extensions(conversion: Conversion, pid: Segment, resource: Json) -> None:
    found: list[Json] = []
    if pid.raw(10):
        found += race(pid.values(10))
    if pid.raw(22):
        found += ethnicity(pid.values(22))
    maiden = human_name(conversion, pid.value(6)) if pid.raw(6) else None
    if maiden is not None:
        text = maiden.get("family") or " ".join(maiden.get("given", ()))
        if text:
            found.append({"url": f"{EXTENSION}patient-mothersMaidenName", "valueString": text})
    if place := pid.text(23):
        found.append({"url": f"{EXTENSION}patient-birthPlace", "valueAddress": {"text": place}})
    for field, table, name, inner in _CODED_EXTENSIONS:
        for value in pid.values(field):
            concept = codeable_concept(conversion, value, table)
            if concept is not None:
                found.append(_coded_extension(name, inner, concept))
    animal = [
        {"url": part, "valueCodeableConcept": concept}
        for field, part in ((35, "species"), (36, "breed"))
        if pid.raw(field) and (concept := codeable_concept(conversion, pid.value(field)))
    ]
    if animal and animal[0]["url"] == "species":
        found.append({"url": f"{EXTENSION}patient-animal", "extension": animal})
    if found:
        resource["extension"] = found


def _coded_extension(name: str, inner: str, concept: Json) -> Json:
    url = f"{EXTENSION}{name}"
    if not inner:
        return {"url": url, "valueCodeableConcept": concept}
    return {"url": url, "extension": [{"url": inner, "valueCodeableConcept": concept}]}


def _add_pd1(conversion: Conversion, pd1: Segment, resource: Json) -> None:
    doctors = [found for value in pd1.values(3) if (found := organization(conversion, value))]
    doctors += [found for value in pd1.values(4) if (found := practitioner(conversion, value))]
    if doctors:
        resource["generalPractitioner"] = doctors
    extensions = []
    if handicap := codeable_concept(conversion, pd1.value(6)):
        extensions.append({"url": f"{EXTENSION}patient-disability", "valueCodeableConcept": handicap})
    if church := pd1.text(14):
        extensions.append({"url": f"{EXTENSION}patient-congregation", "valueString": church})
    if pd1.text(12).upper() == "Y":
        resource["meta"] = {"security": [RESTRICTED]}
    if extensions:
        resource["extension"] = [*resource.get("extension", []), *extensions]
