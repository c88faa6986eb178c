"""Result → HTTP response: status, headers and as much of the body as the caller wants.

http://hl7.org/fhir/R4/http.html#ops, http://hl7.org/fhir/R4/http.html#return
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.interactions.etags import etag
from fhir_server.interactions.subset import subset
from fhir_server.interactions.telling import CHANGES, told
from fhir_server.rest import binary, headers, hl7v2
from fhir_server.rest.exchange import HttpRequest, HttpResponse
from resources import codec
from resources.outcome import FHIRError, information

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest, Result
    from fhir_server.rest.negotiation import Format
    from resources.codec import Json


def represented(
    ctx: Context, http: HttpRequest, request: FhirRequest, result: Result, wanted: Format
) -> HttpResponse:
    """The response to an interaction that went well."""
    fields = _headers(ctx, request, result)
    if result.body is not None:
        return hl7v2.response(http, result, fields)
    if result.status in {204, 304}:
        return _without_resource(request, result, fields, wanted)
    if request.interaction in CHANGES:
        return _written(http, request, result, fields, wanted)
    assert result.resource is not None
    if request.interaction in {"read", "vread"} and binary.is_wanted_raw(http, request, result.resource):
        return binary.raw_response(result.resource, fields)
    return _fhir(result.status, subset(request, result.resource), fields, wanted)


def _headers(ctx: Context, request: FhirRequest, result: Result) -> dict[str, str]:
    fields = dict(result.headers)
    if result.version is not None:
        fields["ETag"] = etag(result.version)
    if result.last_modified is not None:
        fields["Last-Modified"] = headers.http_date(result.last_modified)
    if request.interaction in CHANGES and result.location is not None:
        fields["Location"] = f"{ctx.base_url}/{result.location}"
    return fields


def _written(
    http: HttpRequest, request: FhirRequest, result: Result, fields: dict[str, str], wanted: Format
) -> HttpResponse:
    """http://hl7.org/fhir/R4/http.html#return: the resource, unless the caller prefers less."""
    assert result.resource is not None
    preferred = request.prefer.return_
    if preferred == "minimal":
        return HttpResponse(result.status, headers=fields)
    if preferred == "OperationOutcome":
        return _fhir(result.status, told(request, result), fields, wanted)
    return _fhir(result.status, subset(request, result.resource), fields, wanted)


def _without_resource(
    request: FhirRequest, result: Result, fields: dict[str, str], wanted: Format
) -> HttpResponse:
    if result.status == 204 and request.prefer.return_ == "OperationOutcome":
        text = (
            f"{request.where} is deleted"
            if result.changed
            else f"{request.where}: nothing was there to delete"
        )
        return _fhir(200, result.outcome or information(text), fields, wanted)
    return HttpResponse(result.status, headers=fields)


def _fhir(status: int, resource: Json, fields: dict[str, str], wanted: Format) -> HttpResponse:
    body = codec.encode_pretty(resource) if wanted.pretty else codec.encode(resource)
    return HttpResponse(status, body, wanted.media_type, fields)


def refused(fault: FHIRError, wanted: Format) -> HttpResponse:
    """An error as response: its OperationOutcome under its status. The one place where that is done."""
    return _fhir(
        fault.status, fault.outcome(), {k: headers.safe(v) for k, v in fault.headers.items()}, wanted
    )
