"""What a code system says of its codes: which are nested in which, and which a filter of a value set selects.

http://hl7.org/fhir/R4/codesystem.html#hierarchy, http://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fhir_server.search.codes import Codes
from resources import terminology


class Unknown(Exception):
    """What would have to be known to say which codes are meant is not known here; the text says what."""


_OF_THE_CODE = frozenset({"concept", "code"})
"""Names of the code itself in a filter"""


@dataclass(frozen=True)
class Concepts:
    """The codes of one system; `parents` has the code each is nested in, `known` all codes, None where they are not
    known, `properties` what is said of a code.
    """

    parents: Mapping[str, tuple[str, ...]]
    known: frozenset[str] | None = None
    properties: Mapping[str, Mapping[str, frozenset[str]]] | None = None

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for code, above in self.parents.items():
            for each in above:
                found.setdefault(each, []).append(code)
        return found

    def below(self, code: str) -> frozenset[str]:
        """The code and those nested in it, at any depth."""
        return _reached(code, self._children)

    def above(self, code: str) -> frozenset[str]:
        """The code and those it is nested in."""
        return _reached(code, self.parents)

    def selected(self, condition: Mapping[str, Any], where: str) -> Codes:
        """What a filter `{property, op, value}` selects; `Unknown` where that cannot be told."""
        name, operator, value = (condition.get(each, "") for each in ("property", "op", "value"))
        if name in _OF_THE_CODE:
            match operator:
                case "is-a":
                    return Codes(self.below(value))
                case "descendent-of":
                    return Codes(self.below(value) - {value})
                case "is-not-a":
                    return Codes(self.below(value), others=True)
                case "generalizes":
                    return Codes(self.above(value))
                case "=":
                    return Codes(frozenset({value}))
                case "in" | "not-in":
                    return Codes(frozenset(_listed(value)), others=operator == "not-in")
        if self.properties is not None and operator in {"=", "in", "not-in", "exists"}:
            return Codes(frozenset(self._with_property(name, operator, value)))
        raise Unknown(f"the filter '{name[:64]} {operator}' of {where} cannot be evaluated here")

    def _with_property(self, name: str, operator: str, value: str) -> Iterator[str]:
        assert self.known is not None
        assert self.properties is not None
        wanted = set(_listed(value)) if operator != "=" else {value}
        for code in self.known:
            own = self.properties.get(code, {}).get(name, frozenset())
            if operator == "exists":
                fits = bool(own) is (value == "true")
            else:
                fits = bool(own & wanted) is (operator != "not-in")
            if fits:
                yield code


def _listed(value: str) -> list[str]:
    return [each.strip() for each in value.split(",")]


def _reached(code: str, steps: Mapping[str, Any]) -> frozenset[str]:
    found, waiting = {code}, [code]
    while waiting:
        more = [each for each in steps.get(waiting.pop(), ()) if each not in found]
        found.update(more)
        waiting += more
    return frozenset(found)


def of_r4(system: str) -> Concepts | None:
    """What R4 has of a code system of its own that nests codes."""
    if not terminology.has_hierarchy(system):
        return None
    return Concepts({code: (above,) for code, above in terminology.parents(system).items()})


def of_code_system(resource: Mapping[str, Any]) -> Concepts:
    """What a CodeSystem resource says."""
    parents: dict[str, tuple[str, ...]] = {}
    properties: dict[str, dict[str, frozenset[str]]] = {}
    waiting: list[tuple[Any, str | None]] = [(each, None) for each in resource.get("concept", ())]
    known = set()
    while waiting:
        concept, above = waiting.pop()
        code = concept.get("code")
        if code is None:  # an extension says why
            continue
        known.add(code)
        own = _properties(concept)
        named = own.get("parent", frozenset()) | ({above} if above else set())
        parents[code] = (*parents.get(code, ()), *sorted(named))
        for child in own.get("child", ()):
            parents[child] = (*parents.get(child, ()), code)
        properties[code] = own
        waiting += [(each, code) for each in concept.get("concept", ())]
    return Concepts(parents, frozenset(known), properties)


def _properties(concept: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for each in concept.get("property", ()):
        value = next((of for name, of in each.items() if name.startswith("value")), None)
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, dict):
            value = value.get("code")
        if value is not None:
            found.setdefault(each.get("code", ""), set()).add(str(value))
    return {name: frozenset(values) for name, values in found.items()}
