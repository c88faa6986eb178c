"""Data types of HL7 v2 as data types of FHIR: each function takes a Value and gives an element, or None.

What cannot be mapped is kept as text or as a code without a standard system, or told as an issue. Practitioners,
organizations and places, which are resources of their own, are in `actors`. After the maps of data types in
http://hl7.org/fhir/uv/v2mappings.
"""

from __future__ import annotations

import re
from decimal import Decimal

from importers.hl7v2 import identifiers, times
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.override import overridable
from resources import codec
from resources.codec import Json

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"

_PRECISIONS = {"Y": 4, "L": 6, "D": 8}
_NUMBER = re.compile(r"([+-]?)0*(\d*)(?:\.(\d*))?", re.ASCII)


@overridable("DTM")
def date_time(conversion: Conversion, value: Value) -> str | None:
    """A dateTime of a TS, DTM or DT; what is no date is told, and None.

    TS.2 of older versions says how much of it is meant (table 0529).
    """
    text = value.text()
    if (meant := _PRECISIONS.get(value.text(2))) is not None:
        text = text[:meant]
    return _told(conversion, value, times.date_time(text, conversion.config.zone), "date or time")


def date(conversion: Conversion, value: Value) -> str | None:
    """A date of a TS, DTM or DT, without time of the day."""
    return _told(conversion, value, times.date(value.text()), "date")


def instant(conversion: Conversion, value: Value) -> str | None:
    """An instant of a TS or DTM."""
    return _told(conversion, value, times.instant(value.text(), conversion.config.zone), "date and time")


def time(conversion: Conversion, value: Value) -> str | None:
    """A time of a TM."""
    return _told(conversion, value, times.time(value.text()), "time")


def _told(conversion: Conversion, value: Value, found: str | None, expected: str) -> str | None:
    if found is None and value.text():
        conversion.issue(
            value.place, f"This is no {expected} as HL7 writes it, YYYYMMDDHHMMSS", DATA_TYPE_ERROR
        )
    return found


def period(conversion: Conversion, start: Value, end: Value) -> Json | None:
    """A Period of two TS, or of the components of a DR; None if both are empty."""
    found = {"start": date_time(conversion, start), "end": date_time(conversion, end)}
    return {name: bound for name, bound in found.items() if bound} or None


@overridable("XPN")
def human_name(conversion: Conversion, value: Value) -> Json | None:
    """A HumanName of an XPN, or of PN in older versions."""
    return _name(conversion, value, given=2, use=7, degree=6, since=(12, 13))


def practitioner_name(conversion: Conversion, value: Value) -> Json | None:
    """The HumanName inside of an XCN, whose first component is a number."""
    return _name(conversion, value, given=3, use=10, degree=7, since=(19, 20))


def _name(
    conversion: Conversion, value: Value, *, given: int, use: int, degree: int, since: tuple[int, int]
) -> Json | None:
    """`given` is the component of the first given name; family name, suffix and prefix stand around it."""
    name: Json = {}
    if family := value.text(given - 1):
        name["family"] = family
        if parts := _family_parts(value, given - 1):
            name["_family"] = {"extension": parts}
    if names := [each for each in (value.text(given), value.text(given + 1)) if each]:
        name["given"] = names
    if prefix := value.text(given + 3):
        name["prefix"] = [prefix]
    if suffixes := [each for each in (value.text(given + 2), value.text(degree)) if each]:
        name["suffix"] = suffixes
    if not name:
        return None
    name |= coded(conversion, "use", "0200", value.text(use))
    if known := period(conversion, value.component(since[0]), value.component(since[1])):
        name["period"] = known
    return name


def _family_parts(value: Value, component: int) -> list[Json]:
    """Of an FN: http://hl7.org/fhir/R4/extension-humanname-own-name.html and its kin."""
    parts = {"own-prefix": 2, "own-name": 3, "partner-prefix": 4, "partner-name": 5}
    return [
        {"url": f"{EXTENSION}humanname-{part}", "valueString": text}
        for part, number in parts.items()
        if (text := value.text(component, number))
    ]


@overridable("XAD")
def address(conversion: Conversion, value: Value) -> Json | None:
    """An Address of an XAD, or of AD in older versions."""
    lines = (value.text(1), value.text(1, 2), value.text(1, 3), value.text(2), value.text(19))
    found: Json = {}
    if line := [each for each in lines if each]:
        found["line"] = line
    for name, component in (("city", 3), ("district", 9), ("state", 4), ("postalCode", 5), ("country", 6)):
        if text := value.text(component):
            found[name] = text
    if not found:
        return None
    kind = value.text(7)
    if (known := conversion.code("0190/type", kind)) is not None:
        found["type"] = known["code"]
    else:
        found |= coded(conversion, "use", "0190", kind)
    if (told := period(conversion, value.component(13), value.component(14))) is not None:
        found["period"] = told
    return found


@overridable("XTN")
def contact_point(conversion: Conversion, value: Value, use: str = "") -> Json | None:
    """A ContactPoint of an XTN, or of TN in older versions, its number exactly as sent.

    `use` holds where XTN.2 says nothing: home of PID-13, work of PID-14.
    """
    equipment, said_use = value.text(3), value.text(2)
    mail = value.text(4)
    number = value.text(12) or value.text(1) or _composed(value)
    system = conversion.code("0202", equipment)
    kind = system["code"] if system is not None else ""
    if kind == "mobile":
        kind, use = "phone", "mobile"
    if kind == "email" or (not equipment and (said_use == "NET" or (mail and not number))):
        kind, number = "email", mail or number
    if not number:
        return None
    if not kind:
        kind = "email" if "@" in number else "phone"
    found: Json = {"system": kind, "value": number}
    if use != "mobile" and said_use != "NET" and (known := coded(conversion, "use", "0201", said_use)):
        return found | known
    if use:
        found["use"] = use
    return found


def _composed(value: Value) -> str:
    """A number of the parts that newer versions have: country, area, local number, extension."""
    country, area, local, extension = (value.text(component) for component in (5, 6, 7, 8))
    if not local:
        return ""
    parts = (f"+{country.lstrip('+')}" if country else "", area, local, f"X{extension}" if extension else "")
    return " ".join(part for part in parts if part)


def coded(conversion: Conversion, element: str, table: str, code: str) -> Json:
    """A code element with a required binding: `{"use": "home"}`; a code without target stays as an extension."""
    if not code:
        return {}
    known = conversion.code(table, code)
    if known is not None:
        return {element: known["code"]}
    coding = {
        "system": f"http://terminology.hl7.org/CodeSystem/v2-{table[:4]}",
        "code": " ".join(code.split()),
    }
    kept = {"url": f"{EXTENSION}alternate-codes", "valueCodeableConcept": {"coding": [coding]}}
    return {f"_{element}": {"extension": [kept]}}


def identifier(conversion: Conversion, value: Value, scope: str | None = None) -> Json | None:
    """An Identifier of a CX."""
    return identifiers.identifier(conversion, value, scope)


def entity_identifier(
    conversion: Conversion, value: Value, type_code: str = "", scope: str | None = None
) -> Json | None:
    """An Identifier of an EI; `type_code` as PLAC or FILL."""
    return identifiers.entity(conversion, value, type_code, scope)


@overridable("CWE")
def codeable_concept(conversion: Conversion, value: Value, table: str = "") -> Json | None:
    """A CodeableConcept of a CWE, CE, CNE, IS or ID; of the codes of `table` where no other system is named."""
    codings: list[Json] = []
    for first in (1, 4, 10):
        codings += codings_at(conversion, value, first, table if first == 1 else "")
    found: Json = {}
    if codings:
        found["coding"] = codings
    text = value.text(9) or ("" if codings else value.text(2) or value.text(1) or value.text(5))
    if text:
        found["text"] = text
    return found or None


def codings_at(conversion: Conversion, value: Value, first: int, table: str = "") -> list[Json]:
    """The Codings of the triplet code, text, system that begins at a component; what a map adds comes first."""
    code, display, name = " ".join(value.text(first).split()), value.text(first + 1), value.text(first + 2)
    if not code:
        return []
    own_map = conversion.config.code_maps.get(name)
    if own_map is not None and (mapped := own_map.get(code)) is not None:
        return [dict(mapped), _coding(conversion.coding_system(name), code, display)]
    if table and (not name or name.upper() == f"HL7{table[:4]}"):
        known = conversion.code(table, code)
        if known is not None:
            return [dict(known)]
        name = name or ""
    system = conversion.coding_system(name)
    coding = _coding(system, code, display)
    if version := value.text({1: 7, 4: 8, 10: 13}[first]):
        coding["version"] = version
    return [coding]


def _coding(system: str, code: str, display: str) -> Json:
    coding = {"system": system, "code": code}
    if display:
        coding["display"] = display
    return coding


def decimal(text: str) -> Decimal | None:
    """A number with the digits that were sent (`6.30`); None for what is no number."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    sign, whole, fraction = match.groups()
    if not whole and not fraction and "0" not in text:
        return None
    if len(whole) + len(fraction or "") > codec.MAX_DIGITS:
        return None
    spelled = (whole or "0") + (f".{fraction}" if fraction else "")
    return codec.number(f"-{spelled}" if sign == "-" else spelled)


def quantity(conversion: Conversion, text: str, units: Value) -> Json | None:
    """A Quantity of the text of an NM and of its units (OBX-6); None, and an issue, if it is no number."""
    number = decimal(text)
    if number is None:
        return None
    return {"value": number, **unit(conversion, units)}


def unit(conversion: Conversion, units: Value) -> Json:
    """`unit`, `system` and `code` of a Quantity, of a CWE or CE; a code without named system is only a unit."""
    code, display, name = " ".join(units.text(1).split()), units.text(2), units.text(3)
    found: Json = {}
    if display or code:
        found["unit"] = display or code
    if code and name:
        found |= {"system": conversion.coding_system(name), "code": code}
    return found
