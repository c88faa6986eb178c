"""TLS of the MLLP listener."""

from __future__ import annotations

import ssl
from pathlib import Path


def context(certificate: Path, key: Path | None = None, client_ca: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain (PEM); with `client_ca`, clients need a certificate it signed.

    `key` is left out where it is in the same file. Raises OSError (ssl.SSLError) where a file cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # A password of an encrypted key would be asked for on the terminal.
    made.load_cert_chain(certificate, key, password="")
    if client_ca is not None:
        made.load_verify_locations(client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
    return made
