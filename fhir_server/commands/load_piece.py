"""Loads one piece, a JSON text, through the same door as a REST client's request, and says what came of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_server.context import Context, FhirRequest
from fhir_server.submit import agent_of, submitter
from fhir_server.system.dispatch import answer
from importers.bundles import performable
from importers.ndjson import Piece
from importers.submit import Sender
from resources import codec, validation
from resources.codec import Json
from resources.outcome import FHIRError, Issue, bad_request, invalid
from resources.registry import is_resource

MOST_ISSUES = 5
"""Faults that are told of one resource"""
PATIENCE = 60.0
"""Seconds that a piece waits for a database that is away, to come back"""
_UNAVAILABLE = 503
_MISSING = {404, 409, 412}
"""What a reference to something that another file brings is answered with; with referential integrity also 422"""


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be loaded; `again` if it may go when everything else is there."""

    name: str
    key: str
    text: str
    again: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of some pieces; `loaded` counts resources, `before` pieces that an earlier run has loaded."""

    loaded: int = 0
    before: int = 0
    failures: list[Failure] = field(default_factory=list)
    away: bool = False
    """The database did not come back"""

    def add(self, other: Outcome) -> None:
        self.loaded += other.loaded
        self.before += other.before
        self.failures += other.failures
        self.away = self.away or other.away


class Loading:
    """Loads pieces; `salt` keeps the marks of this run apart from those of others, so that nothing is skipped."""

    def __init__(self, ctx: Context, sender: Sender, salt: str = "") -> None:
        self._ctx = ctx
        self._sender = sender
        self._salt = salt
        self._submit = submitter(ctx)

    def key(self, piece: Piece) -> str:
        """Under which the piece is marked as done."""
        return self._salt + piece.key

    async def load(self, piece: Piece) -> Outcome:
        """Performs the piece; waits a while for MongoDB to come back where it is away."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return await self._load(piece)
            except FHIRError as fault:
                # Safe to try again: were it committed after all, its mark would be, too.
                if fault.status != _UNAVAILABLE or time.monotonic() > until:
                    return self._failed(piece, [fault])
                await asyncio.sleep(1)

    async def _load(self, piece: Piece) -> Outcome:
        resource = decoded(piece)
        if resource["resourceType"] == "Bundle":
            bundle = performable(resource)
            if bundle is not None:
                return await self._bundle(piece, bundle)
        result = await answer(self._ctx, self._request(piece, resource))
        return Outcome(before=1) if result.repeated else Outcome(loaded=1)

    def _request(self, piece: Piece, resource: Json) -> FhirRequest:
        logical_id = resource.get("id")
        return FhirRequest(
            interaction="create" if logical_id is None else "update",
            resource_type=resource["resourceType"],
            id=logical_id,
            resource=resource,
            agent=agent_of(self._sender),
            request_id=str(uuid.uuid4()),
            key=self.key(piece),
        )

    async def _bundle(self, piece: Piece, bundle: Json) -> Outcome:
        response = await self._submit(bundle, self._sender, self.key(piece))
        if response is None:
            return Outcome(before=1)
        outcome = Outcome()
        for entry in response.get("entry", []):
            told = entry["response"]
            status = int(told["status"][:3])
            if status >= 400:
                outcome.add(self._failed(piece, [FHIRError(status, list(_issues(told["outcome"])))]))
            elif "etag" in told:
                outcome.loaded += 1
            elif "outcome" in told:  # which says when it was done before
                outcome.before += 1
        return outcome

    def _failed(self, piece: Piece, faults: list[FHIRError]) -> Outcome:
        missing = _MISSING | ({422} if self._ctx.settings.referential_integrity else set())
        return Outcome(
            failures=[
                Failure(piece.name, piece.key, text, fault.status in missing)
                for fault in faults
                for text in _texts(fault)
            ],
            away=any(fault.status == _UNAVAILABLE for fault in faults),
        )


def decoded(piece: Piece) -> Json:
    """The resource that a piece is, of a known type; FHIRError otherwise."""
    try:
        resource = codec.decode(piece.body)
    except FHIRError as fault:
        if " line " not in piece.name:
            raise
        # The line of the file is in the name; "line 1" of that line would mislead.
        text = str(fault).replace("at line 1 column", "at column")
        raise bad_request(text) from None
    name = resource.get("resourceType")
    if not isinstance(name, str):
        raise bad_request("This is JSON but no FHIR resource: it has no 'resourceType'")
    if not is_resource(name):
        raise bad_request(f"'{name[:64]}' is not a FHIR R4 resource type", "Resource")
    logical_id = resource.get("id")
    if logical_id is not None and not isinstance(logical_id, str):
        raise bad_request("The id must be a string", f"{name}.id")
    return resource


def judged(piece: Piece) -> Outcome:
    """What would be refused of a piece, without a database: broken JSON and invalid resources."""
    try:
        resource = decoded(piece)
        if resource["resourceType"] == "Bundle":
            resource = performable(resource) or resource
        issues = [issue for issue in validation.validate(resource) if issue.severity in {"error", "fatal"}]
        if issues:
            raise invalid(issues)
    except FHIRError as fault:
        return Outcome(failures=[Failure(piece.name, piece.key, text) for text in _texts(fault)])
    return Outcome(loaded=len(resource.get("entry", [])) if resource["resourceType"] == "Bundle" else 1)


def _issues(outcome: Json) -> Iterator[Issue]:
    for issue in outcome["issue"]:
        yield Issue(
            issue["severity"], issue["code"], issue["diagnostics"], tuple(issue.get("expression", ()))
        )


def _texts(fault: FHIRError) -> Iterator[str]:
    """`Bundle.entry[3].resource.gender: text`, a line for each of the first faults."""
    broken = [issue for issue in fault.issues if issue.severity in {"error", "fatal"}]
    for issue in broken[:MOST_ISSUES]:
        where = ", ".join(issue.expression)
        told = issue.diagnostics.startswith(where)  # also where there is no place to tell
        yield issue.diagnostics if told else f"{where}: {issue.diagnostics}"
    if len(broken) > MOST_ISSUES:
        yield f"and {len(broken) - MOST_ISSUES} more faults"
