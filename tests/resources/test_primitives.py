from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import primitives, registry
from resources.codec import number

GOOD = [
    ("base64Binary", "aGVsbG8="),
    ("base64Binary", "aGVs\n bG8="),
    ("boolean", True),
    ("code", "in progress"),
    ("date", "2024"),
    ("date", "2024-02"),
    ("date", "2024-02-29"),
    ("date", "2000-02-29"),
    ("dateTime", "2016-12-31T23:59:60Z"),
    ("dateTime", "2020-01-01T10:00:00.123456789+14:00"),
    ("decimal", 5),
    ("decimal", Decimal("6.30")),
    ("decimal", number("1e3")),
    ("id", "a-b.C9"),
    ("id", "x" * 64),
    ("instant", "2020-01-01T00:00:00Z"),
    ("integer", -(2**31)),
    ("integer", number("-0")),
    ("oid", "urn:oid:1.2.840.0"),
    ("positiveInt", 2**31 - 1),
    ("string", " "),
    ("string", "tab\tline\r\nend"),
    ("time", "23:59:60"),
    ("unsignedInt", 0),
    ("uri", "any:thing"),
    ("uuid", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
]

BAD = [
    ("base64Binary", "@@@"),
    ("base64Binary", "aGVsbG8"),
    ("boolean", "true"),
    ("boolean", 1),
    ("code", " male"),
    ("code", "a  b"),
    ("code", "a\n"),
    ("date", "0000"),
    ("date", "2020-02-30"),
    ("date", "2023-02-29"),
    ("date", "1900-02-29"),
    ("date", "2020-04-31"),
    ("date", "2020-13"),
    ("date", "2020-1-1"),
    ("date", "2020-01-01\n"),
    ("date", "٢٠٢٠"),
    ("date", 2020),
    ("dateTime", "2020-01-01T10:00:00"),
    ("dateTime", "2020-01-01T10:00Z"),
    ("dateTime", "2020-01-01T24:00:00Z"),
    ("dateTime", "2020-01-01T10:00:61Z"),
    ("dateTime", "2020-01-01T10:00:00+15:00"),
    ("dateTime", "2020-01-01T10:00:00.Z"),
    ("decimal", "1.0"),
    ("decimal", True),
    ("id", ""),
    ("id", "a/b"),
    ("id", "x" * 65),
    ("instant", "2020-01-01"),
    ("integer", 2**31),
    ("integer", Decimal("5.0")),
    ("integer", True),
    ("oid", "urn:oid:3.1"),
    ("positiveInt", 0),
    ("string", ""),
    ("string", "a\x01b"),
    ("string", "\udfff"),
    ("string", None),
    ("string", "x" * (primitives.MAX_STRING + 1)),
    ("time", "24:00:00"),
    ("time", "10:00"),
    ("unsignedInt", -1),
    ("uri", "a b"),
    ("uuid", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_accepted(name: Any, value: Any) -> None:
    assert primitives.fault(name, value) is None


@pytest.mark.parametrize(("name", "value"), BAD)
def test_refused_with_a_text(name: Any, value: Any) -> None:
    text = primitives.fault(name, value)
    assert text
    assert len(text) < 300


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: Any) -> None:
    assert primitives.fault("date", day.isoformat()) is None


@given(st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32))
def test_a_date_is_accepted_where_the_calendar_has_it(year: Any, month: Any, day: Any) -> None:
    text = f"{year:04d}-{month:02d}-{day:02d}"
    try:
        dt.date(year, month, day)
    except ValueError:
        assert primitives.fault("date", text)
    else:
        assert primitives.fault("date", text) is None


@given(st.text())
def test_any_text_gets_an_answer_for_any_type(text: Any) -> None:
    for name in primitives.EXPECTED:
        primitives.fault(name, text)


def test_a_value_is_shown_short() -> None:
    assert primitives.shown("x" * 100) == f"'{'x' * 40}…'"
    values: list[Any] = [True, None, [], {}, number("1e3")]
    assert [primitives.shown(value) for value in values] == ["true", "null", "an array", "an object", "1e3"]


@pytest.mark.parametrize("name", sorted(primitives.PATTERNS))
def test_the_patterns_are_no_wider_than_the_published_ones(name: str) -> None:
    published = registry.primitives()[name].regex
    assert published is not None

    @given(st.from_regex(primitives.PATTERNS[name], fullmatch=True))
    def check(text: str) -> None:
        assert re.fullmatch(published, text)

    check()


def test_the_ranges_are_the_published_ones() -> None:
    for name, (low, high) in primitives.RANGES.items():
        published = registry.primitives()[name]
        assert (published.minimum, published.maximum) == (low, high)
    assert registry.primitives()["string"].max_length == primitives.MAX_STRING
