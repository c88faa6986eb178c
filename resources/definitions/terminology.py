"""ValueSets and CodeSystems of the official package → the codes of each required value set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]
Expansion = dict[str, list[str] | None]


def table(bound: Iterable[str], value_sets: Iterable[Json], code_systems: Iterable[Json]) -> Json:
    """`required_bindings.json`: each value set in `bound` as {system: [codes]}.

    A system whose codes are not in the package (languages, mime types, UCUM) has `null`, and a value set that is
    not in the package is `null`.
    """
    terms = _Terms({each["url"]: each for each in value_sets}, {each["url"]: each for each in code_systems})
    return {url: terms.expand(url) for url in sorted(set(bound))}


def bound_value_sets(structures: Json) -> set[str]:
    """The value sets of all required bindings, maximal ones included."""
    elements = (e for facts in structures["types"].values() for e in facts["elements"].values())
    return {e[key] for e in elements for key in ("binding", "maxBinding") if key in e}


class _Terms:
    def __init__(self, value_sets: dict[str, Json], code_systems: dict[str, Json]) -> None:
        self.value_sets = value_sets
        self.code_systems = code_systems

    def expand(self, url: str) -> Expansion | None:
        value_set = self.value_sets.get(url.partition("|")[0])
        if value_set is None:
            return None
        expansion: Expansion = {}
        for include in value_set["compose"]["include"]:
            for system, codes in self.included(include):
                held = expansion.setdefault(system, [])
                if codes is None or held is None:
                    expansion[system] = None
                else:
                    held.extend(code for code in codes if code not in held)
        for exclude in value_set["compose"].get("exclude", []):
            for system, codes in self.included(exclude):
                expansion[system] = [
                    code for code in expansion.get(system) or [] if code not in (codes or [])
                ]
        return expansion

    def included(self, include: Json) -> Iterator[tuple[str, list[str] | None]]:
        for url in include.get("valueSet", []):
            yield from (self.expand(url) or {}).items()
        if "system" not in include:
            return
        system = include["system"]
        if "concept" in include:
            yield system, [concept["code"] for concept in include["concept"]]
        elif (defined := self.code_systems.get(system)) is None or defined["content"] != "complete":
            yield system, None
        else:
            yield system, list(_codes(defined, include.get("filter", [])))


def _codes(code_system: Json, filters: list[Json]) -> Iterator[str]:
    for concept, ancestors in _concepts(code_system.get("concept", []), ()):
        if all(_passes(concept, ancestors, each) for each in filters):
            yield concept["code"]


def _concepts(concepts: list[Json], ancestors: tuple[str, ...]) -> Iterator[tuple[Json, tuple[str, ...]]]:
    for concept in concepts:
        yield concept, ancestors
        yield from _concepts(concept.get("concept", []), (*ancestors, concept["code"]))


def _passes(concept: Json, ancestors: tuple[str, ...], condition: Json) -> bool:
    if condition["op"] != "is-a":
        raise ValueError(f"the filter {condition} is not understood")
    return condition["value"] in {concept["code"], *ancestors}
