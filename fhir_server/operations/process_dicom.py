"""The operation `$process-dicom`: instances of DICOM over HTTP, kept and folded at once.

The answer is the transaction-response of what was written, with an OperationOutcome about what was not taken; where
nothing was, it is that alone. `dryRun=true` gives the Bundle that would be written, and keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fhir_server.context import Context, FhirRequest, Result
from importers.dicom.answers import Answer
from importers.dicom.arrivals import Outcome
from importers.dicom.dicom import Dicom, Peer
from importers.dicom.header import Header
from importers.dicom.rows import Folded
from resources.outcome import FHIRError, Issue, bad_parameter, bad_request, unavailable

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json

AT_ONCE = 100
_CONTROL = {"_format", "_pretty"}
_SEVERITY = {"kept_first": "warning", "quarantined": "error", "refused": "error"}
_CODE = {"kept_first": "duplicate", "quarantined": "conflict", "refused": "duplicate"}


async def process_dicom(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Takes the instances of the body; each is kept or refused for itself."""
    dicom = dicom_of(ctx)
    if request.dicom is None:
        raise bad_request("Instances of DICOM were expected in the body")
    headers = [each for each in request.dicom if isinstance(each, Header)]
    issues = [_unread(each) for each in request.dicom if isinstance(each, Answer)]
    peer = Peer("FHIR", request.agent.address, request.agent.user_agent)
    if _is_dry(request):
        return await _rehearsed(dicom, peer, headers, issues)
    source = dicom.source_of(peer)
    outcomes: list[Outcome] = []
    for start in range(0, len(headers), AT_ONCE):
        outcomes += await dicom.arrivals.add(headers[start : start + AT_ONCE], source)
    issues += _told(outcomes)
    if not any(each.durable for each in outcomes):
        await dicom.told(peer, outcomes)
        raise FHIRError(409 if outcomes else 400, issues)
    folded = [await dicom.fold.up_to_date(uid) for uid in dict.fromkeys(_kept(outcomes))]
    await dicom.told(peer, outcomes)
    counts = Counter(each.study_uid for each in outcomes)
    patients = tuple(each.patient for each in folded if each is not None and each.patient is not None)
    done = [each for each in folded if each is not None]
    bundle = _response(done, await _unchanged(unit, done), issues)
    return Result(200, bundle, changed=False, patients=patients, studies=tuple(counts.items()))


def dicom_of(ctx: Context) -> Dicom:
    """What this server has for DICOM; 503 where it takes none."""
    if ctx.dicom is None:
        raise unavailable("This process takes no instances of DICOM")
    return ctx.dicom


def _is_dry(request: FhirRequest) -> bool:
    for name, value in request.query:
        if name not in _CONTROL and name != "dryRun":
            raise bad_parameter(name[:64], "dryRun was expected, or none")
        if name == "dryRun" and value not in {"true", "false"}:
            raise bad_parameter("dryRun", f"'{value[:32]}' is not true or false")
    return request.parameter("dryRun") == "true"


def _kept(outcomes: list[Outcome]) -> list[str]:
    return [each.study_uid for each in outcomes if each.durable]


def _unread(answer: Answer) -> Issue:
    named = f"{answer.sop_uid}: " if answer.sop_uid else ""
    return Issue("error", "structure", f"{named}{answer.text} (DICOM status {answer.status:04X})")


def _told(outcomes: list[Outcome]) -> list[Issue]:
    return [
        Issue(_SEVERITY[each.status], _CODE[each.status], f"{each.sop_uid}: {each.reason}")
        for each in outcomes
        if each.status in _SEVERITY
    ]


async def _unchanged(unit: Unit, folded: list[Folded]) -> list[str]:
    """The versions of studies that said all that already, or that somebody else has just written."""
    found = []
    for each in folded:
        reference = each.reference
        if reference is None or any(version.startswith(f"{reference}/") for version in each.written):
            continue
        current = await unit.current(*reference.split("/"))
        if current is not None:
            found.append(f"{reference}/_history/{current['v']}")
    return found


def _response(folded: list[Folded], unchanged: list[str], issues: list[Issue]) -> Json:
    entries: list[Json] = []
    written = [version for study in folded for version in study.written]
    for each in dict.fromkeys([*written, *unchanged]):
        version = each.rpartition("/")[2]
        status = "201 Created" if version == "1" and each in written else "200 OK"
        entries.append({"response": {"status": status, "location": each, "etag": f'W/"{version}"'}})
    issues = [
        *issues,
        *(Issue("warning", "processing", text) for study in folded for text in study.issues),
    ]
    if issues:
        entries.append({"resource": FHIRError(200, issues).outcome(), "response": {"status": "200 OK"}})
    bundle: Json = {"resourceType": "Bundle", "type": "transaction-response"}
    return {**bundle, "entry": entries} if entries else bundle


async def _rehearsed(dicom: Dicom, peer: Peer, headers: list[Header], issues: list[Issue]) -> Result:
    if not headers:
        raise FHIRError(400, issues)
    by_study: dict[str, list[Header]] = {}
    for each in headers:
        by_study.setdefault(each.study_uid, []).append(each)
    source = dicom.source_of(peer)
    made = [await dicom.rehearse(uid, some, source) for uid, some in by_study.items()]
    if len(made) == 1 and not issues:
        return Result(200, made[0], changed=False)
    entries = [{"resource": each} for each in made]
    if issues:
        entries.append({"resource": FHIRError(200, issues).outcome()})
    return Result(200, {"resourceType": "Bundle", "type": "collection", "entry": entries}, changed=False)
