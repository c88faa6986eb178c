"""DICOMweb as an ASGI application beside FHIR: one request in, one audited response out.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/PS3.18.html
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from fhir_server.interactions.pairs import pairs
from fhir_server.rest.dicomweb import paths, stow
from fhir_server.rest.dicomweb.incoming import Incoming
from fhir_server.rest.dicomweb.metadata import metadata
from fhir_server.rest.dicomweb.negotiated import Streamed
from fhir_server.rest.dicomweb.remove import remove
from fhir_server.rest.dicomweb.search import search
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
        request.path = f"{paths.BASE}/{request.path}"
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
        if isinstance(response, Streamed):
            await _stream(send, response, with_body=http.method != "HEAD")
        else:
            await respond(send, response, with_body=http.method != "HEAD")

    async def _answer(self, request: FhirRequest, incoming: Incoming) -> HttpResponse | Streamed:
        http = incoming.http
        try:
            target = paths.target(http.method, http.segments)
            request.interaction = INTERACTIONS[target.service]
            request.query = pairs(incoming.scope["query_string"].decode("latin-1"))
            if target.service == "store":
                return await self._stored(request, incoming, target)
            async with asyncio.timeout(self._ctx.settings.request_timeout_seconds):
                if target.service == "search":
                    return await search(self._ctx, request, incoming, target)
                if target.service == "metadata":
                    return await metadata(self._ctx, request, incoming, target)
                return await remove(self._ctx, request, target)
        except FHIRError as fault:
            return refused(await self._recorded(request, fault), Format())
        except TimeoutError:
            text = "This took too long and was stopped. Ask for less"
            return refused(await self._recorded(request, unavailable(text)), Format())
        except Disconnected:
            raise
        except Exception:
            log.exception("request_failed", request_id=request.request_id, interaction=request.interaction)
            return refused(await self._recorded(request, unexpected(request.request_id)), Format())

    async def _stored(self, request: FhirRequest, incoming: Incoming, target: paths.Target) -> HttpResponse:
        if self._stores >= MOST_STORES:
            raise unavailable(f"{MOST_STORES} requests to store instances are in work already", retry_after=5)
        self._stores += 1
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


async def _stream(send: Send, response: Streamed, *, with_body: bool) -> None:
    """A fault in the middle breaks the connection off: what came is not taken for the whole."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers.append((b"content-type", response.media_type.encode("latin-1")))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if with_body:
        async for piece in response.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
