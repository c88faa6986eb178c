"""The MLLP listener of this server: its socket, what the settings allow, and its end.

Each worker listens for itself on the same port (SO_REUSEPORT); the kernel hands each connection to one of them. The
order of a patient's messages does not depend on it: the feed keeps that in MongoDB.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
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
    """The listener of one worker, between `open` and `close`; nothing at all where no port is set."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._metrics = MllpMetrics(registry)
        self._listener: Listener | None = None
        self._serving: asyncio.Task[None] | None = None

    def open(self, receive: Receive) -> None:
        """Takes messages from now on; ends the process where it cannot."""
        settings = self._settings
        if not settings.mllp_port:
            return
        try:
            sock = _bound(settings, shared=settings.workers > 1)
            tls = _tls(settings)
        except OSError as error:
            raise _gave_up(settings, error) from None
        self._listener = Listener(
            receive,
            self._metrics,
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
        self._serving = asyncio.create_task(self._listener.serve(sock))
        self._serving.add_done_callback(_ended)

    @property
    def works(self) -> bool:
        """Whether messages are taken that should be."""
        return not self._settings.mllp_port or (self._serving is not None and not self._serving.done())

    async def close(self) -> None:
        """Accepts no more; messages in work are finished and answered, as long as a shutdown may take."""
        if self._serving is None or self._listener is None:
            return
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._listener.drain(self._settings.shutdown_timeout_seconds)


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
    try:
        _tls(settings)
    except OSError as error:
        names = filter(None, (settings.mllp_tls_cert, settings.mllp_tls_key, settings.mllp_tls_client_ca))
        said = getattr(error, "reason", None) or error.strerror
        return f"TLS of the MLLP listener cannot be set up with {', '.join(names)}: {said}"
    return None


def _bound(settings: Settings, *, shared: bool) -> socket.socket:
    host = settings.mllp_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Alone it does not share: another server on the same port would take half of the messages.
    return socket.create_server((host, settings.mllp_port), family=family, reuse_port=shared)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.mllp_tls_cert:
        return None
    key, client_ca = settings.mllp_tls_key, settings.mllp_tls_client_ca
    return context(
        Path(settings.mllp_tls_cert), Path(key) if key else None, Path(client_ca) if client_ca else None
    )


def _gave_up(settings: Settings, error: OSError) -> SystemExit:
    where = f"MLLP on {settings.mllp_host} port {settings.mllp_port}"
    log.error("gave_up", reason=f"{where}: {error.strerror}")
    return SystemExit(3)


def _ended(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled():
        log.error("mllp_ended", exc_info=serving.exception())
