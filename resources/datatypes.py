"""Dates of any precision, Periods and Timings as intervals of time.

An interval is half open, `start <= t < end`, in UTC and whole milliseconds, as BSON keeps dates. What is open
ended reaches to `MIN` or `MAX`.

http://hl7.org/fhir/R4/datatypes.html#dateTime, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

MIN = datetime(1, 1, 1, tzinfo=UTC)
MAX = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)
_MAX_OFFSET = 14 * 60

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


class Interval(NamedTuple):
    """`start <= t < end`, both aware datetimes in UTC with whole milliseconds."""

    start: datetime
    end: datetime


def date_interval(text: str, zone: tzinfo = UTC) -> Interval:
    """The time a date, dateTime or instant covers: `2024-02` all of February 2024, `…T10:00:00Z` one second.

    Takes what R4 lets a search say too: minutes without seconds. Values without an offset are meant in `zone`.
    A leap second (`:60`) counts as the last second of its minute, so that it stays within its day.
    ValueError with a text for people if it is no date.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(_why_not(text))
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        if hour is None:
            return _days(int(year), int(month) if month else None, int(day) if day else None, zone)
        where = zone if offset is None else _offset(offset)
        seconds = 59 if second == "60" else int(second or 0)
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), seconds, tzinfo=where)
    except ValueError as reason:
        raise ValueError(f"'{text}' is not a date: {reason}") from None
    if second is None:
        return _interval(_utc(local), timedelta(minutes=1))
    if fraction is None:
        return _interval(_utc(local), timedelta(seconds=1))
    digits = fraction[:3]
    local += timedelta(milliseconds=int(digits.ljust(3, "0")))  # stays within its second: no overflow
    return _interval(_utc(local), timedelta(milliseconds=10 ** (3 - len(digits))))


def period_interval(period: Mapping[str, Any], zone: tzinfo = UTC) -> Interval | None:
    """A Period from the start of its start to the end of its end; None if it has neither, or ends before it starts.

    http://hl7.org/fhir/R4/datatypes.html#Period: the end includes all time its precision covers.
    """
    start, end = period.get("start"), period.get("end")
    if start is None and end is None:
        return None
    first = MIN if start is None else date_interval(start, zone).start
    last = MAX if end is None else date_interval(end, zone).end
    return Interval(first, last) if first < last else None


def timing_interval(timing: Mapping[str, Any], zone: tzinfo = UTC) -> Interval | None:
    """The outer limits of a Timing: from its first event or the start of its bounds to the last; None without.

    http://hl7.org/fhir/R4/search.html#date: the details of the schedule are ignored.
    """
    parts = [date_interval(event, zone) for event in timing.get("event", ()) if event is not None]
    bounds = timing.get("repeat", {}).get("boundsPeriod")
    if bounds is not None and (outer := period_interval(bounds, zone)) is not None:
        parts.append(outer)
    return _around(parts)


def interval(type_name: str, value: Any, zone: tzinfo = UTC) -> Interval | None:
    """The time a value of the FHIR type covers; None where it says nothing about time. ValueError: no date."""
    if type_name == "Period":
        return period_interval(value, zone)
    if type_name == "Timing":
        return timing_interval(value, zone)
    return date_interval(value, zone) if isinstance(value, str) else None


def _around(parts: Iterable[Interval]) -> Interval | None:
    inside = list(parts)
    if not inside:
        return None
    return Interval(min(part.start for part in inside), max(part.end for part in inside))


def _days(year: int, month: int | None, day: int | None, zone: tzinfo) -> Interval:
    """Days begin at local midnight, and are not all of 24 hours."""
    first = datetime(year, month or 1, day or 1)  # noqa: DTZ001  only its calendar counts
    if day:
        after = None if (month, day, year) == (12, 31, 9999) else first + timedelta(days=1)
    elif month:
        after = _first_of(year + month // 12, month % 12 + 1)
    else:
        after = _first_of(year + 1, 1)
    start = min(_utc(first.replace(tzinfo=zone)), MAX - _MILLISECOND)
    return Interval(start, MAX if after is None else _utc(after.replace(tzinfo=zone)))


def _first_of(year: int, month: int) -> datetime | None:
    return datetime(year, month, 1) if year <= 9999 else None  # noqa: DTZ001  only its calendar counts


def _interval(start: datetime, length: timedelta) -> Interval:
    start = min(start, MAX - _MILLISECOND)
    return Interval(start, start + length if start < MAX - length else MAX)


def _utc(local: datetime) -> datetime:
    """In UTC; at the edges of the calendar, where the offset leads out of it, the edge."""
    try:
        return local.astimezone(UTC)
    except OverflowError:
        return MIN if local.year == 1 else MAX


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    total = hours * 60 + minutes
    if minutes > 59 or total > _MAX_OFFSET:
        raise ValueError(f"the offset {text} is not between -14:00 and +14:00")
    return timezone(timedelta(minutes=-total if text[0] == "-" else total))


def _why_not(text: str) -> str:
    if re.search(r"T\d\d:\d\d(:\d\d(\.\d+)?)? \d\d:\d\d$", text):
        return f"'{text[:64]}' has a space before its offset: in a URL '+' is written %2B"
    return f"'{text[:64]}' is not a date: expected YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss[.fff]][Z|±hh:mm]"
