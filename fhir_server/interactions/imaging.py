"""ImagingStudy and the instances of DICOM it is made of: brought up to date before it is read, listed in it when it is.

The versions that are stored have no `instance`: they stay small, however many there are. What is read has them, as
they are at the moment, unless there are too many (docs/dicom.md#growth).

http://hl7.org/fhir/R4/imagingstudy-definitions.html#ImagingStudy.series.instance
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from importers.dicom.instance import element

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest, Query, Result
    from fhir_server.store.unit import Unit
    from importers.dicom.dicom import Dicom
    from importers.dicom.rows import Instance
    from resources.codec import Json

TYPE = "ImagingStudy"
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_READS = {"read", "vread"}
_SEARCHES = {"search-type", "search-system"}
_HISTORIES = {"history-instance", "history-type", "history-system"}
_WITHOUT = {"true", "text", "count"}
"""Values of `_summary` that leave instances out"""


async def bring_up_to_date(ctx: Context, request: FhirRequest) -> None:
    """Folds what the request may read and what has come in since; before its unit of work begins."""
    if ctx.dicom is None:
        return
    if request.interaction in _READS and request.resource_type == TYPE:
        await ctx.dicom.fold.fresh(f"{TYPE}/{request.id}")
    elif request.interaction in _SEARCHES and (request.resource_type in {TYPE, None} or _includes(request)):
        await ctx.dicom.fold.all_fresh()


def _includes(request: FhirRequest) -> bool:
    return any(name.startswith(("_include", "_revinclude", "_has")) for name, _ in request.query)


async def by_instance(ctx: Context, request: FhirRequest) -> Query:
    """The query of a search, with the ids of studies in place of the UIDs of instances, which no version lists.

    UIDs that no row has stay: a client may have stored a study with its instances.
    """
    if ctx.dicom is None or request.resource_type != TYPE:
        return request.query
    query = []
    for name, value in request.query:
        ids = await _studies_of(ctx.dicom, value) if name == "instance" else []
        query.append(("_id", ",".join(ids)) if ids else (name, value))
    return tuple(query)


async def _studies_of(dicom: Dicom, value: str) -> list[str]:
    uids = [each.rpartition("|")[2].removeprefix("urn:oid:") for each in value.split(",")]
    rows = await dicom.store.instances(uids)
    studies = [
        await dicom.store.study(uid)
        for uid in dict.fromkeys(row.study_uid for row in rows.values() if row.state == "active")
    ]
    return [each.reference.partition("/")[2] for each in studies if each is not None and each.reference]


async def list_instances(ctx: Context, request: FhirRequest, unit: Unit, result: Result) -> None:
    """Adds `instance` to what is shown of studies."""
    resource = result.resource
    if ctx.dicom is None or resource is None or request.parameter("_summary") in _WITHOUT:
        return
    if request.interaction in _READS and resource.get("resourceType") == TYPE:
        current = request.interaction == "read" or await _is_current(unit, resource)
        result.resource = (await _listed(ctx.dicom, resource, ctx.dicom.shown if current else None))[0]
    elif request.interaction in _SEARCHES | _HISTORIES:
        left = ctx.dicom.shown if request.interaction in _SEARCHES else None
        for entry in resource.get("entry", ()):
            if entry.get("resource", {}).get("resourceType") == TYPE:
                entry["resource"], listed = await _listed(ctx.dicom, entry["resource"], left)
                left = None if left is None else left - listed


async def _is_current(unit: Unit, resource: Json) -> bool:
    current = await unit.current(TYPE, resource["id"])
    return current is not None and str(current["v"]) == resource["meta"]["versionId"]


async def _listed(dicom: Dicom, resource: Json, most: int | None) -> tuple[Json, int]:
    """A copy with its instances, and how many; tagged as a part where they are more than `most`.

    None: it is a version of which nobody knows any more what was in it.
    """
    study = await dicom.store.study_of(f"{TYPE}/{resource['id']}")
    if study is None or not resource.get("numberOfInstances"):
        return resource, 0
    if most is None or resource["numberOfInstances"] > most:
        return subsetted(resource, {}), 0
    rows = [row async for row in dicom.store.listed(study.uid, most=most)]
    return with_instances(resource, by_series(rows)), len(rows)


def by_series(rows: Sequence[Instance]) -> dict[str, list[Json]]:
    """The elements of instances, by the UID of their series."""
    found: dict[str, list[Json]] = {}
    for row in rows:
        made = element(row.sop_uid, row.sop_class, row.number, row.title)
        found.setdefault(row.series_uid, []).append(made)
    return found


def with_instances(resource: Json, instances: Mapping[str, list[Json]]) -> Json:
    """A copy of a study that lists these and no others."""
    series = [
        {name: value for name, value in each.items() if name != "instance"}
        | ({"instance": instances[each["uid"]]} if each["uid"] in instances else {})
        for each in resource.get("series", ())
    ]
    return {**resource, "series": series} if series else resource


def subsetted(resource: Json, instances: Mapping[str, list[Json]]) -> Json:
    """The same of a part of them, tagged so. http://hl7.org/fhir/R4/search.html#summary"""
    meta = resource["meta"]
    tagged = {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}}
    return with_instances(tagged, instances)
