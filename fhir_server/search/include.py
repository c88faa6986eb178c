"""What comes along with the matches of a page, by `_include` and `_revinclude`.

The resources of one level are asked for with one query for each type; `:iterate` goes on from what was included.

http://hl7.org/fhir/R4/search.html#include
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from capability.table import TABLE
from fhir_server.search import include_versions
from fhir_server.search.ask import Access, Ask, Found, Planning
from fhir_server.search.canonical import has_url, holds_canonicals
from fhir_server.search.chain import targets
from fhir_server.search.include_syntax import Include
from fhir_server.search.query import together
from fhir_server.search.reference import VERSIONED
from fhir_server.search.site import Condition
from resources.reference import parse_canonical
from resources.search_parameters import SearchParameter

MOST_INCLUDED = 1_000
"""Resources that come along with one page."""

MOST_LEVELS = 16
"""How far `:iterate` goes on."""

ONLY_NAMED = frozenset({"AuditEvent"})
"""Types that `*` does not mean: each look leaves one of them."""

Typed = tuple[str, Found]
"""(resource type, stored document)"""


@dataclass(slots=True)
class Included:
    """The documents that come along, each once; `cut` if there were more."""

    documents: list[Typed] = field(default_factory=list)
    cut: bool = False


def needs_search_values(includes: Iterable[Include]) -> bool:
    """Whether the matches are needed with their search values: where they refer to stands there."""
    return any(not each.reverse for each in includes)


def fields(includes: Iterable[Include], source: str) -> dict[str, int]:
    """The projection with where documents of a type refer to, as far as that is followed from them."""
    codes = [each.code for one in includes if not one.reverse for each in one.parameters(source)]
    return {f"s.{code}{form}": 1 for code in codes for form in ("", f":{VERSIONED}")}


def included(includes: Sequence[Include], matches: Sequence[Typed], access: Access) -> Planning[Included]:
    """What comes along with the matches; `access` is heeded in each type.

    What is deleted, stored elsewhere, contained or only described (`identifier`) does not come along.
    """
    found = Included()
    seen = {include_versions.address(each) for each in matches}
    level = list(matches)
    for depth in range(MOST_LEVELS + 1):
        followed = includes if depth == 0 else [each for each in includes if each.iterate]
        versions = include_versions.wanted(followed, level)
        asks = _asks(followed, level, seen, found, access)
        if not asks and not versions:
            break
        if depth == MOST_LEVELS:
            found.cut = True
            break
        answers = (yield asks) if asks else ()
        fresh = {
            include_versions.address(typed): typed
            for ask, some in zip(asks, answers, strict=True)
            for typed in _typed(ask, some)
        }
        room = MOST_INCLUDED - len(found.documents)
        old = yield from include_versions.documents(versions, access, room + 1)
        fresh.update((include_versions.address(typed), typed) for typed in old)
        level = [fresh[each] for each in sorted(fresh) if each not in seen]
        found.cut = found.cut or len(level) > room
        level = level[:room]
        seen.update(map(include_versions.address, level))
        found.documents += level
    return found


def _typed(ask: Ask, documents: Sequence[Found]) -> Iterator[Typed]:
    return ((ask.resource_type, each) for each in documents)


def _asks(
    includes: Sequence[Include], level: Sequence[Typed], seen: set[str], found: Included, access: Access
) -> list[Ask]:
    """One question for each type that has something to come along with this level."""
    wanted = _Wanted(seen)
    by_type: dict[str, list[Found]] = defaultdict(list)
    for resource_type, document in level:
        by_type[resource_type].append(document)
    for include in includes:
        for resource_type, documents in by_type.items():
            if include.reverse:
                wanted.add_referrers(include, resource_type, documents)
            else:
                wanted.add_targets(include, resource_type, documents)
    known: dict[str, list[str]] = defaultdict(list)
    for resource_type, _, logical_id in (each.partition("/") for each in seen):
        known[resource_type].append(logical_id)
    projection = None if needs_search_values(each for each in includes if each.iterate) else {"s": 0}
    limit = MOST_INCLUDED - len(found.documents) + 1
    return [
        Ask(each, together(_others(conditions, known.get(each)), access(each)), limit, projection)
        for each, conditions in wanted.conditions()
    ]


def _others(conditions: list[Condition], known: list[str] | None) -> list[Condition]:
    """Any of the conditions, but not what is there already: it would take the place of others."""
    wanted: Condition = conditions[0] if len(conditions) == 1 else {"$or": conditions}
    return [wanted] if known is None else [wanted, {"_id": {"$nin": known}}]


def _any_type() -> Iterator[str]:
    return (each for each in TABLE.types if each not in ONLY_NAMED)


class _Wanted:
    """What a level leads to, by type."""

    def __init__(self, seen: set[str]) -> None:
        self._seen = seen
        self._ids: dict[str, dict[str, None]] = defaultdict(dict)
        self._urls: dict[str, dict[str, None]] = defaultdict(dict)
        self._references: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def add_targets(self, include: Include, source: str, documents: Sequence[Found]) -> None:
        for parameter in include.parameters(source):
            for document in documents:
                told = _values(document, parameter)
                for address in include_versions.others(told, document, parameter):
                    self._add_target(include, parameter, address)

    def _add_target(self, include: Include, parameter: SearchParameter, address: str) -> None:
        resource_type, _, logical_id = address.partition("/")
        if resource_type in TABLE.types:
            if include.leads_to(parameter, resource_type) and address not in self._seen:
                self._ids[resource_type][logical_id] = None
        elif holds_canonicals(parameter):
            for each in targets(parameter):
                if has_url(each) and include.leads_to(parameter, each):
                    self._urls[each][parse_canonical(address)[0]] = None

    def add_referrers(self, include: Include, target: str, documents: Sequence[Found]) -> None:
        for source in _any_type() if include.source is None else (include.source,):
            for parameter in include.parameters(source):
                if not include.leads_to(parameter, target):
                    continue
                addresses = self._references[source, parameter.code]
                addresses.update((f"{target}/{each['_id']}", None) for each in documents)
                if holds_canonicals(parameter) and has_url(target):
                    addresses.update((each["r"]["url"], None) for each in documents if "url" in each["r"])

    def conditions(self) -> Iterator[tuple[str, list[Condition]]]:
        """Type by type: any of the conditions has to be met."""
        found: dict[str, list[Condition]] = defaultdict(list)
        for each, ids in self._ids.items():
            found[each].append({"_id": {"$in": list(ids)}})
        for each, urls in self._urls.items():
            found[each].append({"s.url": {"$in": list(urls)}})
        for (source, code), addresses in self._references.items():
            found[source].append({f"s.{code}": {"$in": list(addresses)}})
        return iter(sorted(found.items()))


def _values(document: Found, parameter: SearchParameter) -> Sequence[str]:
    value = document.get("s", {}).get(parameter.code)
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
