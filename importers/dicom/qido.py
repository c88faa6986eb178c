"""QIDO-RS: what a query string asks for, as conditions on values; pure.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_8.3.4.html,
https://dicom.nema.org/medical/dicom/current/output/chtml/part04/sect_C.2.2.2.html (matching)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from resources.outcome import bad_parameter

Of = Literal["study", "series", "instance", "uid"]
"""What an attribute is a value of; `uid`: it names a study, a series or an instance"""

KEYS: dict[str, Of] = {
    "StudyInstanceUID": "uid",
    "SeriesInstanceUID": "uid",
    "SOPInstanceUID": "uid",
    **dict.fromkeys(
        (
            *(
                "StudyDate",
                "StudyTime",
                "AccessionNumber",
                "ReferringPhysicianName",
                "PatientName",
                "PatientID",
            ),
            *("StudyID", "PatientBirthDate", "PatientSex", "StudyDescription", "IssuerOfPatientID"),
        ),
        "study",
    ),
    **dict.fromkeys(
        ("Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined", "StationName"), "series"
    ),
    "ModalitiesInStudy": "series",
    "RequestAttributesSequence.RequestedProcedureID": "series",
    "SOPClassUID": "instance",
    "InstanceNumber": "instance",
}
MOST, DEFAULT = 1000, 100
"""Results in one answer"""
_RANGES = {"DA", "TM"}
_EXACT = {"UI"}
_NUMBERS = {"IS"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute and what it is to be, as a condition of MongoDB's query language on its value."""

    keyword: str
    of: Of
    wanted: dict[str, Any]


@dataclass(slots=True)
class Query:
    """What was asked for."""

    conditions: list[Condition] = field(default_factory=list)
    limit: int = DEFAULT
    offset: int = 0
    warnings: list[str] = field(default_factory=list)

    def of(self, what: Of) -> list[Condition]:
        return [each for each in self.conditions if each.of == what]


def query(pairs: Iterable[tuple[str, str]]) -> Query:
    """FHIRError 400 where it cannot be understood; what is understood and not done is told in `warnings`.

    includefield changes nothing: all that is known is always told.
    """
    found = Query()
    for name, value in pairs:
        if name == "limit":
            found.limit = min(_whole(name, value), MOST)
        elif name == "offset":
            found.offset = _whole(name, value)
        elif name == "includefield":
            _check_fields(value)
        elif name == "fuzzymatching":
            if value not in {"true", "false"}:
                raise bad_parameter(name, "expected true or false")
            if value == "true":
                told = (
                    "The fuzzymatching parameter is not supported. Only literal matching has been performed."
                )
                found.warnings.append(told)
        elif name != "accept":
            _put(found, name, value)
    return found


def _put(found: Query, name: str, value: str) -> None:
    keyword = ".".join(_keyword(name, part) for part in name.split("."))
    of = KEYS.get(keyword)
    if of is None:
        found.warnings.append(
            f"The attribute {keyword} is not supported as a matching key and was not looked at."
        )
        return
    if value in {"", "*"}:
        return
    attribute = keyword.rpartition(".")[2]
    name_of_value = "Modality" if keyword == "ModalitiesInStudy" else keyword
    found.conditions.append(Condition(name_of_value, of, _wanted(name, dictionary_VR(attribute), value)))


def _keyword(name: str, part: str) -> str:
    """Of an attribute by its keyword or its tag."""
    keyword = keyword_for_tag(int(part, 16)) if _TAG.fullmatch(part) else part
    if not keyword or tag_for_keyword(keyword) is None:
        raise bad_parameter(
            name[:64], "is no attribute: expected its keyword, such as PatientID, or its tag, 00100020"
        )
    return keyword


def _wanted(name: str, vr: str, value: str) -> dict[str, Any]:
    if vr in _EXACT:
        return {"$in": [each for each in re.split(r"[,\\]", value) if each]}
    if vr in _RANGES and "-" in value:
        return _range(name, vr, value)
    if vr in _NUMBERS:
        return {"$eq": _whole(name, value)}
    if vr == "DA" and re.fullmatch(r"[0-9]{8}", value) is None:
        raise bad_parameter(name, "expected a date, 20240229, or a range of them, 20240201-20240229")
    if vr == "PN":
        # As literal as other texts, but for case, which DICOM lets a server ignore in names.
        return {"$regex": f"^{_pattern(value)}[\\^= ]*$", "$options": "i"}
    if "*" in value or "?" in value:
        return {"$regex": f"^{_pattern(value)}$"}
    return {"$eq": value}


def _range(name: str, vr: str, value: str) -> dict[str, Any]:
    """`a-b`, `-b` or `a-`; both ends belong to it."""
    first, _, last = value.partition("-")
    form = r"[0-9]{8}" if vr == "DA" else r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
    if not (first or last) or any(each and re.fullmatch(form, each) is None for each in (first, last)):
        raise bad_parameter(name, "expected a range such as 20240201-20240229, 20240201- or -20240229")
    wanted = {"$gte": first} if first else {}
    # A time says less the shorter it is: 12 to the end of its hour.
    return wanted | ({"$lte": last + ("" if vr == "DA" else "~")} if last else {})


def _pattern(value: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in value[:1000])


def _whole(name: str, value: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", value) is None:
        raise bad_parameter(name, "expected a whole number")
    return int(value)


def _check_fields(value: str) -> None:
    for each in value.split(","):
        if each != "all":
            for part in each.split("."):
                _keyword("includefield", part)
