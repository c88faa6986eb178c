"""The body of a STOW-RS request as instances, piece by piece.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.5.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from fhir_server.rest.exchange import Disconnected
from importers.dicom import answers
from importers.dicom.answers import Answer
from importers.dicom.header import NotDicom
from importers.dicom.intake import Part, enough
from importers.dicom.json_model import datasets
from importers.dicom.multipart import Multipart, Sink, media_type
from importers.dicom.spool import Spool
from resources import codec
from resources.outcome import FHIRError, error, too_large, unsupported_media_type

if TYPE_CHECKING:
    from fhir_server.rest.exchange import Receive, Scope

DICOM, DICOM_JSON, RELATED = "application/dicom", "application/dicom+json", "multipart/related"
_EXPECTED = f'{RELATED}; type="{DICOM}" or "{DICOM_JSON}"; boundary=…, {DICOM}, or {DICOM_JSON}'
MOST_JSON = 64 * 1024 * 1024
"""Bytes of metadata in one part"""


@dataclass(slots=True)
class Found:
    """What has come whole: instances, metadata that is still JSON text, and answers to what is neither."""

    parts: list[Part] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        kept = sum(each.body.kept for each in self.parts if isinstance(each.body, Spool))
        return kept + sum(map(len, self.documents))

    async def taken(self) -> list[Part]:
        """The instances, taken out; JSON is read beside the event loop."""
        parts, self.parts = self.parts, []
        documents, self.documents = self.documents, []
        for document in documents:
            read = await asyncio.to_thread(_datasets, document)
            if isinstance(read, Answer):
                self.answers.append(read)
            else:
                parts += [Part(each) for each in read]
        return parts


def _datasets(document: bytes) -> list[codec.Json] | Answer:
    try:
        return datasets(codec.decode_any(document))
    except (FHIRError, NotDicom) as fault:
        return Answer(failure=answers.CANNOT_UNDERSTAND, text=str(fault))


class Reader(Protocol):
    """Takes the bytes of a body."""

    def feed(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


def reader(content_type: str, found: Found) -> Reader:
    """What reads a body of that type into `found`; FHIRError 415 for others, MultipartError without a boundary."""
    kind = media_type(content_type)
    if kind.name in {DICOM, DICOM_JSON}:
        return _Alone(_Parts(kind.name, found))
    root = kind.parameters.get("type", DICOM).strip().lower()
    if kind.name != RELATED or root not in {DICOM, DICOM_JSON}:
        raise unsupported_media_type(content_type, _EXPECTED)
    parts = _Parts(root, found)
    return Multipart(kind.parameters.get("boundary", ""), parts.begin, parts.end)


class _Parts:
    """Parts of a body, each written to what keeps of it what is needed; those without a type are of type `root`."""

    def __init__(self, root: str, found: Found) -> None:
        self._root = root
        self._found = found
        self._sink: Spool | _Document | _Passing = _Passing()

    def begin(self, content_type: str) -> Sink:
        name = media_type(content_type).name or self._root
        if name == DICOM:
            # The parameter of the part says how it is written, and so does its file meta information: that counts.
            self._sink = enough()
        elif name == DICOM_JSON:
            self._sink = _Document()
        else:
            self._sink = _Passing()
        return self._sink

    def end(self) -> None:
        sink = self._sink
        if isinstance(sink, Spool):
            self._found.parts.append(Part(sink))
        elif isinstance(sink, _Document):
            self._found.documents.append(sink.getvalue())
        elif self._root == DICOM:
            told = f"A part is not of type {DICOM}"
            self._found.answers.append(Answer(failure=answers.CANNOT_UNDERSTAND, text=told))
        # With metadata, other parts are the bulk data that it points to: pixels.


class _Alone:
    """A body that is one instance."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        self._sink = parts.begin("")

    def feed(self, data: bytes, /) -> None:
        self._sink.write(memoryview(data))

    def close(self) -> None:
        self._parts.end()


class _Passing:
    """Keeps nothing."""

    def write(self, _: memoryview, /) -> int:
        return 0


class _Document(BytesIO):
    """JSON, of which the whole is needed."""

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > MOST_JSON:
            raise too_large(f"A part of metadata is larger than the {MOST_JSON:,} bytes that are taken")
        return super().write(data)


def check(scope: Scope, limit: int) -> None:
    """FHIRError 413 where the body says it is too large, 415 where it is compressed."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit() and int(value[:18]) > limit:
            raise _too_large(limit)
        if name.lower() == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise error(
                415, "not-supported", "A compressed body is not taken here: send it without Content-Encoding"
            )


async def pieces(receive: Receive, limit: int, patience: float) -> AsyncIterator[bytes]:
    """The bytes of a body; 413 beyond `limit`, 408 where nothing comes for `patience` seconds."""
    size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            told = f"Nothing came for {patience:g} seconds; what was complete is kept. Send the rest again"
            raise error(408, "timeout", told, Connection="close") from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if piece:
            yield piece
        more = message.get("more_body", False)


def _too_large(limit: int) -> FHIRError:
    return too_large(f"The body is larger than the {limit:,} bytes taken (FHIR_SERVER_DICOM_MAX_BODY_BYTES)")
