"""Dates (DA), times (TM) and both (DT) as FHIR has them. PS3.5 6.2; http://hl7.org/fhir/R4/datatypes.html#dateTime

A time needs a zone in FHIR: that of the instance (0008,0201), else that which is configured, else the time is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from importers.dicom.header import Issue
from importers.hl7v2 import times
from resources.datatypes import date_interval

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?", re.ASCII)
_HOUR = re.compile(r"\d{2}", re.ASCII)
_OFFSET = re.compile(r"(?:\+(?:0\d|1[0-4])|-(?:0\d|1[0-2]))[0-5]\d", re.ASCII)
_BIRTH = re.compile(r"\d{4}(?:\.?\d{2}(?:\.?\d{2})?)?", re.ASCII)
_ZONED = re.compile(r"\d[+-]\d{4}$", re.ASCII)
_ANY_ZONE = ZoneInfo("UTC")


def date_time(
    values: Mapping[str, Any], name: str, zone: ZoneInfo | None, issues: list[Issue], time_name: str = ""
) -> str | None:
    """The dateTime of `<name>Date` and `<name>Time`; a date where the time or its zone is not known."""
    told = values.get(f"{name}Date")
    if told is None:
        return None
    day = _DATE.fullmatch(str(told))
    date = times.date("".join(day.groups())) if day else None
    if day is None or date is None or len(date) < 10:
        issues.append(Issue(f"{name}Date", "is no date of the calendar"))
        return None
    time_name = time_name or f"{name}Time"
    clock = values.get(time_name)
    offset = offset_of(values, issues)
    if clock is None or (not offset and zone is None):
        return date
    match = _TIME.fullmatch(str(clock))
    if match is None:
        if _HOUR.fullmatch(str(clock)) is None:
            issues.append(Issue(time_name, "is no time"))
        return date
    hour, minute, second, fraction = match.groups()
    text = f"{''.join(day.groups())}{hour}{minute}{second or '00'}" + (f".{fraction}" if fraction else "")
    made = times.date_time(text + offset, zone or _ANY_ZONE)
    if made is None:
        issues.append(Issue(time_name, "is no time of the day"))
    return made or date


def offset_of(values: Mapping[str, Any], issues: list[Issue]) -> str:
    """TimezoneOffsetFromUTC; empty without one, or with one that is none."""
    told = str(values.get("TimezoneOffsetFromUTC", ""))
    if not told:
        return ""
    if _OFFSET.fullmatch(told) is None or told == "-0000":
        issues.append(Issue("TimezoneOffsetFromUTC", "is no offset between -1200 and +1400"))
        return ""
    return told


def birth_date(told: str, issues: list[Issue]) -> str | None:
    """A date, or what is known of it; None with an issue if nobody living can have been born then."""
    date = times.date(told.replace(".", "")) if _BIRTH.fullmatch(told) else None
    if date is None or not times.is_birth(date):
        issues.append(Issue("PatientBirthDate", "is no date at which a patient can have been born"))
        return None
    return date


def order(date_time_: str) -> tuple[object, str]:
    """What dateTimes are sorted by: when they begin, then how they are written."""
    return date_interval(date_time_).start, date_time_


def moment(told: str, zone: ZoneInfo | None) -> str | None:
    """The dateTime of a DT; its day where neither it nor the configuration names a zone."""
    if zone is None and not _ZONED.search(told):
        return times.date(told)
    return times.date_time(told, zone or _ANY_ZONE)


def is_backwards(start: str, end: str) -> bool:
    """Whether an end comes before its start, so that they are no Period."""
    return times.is_backwards(start, end)
