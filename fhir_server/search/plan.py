"""What a search asks of the database: filter, order and limit. No I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.search import page
from fhir_server.search.clauses import Search
from fhir_server.search.query import filter_of
from fhir_server.search.site import Condition, Site


@dataclass(frozen=True, slots=True)
class Plan:
    """`collection.find(filter).sort(sort).limit(limit)` gives a page and, if there is more, one document more.

    `criteria` is the filter without the cursor's position: what a total counts. `limit` 0: no documents are wanted.
    `position` is where the page begins, None for the first.
    """

    search: Search
    criteria: Condition
    filter: Condition
    sort: page.Order
    limit: int
    position: page.Position | None

    @property
    def wants_total(self) -> bool:
        """Whether the matches must be counted: `_total=accurate` or `estimate`, or nothing but the total is wanted."""
        return self.search.only_total or self.search.total != "none"


def plan(
    search: Search,
    site: Site,
    key: bytes,
    *,
    extra: Sequence[Condition] = (),
    joined: Sequence[Condition] = (),
) -> Plan:
    """How to find a page of a search; `key` signs cursors, `extra` conditions are applied to every page alike,
    `joined` are those that `joins.conditions` found.

    FHIRError 400 for clauses that cannot be understood and for cursors that are not of this search.
    """
    criteria = filter_of(search, site, extra=extra, joined=joined)
    sort = page.order(search)
    if search.only_total:
        return Plan(search, criteria, criteria, sort, 0, None)
    if search.cursor is None:
        return Plan(search, criteria, criteria, sort, search.count + 1, None)
    position = page.read(search.cursor, search, key, site.clock())
    direction = page.reverse(sort) if position.backwards else sort
    beyond: Condition = {"$and": [criteria, page.after(direction, position.values)]}
    return Plan(search, criteria, beyond, direction, search.count + 1, position)
