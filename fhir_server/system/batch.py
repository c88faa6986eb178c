"""The batch interaction: entries that know nothing of each other, performed concurrently.

http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.system import entries
from fhir_server.system.done import entry_key
from fhir_server.system.perform import WRITES, audited, perform
from resources import validation
from resources.outcome import FHIRError, bad_request

if TYPE_CHECKING:
    from resources.codec import Json

AT_ONCE = 64
"""Entries under way at the same time: enough to fill a group commit"""


async def batch(ctx: Context, request: FhirRequest) -> Result:
    """Performs every entry, each with its own AuditEvent; a Bundle `batch-response` in the order asked."""
    bundle = bundle_of(request)
    validation.check(bundle, entries=False)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(position: int, entry: Json) -> Json:
        async with gate:
            return await _perform(ctx, request, entry, position)

    asked = bundle.get("entry", [])
    tasks = [asyncio.ensure_future(one(position, entry)) for position, entry in enumerate(asked)]
    try:
        answered = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    response: Json = {"resourceType": "Bundle", "type": "batch-response"}
    if answered:
        response["entry"] = answered
    async with ctx.store.unit() as unit:
        result = Result(200, response, changed=False)
        ctx.audit.success(unit, request, result)
        await unit.commit()
    return result


def bundle_of(request: FhirRequest) -> Json:
    """The Bundle in the body of a batch or transaction, or a 400."""
    bundle = request.resource
    if bundle is None or bundle.get("resourceType") != "Bundle":
        raise bad_request("A Bundle of type batch or transaction was expected", "Bundle")
    return bundle


async def _perform(ctx: Context, request: FhirRequest, entry: Json, position: int) -> Json:
    asked = None
    try:
        asked = entries.entry_request(ctx, request, entry, position)
        if asked.interaction in WRITES:
            asked.key = entry_key(request.key, position)
        return entries.success(asked, await audited(ctx, asked, perform))
    except FHIRError as fault:
        if asked is None:
            await ctx.audit.failure(request, fault)
            return entries.failure(fault)
        return entries.failure(fault.within(f"{entries.where(position)}.resource"))
