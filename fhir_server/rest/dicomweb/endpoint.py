"""DICOMweb as an ASGI application beside FHIR: one request in, one audited response out.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/PS3.18.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from fhir_server.rest.dicomweb import paths
from fhir_server.rest.dicomweb.incoming import Incoming
from fhir_server.rest.endpoint import GUARDS, REQUEST_ID
from fhir_server.rest.exchange import Disconnected, head, respond
from fhir_server.rest.negotiation import Format
from fhir_server.rest.representation import refused
from fhir_server.rest.understanding import unknown
from fhir_server.store.documents import new_id
from resources.outcome import FHIRError, unavailable, unexpected

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.access_log import AccessLog
    from fhir_server.rest.exchange import HttpResponse, Receive, Scope, Send
    from fhir_server.rest.metrics import Metrics

MOST_STORES = 16
"""STOW-RS requests in work at once; each keeps some megabytes"""
INTERACTIONS = {
    "store": "dicom-store",
    "search": "dicom-query",
    "metadata": "dicom-retrieve",
    "delete": "dicom-delete",
}

log = structlog.get_logger()


class DicomwebEndpoint:
    """Answers everything below /dicomweb."""

    _ctx: Context

    def __init__(self, metrics: Metrics, access_log: AccessLog) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self._stores = 0

    def serve(self, ctx: Context) -> None:
        """From now on requests are answered with what `ctx` has at hand."""
        self._ctx = ctx

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        http = head(scope, paths.BASE)
        given = http.headers.get("x-request-id", "")
        request = unknown(http, given if REQUEST_ID.fullmatch(given) else new_id())
        try:
            response = await self._answer(request, Incoming(http, scope, receive))
        except Disconnected:
            return
        response.headers.update(GUARDS)
        response.headers["X-Request-Id"] = request.request_id
        seconds = time.perf_counter() - started
        self._metrics.observe(request.interaction, "", response.status, seconds)
        self._access_log.line(
            request_id=request.request_id,
            interaction=request.interaction,
            status=response.status,
            milliseconds=round(seconds * 1000, 1),
        )
        await respond(send, response, with_body=http.method != "HEAD")

    async def _answer(self, request: FhirRequest, incoming: Incoming) -> HttpResponse:
        http = incoming.http
        try:
            target = paths.target(http.method, http.segments)
            request.interaction = INTERACTIONS[target.service]
            return await self._stored(request, incoming, target)
        except FHIRError as fault:
            return refused(await self._recorded(request, fault), Format())
        except Disconnected:
            raise
        except Exception:
            log.exception("request_failed", request_id=request.request_id, interaction=request.interaction)
            return refused(await self._recorded(request, unexpected(request.request_id)), Format())

    async def _stored(self, request: FhirRequest, incoming: Incoming, target: paths.Target) -> HttpResponse:
        if self._stores >= MOST_STORES:
            raise unavailable(f"{MOST_STORES} requests to store instances are in work already", retry_after=5)
        self._stores += 1
        from fhir_server.rest.dicomweb import stow  # noqa: PLC0415  reading multipart is of no use to others

        try:
            return await stow.store(self._ctx, request, incoming, target.study)
        finally:
            self._stores -= 1

    async def _recorded(self, request: FhirRequest, fault: FHIRError) -> FHIRError:
        """The fault, now that its AuditEvent is durable; the store's own when it cannot be."""
        try:
            await self._ctx.audit.failure(request, fault)
        except FHIRError as unrecorded:
            return unrecorded
        return fault
