"""Dates and times of partial precision: order, equality and arithmetic as FHIRPath defines them.

A value is its text (`2012`, `2012-05-03`, `2012-05-03T10:00:00.5Z`, `10:00`): what is not written is not known.

http://hl7.org/fhirpath/N1/#datetime-equality
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from math import floor

_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?)?)?(?:T)?(Z|[+-]\d\d:\d\d)?"
)
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?")

Parts = tuple[int | Decimal, ...]


@lru_cache(maxsize=1024)
def date_parts(text: str) -> tuple[Parts, int | None] | None:
    """Year, month, day, hour, minute, second as far as they are written, and the offset from UTC in minutes."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    *fields, zone = match.groups()
    parts = tuple(Decimal(f) if i == 5 else int(f) for i, f in enumerate(fields) if f is not None)
    months = 1 <= parts[1] <= 12 if len(parts) > 1 else True
    days = (
        1 <= parts[2] <= monthrange(int(parts[0]) or 4, int(parts[1]))[1]
        if months and len(parts) > 2
        else True
    )
    return (parts, _offset(zone)) if months and days else None


def time_parts(text: str) -> Parts | None:
    """Hour, minute and second as far as they are written."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    return tuple(Decimal(f) if i == 2 else int(f) for i, f in enumerate(match.groups()) if f is not None)


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return -minutes if zone[0] == "-" else minutes


def compare(left: str, right: str) -> int | None:
    """-1, 0 or 1; None where the precision of one does not say, or one of the two is no date.

    Times of day are compared in UTC; where only one says its offset nothing is known. Dates have no zone.
    """
    if left == right:
        return 0
    one, other = date_parts(left), date_parts(right)
    if one is None or other is None:
        return _compare_times(left, right)
    if one[1] is not None and other[1] is not None:
        return compare_parts(_utc(*one), _utc(*other))
    if one[1] != other[1] and len(one[0]) > 3 and len(other[0]) > 3:
        return None
    order = compare_parts(one[0], other[0])
    return None if order == 0 and one[1] != other[1] else order


def _compare_times(left: str, right: str) -> int | None:
    one, other = time_parts(left), time_parts(right)
    return None if one is None or other is None else compare_parts(one, other)


def compare_parts(left: Parts, right: Parts) -> int | None:
    for mine, theirs in zip(left, right, strict=False):
        if mine != theirs:
            return -1 if mine < theirs else 1
    return 0 if len(left) == len(right) else None


def _utc(parts: Parts, offset: int | None) -> Parts:
    """The same instant in UTC; years at the edge of the calendar stay as they are."""
    if not offset or len(parts) < 4:
        return parts
    year, month, day, hour = (int(p) for p in parts[:4])
    minute = int(parts[4]) if len(parts) > 4 else 0
    days, minutes = divmod(hour * 60 + minute - offset, 24 * 60)
    try:
        moved = date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return parts
    clock = (minutes // 60, minutes % 60)[: len(parts) - 3]
    return (moved.year, moved.month, moved.day, *clock, *parts[5:])


def key(text: str) -> object:
    """What two equal dates have in common, for sets: `…T10:00:00Z` and `…T11:00:00+01:00` have the same key."""
    parsed = date_parts(text)
    return text if parsed is None else (_utc(*parsed), parsed[1] is None)


_SECONDS = {
    "hour": Decimal(3600),
    "minute": Decimal(60),
    "second": Decimal(1),
    "millisecond": Decimal("0.001"),
}


def plus(text: str, amount: Decimal, unit: str) -> str | None:
    """The date or dateTime moved by a calendar duration (`year` … `millisecond`); None where it leaves the calendar.

    http://hl7.org/fhirpath/N1/#datetime-arithmetic
    """
    parsed = date_parts(text)
    if parsed is None:
        return None
    parts, unit = parsed[0], unit.removesuffix("s")
    try:
        if unit in {"year", "month"}:
            moved = _months(parts, int(amount) * (12 if unit == "year" else 1))
        else:
            moved = _seconds(parts, amount, unit)
    except (ValueError, OverflowError):
        return None
    return _text(moved) + _zone(text)


def _zone(text: str) -> str:
    found = re.search(r"T.*([+-]\d\d:\d\d)$", text)
    return found.group(1) if found else "Z" if text.endswith("Z") else ""


def _months(parts: Parts, months: int) -> Parts:
    if len(parts) == 1:
        return (date(int(parts[0]) + int(months / 12), 1, 1).year,)  # ValueError outside the calendar
    year, month = divmod(int(parts[0]) * 12 + int(parts[1]) - 1 + months, 12)
    date(year, 1, 1)  # the same
    if len(parts) == 2:
        return (year, month + 1)
    return (year, month + 1, min(int(parts[2]), monthrange(year, month + 1)[1]), *parts[3:])


def _seconds(parts: Parts, amount: Decimal, unit: str) -> Parts:
    days = {"week": 7, "day": 1}.get(unit)
    if len(parts) < 3:
        whole = int(amount * days) if days else int(amount * _SECONDS[unit] / 86400)
        return _months(parts, int(whole / 365) * 12 if len(parts) == 1 else int(whole / 30))
    day = date(int(parts[0]), int(parts[1]), int(parts[2]))
    if days or len(parts) == 3:
        whole = int(amount) * days if days else int(amount * _SECONDS[unit] / 86400)
        moved = day + timedelta(days=whole)
        return (moved.year, moved.month, moved.day, *parts[3:])
    clock = (*parts[3:], 0, 0)[:3]
    total = clock[0] * 3600 + clock[1] * 60 + clock[2] + amount * _SECONDS[unit]
    passed = floor(total / 86400)
    moved = day + timedelta(days=passed)
    hour, rest = divmod(total - passed * 86400, 3600)
    minute, second = divmod(rest, 60)
    return (moved.year, moved.month, moved.day, *(int(hour), int(minute), second)[: len(parts) - 3])


def _text(parts: Parts) -> str:
    texts = [
        f"{int(p):04}" if i == 0 else f"{p:02}" if i < 5 else _second(Decimal(p)) for i, p in enumerate(parts)
    ]
    day, clock = "-".join(texts[:3]), ":".join(texts[3:])
    return f"{day}T{clock}" if clock else day


def _second(second: Decimal) -> str:
    whole, _, rest = str(second).partition(".")
    return f"{int(whole):02}" + (f".{rest}" if rest else "")
