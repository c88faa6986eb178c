"""Parts of resources: `_summary` and `_elements`.

http://hl7.org/fhir/R4/search.html#summary, http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from resources import outcome, registry
from resources.codec import Json
from resources.outcome import FHIRError
from resources.registry import Element

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
MODES = ("true", "text", "data", "false")

_ALWAYS = {"resourceType", "id", "meta", "implicitRules", "modifierExtension"}
"""Kept in every part: what identifies a resource, and what may turn its meaning around."""


def check_summary(mode: str) -> None:
    """400 where the mode is none of those for which a resource can be cut down (`count` is for searches only)."""
    if mode not in MODES:
        text = f"'{mode[:50]}' is not one of {', '.join(MODES)}, or count in a search"
        raise outcome.bad_parameter("_summary", text)


def check_elements(names: Sequence[str], resource_types: Iterable[str]) -> None:
    """400 where a name is blank, or no element of any of the resource types (when there are any)."""
    if not names or "" in names:
        raise outcome.bad_parameter(
            "_elements", "it is empty; names of elements such as 'identifier,name' were expected"
        )
    types = {each for each in resource_types if registry.is_resource(each)}
    known = {name for each in types for name in (*registry.elements(each), *registry.json_members(each))}
    unknown = [name for name in names if name not in known]
    if types and unknown:
        raise unknown_element(unknown[0], types)


def unknown_element(name: str, resource_types: Iterable[str]) -> FHIRError:
    where = ", ".join(sorted(resource_types))
    return outcome.bad_parameter("_elements", f"'{name[:64]}' is not an element at the top of {where}")


def apply_summary(resource: Json, mode: str, *, inside: bool = True) -> Json:
    """The resource, or each resource in a Bundle (unless `inside` is false: then the Bundle itself), cut down to the
    mode and marked SUBSETTED; 400 for other modes.

    `true`: summary elements and mandatory ones, at every level; `text`: narrative and mandatory elements; `data`:
    all but the narrative. The input stays as it is; the result shares its values.

    http://hl7.org/fhir/R4/search.html#summary
    """
    check_summary(mode)
    if mode == "false":
        return resource
    cut = {"true": _summary, "text": _text, "data": _data}[mode]
    return _each(resource, cut) if inside else _marked(cut(resource))


def apply_elements(resource: Json, names: Sequence[str], *, inside: bool = True) -> Json:
    """The resource, or each resource in a Bundle (unless `inside` is false: then the Bundle itself), with only the
    named elements, the mandatory ones and what every part keeps, marked SUBSETTED. Choices go by `value` or
    `valueQuantity`; `check_elements` says which names there are.

    http://hl7.org/fhir/R4/search.html#elements
    """
    wanted = set(names)

    def cut(one: Json) -> Json:
        return _top(
            one, lambda member, element: element.name in wanted or member in wanted or element.min > 0
        )

    return _each(resource, cut) if inside else _marked(cut(resource))


def _is_cut(entry: Json) -> bool:
    """Whether the entry holds a resource that was asked for, not an outcome about the search."""
    return "resource" in entry and entry.get("search", {}).get("mode") != "outcome"


def _each(resource: Json, cut: Callable[[Json], Json]) -> Json:
    if resource["resourceType"] != "Bundle":
        return _marked(cut(resource))
    if "entry" not in resource:
        return resource
    entries = [
        {**entry, "resource": _marked(cut(entry["resource"]))} if _is_cut(entry) else entry
        for entry in resource["entry"]
    ]
    return {**resource, "entry": entries}


def _marked(resource: Json) -> Json:
    """With the tag SUBSETTED, so that nobody takes the part for the whole and writes it back."""
    meta = resource.get("meta", {})
    tags = meta.get("tag", [])
    if any(tag.get("system") == SUBSETTED["system"] and tag.get("code") == SUBSETTED["code"] for tag in tags):
        return resource
    head: Json = {member: resource[member] for member in ("resourceType", "id") if member in resource}
    return {**head, "meta": {**meta, "tag": [*tags, SUBSETTED.copy()]}, **_without(resource, "meta")}


def _without(resource: Json, *members: str) -> Json:
    return {member: value for member, value in resource.items() if member not in members}


def _data(resource: Json) -> Json:
    return _without(resource, "text")


def _text(resource: Json) -> Json:
    return _top(resource, lambda member, element: member == "text" or element.min > 0)


def _summary(resource: Json) -> Json:
    kept = _top(resource, lambda _, element: element.summary or element.min > 0)
    return _summarized(kept, resource["resourceType"])


def _top(resource: Json, keeps: Callable[[str, Element], bool]) -> Json:
    """The members at the top that `keeps` (JSON name, element) wants; an `_` sibling follows its element."""
    elements = registry.json_members(resource["resourceType"])
    kept = {}
    for member, value in resource.items():
        name = member.removeprefix("_")
        if name in _ALWAYS or (name in elements and keeps(name, elements[name])):
            kept[member] = value
    return kept


def _summarized(value: Json, type_name: str) -> Json:
    """The summary elements and mandatory ones of an object, and so on inside them."""
    elements = registry.json_members(type_name)
    kept = {}
    for member, inner in value.items():
        element = elements.get(member.removeprefix("_"))
        if member in _ALWAYS or (element is not None and (element.summary or element.min > 0)):
            kept[member] = inner if element is None or member in _ALWAYS else _inside(inner, element, member)
    return kept


def _inside(value: Any, element: Element, member: str) -> Any:
    type_name = element.json_names.get(member)  # None for an `_` sibling, which stays whole
    if type_name is None or registry.is_primitive(type_name):
        return value
    if isinstance(value, list):
        return [_inside(item, element, member) for item in value]
    if type_name == registry.ANY_RESOURCE:
        type_name = value["resourceType"]
    return _summarized(value, type_name) or value
