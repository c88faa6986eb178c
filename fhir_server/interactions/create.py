"""The create interaction. http://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.preconditions import criteria_of, matches
from fhir_server.interactions.write import accepted, existing, stage_version
from fhir_server.store.documents import new_id
from resources.outcome import bad_request

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json

REPRESENTATION = {"_format", "_pretty", "_summary", "_elements"}
"""Parameters that say how the answer is written"""


async def create(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Stores a new resource under an id of the server's; with If-None-Exist only if nothing matches.

    201 with the resource, or 200 with the one that matched; 412 if several do.
    """
    assert request.resource_type is not None
    _refuse_criteria_in_url(request)
    resource = await accepted(request)
    if request.resource_type == "AuditEvent":
        resource = marked_external(resource)
    criteria = criteria_of(request)
    if criteria is not None:
        found = await matches(ctx, unit, request.resource_type, criteria)
        if found:
            return existing(request.resource_type, found[0])
    new = request.assigned_id or new_id()
    return await stage_version(ctx, request, unit, resource, logical_id=new, previous=None)


EXTERNAL = {
    "system": "urn:fhir-server:audit-origin",
    "code": "external",
    "display": "Sent by a client, not written by this server",
}


def marked_external(event: Json) -> Json:
    """An AuditEvent that a client sends: tagged, so that nobody can take it for one that this server wrote.

    http://hl7.org/fhir/R4/auditevent.html
    """
    meta = event.get("meta", {})
    tags = [tag for tag in meta.get("tag", []) if tag.get("system") != EXTERNAL["system"]]
    return {**event, "meta": {**meta, "tag": [*tags, EXTERNAL]}}


def _refuse_criteria_in_url(request: FhirRequest) -> None:
    """Who puts criteria there would get a duplicate of what they match."""
    named = [name for name, _ in request.query if name not in REPRESENTATION]
    if named and not request.prefer.lenient:
        text = f"A create takes no parameter '{named[0][:64]}'; the criteria of a conditional create stand in If-None-Exist"
        raise bad_request(text)
