"""Date parameters: the times a value covers against the times a search covers.

Stored as intervals `{s: start, e: end}`, half open, in UTC. In the conditions below the resource's interval is
[s, e), that of the search [a, b). R4 speaks of ranges:

| prefix | R4: the range of the search … | here |
|---|---|---|
| eq | contains the resource's | s >= a and e <= b |
| ne | does not contain it | s < a or e > b |
| gt | the range above it overlaps the resource's | e > b |
| lt | the range below it overlaps | s < a |
| ge | gt or eq | e > b or s >= a |
| le | lt or eq | s < a or e <= b |
| sa | does not overlap, lies wholly before | s >= b |
| eb | does not overlap, lies wholly after | e <= a |
| ap | widened by a tenth of its distance from now, overlaps | s < b and e > a |

http://hl7.org/fhir/R4/search.html#prefix, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_prefix, unescape
from resources import outcome
from resources.datatypes import MAX, MIN, Interval, date_interval, interval
from resources.search_elements import holds_one, types
from resources.search_parameters import SearchParameter

MODIFIERS: tuple[str, ...] = ()

_LENGTHS = {"instant": timedelta(minutes=1), "date": timedelta(days=400), "dateTime": timedelta(days=400)}
"""More than what a value of the type can cover: a second, a year."""

_MILLISECOND = timedelta(milliseconds=1)


def index(type_name: str, value: Any, site: Site) -> list[dict[str, datetime]]:
    """The interval of a date, dateTime, instant, Period or Timing; none if it says nothing about time."""
    try:
        found = interval(type_name, value, site.zone)
    except ValueError:
        return []
    return [] if found is None else [{"s": found.start, "e": found.end}]


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with an interval that one of the clause's values asks for."""
    element = _Element(clause.field, holds_one(clause.parameter), _longest(clause.parameter))
    return _any(_intervals(element, *_asked(clause, value, site)) for value in clause.values)


def instant_condition(clause: Clause, field: str, site: Site) -> Condition:
    """The same over a field that holds one moment, a BSON date: `_lastUpdated`."""
    return _any(_moment(field, *_asked(clause, value, site)) for value in clause.values)


def compared(clause: Clause, operator: str, site: Site) -> Condition:
    """Documents with an interval that overlaps the clause's one value (`po`), or holds all of it (`co`).

    http://hl7.org/fhir/R4/search_filter.html#ops
    """
    _, (a, b) = _asked(clause, clause.values[0], site)
    before, after = (a, b) if operator == "co" else (b, a)
    starts, ends = ("$lte", "$gte") if operator == "co" else ("$lt", "$gt")
    both: Condition = {"s": {starts: before}, "e": {ends: after}}
    element = _Element(clause.field, holds_one(clause.parameter), None)
    return {**{f"{clause.field}.{name}": bound for name, bound in both.items()}, **_same(element, both)}


@dataclass(frozen=True, slots=True)
class _Element:
    """Where the intervals lie, whether there is at most one, and how long they can be, where there is a limit."""

    field: str
    single: bool
    longest: timedelta | None


@cache
def _longest(parameter: SearchParameter) -> timedelta | None:
    lengths = [
        _LENGTHS.get(name) for base in parameter.base for name in types(parameter, base) or {"unknown"}
    ]
    known = [each for each in lengths if each is not None]
    return max(known) if known and len(known) == len(lengths) else None


def _any(conditions: Any) -> Condition:
    alternatives: list[Condition] = list(conditions)
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}


def _asked(clause: Clause, value: str, site: Site) -> tuple[str, Interval]:
    prefix, text = split_prefix(unescape(value))
    try:
        asked = date_interval(text, site.zone)
    except ValueError as reason:
        said = f"{reason}, after one of the prefixes eq ne gt lt ge le sa eb ap or none"
        raise outcome.bad_parameter(clause.name, said) from None
    return prefix, _widened(asked, site.clock()) if prefix == "ap" else asked


def _widened(asked: Interval, now: datetime) -> Interval:
    """http://hl7.org/fhir/R4/search.html#prefix: ap should be 10 % of the gap between now and the date."""
    gap = max(asked.start - now, now - asked.end, timedelta()) // 10
    gap -= timedelta(microseconds=gap.microseconds % 1000)
    start = asked.start - gap if asked.start - MIN > gap else MIN
    return Interval(start, asked.end + gap if MAX - asked.end > gap else MAX)


def _intervals(element: _Element, prefix: str, asked: Interval) -> Condition:
    """Bounds on one field that an index can follow come first; the rest is for what they cannot tell."""
    a, b = asked
    start, end = f"{element.field}.s", f"{element.field}.e"
    if prefix == "eq":
        return {
            start: {"$gte": a, "$lt": b},
            end: {"$gt": a, "$lte": b},
            **_same(element, {"s": {"$gte": a}, "e": {"$lte": b}}),
        }
    if prefix == "ap":
        return {start: {"$lt": b}, end: {"$gt": a}, **_same(element, {"s": {"$lt": b}, "e": {"$gt": a}})}
    if prefix == "ne":
        return {"$or": [{start: {"$lt": a}}, {end: {"$gt": b}}]}
    if prefix == "ge":
        return {**_ends_after(element, a), "$or": [{end: {"$gt": b}}, {start: {"$gte": a}}]}
    if prefix == "le":
        return {start: {"$lt": b}, "$or": [{start: {"$lt": a}}, {end: {"$lte": b}}]}
    if prefix == "gt":
        return _ends_after(element, b)
    if prefix == "lt":
        return {start: {"$lt": a}}
    return {start: {"$gte": b}} if prefix == "sa" else {start: {"$lt": a}, end: {"$lte": a}}


def _ends_after(element: _Element, moment: datetime) -> Condition:
    """Of what cannot be long the start is known, too: an index is sorted by it."""
    ends: Condition = {f"{element.field}.e": {"$gt": moment}}
    if element.longest is not None and moment - MIN > element.longest:
        ends[f"{element.field}.s"] = {"$gt": moment - element.longest}
    return ends


def _same(element: _Element, both: Condition) -> Condition:
    """Of several intervals (a list of two or more), one has to meet both bounds."""
    if element.single:
        return {}
    field = element.field
    return {"$or": [{f"{field}.1": {"$exists": False}}, {field: {"$elemMatch": both}}]}


def _moment(field: str, prefix: str, asked: Interval) -> Condition:
    """As `_intervals`, for s = the moment and e = a millisecond later."""
    a, b = asked
    conditions: dict[str, Condition] = {
        "eq": {field: {"$gte": a, "$lt": b}},
        "ap": {field: {"$gte": a, "$lt": b}},
        "ne": {"$or": [{field: {"$lt": a}}, {field: {"$gte": b}}]},
        "gt": {field: {"$gte": b}},
        "sa": {field: {"$gte": b}},
        "lt": {field: {"$lt": a}},
        "eb": {field: {"$lt": a}},
        "ge": {field: {"$gte": a}},
        "le": {field: {"$lt": b}},
    }
    return conditions[prefix]
