"""A search over several types at once: of the whole system, or of all that is in a compartment.

Results are sorted by `_sort` (`_id` or `_lastUpdated`) if it is given, then by type, then by id: one order over all
types, so that a page begins where the one before ended, whatever is written meanwhile.

http://hl7.org/fhir/R4/http.html#vsearch, http://hl7.org/fhir/R4/search.html#searchcontexts
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from capability.table import TABLE, Capability
from fhir_server.search import clauses, page
from fhir_server.search.ask import Access, Ask, Planning
from fhir_server.search.clauses import Search
from fhir_server.search.include import ONLY_NAMED, Typed, needs_search_values
from fhir_server.search.joins import conditions
from fhir_server.search.query import filter_of
from fhir_server.search.site import Condition, Site
from resources import outcome, registry
from resources.outcome import FHIRError

AT_ONCE = 8
"""Types that are asked at the same time where those before them may fill the page."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Across:
    """`whole` says what is wanted of the result; `searches` by type, in the order of their names, what must match."""

    whole: Search
    searches: Mapping[str, Search]
    named: tuple[str, ...]
    """The types of `_type`; none: all"""

    @property
    def wants_total(self) -> bool:
        return self.whole.only_total or self.whole.total != "none"

    def only(self, stored: Collection[str]) -> Across:
        """Without the types of which there is nothing."""
        return replace(self, searches={each: one for each, one in self.searches.items() if each in stored})

    def applied(self) -> list[Pair]:
        types = [("_type", ",".join(self.named))] if self.named else []
        return [*types, *self.whole.applied()]


def parse(
    query: Iterable[Pair],
    types: Sequence[str],
    *,
    table: Capability = TABLE,
    lenient: bool = False,
    default_count: int = 20,
    max_count: int = 1000,
    compartment: tuple[str, str] | None = None,
) -> Across:
    """A query over those of `types` that `_type` names, or over all of them.

    FHIRError 400 for types that are not among them and for parameters that not all of the named types have; without
    `_type` only those of every type can be asked for.
    """
    pairs = list(query)
    named = _named([value for name, value in pairs if name == "_type"], types)
    rest = [pair for pair in pairs if pair[0] != "_type"]
    bases = named or ("Resource",)
    ignored: list[str] = []
    if lenient:
        kept = [
            pair
            for pair in rest
            if not any(clauses.parse(base, [pair], table=table, lenient=True).ignored for base in bases)
        ]
        ignored = [pair[0] for pair in rest if pair not in kept]
        rest = kept
    found = {base: _parse(table, base, rest, default_count, max_count) for base in bases}
    first = found[bases[0]]
    if len(first.sort) > 1 or not {key for key, _ in first.sort} <= {"_id", "_lastUpdated"}:
        raise outcome.not_supported("Parameter '_sort': over several types by either _id or _lastUpdated")
    whole = replace(
        first, resource_type=",".join(named) or "*", ignored=tuple(ignored), compartment=compartment
    )
    searches = {
        each: replace(found[each] if named else first, resource_type=each, compartment=compartment)
        for each in named or (name for name in types if name not in ONLY_NAMED)
    }
    return Across(whole, searches, named)


def _parse(table: Capability, base: str, pairs: list[Pair], default_count: int, max_count: int) -> Search:
    try:
        return clauses.parse(base, pairs, table=table, default_count=default_count, max_count=max_count)
    except FHIRError as fault:
        if base != "Resource" or fault.issues[0].code != "not-supported":
            raise
        text = f"{fault.issues[0].diagnostics}. For parameters of some types, name these with _type"
        raise outcome.not_supported(text) from None


def _named(values: Sequence[str], types: Sequence[str]) -> tuple[str, ...]:
    """Several `_type` narrow each other."""
    wanted = set(types)
    for value in values:
        asked = value.split(",")
        for each in asked:
            if each not in types:
                known = (
                    "is not in this compartment" if registry.is_resource(each) else "is not a resource type"
                )
                raise outcome.bad_parameter("_type", f"'{each[:64]}' {known}")
        wanted &= set(asked)
    if values and not wanted:
        raise outcome.bad_parameter("_type", "its values have no type in common")
    return tuple(sorted(wanted)) if values else ()


def criteria(across: Across, site: Site, access: Access) -> Planning[dict[str, Condition]]:
    """By type what its documents have to meet; `access` is heeded in each."""
    found: dict[str, Condition] = {}
    for each, search in across.searches.items():
        joined = yield from conditions(search, site, access)
        found[each] = filter_of(search, site, extra=access(each), joined=joined)
    return found


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: after (before, if `backwards`) the document of that type with these values."""

    resource_type: str
    values: tuple[Any, ...]
    backwards: bool = False


def position(across: Across, site: Site, key: bytes) -> Position | None:
    """Of the cursor, None for the first page; FHIRError 400 if it is not one of this search."""
    if across.whole.cursor is None or across.whole.only_total:
        return None
    resource_type, *values = (read := page.read(across.whole.cursor, across.whole, key, site.clock())).values
    return Position(resource_type, tuple(values), read.backwards)


def documents(
    across: Across, found: Mapping[str, Condition], start: Position | None
) -> Planning[list[Typed]]:
    """The documents of a page, in the direction of the walk, and one more if there are more."""
    search = across.whole
    sort = page.order(search)
    backwards = start is not None and start.backwards
    if backwards:
        sort = page.reverse(sort)
    way = sort[-1][1]
    limit = search.count + 1
    asks = []
    for each in sorted(found, reverse=way < 0):
        beyond = _beyond(each, sort, way, start, bool(search.sort))
        if beyond is None:
            continue
        filter_: Condition = {"$and": [found[each], beyond]} if beyond else found[each]
        projection = None if needs_search_values(search.includes) else {"s": 0}
        asks.append(Ask(each, filter_, limit, projection, sort))
    matches: list[Typed] = []
    step = len(asks) if search.sort else AT_ONCE
    for at in range(0, len(asks), max(step, 1)):
        answers = yield asks[at : at + step]
        matches += [
            (ask.resource_type, each)
            for ask, some in zip(asks[at : at + step], answers, strict=True)
            for each in some
        ]
        if len(matches) >= limit:
            break
    return _sorted(matches, sort, bool(search.sort))[:limit]


def _beyond(
    resource_type: str, sort: page.Order, way: int, start: Position | None, keyed: bool
) -> Condition | None:
    """What the position leaves of a type: {} all, None nothing."""
    if start is None:
        return {}
    if resource_type == start.resource_type:
        return page.after(sort, start.values)
    later = (resource_type > start.resource_type) is (way > 0)
    if not keyed:
        return {} if later else None
    field, first = sort[0]
    beyond = ("$gt" if first > 0 else "$lt") + ("e" if later else "")
    return {field: {beyond: start.values[0]}}


def _sorted(matches: list[Typed], sort: page.Order, keyed: bool) -> list[Typed]:
    """By the first key of `_sort`, if any, then by type, then by id."""
    (field, first), way = sort[0], sort[-1][1]
    matches.sort(key=lambda typed: str(typed[1]["_id"]), reverse=way < 0)
    matches.sort(key=lambda typed: typed[0], reverse=way < 0)
    if keyed:
        matches.sort(key=lambda typed: typed[1][field], reverse=first < 0)
    return matches


def links(
    across: Across, site: Site, key: bytes, found: Sequence[Typed], start: Position | None
) -> list[Pair]:
    """`self` says what was really applied; the others lead through the pages. `found` is what `documents` gave."""
    search = across.whole
    where = "" if search.compartment is None else f"/{'/'.join(search.compartment)}/*"

    def url(cursor: str | None) -> str:
        query = across.applied() if cursor is None else [*across.applied(), ("_cursor", cursor)]
        return f"{site.base_url}{where}?{urlencode(query)}"

    def beside(typed: Typed, *, backwards: bool) -> str:
        values = page.position_of(page.order(search), typed[1]).values
        beside_it = page.Position((typed[0], *values), backwards)
        return url(page.write(beside_it, search, key, site.clock()))

    walk = [("self", url(search.cursor))]
    if search.only_total:
        return walk
    walk.append(("first", url(None)))
    more = len(found) > search.count
    backwards = start is not None and start.backwards
    inside = shown(across, found, start)
    if inside and start is not None and (more or not backwards):
        walk.append(("previous", beside(inside[0], backwards=True)))
    if inside and (more or backwards):
        walk.append(("next", beside(inside[-1], backwards=False)))
    return walk


def shown(across: Across, found: Sequence[Typed], start: Position | None) -> Sequence[Typed]:
    """What the page shows of what was found, in the order of the search."""
    inside = found[: across.whole.count]
    return inside[::-1] if start is not None and start.backwards else inside
