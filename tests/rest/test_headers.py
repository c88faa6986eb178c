from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.context import Prefer
from fhir_server.rest import headers
from resources.outcome import FHIRError

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def test_http_date() -> None:
    assert headers.http_date(MOMENT) == "Sun, 06 Nov 1994 08:49:37 GMT"
    tokyo = MOMENT.astimezone(timezone(timedelta(hours=9))) + timedelta(microseconds=999_999)
    assert headers.http_date(tokyo) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT\t",
    ],
)
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert headers.parse_http_date(text) == MOMENT


def test_leap_seconds_and_two_digit_years() -> None:
    assert headers.parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(
        2016, 12, 31, 23, 59, 59, tzinfo=UTC
    )
    now = datetime.now(UTC).year
    for year, expected in ((now % 100, now), ((now + 49) % 100, now + 49), ((now + 51) % 100, now - 49)):
        found = headers.parse_http_date(f"Monday, 01-Mar-{year:02} 00:00:00 GMT")
        assert found is not None
        assert found.year == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "So, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert headers.parse_http_date(text) is None


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_dates_come_back_to_the_second(moment: datetime) -> None:
    assert headers.parse_http_date(headers.http_date(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Prefer()),
        ("", Prefer()),
        ("return=minimal", Prefer(return_="minimal")),
        ("return=representation", Prefer(return_="representation")),
        ("return=OperationOutcome", Prefer(return_="OperationOutcome")),
        ('Return="minimal"', Prefer(return_="minimal")),
        ("return = minimal", Prefer(return_="minimal")),
        ("return=minimal; foo=bar", Prefer(return_="minimal")),
        ("return=minimal,return=representation", Prefer(return_="minimal")),
        ("return=everything, return=minimal", Prefer()),
        ("return=MINIMAL", Prefer()),
        ("return", Prefer()),
        ('return="minimal', Prefer()),
        ("handling=lenient", Prefer(lenient=True)),
        ("handling=strict", Prefer()),
        ("handling=loose", Prefer()),
        ("respond-async, wait=10, handling=lenient, return=minimal", Prefer("minimal", lenient=True)),
        ('foo="a, return=minimal, b", handling=lenient', Prefer(lenient=True)),
        ('foo="a \\" , return=minimal, b"', Prefer()),
        (",,;=,handling=lenient,", Prefer(lenient=True)),
        ("x" * 2000 + ",return=minimal", Prefer()),
    ],
)
def test_prefer(text: str | None, expected: Prefer) -> None:
    assert headers.parse_prefer(text) == expected


@given(st.text() | st.text('=,;"\\ returnhdlgmi', max_size=60))
def test_garbage_is_ignored(text: str) -> None:
    assert headers.parse_prefer(text).return_ in {None, "minimal", "representation", "OperationOutcome"}
    assert isinstance(headers.parse_http_date(text), datetime | None)


def test_values_fit_to_be_headers() -> None:
    assert headers.safe('W/"3"') == 'W/"3"'
    assert headers.safe(" Zürich\ta ") == "Zürich\ta"


@pytest.mark.parametrize(
    "text", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00b", "a\x7f", "a\u2028b", "\u20ac"]
)
def test_values_that_would_break_out_of_a_header_are_refused(text: str) -> None:
    with pytest.raises(FHIRError, match="HTTP header") as caught:
        headers.safe(text)
    assert caught.value.status == 400


@given(st.text())
def test_what_is_safe_can_be_sent(text: str) -> None:
    try:
        sent = headers.safe(text).encode("latin-1")
    except FHIRError:
        return
    assert not set(sent) & ({*range(32), 127} - {9})
