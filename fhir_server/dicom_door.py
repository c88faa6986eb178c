"""The DICOM listener of this server: what the settings allow, and how instances get from its threads to the database.

It runs in a process of its own, see `fhir_server.commands.dicom_listener`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry

from fhir_server.settings import Settings, is_loopback
from importers.dicom.dimse.batches import Association, Batches
from importers.dicom.dimse.limits import Limits, Who
from importers.dicom.dimse.metrics import DimseMetrics
from importers.dicom.dimse.storescp import StoreScp
from importers.mllp.tls import context

if TYPE_CHECKING:
    from fhir_server.context import Context
    from importers.dicom.answers import Answer
    from importers.dicom.intake import Part

log = structlog.get_logger()


class DicomDoor:
    """The listener between `open` and `close`, on the event loop it was opened in."""

    def __init__(self, ctx: Context, registry: CollectorRegistry) -> None:
        assert ctx.dicom is not None
        self._dicom = ctx.dicom
        self._settings = ctx.settings
        self._loop = asyncio.get_running_loop()
        self._batches = Batches(ctx.dicom.arrivals, ctx.dicom.source_of)
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
            tls=_tls(settings),
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


def refusal(settings: Settings) -> str | None:
    """Why instances must not be taken under these settings, or None."""
    if not settings.dicom_port:
        return None
    proves = settings.dicom_tls_cert and settings.dicom_tls_client_ca
    if is_loopback(settings.dicom_host) or proves or settings.dicom_allow:
        return None
    return (
        f"Refusing to take DICOM instances on {settings.dicom_host}: everyone who reaches that address could write "
        f"patient data. Ask for client certificates with FHIR_SERVER_DICOM_TLS_CERT and FHIR_SERVER_DICOM_TLS_CLIENT_CA, "
        f"name the senders' addresses in FHIR_SERVER_DICOM_ALLOW, or leave FHIR_SERVER_DICOM_HOST at 127.0.0.1."
    )


def fault(settings: Settings) -> str | None:
    """Why the listener could not be opened, found out before anything is started; None where it could."""
    if not settings.dicom_port:
        return None
    host = settings.dicom_host
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, settings.dicom_port), family=family).close()
    except OSError as error:
        return (
            f"Cannot take DICOM instances on {host} port {settings.dicom_port}: {error.strerror}. "
            f"Stop what uses it, or choose another with --dicom."
        )
    try:
        _tls(settings)
    except OSError as error:
        names = filter(None, (settings.dicom_tls_cert, settings.dicom_tls_key, settings.dicom_tls_client_ca))
        said = getattr(error, "reason", None) or error.strerror
        return f"TLS of the DICOM listener cannot be set up with {', '.join(names)}: {said}"
    return None


def answers(settings: Settings, seconds: float = 1.0) -> bool:
    """Whether associations are taken, where they should be: asked of the port itself, as its process is another one."""
    if not settings.dicom_port:
        return True
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.dicom_host, settings.dicom_host)  # noqa: S104
    try:
        socket.create_connection((host, settings.dicom_port), seconds).close()
    except OSError:
        return False
    return True


def _titles(settings: Settings) -> list[str]:
    return [each.strip() for each in settings.dicom_callers.split(",") if each.strip()]


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.dicom_tls_cert:
        return None
    key, client_ca = settings.dicom_tls_key, settings.dicom_tls_client_ca
    return context(
        Path(settings.dicom_tls_cert), Path(key) if key else None, Path(client_ca) if client_ca else None
    )
