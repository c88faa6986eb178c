"""Bundle entries ⇄ requests and results. http://hl7.org/fhir/R4/bundle.html#Bundle.entry.request"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import subset
from fhir_server.interactions.etags import etag, version_ids
from fhir_server.interactions.pairs import pairs
from fhir_server.interactions.telling import CHANGES, told
from fhir_server.store.documents import instant
from fhir_server.system.routing import route
from resources import codec
from resources.datatypes import date_interval
from resources.outcome import FHIRError, bad_request, not_supported

if TYPE_CHECKING:
    from resources.codec import Json

POSSIBLE = {
    "create",
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "search-type",
    "search-system",
    "capabilities",
} | {f"history-{level}" for level in ("instance", "type", "system")}
"""What an entry may ask for: no Bundle within a Bundle"""


def where(position: int) -> str:
    return f"Bundle.entry[{position}]"


def entry_request(ctx: Context, request: FhirRequest, entry: Json, position: int) -> FhirRequest:
    """The request that an entry makes; a FHIRError that names `Bundle.entry[position]` if it makes none."""
    try:
        return _request(ctx, request, entry)
    except FHIRError as fault:
        if any(issue.expression for issue in fault.issues):
            raise
        raise fault.within(f"{where(position)}.request") from None


def _request(ctx: Context, request: FhirRequest, entry: Json) -> FhirRequest:
    asked = entry.get("request")
    if asked is None:
        raise bad_request("The entry has no request; method and url were expected")
    method, url = asked["method"], asked["url"]
    path, _, query = url.removeprefix(ctx.base_url).partition("?")
    if "://" in path:
        raise bad_request(f"The url '{url[:100]}' is not of this server; a relative one was expected")
    target = route(method, [unquote(segment) for segment in path.strip("/").split("/") if segment])
    if target.interaction not in POSSIBLE:
        raise not_supported(f"{method} {url[:100]} is not possible inside a Bundle")
    made = FhirRequest(
        interaction=target.interaction,
        resource_type=target.resource_type,
        id=target.id,
        version_id=target.version_id,
        compartment=target.compartment,
        query=pairs(query),
        if_none_exist=asked.get("ifNoneExist"),
        prefer=request.prefer,
        agent=request.agent,
        request_id=request.request_id,
    )
    if "ifMatch" in asked:
        made.if_match = version_ids(asked["ifMatch"], "ifMatch")
    if "ifNoneMatch" in asked:
        made.if_none_match = version_ids(asked["ifNoneMatch"], "ifNoneMatch")
    if "ifModifiedSince" in asked:
        made.if_modified_since = date_interval(asked["ifModifiedSince"]).start
    subset.check(made)
    _put_body(made, entry)
    return made


def _put_body(made: FhirRequest, entry: Json) -> None:
    resource = entry.get("resource")
    if made.interaction == "patch":
        made.patch = _patch_document(resource)
    elif made.interaction in {"create", "update"}:
        if resource is None:
            raise bad_request(f"A {made.interaction} needs a resource in its entry")
        made.resource = resource


def _patch_document(resource: Json | None) -> Any:
    """http://hl7.org/fhir/R4/http.html#patch: Parameters, or a JSON Patch inside a Binary"""
    if resource is not None and resource.get("resourceType") == "Parameters":
        return resource
    if resource is None or resource.get("resourceType") != "Binary":
        raise bad_request("A patch needs a Parameters resource, or a Binary with a JSON Patch, in its entry")
    if resource.get("contentType") != "application/json-patch+json":
        raise bad_request("The Binary of a patch must have contentType application/json-patch+json")
    try:
        text = base64.b64decode(resource.get("data", ""), validate=True)
    except binascii.Error:
        raise bad_request("The data of the patch is not base64") from None
    return codec.decode_any(text)


def success(request: FhirRequest, result: Result) -> Json:
    """The response entry of an interaction that went well."""
    entry: Json = {}
    if result.resource is not None and _shows_resource(request):
        entry["resource"] = subset.subset(request, result.resource)
    response: Json = {"status": STATUS[result.status]}
    if result.location is not None and request.interaction in CHANGES:
        response["location"] = result.location
    if result.version is not None:
        response["etag"] = etag(result.version)
    if result.last_modified is not None:
        response["lastModified"] = instant(result.last_modified)
    if request.prefer.return_ == "OperationOutcome" and request.interaction in CHANGES:
        response["outcome"] = told(request, result)
    elif result.outcome is not None:
        response["outcome"] = result.outcome
    entry["response"] = response
    return entry


STATUS = {200: "200 OK", 201: "201 Created", 204: "204 No Content", 304: "304 Not Modified"}


def _shows_resource(request: FhirRequest) -> bool:
    if request.interaction in CHANGES:
        return request.prefer.return_ == "representation"
    return True


def failure(fault: FHIRError) -> Json:
    """The response entry of an interaction that failed."""
    return {"response": {"status": str(fault.status), "outcome": fault.outcome()}}
