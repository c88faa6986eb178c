"""http://hl7.org/fhir/R4/search.html#number"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.number import (
    EXACT,
    INFINITY,
    Bounds,
    asked_number,
    number_bounds,
    quantity_bounds,
    sampled_bounds,
)


@pytest.mark.parametrize(
    ("text", "value", "start", "end"),
    [
        ("100", "100", "99.5", "100.5"),
        ("100.00", "100", "99.995", "100.005"),
        ("1e2", "100", "95", "105"),
        ("5.4", "5.4", "5.35", "5.45"),
        ("5.40", "5.4", "5.395", "5.405"),
        ("5.40e-3", "0.0054", "0.005395", "0.005405"),
        ("1.1E2", "110", "105", "115"),
        ("-100", "-100", "-100.5", "-99.5"),
        ("+7", "7", "6.5", "7.5"),
        ("0", "0", "-0.5", "0.5"),
    ],
)
def test_the_digits_tell_a_range(text: str, value: str, start: str, end: str) -> None:
    asked = asked_number(text)
    assert (asked.value, asked.start, asked.end) == (Decimal(value), Decimal(start), Decimal(end))


@pytest.mark.parametrize(
    "text", ["", "x", "1,5", ".5", "5.", "1e", "NaN", "Infinity", "--1", "1e9999", "٣", "9" * 61]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number: expected digits"):
        asked_number(text)


@given(st.integers(-(10**40), 10**40), st.integers(0, 30))
def test_a_number_lies_inside_what_it_stands_for(digits: int, places: int) -> None:
    asked = asked_number(format(Decimal(digits).scaleb(-places), "f"))
    assert asked.start <= asked.value <= asked.end


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (5, ("5", "5")),
        (Decimal("5.40"), ("5.4", "5.4")),
        (Decimal("1e7000"), ("Infinity", "Infinity")),
        (Decimal("1." + "3" * 50), ("1." + "3" * 33, "1." + "3" * 33)),
        (True, None),
        ("5", None),
        (None, None),
    ],
)
def test_a_number_of_a_resource_is_itself(value: Any, bounds: tuple[str, str] | None) -> None:
    assert number_bounds(value) == (None if bounds is None else Bounds(*map(Decimal, bounds)))


def test_a_comparator_opens_an_end() -> None:
    five = Decimal(5)

    def bounds(comparator: str) -> Bounds | None:
        return quantity_bounds({"value": five, "comparator": comparator})

    assert bounds("<") == Bounds(-INFINITY, EXACT.next_minus(five))
    assert bounds("<=") == Bounds(-INFINITY, five)
    assert bounds(">=") == Bounds(five, INFINITY)
    assert bounds(">") == Bounds(EXACT.next_plus(five), INFINITY)
    assert quantity_bounds({"value": five}) == Bounds(five, five)
    assert quantity_bounds({"unit": "mg"}) is None


@pytest.mark.parametrize(
    ("sampled", "bounds"),
    [
        ({"origin": {"value": 2}, "data": "1 -3 E 2.5"}, ("-1", "4.5")),
        ({"origin": {"value": 2}, "factor": Decimal(-2), "data": "1 3"}, ("-4", "0")),
        ({"origin": {"value": 2}, "data": "E L U"}, None),
        ({"origin": {}, "data": "1"}, None),
        ({"origin": {"value": 2}}, None),
        ({"origin": {"value": 2}, "data": "1 " * 40_000}, None),
    ],
)
def test_samples_reach_from_the_smallest_to_the_largest(
    sampled: dict[str, Any], bounds: tuple[str, str] | None
) -> None:
    assert sampled_bounds(sampled) == (None if bounds is None else Bounds(*map(Decimal, bounds)))
