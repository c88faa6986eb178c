"""Dates and times of HL7 v2 as FHIR has them.

HL7 v2.8.2 chapter 2A.3.22 (DTM): YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ];
http://hl7.org/fhir/R4/datatypes.html#dateTime.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from resources import business_rules
from resources.datatypes import date_interval

_DTM = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{0,9}))?)?)?)?)?)?\s*([+-]\d{2}:?\d{2}|Z)?",
    re.ASCII,
)
_TM = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{0,9}))?)?)?\s*(?:[+-]\d{2}:?\d{2}|Z)?", re.ASCII)
_DASHED = re.compile(
    r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?)?(.*)", re.ASCII
)


@lru_cache(maxsize=4096)
def date_time(text: str, zone: ZoneInfo) -> str | None:
    """A FHIR dateTime of the same precision, or None if the text is no such date.

    Where an hour is said, so are minutes and seconds of FHIR: those left out are 00. A time without zone is in `zone`.
    """
    match = _match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match
    if not hour:
        return _date(year, month, day)
    return _moment(f"{year}{month}{day}", (hour, minute or "00", second or "00"), fraction, offset, zone)


@lru_cache(maxsize=4096)
def date(text: str) -> str | None:
    """A FHIR date: what is said of the time of the day, and of its zone, is left out."""
    match = _match(text)
    return None if match is None else _date(*match[:3])


def instant(text: str, zone: ZoneInfo) -> str | None:
    """A FHIR instant: None if less than a day is said; a day alone begins at its midnight."""
    match = _match(text)
    if match is None or not match[2]:
        return None
    year, month, day, hour, minute, second, fraction, offset = match
    clock = (hour or "00", minute or "00", second or "00")
    return _moment(f"{year}{month}{day}", clock, fraction, offset, zone)


def time(text: str) -> str | None:
    """A FHIR time, which has no zone."""
    match = _TM.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    return f"{hour}:{minute or '00'}:{second or '00'}" + (f".{fraction}" if fraction else "")


def _match(text: str) -> tuple[str, ...] | None:
    text = text.strip()
    match = _DTM.fullmatch(text)
    if match is None and (dashed := _DASHED.fullmatch(text)) is not None:
        match = _DTM.fullmatch("".join(part or "" for part in dashed.groups()))
    return None if match is None else tuple(part or "" for part in match.groups())


def _date(year: str, month: str, day: str) -> str | None:
    if month in ("", "00"):
        return year if year != "0000" else None
    try:
        dt.date(int(year), int(month), int(day) if day not in ("", "00") else 1)
    except ValueError:
        return None
    return f"{year}-{month}" if day in ("", "00") else f"{year}-{month}-{day}"


def _moment(day: str, clock: tuple[str, str, str], fraction: str, offset: str, zone: ZoneInfo) -> str | None:
    hour, minute, second = clock
    following = hour == "24" and minute == "00" and second == "00"
    leap = second == "60"
    clock_hour, clock_second = 0 if following else int(hour), 59 if leap else int(second)
    year, month, date_ = int(day[:4]), int(day[4:6]), int(day[6:])
    try:
        local = dt.datetime(year, month, date_, clock_hour, int(minute), clock_second, tzinfo=zone)
        if following:
            local += dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    written = local.replace(tzinfo=None).isoformat()
    if leap:
        written = written[:-2] + "60"
    said = _offset(offset) if offset else _offset_at(local)
    return None if said is None else written + (f".{fraction}" if fraction else "") + said


def _offset(offset: str) -> str | None:
    """The offset as FHIR writes it; None if there is no such place on earth."""
    if offset == "Z":
        return offset
    sign, hours, minutes = offset[0], int(offset[1:3]), int(offset[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        return None
    return f"{sign}{hours:02}:{minutes:02}"


def _offset_at(local: dt.datetime) -> str:
    """Of the time as clocks showed it: twice shown, the first; never shown, as if the clock had not been changed."""
    offset = local.utcoffset() or dt.timedelta()
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def is_future(moment: str) -> bool:
    """Whether a dateTime lies more than a day ahead: clocks and time zones of senders may be wrong by less."""
    return date_interval(moment).start > dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


def is_backwards(start: str | None, end: str | None) -> bool:
    """Whether a dateTime ends before another begins, so that they are no Period."""
    return bool(start and end and date_interval(end).end <= date_interval(start).start)


def is_birth(date_: str) -> bool:
    """Whether a date can be that of a birth: not in the future, nor more than 150 years ago."""
    today = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    oldest = f"{today.year - business_rules.MAX_AGE:04d}{today.isoformat()[4:]}"
    return oldest[: len(date_)] <= date_ <= today.isoformat()[: len(date_)]
