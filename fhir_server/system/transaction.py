"""The transaction interaction: all entries in one MongoDB transaction, or none.

Order of processing: DELETE, POST, PUT and PATCH, GET; conditional references are resolved when everything
they may match is there. A transaction that is retried starts from scratch.

http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import preconditions
from fhir_server.interactions.write import existing
from fhir_server.store.documents import new_id
from fhir_server.store.indexes import DONE
from fhir_server.system import entries
from fhir_server.system.batch import bundle_of
from fhir_server.system.bundle_references import conditional_references, names_of, rewritten
from fhir_server.system.conditional_references import resolved_references
from fhir_server.system.done import done_before
from fhir_server.system.perform import INTERACTIONS, WRITES, integrity_locks, retried
from resources import validation
from resources.outcome import FHIRError, bad_request, invalid

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit
    from resources.codec import Json
    from resources.outcome import Issue

BREATH = 25
"""Resources judged or written between two turns of the event loop, so that others are served meanwhile"""


@dataclass(slots=True)
class Entry:
    """One entry as it was asked for; `assigned_id` is what a new resource will be called."""

    position: int
    full_url: str | None
    request: FhirRequest
    assigned_id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Attempt:
    """One attempt at the transaction: what each entry became."""

    unit: Unit
    requests: dict[int, FhirRequest] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)


async def transaction(ctx: Context, request: FhirRequest) -> Result:
    """Performs all entries or none; a Bundle `transaction-response` in the order asked."""
    bundle = bundle_of(request)
    asked: list[Entry] = []
    for position, entry in enumerate(await _judged(bundle)):
        made = entries.entry_request(ctx, request, entry, position)
        asked.append(Entry(position, entry.get("fullUrl"), made))
        await _breath(position)
    _refuse_same_identity(ctx, asked)

    async def once() -> Result:
        async with ctx.store.unit(
            transaction=True, locks=_locks(ctx, asked), types=[*_types(asked), DONE]
        ) as unit:
            before = await done_before(unit, request)
            if before is not None:
                ctx.audit.success(unit, request, before)
                await unit.commit()
                return before
            attempt = Attempt(unit)
            await _perform(ctx, asked, attempt)
            result = Result(200, _response(asked, attempt), changed=False)
            for entry in asked:
                ctx.audit.success(unit, attempt.requests[entry.position], attempt.results[entry.position])
            ctx.audit.success(unit, request, result)
            await unit.commit()
        return result

    return await retried(once)


async def _judged(bundle: Json) -> list[Json]:
    """The entries of a valid Bundle; all errors of all entries at once otherwise."""
    await asyncio.sleep(0)  # the body has just been decoded, and that may have taken long
    issues = _errors(validation.validate(bundle, entries=False))
    if issues:
        raise invalid(issues)
    asked: list[Json] = bundle.get("entry", [])
    for position, entry in enumerate(asked):
        if "resource" in entry:
            found = _errors(validation.validate(entry["resource"]))
            issues += [issue.within(f"{entries.where(position)}.resource") for issue in found]
        await _breath(position)
    if issues:
        raise invalid(issues)
    return asked


async def _breath(done: int) -> None:
    if done % BREATH == BREATH - 1:
        await asyncio.sleep(0)


def _errors(issues: Iterable[Issue]) -> list[Issue]:
    return [issue for issue in issues if issue.severity in {"error", "fatal"}]


def _refuse_same_identity(ctx: Context, asked: Sequence[Entry]) -> None:
    """http://hl7.org/fhir/R4/http.html#trules: no two entries may be about the same resource."""
    seen: dict[str, int] = {}
    for entry in asked:
        request = entry.request
        if request.interaction not in WRITES or request.resource_type is None:
            continue
        if request.interaction in {"create", "update"}:
            _right_type(entry)
        criteria = preconditions.criteria_of(request)
        if criteria is not None:
            search = preconditions.criteria_search(ctx, request.resource_type, criteria)
            identity = f"{request.resource_type}?{search.normalized()}"
        elif request.id is not None:
            identity = f"{request.resource_type}/{request.id}"
        else:
            continue
        if identity in seen:
            text = f"{identity} is written by Bundle.entry[{seen[identity]}] and again by this entry; once is possible"
            raise bad_request(text, f"{entries.where(entry.position)}.request.url")
        seen[identity] = entry.position


def _right_type(entry: Entry) -> None:
    request = entry.request
    assert request.resource is not None
    if request.resource["resourceType"] != request.resource_type:
        text = f"The url of the request says {request.resource_type}, the resource is a {request.resource['resourceType']}"
        raise bad_request(text, f"{entries.where(entry.position)}.resource")


def _locks(ctx: Context, asked: Sequence[Entry]) -> list[str]:
    locks: list[str] = []
    for entry in asked:
        request = entry.request
        if request.interaction not in WRITES or request.resource_type is None:
            continue
        criteria = preconditions.criteria_of(request)
        if criteria is not None:
            locks += preconditions.lock_keys(ctx, request.resource_type, criteria)
        if ctx.settings.referential_integrity:
            locks += integrity_locks(request)
    return locks


def _types(asked: Sequence[Entry]) -> list[str]:
    return sorted(
        {
            e.request.resource_type
            for e in asked
            if e.request.resource_type and e.request.interaction in WRITES
        }
    )


async def _perform(ctx: Context, asked: Sequence[Entry], attempt: Attempt) -> None:
    by_interaction: dict[str, list[Entry]] = defaultdict(list)
    for entry in asked:
        by_interaction[entry.request.interaction].append(entry)
    await _prefetch(asked, attempt.unit)
    for entry in by_interaction.pop("delete", []):
        await _run(ctx, attempt, entry, replace(entry.request))
    await attempt.unit.send()
    writes = [*by_interaction.pop("create", []), *by_interaction.pop("update", [])]
    await _resolve(ctx, writes, attempt)
    await _write(ctx, writes, attempt)
    for entry in by_interaction.pop("patch", []):
        await _run(ctx, attempt, entry, _rewritten_patch(entry.request, attempt.targets))
    await attempt.unit.flush()
    for rest in by_interaction.values():
        for entry in rest:
            await _run(ctx, attempt, entry, replace(entry.request))


async def _prefetch(asked: Sequence[Entry], unit: Unit) -> None:
    """Reads what the entries name by id, one command for each type."""
    ids: dict[str, list[str]] = defaultdict(list)
    for entry in asked:
        request = entry.request
        if request.interaction in WRITES and request.resource_type and request.id:
            ids[request.resource_type].append(request.id)
    for resource_type, wanted in ids.items():
        await unit.prefetch(resource_type, wanted)


async def _run(ctx: Context, attempt: Attempt, entry: Entry, request: FhirRequest) -> None:
    attempt.requests[entry.position] = request
    attempt.unit.where = f"{entries.where(entry.position)}.resource"
    await _breath(len(attempt.results))
    try:
        attempt.results[entry.position] = await INTERACTIONS[request.interaction](ctx, request, attempt.unit)
    except FHIRError as fault:
        raise fault.within(attempt.unit.where) from None


async def _resolve(ctx: Context, writes: Iterable[Entry], attempt: Attempt) -> None:
    """Finds out which resource each create and update is about, and how others refer to it."""
    for entry in writes:
        request = replace(entry.request, validated=True, assigned_id=entry.assigned_id)
        attempt.requests[entry.position] = request
        found = await _found(ctx, entry, attempt.unit)
        if found is not None and request.interaction == "create":
            attempt.results[entry.position] = existing(str(request.resource_type), found)
        logical_id = _identity(request, entry, found)
        request.if_none_exist = None
        for name in names_of(entry.full_url, request.resource, str(request.resource_type), ctx.base_url):
            attempt.targets[name] = f"{request.resource_type}/{logical_id}"


def _identity(request: FhirRequest, entry: Entry, found: Document | None) -> str:
    if found is not None:
        return str(found["_id"])
    if request.interaction == "update":
        assert request.resource is not None
        return request.id or request.resource.get("id") or entry.assigned_id
    return entry.assigned_id


async def _found(ctx: Context, entry: Entry, unit: Unit) -> Document | None:
    """The resource that the criteria of a conditional create or update match inside the transaction."""
    request = entry.request
    criteria = preconditions.criteria_of(request)
    if criteria is None:
        return None
    try:
        found = await preconditions.matches(ctx, unit, str(request.resource_type), criteria)
    except FHIRError as fault:
        raise fault.within(f"{entries.where(entry.position)}.request") from None
    return found[0] if found else None


async def _write(ctx: Context, writes: Sequence[Entry], attempt: Attempt) -> None:
    """Stages creates and updates; those with conditional references last, when what they match is there."""
    waiting: dict[int, set[str]] = {}
    for entry in writes:
        if entry.position in attempt.results:
            continue
        request = attempt.requests[entry.position]
        assert request.resource is not None
        request.resource = rewritten(request.resource, attempt.targets)
        criteria = conditional_references(request.resource)
        if criteria:
            waiting[entry.position] = criteria
        else:
            await _run(ctx, attempt, entry, request)
    if not waiting:
        return
    await attempt.unit.send()
    resolved = await resolved_references(ctx, waiting, attempt.unit)
    for entry in writes:
        if entry.position in waiting:
            request = attempt.requests[entry.position]
            assert request.resource is not None
            request.resource = rewritten(request.resource, resolved)
            await _run(ctx, attempt, entry, request)


def _rewritten_patch(request: FhirRequest, targets: Mapping[str, str]) -> FhirRequest:
    """A FHIRPath Patch may add references to other entries, too."""
    if isinstance(request.patch, dict):
        return replace(request, patch=rewritten(request.patch, targets))
    return replace(request)


def _response(asked: Sequence[Entry], attempt: Attempt) -> Json:
    response: Json = {"resourceType": "Bundle", "type": "transaction-response"}
    if asked:
        response["entry"] = [
            entries.success(attempt.requests[e.position], attempt.results[e.position]) for e in asked
        ]
    return response
