"""Every structural fault of a resource: the definitions walked element by element.

Slower than `resources.structure`, but complete: it decides what the fast types refuse, and each fault is an issue
with its FHIRPath and what was expected. Resources inside (contained, entries, parameters) are not entered.

http://hl7.org/fhir/R4/validation.html, http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from resources import bindings, narrative, primitives, reference_rules, registry
from resources.outcome import Issue
from resources.primitives import shown
from resources.registry import ANY_RESOURCE, Element

Json = dict[str, Any]

MAX_ISSUES = 200
"""Faults named for one resource; a body of a million unknown keys must not give a million issues."""


class _Enough(Exception):
    pass


def faults(resource: Json) -> list[Issue]:
    """The structural faults of one resource, those of resources inside it excluded; empty if there are none."""
    resource_type = resource.get("resourceType")
    if not isinstance(resource_type, str) or not registry.is_resource(resource_type):
        return [_unknown_type(resource)]
    walk = _Walk()
    try:
        walk.members(resource, resource_type, resource_type)
    except _Enough:
        text = f"Only the first {MAX_ISSUES} faults are listed"
        walk.issues.append(Issue("information", "incomplete", text, (resource_type,)))
    return walk.issues


def _unknown_type(resource: Json) -> Issue:
    if "resourceType" not in resource:
        text = (
            '\'resourceType\' is missing; a resource says what it is, for example "resourceType": "Patient"'
        )
        return Issue("error", "required", text, ("Resource",))
    given = resource["resourceType"]
    near = (
        get_close_matches(given, registry.resource_types(), 1)
        if isinstance(given, str) and len(given) < 64
        else []
    )
    hint = f". Did you mean '{near[0]}'?" if near else ""
    return Issue("error", "structure", f"{shown(given)} is not a FHIR R4 resource type{hint}", ("Resource",))


class _At(NamedTuple):
    """A value's place: its element, which of the element's types it has, and the element around it."""

    element: Element
    kind: str
    path: str
    holder: Element | None

    def item(self, i: int) -> _At:
        return self._replace(path=f"{self.path}[{i}]")


class _Walk:
    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def add(self, code: str, path: str, text: str, severity: str = "error") -> None:
        self.issues.append(Issue(severity, code, f"{path}: {text}", (path,)))
        if len(self.issues) >= MAX_ISSUES:
            raise _Enough

    def members(self, value: Json, type_name: str, path: str, used: Element | None = None) -> None:
        """The members of an object against the elements of its type; `used` is the element that holds it."""
        known = registry.json_members(type_name)
        given: dict[str, list[str]] = {}
        for key in value:
            name = key.removeprefix("_")
            element = known.get(name)
            if element is None or (name != key and not _takes_extensions(element, name)):
                if key != "resourceType" or not registry.is_resource(type_name):
                    self.unknown(key, type_name, path, known)
            elif name not in given.setdefault(element.name, []):
                given[element.name].append(name)
        for element in registry.elements(type_name).values():
            names = given.get(element.name, [])
            if not names and element.min:
                self.add(
                    "required",
                    f"{path}.{element.name}",
                    f"is required in {type_name} ({_described(element)})",
                )
            if len(names) > 1:
                text = f"{' and '.join(names)} exclude each other: give one value"
                self.add("structure", f"{path}.{element.name}", text)
            for name in names:
                self.element(
                    _At(element, element.json_names[name], f"{path}.{element.name}", used), value, name
                )
        self.content(value, type_name, path, used)

    def unknown(self, key: str, type_name: str, path: str, known: Mapping[str, Element]) -> None:
        short = key[:64]
        place = f"{path}.{short}" if short.isidentifier() else f"{path}.`{short}`"
        if key.startswith("_") and key[1:] in known:
            self.add("structure", place, f"only primitive elements have a '{short}' beside them")
            return
        near = get_close_matches(short, known, 1)
        choices = [name for name, each in known.items() if each.name == key]
        if choices:
            hint = f". Its type belongs to its name, as in '{choices[0]}'"
        else:
            hint = f". Did you mean '{near[0]}'?" if near else ""
        self.add("structure", place, f"{type_name} has no element {shown(key)}{hint}")

    def element(self, at: _At, holder: Json, name: str) -> None:
        if registry.is_primitive(at.kind):
            if at.element.repeats:
                self.primitives(at, holder, name)
            else:
                self.primitive(at, holder.get(name, _ABSENT), holder.get("_" + name, _ABSENT))
        elif at.element.repeats:
            for i, each in self.items(holder[name], at.path):
                self.complex(at.item(i), each)
        else:
            self.complex(at, holder[name])

    def items(self, value: Any, path: str) -> list[tuple[int, Any]]:
        if not isinstance(value, list):
            self.add("structure", path, f"{shown(value)} stands where an array is expected")
            return []
        if not value:
            self.add("structure", path, "an empty array is not allowed; leave the element out")
        return list(enumerate(value))

    def complex(self, at: _At, value: Any) -> None:
        if not isinstance(value, dict):
            self.add("structure", at.path, f"{shown(value)} stands where an object ({at.kind}) is expected")
        elif at.kind != ANY_RESOURCE:
            self.members(value, at.kind, at.path, at.element)
            if at.kind == "CodeableConcept" and at.element.binding:
                self.report("code-invalid", at.path, bindings.concept_fault(value, at.element.binding))

    def primitives(self, at: _At, holder: Json, name: str) -> None:
        values = self.items(holder[name], at.path) if name in holder else []
        beside = self.items(holder["_" + name], at.path) if "_" + name in holder else []
        if values and beside and len(values) != len(beside):
            text = f"'{name}' has {len(values)} items and '_{name}' {len(beside)}; fill up with null"
            self.add("structure", at.path, text)
        for i in range(max(len(values), len(beside))):
            value = values[i][1] if i < len(values) else None
            extension = beside[i][1] if i < len(beside) else None
            if value is None and extension is None:
                self.add(
                    "structure", f"{at.path}[{i}]", "null is not allowed without an extension in its place"
                )
            else:
                self.primitive(
                    at.item(i), *(_ABSENT if each is None else each for each in (value, extension))
                )

    def primitive(self, at: _At, value: Any, beside: Any) -> None:
        if value is not _ABSENT:
            self.value(at, value)
        if beside is _ABSENT:
            return
        if not isinstance(beside, dict):
            text = f"{shown(beside)} stands where an object with id or extension is expected"
            self.add("structure", at.path, text)
            return
        if value is _ABSENT and beside and "extension" not in beside:
            self.add("invariant", at.path, "ele-1: there is neither a value nor an extension")
        self.members(beside, "Element", at.path)

    def value(self, at: _At, value: Any) -> None:
        if isinstance(value, list):
            self.add("structure", at.path, f"an array stands where one {at.kind} is expected")
        elif text := primitives.fault(at.kind, value):
            self.add("value", at.path, text)
        elif at.kind == "xhtml" and (narrated := narrative.fault(value)):
            self.add("value", at.path, narrated.text, narrated.severity)
        elif at.element.path == "Reference.reference" and at.holder is not None:
            if text := reference_rules.fault(value, at.holder.targets):
                self.add("value", at.path, text, reference_rules.severity(value, at.holder.path))
        elif at.element.binding:
            self.report("code-invalid", at.path, bindings.code_fault(value, at.element.binding))

    def content(self, value: Json, type_name: str, path: str, used: Element | None) -> None:
        """Rules about the object as a whole."""
        if used is not None and not value.keys() - {"id"}:
            self.add(
                "structure", path, "an object without content is not allowed; leave the element out (ele-1)"
            )
        elif not value:
            self.add("structure", path, "an empty object is not allowed; leave the element out (ele-1)")
        if type_name == "Extension":
            values = [name for name in registry.json_members("Extension") if name.startswith("value")]
            given = any(name in value or "_" + name in value for name in values)
            if given == ("extension" in value) and value:
                self.add(
                    "invariant",
                    path,
                    "ext-1: an extension has either a value or extensions inside, never both",
                )
        if type_name == "Reference" and used is not None:
            self.report("value", f"{path}.type", reference_rules.type_fault(value, used.targets))
        if (
            type_name == "Quantity"
            and used is not None
            and "SimpleQuantity" in used.profiles
            and "comparator" in value
        ):
            self.add("invariant", f"{path}.comparator", "sqty-1: a comparator is not allowed here")

    def report(self, code: str, path: str, text: str | None) -> None:
        if text is not None:
            self.add(code, path, text)


_ABSENT: Any = object()


def _takes_extensions(element: Element, name: str) -> bool:
    return registry.is_primitive(element.json_names[name]) and element.takes_extensions


def _described(element: Element) -> str:
    kinds = ", ".join(element.types[:6]) + (", …" if len(element.types) > 6 else "")
    return f"{element.min}..{'*' if element.repeats else 1} {kinds}"
