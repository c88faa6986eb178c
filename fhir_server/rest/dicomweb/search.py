"""QIDO-RS: studies, series and instances that are known, whether they have been folded yet or not.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.6.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.context import Result
from fhir_server.rest.dicomweb.negotiated import check, results
from fhir_server.store.dicom_query import DicomQuery
from importers.dicom.attributes import dataset, instance_values, series_values, study_values
from importers.dicom.qido import Query, query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.dicomweb.incoming import Incoming
    from fhir_server.rest.dicomweb.paths import Target
    from fhir_server.rest.exchange import HttpResponse
    from importers.dicom.rows import Group

Values = dict[str, Any]


async def search(ctx: Context, request: FhirRequest, incoming: Incoming, target: Target) -> HttpResponse:
    """What matches, in the order of UIDs; the audit trail names the studies that are shown."""
    check(incoming.http.headers.get("accept", ""), request.query)
    asked = query(request.query)
    rows = DicomQuery(ctx.store)
    within = {name: uid for name, uid in (("study", target.study), ("series", target.series)) if uid}
    if target.level == "studies":
        uids = await rows.studies(asked)
        groups = await rows.groups(uids[: asked.limit])
        found = [_study(ctx, uid, groups[uid]) for uid in uids[: asked.limit] if uid in groups]
        more = len(uids) > asked.limit
        shown = list(groups)
    elif target.level == "series":
        pairs = await rows.series(asked, within)
        shown = list(dict.fromkeys(study for study, _ in pairs[: asked.limit]))
        groups = await rows.groups(shown)
        found = [_series(ctx, study, uid, groups, within) for study, uid in pairs[: asked.limit]]
        more = len(pairs) > asked.limit
    else:
        instances = await rows.instances(asked, within)
        shown = list(dict.fromkeys(each.study_uid for each in instances[: asked.limit]))
        groups = await rows.groups(shown)
        found = []
        for each in instances[: asked.limit]:
            above = _series(ctx, each.study_uid, each.series_uid, groups, within)
            found.append({**above, "SeriesInstanceUID": each.series_uid, **instance_values(each)})
        more = len(instances) > asked.limit
    counts = tuple((uid, sum(group.count for group in groups[uid])) for uid in shown if uid in groups)
    async with ctx.store.unit() as unit:
        ctx.audit.success(unit, request, Result(200, changed=False, studies=counts))
        await unit.commit()
    return results([dataset(each) for each in found], _warnings(asked, more=more))


def _study(ctx: Context, uid: str, groups: Sequence[Group]) -> Values:
    return study_values(uid, groups)


def _series(
    ctx: Context, study: str, uid: str, groups: Mapping[str, Sequence[Group]], within: Mapping[str, str]
) -> Values:
    """Where the URL does not say of which study it is, the result does."""
    its = [each for each in groups.get(study, ()) if each.series_uid == uid]
    above = {"StudyInstanceUID": study} if "study" in within else _study(ctx, study, groups.get(study, ()))
    return {**above, **series_values(uid, its)}


def _warnings(asked: Query, *, more: bool) -> list[str]:
    if not more:
        return asked.warnings
    told = f"There are additional results that can be requested: offset={asked.offset + asked.limit}"
    return [*asked.warnings, told]
