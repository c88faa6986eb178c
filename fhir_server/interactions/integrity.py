"""Referential integrity, where a setting asks for it: what is referenced must exist, and stays.

Writers and deleters of one target touch the same lock document, so that a reference and the delete of its
target never both succeed.

http://hl7.org/fhir/R4/http.html#delete, http://hl7.org/fhir/R4/capabilitystatement.html (referencePolicy)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fhir_server.store.indexes import HISTORY
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
    return (found for found in references(value, path) if found[0].id is not None)


def references(value: Any, path: str) -> Iterator[tuple[Reference, str]]:
    """Each `reference` in a resource, with its expression."""
    if isinstance(value, dict):
        for name, member in value.items():
            here = f"{path}.{name}"
            if name == "reference" and isinstance(member, str):
                yield parse(member), here
            elif isinstance(member, dict | list):
                yield from references(member, here)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from references(member, f"{path}[{position}]")


def lock_keys(resource: Json) -> list[str]:
    """The locks a write of `resource` holds under referential integrity: one for each target. Those that look
    the same on another server hold the same lock, which does no harm.
    """
    found = literal_references(resource, resource["resourceType"])
    return [f"reference {reference.type}/{reference.id}" for reference, _ in found]


async def check_targets(unit: Unit, resource: Json, base_url: str) -> None:
    """Raises a 422 that names every reference to this server whose target does not exist or is deleted, and those
    that are to be replaced in a transaction, but were not.
    """
    await unit.lock(lock_keys(resource))
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for reference, expression in literal_references(resource, resource["resourceType"]):
        target = reference.relative_to(base_url)
        if not target.is_local or target.address == f"{resource['resourceType']}/{resource['id']}":
            continue
        kind, logical_id = str(target.type), str(target.id)
        if not unit.stages(kind, logical_id):
            wanted[kind][logical_id].append(expression)
    issues = [*_never_replaced(resource), *await _missing_versions(unit, resource, base_url)]
    for kind, ids in wanted.items():
        there = await unit.find(kind, {"_id": {"$in": list(ids)}, "deleted": None}, projection={"_id": 1})
        for missing in ids.keys() - {document["_id"] for document in there}:
            text = f"{kind}/{missing} does not exist, so nothing may refer to it"
            issues.append(Issue("error", "not-found", text, tuple(ids[missing])))
    if issues:
        raise FHIRError(422, issues)


def _never_replaced(resource: Json) -> Iterator[Issue]:
    """A Bundle that is stored as it is may refer to its own entries.

    http://hl7.org/fhir/R4/http.html#trules, http://hl7.org/fhir/R4/bundle.html#references
    """
    if resource["resourceType"] == "Bundle":
        return
    for reference, expression in references(resource, resource["resourceType"]):
        if reference.criteria is not None:
            text = f"'{reference.text[:200]}' is a conditional reference, which only a transaction resolves"
            yield Issue("error", "not-found", text, (expression,))
        elif reference.text.startswith(("urn:uuid:", "urn:oid:")):
            text = f"'{reference.text[:64]}' is the fullUrl of no entry that is written along, so nothing may refer to it"
            yield Issue("error", "not-found", text, (expression,))


async def _missing_versions(unit: Unit, resource: Json, base_url: str) -> list[Issue]:
    """A target that does not exist at all is for others to name."""
    issues = []
    for reference, expression in literal_references(resource, resource["resourceType"]):
        target = reference.relative_to(base_url)
        if target.is_local and target.version is not None and not await _has_version(unit, target):
            text = f"{target.type}/{target.id} has no version '{target.version}', so nothing may refer to it"
            issues.append(Issue("error", "not-found", text, (expression,)))
    return issues


async def _has_version(unit: Unit, target: Reference) -> bool:
    """Whether there is the target with that version, or no such target."""
    kind, logical_id, version = str(target.type), str(target.id), str(target.version)
    current = await unit.current(kind, logical_id)
    if current is None or "deleted" in current or str(current["v"]) == version:
        return True
    if not version.isascii() or not version.isdigit() or int(version) > current["v"]:
        return False
    # What this unit supersedes has not been moved yet.
    here = await unit.find(kind, {"_id": logical_id, "v": int(version), "deleted": None}, limit=1)
    key = {"id": logical_id, "v": int(version)}
    return bool(here or await unit.find(kind + HISTORY, {"_id": key, "deleted": None}, limit=1))


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
