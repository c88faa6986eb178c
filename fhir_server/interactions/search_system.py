"""The search interaction over several types: of the whole system, or of all that is in a compartment.

http://hl7.org/fhir/R4/http.html#vsearch
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capability.table import TABLE
from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import indexed, totals
from fhir_server.interactions.asking import bounded, planned, together
from fhir_server.interactions.search_type import compartment_patients
from fhir_server.search import across, include, value_sets
from fhir_server.search.ask import Access, everything
from fhir_server.search.searchset import Total, bundle

if TYPE_CHECKING:
    from fhir_server.search.across import Across
    from fhir_server.search.site import Condition
    from fhir_server.store.unit import Unit


async def search_system(
    ctx: Context, request: FhirRequest, unit: Unit, access: Access = everything
) -> Result:
    """A page of the resources of all types, or of those that `_type` names, that match, as searchset.

    `access` is applied to every type that the search touches, through chains and includes, too.
    """
    search = across.parse(
        request.query,
        _possible(request),
        table=ctx.site.table,
        lenient=request.prefer.lenient,
        default_count=ctx.settings.default_count,
        max_count=ctx.settings.max_count,
        compartment=request.compartment,
    )
    start = across.position(search, ctx.site, ctx.secret)
    stored = set(await unit.store.stored_types())
    search = search.only(stored)
    for each in search.searches.values():
        await indexed.check(ctx, unit, each)
    ctx = ctx.at(await planned(unit, value_sets.known([search.whole], ctx.site, access)))
    criteria = await planned(unit, across.criteria(search, ctx.site, access))
    total = await _total(unit, search, criteria) if search.wants_total else None
    found = [] if search.whole.only_total else await planned(unit, across.documents(search, criteria, start))
    shown = across.shown(search, found, start)
    included = await planned(unit, include.included(search.whole.includes, shown, access))
    links = across.links(search, ctx.site, ctx.secret, found, start)
    result = bundle(links, shown, ctx.site, total=total, included=included, ignored=search.whole.ignored)
    return Result(200, result, changed=False, patients=compartment_patients(request))


def _possible(request: FhirRequest) -> tuple[str, ...]:
    return TABLE.types if request.compartment is None else TABLE.compartments[request.compartment[0]]


async def _total(unit: Unit, search: Across, criteria: dict[str, Condition]) -> Total:
    how = totals.estimated if search.whole.total == "estimate" else totals.counted
    with bounded(unit, "to count what is there of all types") as milliseconds:
        counts = (how(unit, each, filter_, max_time_ms=milliseconds) for each, filter_ in criteria.items())
        return sum(await together(*counts), start=Total(0))
