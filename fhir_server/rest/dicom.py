"""DICOM over HTTP to `$process-dicom`: instances in the body, alone, several, or in a ZIP file; FHIR out.

No more than their headers are kept of what comes in, whatever its size.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING

from fhir_server.rest.dicomweb.body import DICOM, DICOM_JSON, RELATED, Found, check, pieces, reader
from importers.dicom import answers
from importers.dicom.answers import Answer
from importers.dicom.archive import ArchiveError, members
from importers.dicom.intake import Part, read_all
from importers.dicom.multipart import MultipartError, media_type
from resources.outcome import bad_request, too_large, unsupported_media_type

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.exchange import HttpRequest, Receive, Scope
    from importers.dicom.header import Header

ZIP = "application/zip"
_EXPECTED = f"{DICOM}, {DICOM_JSON}, {RELATED} of these, or {ZIP}"
AT_ONCE = 100
MOST = 10_000
"""Instances in one body"""
_IN_MEMORY = 1024 * 1024


async def put_body(
    ctx: Context, http: HttpRequest, request: FhirRequest, scope: Scope, receive: Receive
) -> None:
    """Reads the body as it comes; 415 for another media type, 400 where it holds nothing, 413 where it is too large."""
    given = http.headers.get("content-type", "")
    limit, patience = ctx.settings.dicom_max_body_bytes, ctx.settings.dicom_idle_seconds
    kind = media_type(given).name
    if kind not in {DICOM, DICOM_JSON, RELATED, ZIP}:
        raise unsupported_media_type(given, _EXPECTED)
    check(scope, limit)
    if kind == ZIP:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            async for piece in pieces(receive, limit, patience):
                file.write(piece)
            file.seek(0)
            try:
                request.dicom = await asyncio.to_thread(_archived, file)
            except ArchiveError as fault:
                raise bad_request(str(fault)) from None
    else:
        request.dicom = await _parts(given, receive, limit, patience)
    if not request.dicom:
        raise bad_request("The body holds no instance; at least one was expected")


async def _parts(given: str, receive: Receive, limit: int, patience: float) -> list[Header | Answer]:
    found = Found()
    read: list[Header | Answer] = []
    try:
        body = reader(given, found)
        async for piece in pieces(receive, limit, patience):
            body.feed(piece)
            if len(found.parts) >= AT_ONCE:
                read += await asyncio.to_thread(read_all, await found.taken())
            if len(read) > MOST:
                raise too_large(f"There are more than {MOST:,} instances in the body; send them in parts")
        body.close()
    except MultipartError as fault:
        raise bad_request(str(fault)) from None
    read += await asyncio.to_thread(read_all, await found.taken())
    return [*read, *found.answers]


def _archived(file: IO[bytes]) -> list[Header | Answer]:
    read: list[Header | Answer] = []
    some = members(file)  # type: ignore[arg-type]  # what a spooled file has is enough
    while portion := list(islice(some, AT_ONCE)):
        told = [each for each in portion if not each.skipped]
        read += read_all([Part(each.spool) for each in told if each.spool is not None])
        read += list(_faults([each.fault for each in told if each.fault]))
        if len(read) > MOST:
            raise ArchiveError(f"There are more than {MOST:,} instances in it; send it in parts")
    return read


def _faults(told: list[str]) -> Iterator[Answer]:
    for fault in told:
        yield Answer(failure=answers.CANNOT_UNDERSTAND, text=f"A member of the archive {fault}")
