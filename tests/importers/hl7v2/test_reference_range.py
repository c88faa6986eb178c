"""`importers.hl7v2.reference_range`: limits only where the text clearly names them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.reference_range import limits, reference_range
from tests.importers.hl7v2.making import faults


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3.5-5.1", "3.5", "5.1"),
        ("135 - 145", "135", "145"),
        ("-3-3", "-3", "3"),
        ("-3 - -1", "-3", "-1"),
        ("4.3 to 6.2", "4.3", "6.2"),
        ("(0.60-1.20)", "0.60", "1.20"),
        (".4-1.5", "0.4", "1.5"),
        ("<1.0", None, "1.0"),
        ("<= 7", None, "7"),
        ("(>40)", "40", None),
        ("10-1", None, None),
        ("negative", None, None),
        ("4-5 (fasting)", None, None),
        ("1-2-3", None, None),
        ("", None, None),
    ],
)
def test_limits(text: str, low: str | None, high: str | None) -> None:
    assert limits(text) == (low and Decimal(low), high and Decimal(high))


def test_digits_stay_as_they_were_sent() -> None:
    found = reference_range("0.60-1.20", {"unit": "mg/dL"})
    assert str(found["low"]["value"]) == "0.60"
    assert found["high"] == {"value": Decimal("1.20"), "unit": "mg/dL"}
    assert found["text"] == "0.60-1.20"


@given(st.text(min_size=1).map(str.strip).filter(bool))
def test_any_text_is_kept(text: str) -> None:
    found = reference_range(text, {})
    assert found["text"] == text
    assert found.get("low", {"value": 0})["value"] <= found.get("high", {"value": 10**20})["value"]


def test_is_valid() -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "a"},
        "referenceRange": [reference_range("(<1.0)", {"unit": "g"}), reference_range("see text", {})],
    }
    assert faults(observation) == []
