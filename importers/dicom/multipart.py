"""The parts of a multipart body taken out of a stream of bytes, however it is cut; no I/O.

https://www.rfc-editor.org/rfc/rfc2046#section-5.1, https://www.rfc-editor.org/rfc/rfc2387
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 20_000
"""in one body; a client with more sends several"""
_MAX_PREAMBLE = 64 * 1024
"""Bytes that may stand before the first boundary"""

# What it says of a broken body quotes its bytes.
logging.getLogger("python_multipart").disabled = True
logging.getLogger("python_multipart.multipart").disabled = True


class MultipartError(Exception):
    """The body is no multipart message; says what is wrong with it, and quotes nothing."""


class Sink(Protocol):
    """Takes the bytes of one part."""

    def write(self, data: memoryview, /) -> object: ...


@dataclass(frozen=True, slots=True)
class MediaType:
    """`Content-Type` taken apart: name and parameters, both names in lower case, values without quotes."""

    name: str
    parameters: dict[str, str]


def media_type(header: str) -> MediaType:
    """What a Content-Type says; a name of "" where there is none. https://www.rfc-editor.org/rfc/rfc2045#section-5.1"""
    read = Message()
    read["content-type"] = header
    found = read.get_params(failobj=[], header="content-type")
    if not header or not found:
        return MediaType("", {})
    return MediaType(found[0][0].strip().lower(), {name.lower(): value for name, value in found[1:] if name})


class Multipart:
    """Bytes of a body in, parts out: `begin` is told the Content-Type of a part and gives what its bytes are written
    to, `end` is called when it is whole.
    """

    def __init__(
        self, boundary: str, begin: Callable[[str], Sink], end: Callable[[], None], max_parts: int = MAX_PARTS
    ) -> None:
        """MultipartError where nothing can be told apart by that boundary."""
        if not boundary:
            raise MultipartError("Content-Type names no boundary: expected multipart/related; boundary=…")
        self._begin = begin
        self._end = end
        self._left = max_parts
        self._max_parts = max_parts
        self._sink: Sink | None = None
        self._name = b""
        self._value = b""
        self._type = b""
        self._whole = False
        self._head = b""
        self._mark = b"--" + boundary.encode("latin-1", "replace")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary.encode("latin-1", "replace"), callbacks)
        except FormParserError:
            raise MultipartError("The boundary is longer than RFC 2046 allows (70 characters)") from None

    def feed(self, data: bytes) -> None:
        """MultipartError where the body is found to be broken: parts that were ended are whole, none follows."""
        if self._mark:
            found = self._from_first_boundary(data)
            if found is None:
                return
            data = found
        if self._whole:
            # An epilogue, which RFC 2046 lets be.
            return
        try:
            self._parser.write(data)
        except FormParserError:
            raise MultipartError(
                "The parts of the body cannot be told apart: each begins with a line --boundary, then its headers and "
                "an empty line, and all lines end with CR LF"
            ) from None

    def close(self) -> None:
        """The body is over; MultipartError where its last boundary did not come."""
        if not self._whole:
            raise MultipartError("The body ends before its closing boundary, --boundary--")

    def _from_first_boundary(self, data: bytes) -> bytes | None:
        """What is to be read once the first boundary has come; the preamble before it means nothing."""
        self._head += data
        at = self._head.find(self._mark)
        while at > 0 and self._head[at - 1 : at] != b"\n":
            at = self._head.find(self._mark, at + 1)
        if at < 0:
            if len(self._head) > _MAX_PREAMBLE:
                raise MultipartError("The boundary that Content-Type names does not begin the body")
            return None
        found, self._head, self._mark = self._head[at:], b"", b""
        return found

    def _on_part_begin(self) -> None:
        if not self._left:
            raise MultipartError(
                f"The body has more than {self._max_parts:,} parts; send them in several requests"
            )
        self._left -= 1
        self._type = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._name.lower() == b"content-type":
            self._type = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        self._sink = self._begin(self._type.decode("latin-1").strip())

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        assert self._sink is not None
        self._sink.write(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._sink = None
        self._end()

    def _on_end(self) -> None:
        self._whole = True
