"""HL7 v2 over HTTP: messages in, acknowledgments out, in the media type they came in.

The charset of Content-Type says how a message is encoded that does not say so itself: MSH-18 wins.
"""

from __future__ import annotations

import codecs
from email.message import Message
from typing import TYPE_CHECKING

from capability.openapi_components import HL7V2_TYPES
from fhir_server.context import Hl7v2
from fhir_server.rest.exchange import HttpRequest, HttpResponse
from fhir_server.rest.negotiation import names_json
from resources.outcome import bad_request, unsupported_media_type

if TYPE_CHECKING:
    from fhir_server.context import FhirRequest, Result

OPERATION = "process-hl7v2"
_TYPES = {*HL7V2_TYPES, "application/hl7-v2+er7", "x-application/hl7-v2"}
_EXPECTED = f"{', '.join(HL7V2_TYPES)}, each with or without a charset"


def put_body(request: FhirRequest, http: HttpRequest, raw: bytes) -> None:
    """415 for another media type, or a charset that Python does not know; 400 where there is nothing."""
    given = http.headers.get("content-type", "")
    name, charset = _media_type(given)
    if name not in _TYPES:
        raise unsupported_media_type(given, _EXPECTED)
    if charset is not None:
        try:
            charset = codecs.lookup(charset).name
        except LookupError:
            raise unsupported_media_type(
                given, "a charset that is known, such as utf-8 or iso-8859-1"
            ) from None
    if not raw.strip():
        raise bad_request("The body is empty; a message of HL7 v2 was expected, beginning with MSH")
    request.hl7v2 = Hl7v2(raw, charset, fhir=_wants_fhir(request, http))


def _wants_fhir(request: FhirRequest, http: HttpRequest) -> bool:
    return request.parameter("_format") is not None or bool(names_json(http.headers.get("accept", "")))


def response(http: HttpRequest, result: Result, fields: dict[str, str]) -> HttpResponse:
    """The acknowledgments. 200 whatever they say: what HTTP carries has arrived."""
    name, _ = _media_type(http.headers.get("content-type", ""))
    return HttpResponse(result.status, result.body or b"", name, fields)


def _media_type(given: str) -> tuple[str, str | None]:
    read = Message()
    read["content-type"] = given
    charset = read.get_param("charset")
    return read.get_content_type() if given else "", charset if isinstance(charset, str) else None
