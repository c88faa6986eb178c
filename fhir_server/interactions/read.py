"""The read interaction. http://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import built_in
from fhir_server.interactions.etags import ANY
from fhir_server.interactions.write import existing
from fhir_server.store.documents import instant
from resources.outcome import gone, not_found

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit


async def read(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """The current version of a resource; 304 if the caller has it, 404 if there is none, 410 if deleted."""
    assert request.resource_type is not None
    assert request.id is not None
    current = await unit.current(request.resource_type, request.id)
    if current is None or "deleted" in current:
        current = built_in.definition(request.resource_type, request.id) or current
    if current is None:
        raise not_found(request.resource_type, request.id)
    if "deleted" in current:
        raise gone(request.resource_type, request.id, current["v"], instant(current["t"]))
    result = existing(request.resource_type, current)
    if caller_has(request, current):
        result.status, result.resource = 304, None
    return result


def caller_has(request: FhirRequest, current: Document) -> bool:
    """Conditional read: If-None-Match counts before If-Modified-Since.

    http://hl7.org/fhir/R4/http.html#cread
    """
    if request.if_none_match is not None:
        return ANY in request.if_none_match or str(current["v"]) in request.if_none_match
    if request.if_modified_since is not None:
        modified: datetime = current["t"]
        return modified.replace(microsecond=0) <= request.if_modified_since
    return False
