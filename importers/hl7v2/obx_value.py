"""OBX-5 by its type, OBX-2, with the units of OBX-6: Observation.value[x].

What is not of the type it claims to be is kept as text and told. HL7 v2.8.2 chapter 7.4.2.5;
http://hl7.org/fhir/uv/v2mappings, OBX[Observation].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import datatypes, times
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.periods import span
from importers.hl7v2.units import unit_of
from resources.codec import Json

_COMPARED = re.compile(r"(<=|>=|<|>|≤|≥)\s*(\S+)")
_COMPARATORS: Mapping[str, str] = MappingProxyType({"≤": "<=", "≥": ">="})

Value_ = tuple[str, object]


def elements(conversion: Conversion, obx: Segment) -> Json:
    """`{"valueQuantity": …}`, `{"component": […]}` for several, `{}` where OBX-5 says nothing."""
    kind = obx.text(2)
    if kind in _TEXT or not kind:
        text = text_of(obx)
        return {"valueString": text} if text else {}
    values = obx.values(5)
    if not values:
        return {}
    convert = _TYPES.get(kind, _as_text)
    found = [pair for value in values if (pair := convert(conversion, value, obx))[1] != ""]
    if not found:
        return {}
    if len(found) == 1:
        name, content = found[0]
        return {name: content}
    code = datatypes.codeable_concept(conversion, obx.value(3)) or UNKNOWN_CODE
    return {"component": [{"code": code, name: content} for name, content in found]}


def text_of(obx: Segment) -> str:
    """OBX-5 as text: its repetitions are lines."""
    lines = obx.raw(5).split(obx.delimiters.repetition)
    unescape = obx.delimiters.unescape
    return "\n".join("" if line == '""' else unescape(line).rstrip() for line in lines).strip("\r\n")


UNKNOWN_CODE: Json = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]
}


def _quantity(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    text = value.text()
    unit = unit_of(conversion, obx)
    found = datatypes.decimal(text)
    if found is not None:
        return "valueQuantity", {"value": found, **unit}
    compared = _COMPARED.fullmatch(text)
    if compared is not None and (found := datatypes.decimal(compared[2])) is not None:
        comparator = _COMPARATORS.get(compared[1], compared[1])
        return "valueQuantity", {"value": found, "comparator": comparator, **unit}
    return _not_of_its_type(conversion, value, obx, "a number")


def _structured(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    """SN: comparator, number, separator or suffix, number."""
    comparator, first, separator, second = (value.text(component) for component in (1, 2, 3, 4))
    low, high = datatypes.decimal(first), datatypes.decimal(second)
    unit = unit_of(conversion, obx)
    if comparator != "<>" and low is not None:
        if separator == "-" and high is not None and low <= high:
            return "valueRange", {"low": {"value": low, **unit}, "high": {"value": high, **unit}}
        if separator in (":", "/") and high is not None:
            numerator: Json = {"value": low, **unit}
            if comparator in _OPERATORS:
                numerator["comparator"] = comparator
            return "valueRatio", {"numerator": numerator, "denominator": {"value": high, **unit}}
        if not separator and not second and comparator in ("", "=", *_OPERATORS):
            quantity: Json = {"value": low, **unit}
            if comparator in _OPERATORS:
                quantity["comparator"] = comparator
            return "valueQuantity", quantity
    said = " ".join(part for part in (comparator, first, separator, second, unit.get("unit", "")) if part)
    return "valueString", said


_OPERATORS = frozenset({"<", "<=", ">", ">="})


def _coded(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    concept = datatypes.codeable_concept(conversion, value)
    return ("valueCodeableConcept", concept) if concept else _as_text(conversion, value, obx)


def _date_time(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    found = times.date_time(value.text(), conversion.config.zone)
    return ("valueDateTime", found) if found else _not_of_its_type(conversion, value, obx, "a date")


def _time(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    found = times.time(value.text())
    return ("valueTime", found) if found else _not_of_its_type(conversion, value, obx, "a time")


def _period(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    zone = conversion.config.zone
    found = span(times.date_time(value.text(1), zone), times.date_time(value.text(2), zone))
    return ("valuePeriod", found) if found else _not_of_its_type(conversion, value, obx, "a period")


def _range(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    unit = unit_of(conversion, obx)
    bounds = {"low": datatypes.decimal(value.text(1)), "high": datatypes.decimal(value.text(2))}
    found = {name: {"value": bound, **unit} for name, bound in bounds.items() if bound is not None}
    low, high = bounds.values()
    if not found or (low is not None and high is not None and low > high):
        return _not_of_its_type(conversion, value, obx, "a range")
    return "valueRange", found


def _as_text(conversion: Conversion, value: Value, obx: Segment) -> Value_:
    return "valueString", value.formatted().strip()


def _not_of_its_type(conversion: Conversion, value: Value, obx: Segment, expected: str) -> Value_:
    told = f"OBX-2 says {obx.text(2)}, but the value is not {expected}; it was kept as text"
    conversion.issue(value.place, told, DATA_TYPE_ERROR)
    text = value.formatted().strip()
    unit = unit_of(conversion, obx).get("unit", "") if any(each.isdigit() for each in text) else ""
    return "valueString", f"{text} {unit}".rstrip()


_TEXT = frozenset({"ST", "TX", "FT", "GTS", "VR"})

_TYPES: Mapping[str, Callable[[Conversion, Value, Segment], Value_]] = MappingProxyType(
    {
        "NM": _quantity,
        "SI": _quantity,
        "SN": _structured,
        "CE": _coded,
        "CWE": _coded,
        "CNE": _coded,
        "CF": _coded,
        "IS": _coded,
        "DT": _date_time,
        "DTM": _date_time,
        "TS": _date_time,
        "TM": _time,
        "DR": _period,
        "NR": _range,
    }
)
"""OBX-2 → what makes the value; all others are text"""
