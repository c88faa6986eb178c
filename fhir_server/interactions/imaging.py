"""ImagingStudy and the instances of DICOM it is made of: brought up to date before it is read, listed in it when it is.

The versions that are stored have no `instance`: they stay small, however many there are. What is read has them, as
they are at the moment, unless there are too many (docs/dicom.md#growth).

http://hl7.org/fhir/R4/imagingstudy-definitions.html#ImagingStudy.series.instance
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from importers.dicom.instance import element

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest, Result
    from fhir_server.store.unit import Unit
    from importers.dicom.dicom import Dicom
    from resources.codec import Json

TYPE = "ImagingStudy"
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_READS = {"read", "vread"}
_SEARCHES = {"search-type", "search-system"}
_WITHOUT = {"true", "text", "count"}
"""Values of `_summary` that leave instances out"""


async def bring_up_to_date(ctx: Context, request: FhirRequest) -> None:
    """Folds what the request may read and what has come in since; before its unit of work begins."""
    if ctx.dicom is None:
        return
    if request.interaction in _READS and request.resource_type == TYPE:
        await ctx.dicom.fold.fresh(f"{TYPE}/{request.id}")
    elif request.interaction in _SEARCHES and request.resource_type in {TYPE, None}:
        await ctx.dicom.fold.all_fresh()


async def list_instances(ctx: Context, request: FhirRequest, unit: Unit, result: Result) -> None:
    """Adds `instance` to what is shown of studies."""
    resource = result.resource
    if ctx.dicom is None or resource is None or request.parameter("_summary") in _WITHOUT:
        return
    if request.interaction in _READS and resource.get("resourceType") == TYPE:
        current = request.interaction == "read" or await _is_current(unit, resource)
        result.resource = (await _listed(ctx.dicom, resource, ctx.dicom.shown if current else 0))[0]
    elif request.interaction in _SEARCHES:
        left = ctx.dicom.shown
        for entry in resource.get("entry", ()):
            if entry.get("resource", {}).get("resourceType") == TYPE:
                entry["resource"], listed = await _listed(ctx.dicom, entry["resource"], left)
                left -= listed


async def _is_current(unit: Unit, resource: Json) -> bool:
    current = await unit.current(TYPE, resource["id"])
    return current is not None and str(current["v"]) == resource["meta"]["versionId"]


async def _listed(dicom: Dicom, resource: Json, most: int) -> tuple[Json, int]:
    """A copy with its instances, and how many; tagged as a part where they are more than may be listed."""
    study = await dicom.store.study_of(f"{TYPE}/{resource['id']}")
    if study is None or not resource.get("numberOfInstances"):
        return resource, 0
    if resource["numberOfInstances"] > most:
        return _tagged(resource), 0
    by_series: dict[str, list[Json]] = {}
    count = 0
    async for row in dicom.store.listed(study.uid, most=most):
        made = element(row.sop_uid, row.sop_class, row.number, row.title)
        by_series.setdefault(row.series_uid, []).append(made)
        count += 1
    series = [
        {**each, "instance": by_series[each["uid"]]} if each["uid"] in by_series else each
        for each in resource.get("series", ())
    ]
    return {**resource, "series": series}, count


def _tagged(resource: Json) -> Json:
    """http://hl7.org/fhir/R4/search.html#summary"""
    meta = resource["meta"]
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}}
