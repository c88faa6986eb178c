"""The update interaction. http://hl7.org/fhir/R4/http.html#update"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capability.table import TABLE
from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.preconditions import check_if_match, check_if_none_match, criteria_of, matches
from fhir_server.interactions.write import accepted, existing, stage_version, unchanged
from fhir_server.store.documents import new_id
from resources.outcome import FHIRError, bad_request, error, precondition_failed

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit
    from resources.codec import Json


async def update(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Stores a new version of a resource, by id or by criteria; creates it where there is none.

    200 with the new version (or the present one where nothing changes), 201 where it came into being.
    """
    assert request.resource_type is not None
    resource = await accepted(request)
    criteria = criteria_of(request)
    if criteria is None:
        assert request.id is not None
        _same_id(request, resource)
        current = await unit.current(request.resource_type, request.id)
        logical_id = request.id
    else:
        current, logical_id = await _matched(ctx, request, resource, unit, criteria)
    check_if_match(request, current)
    check_if_none_match(request, current)
    if current is not None and unchanged(current, resource):
        return existing(request.resource_type, current)
    if current is None and criteria is None and not ctx.settings.update_create:
        raise _not_by_clients(f"{request.where} does not exist", "/{type}/{id}", request.resource_type)
    return await stage_version(ctx, request, unit, resource, logical_id=logical_id, previous=current)


def _not_by_clients(why: str, path: str, resource_type: str) -> FHIRError:
    """http://hl7.org/fhir/R4/http.html#upsert: 405 where ids are the server's to choose"""
    others = [method for method in TABLE.methods(path, resource_type) if method != "PUT"]
    text = f"{why}, and clients may not choose ids here"
    return error(405, "not-supported", text, Allow=", ".join(others))


def _same_id(request: FhirRequest, resource: Json) -> None:
    if "id" not in resource:
        raise bad_request(
            f"The body has no id; '{request.id}', as in the URL, was expected", f"{request.resource_type}.id"
        )
    if resource["id"] != request.id:
        text = f"The id in the body is '{str(resource['id'])[:64]}', in the URL it is '{request.id}'"
        raise bad_request(text, f"{request.resource_type}.id")


async def _matched(
    ctx: Context, request: FhirRequest, resource: Json, unit: Unit, criteria: tuple[tuple[str, str], ...]
) -> tuple[Document | None, str]:
    """The one resource a conditional update is about, with its id; or the id of the one it will create.

    http://hl7.org/fhir/R4/http.html#cond-update
    """
    assert request.resource_type is not None
    found = await matches(ctx, unit, request.resource_type, criteria)
    given = resource.get("id")
    if found:
        if given is not None and given != found[0]["_id"]:
            text = f"The criteria match {request.resource_type}/{found[0]['_id']}, the id in the body is '{given}'"
            raise bad_request(text, f"{request.resource_type}.id")
        return found[0], found[0]["_id"]
    if given is None:
        return None, request.assigned_id or new_id()
    if not ctx.settings.update_create:
        raise _not_by_clients("Nothing matches the criteria", "/{type}", request.resource_type)
    current = await unit.current(request.resource_type, given)
    if current is not None and "deleted" not in current:
        text = (
            f"Nothing matches the criteria, but {request.resource_type}/{given}, the id in the body, exists"
        )
        raise precondition_failed(text)
    return current, given
