"""How what has no number of its own is found again: by its patient, its visit and its code.

docs/hl7v2.md#identity
"""

from __future__ import annotations

from collections.abc import Hashable

from importers.hl7v2.conversion import Draft
from importers.hl7v2.identifiers import token
from resources.codec import Json


def concept_key(concept: Json | None) -> tuple[str, str] | str:
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
        query += "&" + token({"system": key[0], "value": key[1]}, "code")
    return query


def has_code(key: Hashable, stored: Json) -> bool:
    """Whether a stored resource has the code; of an identifier in common nothing is said here."""
    return concept_key(stored.get("code")) == key


_ABATED = {"inactive", "resolved", "remission"}


def consistent(_stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """A Condition or AllergyIntolerance whose statuses agree, whatever was said of it at different times.

    What was entered in error has no clinical status, and is right again when it is sent again; what has an end is
    not active. http://hl7.org/fhir/R4/condition.html#invs (con-4, con-5)
    """
    result = dict(merged)
    if (
        newer
        and "verificationStatus" not in told
        and _code(result, "verificationStatus") == "entered-in-error"
    ):
        del result["verificationStatus"]
    ended = [name for name in result if name.startswith("abatement")]
    if _code(result, "verificationStatus") == "entered-in-error":
        for name in ("clinicalStatus", *ended):
            result.pop(name, None)
    elif ended and _code(result, "clinicalStatus") not in _ABATED:
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        result["clinicalStatus"] = {"coding": [{"system": system, "code": "resolved"}]}
    return result


def _code(resource: Json, name: str) -> str | None:
    codings = resource.get(name, {}).get("coding") or [{}]
    code: str | None = codings[0].get("code")
    return code
