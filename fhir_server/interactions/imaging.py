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
        [result.resource] = await _listed(ctx.dicom, [resource], ctx.dicom.shown if current else None)
    elif request.interaction in _SEARCHES | _HISTORIES:
        entries = [
            entry
            for entry in resource.get("entry", ())
            if entry.get("resource", {}).get("resourceType") == TYPE
        ]
        most = ctx.dicom.shown if request.interaction in _SEARCHES else None
        shown = await _listed(ctx.dicom, [entry["resource"] for entry in entries], most)
        for entry, each in zip(entries, shown, strict=True):
            entry["resource"] = each


async def _is_current(unit: Unit, resource: Json) -> bool:
    current = await unit.current(TYPE, resource["id"])
    return current is not None and str(current["v"]) == resource["meta"]["versionId"]


async def _listed(dicom: Dicom, resources: Sequence[Json], most: int | None) -> list[Json]:
    """Copies with their instances, `most` of all together: what has more is tagged as a part.

    None: they are versions of which nobody knows any more what was in them.
    """
    if not resources:
        return []
    studies = await dicom.store.studies_of([_reference(each) for each in resources])
    left = most or 0
    whole: list[str] = []
    for each in resources:
        study, count = studies.get(_reference(each)), each.get("numberOfInstances", 0)
        if most is not None and study is not None and 0 < count <= left:
            whole.append(study.uid)
            left -= count
    rows: dict[str, list[Instance]] = {uid: [] for uid in whole}
    for row in await dicom.store.active(whole) if whole else ():
        rows[row.study_uid].append(row)
    shown = []
    for each in resources:
        study = studies.get(_reference(each))
        if study is None or not each.get("numberOfInstances"):
            shown.append(each)
        else:
            shown.append(
                with_instances(each, by_series(rows[study.uid])) if study.uid in rows else subsetted(each, {})
            )
    return shown


def _reference(resource: Json) -> str:
    return f"{TYPE}/{resource['id']}"


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
