from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import times
from resources import primitives

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
UTC = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", "2024"),
        ("202402", "2024-02"),
        ("20240229", "2024-02-29"),
        ("20240000", "2024"),
        ("20240200", "2024-02"),
        ("2024070112", "2024-07-01T12:00:00+02:00"),
        ("202407011230", "2024-07-01T12:30:00+02:00"),
        ("20240101123045", "2024-01-01T12:30:45+01:00"),
        ("20240101123045.1", "2024-01-01T12:30:45.1+01:00"),
        ("20240101123045.1234-0500", "2024-01-01T12:30:45.1234-05:00"),
        ("202401011230+0215", "2024-01-01T12:30:00+02:15"),
        ("202401011230+02:15", "2024-01-01T12:30:00+02:15"),
        ("202401011230Z", "2024-01-01T12:30:00Z"),
        ("20240101+0100", "2024-01-01"),
        ("202312312400", "2024-01-01T00:00:00+01:00"),
        ("20240630240000+0000", "2024-07-01T00:00:00+00:00"),
        ("20161231235960Z", "2016-12-31T23:59:60Z"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04", "2024-01-02T03:04:00+01:00"),
        (" 20240102 ", "2024-01-02"),
        ("202403310230", "2024-03-31T02:30:00+01:00"),
        ("202410270230", "2024-10-27T02:30:00+02:00"),
        ("18000101120000", "1800-01-01T12:00:00+00:50"),
    ],
)
def test_a_date_and_time(text: str, expected: str) -> None:
    assert times.date_time(text, COPENHAGEN) == expected
    assert primitives.fault("dateTime", expected) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "0000", "00000000", "20230229", "20241301", "20240132", "2024010", "202401012401", "202401012500", "202401011260",
        "20240101123099", "202401011230+1500", "202401011230+0160", "99991231240000", "yesterday", "20240101T", "UNKNOWN",
        "٢٠٢٤", "2024-1-2", "20240101123045.1234567890", "20240101 12:30",
    ],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert times.date_time(text, COPENHAGEN) is None
    assert times.instant(text, COPENHAGEN) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("197006010912", "1970-06-01"),
        ("19700601235959-1200", "1970-06-01"),
        ("197006", "1970-06"),
        ("1970", "1970"),
        ("19700600", "1970-06"),
        ("19700631", None),
        ("", None),
    ],
)
def test_a_date_has_no_time_and_no_zone_moves_it(text: str, expected: str | None) -> None:
    assert times.date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240101", "2024-01-01T00:00:00+01:00"),
        ("202407011230", "2024-07-01T12:30:00+02:00"),
        ("202401", None),
        ("2024", None),
    ],
)
def test_an_instant_is_a_moment(text: str, expected: str | None) -> None:
    assert times.instant(text, COPENHAGEN) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", "12:00:00"),
        ("1230", "12:30:00"),
        ("123045", "12:30:45"),
        ("123045.123", "12:30:45.123"),
        ("12:30", "12:30:00"),
        ("1230+0100", "12:30:00"),
        ("2400", None),
        ("1260", None),
        ("", None),
        ("noon", None),
    ],
)
def test_a_time_of_the_day(text: str, expected: str | None) -> None:
    assert times.time(text) == expected
    assert expected is None or primitives.fault("time", expected) is None


@given(
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)),
    st.sampled_from([UTC, COPENHAGEN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]),
)
def test_every_moment_is_a_date_of_fhir(moment: dt.datetime, zone: ZoneInfo) -> None:
    found = times.date_time(f"{moment:%Y%m%d%H%M%S}".rjust(14, "0"), zone)
    assert found is not None
    assert primitives.fault("dateTime", found) is None
    assert dt.datetime.fromisoformat(found).replace(tzinfo=None) == moment.replace(microsecond=0)


@given(st.text(alphabet="0123456789+-.:TZ ", max_size=30))
def test_whatever_is_a_date_is_one_of_fhir(text: str) -> None:
    for name, found in (
        ("dateTime", times.date_time(text, COPENHAGEN)),
        ("date", times.date(text)),
        ("instant", times.instant(text, COPENHAGEN)),
        ("time", times.time(text)),
    ):
        assert found is None or primitives.fault(name, found) is None
