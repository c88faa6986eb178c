"""Quantity and timing of orders: TQ1, and TQ (ORC-7, OBR-27) of older versions, as Timing, priority and the like.

http://hl7.org/fhir/uv/v2mappings, maps TQ1[ServiceRequest], TQ[MedicationRequest], RPT[Timing];
http://hl7.org/fhir/R4/datatypes.html#Timing; table 0335 (repeat patterns).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from importers.hl7v2 import datatypes, times
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.periods import span
from importers.hl7v2.units import UCUM
from resources.codec import Json

_ABBREVIATIONS = frozenset(
    {"BID", "TID", "QID", "AM", "PM", "QD", "QOD", "Q1H", "Q2H", "Q3H", "Q4H", "Q6H", "Q8H"}
)
"""Of http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"""
_ABBREVIATION = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
_EVERY = re.compile(r"Q(\d{1,4})([SMHDWL])", re.ASCII)
_WEEKDAYS = re.compile(r"Q\d*J([1-7]+)", re.ASCII)
_TIMES = re.compile(r"(\d{1,2})ID", re.ASCII)
_LASTING = re.compile(r"X?([SMHDWLT])(\d{1,6})|X?(\d{1,6})([SMHDWLT])", re.ASCII)
_UNITS: Mapping[str, str] = MappingProxyType({"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"})
_SPELLED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
        **dict.fromkeys(("min", "m", "minute", "minutes"), "min"),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
        **dict.fromkeys(("d", "day", "days"), "d"),
        **dict.fromkeys(("wk", "w", "week", "weeks"), "wk"),
        **dict.fromkeys(("mo", "month", "months", "l"), "mo"),
        **dict.fromkeys(("a", "y", "yr", "year", "years"), "a"),
    }
)
_MOST = 1_000_000
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAILY: Mapping[str, int] = MappingProxyType(
    {"BID": 2, "TID": 3, "QID": 4, "QD": 1, "QAM": 1, "QPM": 1, "DAILY": 1}
)
_WHEN: Mapping[str, str] = MappingProxyType(
    {
        "QHS": "HS",
        "HS": "HS",
        "QAM": "MORN",
        "QPM": "AFT",
        "AC": "AC",
        "PC": "PC",
        "ACM": "ACM",
        "ACD": "ACD",
        "ACV": "ACV",
        "PCM": "PCM",
        "PCD": "PCD",
        "PCV": "PCV",
        "IC": "C",
    }
)


@dataclass(slots=True)
class Told:
    """What one TQ1 or TQ says."""

    quantity: Value
    patterns: list[str]
    clock: list[str]
    duration: Value
    start: Value
    end: Value
    priority: str
    condition: str = ""
    instruction: str = ""
    lasting: Value | None = None
    count: str = ""


@dataclass(slots=True)
class Schedule:
    """What all of them say together."""

    timing: Json = field(default_factory=dict)
    start: str | None = None
    end: str | None = None
    priority: str = ""
    as_needed: bool = False
    quantity: Value | None = None
    instructions: list[str] = field(default_factory=list)


def of_segment(tq1: Segment) -> Told:
    patterns = [pattern for value in tq1.values(3) if (pattern := value.text(1) or value.text(1, 2))]
    clock = [value.text() for value in tq1.values(4)]
    one = tq1.value
    return Told(
        one(2),
        patterns,
        clock,
        one(6),
        one(7),
        one(8),
        tq1.text(9),
        tq1.text(10),
        tq1.text(11),
        one(13),
        tq1.text(14),
    )


def of_value(tq: Value) -> Told:
    """The components of a TQ."""
    interval = tq.component(2)
    part = tq.component
    patterns = [interval.text(1)] if interval.text(1) else []
    clock = [each for each in interval.text(2).split(",") if each]
    return Told(
        part(1),
        patterns,
        clock,
        part(3),
        part(4),
        part(5),
        tq.text(6),
        tq.text(7),
        tq.text(8),
        part(11),
        tq.text(12),
    )


def told(timings: Sequence[Segment], *older: tuple[Segment | None, int]) -> list[Told]:
    """TQ1 where there are some, else the first field of type TQ that says something: ORC-7, OBR-27, RXE-1."""
    if timings:
        return [of_segment(tq1) for tq1 in timings]
    for segment, number in older:
        if segment is not None and segment.raw(number):
            return [of_value(value) for value in segment.values(number)]
    return []


def schedule(conversion: Conversion, parts: Sequence[Told]) -> Schedule:
    """The first part says when and how often; instructions are of all of them."""
    found = Schedule()
    for part in parts:
        found.instructions += [text for text in (part.condition, part.instruction) if text]
        found.priority = found.priority or part.priority
        found.quantity = found.quantity or (part.quantity or None)
        found.as_needed = found.as_needed or any("PRN" in pattern.upper() for pattern in part.patterns)
        if not found.timing and found.start is None:
            _add_times(conversion, part, found)
    return found


def _add_times(conversion: Conversion, part: Told, found: Schedule) -> None:
    found.start = datatypes.date_time(conversion, part.start) if part.start else None
    found.end = datatypes.date_time(conversion, part.end) if part.end else None
    repeat: Json = {}
    for pattern in part.patterns:
        _add_pattern(pattern.upper(), repeat)
    if clock := [time for text in part.clock if (time := times.time(text)) is not None]:
        repeat.pop("when", None)
        repeat["timeOfDay"] = clock
    if (lasting := _duration(part.lasting)) is not None:
        repeat["duration"], repeat["durationUnit"] = lasting
    if part.count.isdecimal() and 0 < int(part.count) < _MOST:
        repeat["count"] = int(part.count)
    timing: Json = {}
    if repeat or any(part.patterns) or part.duration:
        bounds = span(found.start, found.end)
        if (lasting := _duration(part.duration)) is not None and not found.end:
            value, unit = lasting
            repeat = {
                "boundsDuration": {"value": value, "unit": unit, "system": UCUM, "code": unit},
                **repeat,
            }
        elif bounds:
            repeat = {"boundsPeriod": bounds, **repeat}
        if repeat:
            timing["repeat"] = repeat
    if part.patterns:
        timing["code"] = _code(part.patterns)
    if timing:
        found.timing = timing


def _add_pattern(pattern: str, repeat: Json) -> None:
    if every := _EVERY.fullmatch(pattern):
        if int(every[1]):
            repeat |= {"frequency": 1, "period": int(every[1]), "periodUnit": _UNITS[every[2]]}
    elif weekdays := _WEEKDAYS.fullmatch(pattern):
        repeat["dayOfWeek"] = [_DAYS[int(day) - 1] for day in dict.fromkeys(weekdays[1])]
    elif pattern == "QOD":
        repeat |= {"frequency": 1, "period": 2, "periodUnit": "d"}
    elif pattern in ("ONCE", "1XONLY"):
        repeat["count"] = 1
    elif pattern in _DAILY:
        repeat |= {"frequency": _DAILY[pattern], "period": 1, "periodUnit": "d"}
    elif (often := _TIMES.fullmatch(pattern)) and int(often[1]):
        repeat |= {"frequency": int(often[1]), "period": 1, "periodUnit": "d"}
    if pattern in _WHEN:
        repeat["when"] = [_WHEN[pattern]]


def _code(patterns: Sequence[str]) -> Json:
    name = patterns[0].upper()
    if len(patterns) == 1 and name in _ABBREVIATIONS:
        return {"coding": [{"system": _ABBREVIATION, "code": name}], "text": patterns[0]}
    return {"text": ", ".join(patterns)}


def _duration(value: Value | None) -> tuple[object, str] | None:
    """A number and a unit of UCUM: of `10^min`, or of `D10` and `X7D` of older versions."""
    if not value:
        return None
    written = value.text(1)
    number = datatypes.decimal(written)
    if number is not None and number >= 0:
        unit = _SPELLED.get(value.text(2).lower())
        return (number, unit) if unit else None
    lasting = _LASTING.fullmatch(written.upper())
    if lasting is None:
        return None
    letter, amount = (lasting[1], lasting[2]) if lasting[1] else (lasting[4], lasting[3])
    return (int(amount), _UNITS[letter]) if letter in _UNITS else None
