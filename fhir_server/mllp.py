"""The MLLP listener of this server: its socket, what the settings allow, and its end.

Each worker listens for itself on the same port (SO_REUSEPORT); the kernel hands each connection to one of them. The
order of a patient's messages does not depend on it: the feed keeps that in MongoDB.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from fhir_server.settings import Settings, is_loopback
from importers.mllp.limits import Limits
from importers.mllp.metrics import MllpMetrics
from importers.mllp.receive import Receive
from importers.mllp.server import Listener
from importers.mllp.tls import context

log = structlog.get_logger()


class MllpDoor:
    """The listener between start and stop of a worker."""

    def __init__(self, settings: Settings, receive: Receive, registry: CollectorRegistry) -> None:
        """Raises OSError where the port is taken or a file of TLS is of no use."""
        tls = None
        if settings.mllp_tls_cert:
            tls = context(
                Path(settings.mllp_tls_cert), _path(settings.mllp_tls_key), _path(settings.mllp_tls_client_ca)
            )
        self._listener = Listener(
            receive,
            MllpMetrics(registry),
            Limits(
                max_bytes=settings.mllp_max_bytes,
                connections=settings.mllp_connections,
                idle_seconds=settings.mllp_idle_seconds,
                message_seconds=settings.mllp_message_seconds,
            ),
            allowed=settings.mllp_networks,
            tls=tls,
            release_2=settings.mllp_release_2,
        )
        self._seconds = settings.shutdown_timeout_seconds
        self._serving = asyncio.create_task(
            self._listener.serve(_bound(settings, shared=settings.workers > 1))
        )
        self._serving.add_done_callback(_ended)

    @property
    def is_open(self) -> bool:
        return not self._serving.done()

    async def close(self) -> None:
        """Accepts no more; messages in work are finished and answered, as long as a shutdown may take."""
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._listener.drain(self._seconds)


def refusal(settings: Settings) -> str | None:
    """Why messages must not be taken under these settings, or None."""
    if not settings.mllp_port:
        return None
    proves = settings.mllp_tls_cert and settings.mllp_tls_client_ca
    if is_loopback(settings.mllp_host) or proves or settings.mllp_allow:
        return None
    return (
        f"Refusing to take HL7 v2 messages on {settings.mllp_host}: everyone who reaches that address could write patient "
        f"data. Ask for client certificates with FHIR_SERVER_MLLP_TLS_CERT and FHIR_SERVER_MLLP_TLS_CLIENT_CA, name "
        f"the senders' addresses in FHIR_SERVER_MLLP_ALLOW, or leave FHIR_SERVER_MLLP_HOST at 127.0.0.1."
    )


def fault(settings: Settings) -> str | None:
    """Why the listener could not be opened, found out before anything is started; None where it could."""
    if not settings.mllp_port:
        return None
    try:
        _bound(settings, shared=False).close()
    except OSError as error:
        return (
            f"Cannot take HL7 v2 messages on {settings.mllp_host} port {settings.mllp_port}: {error.strerror}. "
            f"Stop what uses it, or choose another with --mllp."
        )
    if settings.mllp_tls_cert:
        paths = settings.mllp_tls_cert, settings.mllp_tls_key, settings.mllp_tls_client_ca
        try:
            context(Path(paths[0]), _path(paths[1]), _path(paths[2]))
        except OSError as error:
            said = getattr(error, "reason", None) or error.strerror
            return f"TLS of the MLLP listener cannot be set up with {', '.join(filter(None, paths))}: {said}"
    return None


def _bound(settings: Settings, *, shared: bool) -> socket.socket:
    host = settings.mllp_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Alone it does not share: another server on the same port would take half of the messages.
    return socket.create_server((host, settings.mllp_port), family=family, reuse_port=shared)


def _path(name: str) -> Path | None:
    return Path(name) if name else None


def _ended(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled():
        log.error("mllp_ended", exc_info=serving.exception())
