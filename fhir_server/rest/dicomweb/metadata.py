"""WADO-RS metadata: what is known of each instance, without any of its pixels, as a stream.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.4.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Result
from fhir_server.rest.dicomweb.negotiated import Streamed, check
from fhir_server.store.dicom_query import DicomQuery, Place
from importers.dicom.attributes import dataset, instance_values
from resources import codec
from resources.outcome import error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.dicomweb.incoming import Incoming
    from fhir_server.rest.dicomweb.paths import Target
    from importers.dicom.rows import Instance, Values

AT_ONCE = 500
"""Instances that are in memory"""


async def metadata(ctx: Context, request: FhirRequest, incoming: Incoming, target: Target) -> Streamed:
    """All instances of a study, a series, or one; FHIRError 404 where there is none."""
    check(incoming.http.headers.get("accept", ""), request.query)
    assert target.study is not None
    place = Place(target.study, target.series, target.instance)
    rows = DicomQuery(ctx.store)
    count = await rows.count(place)
    if not count:
        raise error(404, "not-found", "No instance of that study, series or UID is known here")
    async with ctx.store.unit() as unit:
        ctx.audit.success(unit, request, Result(200, changed=False, studies=((target.study, count),)))
        await unit.commit()
    return Streamed(200, _pieces(rows, place))


async def _pieces(rows: DicomQuery, place: Place) -> AsyncIterator[bytes]:
    """A JSON array, some hundred instances at a time."""
    known: dict[str, Values] = {}
    waiting: list[Instance] = []
    before = b"["
    async for row in rows.rows(place):
        waiting.append(row)
        if len(waiting) == AT_ONCE:
            yield before + await _encoded(rows, waiting, known)
            waiting, before = [], b","
    if waiting:
        yield before + await _encoded(rows, waiting, known)
        before = b","
    yield b"]" if before == b"," else b"[]"


async def _encoded(rows: DicomQuery, some: list[Instance], known: dict[str, Values]) -> bytes:
    names = {name for each in some for name in (each.study_attrs, each.series_attrs)} - known.keys()
    if names:
        known |= await rows.attrs(names)
    return b",".join(codec.encode(dataset(_values(each, known))) for each in some)


def _values(row: Instance, known: dict[str, Values]) -> Values:
    return {
        **known[row.study_attrs],
        **known[row.series_attrs],
        "StudyInstanceUID": row.study_uid,
        "SeriesInstanceUID": row.series_uid,
        **instance_values(row),
    }
