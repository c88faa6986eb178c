"""Which types lie inside a type, at any depth.

http://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from functools import cache

from resources import registry
from resources.fhirpath.model import WHOLE

_EXTENSIONS = frozenset({"extension", "modifierExtension"})


@cache
def inside(kind: str) -> frozenset[str]:
    """The complex types that a value of the type may hold, itself included, as far as no extension is entered: through
    one everything can be reached.
    """
    found: set[str] = set()
    entered = [kind]
    while entered:
        current = entered.pop()
        if current in found or current in WHOLE or registry.is_primitive(current):
            continue
        found.add(current)
        elements = registry.elements(current).values()
        entered += [each for element in elements if element.name not in _EXTENSIONS for each in element.types]
    return frozenset(found)
