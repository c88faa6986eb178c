"""The compound indexes of the types that clients search most, declared as the searches they are for.

What a compound index begins with needs no place in the wildcard index that serves every other parameter
(docs/adr/0004-indexes.md). An index over two parameters that can both have several values cannot be: MongoDB refuses
the resource. Here only the first, or the second, of each can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from resources import search_elements
from resources.search_parameters import SearchParameter, parameters

Key = tuple[str, int]
"""A field of a stored document, and 1 or -1."""

LITERAL = ".lo"
"""After the code of a quantity: the number as it is written, for searches without a unit of UCUM."""

_INDEXES = (
    ("Patient", "identifier"),
    ("Patient", "name birthdate"),
    ("Patient", "general-practitioner"),
    ("Encounter", "patient date"),
    ("Encounter", "identifier"),
    ("Encounter", "location"),
    ("Encounter", "status"),
    ("Observation", "patient code date"),
    ("Observation", "patient category date"),
    ("Observation", "code date"),
    ("Observation", "code value-quantity"),
    ("Observation", "code value-quantity.lo"),
    ("MedicationRequest", "patient status"),
    ("MedicationRequest", "patient authoredon"),
    ("MedicationRequest", "code"),
    ("AuditEvent", "entity date"),
    ("AuditEvent", "agent date"),
    ("AuditEvent", "patient date"),
)

WITHOUT_WILDCARD = frozenset({"AuditEvent"})
"""Written with every access and searched in few ways: its compound indexes are all it has."""


@dataclass(frozen=True)
class Index:
    """An index for searches by all of its parameters, or by the first of them; a date at the end gives the order."""

    resource_type: str
    parts: tuple[str, ...]
    """Codes of parameters, `LITERAL` behind one to name a part of its values"""

    @property
    def name(self) -> str:
        return "+".join(self.parts)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        return tuple(each.removesuffix(LITERAL) for each in self.parts)

    @property
    def serves(self) -> str:
        """The search it is for: `Observation?patient=&code=&date=&_sort=-date`."""
        order = f"&_sort=-{self.date}" if self.date else ""
        asked = "&".join(_asked(self._parameter(each.removesuffix(LITERAL)), each) for each in self.parts)
        return f"{self.resource_type}?{asked}{order}"

    @cached_property
    def date(self) -> str | None:
        """The date in whose order it gives what is found by exact values of the others."""
        *others, last = (self._parameter(each) for each in self.parameters)
        exact = all(each.type in {"reference", "token"} for each in others)
        return last.code if exact and last.type == "date" else None

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The id at the end tells those of one moment apart; the end of a period decides without the document."""
        keys = [_key(self._parameter(each.removesuffix(LITERAL)), each) for each in self.parts]
        last = self._parameter(self.parameters[-1])
        if last.type == "quantity":
            return tuple(keys)
        if last.type != "date":
            return (*keys, ("_id", 1))
        moment = search_elements.types(last, self.resource_type) == {"instant"}
        return (*keys, ("_id", -1), *(() if moment else ((f"s.{last.code}.e", -1),)))

    def _parameter(self, code: str) -> SearchParameter:
        return parameters(self.resource_type)[code]


def _key(parameter: SearchParameter, part: str) -> Key:
    field = f"s.{parameter.code}"
    if parameter.type == "date":
        return (f"{field}.s", -1)
    if parameter.type == "quantity":
        return (f"s.{part}" if part.endswith(LITERAL) else f"{field}.c", 1)
    return (field, 1)


def _asked(parameter: SearchParameter, part: str) -> str:
    if parameter.type != "quantity":
        return f"{part}="
    return f"{parameter.code}=" + ("5.4" if part.endswith(LITERAL) else "5.4|http://unitsofmeasure.org|g")


def _by_type() -> Mapping[str, tuple[Index, ...]]:
    found: dict[str, tuple[Index, ...]] = {}
    for resource_type, names in _INDEXES:
        index = Index(resource_type, tuple(names.split()))
        found[resource_type] = (*found.get(resource_type, ()), index)
    return found


CURATED: Mapping[str, tuple[Index, ...]] = _by_type()


def leading(resource_type: str) -> tuple[str, ...]:
    """The parameters that indexes of the type begin with."""
    return tuple(dict.fromkeys(index.parameters[0] for index in CURATED.get(resource_type, ())))
