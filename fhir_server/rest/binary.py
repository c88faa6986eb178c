"""Binary as raw bytes, both ways. http://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_server.rest.exchange import HttpRequest, HttpResponse
from fhir_server.rest.headers import is_safe
from fhir_server.rest.negotiation import FHIR_JSON, is_fhir, is_json, is_media_type, names_json
from resources.outcome import bad_request, unsupported_media_type

if TYPE_CHECKING:
    from fhir_server.context import FhirRequest
    from resources.codec import Json

SECURITY_CONTEXT = "X-Security-Context"
UNKNOWN = "application/octet-stream"


class _Named(msgspec.Struct):
    resource_type: Any = msgspec.field(name="resourceType", default=None)


_named = msgspec.json.Decoder(_Named)


def is_raw(content_type: str | None, body: bytes) -> bool:
    """Whether a body is the bytes of a Binary: FHIR is not, nor is plain JSON that says it is a Binary."""
    if is_fhir(content_type):
        return False
    if not is_json(content_type):
        return True
    try:
        return bool(_named.decode(body).resource_type != "Binary")
    except msgspec.DecodeError:
        return True


def resource_of(request: FhirRequest, http: HttpRequest, raw: bytes) -> Json:
    """The Binary resource of a body that is not FHIR: its bytes, its type, and whose rules guard it."""
    content_type = http.headers.get("content-type")
    if not content_type:
        raise bad_request("A Binary needs a Content-Type that says what its bytes are")
    if not is_media_type(content_type):
        raise unsupported_media_type(content_type, "a type and a subtype, such as image/png")
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


def is_wanted_raw(http: HttpRequest, request: FhirRequest, resource: Json) -> bool:
    """Whether a read of this resource is answered with the bytes it holds: a Binary goes out as FHIR only to who
    asks for FHIR, or for a JSON that is not the Binary's own.
    """
    if request.resource_type != "Binary":
        return False
    if request.parameter("_format") is not None:
        return False
    named = names_json(http.headers.get("accept", ""))
    return FHIR_JSON not in named and (not named or is_json(resource.get("contentType")))


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
    if context and is_safe(context):
        guarded[SECURITY_CONTEXT] = context
    content_type = resource.get("contentType", "")
    return HttpResponse(200, raw, content_type if is_media_type(content_type) else UNKNOWN, guarded)
