"""STOW-RS: instances in a request body, kept as they come in; the body itself is never kept.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.5.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.rest.dicomweb.body import Found, check, pieces, reader
from fhir_server.rest.exchange import HttpResponse
from importers.dicom.dicom import Peer
from importers.dicom.intake import Intake
from importers.dicom.multipart import MultipartError
from importers.dicom.stow import StoreResponse
from resources import codec
from resources.outcome import bad_request, error

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.dicomweb.incoming import Incoming
    from importers.dicom.arrivals import Outcome

AT_ONCE, BYTES = 100, 16 * 1024 * 1024
"""Instances, and bytes of their headers, that are kept together"""
DICOM_JSON = "application/dicom+json"


async def store(
    ctx: Context, request: FhirRequest, incoming: Incoming, study_uid: str | None
) -> HttpResponse:
    """Stores what the body holds. What was complete when it breaks is kept, and told in the audit trail."""
    assert ctx.dicom is not None
    http, limit = incoming.http, ctx.settings.dicom_max_body_bytes
    peer = Peer("STOW-RS", http.address, http.headers.get("user-agent"))
    source = ctx.dicom.source_of(peer)
    intake = Intake(ctx.dicom.arrivals)
    found = Found()
    response = StoreResponse(found.answers)
    outcomes: list[Outcome] = []

    async def flush() -> None:
        taken = await intake.take(await found.taken(), source, study_uid)
        response.answers.extend(each.answer for each in taken)
        outcomes.extend(each.outcome for each in taken if each.outcome is not None)

    check(incoming.scope, limit)
    try:
        body = reader(http.headers.get("content-type", ""), found)
        async for piece in pieces(incoming.receive, limit, ctx.settings.dicom_idle_seconds):
            body.feed(piece)
            if len(found.parts) >= AT_ONCE or found.size > BYTES:
                await flush()
        body.close()
    except MultipartError as fault:
        raise bad_request(str(fault)) from None
    finally:
        await flush()
        await ctx.dicom.told(peer, outcomes)
    if not response.answers:
        raise bad_request("The body has no parts: at least one instance was expected")
    refused = len(response.answers) - len(outcomes)
    if refused:
        # They are of no study that the audit trail could name.
        told = error(
            409,
            "processing",
            f"{refused} of {len(response.answers)} instances could not be taken",
        )
        await ctx.audit.failure(request, told)
    return HttpResponse(response.status, codec.encode(response.dataset()), DICOM_JSON)
