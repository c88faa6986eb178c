"""The transaction interaction: all entries in one MongoDB transaction, or none.

Order of processing: DELETE, POST, PUT and PATCH, GET; conditional references are resolved when everything
they may match is there. A transaction that is retried starts from scratch.

http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import imaging, preconditions
from fhir_server.interactions.write import existing
from fhir_server.store.faults import Away, WriteConflict
from fhir_server.store.indexes import DONE
from fhir_server.system import entries
from fhir_server.system.bundle_references import Names, Rewriting
from fhir_server.system.conditional_references import resolved_references
from fhir_server.system.done import done_before
from fhir_server.system.perform import INTERACTIONS, WRITES, retried
from fhir_server.system.supposing import needs_no_isolation, suppose_absent, suppose_no_match
from fhir_server.system.transaction_entries import Entry, breath, locks, prepared, types, written_twice
from resources.outcome import FHIRError

if TYPE_CHECKING:
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit
    from resources.codec import Json


@dataclass(slots=True)
class Attempt:
    """One attempt at the transaction: what each entry became."""

    unit: Unit
    requests: dict[int, FhirRequest] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    identities: dict[str, int] = field(default_factory=dict)
    """`Patient/1` → position of the entry that writes it"""

    def claim(self, entry: Entry, identity: str) -> None:
        """Notes that an entry writes a resource; 400 where another one does so, too."""
        first = self.identities.setdefault(identity, entry.position)
        if first != entry.position:
            raise written_twice(identity, first, entry)


async def transaction(ctx: Context, request: FhirRequest) -> Result:
    """Performs all entries or none; a Bundle `transaction-response` in the order asked."""
    asked = await prepared(ctx, request)
    first = request.key is not None

    async def once() -> Result:
        nonlocal first
        supposing, first = first, False
        for entry in asked:
            await imaging.bring_up_to_date(ctx, entry.request)
        if not supposing:
            return await attempt(supposing=False)
        try:
            return await attempt(supposing=True)
        except FHIRError as fault:
            if isinstance(fault, Away):
                raise
            # Perhaps it was only done before: what is there is looked at before this is said.
            return await attempt(supposing=False)

    async def attempt(*, supposing: bool) -> Result:
        alone = not (supposing and needs_no_isolation(ctx, request, asked))
        async with ctx.store.unit(
            transaction=alone, locks=locks(ctx, asked), types=[*types(asked), DONE]
        ) as unit:
            if supposing:
                suppose_absent(request, asked, unit)
                if not alone:
                    suppose_no_match(ctx, asked, unit)
            before = await done_before(unit, request)
            if before is not None:
                ctx.audit.success(unit, request, before)
                await unit.commit()
                return before
            tried = Attempt(unit)
            await _perform(ctx, asked, tried)
            result = Result(200, _response(asked, tried), changed=False)
            for entry in asked:
                ctx.audit.success(unit, tried.requests[entry.position], tried.results[entry.position])
            ctx.audit.success(unit, request, result)
            await unit.commit()
        return result

    return await retried(once)


async def _perform(ctx: Context, asked: Sequence[Entry], attempt: Attempt) -> None:
    by_interaction: dict[str, list[Entry]] = defaultdict(list)
    for entry in asked:
        by_interaction[entry.request.interaction].append(entry)
        if entry.request.interaction in WRITES and entry.request.id:
            attempt.claim(entry, entry.request.where)
    await _prefetch(asked, attempt.unit)
    for entry in by_interaction.pop("delete", []):
        await _run(ctx, attempt, entry, replace(entry.request))
        _claim_deleted(attempt, entry)
    if attempt.unit.session is not None:
        await attempt.unit.send()
    writes = [*by_interaction.pop("create", []), *by_interaction.pop("update", [])]
    patches = by_interaction.pop("patch", [])
    await _resolve(ctx, writes, attempt)
    await _resolve_patches(ctx, patches, attempt)
    await _write(ctx, writes, attempt)
    await _patch(ctx, patches, attempt)
    if attempt.unit.session is not None:
        await attempt.unit.flush()
    await _still_alone(ctx, writes, attempt)
    for rest in by_interaction.values():
        for entry in rest:
            await _run(ctx, attempt, entry, replace(entry.request))
            await imaging.list_instances(ctx, entry.request, attempt.unit, attempt.results[entry.position])


def _claim_deleted(attempt: Attempt, entry: Entry) -> None:
    """A conditional delete writes what it matched."""
    result = attempt.results[entry.position]
    if result.id is not None:
        attempt.claim(entry, f"{result.resource_type}/{result.id}")
    for version in result.also:
        attempt.claim(entry, version.partition("/_history/")[0])


async def _prefetch(asked: Sequence[Entry], unit: Unit) -> None:
    """Reads what the entries name by id, one command for each type."""
    ids: dict[str, list[str]] = defaultdict(list)
    for entry in asked:
        request = entry.request
        if request.interaction not in WRITES or request.resource_type is None or request.id is None:
            continue
        if not unit.is_supposed_absent(request.resource_type, request.id):
            ids[request.resource_type].append(request.id)
    for resource_type, wanted in ids.items():
        await unit.prefetch(resource_type, wanted)


async def _run(ctx: Context, attempt: Attempt, entry: Entry, request: FhirRequest) -> None:
    attempt.requests[entry.position] = request
    attempt.unit.where = f"{entries.where(entry.position)}.resource"
    await breath(len(attempt.results))
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
        became = f"{request.resource_type}/{_identity(request, entry, found)}"
        if found is not None and request.interaction == "create":
            attempt.results[entry.position] = existing(str(request.resource_type), found)
        else:
            attempt.claim(entry, became)
        request.if_none_exist = None
        attempt.names.add(entry.full_url, request.resource, str(request.resource_type), became)


async def _resolve_patches(ctx: Context, patches: Iterable[Entry], attempt: Attempt) -> None:
    """Finds out which resource each conditional patch is about; one that matches nothing fails when it is run."""
    for entry in patches:
        found = await _found(ctx, entry, attempt.unit)
        request = replace(entry.request)
        if found is not None:
            request = replace(request, id=found["_id"], query=())
            attempt.claim(entry, request.where)
        attempt.requests[entry.position] = request


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
    waiting: dict[int, Rewriting] = {}
    for entry in writes:
        if entry.position in attempt.results:
            continue
        request = attempt.requests[entry.position]
        rewriting = _rewrite(request, entry, attempt.names)
        if rewriting.conditional:
            waiting[entry.position] = rewriting
        else:
            await _run(ctx, attempt, entry, request)
    if not waiting:
        return
    await _made_visible(attempt.unit)
    resolved = await resolved_references(ctx, waiting, attempt.unit)
    for entry in writes:
        if entry.position in waiting:
            request = attempt.requests[entry.position]
            _settle(request, entry, waiting[entry.position], resolved)
            await _run(ctx, attempt, entry, request)


async def _patch(ctx: Context, patches: Sequence[Entry], attempt: Attempt) -> None:
    """Stages patches, whose values may refer to other entries as resources do."""
    for entry in patches:
        request = attempt.requests[entry.position]
        rewriting = _rewrite(request, entry, attempt.names)
        if rewriting.conditional:
            await _made_visible(attempt.unit)
            resolved = await resolved_references(ctx, {entry.position: rewriting}, attempt.unit)
            _settle(request, entry, rewriting, resolved)
        await _run(ctx, attempt, entry, request)


def _rewrite(request: FhirRequest, entry: Entry, names: Names) -> Rewriting:
    """Replaces links in the resource, the FHIRPath Patch or the JSON Patch of a request."""
    rewriting = Rewriting(names.seen_from(entry.full_url))
    try:
        if request.resource is not None:
            request.resource = rewriting.resource(request.resource)
        if isinstance(request.patch, dict):
            request.patch = rewriting.resource(request.patch)
        elif isinstance(request.patch, list):
            request.patch = rewriting.patch(request.patch, str(request.resource_type))
    except FHIRError as fault:
        raise fault.within(f"{entries.where(entry.position)}.resource") from None
    return rewriting


def _settle(request: FhirRequest, entry: Entry, rewriting: Rewriting, resolved: Mapping[str, str]) -> None:
    """Puts in what the conditional references of a request match."""
    try:
        rewriting.settle(resolved, request.resource)
    except FHIRError as fault:
        raise fault.within(f"{entries.where(entry.position)}.resource") from None


async def _made_visible(unit: Unit) -> None:
    """So that searches of this transaction find what it has written; one that commits with others cannot do that."""
    if unit.session is None:
        raise WriteConflict("What refers by criteria is performed by itself")
    await unit.send()


async def _still_alone(ctx: Context, writes: Iterable[Entry], attempt: Attempt) -> None:
    """What was created because nothing matched must be the only match at the end, whatever else was written."""
    for entry in writes:
        if attempt.results[entry.position].created:
            await _found(ctx, entry, attempt.unit)


def _response(asked: Sequence[Entry], attempt: Attempt) -> Json:
    response: Json = {"resourceType": "Bundle", "type": "transaction-response"}
    if asked:
        response["entry"] = [
            entries.success(attempt.requests[e.position], attempt.results[e.position]) for e in asked
        ]
    return response
