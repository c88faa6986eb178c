"""PR1 → Procedure. http://hl7.org/fhir/uv/v2mappings, map PR1[Procedure].

A procedure is found by PR1-19, else by its patient, visit, code and time.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from importers.hl7v2 import identifiers
from importers.hl7v2.actors import practitioner
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.datatypes import codeable_concept, date_time
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.keyed import concept_key, has_code, of_patient
from importers.hl7v2.override import overridable
from resources.codec import Json

_SNOMED = "http://snomed.info/sct"
_PERFORMERS = ((11, "304292004", "Surgeon"), (8, "88189002", "Anesthesiologist"), (12, "", ""))
_MOST_MINUTES = 7 * 24 * 60


def procedures(conversion: Conversion, patient: Draft, encounter: Draft | None) -> list[Draft]:
    """A Procedure for each PR1."""
    found = [_procedure(conversion, pr1, patient, encounter) for pr1 in conversion.message.all("PR1")]
    return [each for each in found if each is not None]


@overridable("PR1")
def _procedure(conversion: Conversion, pr1: Segment, patient: Draft, encounter: Draft | None) -> Draft | None:
    code = codeable_concept(conversion, pr1.value(3))
    text = pr1.text(4)
    if code is None and not text:
        told = "The procedure is missing; the segment was left out"
        conversion.issue(f"{pr1.place}-3", told, REQUIRED_FIELD_MISSING)
        return None
    code = code or {}
    if text:
        code["text"] = text
    resource: Json = {
        "resourceType": "Procedure",
        "status": "entered-in-error" if pr1.text(20).upper() == "D" else "completed",
        "code": code,
        "subject": conversion.reference(patient),
    }
    number = identifiers.entity(conversion, pr1.value(19)) if pr1.raw(19) else None
    if number is not None:
        resource["identifier"] = [number]
    if encounter is not None:
        resource["encounter"] = conversion.reference(encounter)
    if category := (codeable_concept(conversion, pr1.value(6), "0230") if pr1.raw(6) else None):
        resource["category"] = category
    _add_time(conversion, pr1, resource)
    _add_performers(conversion, pr1, resource)
    reasons = [each for value in pr1.values(15) if (each := codeable_concept(conversion, value))]
    if reasons:
        resource["reasonCode"] = reasons
    numbers = (identifiers.token(number),) if number is not None else ()
    match = (*numbers, of_patient(patient, encounter, code))
    same = partial(_same, concept_key(code), number, _performed(resource))
    return conversion.add(resource, match=match, same=same)


def _add_time(conversion: Conversion, pr1: Segment, resource: Json) -> None:
    start = date_time(conversion, pr1.value(5)) if pr1.raw(5) else None
    if start is None:
        return
    minutes = pr1.text(7)
    if "T" in start and minutes.isdigit() and 0 < int(minutes) <= _MOST_MINUTES:
        end = dt.datetime.fromisoformat(start) + dt.timedelta(minutes=int(minutes))
        resource["performedPeriod"] = {"start": start, "end": end.isoformat()}
    else:
        resource["performedDateTime"] = start


def _add_performers(conversion: Conversion, pr1: Segment, resource: Json) -> None:
    performers = []
    for field, code, display in _PERFORMERS:
        for value in pr1.values(field):
            actor = practitioner(conversion, value)
            if actor is None:
                continue
            performer: Json = {"actor": actor}
            if code:
                function = {"system": _SNOMED, "code": code, "display": display}
                performer = {"function": {"coding": [function]}, **performer}
            performers.append(performer)
    if performers:
        resource["performer"] = performers


def _performed(procedure: Json) -> str | None:
    start = procedure.get("performedPeriod", {}).get("start") or procedure.get("performedDateTime")
    return None if start is None else str(start)


def _same(key: object, number: Json | None, performed: str | None, stored: Json) -> bool:
    if number is not None and any(
        each.get("value") == number["value"] for each in stored.get("identifier", ())
    ):
        return True
    return has_code(key, stored) and _performed(stored) == performed
