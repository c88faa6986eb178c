"""The value sets and code systems that are stored here, as far as a search asks for them.

They are read anew for each search that names one, so that a change counts at once.

http://hl7.org/fhir/R4/search.html#modifiers (`:in`, `:not-in`, `:above`, `:below`),
http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.search import chain
from fhir_server.search.ask import Access, Ask, Found, Planning
from fhir_server.search.clause import Clause
from fhir_server.search.clauses import Search
from fhir_server.search.composition import MOST_NESTED, Composition
from fhir_server.search.concepts import Concepts, of_code_system
from fhir_server.search.query import together
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_bar, unescape
from resources import outcome
from resources.reference import parse_canonical

MOST = 100
"""Value sets, or code systems, that one search may need, each of them with those it is made of"""

_OF_VALUE_SETS = frozenset({"in", "not-in"})
_OF_CODE_SYSTEMS = frozenset({"above", "below"})
_VALUE_SET = {"t": 1, "r.url": 1, "r.version": 1, "r.compose": 1, "r.expansion": 1}
_CODE_SYSTEM = {"t": 1, "r.url": 1, "r.version": 1, "r.content": 1, "r.concept": 1}


def known(searches: Iterable[Search], site: Site, access: Access) -> Planning[Site]:
    """The site, with what is stored of the value sets and code systems that the searches name; the same site where
    they name none. `access` is heeded.
    """
    clauses = [each for search in searches for each in _clauses(search)]
    urls = {unescape(value) for each in clauses if each.modifier in _OF_VALUE_SETS for value in each.values}
    nested = [value for each in clauses if each.modifier in _OF_CODE_SYSTEMS for value in each.values]
    systems = {split_bar(value)[0] for value in nested if "|" in value}
    if not urls and not systems:
        return site
    stored = _Stored(site, access)
    yield from stored.read(urls, systems)
    composition = Composition(stored.value_set, stored.concepts)
    return replace(site, value_set=composition.members, concepts=stored.concepts)


def _clauses(search: Search) -> Sequence[Clause]:
    inside = [each for join in search.joins for each in chain.nodes(join.criterion)]
    found = [*search.clauses, *(each for each in inside if isinstance(each, Clause))]
    return [each for each in found if each.parameter.type == "token"]


@dataclass(frozen=True, slots=True)
class _Named:
    """What a canonical names: by URL and version, or by the id of a resource of this server."""

    url: str
    version: str | None
    logical_id: str | None


class _Stored:
    """What was read, by the canonical it was asked for; None: there is no such."""

    def __init__(self, site: Site, access: Access) -> None:
        self._base = f"{site.base_url}/"
        self._access = access
        self._value_sets: dict[str, Mapping[str, Any] | None] = {}
        self._systems: dict[str, Concepts | None] = {}

    def value_set(self, canonical: str) -> Mapping[str, Any] | None:
        return self._value_sets.get(canonical)

    def concepts(self, system: str) -> Concepts | None:
        return self._systems.get(system)

    def read(self, urls: set[str], systems: set[str]) -> Planning[None]:
        """These, and all that they are made of, level by level."""
        for _ in range(MOST_NESTED + 1):
            urls, systems = urls - self._value_sets.keys(), systems - self._systems.keys()
            if not urls and not systems:
                return
            for kind, wanted in (("value sets", urls), ("code systems", systems)):
                if len(wanted) > MOST:
                    text = f"The search needs more than {MOST} {kind}, which is more than are read for one"
                    raise outcome.too_costly(text)
            asks = []
            if urls:
                asks.append(self._ask("ValueSet", urls, _VALUE_SET))
            if systems:
                asks.append(self._ask("CodeSystem", systems, _CODE_SYSTEM))
            answers = yield asks
            by_type = dict(zip((each.resource_type for each in asks), answers, strict=True))
            self._value_sets.update(self._chosen("ValueSet", urls, by_type.get("ValueSet", ())))
            fitting = self._chosen("CodeSystem", systems, by_type.get("CodeSystem", ()))
            for system, resource in fitting.items():
                self._systems[system] = None if resource is None else of_code_system(resource)
            needs = [_needs(self._value_sets[each]) for each in urls]
            urls = {url for more, _ in needs for url in more}
            systems = {system for _, more in needs for system in more}

    def _ask(self, kind: str, canonicals: set[str], projection: Mapping[str, int]) -> Ask:
        named = [self._named(kind, each) for each in sorted(canonicals)]
        wanted: list[Condition] = [{"s.url": {"$in": sorted({each.url for each in named})}}]
        if ids := sorted({each.logical_id for each in named if each.logical_id is not None}):
            wanted.append({"_id": {"$in": ids}})
        conditions: list[Condition] = [{"$or": wanted}]
        if kind == "CodeSystem":
            conditions.append({"r.content": "complete"})
        return Ask(kind, together(conditions, self._access(kind)), MOST + 1, projection)

    def _named(self, kind: str, canonical: str) -> _Named:
        url, version = parse_canonical(canonical)
        local = canonical.removeprefix(self._base).split("/")
        is_local = len(local) == 2 and local[0] == kind
        return _Named(url, version, local[1] if is_local else None)

    def _chosen(
        self, kind: str, canonicals: set[str], documents: Sequence[Found]
    ) -> dict[str, Mapping[str, Any] | None]:
        if len(documents) > MOST:
            raise outcome.too_costly(f"The search leads to more than {MOST} stored versions of what it names")
        chosen: dict[str, Mapping[str, Any] | None] = {}
        for canonical in canonicals:
            named = self._named(kind, canonical)
            fitting = [
                each
                for each in documents
                if each["_id"] == named.logical_id
                or (each["r"].get("url") == named.url and named.version in {None, each["r"].get("version")})
            ]
            chosen[canonical] = max(fitting, key=_newness)["r"] if fitting else None
        return chosen


def _newness(document: Found) -> tuple[Any, ...]:
    """Of several with one URL the latest is meant: by version, whose numbers are compared as such, then by time."""
    parts = str(document["r"].get("version", "")).replace("-", ".").split(".")
    return ([(each.isdigit(), int(each) if each.isdigit() else 0, each) for each in parts], document["t"])


def _needs(value_set: Mapping[str, Any] | None) -> tuple[set[str], set[str]]:
    """The value sets that one is made of, and the code systems that its filters are about."""
    urls: set[str] = set()
    systems: set[str] = set()
    compose = (value_set or {}).get("compose", {})
    for each in (*compose.get("include", ()), *compose.get("exclude", ())):
        urls.update(url for url in each.get("valueSet", ()) if url is not None)
        if "filter" in each and "system" in each:
            systems.add(each["system"])
    return urls, systems
