"""The patch interaction. http://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import built_in
from fhir_server.interactions.preconditions import check_if_match, criteria_of, matches
from fhir_server.interactions.write import existing, stage_version, unchanged
from fhir_server.store.documents import instant
from resources import fhirpath_patch, json_patch, validation
from resources.outcome import FHIRError, Issue, error, gone, not_found

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit
    from resources.codec import Json


async def patch(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Changes a resource by JSON Patch or FHIRPath Patch; nothing is stored unless the outcome is valid."""
    assert request.resource_type is not None
    current = await _current(ctx, request, unit)
    check_if_match(request, current)
    patched = apply(current["r"], request.patch)
    _same_identity(patched, request.resource_type, current["_id"])
    validation.check(patched)
    if unchanged(current, patched):
        return existing(request.resource_type, current)
    return await stage_version(ctx, request, unit, patched, logical_id=current["_id"], previous=current)


def apply(resource: Json, patch_document: Json | list[object] | None) -> Json:
    """The patched copy of a resource: an array is a JSON Patch, a Parameters resource a FHIRPath Patch."""
    if isinstance(patch_document, dict):
        validation.check(patch_document)
        return fhirpath_patch.apply(resource, patch_document)
    return json_patch.apply(resource, patch_document)


async def _current(ctx: Context, request: FhirRequest, unit: Unit) -> Document:
    """http://hl7.org/fhir/R4/http.html#patch: conditional patch, 404 where nothing matches."""
    assert request.resource_type is not None
    criteria = criteria_of(request)
    if criteria is not None:
        found = await matches(ctx, unit, request.resource_type, criteria)
        if not found:
            told = "&".join("=".join(pair) for pair in criteria)[:200]
            raise error(404, "not-found", f"No {request.resource_type} matches the criteria '{told}'")
        return found[0]
    assert request.id is not None
    current = await unit.current(request.resource_type, request.id)
    if current is None:
        built_in.refuse_change(request.resource_type, request.id)
        raise not_found(request.resource_type, request.id)
    if "deleted" in current:
        raise gone(request.resource_type, request.id, current["v"], instant(current["t"]))
    return current


def _same_identity(patched: object, resource_type: str, logical_id: str) -> None:
    """A patch may change anything but what the resource is."""
    same = (
        isinstance(patched, dict)
        and patched.get("resourceType") == resource_type
        and patched.get("id") == logical_id
    )
    if not same:
        text = f"The patch would change resourceType or id of {resource_type}/{logical_id}, which stay as they are"
        raise FHIRError(422, [Issue("error", "business-rule", text, (f"{resource_type}.id",))])
