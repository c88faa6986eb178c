"""http://hl7.org/fhir/R4/search.html#number"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.outcome import FHIRError
from tests.search.conftest import Shelf


def risk(*probabilities: str) -> dict[str, Any]:
    return {"prediction": [{"probabilityDecimal": Decimal(each)} for each in probabilities]}


@pytest.fixture(scope="module")
def risks(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["RiskAssessment"]
    shelf.put(
        {"id": "a-94", **risk("94.99")},
        {"id": "b-95", **risk("95")},
        {"id": "c-99.5", **risk("99.5")},
        {"id": "d-99.996", **risk("99.996")},
        {"id": "e-100", **risk("100.000")},
        {"id": "f-100.5", **risk("100.5")},
        {"id": "g-ends", **risk("1", "200")},
        {"id": "h-none", "prediction": [{"qualitativeRisk": {"text": "low"}}]},
    )
    return shelf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("100", "cde"),
        ("eq100", "cde"),
        ("100.00", "de"),
        ("1e2", "bcdef"),
        ("100.000", "e"),
        ("ne100", "abfg"),
        ("gt100", "fg"),
        ("ge100", "efg"),
        ("lt100", "abcdg"),
        ("le100", "abcdeg"),
        ("sa100", "fg"),
        ("eb100", "abcdg"),
        ("ap105", "abcdef"),
        ("ap1", "g"),
        ("95.00,100.50", "bf"),
        ("100.5000000000000000000000000000000001", ""),
        ("-1", ""),
    ],
)
def test_prefixes_and_digits(risks: Shelf, value: str, expected: str) -> None:
    assert "".join(found[0] for found in risks.find(("probability", value))) == expected


def test_one_value_has_to_meet_both_bounds(risks: Shelf) -> None:
    assert risks.find(("probability", "100.5"), ("probability:missing", "false")) == ["f-100.5"]


@pytest.mark.parametrize("value", ["x", "eq", "gt", "1..2", "1e", "100|x", "sa 1"])
def test_malformed_numbers_are_refused(risks: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'probability'") as refused:
        risks.find(("probability", value))
    assert refused.value.status == 400


@pytest.mark.parametrize("modifier", ["exact", "not", "text"])
def test_numbers_have_no_modifiers_but_missing(risks: Shelf, modifier: str) -> None:
    with pytest.raises(FHIRError, match="Possible: :missing"):
        risks.find((f"probability:{modifier}", "1"))


@pytest.mark.parametrize("prefix", ["", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"])
def test_numbers_are_found_in_the_index(risks: Shelf, prefix: str) -> None:
    assert "COLLSCAN" not in risks.stages(("probability", f"{prefix}100"))


def test_integers(shelves: Mapping[str, Shelf]) -> None:
    resource = {"variant": [{"start": 100, "end": 200}]}
    assert shelves["MolecularSequence"].finds(resource, ("variant-start", "100"), ("variant-end", "ge200"))
    assert not shelves["MolecularSequence"].finds(resource, ("variant-start", "200"))


numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9)


@settings(max_examples=60, deadline=None)
@given(value=numbers)
def test_what_is_indexed_is_found(shelves: Mapping[str, Shelf], value: Decimal) -> None:
    shelf = shelves["RiskAssessment"]
    text = format(value, "f")
    resource = risk(text)
    for prefix in ("", "ge", "le", "ap"):
        assert shelf.finds(resource, ("probability", prefix + text))
    for prefix in ("ne", "gt", "lt", "sa", "eb"):
        assert not shelf.finds(resource, ("probability", prefix + text))
