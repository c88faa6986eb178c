"""SPM, and OBR-9 to OBR-15 of older versions → Specimen. http://hl7.org/fhir/uv/v2mappings, SPM[Specimen], OBR[Specimen]."""

from __future__ import annotations

from collections.abc import Sequence

from importers.hl7v2 import actors, datatypes, identifiers, notes
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.override import overridable
from importers.hl7v2.units import UCUM, ucum
from resources.codec import Json


@overridable("SPM")
def specimen(
    conversion: Conversion, spm: Segment, notes_after: Sequence[Segment], key: str, subject: Json | None
) -> Draft:
    """The Specimen of an SPM; `key` tells it apart where SPM-2 is empty."""
    found = _numbers(conversion, spm.value(2)) if spm.raw(2) else []
    match = tuple(identifiers.token(number) for number in reversed(found))
    for field in (31, 32):
        for value in spm.values(field):
            other = (
                identifiers.entity(conversion, value)
                if field == 32
                else identifiers.identifier(conversion, value)
            )
            if other is not None:
                found.append(other)
    if not match:
        own = _own(conversion, f"{key}/{spm.text(1)}/{spm.text(4)}")
        found.append(own)
        match = (identifiers.token(own),)
    resource: Json = {"resourceType": "Specimen", "identifier": found}
    if spm.raw(30) and (accession := identifiers.identifier(conversion, spm.value(30))):
        resource["accessionIdentifier"] = accession
    _add_status(spm, resource)
    if spm.raw(4) and (kind := datatypes.codeable_concept(conversion, spm.value(4), "0487")):
        resource["type"] = kind
    if subject is not None:
        resource["subject"] = subject
    if spm.raw(18) and (received := datatypes.date_time(conversion, spm.value(18))):
        resource["receivedTime"] = received
    if spm.raw(3):
        _add_parents(conversion, spm, subject, resource)
    if collection := _collection(conversion, spm):
        resource["collection"] = collection
    if container := _container(conversion, spm):
        resource["container"] = [container]
    if spm.raw(24):
        conditions = [datatypes.codeable_concept(conversion, value, "0493") for value in spm.values(24)]
        if told := [each for each in conditions if each]:
            resource["condition"] = told
    if written := _notes(conversion, spm, notes_after):
        resource["note"] = written
    return conversion.add(resource, match)


def specimen_of_order(conversion: Conversion, obr: Segment, key: str, subject: Json | None) -> Draft | None:
    """The Specimen that OBR-9, OBR-14 and OBR-15 describe; None if they are empty."""
    if not (obr.raw(15) or obr.raw(14) or obr.raw(9)):
        return None
    own = _own(conversion, key)
    resource: Json = {"resourceType": "Specimen", "identifier": [own]}
    source = obr.value(15)
    if kind := datatypes.codeable_concept(conversion, source.component(1), "0487"):
        resource["type"] = kind
    if subject is not None:
        resource["subject"] = subject
    if obr.raw(14) and (received := datatypes.date_time(conversion, obr.value(14))):
        resource["receivedTime"] = received
    collection = _collected(conversion, obr)
    if method := datatypes.codeable_concept(conversion, source.component(6), "0488"):
        collection["method"] = method
    if site := datatypes.codeable_concept(conversion, source.component(4), "0163"):
        collection["bodySite"] = site
    if collection:
        resource["collection"] = collection
    if additive := datatypes.codeable_concept(conversion, source.component(2), "0371"):
        resource["container"] = [{"additiveCodeableConcept": additive}]
    if remark := source.text(3):
        resource["note"] = [{"text": remark}]
    return conversion.add(resource, (identifiers.token(own),))


def _own(conversion: Conversion, key: str) -> Json:
    return {"system": conversion.config.derived_uri("specimen"), "value": " ".join(key.split())}


def _numbers(conversion: Conversion, value: Value) -> list[Json]:
    """SPM-2: what the placer and what the filler call it; the latter is stronger and stands last."""
    pair = (
        identifiers.entity(conversion, value.component(part), code) for part, code in ((1, "PGN"), (2, "FGN"))
    )
    return [number for number in pair if number is not None]


def _add_status(spm: Segment, resource: Json) -> None:
    if spm.raw(21):
        resource["status"] = "unsatisfactory"
    elif available := {"Y": "available", "N": "unavailable"}.get(spm.text(20)):
        resource["status"] = available


def _add_parents(conversion: Conversion, spm: Segment, subject: Json | None, resource: Json) -> None:
    parents = []
    for value in spm.values(3):
        numbers = _numbers(conversion, value)
        if not numbers:
            continue
        parent: Json = {"resourceType": "Specimen", "identifier": numbers}
        if subject is not None:
            parent["subject"] = subject
        match = tuple(identifiers.token(number) for number in reversed(numbers))
        parents.append(conversion.reference(conversion.add(parent, match, role="reference")))
    if parents:
        resource["parent"] = parents


def _collection(conversion: Conversion, spm: Segment) -> Json:
    found: Json = {}
    if spm.raw(17):
        value = spm.value(17)
        if value.text(2):
            period = datatypes.period(conversion, value.component(1), value.component(2))
            found |= {"collectedPeriod": period} if period else {}
        elif time := datatypes.date_time(conversion, value.component(1)):
            found["collectedDateTime"] = time
    if spm.raw(12) and (amount := quantity(conversion, spm.value(12))):
        found["quantity"] = amount
    for field, name, table in ((7, "method", "0488"), (8, "bodySite", "0163")):
        if spm.raw(field) and (concept := datatypes.codeable_concept(conversion, spm.value(field), table)):
            found[name] = concept
    return found


def _collected(conversion: Conversion, obr: Segment) -> Json:
    found: Json = {}
    if obr.raw(10) and (collector := actors.practitioner(conversion, obr.value(10))):
        found["collector"] = collector
    start = datatypes.date_time(conversion, obr.value(7)) if obr.raw(7) else None
    if obr.raw(8) and (period := datatypes.period(conversion, obr.value(7), obr.value(8))):
        found["collectedPeriod"] = period
    elif start:
        found["collectedDateTime"] = start
    if obr.raw(9) and (amount := quantity(conversion, obr.value(9))):
        found["quantity"] = amount
    return found


def _container(conversion: Conversion, spm: Segment) -> Json:
    found: Json = {}
    if spm.raw(27) and (kind := datatypes.codeable_concept(conversion, spm.value(27))):
        found["type"] = kind
    if spm.raw(6) and (additive := datatypes.codeable_concept(conversion, spm.value(6), "0371")):
        found["additiveCodeableConcept"] = additive
    return found


def _notes(conversion: Conversion, spm: Segment, notes_after: Sequence[Segment]) -> list[Json]:
    described = notes.lines(spm, 14).strip()
    return ([{"text": described}] if described else []) + notes.remarks(conversion, notes_after)


def quantity(conversion: Conversion, value: Value) -> Json | None:
    """A Quantity of a CQ: a number, and its units as a component."""
    number = datatypes.decimal(value.text(1))
    if number is None:
        return None
    unit = datatypes.unit(conversion, value.component(2))
    code = ucum(unit["unit"]) if "unit" in unit and "code" not in unit else None
    return {"value": number, **unit, **({"system": UCUM, "code": code} if code else {})}
