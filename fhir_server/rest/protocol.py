"""HTTP/1.1 as uvicorn reads it with httptools, with the two things a server in the open needs besides.

A request whose head never ends is refused before it fills the memory, and what is no HTTP at all is answered
with an OperationOutcome too.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resources.outcome import FHIRError, bad_request, error

HEAD_BYTES = 128 * 1024
"""Longest request line and headers together; a search that needs more is sent as POST to `_search`."""


class FHIRProtocol(HttpToolsProtocol):
    """One connection; behaves as uvicorn's own but for its answers to what cannot be read."""

    _unfinished_head = 0
    _in_head = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head:
            self._unfinished_head = 0
            return
        self._unfinished_head += len(data)
        if self._unfinished_head > HEAD_BYTES and not self.transport.is_closing():
            text = f"The request line and headers are longer than {HEAD_BYTES} bytes. Send a search as POST"
            self._refuse(error(431, "too-long", text))

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

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
        self.transport.write(head.encode() + body)
        self.transport.close()
