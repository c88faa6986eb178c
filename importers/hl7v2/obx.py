"""OBX → Observation. http://hl7.org/fhir/uv/v2mappings, map OBX[Observation].

What an observation is known by is made of its report, OBX-3, OBX-4 and OBX-21, so that a correction meets it; equal
codes in one report are numbered in their order. docs/hl7v2.md#results
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from importers.hl7v2 import datatypes, identifiers, obx_value, result_status
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING, TABLE_VALUE_NOT_FOUND
from importers.hl7v2.notes import remarks
from importers.hl7v2.obx_origin import Organizations, add_origin
from importers.hl7v2.order_group import Result
from importers.hl7v2.override import overridable
from importers.hl7v2.reference_range import reference_range
from importers.hl7v2.units import unit_of
from resources.codec import Json

ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_QUANTITIES = ("valueQuantity", "valueRange")
_WHY_ABSENT = {"N": "not-asked", "I": "temp-unknown", "P": "temp-unknown", "S": "temp-unknown"}

VITAL_SIGNS = frozenset(
    """
    8867-4 9279-1 59408-5 2708-6 8310-5 8480-6 8462-4 8478-0 85354-9 29463-7 3141-9 8302-2 39156-5 9843-4 8287-5 85353-1
    """.split()  # noqa: SIM905  a table
)
"""LOINC codes, http://hl7.org/fhir/R4/observation-vitalsigns.html and those that monitors send instead"""


@dataclass(slots=True)
class Panel:
    """What the observations of a report, a specimen or a visit have in common."""

    key: str
    """what their identifiers begin with; unique for the report"""
    shared: Json = field(default_factory=dict)
    """elements of each: subject, encounter, effective[x], issued, specimen, …"""
    code: Json | None = None
    """where OBX-3 is empty: OBR-4"""
    category: str = ""
    moment: str | None = None
    organizations: Organizations = field(default_factory=dict)


def observations(conversion: Conversion, results: Sequence[Result], panel: Panel) -> list[Draft]:
    """A draft of each observation; lines of one text are one observation."""
    return [observation(conversion, lines, panel) for lines in _joined(results)]


@overridable("OBX")
def observation(conversion: Conversion, lines: Sequence[Result], panel: Panel) -> Draft:
    """The draft of one observation, told in one OBX or in several lines of text."""
    obx = lines[0].obx
    code = datatypes.codeable_concept(conversion, obx.value(3)) or panel.code or obx_value.UNKNOWN_CODE
    identifier, token = _identifier(conversion, obx, panel)
    resource: Json = {"resourceType": "Observation", "identifier": [identifier], "status": ""}
    _add_status(conversion, obx, resource)
    if category := _category(code, panel):
        resource["category"] = [{"coding": [{"system": _CATEGORY, "code": category}]}]
    resource["code"] = code
    resource |= panel.shared
    _add_value(conversion, lines, resource)
    _add_judgement(conversion, obx, resource)
    fields = obx.fields
    if len(fields) > 14:
        add_origin(conversion, obx, resource, panel.organizations)
    if sub_id := obx.text(4):
        resource["extension"] = [*resource.get("extension", ()), _sub_id(sub_id, obx)]
    notes = [note for line in lines for note in line.notes]
    told = remarks(conversion, notes) if notes else []
    if "valueString" in resource and obx.text(2) == "ST" and (unit := unit_of(conversion, obx).get("unit")):
        told = [{"text": f"Unit: {unit}"}, *told]
    if told:
        resource["note"] = told
    draft = conversion.add(resource, (token,), moment=panel.moment)
    draft.adjust = result_status.settled
    return draft


def _joined(results: Sequence[Result]) -> list[list[Result]]:
    """Adjacent lines of text (TX, FT) of which all but the text is the same are one."""
    found: list[list[Result]] = []
    before: tuple[str, ...] | None = None
    for result in results:
        obx = result.obx
        fields = obx.fields
        same: tuple[str, ...] | None = None
        if len(fields) > 2 and fields[2] in ("TX", "FT"):
            same = (*fields[3:5], *_without_end(fields[6:]))
            if same == before:
                found[-1].append(result)
                continue
        before = same if not result.notes else None
        found.append([result])
    return found


def _without_end(fields: Sequence[str]) -> Sequence[str]:
    """Without the empty fields at the end, of which one line may have more than the next."""
    length = len(fields)
    while length and not fields[length - 1]:
        length -= 1
    return fields[:length]


def _identifier(conversion: Conversion, obx: Segment, panel: Panel) -> tuple[Json, str]:
    """What an observation is known by, and the search for it."""
    raw = obx.raw(3)
    component = obx.delimiters.component
    code = raw.partition(component)[0] if component in raw else raw
    if not code and raw:
        code = obx.text(3, 4) or obx.text(3, 2)
    key = f"{panel.key}/{code}"
    if sub_id := obx.raw(4):
        key += f"/{sub_id}"
    if instance := obx.text(21):
        key += f"/{instance}"
    key = " ".join(key.split())
    number = conversion.occurrence(f"Observation {key}")
    found = {
        "system": conversion.config.derived_uri("observation"),
        "value": key if number == 1 else f"{key}/#{number}",
    }
    return found, identifiers.token(found)


def _add_status(conversion: Conversion, obx: Segment, resource: Json) -> None:
    code = obx.text(11)
    status = result_status.OBSERVATION.get(code.upper())
    resource["status"] = status or "unknown"
    if code.upper() in result_status.ONE_TO_ONE:
        return
    if not code:
        told = "OBX-11 is empty; the status of the result is not known"
        conversion.issue(f"{obx.place}-11", told, REQUIRED_FIELD_MISSING)
        return
    if status is None:
        told = "This code is not in table 0085; the status of the result is not known"
        conversion.issue(f"{obx.place}-11", told, TABLE_VALUE_NOT_FOUND)
    resource["_status"] = kept_code("0085", code)


def kept_code(table: str, code: str) -> Json:
    """A code element whose v2 code says more than its FHIR code."""
    coding = {"system": f"http://terminology.hl7.org/CodeSystem/v2-{table}", "code": " ".join(code.split())}
    url = f"{datatypes.EXTENSION}alternate-codes"
    return {"extension": [{"url": url, "valueCodeableConcept": {"coding": [coding]}}]}


def _category(code: Json, panel: Panel) -> str:
    for coding in code.get("coding", ()):
        if coding["code"] in VITAL_SIGNS and coding["system"] == "http://loinc.org":
            return "vital-signs"
    return panel.category


def _add_value(conversion: Conversion, lines: Sequence[Result], resource: Json) -> None:
    if len(lines) > 1:
        text = "\n".join(obx_value.text_of(line.obx) for line in lines).strip("\n")
        value: Json = {"valueString": text} if text.strip() else {}
    else:
        value = obx_value.elements(conversion, lines[0].obx)
    if value:
        resource |= value
    elif resource["status"] != "entered-in-error":
        reason = _WHY_ABSENT.get(lines[0].obx.text(11), "unknown")
        resource["dataAbsentReason"] = {"coding": [{"system": ABSENT, "code": reason}]}


def _add_judgement(conversion: Conversion, obx: Segment, resource: Json) -> None:
    """Flags and reference range."""
    if obx.raw(8):
        told = (_flag(conversion, value) for value in obx.values(8))
        if flags := [flag for flag in told if flag is not None]:
            resource["interpretation"] = flags
    if text := obx.text(7):
        unit: Json = {}
        quantity = next((resource[name] for name in _QUANTITIES if name in resource), None)
        if quantity is not None:
            unit = unit_of(conversion, obx)
        resource["referenceRange"] = [reference_range(text, unit)]


def _flag(conversion: Conversion, value: Value) -> Json | None:
    known = conversion.code("0078", value.text())
    if known is not None:
        return {"coding": [dict(known)]}
    return datatypes.codeable_concept(conversion, value)


def _sub_id(text: str, obx: Segment) -> Json:
    """http://hl7.org/fhir/StructureDefinition/observation-v2-subid, as far as OBX-4 is not of the newer type OG."""
    parts: list[Json] = [{"url": "original-sub-identifier", "valueString": text}]
    for url, component in (("group", 2), ("sequence", 3)):
        found = datatypes.decimal(obx.text(4, component))
        if found is not None:
            parts.append({"url": url, "valueDecimal": found})
    if label := obx.text(4, 4):
        parts.append({"url": "identifier", "valueString": label})
    return {"url": f"{datatypes.EXTENSION}observation-v2-subid", "extension": parts}
