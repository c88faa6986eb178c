"""Any interaction, of one resource or of a whole Bundle: the door through which everything comes in."""

from __future__ import annotations

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.indexed import may_mean_own
from fhir_server.system.batch import batch
from fhir_server.system.perform import Work, audited, perform
from fhir_server.system.transaction import transaction

BUNDLES: dict[str, Work] = {"batch": batch, "transaction": transaction}


async def answer(ctx: Context, request: FhirRequest) -> Result:
    """Performs the interaction; returns, or raises its FHIRError, only after its AuditEvent is durable."""
    site = await (ctx.parameters.newest() if may_mean_own(request) else ctx.parameters.recent())
    try:
        return await audited(ctx.at(site), request, BUNDLES.get(request.interaction, perform))
    finally:
        if (
            request.interaction in BUNDLES and not request.plain
        ) or request.resource_type == "SearchParameter":
            ctx.parameters.forget()
