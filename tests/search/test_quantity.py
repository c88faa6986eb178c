"""http://hl7.org/fhir/R4/search.html#quantity"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.outcome import FHIRError
from tests.search.conftest import Shelf

UCUM = "http://unitsofmeasure.org"


def quantity(
    value: str | None, code: str | None = None, system: str | None = UCUM, **more: str
) -> dict[str, Any]:
    whole: dict[str, Any] = {"value": None if value is None else Decimal(value)}
    whole |= {"system": system if code else None, "code": code, **more}
    return {name: each for name, each in whole.items() if each is not None}


@pytest.fixture(scope="module")
def observations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Observation"]
    shelf.put(
        {"id": "a-mg/dL", "valueQuantity": quantity("540", "mg/dL")},
        {"id": "b-g/L", "valueQuantity": quantity("5.40", "g/L", unit="grams per litre")},
        {"id": "c-local", "valueQuantity": quantity("5.4", "g/L", "urn:local")},
        {"id": "d-text", "valueQuantity": quantity("5.4", unit="g/L")},
        {"id": "e-below", "valueQuantity": quantity("5.4", "g/L", comparator="<")},
        {"id": "f-above", "valueQuantity": quantity("5.4", "g/L", comparator=">=")},
        {"id": "g-mass", "valueQuantity": quantity("5.4", "g")},
        {"id": "h-bare", "valueQuantity": quantity("5.4")},
        {"id": "i-bars", "valueQuantity": quantity("5.4", "a|b", "urn:x|y")},
        {"id": "j-none", "valueQuantity": quantity(None, "g/L")},
        {"id": "k-bad", "valueQuantity": quantity("5.4", "gram per L")},
    )
    return shelf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"5.4|{UCUM}|g/L", "ab"),
        (f"540|{UCUM}|mg/dL", "ab"),
        (f"0.54|{UCUM}|g/dL", "ab"),
        (f"5.41|{UCUM}|g/L", ""),
        (f"5.45|{UCUM}|g/L", ""),
        (f"ne5.4|{UCUM}|g/L", "ef"),
        (f"gt5.4|{UCUM}|g/L", "f"),
        (f"ge5.4|{UCUM}|g/L", "abf"),
        (f"lt540|{UCUM}|mg/dL", "e"),
        (f"le540|{UCUM}|mg/dL", "abef"),
        (f"sa5.3|{UCUM}|g/L", "abf"),
        (f"eb5.4|{UCUM}|g/L", "e"),
        (f"ap5|{UCUM}|g/L", "abef"),
        (f"ap5.8|{UCUM}|g/L", "abef"),
        (f"ap6.1|{UCUM}|g/L", "f"),
        (f"5.4|{UCUM}|g", "g"),
        (f"5400|{UCUM}|mg", "g"),
        (f"5.4|{UCUM}|gram per L", "k"),
        ("5.4|urn:local|g/L", "c"),
        ("5.4||g/L", "bcd"),
        ("5.4||grams per litre", "b"),
        ("540||mg/dL", "a"),
        ("5.4", "bcdghik"),
        ("5.40", "bcdghik"),
        ("5.4000|urn:local|g/L,540||mg/dL", "ac"),
        ("5.4|urn:x\\|y|a\\|b", "i"),
        ("5.4||a\\|b", "i"),
        ("gt530", "af"),
        ("5.4||G/L", ""),
    ],
)  # fmt: skip
def test_numbers_with_units(observations: Shelf, value: str, expected: str) -> None:
    assert "".join(found[0] for found in observations.find(("value-quantity", value))) == expected


def test_what_has_no_value_is_not_missing(observations: Shelf) -> None:
    assert observations.find(("value-quantity:missing", "true")) == []


@pytest.mark.parametrize(
    "value", ["x", "|urn:s|g", "5.4|", "5.4|urn:s", "5.4|urn:s|", "5.4||", "5.4|a|b|c", "gt|u|c"]
)
def test_malformed_quantities_are_refused(observations: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'value-quantity'") as refused:
        observations.find(("value-quantity", value))
    assert refused.value.status == 400


@pytest.mark.parametrize("value", ["5.4", "gt5.4||g/L", f"le5.4|{UCUM}|g/L"])
def test_quantities_are_found_in_the_index(observations: Shelf, value: str) -> None:
    assert "COLLSCAN" not in observations.stages(("value-quantity", value))


def test_number_and_unit_are_those_of_one_quantity(shelves: Mapping[str, Shelf]) -> None:
    resource = {"component": [{"valueQuantity": quantity("1", "g")}, {"valueQuantity": quantity("2", "m")}]}
    shelf = shelves["Observation"]
    assert shelf.finds(resource, ("component-value-quantity", "1||g"))
    assert shelf.finds(resource, ("combo-value-quantity", f"200|{UCUM}|cm"))
    assert not shelf.finds(resource, ("component-value-quantity", "2||g"))
    assert not shelf.finds(resource, ("component-value-quantity", f"1|{UCUM}|m"))


@pytest.mark.parametrize(
    ("resource_type", "resource", "query", "matches"),
    [
        ("Invoice", {"totalNet": {"value": Decimal("9.5"), "currency": "EUR"}}, ("totalnet", "9.5||EUR"), True),
        ("Invoice", {"totalNet": {"value": Decimal("9.5"), "currency": "EUR"}}, ("totalnet", "9.5|urn:iso:std:iso:4217|EUR"), True),
        ("Invoice", {"totalNet": {"value": Decimal("9.5"), "currency": "EUR"}}, ("totalnet", "9.5||USD"), False),
        ("Encounter", {"length": quantity("90", "min")}, ("length", f"1.5|{UCUM}|h"), True),
        ("Condition", {"onsetAge": quantity("4", "a")}, ("onset-age", f"48|{UCUM}|mo"), True),
        ("Condition", {"onsetRange": {"low": quantity("2", "a"), "high": quantity("4", "a")}}, ("onset-age", f"gt3|{UCUM}|a"), True),
        ("Condition", {"onsetRange": {"low": quantity("2", "a"), "high": quantity("4", "a")}}, ("onset-age", f"3|{UCUM}|a"), False),
        ("Condition", {"onsetRange": {"low": quantity("2", "a"), "high": quantity("4", "a")}}, ("onset-age", f"sa3|{UCUM}|a"), False),
        ("Condition", {"onsetRange": {"low": quantity("6", "mo"), "high": quantity("1", "a")}}, ("onset-age", f"lt1|{UCUM}|a"), True),
        ("Condition", {"onsetRange": {"low": quantity("6", "mo"), "high": quantity("1", "g")}}, ("onset-age", f"lt1|{UCUM}|a"), False),
        ("Condition", {"onsetRange": {"low": quantity("6", "mo")}}, ("onset-age", f"gt99|{UCUM}|a"), True),
        ("Condition", {"onsetRange": {"high": quantity("6", "mo")}}, ("onset-age", "lt1"), True),
        ("Observation", {"valueSampledData": {"origin": quantity("2", "mV"), "data": "1 3 E"}}, ("value-quantity", f"ge5|{UCUM}|mV"), True),
        ("Observation", {"valueSampledData": {"origin": quantity("2", "mV"), "data": "1 3 E"}}, ("value-quantity", f"gt0.005|{UCUM}|V"), False),
    ],
)  # fmt: skip
def test_every_type_that_is_a_quantity(
    shelves: Mapping[str, Shelf],
    resource_type: str,
    resource: dict[str, Any],
    query: tuple[str, str],
    matches: bool,
) -> None:
    assert shelves[resource_type].finds(resource, query) is matches


numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6)


@settings(max_examples=60, deadline=None)
@given(value=numbers, code=st.sampled_from(["mg/dL", "Cel", "[degF]", "/min", "U/L", "%", "[IU]/mL"]))
def test_what_is_indexed_is_found(shelves: Mapping[str, Shelf], value: Decimal, code: str) -> None:
    shelf = shelves["Observation"]
    resource = {"valueQuantity": quantity(format(value, "f"), code)}
    for prefix in ("", "ge", "le", "ap"):
        for unit in (f"|{UCUM}|{code}", f"||{code}", ""):
            assert shelf.finds(resource, ("value-quantity", f"{prefix}{value:f}{unit}"))
    for prefix in ("ne", "gt", "lt", "sa", "eb"):
        assert not shelf.finds(resource, ("value-quantity", f"{prefix}{value:f}|{UCUM}|{code}"))
