"""DICOM on this server: what `importers.dicom` is handed, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from fhir_server.context import Agent, FhirRequest, Result
from fhir_server.find import finder
from fhir_server.store.dicom import MongoDicom
from fhir_server.store.documents import new_id, now
from fhir_server.submit import submitter
from importers.dicom.arrivals import DURABLE, Arrivals
from importers.dicom.describe import describe
from importers.dicom.dicom import Dicom, Transfer
from importers.dicom.fold import Fold, Work
from importers.dicom.imaging_study import study
from importers.dicom.origin import SOURCE_SYSTEM, origin
from importers.dicom.rows import Pace
from importers.dicom.sources import Sources, SourcesError, load
from importers.hl7v2.matching import replaced_by
from resources.outcome import FHIRError, conflict

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.settings import Settings

log = structlog.get_logger()


def sources_of(settings: Settings) -> Sources:
    """What the settings say about sources; SourcesError where their file cannot be used."""
    return load(Path(settings.dicom_file).expanduser()) if settings.dicom_file else Sources()


def fault(settings: Settings) -> str | None:
    """Why nothing could be taken under these settings, found out before anything is started; None where it could."""
    try:
        sources_of(settings)
    except SourcesError as wrong:
        return str(wrong)
    return None


def with_dicom(ctx: Context, sources: Sources) -> Context:
    """The context with what takes instances and folds studies."""
    return replace(ctx, dicom=open_dicom(ctx, sources))


def open_dicom(ctx: Context, sources: Sources) -> Dicom:
    """DICOM on this server; `sources` are the settings of those who send."""
    # What is new gets an id made of its key, by PUT: that is not for a setting about clients to forbid.
    ctx = replace(ctx, settings=ctx.settings.with_changes(update_create=True))
    find = finder(ctx)

    async def same_person(one: str, other: str) -> bool:
        """Two numbers that one Patient has, or two of whom one was merged into the other."""
        some, others = await find([("Patient", f"identifier={one}"), ("Patient", f"identifier={other}")])
        patients = [
            {replaced_by(each) or f"Patient/{each['id']}" for each in found} for found in (some, others)
        ]
        return bool(patients[0] & patients[1])

    async def tell(transfers: Sequence[Transfer]) -> None:
        async with ctx.store.unit() as unit:
            for each in transfers:
                if _taken(each):
                    ctx.audit.success(unit, _asked(each), _came(each))
            await unit.commit()
        for each in transfers:
            if apart := _apart(each):
                log.warning("dicom_instances_not_taken", study=each.study_uid, source=each.source, **apart)
                await ctx.audit.failure(_asked(each), _refusal(each, apart))

    settings = ctx.settings
    pace = Pace(
        settings.dicom_first_seconds,
        settings.dicom_quiet_seconds,
        settings.dicom_most_seconds,
        settings.dicom_count,
    )
    store = MongoDicom(ctx.store, pace)
    work = Work(store, sources, study, origin(now), find, submitter(ctx, plain=True), ctx.store.turn)
    return Dicom(
        store=store,
        sources=sources,
        arrivals=Arrivals(store, describe, same_person, now),
        fold=Fold(work),
        tell=tell,
        shown=settings.dicom_shown_instances,
    )


def _asked(transfer: Transfer) -> FhirRequest:
    """Who sent it: its AE title, or the source by the name of its settings."""
    peer = transfer.peer
    who = {"identifier": {"system": SOURCE_SYSTEM, "value": transfer.source}}
    named = {**who, "display": peer.ae or transfer.source}
    software = " ".join(each for each in (peer.door, peer.software) if each)
    return FhirRequest(
        "dicom-import" if peer.door == "file" else "dicom-store",
        agent=Agent(peer.address, software, named),
        request_id=new_id(),
    )


def _taken(transfer: Transfer) -> int:
    return sum(count for status, count in transfer.counts.items() if status in DURABLE)


def _apart(transfer: Transfer) -> dict[str, int]:
    """What was quarantined or refused: somebody has to look at it."""
    return {status: count for status, count in transfer.counts.items() if status not in DURABLE}


def _refusal(transfer: Transfer, apart: dict[str, int]) -> FHIRError:
    told = ", ".join(f"{count} {status}" for status, count in sorted(apart.items()))
    return conflict(f"Instances of study urn:oid:{transfer.study_uid}: {told}")


def _came(transfer: Transfer) -> Result:
    patients = (transfer.patient,) if transfer.patient else ()
    studies = ((transfer.study_uid, _taken(transfer)),)
    return Result(200, changed=False, patients=patients, studies=studies)
