"""HTTP request → FhirRequest. http://hl7.org/fhir/R4/http.html#general"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from fhir_server.context import Agent, Context, FhirRequest
from fhir_server.interactions import subset
from fhir_server.interactions.etags import version_ids
from fhir_server.interactions.pairs import pairs
from fhir_server.rest import binary, headers, hl7v2, negotiation
from fhir_server.rest.exchange import HttpRequest, Receive, Scope, body
from fhir_server.system.routing import Target, route
from resources import codec, validation
from resources.outcome import bad_request

LARGE = 512 * 1024
"""Bytes from which on a body is decoded and judged beside the event loop, so that others need not wait for it"""
WITH_BODY = {"create", "update", "patch", "transaction", "batch"}
PATCH_TYPES = "application/json-patch+json (JSON Patch) or application/fhir+json (FHIRPath Patch)"


@dataclass(slots=True, frozen=True)
class Asked:
    """An HTTP request that was understood."""

    request: FhirRequest
    format: negotiation.Format


def unknown(http: HttpRequest, request_id: str) -> FhirRequest:
    """What is known of a request before it is understood: enough for the audit trail."""
    return FhirRequest("", agent=agent(http), request_id=request_id, path="/".join(http.segments))


def agent(http: HttpRequest) -> Agent:
    return Agent(address=http.address, user_agent=http.headers.get("user-agent", "")[:200] or None)


async def understood(
    ctx: Context, http: HttpRequest, request: FhirRequest, scope: Scope, receive: Receive
) -> Asked:
    """Fills `request` step by step, so that the audit trail of a refusal says as much as was understood."""
    target = _target(http)
    request.interaction = target.interaction
    request.resource_type, request.id, request.version_id = target.resource_type, target.id, target.version_id
    request.compartment, request.operation = target.compartment, target.operation
    if http.method == "POST" and request.interaction in subset.SEARCHES:
        request.form = ()
    query = pairs(scope["query_string"].decode("latin-1"))
    request.query = query
    wanted = negotiation.response_format(query, _accept(request, http))
    subset.check(request)
    _read_headers(request, http.headers)
    if request.interaction in WITH_BODY:
        raw = await _inflated(ctx, http, scope, receive)
        request.large = len(raw) >= LARGE
        if request.large:
            await asyncio.to_thread(_put_body, request, http, raw)
        else:
            _put_body(request, http, raw)
    elif request.operation == hl7v2.OPERATION:
        raw = await _inflated(ctx, http, scope, receive)
        hl7v2.put_body(request, http, raw)
    elif request.operation == "process-dicom":
        from fhir_server.rest import dicom  # noqa: PLC0415  reading it takes a quarter of a second to import

        await dicom.put_body(ctx, http, request, scope, receive)
    elif request.interaction == "operation":
        await _put_parameters(ctx, http, request, scope, receive)
    elif http.method == "POST":
        negotiation.check_form(http.headers.get("content-type"))
        raw = await _inflated(ctx, http, scope, receive)
        request.form = pairs(_text(raw), "form")
        request.query = query + request.form
        subset.check(request)
    return Asked(request, wanted)


def _target(http: HttpRequest) -> Target:
    if http.method == "POST" and not http.segments:
        return Target("transaction")  # or batch: the body says
    return route(http.method, list(http.segments))


def _accept(request: FhirRequest, http: HttpRequest) -> str | None:
    """A Binary goes out as what it is, whatever else is accepted. http://hl7.org/fhir/R4/binary.html#rest"""
    accept = http.headers.get("accept")
    if request.operation == hl7v2.OPERATION:
        return accept if negotiation.names_json(accept or "") else None
    if request.resource_type == "Binary" and request.interaction in {"read", "vread"}:
        return accept if negotiation.names_json(accept or "") else None
    return accept


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise bad_request(f"The form is not UTF-8: byte {fault.start} is not valid") from None


async def _inflated(ctx: Context, http: HttpRequest, scope: Scope, receive: Receive) -> bytes:
    raw = await body(scope, receive, ctx.settings.max_body_bytes)
    return negotiation.decoded(raw, http.headers.get("content-encoding"), ctx.settings.max_inflated_bytes)


def _read_headers(request: FhirRequest, given: dict[str, str]) -> None:
    request.prefer = headers.parse_prefer(given.get("prefer"))
    if "if-match" in given:
        request.if_match = version_ids(given["if-match"], "If-Match")
    if "if-none-match" in given:
        request.if_none_match = version_ids(given["if-none-match"], "If-None-Match")
    if "if-modified-since" in given:
        request.if_modified_since = headers.parse_http_date(given["if-modified-since"])
    if "if-none-exist" in given:
        request.if_none_exist = given["if-none-exist"]


async def _put_parameters(
    ctx: Context, http: HttpRequest, request: FhirRequest, scope: Scope, receive: Receive
) -> None:
    """http://hl7.org/fhir/R4/operations.html#request: Parameters in the body, or all of them in the URL"""
    raw = await _inflated(ctx, http, scope, receive) if http.method == "POST" else b""
    if not raw:
        return
    negotiation.check_resource(http.headers.get("content-type"))
    request.resource = codec.decode(raw)
    if request.resource.get("resourceType") != "Parameters":
        raise bad_request("A Parameters resource was expected in the body", "Parameters")
    validation.check(request.resource)


def _put_body(request: FhirRequest, http: HttpRequest, raw: bytes) -> None:
    content_type = http.headers.get("content-type")
    if request.interaction == "patch":
        request.patch = _patch_document(content_type, raw)
        return
    if request.resource_type == "Binary" and binary.is_raw(content_type, raw):
        request.resource = binary.resource_of(request, http, raw)
        return
    negotiation.check_resource(content_type)
    request.resource = codec.decode(raw)
    if request.interaction == "transaction":
        request.interaction = _bundle_interaction(request.resource)


def _bundle_interaction(resource: dict[str, Any]) -> str:
    """http://hl7.org/fhir/R4/http.html#transaction: the type of the Bundle decides"""
    kind = resource.get("type")
    if resource.get("resourceType") != "Bundle":
        text = (
            "A Bundle of type batch or transaction was expected at the base; resources go to their type's URL"
        )
        raise bad_request(text, "Bundle")
    if not isinstance(kind, str) or kind not in {"batch", "transaction"}:
        told = repr(kind)[:64]
        text = f"A Bundle of type {told} cannot be performed; batch or transaction was expected"
        raise bad_request(text, "Bundle.type")
    return kind


def _patch_document(content_type: str | None, raw: bytes) -> Any:
    if negotiation.is_json_patch(content_type):
        return codec.decode_any(raw)
    negotiation.check_patch(content_type)
    parameters = codec.decode(raw)
    if parameters.get("resourceType") != "Parameters":
        raise bad_request(f"A FHIRPath Patch is a Parameters resource. Expected: {PATCH_TYPES}", "Parameters")
    return parameters
