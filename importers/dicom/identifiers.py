"""Numbers and who gave them: issuers of DICOM as systems of Identifiers.

PS3.3 10.14 (HL7v2 Hierarchic Designator macro); http://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from importers.dicom.sources import SourceConfig
from importers.dicom.study import LOCAL, first
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.identifiers import TYPES, token, universal_uri
from resources.codec import Json

__all__ = ["identifier", "issuer", "patient_identifier", "token"]

_TYPES = {
    "MR": "Medical record number",
    "ACSN": "Accession ID",
    "PLAC": "Placer Identifier",
    "FILL": "Filler Identifier",
    "VN": "Visit number",
    "SNO": "Serial Number",
}
_NOBODY = {"", "NOID", "NONE", "ANON", "ANONYMOUS", "ANONYMIZED", "ANONYMISED", "UNKNOWN", "0", "N/A"}
"""What is written where a number of a patient is asked for and there is none"""


def issuer(config: SourceConfig, item: Mapping[str, Any], namespace: str = "") -> tuple[str | None, str]:
    """System and display of an issuer: what is unique by itself, then what is configured, then its namespace.

    `namespace` is an issuer as text (0010,0021), which may have the form of HL7 (`NS&1.2.3&ISO`).
    """
    universal, kind = str(item.get("UniversalEntityID", "")), str(item.get("UniversalEntityIDType", ""))
    local = str(item.get("LocalNamespaceEntityID", "")) or namespace
    if "&" in local:
        local, universal, kind, *_ = (*local.split("&"), *((universal, kind) if universal else ("", "")))
    known = config.issuers.get(universal) or config.issuers.get(local)
    if known is None and universal:
        known = universal_uri(universal, kind)
    if known is None and local:
        known = universal_uri(local, "") or _derived(local)
    return known, local


def _derived(namespace: str) -> str:
    """As feeds of HL7 v2 name the same authority, so that one number is one number."""
    return FeedConfig().derived_uri("id", namespace)


def identifier(
    config: SourceConfig, value: Any, type_code: str, issued: tuple[str | None, str], kind: str
) -> Json | None:
    """An Identifier of a type of table 0203; None without a value. `kind` names the system if nobody issued it."""
    number = " ".join(str(value or "").split())
    if not number:
        return None
    system, display = issued
    concept = {"coding": [{"system": TYPES, "code": type_code, "display": _TYPES[type_code]}]}
    made: Json = {"type": concept, "system": system or config.system(kind), "value": number}
    if display:
        made["assigner"] = {"display": display}
    return made


def patient_identifier(config: SourceConfig, values: Mapping[str, Any]) -> Json | None:
    """The Identifier of PatientID; None where it names nobody. De-identified ones are in a system of their own."""
    number = str(values.get("PatientID", "")).strip()
    if number.upper() in _NOBODY:
        return None
    issued = issuer(
        config, first(values, "IssuerOfPatientIDQualifiersSequence"), str(values.get("IssuerOfPatientID", ""))
    )
    if str(values.get("PatientIdentityRemoved", "")).upper() == "YES":
        issued = (f"{LOCAL}:de-identified", issued[1])
    return identifier(config, number, "MR", issued, "patient")
