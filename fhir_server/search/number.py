"""Number parameters: the values an element has against the number of a search.

Stored as `{lo, hi}`, closed bounds; `hi` only where it differs. In the conditions below the resource's values are
[lo, hi], the digits of the search stand for [a, b), and x is its number itself: with the comparing prefixes the
digits do not count.

| prefix | here |
|---|---|
| eq | lo >= a and hi < b |
| ne | lo < a or hi >= b |
| gt, sa | hi > x, lo > x |
| lt, eb | lo < x, hi < x |
| ge, le | hi >= x, lo <= x |
| ap | widened to a tenth of x on both sides, overlaps |

http://hl7.org/fhir/R4/search.html#number, http://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_server.search.clause import Clause
from fhir_server.search.site import Condition, Site
from fhir_server.search.values import split_prefix, unescape
from resources import outcome
from resources.number import EXACT, Asked, Bounds, asked_number, number_bounds
from resources.search_elements import holds_one

MODIFIERS: tuple[str, ...] = ()

Build = Callable[[str], Condition]
"""The condition on one stored interval, given what stands before the names of its members."""


def index(type_name: str, value: Any, site: Site) -> list[dict[str, Any]]:
    """The value of an integer or decimal; nothing for other types."""
    bounds = number_bounds(value)
    return [] if bounds is None else [stored(bounds)]


def stored(bounds: Bounds) -> dict[str, Any]:
    low, high = bounds
    return {"lo": low} if low == high else {"lo": low, "hi": high}


def condition(clause: Clause, site: Site) -> Condition:
    """Documents with a number that one of the clause's values asks for."""
    return any_condition([_one(clause, value) for value in clause.values])


def _one(clause: Clause, value: str) -> Condition:
    prefix, text = split_prefix(unescape(value))
    asked = asked_for(clause, prefix, text)
    return on_one(clause, lambda before: within(f"{before}lo", f"{before}hi", prefix, asked))


def any_condition(alternatives: list[Condition]) -> Condition:
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}


def asked_for(clause: Clause, prefix: str, text: str) -> Asked:
    """What a number stands for after the prefix; FHIRError 400 if it is none."""
    try:
        asked = asked_number(text)
    except ValueError as reason:
        said = f"{reason}, after one of the prefixes eq ne gt lt ge le sa eb ap or none"
        raise outcome.bad_parameter(clause.name, said) from None
    if prefix != "ap":
        return asked
    x, a, b = asked
    gap = EXACT.divide(abs(x), Decimal(10))
    return Asked(x, min(a, EXACT.subtract(x, gap)), max(b, EXACT.add(x, gap)))


def on_one(clause: Clause, build: Build) -> Condition:
    """A field that holds one interval, or a list of several of which one meets the whole condition."""
    field = clause.field
    if holds_one(clause.parameter):
        return build(f"{field}.")
    alone: Condition = {"$and": [{f"{field}.1": {"$exists": False}}, build(f"{field}.")]}
    return {"$or": [alone, {field: {"$elemMatch": build("")}}]}


def within(low: str, high: str, prefix: str, asked: Asked) -> Condition:
    """The condition on an interval stored in two members, of which `high` is absent where it is the same."""
    x, a, b = asked
    if prefix == "ap":
        return {low: {"$lt": b}, "$or": [{low: {"$gte": a}}, {high: {"$gte": a}}]}
    conditions: dict[str, Condition] = {
        "eq": {low: {"$gte": a, "$lt": b}, high: {"$not": {"$gte": b}}},
        "ne": {"$or": [{low: {"$lt": a}}, {low: {"$gte": b}}, {high: {"$gte": b}}]},
        "gt": {"$or": [{low: {"$gt": x}}, {high: {"$gt": x}}]},
        "ge": {"$or": [{low: {"$gte": x}}, {high: {"$gte": x}}]},
        "lt": {low: {"$lt": x}},
        "le": {low: {"$lte": x}},
        "sa": {low: {"$gt": x}},
        "eb": {low: {"$lt": x}, high: {"$not": {"$gte": x}}},
    }
    return conditions[prefix]
