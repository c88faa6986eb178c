"""Measurement reports (TID 1500) → Observations: one for each number or code, one for each group of them.

Groups and measurements are found by their concepts, wherever they stand: software nests them differently.
PS3.16 TID 1410, 1411, 1419, 1501; http://hl7.org/fhir/uv/dicom-sr
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from importers.dicom import codes, uids
from importers.dicom.observation import (
    INSTANCE,
    About,
    add,
    concept_of,
    dcm,
    name_of,
    observation,
    value,
)
from importers.dicom.study import UIDS, StudyConversion
from importers.dicom.tables.facts import DCM, SNOMED
from resources.codec import Json

_GROUP = (DCM, "125007")
_TRACKING, _TRACKING_UID = (DCM, "112039"), (DCM, "112040")
_FINDING, _CATEGORY = (DCM, "121071"), (SNOMED, "276214006")
_SITE, _LATERALITY, _METHOD = (SNOMED, "363698007"), (SNOMED, "272741003"), (SNOMED, "370129005")
_NO_RESULTS = {_FINDING, _CATEGORY, _SITE, _LATERALITY, _METHOD, (DCM, "121401"), (DCM, "121058")}
MOST = 1000
"""Resources of a study"""

Item = Mapping[str, Any]


def observations(study: StudyConversion, about: About) -> None:
    """Drafts of what the report of `about` measures."""
    for path, item in _groups(study, about.content.get("items", ()), ""):
        if len(study.drafts) > MOST:
            study.issue("ContentSequence", f"more than {MOST} results; the first were taken")
            return
        _group(study, about, item, path)


def _groups(study: StudyConversion, items: Sequence[Item], path: str) -> Iterator[tuple[str, Item]]:
    for number, item in enumerate(items, 1):
        here = f"{path}{number}."
        if item.get("ValueType") == "CONTAINER" and name_of(study, item) == _GROUP:
            yield here, item
        else:
            yield from _groups(study, item.get("items", ()), here)


def _group(study: StudyConversion, about: About, group: Item, path: str) -> None:
    children: Sequence[Item] = group.get("items", ())
    named = [(name_of(study, child), child) for child in children]
    common = _common(study, named)
    results = []
    for number, (name, child) in enumerate(named, 1):
        made = _result(study, about, child, name, f"{path}{number}.")
        if made is None:
            continue
        inner = _common(study, [(name_of(study, each), each) for each in child.get("items", ())])
        result = {**made, **{key: each for key, each in {**common, **inner}.items() if key not in made}}
        if tracking := _tracking(named):
            result["extension"] = [*result["extension"], *tracking]
        results.append(study.reference(add(study, result)))
    if not results:
        return
    finding = next((child for name, child in named if name == _FINDING), None)
    category = next((child for name, child in named if name == _CATEGORY), None)
    code = (concept_of(study, category, "ConceptCodeSequence") if category is not None else None) or dcm(
        "125007", "Measurement Group"
    )
    uid = str(group.get("ObservationUID", ""))
    identifier = (
        {"system": UIDS, "value": f"urn:oid:{uid}"} if uid and uids.is_uid(uid) else about.identifier(path)
    )
    whole = {**observation(study, about, identifier, code), **common}
    if tracking := _tracking(named):
        whole["extension"] = [*whole["extension"], *tracking]
    found = concept_of(study, finding, "ConceptCodeSequence") if finding is not None else None
    if found is not None:
        whole["valueCodeableConcept"] = found
    add(study, {**whole, "hasMember": results})


def _result(
    study: StudyConversion, about: About, item: Item, name: tuple[str, str], path: str
) -> Json | None:
    """An Observation of a NUM item, or of a CODE item that says something of the finding."""
    if item.get("ValueType") not in {"NUM", "CODE"} or name in _NO_RESULTS:
        return None
    code = concept_of(study, item, "ConceptNameCodeSequence")
    if code is None:
        study.issue("ConceptNameCodeSequence", "a measurement has no name; it was left out")
        return None
    made = observation(study, about, about.identifier(path), code)
    if item["ValueType"] == "NUM":
        return made | value(study, item)
    told = concept_of(study, item, "ConceptCodeSequence")
    return made | {"valueCodeableConcept": told} if told is not None else None


def _common(study: StudyConversion, named: Sequence[tuple[tuple[str, str], Item]]) -> Json:
    """Site and method, of a group or of one measurement."""
    made: Json = {}
    for name, item in named:
        told = concept_of(study, item, "ConceptCodeSequence")
        if told is None:
            continue
        if name == _SITE:
            made["bodySite"] = _with_side(study, told, item)
        elif name == _METHOD:
            made["method"] = told
    return made


def _with_side(study: StudyConversion, site: Json, item: Item) -> Json:
    """The site; its side as a second coding, and in the text."""
    for each in item.get("items", ()):
        side = (each.get("ConceptCodeSequence") or [{}])[0]
        coded = codes.coding(study, side) if name_of(study, each) == _LATERALITY else None
        if coded is not None:
            text = ", ".join(part for part in (site.get("text", ""), side.get("CodeMeaning", "")) if part)
            return {"coding": [*site.get("coding", ()), coded], **({"text": text} if text else {})}
    return site


def _tracking(named: Sequence[tuple[tuple[str, str], Item]]) -> list[Json]:
    """By what a lesion is known from study to study: not an identifier of this observation of it."""
    found: list[Json] = []
    for name, item in named:
        uid = str(item.get("UID", ""))
        if name == _TRACKING_UID and uids.is_uid(uid):
            found.append(
                {
                    "url": f"{INSTANCE}:tracking",
                    "valueIdentifier": {"system": UIDS, "value": f"urn:oid:{uid}"},
                }
            )
        elif name == _TRACKING and item.get("TextValue"):
            found.append({"url": f"{INSTANCE}:tracking", "valueIdentifier": {"value": item["TextValue"]}})
    return found
