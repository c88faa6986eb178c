"""Order and equality of partial dates, quantities and collections: laws that hold for all values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.fhirpath import temporal
from resources.fhirpath.equivalence import equivalent
from resources.fhirpath.values import Item, distinct, equal, key, scaled

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
instants = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=zones).map(
    lambda moment: moment.replace(microsecond=0)
)
dates = st.dates(dt.date(1, 1, 1)).map(dt.date.isoformat)
partial = st.tuples(dates, st.sampled_from([4, 7, 10])).map(lambda pair: pair[0][: pair[1]])


@given(instants, instants)
def test_instants_are_ordered_as_the_calendar_orders_them(one: dt.datetime, other: dt.datetime) -> None:
    expected = (one > other) - (one < other)

    assert temporal.compare(one.isoformat(), other.isoformat()) == expected


@given(instants, zones)
def test_the_same_instant_elsewhere_has_the_same_key(moment: dt.datetime, zone: dt.timezone) -> None:
    here: Item = ("dateTime", moment.isoformat(), None)
    there: Item = ("dateTime", moment.astimezone(zone).isoformat(), None)

    assert equal(here, there) is True
    assert key(here) == key(there)
    assert distinct([here, there]) == [here]


@given(partial, partial)
def test_order_of_partial_dates_is_antisymmetric_and_knows_what_it_does_not_know(
    one: str, other: str
) -> None:
    order, opposite = temporal.compare(one, other), temporal.compare(other, one)

    if order is None:
        assert opposite is None
        assert one.startswith(other) or other.startswith(one)
    else:
        assert opposite == -order
        assert (order == 0) is (one == other)


@given(dates, st.integers(-3000, 3000))
def test_days_are_added_as_the_calendar_adds_them(day: str, many: int) -> None:
    try:
        expected = (dt.date.fromisoformat(day) + dt.timedelta(days=many)).isoformat()
    except OverflowError:
        expected = None

    assert temporal.plus(day, Decimal(many), "days") == expected


@pytest.mark.parametrize(
    ("start", "amount", "unit", "expected"),
    [
        ("2012", 1, "year", "2013"),
        ("2012-11", 2, "months", "2013-01"),
        ("2012-01-31", 1, "month", "2012-02-29"),
        ("2012-12-31T23:30:00.5Z", 45, "minutes", "2013-01-01T00:15:00.5Z"),
        ("2012-03-01T00:00:00+02:00", -1, "second", "2012-02-29T23:59:59+02:00"),
        ("9999-12-31", 1, "day", None),
        ("nonsense", 1, "day", None),
    ],
)
def test_durations_are_added(start: str, amount: int, unit: str, expected: str | None) -> None:
    assert temporal.plus(start, Decimal(amount), unit) == expected


@pytest.mark.parametrize("text", ["2012-13", "2012-02-30", "2012-00", "12", "2012-1", "", "T10"])
def test_what_is_no_date_has_no_order(text: str) -> None:
    assert temporal.date_parts(text) is None


def quantity(value: str, code: str) -> Item:
    return ("Quantity", {"value": Decimal(value), "code": code, "system": "http://unitsofmeasure.org"}, None)


@given(st.decimals(-1000000, 1000000, places=3))
def test_quantities_are_equal_across_the_common_units(value: Decimal) -> None:
    assert equal(quantity(str(value), "g"), quantity(str(value * 1000), "mg")) is True
    assert equal(quantity(str(value), "g"), quantity(str(value), "mmol")) is None
    assert key(quantity(str(value), "g")) == key(quantity(str(value * 1000), "mg"))
    assert scaled({"unit": "g"}) is None


def test_a_boolean_is_no_number_and_no_string() -> None:
    assert equal(("boolean", True, None), ("integer", 1, None)) is False
    assert key(("boolean", True, None)) != key(("integer", 1, None))
    assert equal(("string", "1", None), ("integer", 1, None)) is False


def test_equivalence_overlooks_case_space_order_and_precision() -> None:
    one: Item = ("HumanName", {"given": ["Ann", "Eve"], "family": "Lee  Jones", "id": "1"}, None)
    other: Item = ("HumanName", {"given": ["eve", "ANN"], "family": "lee jones"}, None)

    assert equivalent(one, other)
    assert equivalent(("decimal", Decimal("1.21"), None), ("decimal", Decimal("1.2"), None))
    assert not equivalent(("decimal", Decimal("1.21"), None), ("decimal", Decimal("1.22"), None))
    assert not equivalent(("boolean", True, None), ("integer", 1, None))
