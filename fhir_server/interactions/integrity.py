"""Referential integrity, where a setting asks for it: what is referenced must exist, and stays.

Writers and deleters of one target touch the same lock document, so that a reference and the delete of its
target never both succeed.

http://hl7.org/fhir/R4/http.html#delete, http://hl7.org/fhir/R4/capabilitystatement.html (referencePolicy)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from resources.outcome import FHIRError, Issue, conflict
from resources.registry import is_resource
from resources.search_parameters import parameters

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json


def literal_references(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """(type, id, expression) of each relative literal reference in a resource."""
    if isinstance(value, dict):
        for name, member in value.items():
            here = f"{path}.{name}"
            if name == "reference" and isinstance(member, str):
                target = _target(member)
                if target is not None:
                    yield *target, here
            elif isinstance(member, dict | list):
                yield from literal_references(member, here)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from literal_references(member, f"{path}[{position}]")


def _target(reference: str) -> tuple[str, str] | None:
    parts = reference.split("/")
    if len(parts) in {2, 4} and is_resource(parts[0]):
        return parts[0], parts[1]
    return None


def lock_keys(resource: Json) -> list[str]:
    """The locks a write of `resource` holds under referential integrity: one for each target."""
    return [
        f"reference {kind}/{id_}" for kind, id_, _ in literal_references(resource, resource["resourceType"])
    ]


async def check_targets(unit: Unit, resource: Json) -> None:
    """Raises a 422 that names every reference whose target does not exist or is deleted."""
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for kind, logical_id, expression in literal_references(resource, resource["resourceType"]):
        if (kind, logical_id) != (resource["resourceType"], resource["id"]) and not unit.stages(
            kind, logical_id
        ):
            wanted[kind][logical_id].append(expression)
    issues = []
    for kind, ids in wanted.items():
        there = await unit.find(kind, {"_id": {"$in": list(ids)}, "deleted": None}, projection={"_id": 1})
        for missing in ids.keys() - {document["_id"] for document in there}:
            text = f"{kind}/{missing} does not exist, so nothing may refer to it"
            issues.append(Issue("error", "not-found", text, tuple(ids[missing])))
    if issues:
        raise FHIRError(422, issues)


async def check_unreferenced(unit: Unit, resource_type: str, logical_id: str) -> None:
    """Raises a 409 that names a resource which still refers to the one that is to be deleted."""
    wanted = f"{resource_type}/{logical_id}"
    for kind in await unit.store.stored_types():
        codes = [each.code for each in parameters(kind).values() if each.type == "reference"]
        if kind == "AuditEvent" or not codes:
            continue
        either = [{f"s.{code}": wanted} for code in codes]
        for document in await unit.find(kind, {"$or": either}, limit=10, projection={"_id": 1}):
            if not unit.stages_deletion(kind, document["_id"]) and (kind, document["_id"]) != (
                resource_type,
                logical_id,
            ):
                raise conflict(
                    f"{wanted} is still referred to by {kind}/{document['_id']}; delete that first"
                )
