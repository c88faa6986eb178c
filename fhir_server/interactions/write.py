"""What create, update, patch and delete have in common: judging a body, and staging a new version."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import built_in, integrity, own_parameters
from fhir_server.search.index import GENERATION, search_document
from fhir_server.store.documents import Document, document, now, stamped, tombstone
from resources import codec, validation
from resources.custom_parameter import own_parameters as own_parameters_of
from resources.outcome import bad_request
from resources.patients import patients_of

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json


async def accepted(request: FhirRequest) -> Json:
    """The body of the request as a valid resource of the type in the URL, or a 400 / 422.

    http://hl7.org/fhir/R4/http.html#create
    """
    resource = request.resource
    if resource is None:
        raise bad_request(f"A {request.resource_type} was expected in the body, which is empty")
    found = resource.get("resourceType")
    if found != request.resource_type:
        text = f"The body is of type {str(found)[:64]!r}, the URL says {request.resource_type}"
        raise bad_request(text, str(request.resource_type))
    if not request.validated:
        check = validation.check
        found_fit = await asyncio.to_thread(check, resource) if request.large else check(resource)
        request.warnings = tuple(found_fit)
    return resource


async def stage_version(
    ctx: Context,
    request: FhirRequest,
    unit: Unit,
    resource: Json,
    *,
    logical_id: str,
    previous: Document | None,
) -> Result:
    """Stages the next version of a resource, as the request asks for, and says what it will be."""
    version = 1 if previous is None else previous["v"] + 1
    moment = after(previous)
    whole = stamped(resource, logical_id, version, moment)
    if ctx.settings.referential_integrity:
        unit.expect(partial(integrity.check_targets, unit, whole, ctx.base_url))
    if whole["resourceType"] == "SearchParameter":
        built_in.check_identity(whole, logical_id)
        unit.expect(partial(own_parameters.register, unit, logical_id, own_parameters_of(whole)))
    work = partial(search_values, ctx, whole)
    stored = document(whole, await asyncio.to_thread(work) if request.large else work(), moment)
    if request.interaction == "update" and (previous is None or "deleted" in previous):
        stored["put"] = True
    unit.stage(whole["resourceType"], stored, previous)
    return Result(
        201 if previous is None or "deleted" in previous else 200,
        resource=whole,
        resource_type=whole["resourceType"],
        id=logical_id,
        version=version,
        last_modified=moment,
        created=previous is None or "deleted" in previous,
    )


def search_values(ctx: Context, whole: Json) -> Document:
    """What a stored resource is found by, and by which generation of parameters that was made."""
    values = search_document(whole, ctx.site)
    values[GENERATION] = ctx.site.generation
    if ctx.settings.referential_integrity:
        values[integrity.ALL] = integrity.all_targets(whole, ctx.base_url)
    return values


def stage_deletion(ctx: Context, unit: Unit, resource_type: str, current: Document) -> Result:
    """Stages the version that says that a resource is deleted."""
    if ctx.settings.referential_integrity:
        unit.expect(partial(integrity.check_unreferenced, unit, resource_type, current["_id"]))
    if resource_type == "SearchParameter":
        unit.expect(partial(own_parameters.register, unit, current["_id"], ()))
    moment = after(current)
    version = current["v"] + 1
    unit.stage(resource_type, tombstone(current["_id"], version, moment), current)
    return Result(
        204,
        resource_type=resource_type,
        id=current["_id"],
        version=version,
        last_modified=moment,
        patients=patients_of(current["r"]),
    )


def unchanged(current: Document, resource: Json) -> bool:
    """Whether `resource` says, to the digit, what the current version says."""
    if "r" not in current:
        return False
    again = stamped(resource, current["_id"], current["v"], current["t"])
    return codec.encode(again) == codec.encode(current["r"])


def existing(resource_type: str, current: Document, status: int = 200) -> Result:
    """The result of an interaction that leaves (or finds) a current version as it is."""
    return Result(
        status,
        resource=current.get("r"),
        resource_type=resource_type,
        id=current["_id"],
        version=current["v"],
        last_modified=current["t"],
        changed=False,
        patients=patients_of(current["r"]) if "r" in current else (),
    )


def after(previous: Document | None) -> datetime:
    """The present instant, but later than that of the superseded version also when the clock went back."""
    moment = now()
    if previous is not None and moment <= previous["t"]:
        moment = previous["t"] + timedelta(milliseconds=1)
    return moment
