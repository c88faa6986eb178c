"""`importers.hl7v2.timing`: TQ1 and TQ as Timing."""

from __future__ import annotations

from typing import Any

import pytest

from importers.hl7v2 import timing
from tests.importers.hl7v2.making import conversion, faults


def _schedule(*lines: str) -> timing.Schedule:
    made = conversion(*lines)
    orc = made.message.first("ORC")
    return timing.schedule(made, timing.told(made.message.all("TQ1"), (orc, 7)))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("BID", {"frequency": 2, "period": 1, "periodUnit": "d"}),
        ("Q6H", {"frequency": 1, "period": 6, "periodUnit": "h"}),
        ("Q2W", {"frequency": 1, "period": 2, "periodUnit": "wk"}),
        ("QOD", {"frequency": 1, "period": 2, "periodUnit": "d"}),
        ("5ID", {"frequency": 5, "period": 1, "periodUnit": "d"}),
        ("ONCE", {"count": 1}),
        ("QHS", {"when": ["HS"]}),
        ("QAM", {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN"]}),
        ("Q1J135", {"dayOfWeek": ["mon", "wed", "fri"]}),
        ("Q0H", None),
        ("whenever", None),
    ],
)
def test_patterns(pattern: str, expected: dict[str, Any] | None) -> None:
    found = _schedule(f"TQ1|1||{pattern}").timing
    assert found.get("repeat") == expected
    assert pattern in found["code"].get("text", pattern)
    request = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"display": "a"},
        "occurrenceTiming": found,
    }
    assert faults(request) == []


def test_a_segment_says_all_at_once() -> None:
    found = _schedule("TQ1|1|2^tab|TID||||20240301080000|20240308080000|S|with food|not alone||30^min|21")
    assert found.priority == "S"
    assert found.instructions == ["with food", "not alone"]
    assert found.quantity is not None
    assert found.timing["repeat"] == {
        "boundsPeriod": {"start": "2024-03-01T08:00:00+00:00", "end": "2024-03-08T08:00:00+00:00"},
        "frequency": 3,
        "period": 1,
        "periodUnit": "d",
        "duration": 30,
        "durationUnit": "min",
        "count": 21,
    }


def test_older_versions_write_it_into_one_field() -> None:
    found = _schedule("ORC|NW|1|||||1^Q8H^D3^20240301^^S^^two cups")
    assert (found.priority, found.start, found.instructions) == ("S", "2024-03-01", ["two cups"])
    assert found.timing["repeat"]["boundsDuration"] == {
        "value": 3,
        "unit": "d",
        "system": "http://unitsofmeasure.org",
        "code": "d",
    }


def test_explicit_times_of_the_day_come_before_words() -> None:
    assert _schedule("TQ1|1||QHS|0800~2000").timing["repeat"]["timeOfDay"] == ["08:00:00", "20:00:00"]


def test_as_needed() -> None:
    assert _schedule("TQ1|1||PRN").as_needed
    assert not _schedule("TQ1|1||BID").as_needed
