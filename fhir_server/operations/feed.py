"""The operations `$feed` and `$feed-message`: which messages came in, what became of them, and one of them in full."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.cursor import seal, unseal
from fhir_server.operations.feed_answers import CONTROL, feed_of, issue_part, part, row_parts, wanted_of
from importers.hl7v2.rows import Row
from resources.datatypes import date_interval
from resources.outcome import bad_parameter, error

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from importers.hl7v2.er7 import Message
    from resources.codec import Json

COUNT, MOST_COUNT = 50, 500
MOST_SEGMENTS, MOST_CHARACTERS = 1000, 2000
"""What is shown of a message taken apart; its bytes are shown whole up to `MOST_RAW`"""
MOST_RAW = 1024 * 1024
SHORTEST = 6
"""Letters of an id that may stand for the whole"""
_PURPOSE = "$feed"


async def feed(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """`GET [base]/$feed?status=error,rejected&sender=LAB|HOSP&since=&patient=`: newest first, as Parameters."""
    wanted = replace(wanted_of(request), count=_count(request))
    cursor = request.parameter("_cursor")
    if cursor is not None:
        moment, last = unseal(ctx.secret, _PURPOSE, cursor)
        wanted = replace(wanted, before=(date_interval(moment).start, last))
    found = await feed_of(ctx).store.page(replace(wanted, count=wanted.count + 1))
    parameters: list[Json] = [{"name": "message", "part": row_parts(row)} for row in found[: wanted.count]]
    if len(found) > wanted.count:
        last_row = found[wanted.count - 1]
        position = [last_row.received.isoformat(), last_row.id]
        parameters.append(part("next", seal(ctx.secret, _PURPOSE, position)))
    return Result(200, _parameters(parameters), changed=False, patients=_patients(found[: wanted.count]))


def _count(request: FhirRequest) -> int:
    text = request.parameter("_count") or str(COUNT)
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise bad_parameter("_count", f"'{text[:32]}' is not a whole number of 1 or more")
    return min(int(text[:9]), MOST_COUNT)


def _parameters(parameters: list[Json]) -> Json:
    return {"resourceType": "Parameters", **({"parameter": parameters} if parameters else {})}


def _patients(rows: Sequence[Row]) -> tuple[str, ...]:
    found = (each for row in rows for each in row.patients if each.startswith("Patient/"))
    return tuple(dict.fromkeys(found))


async def feed_message(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """`GET [base]/$feed-message?id=`: the bytes, the segments, the issues with their places, what no mapping reads, what was written."""
    for name, _ in request.query:
        if name not in CONTROL | {"id"}:
            raise bad_parameter(name[:64], "id was expected")
    row = await row_of(ctx, request.parameter("id"))
    store = feed_of(ctx).store
    raw = await store.raw(row.of or row.id)
    parameters = row_parts(row)
    parameters.append({"name": "raw", "valueBase64Binary": base64.b64encode(raw[:MOST_RAW]).decode()})
    message = feed_of(ctx).read(raw, row.charset or None).message
    if message is not None:
        parameters += segment_parts(message)
        if len(message.segments) <= MOST_SEGMENTS:
            parameters += map(issue_part, feed_of(ctx).read.unread(message))
    for answer in row.answers:
        parameters.append({"name": "answer", "valueBase64Binary": base64.b64encode(answer).decode()})
    return Result(200, _parameters(parameters), changed=False, patients=_patients((row,)))


async def row_of(ctx: Context, row_id: str | None) -> Row:
    """The row of that id, or whose id alone begins so; 404 where there is none."""
    if not row_id or len(row_id) < SHORTEST:
        raise bad_parameter(
            "id", f"the id of a message was expected, or its first {SHORTEST} letters or more"
        )
    found = await feed_of(ctx).store.named(row_id)
    if not found:
        raise error(404, "not-found", f"The feed has no message '{row_id[:64]}'. $feed lists those there are")
    if len(found) > 1:
        raise bad_parameter("id", f"more than one message begins with '{row_id[:64]}'; give more of it")
    return found[0]


def segment_parts(message: Message) -> list[Json]:
    """The segments with their fields that say something, `PID-3`, escapes as they were sent."""
    parts: list[Json] = []
    for segment in message.segments[:MOST_SEGMENTS]:
        fields = [
            part(f"{segment.name}-{number}", text[:MOST_CHARACTERS])
            for number, text in enumerate(segment.fields)
            if number and text.strip()
        ]
        parts.append({"name": "segment", "part": [part("name", segment.place), *fields]})
    return parts
