"""HTTP/1.1 as uvicorn reads it with httptools, with the three things a server in the open needs besides.

A request whose head never ends is refused before it fills the memory; what is no HTTP at all is answered with
an OperationOutcome too; and a request that offers another protocol (Java's HTTP client offers h2c with each)
keeps its body, which httptools would drop.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resources.outcome import FHIRError, bad_request, error

HEAD_BYTES = 128 * 1024
"""Longest request line and headers together; a search that needs more is sent as POST to `_search`."""


LINGER_SECONDS = 1.0
"""How long what a refused client still sends is thrown away, so that it gets to read the answer."""


class FHIRProtocol(HttpToolsProtocol):
    """One connection; behaves as uvicorn's own but for the three things above."""

    _received = b""
    _unfinished_head = 0
    _in_head = False
    _offers_upgrade = False
    _refused = False

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._received = data
        super().data_received(data)
        if not self._in_head:
            self._unfinished_head = 0
            return
        self._unfinished_head += len(data)
        if self._unfinished_head > HEAD_BYTES:
            text = f"The request line and headers are longer than {HEAD_BYTES} bytes. Send a search as POST"
            self._refuse(error(431, "too-long", text))

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._offers_upgrade = self.parser.should_upgrade()
        if not self._offers_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_upgrade:
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Called where the parser stopped behind a head that offers another protocol: decline, and read on."""
        self._offers_upgrade = False
        method = self.parser.get_method()
        stopped = sys.exception()
        if method == b"CONNECT" or stopped is None:
            self._refuse(error(405, "not-supported", "CONNECT is not possible: this server is no proxy"))
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % header for header in map(_declined, self.headers)]
        rest = self._received[stopped.args[0] :]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def send_400_response(self, msg: str) -> None:
        self._refuse(bad_request("This is not a well-formed HTTP/1.1 request"))

    def _refuse(self, fault: FHIRError) -> None:
        body = json.dumps(fault.outcome()).encode()
        head = (
            f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}\r\n"
            f"Content-Type: application/fhir+json; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n"
        )
        self._in_head = False
        self._refused = True
        if self.cycle is not None:
            # An answer still under way would be written behind this one.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(head.encode() + body)
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _declined(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header without its part in the offer."""
    name, value = header
    if name == b"connection":
        return name, b", ".join(part for part in value.split(b",") if part.strip().lower() != b"upgrade")
    return (b"declined-upgrade" if name == b"upgrade" else name), value
