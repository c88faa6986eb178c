from __future__ import annotations

import pytest

from importers.hl7v2.obx_value import elements
from resources.codec import Json, encode
from tests.importers.hl7v2.making import conversion, faults


def found(kind: str, value: str, units: str = "") -> tuple[Json, list[str]]:
    made = conversion(f"OBX|1|{kind}|1^x^L||{value}|{units}")
    said = elements(made, made.message.segments[1])
    return said, [issue.place for issue in made.issues]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NM", "6.30", '{"valueQuantity":{"value":6.30}}'),
        ("NM", "<5", '{"valueQuantity":{"value":5,"comparator":"<"}}'),
        ("SN", "^10^-^20", '{"valueRange":{"low":{"value":10},"high":{"value":20}}}'),
        ("SN", ">=^1.5", '{"valueQuantity":{"value":1.5,"comparator":">="}}'),
        ("SN", "^1^:^128", '{"valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}}'),
        ("SN", "^2^+", '{"valueString":"2 +"}'),
        ("SN", "^20^-^10", '{"valueString":"20 - 10"}'),
        ("NR", "1^2", '{"valueRange":{"low":{"value":1},"high":{"value":2}}}'),
        ("TM", "1230", '{"valueTime":"12:30:00"}'),
        ("DT", "20240102", '{"valueDateTime":"2024-01-02"}'),
        ("ST", "x\\T\\y", '{"valueString":"x&y"}'),
        ("NM", "", "{}"),
    ],
)
def test_a_value_of_its_type(kind: str, value: str, expected: str) -> None:
    said, told = found(kind, value)
    assert encode(said).decode() == expected
    assert told == []
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **said}
    assert faults(observation) == []


@pytest.mark.parametrize(
    ("kind", "value"), [("NM", "positive"), ("NR", "2^1"), ("DT", "20240231"), ("TM", "noon")]
)
def test_what_is_not_of_its_type_is_text_and_told(kind: str, value: str) -> None:
    said, told = found(kind, value)
    assert said == {"valueString": value}
    assert told == ["OBX-5"]
