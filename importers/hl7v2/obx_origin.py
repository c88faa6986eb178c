"""OBX-10 and OBX-14 to OBX-25: when, by whom, with what and where something was observed.

http://hl7.org/fhir/uv/v2mappings, map OBX[Observation]
"""

from __future__ import annotations

from importers.hl7v2 import actors, datatypes, identifiers
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment, Value
from resources.codec import Json

FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"

Organizations = dict[tuple[str, str, str], list[Json]]
"""References by OBX-15, OBX-23 and OBX-25 as they were sent"""


def add_origin(conversion: Conversion, obx: Segment, resource: Json, known: Organizations) -> None:
    """When, by whom, with what and where it was observed: OBX-10 and OBX-14 to OBX-25."""
    if obx.raw(14):
        _add_effective(conversion, obx, resource)
    performers = [found for value in obx.values(16) if (found := _observer(conversion, value)) is not None]
    performers += _organizations(conversion, obx, known)
    if performers:
        resource["performer"] = performers
    if obx.raw(17) and (method := _merged(conversion, obx, 17)):
        resource["method"] = method
    if obx.raw(18):
        _add_device(conversion, obx, resource)
    if obx.raw(19) and (analysed := datatypes.date_time(conversion, obx.value(19))):
        _extend(
            resource,
            {"url": f"{datatypes.EXTENSION}observation-analysis-date-time", "valueDateTime": analysed},
        )
    if obx.raw(20) and (site := _merged(conversion, obx, 20)):
        resource["bodySite"] = site
    if obx.raw(10):
        for value in obx.values(10):
            if (nature := datatypes.codeable_concept(conversion, value, "0080")) is not None:
                url = f"{datatypes.EXTENSION}observation-nature-of-abnormal-test"
                _extend(resource, {"url": url, "valueCodeableConcept": nature})
    if obx.raw(21) and (instance := datatypes.entity_identifier(conversion, obx.value(21), "FILL")):
        resource["identifier"] = [*resource["identifier"], instance]


def _observer(conversion: Conversion, value: Value) -> Json | None:
    """A Reference to the responsible observer; some senders write an NDL, whose parts are subcomponents."""
    return actors.practitioner(conversion, value if value.text(2) else value.component(1))


def _organizations(conversion: Conversion, obx: Segment, known: Organizations) -> list[Json]:
    """References to the performing organization and its medical director, made once for a panel."""
    raws = (obx.raw(15), obx.raw(23), obx.raw(25))
    if raws == ("", "", ""):
        return []
    found = known.get(raws)
    if found is None:
        found = known[raws] = _named(conversion, obx)
    return found


def _named(conversion: Conversion, obx: Segment) -> list[Json]:
    found: list[Json] = []
    if obx.raw(23):
        reference = actors.organization(conversion, obx.value(23))
        if reference is not None:
            _add_address(conversion, obx, reference)
            found.append(reference)
    elif producer := (obx.text(15, 2) or obx.text(15)):
        found.append({"display": producer})
    if obx.raw(25):
        director = actors.practitioner(conversion, obx.value(25))
        if director is not None:
            role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0912", "code": "MDIR"}]}
            found.append({"extension": [{"url": FUNCTION, "valueCodeableConcept": role}], **director})
    return found


def _add_address(conversion: Conversion, obx: Segment, reference: Json) -> None:
    address = datatypes.address(conversion, obx.value(24)) if obx.raw(24) else None
    if address is None or "reference" not in reference:
        return
    for draft in conversion.drafts:
        if draft.url == reference["reference"]:
            address.pop("use", None)
            draft.resource.setdefault("address", [address])


def _add_device(conversion: Conversion, obx: Segment, resource: Json) -> None:
    identifier = datatypes.entity_identifier(conversion, obx.value(18))
    if identifier is None:
        return
    device = {"resourceType": "Device", "identifier": [identifier]}
    draft = conversion.add(device, (identifiers.token(identifier),), role="reference")
    resource["device"] = conversion.reference(draft)


def _merged(conversion: Conversion, obx: Segment, field: int) -> Json:
    """One CodeableConcept of all repetitions, of an element that FHIR has once."""
    found: Json = {}
    for value in obx.values(field):
        concept = datatypes.codeable_concept(conversion, value) or {}
        if "coding" in concept:
            found["coding"] = [*found.get("coding", ()), *concept["coding"]]
        if "text" in concept:
            found["text"] = f"{found['text']}; {concept['text']}" if "text" in found else concept["text"]
    return found


def _extend(resource: Json, extension: Json) -> None:
    resource["extension"] = [*resource.get("extension", ()), extension]


def _add_effective(conversion: Conversion, obx: Segment, resource: Json) -> None:
    """Of OBX-14, else as its panel has it; what is no date is kept as text."""
    effective = datatypes.date_time(conversion, obx.value(14))
    if effective:
        resource.pop("effectivePeriod", None)
        resource["effectiveDateTime"] = effective
    elif "effectivePeriod" not in resource and "effectiveDateTime" not in resource:
        resource |= datatypes.as_text("effectiveDateTime", obx.value(14))
