"""How what has no number of its own is found again: by its patient, its visit and its code.

docs/hl7v2.md#identity
"""

from __future__ import annotations

from collections.abc import Hashable
from urllib.parse import quote

from importers.hl7v2.conversion import Draft
from resources.codec import Json


def concept_key(concept: Json | None) -> Hashable:
    """What a CodeableConcept is known by: its first code, else its text."""
    for coding in (concept or {}).get("coding", ()):
        if "code" in coding:
            return str(coding.get("system", "")), str(coding["code"])
    return str((concept or {}).get("text", "")).casefold()


def of_patient(patient: Draft, encounter: Draft | None = None, concept: Json | None = None) -> str:
    """The search for what is about a patient, in a visit, with a code; as far as each is given."""
    query = f"patient={patient.url}"
    if encounter is not None:
        query += f"&encounter={encounter.url}"
    key = concept_key(concept)
    if isinstance(key, tuple):
        query += "&code=" + "|".join(_escaped(part) for part in key)
    return query


def _escaped(text: str) -> str:
    for letter in "\\,|$":
        text = text.replace(letter, f"\\{letter}")
    return quote(text, safe=":/\\-._~")


def has_code(key: Hashable, stored: Json) -> bool:
    """Whether a stored resource has the code; of an identifier in common nothing is said here."""
    return concept_key(stored.get("code")) == key
