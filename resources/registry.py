"""What a resource may hold, element by element: the structure tables read once, at first use.

A type is addressed by its name (`Patient`, `HumanName`) or, for an element with elements of its own, by its
path (`Patient.contact`, `Timing.repeat`). Content references are resolved: the type of `Bundle.entry.link` is
`Bundle.link`. Choice elements appear under their FHIRPath name (`value`), with one JSON name for each type.

http://hl7.org/fhir/R4/formats.html#table, http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from resources import definitions

UNBOUNDED = None

ANY_RESOURCE = "Resource"
"""The type of elements that hold a whole resource: contained, Bundle.entry.resource, Parameters.parameter.resource."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive data type: `system` is its FHIRPath type (`String`, `Date`, …), ranges only for integers.

    http://hl7.org/fhir/R4/datatypes.html#primitive
    """

    name: str
    base: str
    system: str
    regex: str | None
    minimum: int | None
    maximum: int | None
    max_length: int | None


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type.

    `path` is where it is defined (`Patient.contact.name`, `Observation.value[x]`); `max` is None for `*`;
    `types` are type names usable with `elements` or `primitive` (`Patient.contact`, `HumanName`, `code`, or
    `Resource`); `json_names` maps each JSON member name to its type; `targets` the resource types a Reference may
    point to and `canonicals` those of a canonical (empty: any); `binding` the value set of a required binding.
    """

    name: str
    path: str
    min: int
    max: int | None
    types: tuple[str, ...]
    json_names: Mapping[str, str]
    targets: tuple[str, ...]
    canonicals: tuple[str, ...]
    profiles: tuple[str, ...]
    binding: str | None
    summary: bool
    modifier: bool

    @property
    def repeats(self) -> bool:
        return self.max is UNBOUNDED

    @property
    def takes_extensions(self) -> bool:
        """Whether `_name` may stand beside it: not for XML attributes and XHTML.

        http://hl7.org/fhir/R4/json.html#primitive
        """
        owner = self.path.rpartition(".")[0]
        attribute = self.name == "id" and not is_resource(owner)
        return not attribute and self.path not in {"Extension.url", "Narrative.div"}

    @property
    def is_choice(self) -> bool:
        return self.path.endswith("[x]")


@cache
def _tables() -> Any:
    return definitions.read("structures")


@cache
def _bindings() -> dict[str, dict[str, list[str] | None] | None]:
    bindings: dict[str, dict[str, list[str] | None] | None] = definitions.read("required_bindings")
    return bindings


@cache
def resource_types() -> frozenset[str]:
    """The names of the R4 resource types that can be instantiated.

    http://hl7.org/fhir/R4/resourcelist.html
    """
    types = _tables()["types"].items()
    return frozenset(
        name for name, facts in types if facts["kind"] == "resource" and not facts.get("abstract")
    )


@cache
def data_types() -> frozenset[str]:
    """The names of the complex data types, abstract ones included."""
    return frozenset(name for name, facts in _tables()["types"].items() if facts["kind"] != "resource")


@cache
def primitives() -> Mapping[str, Primitive]:
    """The primitive types by name; ranges and lengths of a base type are inherited."""
    return {name: _primitive(name) for name in _tables()["primitives"]}


def _primitive(name: str) -> Primitive:
    facts = _tables()["primitives"][name]
    base = _tables()["primitives"].get(facts["base"], {})
    minimum = {"positiveInt": 1, "unsignedInt": 0}.get(name, facts.get("minValueInteger"))
    return Primitive(
        name,
        facts["base"],
        facts["system"],
        facts.get("regex"),
        minimum,
        facts.get("maxValueInteger", base.get("maxValueInteger")),
        facts.get("maxLength", base.get("maxLength")),
    )


def is_resource(type_name: str) -> bool:
    return type_name in resource_types()


def is_primitive(type_name: str) -> bool:
    return type_name in _tables()["primitives"]


def base(type_name: str) -> str | None:
    """The type it specializes: `Patient` → `DomainResource`, `Age` → `Quantity`, `code` → `string`; None at the top."""
    facts = _tables()["types"].get(type_name) or _tables()["primitives"].get(type_name)
    if facts is not None:
        specialized: str | None = facts.get("base")
        return specialized
    elements(type_name)  # KeyError if there is no such type
    kind: str | None = _declared(type_name)["types"][0] if "." in type_name else None
    return kind


def is_a(type_name: str, ancestor: str) -> bool:
    """Whether the type is the other or specializes it."""
    current: str | None = type_name
    while current is not None and current != ancestor:
        current = base(current)
    return current == ancestor


def elements(type_name: str) -> Mapping[str, Element]:
    """The elements of a type by FHIRPath name, in the order of the specification; KeyError if there is no such type."""
    return _elements(type_name)


def element(type_name: str, name: str) -> Element | None:
    """One element by its FHIRPath name (`value`, not `valueString`), or None."""
    try:
        return elements(type_name).get(name)
    except KeyError:
        return None


@cache
def json_members(type_name: str) -> Mapping[str, Element]:
    """The elements of a type by JSON member name: `valueString` and `valueQuantity` both give `value[x]`."""
    return {name: each for each in elements(type_name).values() for name in each.json_names}


def codes(value_set: str) -> frozenset[str] | None:
    """All codes of a required value set, whatever their system; None where the set is open or cannot be resolved."""
    return _codes(value_set)


def systems(value_set: str) -> Mapping[str, list[str] | None] | None:
    """The codes of a required value set by system, None for all codes of a system; None where it cannot be resolved."""
    return _bindings().get(value_set)


@cache
def _codes(value_set: str) -> frozenset[str] | None:
    by_system = systems(value_set)
    if by_system is None or None in by_system.values():
        return None
    return frozenset(code for some in by_system.values() for code in some or ())


@cache
def _elements(type_name: str) -> Mapping[str, Element]:
    owner, _, path = type_name.partition(".")
    declared = _tables()["types"][owner]["elements"]
    if path and path not in declared:
        raise KeyError(type_name)
    prefix = path + "." if path else ""
    found = [_element(owner, p) for p in declared if p.startswith(prefix) and "." not in p[len(prefix) :]]
    if path and not found:
        raise KeyError(type_name)
    return {each.name: each for each in found}


def _declared(path: str) -> Any:
    owner, _, rest = path.partition(".")
    return _tables()["types"][owner]["elements"][rest]


def _element(owner: str, path: str) -> Element:
    full = f"{owner}.{path}"
    facts = _declared(full)
    types = _type_names(full, facts)
    last = path.rpartition(".")[2]
    name = last.removesuffix("[x]")
    json_names = {name + t[0].upper() + t[1:]: t for t in types} if last.endswith("[x]") else {name: types[0]}
    return Element(
        name=name,
        path=full,
        min=facts.get("min", 0),
        max=UNBOUNDED if facts.get("max") == "*" else 1,
        types=types,
        json_names=json_names,
        targets=tuple(each for each in facts.get("targets", ()) if each != ANY_RESOURCE),
        canonicals=tuple(facts.get("canonicals", ())),
        profiles=tuple(facts.get("profiles", ())),
        binding=facts.get("binding"),
        summary=facts.get("summary", False),
        modifier=facts.get("modifier", False),
    )


def _type_names(path: str, facts: Any) -> tuple[str, ...]:
    if "ref" in facts:
        return (facts["ref"],)
    if facts["types"][0] in {"BackboneElement", "Element"} and len(facts["types"]) == 1:
        return (path,)
    return tuple(facts["types"])
