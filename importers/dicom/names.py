"""Names of persons (PN) as HumanName. PS3.5 6.2.1; http://hl7.org/fhir/R4/datatypes.html#HumanName"""

from __future__ import annotations

from collections.abc import Mapping

from importers.dicom.header import Issue
from resources.codec import Json

REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_GROUPS = {"alphabetic": "ABC", "ideographic": "IDE", "phonetic": "SYL"}


def human_names(name: Mapping[str, str], keyword: str, issues: list[Issue]) -> list[Json]:
    """A HumanName for each group; which writing it is in is said where there are others than the alphabetic one."""
    found = []
    told = [group for group in _GROUPS if name.get(group)]
    for group in told:
        made = _human_name(name[group], keyword, issues, western=group == "alphabetic")
        if made is None:
            continue
        if told != ["alphabetic"]:
            made = {"extension": [{"url": REPRESENTATION, "valueCode": _GROUPS[group]}], **made}
        found.append(made)
    return found


def _human_name(text: str, keyword: str, issues: list[Issue], *, western: bool) -> Json | None:
    parts = [" ".join(part.split()) for part in text.split("^")]
    if len(parts) > 5:
        issues.append(Issue(keyword, "has more than five components; the others were left out"))
    family, given, middle, prefix, suffix = (parts + [""] * 5)[:5]
    order = (prefix, given, middle, family, suffix) if western else (prefix, family, given, middle, suffix)
    shown = " ".join(part for part in order if part)
    if not shown:
        return None
    made: Json = {"use": "usual", "text": shown}
    if family:
        made["family"] = family
    if given or middle:
        made["given"] = [part for part in (given, middle) if part]
    if prefix:
        made["prefix"] = [prefix]
    if suffix:
        made["suffix"] = [suffix]
    return made


def shown(name: Mapping[str, str]) -> str:
    """As people write it: the alphabetic group, else the first there is."""
    for group in _GROUPS:
        made = _human_name(name[group], "", [], western=group == "alphabetic") if name.get(group) else None
        if made is not None:
            return str(made["text"])
    return ""
