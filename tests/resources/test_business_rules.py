from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import business_rules

TODAY = dt.date(2024, 5, 17)


def faults(**elements: Any) -> Any:
    return business_rules.faults({"resourceType": "Patient", **elements}, TODAY)


@pytest.mark.parametrize(
    "born", ["2024", "2024-05", "2024-05-17", "1874", "1873-06", "1873-05-18", "1950-01-01", "not a date", 5]
)
def test_a_birth_date_that_may_be(born: Any) -> None:
    assert faults(birthDate=born) == []


@pytest.mark.parametrize(
    "born", ["2025", "2024-06", "2024-05-18", "1872", "1873-04", "1873-05-17", "0001-01-01"]
)
def test_a_birth_date_that_cannot_be(born: Any) -> None:
    (issue,) = faults(birthDate=born)
    assert (issue.severity, issue.code, issue.expression) == (
        "error",
        "business-rule",
        ("Patient.birthDate",),
    )


@given(st.dates(dt.date(1800, 1, 1), dt.date(2100, 1, 1)), st.dates(dt.date(1960, 1, 1), dt.date(2090, 1, 1)))
def test_at_150_years_and_not_a_day_in_the_future(born: Any, today: Any) -> None:
    before_birthday = (today.month, today.day) < (born.month, born.day)
    age = today.year - born.year - before_birthday
    found = business_rules.faults({"resourceType": "Patient", "birthDate": born.isoformat()}, today)
    assert bool(found) == (born > today or age > business_rules.MAX_AGE)


def test_us_addresses_are_warned_about_with_their_place() -> None:
    address = {"country": "usa", "state": "Massachusetts", "postalCode": "2134"}
    issues = faults(address=[{"country": "US", "state": "MA"}, address], contact=[{"address": address}])
    assert [(issue.severity, issue.expression[0]) for issue in issues] == [
        ("warning", "Patient.address[1].state"),
        ("warning", "Patient.address[1].postalCode"),
        ("warning", "Patient.contact[0].address.state"),
        ("warning", "Patient.contact[0].address.postalCode"),
    ]


@pytest.mark.parametrize(
    "address",
    [
        {"country": "US", "state": "PR", "postalCode": "00901"},
        {"country": "United States", "state": "DC", "postalCode": "20001-1234"},
        {"country": "DE", "state": "Bayern", "postalCode": "8033"},
        {"state": "Bayern"},
        {"country": "US"},
        "no address",
    ],
)
def test_addresses_that_are_fine_or_not_ours_to_judge(address: Any) -> None:
    assert faults(address=[address]) == []
    assert faults(address=address) == []
