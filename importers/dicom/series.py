"""One series of a study. http://hl7.org/fhir/R4/imagingstudy-definitions.html#ImagingStudy.series"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from importers.dicom import actors, choice, codes, header, identifiers, times
from importers.dicom.instance import LARGEST
from importers.dicom.rows import Group
from importers.dicom.study import StudyConversion, first
from importers.dicom.tables import facts
from resources.codec import Json


def series(study: StudyConversion, uid: str, groups: Sequence[Group], endpoint: Json | None) -> Json:
    """ImagingStudy.series without its instances; `groups` are those of the series."""
    made: Json = {"uid": uid}
    number = one(study, groups, "SeriesNumber")
    if isinstance(number, int) and 0 <= number <= LARGEST:
        made["number"] = number
    elif number is not None:
        study.issue("SeriesNumber", "is none that FHIR can hold (0 to 2147483647); it was left out")
    made["modality"] = modality(study, groups)
    if description := one(study, groups, "SeriesDescription"):
        made["description"] = description
    made["numberOfInstances"] = sum(group.count for group in groups)
    if endpoint is not None:
        made["endpoint"] = [endpoint]
    if site := body_site(study, groups):
        made["bodySite"] = site
    if side := laterality(study, groups):
        made["laterality"] = side
    if specimen := _specimens(study, groups):
        made["specimen"] = specimen
    if started := _started(study, groups):
        made["started"] = started
    if performer := _performers(study, groups):
        made["performer"] = performer
    return made


def one(study: StudyConversion, groups: Sequence[Group], *keywords: str) -> Any:
    """The value of an attribute of the series, with those that go along with it (only the first is returned)."""
    return together(study, groups, *keywords).get(keywords[0])


def together(study: StudyConversion, groups: Sequence[Group], *keywords: str) -> dict[str, Any]:
    """Values that belong together, as most instances of the series say; an issue where they disagree."""
    found, disagree = choice.chosen(groups, keywords, of_series=True)
    if disagree:
        study.issue(keywords[0], "instances of a series disagree; what most of them say was taken")
    return found


def modality(study: StudyConversion, groups: Sequence[Group]) -> Json:
    """The Coding of Modality; where it is missing, that which the SOP classes imply."""
    told = one(study, groups, "Modality")
    code = "".join(str(told or "").upper().split())
    if not code:
        implied = sorted({facts.modality_of_class(each) for group in groups for each in group.sop_classes})
        code = next((each for each in implied if each != "OT"), "OT")
        study.issue("Modality", "is missing; it was taken from the SOP class")
    meaning = facts.modality(code)
    if meaning is None:
        study.issue("Modality", "is no code of DICOM")
    return {"system": facts.DCM, "code": code, **({"display": meaning} if meaning else {})}


def body_site(study: StudyConversion, groups: Sequence[Group]) -> Json | None:
    """AnatomicRegionSequence, else BodyPartExamined in SNOMED CT, else its text."""
    region = one(study, groups, "AnatomicRegionSequence")
    if region and (coded := codes.coding(study, region[0])):
        return coded
    term = one(study, groups, "BodyPartExamined")
    if not term:
        meaning = str(region[0].get("CodeMeaning", "")) if region else ""
        return {"display": meaning} if meaning else None
    known = facts.body_part(str(term))
    if known is None:
        return {"display": str(term)}
    return {"system": facts.SNOMED, "code": known[0], "display": known[1]}


def laterality(study: StudyConversion, groups: Sequence[Group]) -> Json | None:
    """Laterality; where the series has none, that which all its images have."""
    side = one(study, groups, "Laterality")
    if side is None:
        sides = {group.series.get("ImageLaterality") for group in groups}
        side = sides.pop() if len(sides) == 1 else None
    known = facts.LATERALITY.get(str(side or "").upper())
    return {"system": facts.SNOMED, "code": known[0], "display": known[1]} if known is not None else None


def _specimens(study: StudyConversion, groups: Sequence[Group]) -> list[Json]:
    found: list[Json] = []
    for items in choice.distinct(groups, "SpecimenDescriptionSequence", of_series=True):
        for item in items:
            number = item.get("SpecimenIdentifier")
            if not number:
                continue
            issued = identifiers.issuer(study.config, first(item, "IssuerOfTheSpecimenIdentifierSequence"))
            identifier = {"system": issued[0] or study.config.system("specimen"), "value": str(number)}
            made = {"type": "Specimen", "identifier": identifier}
            if made not in found:
                found.append(made)
    return found


def _started(study: StudyConversion, groups: Sequence[Group]) -> str | None:
    """SeriesDate and SeriesTime, else the day of acquisition; the earliest where instances disagree."""
    return earliest(
        study,
        [group.series for group in groups],
        ("Series", "Acquisition"),
    )


def earliest(study: StudyConversion, told: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
    """The earliest dateTime of the first of `names` that is there."""
    issues: list[header.Issue] = []
    for name in names:
        found = [times.date_time(each, name, study.config.zone, issues) for each in told]
        known = sorted({each for each in found if each is not None}, key=times.order)
        if known:
            study.told(issues)
            return known[0]
    study.told(issues)
    return None


def _performers(study: StudyConversion, groups: Sequence[Group]) -> list[Json]:
    """Who is named by whatever instance; a machine and its numbers belong together."""
    found: list[Json] = []
    ordered = sorted(groups, key=lambda group: group.first)
    for values in (group.series for group in ordered):
        for each in actors.performers(study, values):
            if each not in found:
                found.append(each)
    return found
