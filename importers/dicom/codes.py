"""Codes of DICOM (code sequences) as Codings and CodeableConcepts.

PS3.3 8.8, PS3.16 8.1 (designators of coding schemes); http://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from importers.dicom import uids
from importers.dicom.study import StudyConversion
from importers.dicom.tables import facts
from resources.codec import Json

_SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "DCM": facts.DCM,
        "SCT": facts.SNOMED,
        "LN": "http://loinc.org",
        "UCUM": "http://unitsofmeasure.org",
        "UCM": "http://unitsofmeasure.org",
        "RADLEX": "http://radlex.org",
        "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
        "FMA": "http://purl.org/sig/ont/fma",
        "I10": "http://hl7.org/fhir/sid/icd-10",
        "ICD10": "http://hl7.org/fhir/sid/icd-10",
        "MDC": "urn:iso:std:iso:11073:10101",
        "C4": "http://www.ama-assn.org/go/cpt",
    }
)
_SNOMED_RT = {"SRT", "SNM3", "99SDM"}
_OLD = re.compile(r"[A-Z][A-Z0-9]?-[0-9A-F]{3,6}")
"""A code of SNOMED RT: never one of SNOMED CT, whatever the designator says"""


def concept(study: StudyConversion, item: Mapping[str, Any]) -> Json | None:
    """The CodeableConcept of an item of a code sequence; None if it says nothing."""
    meaning = " ".join(str(item.get("CodeMeaning", "")).split())
    found = coding(study, item)
    made: Json = {}
    if found is not None:
        made["coding"] = [found]
    if meaning:
        made["text"] = meaning
    return made or None


def concepts(study: StudyConversion, items: Iterable[Mapping[str, Any]]) -> list[Json]:
    """CodeableConcepts of items, each once."""
    found: list[Json] = []
    for item in items:
        made = concept(study, item)
        if made is not None and made not in found:
            found.append(made)
    return found


def coding(study: StudyConversion, item: Mapping[str, Any]) -> Json | None:
    """The Coding of an item; None without a code, or with one of SNOMED RT that has no successor."""
    urn = item.get("URNCodeValue")
    code = " ".join(str(urn or item.get("CodeValue") or item.get("LongCodeValue") or "").split())
    if not code:
        return None
    designator = str(item.get("CodingSchemeDesignator", "")).strip()
    version = str(item.get("CodingSchemeVersion", "")).strip()
    if urn:
        found = "urn:ietf:rfc:3986"
    elif designator.upper() in _SNOMED_RT or (designator.upper() == "SCT" and _OLD.fullmatch(code)):
        current = facts.snomed_ct(code)
        if current is None:
            return None
        found, code, version = facts.SNOMED, current, ""
    else:
        found = system(study, designator)
    made: Json = {"system": found}
    if version and found != facts.SNOMED:  # versions of SNOMED CT are URIs in FHIR
        made["version"] = version
    made["code"] = code
    if meaning := " ".join(str(item.get("CodeMeaning", "")).split()):
        made["display"] = meaning
    return made


def system(study: StudyConversion, designator: str) -> str:
    """The URI of a coding scheme: configured, known, by its UID, else one derived of source and designator."""
    known = study.config.code_systems.get(designator) or _SYSTEMS.get(designator.upper())
    if known is not None:
        return known
    uid = study.schemes.get(designator)
    if uid and uids.is_uid(uid) and not uids.has_leading_zero(uid):
        return f"urn:oid:{uid}"
    return f"urn:x-local:{quote(study.config.name, safe='')}:{quote(designator, safe='') or '-'}"
