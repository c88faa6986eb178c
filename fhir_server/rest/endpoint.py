"""The FHIR endpoint as an ASGI application: one request in, one audited response out.

http://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from typing import TYPE_CHECKING

import structlog

from capability.table import TABLE
from fhir_server.rest import negotiation
from fhir_server.rest.exchange import (
    Disconnected,
    HttpRequest,
    HttpResponse,
    Receive,
    Scope,
    Send,
    head,
    respond,
)
from fhir_server.rest.representation import refused, represented
from fhir_server.rest.understanding import understood, unknown
from fhir_server.store.documents import new_id
from fhir_server.system.dispatch import answer
from fhir_server.system.routing import subject, template
from resources.outcome import FHIRError, unavailable, unexpected

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.access_log import AccessLog
    from fhir_server.rest.metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
WORTH_ZIPPING = 1024
GUARDS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger()


class FhirEndpoint:
    """Answers everything below the FHIR base."""

    _ctx: Context

    def __init__(self, metrics: Metrics, access_log: AccessLog, base_path: str) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self._base_path = base_path

    def serve(self, ctx: Context) -> None:
        """From now on requests are answered with what `ctx` has at hand."""
        self._ctx = ctx

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        http = head(scope, self._base_path)
        given = http.headers.get("x-request-id", "")
        request = unknown(http, given if REQUEST_ID.fullmatch(given) else new_id())
        try:
            response = await self._answer(http, request, scope, receive)
        except Disconnected:
            return
        response.headers.update(GUARDS)
        response.headers["X-Request-Id"] = request.request_id
        _zip(http, response)
        seconds = time.perf_counter() - started
        self._metrics.observe(request.interaction, request.resource_type or "", response.status, seconds)
        self._access_log.line(
            request_id=request.request_id,
            interaction=request.interaction,
            type=request.resource_type,
            status=response.status,
            milliseconds=round(seconds * 1000, 1),
        )
        await respond(send, response, with_body=http.method != "HEAD")

    async def _answer(
        self, http: HttpRequest, request: FhirRequest, scope: Scope, receive: Receive
    ) -> HttpResponse:
        if http.method == "OPTIONS":
            return _options(http)
        wanted = negotiation.fallback(scope["query_string"])
        patience = self._ctx.settings.request_timeout_seconds
        try:
            async with asyncio.timeout(patience):
                try:
                    asked = await understood(self._ctx, http, request, scope, receive)
                except FHIRError as fault:
                    raise await self._recorded(request, fault) from None
                wanted = asked.format
                result = await answer(self._ctx, request)
                return represented(self._ctx, http, request, result, wanted)
        except FHIRError as fault:
            return refused(fault, wanted)
        except TimeoutError:
            text = f"This took longer than {patience:g} seconds and was stopped. Look what is there before you repeat it"
            return refused(await self._recorded(request, unavailable(text)), wanted)
        except Disconnected:
            raise
        except Exception:
            log.exception("request_failed", request_id=request.request_id, interaction=request.interaction)
            return refused(await self._recorded(request, unexpected(request.request_id)), wanted)

    async def _recorded(self, request: FhirRequest, fault: FHIRError) -> FHIRError:
        """The fault, now that its AuditEvent is durable; the store's own when it cannot be."""
        try:
            await self._ctx.audit.failure(request, fault)
        except FHIRError as unrecorded:
            return unrecorded
        return fault


def _options(http: HttpRequest) -> HttpResponse:
    """What a URL can be asked for; says nothing of what is stored. RFC 9110 §9.3.7"""
    segments = list(http.segments)
    path = template(segments)
    methods = TABLE.methods(path, subject(segments, path))
    return HttpResponse(204 if methods else 404, headers={"Allow": ", ".join(methods)})


def _zip(http: HttpRequest, response: HttpResponse) -> None:
    """http://hl7.org/fhir/R4/http.html#compression"""
    if len(response.body) < WORTH_ZIPPING:
        return
    response.headers["Vary"] = "Accept-Encoding, Accept"
    if negotiation.accepts_gzip(http.headers.get("accept-encoding", "")):
        response.body = gzip.compress(response.body, compresslevel=4, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
