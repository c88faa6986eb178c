"""PID-10 and PID-22 → the US Core extensions of race and ethnicity, where they are coded as the CDC does.

http://hl7.org/fhir/us/core/StructureDefinition/us-core-race, …/us-core-ethnicity; what is not coded so is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from importers.hl7v2.er7 import Value
from resources.codec import Json

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_CDC = "urn:oid:2.16.840.1.113883.6.238"
_RACES = frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3"})
_ETHNICITIES = frozenset({"2135-2", "2186-5"})
_TABLE_0189 = {"H": ("2135-2", "Hispanic or Latino"), "N": ("2186-5", "Not Hispanic or Latino")}
_CODE = re.compile(r"\d{4}-\d")


def race(values: Sequence[Value]) -> list[Json]:
    """One extension for all of PID-10, or none."""
    told = [(value.text(1), value.text(2)) for value in values]
    return _extension("race", told, _RACES, at_most=5)


def ethnicity(values: Sequence[Value]) -> list[Json]:
    """One extension for all of PID-22, or none."""
    told = [_TABLE_0189.get(value.text(1), (value.text(1), value.text(2))) for value in values]
    return _extension("ethnicity", told, _ETHNICITIES, at_most=1)


def _extension(
    name: str, told: Iterable[tuple[str, str]], categories: frozenset[str], at_most: int
) -> list[Json]:
    parts: list[Json] = []
    texts = []
    for code, display in told:
        texts.append(display or code)
        if not _CODE.fullmatch(code):
            continue
        coding = {"system": _CDC, "code": code}
        if display:
            coding["display"] = display
        category = code in categories and sum(each["url"] == "ombCategory" for each in parts) < at_most
        parts.append({"url": "ombCategory" if category else "detailed", "valueCoding": coding})
    text = ", ".join(each for each in texts if each)
    if not text:
        return []
    parts.append({"url": "text", "valueString": text})
    return [{"url": f"{_US_CORE}{name}", "extension": parts}]
