"""The vread interaction. http://hl7.org/fhir/R4/http.html#vread"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.read import caller_has
from fhir_server.interactions.write import existing
from fhir_server.store.documents import instant
from fhir_server.store.indexes import HISTORY
from resources.outcome import gone, version_not_found

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit


async def vread(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """One version of a resource; 404 if there is no such version, 410 if it is a deletion."""
    assert request.resource_type is not None
    assert request.id is not None
    assert request.version_id is not None
    found = await _version(unit, request.resource_type, request.id, request.version_id)
    if found is None:
        raise version_not_found(request.resource_type, request.id, request.version_id)
    if "deleted" in found:
        raise gone(request.resource_type, request.id, found["v"], instant(found["t"]))
    result = existing(request.resource_type, found)
    if caller_has(request, found):
        result.status, result.resource = 304, None
    return result


async def _version(unit: Unit, resource_type: str, logical_id: str, version_id: str) -> Document | None:
    if (
        not version_id.isascii()
        or not version_id.isdigit()
        or version_id.startswith("0")
        or len(version_id) > 9
    ):
        return None
    version = int(version_id)
    current = await unit.current(resource_type, logical_id)
    if current is None or current["v"] == version:
        return current
    older = await unit.find(resource_type + HISTORY, {"_id": {"id": logical_id, "v": version}}, limit=1)
    return {**older[0], "_id": logical_id, "v": version} if older else None
