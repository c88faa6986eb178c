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
from resources.reference import Reference, parse
from resources.search_parameters import parameters

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json


ALL = "_reference"
"""The search value that holds every literal reference of a resource, those no search parameter knows included;
kept while integrity is asked for.
"""


def all_targets(resource: Json, base_url: str) -> list[str]:
    """`Patient/1` of everything on this server that a resource refers to, sorted, each once."""
    found = literal_references(resource, resource["resourceType"])
    targets = [reference.relative_to(base_url) for reference, _ in found]
    return sorted({f"{target.type}/{target.id}" for target in targets if target.is_local})


def literal_references(value: Any, path: str) -> Iterator[tuple[Reference, str]]:
    """Each reference in a resource that names another by type and id, with its expression."""
    if isinstance(value, dict):
        for name, member in value.items():
            here = f"{path}.{name}"
            if name == "reference" and isinstance(member, str):
                reference = parse(member)
                if reference.id is not None:
                    yield reference, here
            elif isinstance(member, dict | list):
                yield from literal_references(member, here)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from literal_references(member, f"{path}[{position}]")


def lock_keys(resource: Json) -> list[str]:
    """The locks a write of `resource` holds under referential integrity: one for each target. Those that look
    the same on another server hold the same lock, which does no harm.
    """
    found = literal_references(resource, resource["resourceType"])
    return [f"reference {reference.type}/{reference.id}" for reference, _ in found]


async def check_targets(unit: Unit, resource: Json, base_url: str) -> None:
    """Raises a 422 that names every reference to this server whose target does not exist or is deleted."""
    await unit.lock(lock_keys(resource))
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for reference, expression in literal_references(resource, resource["resourceType"]):
        target = reference.relative_to(base_url)
        if not target.is_local or target.address == f"{resource['resourceType']}/{resource['id']}":
            continue
        kind, logical_id = str(target.type), str(target.id)
        if not unit.stages(kind, logical_id):
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
    await unit.lock([f"reference {wanted}"])
    for kind in await unit.store.stored_types():
        codes = [each.code for each in parameters(kind).values() if each.type == "reference"]
        if kind == "AuditEvent":
            continue
        either = [{f"s.{code}": wanted} for code in (ALL, *codes)]
        for document in await unit.find(kind, {"$or": either}, limit=10, projection={"_id": 1}):
            if not unit.stages_deletion(kind, document["_id"]) and (kind, document["_id"]) != (
                resource_type,
                logical_id,
            ):
                raise conflict(
                    f"{wanted} is still referred to by {kind}/{document['_id']}; delete that first"
                )
