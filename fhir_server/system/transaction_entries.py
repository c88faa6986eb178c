"""The entries of a transaction before it begins: judged, understood, and checked against each other.

http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest
from fhir_server.interactions import own_parameters, preconditions
from fhir_server.store.documents import new_id
from fhir_server.system import entries
from fhir_server.system.batch import bundle_of
from fhir_server.system.perform import WRITES, integrity_locks
from resources import validation
from resources.outcome import FHIRError, bad_request, invalid

if TYPE_CHECKING:
    from resources.codec import Json
    from resources.outcome import Issue

BREATH = 25
"""Resources judged between two turns of the event loop, so that others are served meanwhile"""


@dataclass(slots=True)
class Entry:
    """One entry as it was asked for; `assigned_id` is what a new resource will be called."""

    position: int
    full_url: str | None
    request: FhirRequest
    assigned_id: str = field(default_factory=new_id)


async def prepared(ctx: Context, request: FhirRequest) -> list[Entry]:
    """The entries of the Bundle in a request; all that is wrong with them as one FHIRError."""
    asked: list[Entry] = []
    judged = zip(*await _judged(bundle_of(request)), strict=True)
    for position, (entry, warnings) in enumerate(judged):
        made = entries.entry_request(ctx, request, entry, position)
        made.warnings = warnings
        asked.append(Entry(position, entry.get("fullUrl"), made))
        await breath(position)
    _refuse_same_identity(ctx, asked)
    return asked


async def _judged(bundle: Json) -> tuple[list[Json], list[tuple[Issue, ...]]]:
    """The entries of a valid Bundle with the warnings about each; all errors of all entries at once otherwise."""
    await asyncio.sleep(0)  # the body has just been decoded, and that may have taken long
    asked: list[Json] = bundle.get("entry", [])
    for position, entry in enumerate(asked if isinstance(asked, list) else []):
        if isinstance(entry, dict) and "request" not in entry:
            raise bad_request(
                "The entry has no request; method and url were expected", entries.where(position)
            )
    errors = _errors(validation.validate(bundle, entries=False))
    if errors:
        raise invalid(errors)
    warnings: list[tuple[Issue, ...]] = []
    for position, entry in enumerate(asked):
        found = validation.validate(entry["resource"]) if "resource" in entry else []
        errors += [issue.within(f"{entries.where(position)}.resource") for issue in _errors(found)]
        warnings.append(tuple(found))
        await breath(position)
    if errors:
        raise invalid(errors)
    return asked, warnings


async def breath(done: int) -> None:
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
            identity = search.normalized()
        elif request.id is not None:
            identity = f"{request.resource_type}/{request.id}"
        else:
            continue
        if identity in seen:
            raise written_twice(identity, seen[identity], entry)
        seen[identity] = entry.position


def written_twice(identity: str, first: int, entry: Entry) -> FHIRError:
    text = f"{identity} is written by Bundle.entry[{first}] and again by this entry; once is possible"
    return bad_request(text, f"{entries.where(entry.position)}.request.url")


def _right_type(entry: Entry) -> None:
    request = entry.request
    assert request.resource is not None
    if request.resource["resourceType"] != request.resource_type:
        text = f"The url of the request says {request.resource_type}, the resource is a {request.resource['resourceType']}"
        raise bad_request(text, f"{entries.where(entry.position)}.resource")


def locks(ctx: Context, asked: Sequence[Entry]) -> list[str]:
    found: list[str] = []
    for entry in asked:
        request = entry.request
        if request.interaction not in WRITES or request.resource_type is None:
            continue
        criteria = preconditions.criteria_of(request)
        if criteria is not None:
            found += preconditions.lock_keys(ctx, request.resource_type, criteria)
        if ctx.settings.referential_integrity:
            found += integrity_locks(request)
        if request.resource_type == "SearchParameter":
            found.append(own_parameters.LOCK)
    return found


def types(asked: Sequence[Entry]) -> list[str]:
    return sorted(
        {
            e.request.resource_type
            for e in asked
            if e.request.resource_type and e.request.interaction in WRITES
        }
    )
