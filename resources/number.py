"""Numbers, Quantities and Ranges as intervals of exact decimals that MongoDB can compare.

Bounds are closed, `low <= x <= high`, of at most 34 digits as Decimal128 has them; what is open ended reaches to an
infinity, and an excluded bound is the next number inside.

http://hl7.org/fhir/R4/search.html#number, http://hl7.org/fhir/R4/datatypes.html#Quantity
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, capitals=1, clamp=1, traps=[])
"""Decimal128's own arithmetic; what is too large for it is infinite."""

INFINITY = Decimal("Infinity")

_NUMBER = re.compile(r"([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_MOST_OF_SAMPLES = 64 * 1024
"""Characters of SampledData that are read: longer series are not found by their values."""


class Bounds(NamedTuple):
    """`low <= x <= high`."""

    low: Decimal
    high: Decimal


class Asked(NamedTuple):
    """A number of a search: `value` itself, and what its digits stand for, `start <= x < end`."""

    value: Decimal
    start: Decimal
    end: Decimal


def asked_number(text: str) -> Asked:
    """What a number in a search means: `100` is 99.5 to 100.5, `100.00` is 99.995 to 100.005, `1e2` is 95 to 105.

    The last digit that is written is uncertain by half of itself. R4's own example of a whole number with exponent
    reads it as if one more digit, a zero, were there. ValueError with a text for people if it is no number.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text[:64]}' is not a number: expected digits, such as 5.4, -100 or 5.40e-3")
    sign, whole, fraction, exponent = match.groups()
    power = int(exponent or 0)
    value = Decimal(f"{sign}{whole}.{fraction or 0}").scaleb(power, EXACT)
    last = power - len(fraction) if fraction else power - (exponent is not None)
    half = Decimal(5).scaleb(last - 1, EXACT)
    return Asked(value, EXACT.subtract(value, half), EXACT.add(value, half))


def number_bounds(value: Any) -> Bounds | None:
    """An integer or decimal as it is: a search's digits tell a range, a resource's do not."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    exact = EXACT.plus(Decimal(value))
    return Bounds(exact, exact)


def quantity_bounds(quantity: Mapping[str, Any]) -> Bounds | None:
    """The values a Quantity stands for: with comparator `<` all below.

    http://hl7.org/fhir/R4/datatypes-definitions.html#Quantity.comparator
    """
    bounds = number_bounds(quantity.get("value"))
    comparator = quantity.get("comparator")
    if bounds is None or comparator is None:
        return bounds
    value = bounds.low
    if comparator == "<":
        return Bounds(-INFINITY, EXACT.next_minus(value))
    if comparator == "<=":
        return Bounds(-INFINITY, value)
    if comparator == ">=":
        return Bounds(value, INFINITY)
    return Bounds(EXACT.next_plus(value), INFINITY) if comparator == ">" else bounds


def sampled_bounds(sampled: Mapping[str, Any]) -> Bounds | None:
    """From the smallest to the largest value of SampledData, in the unit of its origin; None without values.

    http://hl7.org/fhir/R4/datatypes.html#SampledData
    """
    data = sampled.get("data")
    origin = number_bounds(sampled.get("origin", {}).get("value"))
    if not isinstance(data, str) or origin is None or len(data) > _MOST_OF_SAMPLES:
        return None
    points = [Decimal(each) for each in data.split() if _NUMBER.fullmatch(each)]
    if not points:
        return None
    factor = Decimal(sampled.get("factor", 1))
    ends = [EXACT.fma(factor, point, origin.low) for point in (min(points), max(points))]
    return Bounds(min(ends), max(ends))
