"""The DICOM listener of this server: what the settings allow, and how instances get from its threads to the database.

It runs in a process of its own, see `fhir_server.commands.dicom_listener`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry

from fhir_server.dicom_port import tls
from fhir_server.find import finder
from fhir_server.submit import submitter
from importers.dicom.dimse.batches import PATIENCE, Association, Batches
from importers.dicom.dimse.limits import Limits, Who
from importers.dicom.dimse.metrics import DimseMetrics
from importers.dicom.dimse.steps import Steps
from importers.dicom.dimse.storescp import StoreScp

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.settings import Settings
    from importers.dicom.answers import Answer
    from importers.dicom.intake import Part
    from resources.codec import Json

log = structlog.get_logger()


class DicomDoor:
    """The listener between `open` and `close`, on the event loop it was opened in."""

    def __init__(self, ctx: Context, registry: CollectorRegistry) -> None:
        assert ctx.dicom is not None
        self._dicom = ctx.dicom
        self._settings = ctx.settings
        self._loop = asyncio.get_running_loop()
        self._batches = Batches(ctx.dicom.arrivals, ctx.dicom.source_of)
        self._steps = Steps(finder(ctx), submitter(ctx, plain=True))
        self._telling: set[asyncio.Task[None]] = set()
        settings = ctx.settings
        self._scp = StoreScp(
            self,
            DimseMetrics(registry),
            Who(settings.dicom_ae_title, _titles(settings), settings.dicom_networks),
            Limits(
                associations=settings.dicom_associations,
                pdu_bytes=settings.dicom_max_pdu_bytes,
                idle_seconds=settings.dicom_idle_seconds,
            ),
            tls=tls(settings),
        )

    def open(self) -> int:
        """The port; OSError where it cannot be had."""
        return self._scp.open(self._settings.dicom_host, self._settings.dicom_port)

    @property
    def works(self) -> bool:
        return self._scp.works

    async def close(self) -> None:
        """Instances in work are answered, as long as a shutdown may take; then all is told in the audit trail."""
        seconds = self._settings.shutdown_timeout_seconds
        await asyncio.to_thread(self._scp.close, seconds)
        # What the threads have handed over meanwhile is done first.
        await asyncio.sleep(0)
        if self._telling:
            await asyncio.wait(self._telling, timeout=seconds)

    def store(self, part: Part, association: Association) -> Answer:
        return self._batches.store(part, association)

    def step(self, uid: str, values: Json, association: Association, *, begun: bool) -> None:
        """Waits in the thread of the association for what is written on the event loop."""
        done = self._steps.create if begun else self._steps.change
        source = self._dicom.source_of(association.peer)
        asyncio.run_coroutine_threadsafe(done(uid, values, source), self._loop).result(PATIENCE)

    def ended(self, association: Association) -> None:
        self._loop.call_soon_threadsafe(self._tell, association)

    def _tell(self, association: Association) -> None:
        task = self._loop.create_task(self._told(association))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, association: Association) -> None:
        """What was stored is stored: an event that cannot be written now is tried until it can be."""
        wait = 1.0
        while True:
            try:
                await self._dicom.counted(association.peer, association.counts)
            except Exception:
                log.exception("dicom_audit_failed", again_in=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 60.0)
            else:
                return


def _titles(settings: Settings) -> list[str]:
    return [each.strip() for each in settings.dicom_callers.split(",") if each.strip()]
