"""Dates, codes and numbers: elements of FHIR of the simple data types and of CWE and its kin.

What cannot be mapped is kept as text or as a code without a standard system, or told as an issue. After the maps of
data types in http://hl7.org/fhir/uv/v2mappings.
"""

from __future__ import annotations

import re
from decimal import Decimal

from importers.hl7v2 import times
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.override import overridable
from resources import codec
from resources.codec import Json

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"

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


def birth_date(conversion: Conversion, value: Value) -> str | None:
    """A date on which somebody alive may have been born; another one is told, and None."""
    born = date(conversion, value)
    if born is not None and not times.is_birth(born):
        told = "A date of birth lies between 150 years ago and today; this one was not taken for one"
        conversion.issue(value.place, told, DATA_TYPE_ERROR)
        return None
    return born


def instant(conversion: Conversion, value: Value) -> str | None:
    """An instant of a TS or DTM."""
    return _told(conversion, value, times.instant(value.text(), conversion.config.zone), "date and time")


def _told(conversion: Conversion, value: Value, found: str | None, expected: str) -> str | None:
    if found is None and value.text():
        conversion.issue(
            value.place, f"This is no {expected} as HL7 writes it, YYYYMMDDHHMMSS", DATA_TYPE_ERROR
        )
    return found


def as_text(element: str, value: Value) -> Json:
    """What was sent for a date and is none, as text in an extension of the element: `{"_birthDate": …}`."""
    text = value.text()
    kept = {"url": f"{EXTENSION}originalText", "valueString": text}
    return {f"_{element}": {"extension": [kept]}} if text else {}


def period(conversion: Conversion, start: Value, end: Value) -> Json | None:
    """A Period of two TS, or of the components of a DR; None if both are empty."""
    found = {"start": date_time(conversion, start), "end": date_time(conversion, end)}
    if times.is_backwards(found["start"], found["end"]):
        conversion.issue(end.place, "The end lies before the beginning; it was left out", DATA_TYPE_ERROR)
        del found["end"]
    return {name: bound for name, bound in found.items() if bound} or None


def coded(conversion: Conversion, element: str, table: str, code: str) -> Json:
    """A code element with a required binding: `{"use": "home"}`; a code without target stays as an extension."""
    if not code:
        return {}
    known = conversion.code(table, code)
    if known is not None:
        return {element: known["code"]}
    coding = {"system": V2_TABLE + table[:4], "code": " ".join(code.split())}
    kept = {"url": f"{EXTENSION}alternate-codes", "valueCodeableConcept": {"coding": [coding]}}
    return {f"_{element}": {"extension": [kept]}}


@overridable("CWE")
def codeable_concept(conversion: Conversion, value: Value, table: str = "") -> Json | None:
    """A CodeableConcept of a CWE, CE, CNE, CF, IS or ID; of the codes of `table` where no other system is named."""
    size = value.size
    codings: list[Json] = []
    for first, _, _ in _TRIPLETS:
        if first <= size:
            codings += codings_at(conversion, value, first, table if first == 1 else "")
    text = value.text(9) if size > 8 else ""
    if codings:
        return {"coding": codings, "text": text} if text else {"coding": codings}
    text = text or value.text(2) or value.text(5)
    return {"text": text} if text else None


_TRIPLETS = ((1, 7, 14), (4, 8, 17), (10, 13, 20))
"""Of CWE: where code, text and system begin, where the version of the system is, and where its OID"""
_BEHIND = {first: (version, oid) for first, version, oid in _TRIPLETS}


def codings_at(conversion: Conversion, value: Value, first: int, table: str = "") -> list[Json]:
    """The Codings of the triplet code, text, system that begins at a component; what a map adds comes first."""
    code = " ".join(value.text(first).split())
    if not code:
        return []
    display, name = value.text(first + 1), value.text(first + 2)
    own = conversion.config.code_maps
    if own and (mapped := own.get(name, {}).get(code)) is not None:
        return [dict(mapped), _coding(conversion.coding_system(name), code, display)]
    if table and (not name or name.upper() == f"HL7{table[:4]}"):
        known = conversion.code(table, code)
        if known is not None:
            same = known["code"] == code
            sent = [] if same else [_coding(V2_TABLE + table[:4], code, display)]
            return [dict(known), *sent]
    version, oid = _BEHIND[first]
    coding = _coding(conversion.coding_system(name or value.text(oid)), code, display)
    if said := value.text(version):
        coding["version"] = said
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


def unit(conversion: Conversion, units: Value) -> Json:
    """`unit`, `system` and `code` of a Quantity, of a CWE or CE; a code without named system is only a unit."""
    code, display, name = " ".join(units.text(1).split()), units.text(2), units.text(3)
    found: Json = {}
    if display or code:
        found["unit"] = display or code
    if code and name:
        found |= {"system": conversion.coding_system(name), "code": code}
    return found
