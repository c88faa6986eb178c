"""What the operations on the feed answer: rows, issues and Bundles in FHIR."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fhir_server.store.documents import instant
from importers.hl7v2.rows import STATUSES, Wanted
from resources.datatypes import date_interval
from resources.outcome import FHIRError, Issue, bad_parameter, unavailable

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from importers.hl7v2.feed import Feed
    from importers.hl7v2.issue import Issue as Told
    from importers.hl7v2.rows import Answered, Row
    from resources.codec import Json

CONTROL = {"_format", "_pretty", "_count", "_cursor"}
FILTERS = {"status", "sender", "patient", "since", "until"}
_STATUS = {"error": 422, "rejected": 400, "retrying": 503, "received": 503}
_CODES = {
    "101": "required", "103": "code-invalid", "200": "not-supported", "201": "not-supported",
    "202": "not-supported", "203": "not-supported", "205": "duplicate", "207": "transient",
}  # fmt: skip


def feed_of(ctx: Context) -> Feed:
    """The feed of this server; 503 where it takes no messages."""
    if ctx.feed is None:
        raise unavailable("This process takes no messages of HL7 v2")
    return ctx.feed


def told_outcome(issues: Iterable[Told]) -> list[Issue]:
    """http://hl7.org/fhir/R4/valueset-issue-type.html; the place is that in the message, `PID-3[2]`."""
    found = [
        Issue(
            each.severity,
            _CODES.get(each.code, "processing"),
            f"{each.place}: {each.text}".removeprefix(": "),
        )
        for each in issues
    ]
    return found or [Issue("error", "processing", "The message was not processed")]


def refusal(answered: Answered) -> FHIRError | None:
    """What a message that was not processed is answered with in FHIR; None for one that was."""
    row = answered.of or answered.row
    status = _STATUS.get(row.status)
    if status is None:
        return None
    headers = {"Retry-After": "2"} if status == 503 else {}
    return FHIRError(status, told_outcome(row.issues), headers)


def written_bundle(answered: Answered) -> Json:
    """The transaction-response of a message: also for one that came again, as it was then."""
    row = answered.of or answered.row
    entries: list[Json] = []
    for each in row.written:
        version = each.rpartition("/")[2]
        status = "201 Created" if version == "1" else "200 OK"
        entries.append({"response": {"status": status, "location": each, "etag": f'W/"{version}"'}})
    if row.issues:
        outcome = FHIRError(200, told_outcome(row.issues)).outcome()
        entries.append({"resource": outcome, "response": {"status": "200 OK"}})
    bundle: Json = {"resourceType": "Bundle", "type": "transaction-response"}
    if entries:
        bundle["entry"] = entries
    return bundle


def wanted_of(request: FhirRequest, also: Iterable[str] = ()) -> Wanted:
    """The filters of a request; 400 for what is none."""
    for name, _ in request.query:
        if name not in CONTROL | FILTERS | set(also):
            raise bad_parameter(name[:64], f"expected are {', '.join(sorted(FILTERS | set(also)))}")
    statuses = tuple(filter(None, (request.parameter("status") or "").split(",")))
    for each in statuses:
        if each not in STATUSES:
            raise bad_parameter("status", f"'{each[:32]}' is none of {', '.join(STATUSES)}")
    return Wanted(
        statuses=statuses,  # type: ignore[arg-type]  # each was looked for in STATUSES
        sender=request.parameter("sender"),
        patient=request.parameter("patient"),
        since=_moment(request, "since"),
        until=_moment(request, "until"),
    )


def _moment(request: FhirRequest, name: str) -> datetime | None:
    text = request.parameter(name)
    if text is None:
        return None
    try:
        return date_interval(text).start
    except ValueError:
        raise bad_parameter(name, f"'{text[:32]}' is no date or time, such as 2026-11-20T08:00:00Z") from None


def part(name: str, value: Any) -> Json:
    """One part of a Parameters resource."""
    if isinstance(value, bool):
        return {"name": name, "valueBoolean": value}
    if isinstance(value, int):
        return {"name": name, "valueInteger": value}
    if isinstance(value, datetime):
        return {"name": name, "valueInstant": instant(value)}
    return {"name": name, "valueString": value}


def row_parts(row: Row) -> list[Json]:
    """What is known of a message without its content."""
    facts: list[tuple[str, Any]] = [
        ("id", row.id),
        ("status", row.status),
        ("received", row.received),
        ("door", row.peer.door),
        ("address", row.peer.address),
        ("sender", row.sender),
        ("type", row.type),
        ("version", row.version),
        ("control-id", row.control_id),
        ("acknowledged", row.code),
        ("finished", row.finished),
        ("size", row.size),
        ("duplicate-of", row.of),
        ("attempts", row.attempts if row.attempts > 1 else None),
        ("replays", row.replays or None),
        *(("flag", each) for each in row.flags),
        *(("written", each) for each in row.written),
    ]
    parts = [part(name, value) for name, value in facts if value is not None and value != ""]
    return [*parts, *(issue_part(each) for each in row.issues)]


def issue_part(issue: Told) -> Json:
    """One issue with its place in the message."""
    facts = {"severity": issue.severity, "code": issue.code, "place": issue.place, "text": issue.text}
    return {"name": "issue", "part": [part(name, value) for name, value in facts.items() if value]}
