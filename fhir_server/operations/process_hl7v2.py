"""The operation `$process-hl7v2`: messages of HL7 v2 over HTTP, one or a batch, the same way as over MLLP.

The answer is the acknowledgment, with 200 whatever it says; with `Accept: application/fhir+json` it is the
transaction-response of the message, or an OperationOutcome where it was refused. `dryRun=true` gives the Bundle that
would be written, and keeps nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Hl7v2, Result
from fhir_server.operations.feed_answers import feed_of, refusal, told_outcome, written_bundle
from importers.hl7v2.ack import batch_answer
from importers.hl7v2.batch import split
from importers.hl7v2.header import read_header
from importers.hl7v2.process import Refused
from importers.hl7v2.rows import Answered, Peer
from resources.outcome import FHIRError, bad_parameter, bad_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhir_server.store.unit import Unit
    from importers.hl7v2.issue import Issue
    from resources.codec import Json

AT_ONCE = 16
"""Messages of one batch in work at the same time"""
MOST = 10_000
"""Messages in one body"""
_CONTROL = {"_format", "_pretty"}


async def process_hl7v2(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Takes the messages of the body in their order; all are kept, whatever becomes of each."""
    asked = request.hl7v2
    if asked is None:
        raise bad_request("A message of HL7 v2 was expected in the body")
    dry = _is_dry(request)
    batch = split(asked.raw)
    messages = batch.messages
    if len(messages) > MOST:
        raise bad_request(f"The body has {len(messages):,} messages; at most {MOST:,} are taken at once")
    if dry:
        return await _rehearsed(ctx, asked, messages)
    answered = await _received(ctx, request, asked, messages)
    patients = _patients(answered)
    if asked.fhir:
        return Result(200, _as_fhir(answered, batch.issues), changed=False, patients=patients)
    body = _joined(asked.raw, answered)
    return Result(200 if body else 204, body=body, changed=False, patients=patients)


def _is_dry(request: FhirRequest) -> bool:
    for name, value in request.query:
        if name not in _CONTROL and name != "dryRun":
            raise bad_parameter(name[:64], "dryRun was expected, or none")
        if name == "dryRun" and value not in {"true", "false"}:
            raise bad_parameter("dryRun", f"'{value[:32]}' is not true or false")
    return request.parameter("dryRun") == "true"


async def _received(
    ctx: Context, request: FhirRequest, asked: Hl7v2, messages: Sequence[bytes]
) -> list[Answered]:
    """Each begins after the one before has; for one patient each ends before the next, too."""
    peer = Peer("http", request.agent.address, request.agent.user_agent)
    free = asyncio.Semaphore(AT_ONCE)

    async def one(raw: bytes) -> Answered:
        async with free:
            return await feed_of(ctx).receive(raw, peer, charset=asked.charset)

    return list(await asyncio.gather(*map(one, messages)))


def _joined(raw: bytes, answered: Sequence[Answered]) -> bytes:
    """One answer after the other; those to a batch or file as a batch or file."""
    replies = [reply for each in answered for reply in each.answers]
    header = read_header(raw)
    if header is not None and header.segment in {"BHS", "FHS"}:
        return batch_answer(header, replies)
    return b"".join(replies)


def _as_fhir(answered: Sequence[Answered], about_batch: Sequence[Issue]) -> Json:
    if len(answered) == 1:
        fault = refusal(answered[0])
        if fault is not None:
            raise fault
        return written_bundle(answered[0])
    entries = list(map(_entry, answered))
    if about_batch:
        outcome = FHIRError(200, told_outcome(about_batch)).outcome()
        entries.append({"resource": outcome, "response": {"status": "200 OK"}})
    return {"resourceType": "Bundle", "type": "batch-response", "entry": entries}


def _entry(answered: Answered) -> Json:
    fault = refusal(answered)
    if fault is not None:
        return {"response": {"status": str(fault.status), "outcome": fault.outcome()}}
    return {"resource": written_bundle(answered), "response": {"status": "200 OK"}}


def _patients(answered: Sequence[Answered]) -> tuple[str, ...]:
    found = (patient for each in answered for patient in each.row.patients)
    return tuple(dict.fromkeys(each for each in found if each.startswith("Patient/")))


async def _rehearsed(ctx: Context, asked: Hl7v2, messages: Sequence[bytes]) -> Result:
    bundles: list[Json] = []
    patients: list[str] = []
    for raw in messages:
        try:
            rehearsed = await feed_of(ctx).rehearse(raw, asked.charset)
        except Refused as refused:
            if len(messages) == 1:
                raise FHIRError(
                    422 if refused.status == "error" else 400, told_outcome(refused.issues)
                ) from None
            bundles.append(FHIRError(422, told_outcome(refused.issues)).outcome())
            continue
        bundles.append(rehearsed.meaning.bundle or {"resourceType": "Bundle", "type": "transaction"})
        patients += rehearsed.meaning.found
    answer = bundles[0]
    if len(bundles) > 1:
        entries = [{"resource": each} for each in bundles]
        answer = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return Result(200, answer, changed=False, patients=tuple(patients))
