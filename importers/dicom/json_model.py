"""DICOM JSON as Headers, leniently: what other software makes of it is read wherever it leaves no doubt.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/chapter_F.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from importers.dicom import tags
from importers.dicom.charset import without_controls
from importers.dicom.header import CANNOT_UNDERSTAND, Header, Issue, NotDicom, Refused, header
from importers.dicom.values import MOST_ITEMS, bounded, chosen, clean, integer, name, person

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_TRANSFER_SYNTAX = ("00083002", "00020010")
"""AvailableTransferSyntaxUID, TransferSyntaxUID"""


def datasets(told: Any) -> list[Any]:
    """The data sets in a JSON value: an array of them, or one; raises NotDicom if it is neither."""
    if isinstance(told, dict):
        told = [told]
    if not isinstance(told, list):
        raise NotDicom("A DICOM JSON data set, or an array of them, was expected")
    return told


def read(dataset: Any) -> Header:
    """The Header of one data set; raises NotDicom or Refused."""
    if not isinstance(dataset, dict):
        raise NotDicom("A DICOM JSON data set is an object with tags as names")
    issues: list[Issue] = []
    try:
        values = _values(dataset, tags.ATTRIBUTES, issues)
        syntax = next((text for tag in _TRANSFER_SYNTAX if (text := _first(dataset.get(tag)))), "")
    except RecursionError:
        raise Refused(CANNOT_UNDERSTAND, "Sequences are nested too deeply") from None
    return header(values, issues, syntax)


def _first(element: Any) -> str:
    found = element.get("Value") if isinstance(element, dict) else None
    return found[0] if isinstance(found, list) and found and isinstance(found[0], str) else ""


def _values(
    dataset: Mapping[str, Any], wanted: Iterable[tags.Attribute], issues: list[Issue]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in wanted:
        key = f"{attribute.tag:08X}"
        element = dataset.get(key)
        if element is None:
            element = dataset.get(key.lower(), dataset.get(attribute.keyword))
        if element is None:
            continue
        value = _value(element, attribute, issues)
        if value is not None:
            found[attribute.keyword] = value
    return found


def _value(element: Any, attribute: tags.Attribute, issues: list[Issue]) -> Any:
    if isinstance(element, dict) and ("Value" in element or "vr" in element or not element):
        told = element.get("Value")
    else:
        told = element if isinstance(element, list) else [element]
        issues.append(Issue(attribute.keyword, "is no object with vr and Value; it was taken for its value"))
    if told is None:
        return None
    if not isinstance(told, list):
        issues.append(Issue(attribute.keyword, "Value is no array; it was taken as its only member"))
        told = [told]
    if attribute.vr == "SQ":
        items = [each for each in told[:MOST_ITEMS] if isinstance(each, dict)]
        return clean([_values(item, attribute.inner, issues) for item in items])
    return chosen([_one(each, attribute, issues) for each in told], attribute, issues)


def _one(told: Any, attribute: tags.Attribute, issues: list[Issue]) -> Any:
    if told is None:
        return None
    if attribute.vr == "PN" and isinstance(told, dict):
        groups = {
            group.lower(): without_controls(text)
            for group in _GROUPS
            if isinstance(text := told.get(group), str)
        }
        return name(groups, attribute, issues)
    if isinstance(told, bool | dict | list):
        issues.append(Issue(attribute.keyword, "is of another type than its VR"))
        return None
    text = without_controls(str(told)).strip()
    if not text:
        return None
    if attribute.vr == "IS":
        return integer(text, attribute, issues)
    if attribute.vr == "PN":
        return person(text, attribute, issues)
    return bounded(text, attribute, issues)
