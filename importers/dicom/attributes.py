"""Plain values as DICOM JSON, the other way of `json_model`; pure.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/chapter_F.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from importers.dicom.choice import chosen, distinct
from importers.dicom.digest import SERIES, STUDY
from importers.dicom.rows import Group, Instance
from resources.codec import Json

_GROUPS = {"alphabetic": "Alphabetic", "ideographic": "Ideographic", "phonetic": "Phonetic"}


def dataset(values: Mapping[str, Any]) -> Json:
    """A data set, its elements in the order of their tags; a value of None is an empty element."""
    return dict(sorted(_element(keyword, value) for keyword, value in values.items()))


def study_values(uid: str, groups: Sequence[Group]) -> dict[str, Any]:
    """What a QIDO-RS search for studies tells of one. PS3.18 table 10.6.3-3"""
    modalities = distinct(groups, "Modality", of_series=True)
    return {
        **_agreed(groups, STUDY),
        "StudyInstanceUID": uid,
        # The pixels are not here: it cannot be retrieved from this server.
        "InstanceAvailability": "UNAVAILABLE",
        "ModalitiesInStudy": modalities or None,
        "SOPClassesInStudy": sorted(set().union(*(each.sop_classes for each in groups))),
        "NumberOfStudyRelatedSeries": len({each.series_uid for each in groups}),
        "NumberOfStudyRelatedInstances": sum(each.count for each in groups),
    }


def series_values(uid: str, groups: Sequence[Group]) -> dict[str, Any]:
    """The same of a series, whose groups these are. PS3.18 table 10.6.3-4"""
    return {
        **_agreed(groups, SERIES, of_series=True),
        "SeriesInstanceUID": uid,
        "NumberOfSeriesRelatedInstances": sum(each.count for each in groups),
    }


def instance_values(row: Instance) -> dict[str, Any]:
    """The same of an instance. PS3.18 table 10.6.3-5"""
    told = {
        "SOPClassUID": row.sop_class,
        "SOPInstanceUID": row.sop_uid,
        "InstanceAvailability": "UNAVAILABLE",
    }
    return told if row.number is None else {**told, "InstanceNumber": row.number}


def _agreed(groups: Sequence[Group], keywords: Sequence[str], *, of_series: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for keyword in keywords:
        found |= chosen(groups, (keyword,), of_series=of_series)[0]
    return found


@cache
def _attribute(keyword: str) -> tuple[str, str]:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return f"{tag:08X}", dictionary_VR(tag)


def _element(keyword: str, value: Any) -> tuple[str, Json]:
    tag, vr = _attribute(keyword)
    if value is None:
        return tag, {"vr": vr}
    values = value if isinstance(value, list) else [value]
    return tag, {"vr": vr, "Value": [_one(vr, each) for each in values]}


def _one(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return dataset(value)
    if vr == "PN":
        return {_GROUPS[group]: text for group, text in value.items()}
    return value
