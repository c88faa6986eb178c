"""http://hl7.org/fhir/R4/search.html#date, http://hl7.org/fhir/R4/datatypes.html#dateTime"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import decode, encode
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from resources.datatypes import MAX, MIN, Interval, date_interval, interval, period_interval, timing_interval

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2023", "2023-01-01", "2024-01-01"),
        ("2023-12", "2023-12-01", "2024-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2023-02", "2023-02-01", "2023-03-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("2023-12-31", "2023-12-31", "2024-01-01"),
        ("2024-02-29T23:59Z", "2024-02-29T23:59", "2024-03-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00", "2024-05-01T10:00:01"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00", "2024-05-01T08:00:01"),
        ("2024-05-01T10:00:00+14:00", "2024-04-30T20:00:00", "2024-04-30T20:00:01"),
        ("2024-05-01T10:00:00-14:00", "2024-05-02T00:00:00", "2024-05-02T00:00:01"),
        ("2024-05-01T10:00:00-00:30", "2024-05-01T10:30:00", "2024-05-01T10:30:01"),
        ("2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00.500", "2024-05-01T10:00:00.600"),
        ("2024-05-01T10:00:00.25Z", "2024-05-01T10:00:00.250", "2024-05-01T10:00:00.260"),
        ("2024-05-01T10:00:00.123Z", "2024-05-01T10:00:00.123", "2024-05-01T10:00:00.124"),
        ("2024-05-01T10:00:00.123999Z", "2024-05-01T10:00:00.123", "2024-05-01T10:00:00.124"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59", "2017-01-01T00:00:00"),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00", "2024-05-01T10:00:01"),
    ],
)
def test_implicit_precision(text: str, start: str, end: str) -> None:
    assert date_interval(text) == Interval(utc(start), utc(end))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-03-31", "2024-03-30T23:00", "2024-03-31T22:00"),  # a day of 23 hours
        ("2024-10-27", "2024-10-26T22:00", "2024-10-27T23:00"),  # a day of 25 hours
        ("2024", "2023-12-31T23:00", "2024-12-31T23:00"),
        ("2024-07-01T10:00:00", "2024-07-01T08:00:00", "2024-07-01T08:00:01"),
        ("2024-07-01T10:00:00Z", "2024-07-01T10:00:00", "2024-07-01T10:00:01"),
    ],
)
def test_without_an_offset_the_zone_counts(text: str, start: str, end: str) -> None:
    assert date_interval(text, BERLIN) == Interval(utc(start), utc(end))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20",
        "2023-13",
        "2023-02-29",
        "2023-1-1",
        "2024-05-01T",
        "2024-05-01T10",
        "2024-05-01T24:00:00Z",
        "2024-05-01T10:60:00Z",
        "2024-05-01T10:00:61Z",
        "2024-05-01T10:00:00+14:01",
        "2024-05-01T10:00:00-15:00",
        "2024-05-01T10:00:00+02:60",
        "2024-05-01T10:00:00z",
        "2024-05-01 10:00:00",
        "0000",
        "xx2020",
        "2024Z",
        "٢٠٢٤",
        "2024\n",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        date_interval(text)


def test_a_plus_that_became_a_space_is_explained() -> None:
    with pytest.raises(ValueError, match="%2B"):
        date_interval("2024-05-01T10:00:00 02:00")


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "0001",
        "9999",
        "9999-12",
        "9999-12-31",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.9999999-05:00",
        "9999-12-31T23:59:59.001-14:00",
        "9999-12-31T23:59:60.9-00:01",
        "0001-01-01T00:00:00.000+14:00",
        "0001-01-01T00:00:00.1",
        "9999-12-31T23:59:59.9",
    ],
)
@pytest.mark.parametrize("zone", [UTC, BERLIN, ZoneInfo("America/New_York")])
def test_the_edges_of_the_calendar_stay_in_it(text: str, zone: tzinfo) -> None:
    start, end = date_interval(text, zone)
    assert MIN <= start < end <= MAX


DAYS = ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31"]
TIMES = [
    "00:00",
    "00:00:00",
    "00:00:00.0",
    "13:59:59.999999999",
    "23:59",
    "23:59:59",
    "23:59:60.99",
    "23:59:59.999",
]
OFFSETS = ["", "Z", "+14:00", "-14:00", "+00:01", "-00:01", "+05:45", "-05:00"]


@given(
    day=st.sampled_from(DAYS),
    time=st.sampled_from(TIMES),
    offset=st.sampled_from(OFFSETS),
    zone=st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")]),
)
def test_any_moment_at_the_edges_is_an_interval_of_the_calendar(
    day: str, time: str, offset: str, zone: tzinfo
) -> None:
    start, end = date_interval(f"{day}T{time}{offset}", zone)
    assert MIN <= start < end <= MAX
    assert start.microsecond % 1000 == end.microsecond % 1000 == 0
    period = {"start": f"{day}T{time}{offset}"}
    assert period_interval(period, zone) == Interval(start, MAX)
    assert timing_interval({"event": [period["start"]]}, zone) == Interval(start, end)


def test_bson_keeps_the_open_ends() -> None:
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
    assert decode(encode({"s": MIN, "e": MAX}), options) == {"s": MIN, "e": MAX}


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2024", "end": "2024"}, ("2024-01-01", "2025-01-01")),
        ({"start": "2024-05-01T10:00:00Z", "end": "2024-05-01"}, ("2024-05-01T10:00", "2024-05-02")),
        ({"start": "2024-05"}, ("2024-05-01", None)),
        ({"end": "2024-05"}, (None, "2024-06-01")),
    ],
)
def test_a_period_covers_the_precision_of_its_ends(period: dict[str, Any], expected: Any) -> None:
    start, end = expected
    assert period_interval(period) == (utc(start) if start else MIN, utc(end) if end else MAX)


@pytest.mark.parametrize("period", [{}, {"extension": []}, {"start": "2024-02", "end": "2024-01"}])
def test_a_period_that_says_nothing(period: dict[str, Any]) -> None:
    assert period_interval(period) is None


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (
            {"event": ["2024-05-03", "2024-05-01T10:00:00Z"]},
            Interval(utc("2024-05-01T10:00"), utc("2024-05-04")),
        ),
        ({"event": [None, "2024-05-03"]}, Interval(utc("2024-05-03"), utc("2024-05-04"))),
        ({"repeat": {"boundsPeriod": {"start": "2024"}}}, Interval(utc("2024-01-01"), MAX)),
        (
            {"event": ["2023"], "repeat": {"boundsPeriod": {"start": "2024", "end": "2024"}}},
            Interval(utc("2023-01-01"), utc("2025-01-01")),
        ),
        ({"repeat": {"frequency": 1}}, None),
        ({"code": {"text": "BID"}}, None),
    ],
)
def test_a_timing_counts_by_its_outer_limits(timing: dict[str, Any], expected: Any) -> None:
    assert timing_interval(timing) == expected


def test_by_type() -> None:
    assert interval("Period", {"start": "2024", "end": "2024"}) == date_interval("2024")
    assert interval("Timing", {"event": ["2024"]}) == date_interval("2024")
    assert interval("instant", "2024-01-01T00:00:00Z") == date_interval("2024-01-01T00:00:00Z")
    assert interval("dateTime", 5) is None


@given(st.datetimes(timezones=st.timezones()), st.sampled_from([BERLIN, UTC, ZoneInfo("Pacific/Kiritimati")]))
def test_each_precision_lies_within_the_coarser_one(moment: datetime, zone: tzinfo) -> None:
    local = (
        moment.astimezone(zone)
        if timedelta(days=2) < moment - MIN < MAX - MIN - timedelta(days=2)
        else moment
    )
    text = local.replace(tzinfo=None).isoformat(timespec="milliseconds").zfill(23)
    forms = [text[:4], text[:7], text[:10], text[:16], text[:19], text[:21], text[:22], text[:23]]
    intervals = [date_interval(form, UTC) for form in forms]
    for outer, inner in pairwise(intervals):
        assert outer.start <= inner.start < inner.end <= outer.end
