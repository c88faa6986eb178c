"""Performs one interaction: isolation, retry on conflict, and an AuditEvent whatever comes of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import imaging, integrity, own_parameters
from fhir_server.interactions.capabilities import capabilities
from fhir_server.interactions.create import create
from fhir_server.interactions.delete import delete
from fhir_server.interactions.history import history
from fhir_server.interactions.patch import patch
from fhir_server.interactions.preconditions import criteria_of, lock_keys
from fhir_server.interactions.read import read
from fhir_server.interactions.search_system import search_system
from fhir_server.interactions.search_type import search_type
from fhir_server.interactions.update import update
from fhir_server.interactions.vread import vread
from fhir_server.operations.explain import explain_search
from fhir_server.operations.feed import feed, feed_message
from fhir_server.operations.feed_replay import feed_replay
from fhir_server.operations.instances import instances
from fhir_server.operations.process_dicom import process_dicom
from fhir_server.operations.process_hl7v2 import process_hl7v2
from fhir_server.operations.reindex import reindex, reindex_status
from fhir_server.store.coalesce import cancelled
from fhir_server.store.faults import Away, CacheFull, WriteConflict
from fhir_server.store.indexes import DONE
from fhir_server.system.done import done_before
from resources.outcome import FHIRError, conflict, too_costly, unexpected

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit

Interaction = Callable[[Context, FhirRequest, "Unit"], Awaitable[Result]]
Work = Callable[[Context, FhirRequest], Awaitable[Result]]


async def operate(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Runs the operation that is named. http://hl7.org/fhir/R4/operations.html"""
    assert request.operation is not None
    return await OPERATIONS[request.operation](ctx, request, unit)


INTERACTIONS: dict[str, Interaction] = {
    "read": read,
    "vread": vread,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "search-type": search_type,
    "search-system": search_system,
    "history-instance": history,
    "history-type": history,
    "history-system": history,
    "capabilities": capabilities,
    "operation": operate,
}
OPERATIONS: dict[str, Interaction] = {
    "explain": explain_search,
    "reindex": reindex,
    "reindex-status": reindex_status,
    "process-hl7v2": process_hl7v2,
    "process-dicom": process_dicom,
    "instances": instances,
    "feed": feed,
    "feed-message": feed_message,
    "feed-replay": feed_replay,
}
WRITES = {"create", "update", "patch", "delete"}
ATTEMPTS = 12
"""How often a write that lost against others starts again before it is answered with 409"""

CACHE_ATTEMPTS = 3
CACHE_FULL = (
    "MongoDB's cache cannot hold all these changes at once; nothing was written. Send less in one transaction, "
    "or try again when there is less to do"
)

log = structlog.get_logger()


async def audited(ctx: Context, request: FhirRequest, work: Work) -> Result:
    """What `work` makes of the request; a failure is raised only after its AuditEvent is durable."""
    try:
        return await work(ctx, request)
    except FHIRError as fault:
        try:
            await ctx.audit.failure(request, fault)
        except Away:
            # Of two outages the first counts: it knows what may have become of a write.
            if not isinstance(fault, Away):
                raise
        raise
    except Exception as unknown:
        log.exception("interaction_failed", request_id=request.request_id, interaction=request.interaction)
        failed = unexpected(request.request_id)
        await ctx.audit.failure(request, failed)
        raise failed from unknown


async def perform(ctx: Context, request: FhirRequest) -> Result:
    """The interaction with its AuditEvent as one unit of work, again from the start after a conflict."""

    async def once() -> Result:
        await imaging.bring_up_to_date(ctx, request)
        async with ctx.store.unit(**isolation(ctx, request)) as unit:
            before = await done_before(unit, request)
            result = before or await INTERACTIONS[request.interaction](ctx, request, unit)
            await imaging.list_instances(ctx, request, unit, result)
            ctx.audit.success(unit, request, result)
            await unit.commit()
        return result

    if request.id is None or request.interaction not in WRITES:
        return await retried(once)
    # Writers of one resource take turns here; those of other servers it meets as conflicts.
    async with ctx.store.turn(f"{request.resource_type}/{request.id}"):
        return await retried(once)


async def retried(once: Callable[[], Awaitable[Result]]) -> Result:
    """What `once` returns when no other write comes in between; 409 with Retry-After when one always does."""
    full = 0
    for attempt in range(ATTEMPTS):
        try:
            return await once()
        except WriteConflict as lost:
            if cancelled():
                raise asyncio.CancelledError from None
            full += isinstance(lost, CacheFull)
            if full == CACHE_ATTEMPTS:
                raise too_costly(CACHE_FULL) from None
            await asyncio.sleep(random.uniform(0.5, 1) * min(0.002 * 2**attempt, 0.5))  # noqa: S311
    text = f"Other writes kept coming in between, {ATTEMPTS} times; nothing was written. Try again"
    raise conflict(text, retry_after=1)


def isolation(ctx: Context, request: FhirRequest) -> dict[str, Any]:
    """How a unit of work must be kept apart from others: criteria and references need a transaction."""
    if request.interaction not in WRITES or request.resource_type is None:
        return {}
    locks: list[str] = []
    criteria = criteria_of(request)
    if criteria is not None:
        locks += lock_keys(ctx, request.resource_type, criteria)
    if ctx.settings.referential_integrity:
        locks += integrity_locks(request)
    if request.resource_type == "SearchParameter":
        locks.append(own_parameters.LOCK)
    if not locks and not ctx.settings.referential_integrity:
        return {}
    return {"transaction": True, "locks": locks, "types": [request.resource_type, DONE]}


def integrity_locks(request: FhirRequest) -> list[str]:
    """Writers of a reference and deleters of its target take turns."""
    if request.interaction == "delete":
        return [f"reference {request.resource_type}/{request.id}"]
    return integrity.lock_keys(request.resource) if request.resource else []
