"""The search interaction on one type. http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.search import clauses
from fhir_server.search.plan import Plan, plan
from fhir_server.search.searchset import searchset

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit

MOST_MILLISECONDS = 20_000
"""MongoDB stops a query that takes longer"""


async def search_type(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """A page of the resources of one type that match, as Bundle of type `searchset`."""
    assert request.resource_type is not None
    search = clauses.parse(
        request.resource_type,
        request.query,
        lenient=request.prefer.lenient,
        default_count=ctx.settings.default_count,
        max_count=ctx.settings.max_count,
    )
    planned = plan(search, ctx.site, ctx.secret)
    documents, total = await asyncio.gather(_page(unit, planned), _total(unit, planned))
    bundle = searchset(planned, documents, ctx.site, ctx.secret, total=total)
    return Result(200, bundle, changed=False)


async def _page(unit: Unit, planned: Plan) -> list[Document]:
    if not planned.limit:
        return []
    return await unit.find(
        planned.search.resource_type,
        planned.filter,
        sort=planned.sort,
        limit=planned.limit,
        projection={"s": 0},
        max_time_ms=MOST_MILLISECONDS,
    )


async def _total(unit: Unit, planned: Plan) -> int | None:
    if not planned.wants_total:
        return None
    return await unit.store.count(
        planned.search.resource_type, planned.criteria, max_time_ms=MOST_MILLISECONDS
    )
