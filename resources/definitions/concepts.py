"""ValueSets and CodeSystems of the official package → the tables that searches by `:in`, `:above` and `:below` use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from resources.definitions import terminology

Json = dict[str, Any]

_MOST = 5000
"""Codes of a value set that is kept: the few that are larger list languages, or most of another standard."""


def value_sets(bound: Iterable[str], definitions: Iterable[Json], code_systems: Iterable[Json]) -> Json:
    """`value_sets.json`: those of which all codes are in the package and that are not in `bound`, {system: [codes]}."""
    known = list(definitions)
    urls = {each["url"] for each in known if "compose" in each} - {each.partition("|")[0] for each in bound}
    systems = list(code_systems)
    found: Json = {}
    for url in sorted(urls):
        try:
            expansion = terminology.table([url], known, systems)[url]
        except (ValueError, KeyError):
            continue  # a filter that is not understood, or a value set of another package
        if expansion and None not in expansion.values() and sum(map(len, expansion.values())) <= _MOST:
            found[url] = expansion
    return found


def hierarchies(code_systems: Iterable[Json]) -> Json:
    """`hierarchies.json`: code system → {code: the code it is nested in}, for systems that nest any."""
    found = {}
    for each in code_systems:
        nested = dict(_nested(each.get("concept", ()), None))
        if each.get("content") == "complete" and nested:
            found[each["url"]] = nested
    return dict(sorted(found.items()))


def _nested(concepts: Iterable[Json], parent: str | None) -> Iterator[tuple[str, str]]:
    for concept in concepts:
        if parent is not None:
            yield concept["code"], parent
        yield from _nested(concept.get("concept", ()), concept["code"])
