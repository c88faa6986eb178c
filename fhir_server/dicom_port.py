"""Where the DICOM listener of this server listens, and whether it may and does: what other processes ask of it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from fhir_server.settings import Settings, is_loopback
from importers.mllp.tls import context


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
        tls(settings)
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


def tls(settings: Settings) -> ssl.SSLContext | None:
    """As the settings have it; OSError where a file cannot be used."""
    if not settings.dicom_tls_cert:
        return None
    key, client_ca = settings.dicom_tls_key, settings.dicom_tls_client_ca
    return context(
        Path(settings.dicom_tls_cert), Path(key) if key else None, Path(client_ca) if client_ca else None
    )
