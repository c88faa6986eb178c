"""SearchParameters and CompartmentDefinitions of the official package → their fact tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_NOT_SEARCHABLE = frozenset({"example", "example-extension", "example-reference", "filter"})
"""Ids of parameters that only show how one is written."""

_CORE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"


def search_parameters(definitions: Iterable[Json]) -> list[Json]:
    """`search_parameters.json`: all but examples and stubs without `base`, by code, then url."""
    found = [_parameter(each) for each in definitions if "base" in each and each["id"] not in _NOT_SEARCHABLE]
    return sorted(found, key=lambda each: (each["code"], each["url"]))


def _parameter(definition: Json) -> Json:
    kept = ("code", "url", "type", "base", "expression", "target", "comparator", "multipleOr")
    facts = {key: definition[key] for key in kept if key in definition}
    if "component" in definition:
        facts["component"] = [_component(each) for each in definition["component"]]
    if definition.get("xpathUsage", "normal") != "normal":
        facts["xpathUsage"] = definition["xpathUsage"]
    if not any(each["url"] == _CORE for each in definition.get("extension", [])):
        facts["onExtension"] = True
    return facts


def _component(component: Json) -> Json:
    return {key: component[key] for key in ("definition", "expression")}


def compartments(definitions: Iterable[Json]) -> Json:
    """`compartments.json`: compartment → type → search parameters; types outside it are left out."""
    official = [each for each in definitions if each["url"].rpartition("/")[2] != "example"]
    return {each["code"]: _members(each) for each in sorted(official, key=lambda each: each["code"])}


def _members(definition: Json) -> Json:
    return {each["code"]: each["param"] for each in definition["resource"] if each.get("param")}
