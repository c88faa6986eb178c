from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom import times
from importers.dicom.header import Issue
from tests.importers.dicom.making import faults

KIEL = ZoneInfo("Europe/Berlin")


def started(zone: ZoneInfo | None = None, **values: Any) -> tuple[str | None, list[str]]:
    issues: list[Issue] = []
    found = times.date_time(values, "Study", zone, issues)
    return found, [issue.keyword for issue in issues]


@pytest.mark.parametrize(
    ("date", "time", "offset", "zone", "expected"),
    [
        ("20240229", "101530.123456", "+0530", None, "2024-02-29T10:15:30.123456+05:30"),
        ("20240229", "101530", "", KIEL, "2024-02-29T10:15:30+01:00"),
        ("20240729", "101530", "", KIEL, "2024-07-29T10:15:30+02:00"),
        ("20240729", "101530", "-0400", KIEL, "2024-07-29T10:15:30-04:00"),
        ("20240729", "101530", "", None, "2024-07-29"),
        ("20240729", "1015", "", KIEL, "2024-07-29T10:15:00+02:00"),
        ("20240729", "10", "", KIEL, "2024-07-29"),
        ("20240729", "", "+0100", KIEL, "2024-07-29"),
        ("2024.07.29", "10:15:30", "", KIEL, "2024-07-29T10:15:30+02:00"),
        ("20161231", "235960", "+0000", None, "2016-12-31T23:59:60+00:00"),
    ],
)
def test_date_and_time(date: str, time: str, offset: str, zone: ZoneInfo | None, expected: str) -> None:
    values = {"StudyDate": date, "StudyTime": time, "TimezoneOffsetFromUTC": offset}
    found, issues = started(zone, **{name: value for name, value in values.items() if value})
    assert (found, issues) == (expected, [])


@pytest.mark.parametrize("date", ["00000000", "20231345", "20230229", "2023-01-02", "2023", "x"])
def test_days_that_never_were(date: str) -> None:
    assert started(KIEL, StudyDate=date) == (None, ["StudyDate"])


@pytest.mark.parametrize("time", ["2561", "106099", "1", "noon", "10:15:30:1"])
def test_times_that_never_are(time: str) -> None:
    assert started(KIEL, StudyDate="20240102", StudyTime=time) == ("2024-01-02", ["StudyTime"])


@pytest.mark.parametrize("offset", ["-0000", "+2500", "+1500", "-1300", "0100", "+01", "+0160", "Z"])
def test_offsets_that_are_none(offset: str) -> None:
    found = started(None, StudyDate="20240102", StudyTime="101500", TimezoneOffsetFromUTC=offset)
    assert found == ("2024-01-02", ["TimezoneOffsetFromUTC"])


def test_without_a_date_a_time_says_nothing() -> None:
    assert started(KIEL, StudyTime="1015") == (None, [])


@given(st.text(max_size=16), st.text(max_size=16), st.text(max_size=6))
def test_whatever_is_said_the_resource_is_valid(date: str, time: str, offset: str) -> None:
    values = {"StudyDate": date, "StudyTime": time, "TimezoneOffsetFromUTC": offset}
    found, _ = started(KIEL, **values)
    if found is not None:
        assert faults(_study(found)) == []


@given(st.dates(), st.times(), st.integers(-12 * 60, 14 * 60))
def test_any_moment_is_read(date: Any, time: Any, minutes: int) -> None:
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    offset = f"{sign}{size // 60:02}{size % 60:02}"
    if minutes == 0:
        offset = "+0000"
    found, issues = started(
        None,
        StudyDate=f"{date.year:04}{date.month:02}{date.day:02}",
        StudyTime=time.strftime("%H%M%S.%f"),
        TimezoneOffsetFromUTC=offset,
    )
    assert issues == ([] if _fits(sign, size) else ["TimezoneOffsetFromUTC"])
    assert found is not None
    assert found.startswith(f"{date.year:04}-{date.month:02}-{date.day:02}")


def _fits(sign: str, size: int) -> bool:
    return size < (13 * 60 if sign == "-" else 15 * 60)


def _study(started_: str) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": {"display": "x"},
        "started": started_,
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("19700131", "1970-01-31"),
        ("1970.01.31", "1970-01-31"),
        ("197001", "1970-01"),
        ("1970", "1970"),
        ("00000000", None),
        ("19701345", None),
        ("17000101", None),
        ("29990101", None),
        ("unknown", None),
    ],
)
def test_birth_dates(told: str, expected: str | None) -> None:
    issues: list[Issue] = []
    assert times.birth_date(told, issues) == expected
    assert bool(issues) is (expected is None)


def test_what_comes_first() -> None:
    told = ["2024-01-02", "2024-01-01T23:00:00-02:00", "2024-01-02T00:30:00Z"]
    assert min(told, key=times.order) == "2024-01-02"
