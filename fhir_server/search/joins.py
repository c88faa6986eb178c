"""Chained parameters, `_has` and `_filter` as conditions: bounded semi-joins, the innermost first.

What is looked up is only ids: `subject:Patient.name=x` becomes `s.subject` is one of the patients that were found.

http://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capability.indexes import WITHOUT_WILDCARD
from fhir_server.search import compared, contained, content
from fhir_server.search import filter as filters
from fhir_server.search.ask import Access, Ask, Found, Planning
from fhir_server.search.canonical import has_url, holds_canonicals
from fhir_server.search.chain import Chained, Criterion, Referred, named, nodes
from fhir_server.search.clause import Clause
from fhir_server.search.clauses import Search
from fhir_server.search.content_syntax import Content
from fhir_server.search.query import asked, condition, together
from fhir_server.search.site import Condition, Site
from resources import outcome
from resources.outcome import FHIRError

MOST_JOINED = 10_000
"""Resources that one step of a chain may lead to."""


def conditions(search: Search, site: Site, access: Access) -> Planning[list[Condition]]:
    """A condition for each join of a search; `access` is heeded in every type that is looked into.

    FHIRError 400: a value cannot be understood, or a step leads to more than `MOST_JOINED` resources (too-costly); 413:
    too many would have to be read for `_content`.
    """
    found: list[Condition] = []
    wanted: list[Content] = []
    for join in search.joins:
        if isinstance(join.criterion, Content):
            wanted.append(join.criterion)
            continue
        try:
            one = yield from _Resolution(join.name, site, access).condition(join.criterion)
        except FHIRError as fault:
            raise named(fault, join.name) from None
        found.append(one)
    if wanted:
        narrowed = [*asked(search, site), *found]
        access_to_type = access(search.resource_type)
        one = yield from content.condition(search.resource_type, narrowed, access_to_type, wanted)
        found += [one] * len(wanted)
    return found


class _Resolution:
    """Of one parameter: what two branches of a chain have in common is looked up once."""

    def __init__(self, name: str, site: Site, access: Access) -> None:
        self._name = name
        self._site = site
        self._access = access
        self._known: dict[int, Condition] = {}
        self._led: dict[tuple[str, int, bool], list[str]] = {}

    def condition(self, criterion: Criterion) -> Planning[Condition]:
        if id(criterion) not in self._known:
            self._known[id(criterion)] = yield from self._fresh(criterion)
        return self._known[id(criterion)]

    def _fresh(self, criterion: Criterion) -> Planning[Condition]:
        if isinstance(criterion, Chained):
            return (yield from self._chained(criterion))
        if isinstance(criterion, Referred):
            return (yield from self._referred(criterion))
        if isinstance(criterion, filters.Logical):
            parts = []
            for part in criterion.parts:
                one = yield from self.condition(part)
                parts.append(one)
            return {filters.OPERATORS[criterion.operator]: parts}
        if isinstance(criterion, filters.Compared):
            return compared.condition(criterion, self._site)
        assert not isinstance(criterion, Content), "it stands alone"
        return condition(criterion, self._site)

    def _chained(self, chained: Chained) -> Planning[Condition]:
        canonicals = holds_canonicals(chained.parameter)
        asks: dict[tuple[str, int, bool], Ask] = {}
        keys = []
        conditions: list[tuple[str, Condition]] = []
        for target, inner in chained.targets:
            inside = yield from self.condition(inner)
            if not _is_own(inner):
                conditions.append((target, inside))
            urls = canonicals and has_url(target)
            key = (target, id(inner), urls)
            keys.append(key)
            if key not in self._led:
                projection = {"_id": 1, "r.url": 1} if urls else {"_id": 1}
                filter_ = together([inside], self._access(target))
                asks[key] = Ask(target, filter_, MOST_JOINED + 1, projection)
        holding = self._holding(chained, conditions)
        answers = (yield [*asks.values(), *holding]) if asks or holding else ()
        for key, some in zip(asks, answers, strict=False):
            self._led[key] = list(_addresses(key[0], some))
        holders = [each["_id"] for some in answers[len(asks) :] for each in some]
        addresses = [address for key in keys for address in self._led[key]]
        self._check(len(addresses) + len(holders))
        referring: Condition = {f"s.{chained.parameter.code}": {"$in": addresses}}
        return {"$or": [referring, {"_id": {"$in": holders}}]} if holders else referring

    def _holding(self, chained: Chained, targets: Sequence[tuple[str, Condition]]) -> list[Ask]:
        """Asks which resources of the source hold what is meant in themselves: mostly none, and the plan stays simple."""
        inside = contained.condition(chained.parameter.code, targets)
        if inside is None or chained.source in WITHOUT_WILDCARD:
            return []
        filter_ = together([inside], self._access(chained.source))
        return [Ask(chained.source, filter_, MOST_JOINED + 1, {"_id": 1})]

    def _referred(self, referred: Referred) -> Planning[Condition]:
        canonicals = holds_canonicals(referred.parameter) and has_url(referred.target)
        inside = yield from self.condition(referred.criterion)
        field = f"s.{referred.parameter.code}"
        local = f"{referred.target}/"
        ask = Ask(
            referred.source,
            together([inside, {field: {"$gt": ""}}], self._access(referred.source)),
            MOST_JOINED + 1,
            distinct=field,
            prefix="" if canonicals else local,
        )
        (answer,) = yield [ask]
        self._check(len(answer))
        values = [each["_id"] for each in answer]
        ids: Condition = {"_id": {"$in": [each[len(local) :] for each in values if each.startswith(local)]}}
        urls = [each for each in values if ":" in each] if canonicals else []
        return {"$or": [ids, {"s.url": {"$in": urls}}]} if urls else ids

    def _check(self, found: int) -> None:
        if found > MOST_JOINED:
            text = (
                f"Parameter '{self._name}': it leads over more than {MOST_JOINED:,} resources, which is too many to "
                f"follow; narrow what stands at its end"
            )
            raise outcome.error(400, "too-costly", text)


def _is_own(criterion: Criterion) -> bool:
    """Whether it asks for parameters of this server's own: contained resources are indexed by those of R4 only."""
    return any(isinstance(each, Clause) and each.parameter.generation for each in nodes(criterion))


def _addresses(resource_type: str, documents: Sequence[Found]) -> Iterator[str]:
    """What refers to these documents says `Type/id`, or their URL."""
    for each in documents:
        yield f"{resource_type}/{each['_id']}"
        if "url" in each.get("r", ()):
            yield each["r"]["url"]
