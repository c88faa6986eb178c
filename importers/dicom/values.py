"""Values of attributes as plain Python, from the text that a file or DICOM JSON has of them. PS3.5 6.2"""

from __future__ import annotations

import re
from typing import Any

from importers.dicom.header import Issue
from importers.dicom.tags import LISTS, Attribute

MOST_ITEMS = 100
_MOST_VALUES = 100
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?", re.ASCII)
_LONGEST = {"PN": 324, "LO": 1024, "SH": 1024, "CS": 64, "ST": 1024, "LT": 10_240, "UT": 10_240, "UC": 10_240}
"""Characters; of a PN those of one group (five components of 64). Longer ones were never meant."""
_ONE_TEXT = {"ST", "LT", "UT"}
_GROUPS = ("alphabetic", "ideographic", "phonetic")


def parsed(text: str, attribute: Attribute, issues: list[Issue]) -> Any:
    """The value of a text with backslashes between values; None if it is empty."""
    if attribute.vr in _ONE_TEXT:
        found = [text.rstrip("\0 ").strip()]
    elif "\\" in text:
        found = [each.strip("\0 \r\n\t") for each in text.split("\\")]
    else:
        found = [text.strip("\0 \r\n\t")]
    return chosen([_one(each, attribute, issues) for each in found if each], attribute, issues)


def chosen(found: list[Any], attribute: Attribute, issues: list[Issue]) -> Any:
    """All values where there may be several, else the first; None if there is none."""
    found = [each for each in found if each is not None and each != {}]
    if not found:
        return None
    if attribute.keyword in LISTS:
        return found[:_MOST_VALUES]
    if len(found) > 1:
        issues.append(Issue(attribute.keyword, "has several values; the first was taken"))
    return found[0]


def _one(text: str, attribute: Attribute, issues: list[Issue]) -> Any:
    if attribute.vr == "IS":
        return integer(text, attribute, issues)
    if attribute.vr == "PN":
        return person(text, attribute, issues)
    return bounded(text, attribute, issues)


def integer(text: str, attribute: Attribute, issues: list[Issue]) -> int | None:
    """An IS as a number."""
    if _INTEGER.fullmatch(text.strip()) is None:
        issues.append(Issue(attribute.keyword, "is no integer"))
        return None
    return int(text.strip().partition(".")[0])


def bounded(text: str, attribute: Attribute, issues: list[Issue]) -> str:
    """A text, cut where no text of its kind is that long."""
    longest = _LONGEST.get(attribute.vr, 256)
    if len(text) <= longest:
        return text
    issues.append(Issue(attribute.keyword, f"is longer than {longest} characters and was cut"))
    return text[:longest].rstrip()


def person(text: str, attribute: Attribute, issues: list[Issue]) -> dict[str, str]:
    """One name with `=` between its groups."""
    return name(dict(zip(_GROUPS, text.split("=", 2), strict=False)), attribute, issues)


def name(groups: dict[str, str], attribute: Attribute, issues: list[Issue]) -> dict[str, str]:
    """A PN by its groups, without those that say nothing."""
    made = {}
    for group, text in groups.items():
        kept = bounded(text.strip().rstrip("^").rstrip(), attribute, issues)
        if kept.strip("^= "):
            made[group] = kept
    return made


def clean(items: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Items that say something; None if there are none."""
    return [item for item in items if item] or None
