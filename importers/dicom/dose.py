"""Dose reports (TID 10001, 10011, 10021) → one Observation each: what was accumulated, not each irradiation.

Several reports of a study may tell the same dose again: nothing is summed.
PS3.16 TID 10001, 10011, 10021; http://hl7.org/fhir/us/radiation-dose-summary (whose profile is not claimed)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from importers.dicom import times
from importers.dicom.observation import About, add, concept_of, name_of, observation, value
from importers.dicom.study import StudyConversion
from importers.dicom.tables.facts import DCM
from resources.codec import Json

_REPORTS = {"113701", "113500"}
_CODE: Json = {
    "coding": [
        {
            "system": "http://loinc.org",
            "code": "73569-6",
            "display": "Radiation exposure and protection information [Description] Document Diagnostic imaging",
        }
    ]
}
_ACCUMULATED = {"113811", "113702", "113502"}
"""Containers: CT accumulated dose data, accumulated X-ray dose data, radiopharmaceutical administration event data"""
_TOLD = {
    *("113812", "113813", "113722", "113725", "113726", "113727", "113728", "113729", "113730", "113731"),
    *("113732", "113733", "113855", "113867", "111637", "113507", "113508", "113509", "113510"),
}
_START, _END = "113809", "113810"
_MOST = 200


def is_dose(content: Mapping[str, Any]) -> bool:
    """Whether the root of a report says that it is of dose."""
    root = (content.get("ConceptNameCodeSequence") or [{}])[0]
    return root.get("CodeValue") in _REPORTS


def dose(study: StudyConversion, about: About) -> None:
    """The draft of the summary of a dose report; an issue where it accumulates nothing."""
    components: list[Json] = []
    for item in _accumulated(study, about.content.get("items", ())):
        code = concept_of(study, item, "ConceptNameCodeSequence")
        if code is not None:
            components.append({"code": code, **value(study, item)})
    if not components:
        study.issue("ContentSequence", "a dose report that accumulates nothing; it stays an instance")
        return
    made = observation(study, about, about.uid, _CODE)
    if effective := _effective(study, about.content.get("items", ())):
        made.pop("effectiveDateTime", None)
        made |= effective
    add(study, {**made, "component": components[:_MOST]})


def _accumulated(
    study: StudyConversion, items: Sequence[Mapping[str, Any]], *, inside: bool = False
) -> Iterator[Mapping[str, Any]]:
    for item in items:
        system, code = name_of(study, item)
        if inside and system == DCM and code in _TOLD and item.get("ValueType") == "NUM":
            yield item
        within = inside or (system == DCM and code in _ACCUMULATED)
        yield from _accumulated(study, item.get("items", ()), inside=within)


def _effective(study: StudyConversion, items: Sequence[Mapping[str, Any]]) -> Json:
    found = {
        code: moment
        for item in items
        for code in [name_of(study, item)[1]]
        if code in {_START, _END}
        and (moment := times.moment(str(item.get("DateTime", "")), study.config.zone)) is not None
    }
    if _START in found and _END in found and not times.is_backwards(found[_START], found[_END]):
        return {"effectivePeriod": {"start": found[_START], "end": found[_END]}}
    return {"effectiveDateTime": found[_START]} if _START in found else {}
