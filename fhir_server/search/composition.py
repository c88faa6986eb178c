"""What a ValueSet holds: its definition evaluated, or the expansion that is stored with it.

http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

from fhir_server.search import codes, concepts
from fhir_server.search.codes import ALL, Codes, Members
from fhir_server.search.concepts import Concepts, Unknown

MOST_NESTED = 16
"""Value sets that may be in each other"""

Json = Mapping[str, Any]


class Composition:
    """Of the value sets that `value_set` gives, and of R4's, with the code systems that `concepts` gives, and R4's."""

    def __init__(
        self, value_set: Callable[[str], Json | None], of_system: Callable[[str], Concepts | None]
    ) -> None:
        self._value_set = value_set
        self._concepts = of_system
        self._within: list[str] = []
        self._found: dict[str, Members | None] = {}

    def members(self, canonical: str) -> Members | None:
        """The codes of a value set; None if it is not known.

        `Unknown`: it is there, but what it consists of cannot be told here.
        """
        if canonical not in self._found:
            self._found[canonical] = self._fresh(canonical)
        return self._found[canonical]

    def _fresh(self, canonical: str) -> Members | None:
        stored = self._value_set(canonical)
        if stored is None:
            return codes.of_r4(canonical)
        if canonical in self._within:
            path = " → ".join([*self._within[self._within.index(canonical) :], canonical])
            raise Unknown(f"the value set consists of itself: {path[:1000]}")
        if len(self._within) >= MOST_NESTED:
            raise Unknown(f"the value set is made of others more than {MOST_NESTED} deep")
        self._within.append(canonical)
        try:
            return self._of_resource(stored, canonical)
        finally:
            self._within.pop()

    def _of_resource(self, value_set: Json, where: str) -> Members:
        expansion = value_set.get("expansion")
        listed = None if expansion is None else _expanded(expansion)
        if "compose" not in value_set:
            if listed is None:
                how = "has neither a definition nor an" if expansion is None else "has only a part of its"
                raise Unknown(f"the value set '{where[:256]}' {how} expansion")
            return listed
        try:
            return self._composed(value_set["compose"], where)
        except Unknown:
            if listed is None:
                raise
            return listed

    def _composed(self, compose: Json, where: str) -> Members:
        included = [self._selected(each, where) for each in compose["include"]]
        excluded = [self._selected(each, where) for each in compose.get("exclude", ())]
        whole = reduce(codes.either, included)
        return codes.without(whole, reduce(codes.either, excluded)) if excluded else whole

    def _selected(self, criteria: Json, where: str) -> Members:
        """What meets all that an include or exclude says."""
        parts: list[Members] = []
        if "system" in criteria:
            parts.append({criteria["system"]: self._of_system(criteria, where)})
        for canonical in criteria.get("valueSet", ()):
            nested = None if canonical is None else self.members(canonical)
            if nested is None:
                text = f"the value set '{where[:256]}' draws on '{str(canonical)[:256]}', which is not known here"
                raise Unknown(text)
            parts.append(nested)
        return reduce(codes.both, parts) if parts else {}

    def _of_system(self, criteria: Json, where: str) -> Codes:
        if "concept" in criteria:
            return Codes(frozenset(each["code"] for each in criteria["concept"] if "code" in each))
        if "filter" not in criteria:
            return ALL
        system = criteria["system"]
        known = self._concepts(system) or concepts.of_r4(system)
        if known is None:
            text = f"the value set '{where[:256]}' selects codes of '{system[:256]}', which is not known here"
            raise Unknown(text)
        within = ALL if known.known is None else Codes(known.known)
        chosen = (known.selected(each, f"the value set '{where[:256]}'") for each in criteria["filter"])
        return reduce(Codes.__and__, chosen, within)


def _expanded(expansion: Json) -> Members | None:
    """What an expansion lists, None if that is not all of it: a page, or the codes that could not be listed."""
    found: dict[str, set[str]] = {}
    count = 0
    for each in _contained(expansion):
        count += 1
        if "code" in each:
            found.setdefault(each.get("system", ""), set()).add(each["code"])
    if expansion.get("total", count) > count or expansion.get("offset", 0) > 0:
        return None
    return {system: Codes(frozenset(some)) for system, some in found.items()}


def _contained(expansion: Json) -> Iterator[Json]:
    waiting = list(expansion.get("contains", ()))
    while waiting:
        each = waiting.pop()
        yield each
        waiting += each.get("contains", ())
