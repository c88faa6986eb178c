"""Identifiers and whose they are: the system that an assigning authority, or its lack, means.

http://hl7.org/fhir/R4/datatypes.html#Identifier; docs/hl7v2.md, "Whose number is it".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from importers.hl7v2 import times
from importers.hl7v2.er7 import Message, Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.override import overridable
from importers.hl7v2.tables import codes
from resources.codec import Json

if TYPE_CHECKING:
    from importers.hl7v2.config import FeedConfig
    from importers.hl7v2.conversion import Conversion

TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
SSN = "http://hl7.org/fhir/sid/us-ssn"
_NATIONAL = dict.fromkeys(("SS", "SSA", "SSN", "USSSA"), SSN) | {"NPI": "http://hl7.org/fhir/sid/us-npi"}
"""What of one country has a URI, as namespace, or as type of a number without one"""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*)){2,}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_TYPES_OF_ORDERS = {
    code: {"system": TYPES, "code": code, "display": display}
    for code, display in (
        ("PLAC", "Placer Identifier"),
        ("FILL", "Filler Identifier"),
        ("PGN", "Placer Group Number"),
        ("FGN", "Filler Group Number"),
        ("SHIP", "Shipment Tracking Number"),
    )
}
"""Types of table 0203 by which orders and specimens are told apart; the map of the table lacks them."""
_CHECK_DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
_SAME_TYPE = {"MRN": "MR", "SSN": "SS", "NPI#": "NPI"}
"""As senders write types of table 0203."""


def facility(message: Message) -> str:
    """Who sent it, as far as numbers without an authority are concerned: MSH-4, else MSH-3."""
    header = message.header
    named = (header.text(4), header.text(4, 2), header.text(3), header.text(3, 2))
    return next((name for name in named if name), "")


def universal_uri(universal_id: str, universal_id_type: str) -> str | None:
    """A URI for HD.2 and HD.3, or None if they are none that is unique by itself."""
    if universal_id_type.upper() in ("ISO", "OID", "") and universal_id.lower().startswith("urn:oid:"):
        universal_id = universal_id[8:]
    if _OID.fullmatch(universal_id):
        return f"urn:oid:{universal_id}"
    if _UUID.fullmatch(universal_id):
        return f"urn:uuid:{universal_id.lower()}"
    if _URI.fullmatch(universal_id):
        return universal_id
    return None


def system(
    conversion: Conversion, authority: tuple[str, str, str], type_code: str = "", scope: str | None = None
) -> str:
    """The system of numbers that an authority (HD: namespace, universal id, its type) gives.

    `scope` says whose numbers they are when there is no authority; by default the sender's.
    """
    config = conversion.config
    namespace, universal_id, universal_id_type = authority
    configured = config.identifier_systems
    if configured:
        names = [name for name in (namespace, universal_id) if name]
        for name in names or [""]:
            known = configured.get(f"{name}^{type_code}") or (configured.get(name) if name else None)
            if known is not None:
                return known
    for candidate in (universal_id, namespace):
        if candidate and (uri := universal_uri(candidate, universal_id_type)) is not None:
            return uri
    if (national := _NATIONAL.get((namespace or universal_id).upper() or type_code)) is not None:
        return national
    if scope is None:
        scope = conversion.facility
    if namespace or universal_id:
        return _derived(config, namespace, universal_id, scope)
    if type_code.startswith("NN") and len(type_code) > 2:
        return config.derived_uri("id", type_code)
    if not type_code or config.is_strong(type_code):
        return config.derived_uri("id", scope)
    return config.derived_uri("id", scope, type_code)


def _derived(config: FeedConfig, namespace: str, universal_id: str, scope: str) -> str:
    """Numbers, and types of identifiers that some senders put there, are no names of authorities."""
    for name in (namespace, universal_id):
        is_name = len(name) > 1 and not name.isdigit() and codes.lookup("0203", name) is None
        if is_name and config.namespaces == "shared":
            return config.derived_uri("id", name)
    return config.derived_uri("id", scope, namespace or universal_id)


def authority(value: Value) -> tuple[str, str, str]:
    """An HD, as a component or a field of its own: namespace, universal id, type of universal id."""
    return value.text(1), value.text(2), value.text(3)


def type_concept(conversion: Conversion, code: str) -> Json:
    """The type of an identifier as a CodeableConcept; codes that table 0203 lacks are kept without its system."""
    code = " ".join(code.split())
    known = conversion.code("0203", code) or _TYPES_OF_ORDERS.get(code)
    return {"coding": [dict(known)]} if known is not None else {"coding": [{"code": code}], "text": code}


@overridable("CX")
def identifier(conversion: Conversion, value: Value, scope: str | None = None) -> Json | None:
    """An Identifier of a CX; None without CX.1."""
    number = value.text(1)
    if not number:
        return None
    type_code = value.text(5).upper()
    type_code = _SAME_TYPE.get(type_code, type_code)
    named = _assigner(conversion, value)
    found: Json = {"system": system(conversion, named, type_code, scope), "value": number}
    if type_code:
        kind = type_concept(conversion, type_code)
        if (sent := " ".join(value.text(5).split())) != kind["coding"][0]["code"]:
            kind["coding"].append({"code": sent})
        found = {"type": kind, **found}
    if named[0]:
        found["assigner"] = {"display": named[0]}
    if period := _period(conversion, value):
        found["period"] = period
    if check_digit := value.text(2):
        found["extension"] = [{"url": _CHECK_DIGIT, "valueString": check_digit}]
    return found


def _assigner(conversion: Conversion, value: Value) -> tuple[str, str, str]:
    """CX.4, else the jurisdiction or agency of CX.9 and CX.10; where they disagree, CX.4 and an issue."""
    named = authority(value.component(4))
    for component in (9, 10) if value.size > 8 else ():
        other = value.text(component)
        if not other:
            continue
        if not any(named):
            named = (other, "", "")
        elif other not in named:
            told = f"Component {component} names another authority than component 4, which was taken"
            conversion.issue(f"{value.place}.{component}", told)
    return named


def _period(conversion: Conversion, value: Value) -> Json:
    if value.size < 7:
        return {}
    zone = conversion.config.zone
    bounds = {"start": times.date_time(value.text(7), zone), "end": times.date_time(value.text(8), zone)}
    if times.is_backwards(bounds["start"], bounds["end"]):
        conversion.issue(
            value.place, "It is valid until a day before it begins; the end was left out", DATA_TYPE_ERROR
        )
        del bounds["end"]
    return {name: bound for name, bound in bounds.items() if bound}


@overridable("EI")
def entity(
    conversion: Conversion, value: Value, type_code: str = "", scope: str | None = None
) -> Json | None:
    """An Identifier of an EI; None without EI.1. `type_code` (PLAC, FILL) becomes its type."""
    number = value.text(1)
    if not number:
        return None
    named = (value.text(2), value.text(3), value.text(4))
    found: Json = {"system": system(conversion, named, "", scope), "value": number}
    if type_code:
        found = {"type": type_concept(conversion, type_code), **found}
    return found


_PLAIN = re.compile(r"[A-Za-z0-9:/._~-]*")
"""What means itself in a search"""


def token(found: Json, parameter: str = "identifier") -> str:
    """The search that finds what has this Identifier: `identifier=system|value`, percent-encoded.

    http://hl7.org/fhir/R4/search.html#token
    """
    return f"{parameter}={_escaped(found.get('system', ''))}|{_escaped(found['value'])}"


@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    for special in "\\|,$":
        if special in text:
            text = text.replace(special, "\\" + special)
    return quote(text, safe=":/.-_~|,$@\\")
