"""The delete interaction. http://hl7.org/fhir/R4/http.html#delete"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import built_in
from fhir_server.interactions.preconditions import check_if_match, criteria_of, matches
from fhir_server.interactions.write import existing, stage_deletion
from resources.outcome import information

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit


async def delete(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Deletes a resource, by id or by criteria: reads answer 410 from now on, its versions stay.

    204; also when it was deleted before, when it never existed, and when nothing matches the criteria.
    """
    assert request.resource_type is not None
    criteria = criteria_of(request)
    if criteria is not None:
        return await _conditional(ctx, request, unit, criteria)
    assert request.id is not None
    current = await unit.current(request.resource_type, request.id)
    if current is not None and "deleted" in current:
        return existing(request.resource_type, current, 204)
    check_if_match(request, current)
    if current is None:
        built_in.refuse_change(request.resource_type, request.id)
        return Result(204, resource_type=request.resource_type, changed=False)
    return stage_deletion(ctx, unit, request.resource_type, current)


async def _conditional(
    ctx: Context, request: FhirRequest, unit: Unit, criteria: tuple[tuple[str, str], ...]
) -> Result:
    """http://hl7.org/fhir/R4/http.html#3.1.0.7.1: one match, or several up to a cap where a setting allows."""
    assert request.resource_type is not None
    settings = ctx.settings
    most = settings.conditional_delete_cap if settings.conditional_delete_multiple else 1
    found = await matches(ctx, unit, request.resource_type, criteria, most=most)
    for current in found:
        check_if_match(request, current)
    results = [stage_deletion(ctx, unit, request.resource_type, current) for current in found]
    if len(results) == 1:
        return results[0]
    text = f"{len(results)} {request.resource_type} resources matched the criteria and were deleted"
    return Result(
        204,
        resource_type=request.resource_type,
        outcome=information(text),
        changed=bool(results),
        also=tuple(f"{request.resource_type}/{one.id}/_history/{one.version}" for one in results),
    )
