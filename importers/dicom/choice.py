"""One value of many instances that should agree, the same whatever order they came in.

What is there beats what is empty; what most series say, then most instances, beats the others; ties go to the one
that the instance with the smallest SOP Instance UID says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from importers.dicom.digest import digest
from importers.dicom.rows import Group, Values


@dataclass(slots=True)
class _Votes:
    value: dict[str, Any]
    first: str
    series: set[str] = field(default_factory=set)
    instances: int = 0


def chosen(
    groups: Sequence[Group], keywords: Iterable[str], *, of_series: bool = False
) -> tuple[dict[str, Any], bool]:
    """The values of keywords that belong together (a date and its time), and whether instances disagree."""
    names = tuple(keywords)
    votes: dict[str, _Votes] = {}
    for group in groups:
        told: Values = group.series if of_series else group.study
        value = {name: told[name] for name in names if name in told}
        if names[0] not in value:
            continue
        vote = votes.setdefault(digest(value), _Votes(value, group.first))
        vote.first = min(vote.first, group.first)
        vote.series.add(group.series_uid)
        vote.instances += group.count
    if not votes:
        return {}, False
    best = min(votes.values(), key=lambda vote: (-len(vote.series), -vote.instances, vote.first))
    return best.value, len(votes) > 1


def distinct(groups: Sequence[Group], keyword: str, *, of_series: bool = False) -> list[Any]:
    """All different values of an attribute, in the order of the SOP Instance UIDs that say them first."""
    found: dict[str, tuple[str, Any]] = {}
    for group in groups:
        value = (group.series if of_series else group.study).get(keyword)
        if value is None:
            continue
        key = digest({keyword: value})
        if key not in found or group.first < found[key][0]:
            found[key] = (group.first, value)
    return [value for _, value in sorted(found.values(), key=lambda pair: pair[0])]
