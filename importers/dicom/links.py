"""References by identifier in drafts → literal ones, where exactly one stored resource is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from importers.hl7v2.conversion import Draft
from importers.hl7v2.identifiers import token
from importers.hl7v2.matching import reference_of, replaced_by
from importers.submit import Find
from resources.codec import Json

_OF_PATIENTS = {"ServiceRequest", "Encounter", "Specimen"}
"""What a number means only together with the patient it is about"""
_OF_ALL = {"Practitioner", "Organization", "Location", "Device"}


async def linked(drafts: Sequence[Draft], find: Find) -> None:
    """Adds `reference` to references that have type and identifier (with a system), in place."""
    open_ = [each for draft in drafts for each in _logical(draft.resource)]
    queries = list(dict.fromkeys((each["type"], token(each["identifier"])) for each in open_))
    if not queries:
        return
    patients = [
        ("Patient", query)
        for draft in drafts
        if draft.resource["resourceType"] == "Patient"
        for query in draft.match
    ]
    found = await find([*queries, *patients])
    answers, found = found[: len(queries)], found[len(queries) :]
    mine = {reference_of(each) for some in found for each in some}
    mine |= {survivor for some in found for each in some if (survivor := replaced_by(each)) is not None}
    by_query = dict(zip(queries, answers, strict=True))
    for reference in open_:
        fitting = [
            each
            for each in by_query[reference["type"], token(reference["identifier"])]
            if reference["type"] in _OF_ALL or each.get("subject", {}).get("reference") in mine
        ]
        if len(fitting) == 1:
            reference["reference"] = reference_of(fitting[0])


def _logical(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        identifier, kind = value.get("identifier"), value.get("type")
        if (
            isinstance(kind, str)
            and kind in _OF_PATIENTS | _OF_ALL
            and "reference" not in value
            and isinstance(identifier, dict)
            and identifier.get("system")
            and identifier.get("value")
        ):
            yield value
        for each in value.values():
            yield from _logical(each)
    elif isinstance(value, list):
        for each in value:
            yield from _logical(each)
