"""Signed positions for the pages of a history: opaque to clients, of no use anywhere else."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from resources.outcome import bad_parameter

SIGNATURE_BYTES = 12


def seal(secret: bytes, purpose: str, position: list[Any]) -> str:
    """A position as URL-safe text that only `unseal` with the same secret and purpose takes."""
    payload = msgspec.msgpack.encode(position)
    return urlsafe_b64encode(payload + _signature(secret, purpose, payload)).decode().rstrip("=")


def unseal(secret: bytes, purpose: str, text: str) -> list[Any]:
    """The position inside a cursor; 400 for one that this server did not give out for this purpose."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(secret, purpose, payload)):
        raise bad_parameter("_cursor", "it is not one of this server for this request. Follow the next links")
    position: list[Any] = msgspec.msgpack.decode(payload)
    return position


def _signature(secret: bytes, purpose: str, payload: bytes) -> bytes:
    return hmac.new(secret, purpose.encode() + b"\0" + payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]
