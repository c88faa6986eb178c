"""The operation `$instances` of an ImagingStudy: the instances of a study that has too many to list them when it is read.

In portions: each answer is the study with some of its instances, and a header `Link` that leads to the next ones. What
comes in meanwhile is seen where it belongs behind what was given.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions.imaging import TYPE, by_series, subsetted
from fhir_server.interactions.read import read
from fhir_server.operations.process_dicom import dicom_of
from importers.dicom.rows import Instance
from resources.outcome import bad_parameter, not_found

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit

MOST = 10_000
"""Instances of one answer: some 1.5 MB"""
_KNOWN = {"_count", "_cursor", "_format", "_pretty"}


async def instances(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """A portion of the instances, by series, number and UID; 404 where there is no study of DICOM by that id."""
    for name, _ in request.query:
        if name not in _KNOWN:
            raise bad_parameter(name[:64], f"expected are {', '.join(sorted(_KNOWN))}")
    dicom = dicom_of(ctx)
    count, after = _count(request), _after(request)
    assert request.id is not None
    study = await dicom.fold.fresh(f"{TYPE}/{request.id}")
    if study is None:
        raise not_found(TYPE, request.id)
    result = await read(ctx, replace(request, if_none_match=None, if_modified_since=None), unit)
    assert result.resource is not None
    rows = [row async for row in dicom.store.listed(study.uid, most=count + 1, after=after)]
    result.resource = subsetted(result.resource, by_series(rows[:count]))
    if len(rows) > count:
        pairs = [("_count", str(count)), ("_cursor", _cursor(rows[count - 1]))]
        url = f"{ctx.base_url}/{TYPE}/{request.id}/$instances?{urlencode(pairs)}"
        result.headers = {"Link": f'<{url}>; rel="next"'}
    return result


def _count(request: FhirRequest) -> int:
    text = request.parameter("_count") or str(MOST)
    if not text.isascii() or not text.isdigit() or int(text[:9]) == 0:
        raise bad_parameter("_count", f"'{text[:32]}' is no number from 1 to {MOST:,}")
    return min(int(text[:9]), MOST)


def _cursor(row: Instance) -> str:
    return urlsafe_b64encode(msgspec.json.encode([row.series_uid, row.number, row.sop_uid])).decode()


def _after(request: FhirRequest) -> Instance | None:
    text = request.parameter("_cursor")
    if text is None:
        return None
    try:
        series_uid, number, sop_uid = msgspec.json.decode(
            urlsafe_b64decode(text.encode()), type=tuple[str, int | None, str]
        )
    except (binascii.Error, UnicodeError, msgspec.MsgspecError):
        raise bad_parameter("_cursor", "it is none that this server gave") from None
    return Instance(sop_uid, "", series_uid, "", "", "", "", number)
