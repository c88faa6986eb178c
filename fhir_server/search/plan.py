"""What a search asks of the database: filter, order and limit. No I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.search import natural, page
from fhir_server.search.clauses import Search
from fhir_server.search.query import filter_of
from fhir_server.search.site import Condition, Site
from fhir_server.search.sort import sorting


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
    more: tuple[tuple[Condition, page.Order], ...] = ()
    """Filters, with their order, of what to find after that, as long as the page is not full."""

    @property
    def sorted_here(self) -> bool:
        """Whether `criteria` are to be found and sorted by `sort.page`: no index has the order."""
        return sorting(self.search).computed

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
    search = natural.ordered(search)
    criteria = filter_of(search, site, extra=extra, joined=joined)
    sort = page.order(search)
    if search.only_total:
        return Plan(search, criteria, criteria, sort, 0, None)
    how = sorting(search)
    position = None if search.cursor is None else page.read(search.cursor, search, key, site.clock())
    if how.computed:
        return Plan(search, criteria, criteria, sort, search.count + 1, position)
    if how.index is not None:
        parts = page.last_absent(search, how.index, position, whole=natural.has_index(search))
        whole: list[tuple[Condition, page.Order]] = [
            ({"$and": [criteria, part]} if part else criteria, order) for part, order in parts
        ]
        (first, sort), *more = whole
        return Plan(search, criteria, first, sort, search.count + 1, position, tuple(more))
    if position is None:
        return Plan(search, criteria, criteria, sort, search.count + 1, None)
    direction = page.reverse(sort) if position.backwards else sort
    beyond: Condition = {"$and": [criteria, page.after(direction, position.values)]}
    return Plan(search, criteria, beyond, direction, search.count + 1, position)
