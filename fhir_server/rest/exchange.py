"""One HTTP request and its response, as plain values: what the rest of `rest` works on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from resources.outcome import FHIRError, too_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class HttpRequest:
    """Method, path below the base (as decoded segments) and headers (lower-case names)."""

    method: str
    segments: tuple[str, ...]
    headers: dict[str, str]
    address: str | None


@dataclass(slots=True)
class HttpResponse:
    """What goes back; `headers` must hold no control characters (`headers.safe` sees to it)."""

    status: int
    body: bytes = b""
    media_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def head(scope: Scope, base_path: str) -> HttpRequest:
    """The request of an ASGI scope below the FHIR base, without its body; it never fails, so that whatever is
    wrong with it finds its way into the audit trail.
    """
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        segments=_segments(scope, base_path),
        headers=_headers(scope["headers"]),
        address=client[0] if client else None,
    )


def _segments(scope: Scope, base_path: str) -> tuple[str, ...]:
    """Split before they are decoded: `a%2Fb` is one segment."""
    raw = scope["raw_path"].decode("latin-1")
    below = (
        raw.removeprefix(base_path) if raw.startswith(base_path) else scope["path"].removeprefix(base_path)
    )
    return tuple(unquote(segment) for segment in below.split("/") if segment)


def _headers(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Of a header that is given several times, all values, as if they were given at once (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for raw, value in given:
        name = raw.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


async def body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; 413 as soon as it is, or says it is, larger than `limit` bytes."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit() and int(value[:18]) > limit:
            raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


class Disconnected(Exception):
    """The client left before its request was complete: there is nobody to answer."""


def _too_large(limit: int) -> FHIRError:
    return too_large(
        f"The body is larger than the {limit:,} bytes this server takes (FHIR_SERVER_MAX_BODY_BYTES)"
    )


async def respond(send: Send, response: HttpResponse, *, with_body: bool = True) -> None:
    """Sends a response; without body (HEAD) its Content-Length still says how long it would be."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    if response.media_type is not None:
        headers.append((b"content-type", response.media_type.encode("latin-1")))
    if response.status not in {204, 304}:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
