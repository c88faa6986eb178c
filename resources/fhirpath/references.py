"""`resolve()` without I/O: the type comes from the reference's text or `type`, contained resources are at hand.

http://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from typing import Any

from resources import registry
from resources.fhirpath.expression import Environment
from resources.fhirpath.model import type_of
from resources.fhirpath.values import Item, Items

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?$")


def resolve(items: Items, env: Environment) -> Items:
    """What the references point to as far as it can be told: the contained resource, or a stub of type and id."""
    return [found for item in items if (found := _target(item, env)) is not None]


def _target(item: Item, env: Environment) -> Item | None:
    value = item[1]
    if isinstance(value, dict):
        return _by_text(value.get("reference"), env) or _by_type(value)
    return _by_text(value, env)


def _by_type(reference: dict[str, Any]) -> Item | None:
    kind = reference.get("type")
    if isinstance(kind, str):
        kind = kind.removeprefix("http://hl7.org/fhir/StructureDefinition/")
        if registry.is_resource(kind):
            return (kind, {"resourceType": kind}, None)
    return None


def _by_text(text: Any, env: Environment) -> Item | None:
    if not isinstance(text, str):
        return None
    if text.startswith("#"):
        return _contained(text[1:], env)
    match = _LITERAL.search(text)
    if match is None or not registry.is_resource(match.group(1)):
        return None
    return (match.group(1), {"resourceType": match.group(1), "id": match.group(2)}, None)


def _contained(logical_id: str, env: Environment) -> Item | None:
    if not logical_id:
        return env.root
    for one in env.root[1].get("contained") or ():
        if isinstance(one, dict) and one.get("id") == logical_id:
            return (type_of(one), one, None)
    return None
