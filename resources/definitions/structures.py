"""StructureDefinitions of the official package → primitives, types and invariants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
_MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_CONSTRAINING = {_STRUCTURE + "SimpleQuantity", _STRUCTURE + "MoneyQuantity"}
"""Profiles of Quantity that elements of the base definitions ask for."""

_SYSTEM = "http://hl7.org/fhirpath/System."


def tables(definitions: Iterable[Json]) -> tuple[Json, Json]:
    """`structures.json` and `invariants.json` of the base definitions among `definitions`."""
    primitives: Json = {}
    types: Json = {}
    invariants: dict[str, list[Json]] = {}
    for definition in sorted(definitions, key=lambda each: each["url"]):
        if definition["url"] in _CONSTRAINING:
            _collect_invariants(definition, invariants)
        if not _is_base(definition):
            continue
        name = definition["type"]
        if definition["kind"] == "primitive-type":
            primitives[name] = _primitive(definition)
        else:
            types[name] = _type(definition)
        _collect_invariants(definition, invariants)
    structures = {"primitives": dict(sorted(primitives.items())), "types": dict(sorted(types.items()))}
    return structures, dict(sorted(invariants.items()))


def _is_base(definition: Json) -> bool:
    """Not a profile and not a logical model."""
    known = definition["url"] == _STRUCTURE + definition["type"]
    return known and definition["kind"] != "logical" and definition.get("derivation") != "constraint"


def _base(definition: Json) -> Json:
    base = definition.get("baseDefinition", "").rpartition("/")[2]
    return {"base": base} if base else {}


def _primitive(definition: Json) -> Json:
    value = next(e for e in definition["snapshot"]["element"] if e["path"].endswith(".value"))
    kind = value["type"][0]
    regexes = [x["valueString"] for x in kind.get("extension", []) if x["url"] == _REGEX]
    facts: Json = {"kind": "primitive-type", **_base(definition)}
    if regexes:
        facts["regex"] = regexes[0]
    facts["system"] = kind["code"].removeprefix(_SYSTEM)
    limits = ("minValueInteger", "maxValueInteger", "maxLength")
    return facts | {limit: value[limit] for limit in limits if limit in value}


def _type(definition: Json) -> Json:
    facts: Json = {"kind": definition["kind"]}
    if definition["abstract"]:
        facts["abstract"] = True
    facts |= _base(definition)
    elements = definition["snapshot"]["element"][1:]
    name = definition["type"]
    facts["elements"] = {e["path"].removeprefix(name + "."): _element(e) for e in elements}
    if definition["kind"] == "resource":
        # The 4.0.1 StructureDefinitions say string; resource.html and the datatypes page say id.
        facts["elements"]["id"]["types"] = ["id"]
    return facts


def _element(element: Json) -> Json:
    facts: Json = {}
    if element["min"]:
        facts["min"] = element["min"]
    if element["max"] != "1":
        facts["max"] = element["max"]
    if "contentReference" in element:
        facts["ref"] = element["contentReference"].removeprefix("#")
    elif "type" in element:
        facts |= _types(element["type"])
    facts |= _binding(element.get("binding"))
    if element.get("isSummary"):
        facts["summary"] = True
    if element.get("isModifier"):
        facts["modifier"] = True
    return facts


def _types(kinds: list[Json]) -> Json:
    def names(key: str, code: str | None = None) -> list[str]:
        urls = [url for kind in kinds if code is None or kind["code"] == code for url in kind.get(key, [])]
        return list(dict.fromkeys(url.removeprefix(_STRUCTURE) for url in urls))

    facts: Json = {"types": [_type_name(kind) for kind in kinds]}
    if targets := names("targetProfile", "Reference"):
        facts["targets"] = targets
    if canonicals := names("targetProfile", "canonical"):
        facts["canonicals"] = canonicals
    if profiles := names("profile"):
        facts["profiles"] = profiles
    return facts


def _type_name(kind: Json) -> str:
    for extension in kind.get("extension", []):
        if extension["url"] == _FHIR_TYPE:
            return str(extension["valueUrl"])
    return str(kind["code"])


def _binding(binding: Json | None) -> Json:
    facts: Json = {}
    if binding and binding["strength"] == "required":
        facts["binding"] = binding["valueSet"].partition("|")[0]
    for extension in (binding or {}).get("extension", []):
        if extension["url"] == _MAX_VALUE_SET:
            facts["maxBinding"] = extension["valueCanonical"].partition("|")[0]
    return facts


def _collect_invariants(definition: Json, found: dict[str, list[Json]]) -> None:
    """A constraint where it is defined, not where it is inherited."""
    name = definition["url"].rpartition("/")[2]
    for element in definition["snapshot"]["element"]:
        path = name + element["path"].removeprefix(definition["type"])
        for constraint in element.get("constraint", []):
            source = constraint.get("source", "").removeprefix(_STRUCTURE)
            if "expression" not in constraint or source not in {"", name}:
                continue
            facts = {key: constraint[key] for key in ("key", "severity", "expression")}
            found.setdefault(path, []).append(facts)
