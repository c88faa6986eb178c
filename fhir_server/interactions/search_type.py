"""The search interaction on one type, in a compartment or not. http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import built_in, imaging, indexed, pages, totals
from fhir_server.interactions.asking import bounded, planned
from fhir_server.search import clauses, include, joins, value_sets
from fhir_server.search.ask import Access, everything
from fhir_server.search.plan import Plan, plan
from fhir_server.search.searchset import Total, searchset, shown

if TYPE_CHECKING:
    from fhir_server.search.include import Included
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit


async def search_type(ctx: Context, request: FhirRequest, unit: Unit, access: Access = everything) -> Result:
    """A page of the resources of one type that match, as Bundle of type `searchset`.

    `access` is applied to every type that the search touches, through chains and includes, too.
    """
    assert request.resource_type is not None
    search = clauses.parse(
        request.resource_type,
        await imaging.by_instance(ctx, request),
        table=ctx.site.table,
        lenient=request.prefer.lenient,
        default_count=ctx.settings.default_count,
        max_count=ctx.settings.max_count,
    )
    search = replace(search, compartment=request.compartment)
    await indexed.check(ctx, unit, search)
    ctx = ctx.at(await planned(unit, value_sets.known([search], ctx.site, access)))
    joined = await planned(unit, joins.conditions(search, ctx.site, access))
    page = plan(search, ctx.site, ctx.secret, extra=access(search.resource_type), joined=joined)
    if page.wants_total:
        documents, total = await asyncio.gather(_page(ctx, unit, page), _total(ctx, unit, page))
    else:
        documents, total = await _page(ctx, unit, page), None
    included = await _included(unit, page, documents, access)
    bundle = searchset(page, documents, ctx.site, ctx.secret, total=total, included=included)
    return Result(200, bundle, changed=False, patients=compartment_patients(request))


def compartment_patients(request: FhirRequest) -> tuple[str, ...]:
    """The patient whose compartment is searched, for the audit trail: also where nothing is found."""
    if request.compartment is None or request.compartment[0] != "Patient":
        return ()
    return ("/".join(request.compartment),)


async def _page(ctx: Context, unit: Unit, page: Plan) -> list[Document]:
    fields = include.fields(page.search.includes, page.search.resource_type)
    find = partial(built_in.find, ctx, unit) if page.search.resource_type == built_in.TYPE else None
    return await pages.documents(unit, page, fields, find)


async def _total(ctx: Context, unit: Unit, page: Plan) -> Total:
    name = page.search.resource_type
    with bounded(unit, f"to count {pages.described(page)}") as milliseconds:
        if name == built_in.TYPE:
            return Total(await built_in.count(ctx, unit, page.criteria, max_time_ms=milliseconds))
        how = totals.estimated if page.search.total == "estimate" else totals.counted
        return await how(unit, name, page.criteria, max_time_ms=milliseconds)


async def _included(unit: Unit, page: Plan, documents: list[Document], access: Access) -> Included | None:
    if not page.search.includes:
        return None
    matches = [(page.search.resource_type, each) for each in shown(page, documents)]
    return await planned(unit, include.included(page.search.includes, matches, access))
