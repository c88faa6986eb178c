"""Binary as raw bytes, both ways. http://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from fhir_server.rest.exchange import HttpRequest, HttpResponse
from resources.outcome import bad_request

if TYPE_CHECKING:
    from fhir_server.context import FhirRequest
    from resources.codec import Json

SECURITY_CONTEXT = "X-Security-Context"


def resource_of(request: FhirRequest, http: HttpRequest, raw: bytes) -> Json:
    """The Binary resource of a body that is not FHIR: its bytes, its type, and whose rules guard it."""
    content_type = http.headers.get("content-type")
    if not content_type:
        raise bad_request("A Binary needs a Content-Type that says what its bytes are")
    resource: Json = {"resourceType": "Binary"}
    if request.id is not None:
        resource["id"] = request.id
    resource["contentType"] = content_type
    context = http.headers.get(SECURITY_CONTEXT.lower())
    if context is not None:
        resource["securityContext"] = {"reference": context}
    if raw:
        resource["data"] = base64.b64encode(raw).decode()
    return resource


def raw_response(resource: Json, headers: dict[str, str]) -> HttpResponse:
    """The bytes of a Binary, to be saved, never to be shown inside this server's origin."""
    try:
        raw = base64.b64decode("".join(resource.get("data", "").split()), validate=True)
    except binascii.Error:
        raise bad_request("The data of this Binary is not base64; ask for application/fhir+json") from None
    guarded = {
        **headers,
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    context = resource.get("securityContext", {}).get("reference")
    if context:
        guarded[SECURITY_CONTEXT] = context
    return HttpResponse(200, raw, resource.get("contentType", "application/octet-stream"), guarded)
