"""The documents of one page of a search, in the order that the search asks for.

http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from fhir_server.interactions.asking import bounded
from fhir_server.search import natural, sort
from fhir_server.search.page import order

if TYPE_CHECKING:
    from fhir_server.search.plan import Plan
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit


SHORT = 101
"""Documents up to which a page is found together with others: all of them are answered at once"""

Find = Callable[..., Awaitable[list[Any]]]
"""What finds documents, as `Unit.find` does"""


async def documents(
    unit: Unit, page: Plan, fields: Mapping[str, int], find: Find | None = None
) -> list[Document]:
    """What the plan finds: the page and, if there is more, one document more, with the resource and `fields` of each.
    `find` looks elsewhere than the unit.

    FHIRError 413 where too many match to be sorted by something that no index has, 503 where it takes too long.
    """
    if not page.limit:
        return []
    with bounded(unit, f"to look for {described(page)}") as milliseconds:
        if page.sorted_here:
            return await _sorted_here(find or unit.find, page, {"r": 1, **fields}, milliseconds)
        short = page.limit <= SHORT and natural.is_index(page.search)
        here = unit.find_together if short else unit.find
        return await _along_index(find or here, page, {**_with_order(page), **fields}, milliseconds)


def described(page: Plan) -> str:
    """`Observation by code, _text`"""
    search = page.search
    names = [*(each.name for each in search.clauses), *(each.name for each in search.joins)]
    return f"{search.resource_type} by {', '.join(names)}" if names else f"all {search.resource_type}"


async def _along_index(find: Find, page: Plan, projection: Document, milliseconds: int) -> list[Document]:
    found: list[Document] = []
    for filter_, keys in ((page.filter, page.sort), *page.more):
        found += await find(
            page.search.resource_type,
            filter_,
            sort=keys,
            limit=page.limit - len(found),
            projection=projection,
            max_time_ms=milliseconds,
        )
        if len(found) >= page.limit:
            break
    return found


def _with_order(page: Plan) -> Document:
    """Beside the resource only what the order is by: a cursor needs it, and the rest would cost half as much again."""
    return {"r": 1, **{field: 1 for field, _ in order(page.search) if field != "_id"}}


async def _sorted_here(find: Find, page: Plan, projection: Document, milliseconds: int) -> list[Document]:
    """Two round trips: the keys of all matches, then the documents of the page.

    One that is no longer there, or no longer matches, leaves its place to the one that was read in excess.
    """
    name = page.search.resource_type
    matches = await find(
        name,
        page.criteria,
        projection=sort.fields(page.search),
        limit=sort.MOST + 1,
        max_time_ms=milliseconds,
    )
    if len(matches) > sort.MOST:
        raise sort.too_many()
    position = page.position
    keys = sort.page(
        page.search,
        matches,
        None if position is None else position.values,
        backwards=position is not None and position.backwards,
        limit=page.limit,
    )
    filter_ = {"$and": [page.criteria, {"_id": {"$in": [key[-1] for key in keys]}}]}
    found = await find(name, filter_, projection=projection, max_time_ms=milliseconds)
    by_id = {document["_id"]: document for document in found}
    return [{**by_id[key[-1]], "k": key} for key in keys if key[-1] in by_id]
