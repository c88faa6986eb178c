"""How FHIRPath steps through R4 JSON: which members of an object an element name stands for, and of which type.

http://hl7.org/fhir/R4/fhirpath.html#types
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from resources import registry
from resources.fhirpath.values import SYSTEM, Items

SYSTEM_TYPES = frozenset({"Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"})

WHOLE = frozenset({"Resource", "DomainResource"})
"""Types whose value says itself of which type it is."""


class Step(NamedTuple):
    """One JSON member an element name stands for: `value` has `valueQuantity`, `valueString`, … each its `Step`.

    `sibling` is the member with the id and extensions of a primitive (`_valueString`).
    """

    json_name: str
    sibling: str | None
    type: str
    many: bool


@lru_cache(maxsize=16384)
def knows(type_name: str) -> bool:
    """Whether R4 has the type: a resource, a data type or a path of one with elements of its own."""
    if registry.is_primitive(type_name):
        return True
    try:
        registry.elements(type_name)
    except KeyError:
        return False
    return True


@lru_cache(maxsize=16384)
def steps(type_name: str, name: str) -> tuple[Step, ...]:
    """The JSON members that the element `name` of a type may have; empty if it has no such element."""
    if registry.is_primitive(type_name):
        return _primitive_steps(name)
    element = registry.element(type_name.removeprefix(SYSTEM), name)
    if element is None:
        return ()
    return tuple(
        Step(json_name, "_" + json_name if registry.is_primitive(kind) else None, kind, element.max != 1)
        for json_name, kind in element.json_names.items()
    )


def _primitive_steps(name: str) -> tuple[Step, ...]:
    if name == "extension":
        return (Step("extension", None, "Extension", many=True),)
    return (Step("id", None, "string", many=False),) if name == "id" else ()


@cache
def names(type_name: str) -> tuple[str, ...]:
    """The element names of a type, in the order of the specification."""
    if registry.is_primitive(type_name):
        return ("id", "extension")
    return tuple(registry.elements(type_name)) if knows(type_name) else ()


@cache
def member_types(type_name: str) -> dict[str, Step]:
    """The steps of a type by the JSON member they read."""
    return {step.json_name: step for name in names(type_name) for step in steps(type_name, name)}


@lru_cache(maxsize=16384)
def is_a(type_name: str, wanted: str) -> bool:
    """Whether an item of the one type is of the other, which may be qualified (`FHIR.Patient`, `System.String`)."""
    if wanted.startswith(SYSTEM):
        return type_name == wanted
    wanted = wanted.removeprefix("FHIR.")
    if type_name.startswith(SYSTEM):
        return type_name == SYSTEM + wanted
    return knows(type_name) and registry.is_a(type_name, wanted)


def is_type(name: str) -> bool:
    """Whether `is`, `as` and `ofType` may name it."""
    if name.startswith(SYSTEM):
        return name[len(SYSTEM) :] in SYSTEM_TYPES
    return name in SYSTEM_TYPES or knows(name.removeprefix("FHIR."))


def type_of(resource: Any) -> str:
    """The type an object says it is of."""
    named = resource.get("resourceType") if isinstance(resource, dict) else None
    return named if isinstance(named, str) and registry.is_resource(named) else "Resource"


def element_type(path: str) -> str | None:
    """The type of what stands at a path: `Patient.contact`, `ContactPoint` for `Organization.telecom`.

    None where it is one of several (`RiskAssessment.prediction.probability[x]`).
    """
    if knows(path):
        return path
    owner, _, name = path.rpartition(".")
    element = registry.element(owner, name.removesuffix("[x]"))
    return element.types[0] if element is not None and len(element.types) == 1 else None


def take(step: Step, holder: Any, into: Items) -> None:
    """Adds to a collection what one JSON member of an object holds."""
    json_name, sibling, kind, many = step
    value = holder.get(json_name)
    if sibling is not None:
        beside = holder.get(sibling)
        if value is None and beside is None:
            return
        if many:
            _take_list(kind, value or [], beside or [], into)
        else:
            into.append((kind, value, beside))
    elif value is None:
        return
    elif kind in WHOLE:
        into.extend([(type_of(v), v, None) for v in (value if many else (value,))])
    elif many:
        into.extend([(kind, v, None) for v in value])
    else:
        into.append((kind, value, None))


def _take_list(kind: str, value: list[Any], beside: list[Any], into: Items) -> None:
    for at in range(max(len(value), len(beside))):
        one = value[at] if at < len(value) else None
        other = beside[at] if at < len(beside) else None
        if one is not None or other is not None:
            into.append((kind, one, other))


def children(items: Items) -> Items:
    """All elements directly within the items.

    http://hl7.org/fhirpath/N1/#tree-navigation
    """
    found: Items = []
    for kind, value, sibling in items:
        holder = sibling if not isinstance(value, dict) else value
        if not isinstance(holder, dict):
            continue
        known = member_types(kind)
        done = set()
        for member in holder:
            step = known.get(member) or known.get(member[1:] if member[:1] == "_" else member)
            if step is not None and step.json_name not in done:
                done.add(step.json_name)
                take(step, holder, found)
    return found


def descendants(items: Items) -> Items:
    """All elements within the items at any depth."""
    found: Items = []
    level = children(items)
    while level:
        found.extend(level)
        level = children(level)
    return found
