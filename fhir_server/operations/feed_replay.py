"""The operation `$feed-replay`: messages processed once more by the mappings of now, after a look at what that changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.operations.feed import row_of
from fhir_server.operations.feed_answers import feed_of, issue_part, part, row_parts, wanted_of
from importers.hl7v2.replay import Change, Outlook, outlook
from importers.hl7v2.rows import DEAD, UNREADABLE
from resources import codec
from resources.outcome import bad_parameter

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from importers.hl7v2.rows import Row
    from resources.codec import Json

MOST = 100
"""Messages replayed by one request"""
_MOST_VALUE = 500


async def feed_replay(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Without `commit=true` only what would change. By `id`, or by the filters of `$feed`: then the dead letters."""
    commit = request.parameter("commit") or "false"
    if commit not in {"true", "false"}:
        raise bad_parameter("commit", f"'{commit[:32]}' is not true or false")
    rows = await rows_of(ctx, request)
    parameters: list[Json] = []
    patients: dict[str, None] = {}
    for row in rows:
        if UNREADABLE in row.flags:
            parameters.append({"name": "message", "part": [part("refused", value=True), *row_parts(row)]})
        elif commit == "true":
            answered = await feed_of(ctx).replay(row)
            if answered is None:
                parameters.append(
                    {"name": "message", "part": [part("id", row.id), part("in-work", value=True)]}
                )
                continue
            parameters.append({"name": "message", "part": row_parts(answered.row)})
            patients |= dict.fromkeys(each for each in answered.row.patients if each.startswith("Patient/"))
        else:
            seen = await outlook(feed_of(ctx), row)
            parameters.append({"name": "message", "part": outlook_parts(seen)})
            patients |= dict.fromkeys(seen.patients)
    answer: Json = {"resourceType": "Parameters"}
    if parameters:
        answer["parameter"] = parameters
    return Result(200, answer, changed=False, patients=tuple(patients))


async def rows_of(ctx: Context, request: FhirRequest) -> list[Row]:
    """The oldest first: in the order in which they came in."""
    wanted = wanted_of(request, also=("id", "commit"))
    if request.parameter("id") is not None:
        row = await row_of(ctx, request.parameter("id"))
        return [await row_of(ctx, row.of) if row.of else row]
    statuses = wanted.statuses or tuple(sorted(DEAD))
    asked = replace(wanted, statuses=statuses, count=MOST, oldest_first=True)
    return list(await feed_of(ctx).store.page(asked))


def outlook_parts(seen: Outlook) -> list[Json]:
    """What a message would do: `refused`, or a `resource` for each that would be new or another, with its elements."""
    parts = [part("id", seen.row.id), part("refused", seen.refused)]
    for difference in seen.differences:
        inside = [part("reference", difference.reference), part("new", difference.is_new)]
        inside += [
            {"name": "change", "part": [part("path", each.path), *change_parts(each)]}
            for each in difference.changes
        ]
        parts.append({"name": "resource", "part": inside})
    return [*parts, *(issue_part(each) for each in seen.issues)]


def change_parts(change: Change) -> list[Json]:
    """Values as JSON, cut where they are long."""
    values = {"before": change.before, "after": change.after}
    return [
        part(name, codec.encode(value).decode()[:_MOST_VALUE])
        for name, value in values.items()
        if value is not None
    ]
