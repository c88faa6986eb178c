"""`importers.hl7v2.obx_value`: OBX-5 by OBX-2."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import obx_value
from resources import codec
from resources.codec import Json
from tests.importers.hl7v2.making import conversion, faults


def _value(kind: str, value: str, units: str = "") -> tuple[Json, int]:
    """The elements, and how many issues were told."""
    made = conversion(f"OBX|1|{kind}|T^Test^99L||{value}|{units}|||||F")
    return obx_value.elements(made, made.message.segments[1]), len(made.issues)


MG = {"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NM", "5.40", {"valueQuantity": {"value": Decimal("5.40"), **MG}}),
        ("NM", "<0.6", {"valueQuantity": {"value": Decimal("0.6"), "comparator": "<", **MG}}),
        ("NM", "≥ 3", {"valueQuantity": {"value": 3, "comparator": ">=", **MG}}),
        ("SI", "7", {"valueQuantity": {"value": 7, **MG}}),
        ("SN", "^7", {"valueQuantity": {"value": 7, **MG}}),
        ("SN", "=^7", {"valueQuantity": {"value": 7, **MG}}),
        ("SN", ">^100", {"valueQuantity": {"value": 100, "comparator": ">", **MG}}),
        (
            "SN",
            "^1^:^128",
            {"valueRatio": {"numerator": {"value": 1, **MG}, "denominator": {"value": 128, **MG}}},
        ),
        ("SN", "^1^-^3", {"valueRange": {"low": {"value": 1, **MG}, "high": {"value": 3, **MG}}}),
        ("SN", "^2^+", {"valueString": "2 + mg"}),
        ("SN", "<>^3", {"valueString": "<> 3 mg"}),
        ("ST", "a\\T\\b^c", {"valueString": "a&b^c"}),
        ("TX", "one~two", {"valueString": "one\ntwo"}),
        ("FT", "  x\\.br\\y", {"valueString": "  x\ny"}),
        ("", "plain", {"valueString": "plain"}),
        (
            "CWE",
            "A^Alpha^LN",
            {
                "valueCodeableConcept": {
                    "coding": [{"system": "http://loinc.org", "code": "A", "display": "Alpha"}]
                }
            },
        ),
        ("CE", "^words", {"valueCodeableConcept": {"text": "words"}}),
        ("DT", "20240301", {"valueDateTime": "2024-03-01"}),
        ("TS", "20240301080000+0100", {"valueDateTime": "2024-03-01T08:00:00+01:00"}),
        ("TM", "0830", {"valueTime": "08:30:00"}),
        ("DR", "20240301^20240302", {"valuePeriod": {"start": "2024-03-01", "end": "2024-03-02"}}),
        ("NR", "1.50^", {"valueRange": {"low": {"value": Decimal("1.50"), **MG}}}),
        ("XPN", "Doe^Jane", {"valueString": "Doe^Jane"}),
        ("NM", "", {}),
        ("NM", '""', {}),
        ("CWE", "^^", {}),
    ],
)
def test_types(kind: str, value: str, expected: Json) -> None:
    assert _value(kind, value, "mg") == (expected, 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("NM", "haemolysed"),
        ("NM", "1,5"),
        ("NM", "NaN"),
        ("NM", "1e5"),
        ("DT", "tomorrow"),
        ("TM", "99"),
        ("NR", "a^b"),
    ],
)
def test_what_is_not_of_its_type_is_text_and_told(kind: str, value: str) -> None:
    assert _value(kind, value) == ({"valueString": value}, 1)


def test_a_number_that_is_none_keeps_its_unit() -> None:
    assert _value("NM", "1,5", "mg") == ({"valueString": "1,5 mg"}, 1)
    assert _value("NM", "haemolysed", "mg") == ({"valueString": "haemolysed"}, 1)


def test_several_values_are_components() -> None:
    found, _ = _value("NM", "1~2", "mg")
    assert [part["valueQuantity"]["value"] for part in found["component"]] == [1, 2]
    assert found["component"][0]["code"]["coding"][0]["code"] == "T"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_every_digit_stays(number: Decimal) -> None:
    text = format(number, "f")
    found, _ = _value("NM", text)
    assert codec.encode(found).decode() == f'{{"valueQuantity":{{"value":{text}}}}}'


@given(
    kind=st.sampled_from(["NM", "SN", "ST", "TX", "CWE", "DT", "TM", "TS", "DR", "NR", "ED", "ZZ", ""]),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\r\n|\\"), max_size=30),
)
def test_whatever_is_sent_is_a_valid_value(kind: str, value: str) -> None:
    found: dict[str, Any] = _value(kind, value)[0]
    assert faults({"resourceType": "Observation", "status": "final", "code": {"text": "a"}, **found}) == []
