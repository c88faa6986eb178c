"""The forms a `Reference.reference` may have, and the types it may point to.

A relative reference names its type (`Patient/123`, `Patient/123/_history/2`, in Bundles also
`Patient?identifier=…`), so the type can be checked; absolute URLs, urn:uuid and #fragments do not, and pass.

http://hl7.org/fhir/R4/references.html#literal
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from resources import registry
from resources.primitives import PATTERNS, shown

_ID = r"[A-Za-z0-9\-.]{1,64}"
_UNTYPED = r"#\S*|[A-Za-z][A-Za-z0-9+.\-]*:\S+"
_RELATIVE = re.compile(rf"^([A-Za-z]+)(?:/({_ID})(?:/_history/{_ID})?|\?\S+)\Z")
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
    return rf"^(?:(?:{types})(?:/{_ID}(?:/_history/{_ID})?|\?\S+)|{_UNTYPED})\Z"


def severity(reference: str, element: str) -> str:
    """How bad a wrong target is: a `warning` where the standard's own examples have it at that element path."""
    named = reference.partition("/")[0]
    return "warning" if (element, named) in _AS_IN_EXAMPLES else "error"


def fault(reference: str, targets: tuple[str, ...]) -> str | None:
    """What is wrong with a literal reference to one of those types, or None."""
    if not _uri.match(reference):
        return f"{shown(reference)} is not a reference; expected for example '{(targets or ('Patient',))[0]}/123'"
    found = _RELATIVE.match(reference)
    named = found[1] if found else reference.partition("/")[0]
    if named not in registry.resource_types():
        return None
    if targets and named not in targets:
        return f"{shown(reference)} points to a {named}; expected {_any_of(targets)}"
    if found is None:
        return f"{shown(reference)} holds no id; expected '{named}/' and 1 to 64 of A-Z a-z 0-9 - ."
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
    found = _RELATIVE.match(literal) if isinstance(literal, str) else None
    if found and found[1] in registry.resource_types() and found[1] != name:
        return f"the type {name} contradicts the reference {shown(literal)}"
    return None


def _any_of(targets: tuple[str, ...]) -> str:
    return targets[0] if len(targets) == 1 else "one of " + ", ".join(targets)
