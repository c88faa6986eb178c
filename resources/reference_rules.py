"""The forms a `Reference.reference` may have, and the types it may point to.

A relative reference names its type (`Patient/123`, `Patient/123/_history/2`, in Bundles also
`Patient?identifier=…`), and so does an absolute URL of the RESTful form (`http://a.org/fhir/Patient/123`): their type
can be checked. Other URLs, urn:uuid and #fragments name none, and pass.

http://hl7.org/fhir/R4/references.html#literal
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from resources import registry
from resources.primitives import PATTERNS, shown

_ID = r"[A-Za-z0-9\-.]{1,64}"
_UNTYPED = r"#\S*|(?!https?:)[A-Za-z][A-Za-z0-9+.\-]*:\S+"
_RELATIVE = re.compile(rf"^([A-Za-z]+)(?:/({_ID})(?:/_history/{_ID})?|\?\S+)\Z")
_ABSOLUTE = re.compile(rf"^https?://\S+/([A-Za-z]+)/{_ID}(?:/_history/{_ID})?\Z")
_TYPE_BASE = "http://hl7.org/fhir/StructureDefinition/"
_AS_IN_EXAMPLES = frozenset(
    {
        ("DeviceMetric.parent", "DeviceDefinition"),
        ("DeviceUseStatement.reasonReference", "Procedure"),
        ("MedicationRequest.dispenseRequest.performer", "Practitioner"),
        ("Observation.performer", "Encounter"),
    }
)
"""Where examples of the standard itself point to a type that its definitions do not allow: a warning, not an error."""

_uri = re.compile(PATTERNS["uri"])


@cache
def pattern(targets: tuple[str, ...]) -> str:
    """A pattern of references that are certainly right for those target types (none: any type)."""
    types = "|".join(targets or sorted(registry.resource_types()))
    return rf"^(?:(?:https?://\S+/)?(?:{types})/{_ID}(?:/_history/{_ID})?|(?:{types})\?\S+|{_UNTYPED})\Z"


def severity(reference: str, element: str) -> str:
    """How bad a wrong target is: a `warning` where the standard's own examples have it at that element path."""
    return "warning" if (element, _type_of(reference)) in _AS_IN_EXAMPLES else "error"


def fault(reference: str, targets: tuple[str, ...]) -> str | None:
    """What is wrong with a literal reference to one of those types, or None."""
    if not _uri.match(reference):
        return f"{shown(reference)} is not a reference; expected for example '{(targets or ('Patient',))[0]}/123'"
    named = _type_of(reference)
    if named is None:
        found = _RELATIVE.match(reference)
        return None if found is None else _no_type(reference, found[1], targets)
    if text := target_fault(reference, named, targets):
        return text
    if not _RELATIVE.match(reference) and not _ABSOLUTE.match(reference):
        return f"{shown(reference)} holds no id; expected '{named}/' and 1 to 64 of A-Z a-z 0-9 - ."
    return None


def target_fault(reference: str, named: str, targets: tuple[str, ...]) -> str | None:
    """What is wrong with a reference to a resource of the type `named`, or None."""
    if targets and named not in targets:
        return f"{shown(reference)} points to a {named}; expected {_any_of(targets)}"
    return None


def type_fault(reference: Mapping[str, Any], targets: tuple[str, ...]) -> str | None:
    """What is wrong with `Reference.type` beside its literal reference and the target types, or None.

    http://hl7.org/fhir/R4/references-definitions.html#Reference.type
    """
    declared, literal = reference.get("type"), reference.get("reference")
    if not isinstance(declared, str):
        return None
    name = declared.removeprefix(_TYPE_BASE)
    if name not in registry.resource_types():
        return None
    if targets and name not in targets:
        return f"the type {name} is not allowed here; expected {_any_of(targets)}"
    if isinstance(literal, str) and _type_of(literal) not in {None, name}:
        return f"the type {name} contradicts the reference {shown(literal)}"
    return None


def _type_of(reference: str) -> str | None:
    """The type a literal reference names, whether or not an id follows; None where it names none of R4."""
    found = _ABSOLUTE.match(reference) or _RELATIVE.match(reference)
    named = found[1] if found else reference.partition("/")[0]
    return named if named in registry.resource_types() else None


def _no_type(reference: str, named: str, targets: tuple[str, ...]) -> str:
    near = get_close_matches(named[:64], targets or registry.resource_types(), 1)
    hint = (
        f"did you mean '{near[0]}'?"
        if near
        else f"expected {_any_of(targets or ('Patient/123', 'another type'))}"
    )
    return f"{shown(reference)} names no resource type of R4; {hint}"


def _any_of(targets: tuple[str, ...]) -> str:
    return targets[0] if len(targets) == 1 else "one of " + ", ".join(targets)
