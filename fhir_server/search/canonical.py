"""Which reference parameters hold canonical URLs: what they lead to is found by its `url`, not by its id.

http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import re
from functools import cache

from resources import registry
from resources.search_parameters import SearchParameter, parameters

_STEPS = re.compile(r"\(?([A-Z]\w*(?:\.\w+)+)(?: as (\w+)\)|\.(?:as|ofType)\((\w+)\))?")
_TYPES = {"canonical", "uri"}


@cache
def holds_canonicals(parameter: SearchParameter) -> bool:
    """Whether any element of the parameter is a canonical or uri."""
    return any(_is_canonical(part) for part in (parameter.expression or "").split(" | "))


def _is_canonical(expression: str) -> bool:
    match = _STEPS.match(expression)
    if match is None:
        return False
    named = match[2] or match[3]
    if named:
        return named in _TYPES
    types: tuple[str, ...] = ()
    type_name, *steps = match[1].split(".")
    for step in steps:
        element = registry.element(type_name, step)
        if element is None:
            break
        types = element.types
        type_name = types[0]
    return bool(_TYPES & set(types))


@cache
def has_url(resource_type: str) -> bool:
    """Whether resources of the type are found by a canonical URL."""
    found = parameters(resource_type).get("url")
    return found is not None and found.type == "uri"
