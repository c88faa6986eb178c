"""Every prefix with every precision and type of target. http://hl7.org/fhir/R4/search.html#prefix.

The expected answers come from the ranges written out below and R4's sentences about them, not from the code that
is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.search.site import Site
from resources.outcome import FHIRError
from tests.search.conftest import BASE, NOW, Shelf

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


class Range(NamedTuple):
    start: str
    end: str
    """ISO 8601 in UTC; the first moment that is no longer in the range."""

    def overlaps(self, other: Range) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: Range) -> bool:
        return self.start <= other.start and other.end <= self.end


FIRST, LAST = "0001-01-01T00:00:00.000", "9999-12-31T23:59:59.999"

TARGETS: dict[str, tuple[dict[str, Any], list[Range]]] = {
    "year": ({"effectiveDateTime": "2013"}, [Range("2013-01-01T00:00:00.000", "2014-01-01T00:00:00.000")]),
    "month": (
        {"effectiveDateTime": "2013-01"},
        [Range("2013-01-01T00:00:00.000", "2013-02-01T00:00:00.000")],
    ),
    "leap-month": (
        {"effectiveDateTime": "2012-02"},
        [Range("2012-02-01T00:00:00.000", "2012-03-01T00:00:00.000")],
    ),
    "day": (
        {"effectiveDateTime": "2013-01-14"},
        [Range("2013-01-14T00:00:00.000", "2013-01-15T00:00:00.000")],
    ),
    "leap-day": (
        {"effectiveDateTime": "2012-02-29"},
        [Range("2012-02-29T00:00:00.000", "2012-03-01T00:00:00.000")],
    ),
    "day-start": (
        {"effectiveDateTime": "2013-01-14T00:00:00Z"},
        [Range("2013-01-14T00:00:00.000", "2013-01-14T00:00:01.000")],
    ),
    "day-end": (
        {"effectiveDateTime": "2013-01-14T23:59:59Z"},
        [Range("2013-01-14T23:59:59.000", "2013-01-15T00:00:00.000")],
    ),
    "next-day": (
        {"effectiveDateTime": "2013-01-15T00:00:00Z"},
        [Range("2013-01-15T00:00:00.000", "2013-01-15T00:00:01.000")],
    ),
    "leap-second": (
        {"effectiveDateTime": "2012-06-30T23:59:60Z"},
        [Range("2012-06-30T23:59:59.000", "2012-07-01T00:00:00.000")],
    ),
    "east": (
        {"effectiveDateTime": "2013-01-15T10:00:00+14:00"},
        [Range("2013-01-14T20:00:00.000", "2013-01-14T20:00:01.000")],
    ),
    "west": (
        {"effectiveDateTime": "2013-01-13T10:00:00-14:00"},
        [Range("2013-01-14T00:00:00.000", "2013-01-14T00:00:01.000")],
    ),
    "milliseconds": (
        {"effectiveDateTime": "2013-01-14T10:00:00.250Z"},
        [Range("2013-01-14T10:00:00.250", "2013-01-14T10:00:00.251")],
    ),
    "instant": (
        {"effectiveInstant": "2013-01-14T10:00:00Z"},
        [Range("2013-01-14T10:00:00.000", "2013-01-14T10:00:01.000")],
    ),
    "period": (
        {"effectivePeriod": {"start": "2013-01-14T10:00:00Z", "end": "2013-01-16"}},
        [Range("2013-01-14T10:00:00.000", "2013-01-17T00:00:00.000")],
    ),
    "open-end": ({"effectivePeriod": {"start": "2013-01-14"}}, [Range("2013-01-14T00:00:00.000", LAST)]),
    "open-start": ({"effectivePeriod": {"end": "2013-01-14"}}, [Range(FIRST, "2013-01-15T00:00:00.000")]),
    "timing": (
        {"effectiveTiming": {"event": ["2013-01-20", "2013-01-10T08:00:00Z"]}},
        [Range("2013-01-10T08:00:00.000", "2013-01-21T00:00:00.000")],
    ),
    "bounds": (
        {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2013-02"}}}},
        [Range("2013-02-01T00:00:00.000", LAST)],
    ),
    "empty-timing": ({"effectiveTiming": {"code": {"text": "BID"}}}, []),
    "absent": ({}, []),
}

SEARCHES: dict[str, Range] = {
    "2013": Range("2013-01-01T00:00:00.000", "2014-01-01T00:00:00.000"),
    "2013-01": Range("2013-01-01T00:00:00.000", "2013-02-01T00:00:00.000"),
    "2012-02": Range("2012-02-01T00:00:00.000", "2012-03-01T00:00:00.000"),
    "2013-01-14": Range("2013-01-14T00:00:00.000", "2013-01-15T00:00:00.000"),
    "2012-02-29": Range("2012-02-29T00:00:00.000", "2012-03-01T00:00:00.000"),
    "2012-06-30": Range("2012-06-30T00:00:00.000", "2012-07-01T00:00:00.000"),
    "2013-01-14T10:00": Range("2013-01-14T10:00:00.000", "2013-01-14T10:01:00.000"),
    "2013-01-14T10:00Z": Range("2013-01-14T10:00:00.000", "2013-01-14T10:01:00.000"),
    "2013-01-14T10:00:00Z": Range("2013-01-14T10:00:00.000", "2013-01-14T10:00:01.000"),
    "2013-01-14T10:00:00.25Z": Range("2013-01-14T10:00:00.250", "2013-01-14T10:00:00.260"),
    "2013-01-14T10:00:00.250Z": Range("2013-01-14T10:00:00.250", "2013-01-14T10:00:00.251"),
    "2013-01-15T00:00:00+14:00": Range("2013-01-14T10:00:00.000", "2013-01-14T10:00:01.000"),
    "2013-01-13T20:00:00-14:00": Range("2013-01-14T10:00:00.000", "2013-01-14T10:00:01.000"),
    "2012-06-30T23:59:60Z": Range("2012-06-30T23:59:59.000", "2012-07-01T00:00:00.000"),
}


def iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def approximate(asked: Range) -> Range:
    """All searches of the table lie before NOW: a tenth of the gap on both sides."""
    start, end = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in asked)
    gap = (NOW - end) / 10
    return Range(iso(start - gap + timedelta(microseconds=999)), iso(end + gap))


def matches(prefix: str, asked: Range, target: Range) -> bool:
    above, below = Range(asked.end, "9999-12-31T23:59:59.9999"), Range("0000", asked.start)
    return {
        "eq": asked.contains(target),
        "ne": not asked.contains(target),
        "gt": above.overlaps(target),
        "lt": below.overlaps(target),
        "ge": above.overlaps(target) or asked.contains(target),
        "le": below.overlaps(target) or asked.contains(target),
        "sa": not asked.overlaps(target) and above.contains(target),
        "eb": not asked.overlaps(target) and below.contains(target),
        "ap": approximate(asked).overlaps(target),
    }[prefix]


@pytest.fixture(scope="module")
def observations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Observation"]
    shelf.put(*({"id": name, **resource} for name, (resource, _) in TARGETS.items()))
    return shelf


@pytest.mark.parametrize("text", SEARCHES)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_prefix_precision_and_target(observations: Shelf, prefix: str, text: str) -> None:
    expected = [
        name
        for name, (_, ranges) in TARGETS.items()
        if any(matches(prefix, SEARCHES[text], r) for r in ranges)
    ]
    assert observations.find(("date", prefix + text)) == sorted(expected)
    if prefix == "eq":
        assert observations.find(("date", text)) == sorted(expected)


@pytest.mark.parametrize(
    ("search", "target", "found"),
    [
        # the examples of R4's table
        ("eq2013-01-14", {"effectiveDateTime": "2013-01-14T00:00:00Z"}, True),
        ("eq2013-01-14", {"effectiveDateTime": "2013-01-14T10:00:00Z"}, True),
        ("eq2013-01-14", {"effectiveDateTime": "2013-01-15T00:00:00Z"}, False),
        ("ne2013-01-14", {"effectiveDateTime": "2013-01-15T00:00:00Z"}, True),
        ("ne2013-01-14", {"effectiveDateTime": "2013-01-14T00:00:00Z"}, False),
        ("ne2013-01-14", {"effectiveDateTime": "2013-01-14T10:00:00Z"}, False),
        ("lt2013-01-14T10:00", {"effectiveDateTime": "2013-01-14"}, True),
        ("gt2013-01-14T10:00", {"effectiveDateTime": "2013-01-14"}, True),
        ("ge2013-03-14", {"effectivePeriod": {"start": "2013-01-21"}}, True),
        ("le2013-03-14", {"effectivePeriod": {"start": "2013-01-21"}}, True),
        ("sa2013-03-14", {"effectivePeriod": {"start": "2013-03-15"}}, True),
        ("sa2013-03-14", {"effectivePeriod": {"start": "2013-01-21"}}, False),
        ("sa2013-03-14", {"effectivePeriod": {"end": "2013-01-21"}}, False),
        ("eb2013-03-14", {"effectivePeriod": {"start": "2013-03-15"}}, False),
        ("eb2013-03-14", {"effectivePeriod": {"end": "2013-01-21"}}, True),
        ("ap2013-03-14", {"effectiveDateTime": "2013-03-14"}, True),
        ("ap2013-03-14", {"effectiveDateTime": "2013-01-21"}, True),
        ("ap2013-03-14", {"effectiveDateTime": "2015-06-15"}, False),
    ],
)
def test_examples_of_the_specification(
    shelves: Mapping[str, Shelf], search: str, target: dict[str, Any], found: bool
) -> None:
    assert shelves["Observation"].finds(target, ("date", search)) is found


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("text", ["2012-02-29", "2012-02", "2012", "2012-03-01", "2012-02-29T12:00:00Z"])
def test_dates_of_the_type_date(shelves: Mapping[str, Shelf], prefix: str, text: str) -> None:
    target = Range("2012-02-29T00:00:00.000", "2012-03-01T00:00:00.000")
    ranges = {
        "2012-02-29": target,
        "2012-02": Range("2012-02-01T00:00:00.000", "2012-03-01T00:00:00.000"),
        "2012": Range("2012-01-01T00:00:00.000", "2013-01-01T00:00:00.000"),
        "2012-03-01": Range("2012-03-01T00:00:00.000", "2012-03-02T00:00:00.000"),
        "2012-02-29T12:00:00Z": Range("2012-02-29T12:00:00.000", "2012-02-29T12:00:01.000"),
    }
    found = shelves["Patient"].finds({"birthDate": "2012-02-29"}, ("birthdate", prefix + text))
    assert found is matches(prefix, ranges[text], target)


SEVERAL = {
    "activity": [
        {"detail": {"scheduledPeriod": {"start": "2013-01-01", "end": "2013-01-31"}}},
        {"detail": {"scheduledPeriod": {"start": "2013-12-01", "end": "2013-12-31"}}},
    ]
}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("2013-01", True),
        ("2013", True),
        (
            "2013-06",
            False,
        ),  # one starts after June began and another ends before it ended: neither is in June
        ("2013-01-15", False),
        ("ne2013-01", True),
        ("ne2013", False),
        ("gt2013-06", True),
        ("lt2013-06", True),
        ("sa2013-06", True),
        ("eb2013-06", True),
        ("ge2014", False),
        ("le2012", False),
        ("ap2013-06-15", True),
        ("2013-01,2014", True),
    ],
)
def test_of_several_intervals_one_has_to_match(
    shelves: Mapping[str, Shelf], search: str, found: bool
) -> None:
    assert shelves["CarePlan"].finds(SEVERAL, ("activity-date", search)) is found


def test_a_gap_between_intervals_is_near_neither(shelves: Mapping[str, Shelf]) -> None:
    """Widened by ap, a search near now stays narrow: it overlaps neither of two intervals around it."""
    activity = [
        {"detail": {"scheduledPeriod": {"start": "2024-01-01", "end": "2024-05-01"}}},
        {"detail": {"scheduledPeriod": {"start": "2024-07-01"}}},
    ]
    assert not shelves["CarePlan"].finds({"activity": activity}, ("activity-date", "ap2024-06-01"))
    assert shelves["CarePlan"].finds({"activity": activity}, ("activity-date", "ap2024-04-30"))


def test_two_searches_may_be_met_by_two_intervals(shelves: Mapping[str, Shelf]) -> None:
    assert shelves["CarePlan"].finds(SEVERAL, ("activity-date", "2013-01"), ("activity-date", "2013-12"))


def test_what_has_no_zone_is_meant_in_the_configured_one(shelves: Mapping[str, Shelf]) -> None:
    utc = shelves["Observation"]
    berlin = Shelf(
        utc.collection, "Observation", Site(BASE, ZoneInfo("Europe/Berlin"), lambda: NOW), utc.numbers
    )
    late = {"effectiveDateTime": "2013-07-13T22:30:00Z"}
    assert berlin.finds(late, ("date", "2013-07-14"))
    assert not utc.finds(late, ("date", "2013-07-14"))
    assert berlin.finds({"effectiveDateTime": "2013-07-14"}, ("date", "lt2013-07-13T22:00:01Z"))
    assert not utc.finds({"effectiveDateTime": "2013-07-14"}, ("date", "lt2013-07-13T22:00:01Z"))


@pytest.mark.parametrize(
    "value",
    [
        "xx2020",
        "2020-13",
        "2020-02-30",
        "",
        "ge",
        "gege2020",
        "2020-1-1",
        "2020-01-01T25:00",
        "today",
        "2020,",
        "-1",
        "$gt",
    ],
)
def test_malformed_dates_are_refused(observations: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'date'") as refused:
        observations.find(("date", value))
    assert refused.value.status == 400


@pytest.mark.parametrize("prefix", [each for each in PREFIXES if each != "ne"])
def test_dates_are_found_in_the_index(observations: Shelf, prefix: str) -> None:
    assert "COLLSCAN" not in observations.stages(("date", f"{prefix}2013-01-14"))


def test_missing(observations: Shelf) -> None:
    assert observations.find(("date:missing", "true")) == ["absent"]


moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@settings(max_examples=60, deadline=None)
@given(moment=moments, length=st.sampled_from([4, 7, 10, 19, 23]), coarser=st.integers(0, 4))
def test_what_is_indexed_is_found(
    shelves: Mapping[str, Shelf], moment: datetime, length: int, coarser: int
) -> None:
    def written(digits: int) -> str:
        return iso(moment)[:digits] + ("Z" if digits > 10 else "")

    shelf = shelves["Observation"]
    resource = {"effectiveDateTime": written(length)}
    asked = written([4, 7, 10, 19, 23][min(coarser, [4, 7, 10, 19, 23].index(length))])
    for prefix in ("", "eq", "ge", "le", "ap"):
        assert shelf.finds(resource, ("date", prefix + asked))
    for prefix in ("ne", "sa", "eb"):
        assert not shelf.finds(resource, ("date", prefix + asked))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "text", ["2024-06-01T12:00:00.000Z", "2024-06-01", "2024-06-01T11:59:59.999Z", "2024-06-01T12:00:00.001Z"]
)
def test_last_updated_is_one_moment(shelves: Mapping[str, Shelf], prefix: str, text: str) -> None:
    asked = {
        "2024-06-01T12:00:00.000Z": Range("2024-06-01T12:00:00.000", "2024-06-01T12:00:00.001"),
        "2024-06-01": Range("2024-06-01T00:00:00.000", "2024-06-02T00:00:00.000"),
        "2024-06-01T11:59:59.999Z": Range("2024-06-01T11:59:59.999", "2024-06-01T12:00:00.000"),
        "2024-06-01T12:00:00.001Z": Range("2024-06-01T12:00:00.001", "2024-06-01T12:00:00.002"),
    }[text]
    moment = Range(iso(NOW), iso(NOW + timedelta(milliseconds=1)))
    expected = asked.overlaps(moment) if prefix == "ap" else matches(prefix, asked, moment)
    assert shelves["Basic"].finds({}, ("_lastUpdated", prefix + text)) is expected
