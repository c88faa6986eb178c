"""http://hl7.org/fhir/R4/search.html#composite"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from capability.table import TABLE
from fhir_server.search.index import search_document
from resources.outcome import FHIRError
from tests.search.conftest import SITE, Shelf

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"


def code(text: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": text}]}


def measured(value: str, unit: str = "mm[Hg]") -> dict[str, Any]:
    return {"valueQuantity": {"value": Decimal(value), "system": UCUM, "code": unit}}


@pytest.fixture(scope="module")
def observations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Observation"]
    shelf.put(
        {
            "id": "a-pressure",
            "code": code("85354-9"),
            "component": [
                {"code": code("8480-6"), **measured("120")},
                {"code": code("8462-4"), **measured("80")},
            ],
        },
        {
            "id": "b-reversed",
            "code": code("85354-9"),
            "component": [
                {"code": code("8480-6"), **measured("80")},
                {"code": code("8462-4"), **measured("120")},
            ],
        },
        {"id": "c-alone", "code": code("8480-6"), **measured("16", "kPa")},
        {"id": "d-absent", "code": code("8480-6"), "component": [{"code": code("8462-4")}]},
        {"id": "e-concept", "code": code("x"), "valueCodeableConcept": {"text": "pos", **code("LA1")}},
        {"id": "f-string", "code": code("x"), "valueString": "positive"},
        {"id": "g-period", "code": code("x"), "valuePeriod": {"start": "2024-01", "end": "2024-02"}},
        {"id": "h-time", "code": code("y"), "valueDateTime": "2024-01-05"},
        {"id": "i-sampled", "code": code("8480-6"), "valueSampledData": {"origin": {"value": 120}, "data": "0"}},
        {"id": "j-coded", "code": code("y"), "component": [{"code": code("x"), "valueCodeableConcept": code("LA1")}]},
    )  # fmt: skip
    return shelf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("component-code-value-quantity", "8480-6$120", "a"),
        ("component-code-value-quantity", "8480-6$80", "b"),
        ("component-code-value-quantity", f"{LOINC}|8462-4$lt100", "a"),
        ("component-code-value-quantity", f"8480-6$gt15|{UCUM}|kPa", "a"),
        ("component-code-value-quantity", "8480-6$120,8462-4$120", "ab"),
        ("component-code-value-quantity", "85354-9$120", ""),
        ("code-value-quantity", f"8480-6$120|{UCUM}|mm[Hg]", "c"),
        ("code-value-quantity", "8480-6$16", "c"),
        ("code-value-quantity", "8480-6$120", ""),
        ("combo-code-value-quantity", f"8480-6$gt100|{UCUM}|mm[Hg]", "ac"),
        ("combo-code-value-quantity", "8480-6$120", "a"),
        ("code-value-concept", "x$LA1", "e"),
        ("code-value-concept", f"x${LOINC}|LA1", "e"),
        ("component-code-value-concept", "x$LA1", "j"),
        ("combo-code-value-concept", "x$LA1", "ej"),
        ("combo-code-value-concept", "y$LA1", ""),
        ("code-value-string", "x$pos", "f"),
        ("code-value-date", "x$2024", "g"),
        ("code-value-date", "y$ge2024-01-05", "h"),
        ("code-value-date", "x$2024,y$2024-01", "gh"),
        ("component-code-value-quantity:missing", "false", "ab"),
        ("code-value-quantity:missing", "false", "c"),
        ("combo-code-value-quantity:missing", "false", "abc"),
        ("combo-code-value-quantity:missing", "true", "defghij"),
        ("code-value-string:missing", "false", "f"),
    ],
)  # fmt: skip
def test_values_belong_to_the_same_repetition(
    observations: Shelf, name: str, value: str, expected: str
) -> None:
    assert "".join(found[0] for found in observations.find((name, value))) == expected


@pytest.mark.parametrize(
    ("resource_type", "resource", "query", "matches"),
    [
        (
            "Questionnaire",
            {"useContext": [{"code": {"code": "focus"}, "valueCodeableConcept": code("a")}, {"code": {"code": "age"}, "valueRange": {"low": {"value": 1}}}]},
            ("context-type-value", "focus$a"),
            True,
        ),
        (
            "Questionnaire",
            {"useContext": [{"code": {"code": "focus"}, "valueCodeableConcept": code("a")}, {"code": {"code": "age"}, "valueRange": {"low": {"value": 1}}}]},
            ("context-type-quantity", "age$gt5"),
            True,
        ),
        (
            "Questionnaire",
            {"useContext": [{"code": {"code": "focus"}, "valueCodeableConcept": code("a")}, {"code": {"code": "age"}, "valueCodeableConcept": code("b")}]},
            ("context-type-value", "age$a"),
            False,
        ),
        ("ValueSet", {"useContext": [{"code": {"code": "focus"}, "valueCodeableConcept": code("a")}]}, ("context-type-value", "focus$a"), True),
        ("Group", {"characteristic": [{"code": code("m"), "valueBoolean": True}]}, ("characteristic-value", "m$true"), True),
        ("Group", {"characteristic": [{"code": code("m"), "valueCodeableConcept": code("a$b")}]}, ("characteristic-value", "m$a\\$b"), True),
        ("DocumentReference", {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}]}, ("relationship", "replaces$DocumentReference/1"), True),
        ("DocumentReference", {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1/_history/3"}}]}, ("relationship", "http://hl7.org/fhir/document-relationship-type|replaces$DocumentReference/1/_history/3"), True),
        ("DocumentReference", {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}]}, ("relationship", "appends$DocumentReference/1"), False),
        ("MolecularSequence", {"referenceSeq": {"chromosome": code("7")}, "variant": [{"start": 10, "end": 20}, {"start": 30, "end": 40}]}, ("chromosome-variant-coordinate", "7$lt31$gt39"), True),
        ("MolecularSequence", {"referenceSeq": {"chromosome": code("7")}, "variant": [{"start": 10, "end": 20}, {"start": 30, "end": 40}]}, ("chromosome-variant-coordinate", "7$lt11$gt39"), False),
        ("MolecularSequence", {"referenceSeq": {"chromosome": code("7"), "windowStart": 1, "windowEnd": 9}}, ("chromosome-window-coordinate", "7$lt11$gt3"), True),
    ],
)  # fmt: skip
def test_every_kind_of_composite(
    shelves: Mapping[str, Shelf],
    resource_type: str,
    resource: dict[str, Any],
    query: tuple[str, str],
    matches: bool,
) -> None:
    assert shelves[resource_type].finds(resource, query) is matches


def test_a_dollar_sign_that_is_meant_is_escaped(observations: Shelf) -> None:
    resource = {"code": code("a$b,c|d"), "valueString": "x"}
    assert observations.finds(resource, ("code-value-string", "a\\$b\\,c\\|d$x"))


@pytest.mark.parametrize(
    "value", ["8480-6", "8480-6$", "$120", "8480-6$120$1", "8480-6$x", "a|b|c$1", "8480-6$120|x"]
)
def test_malformed_composites_are_refused(observations: Shelf, value: str) -> None:
    for name in ("component-code-value-quantity", "combo-code-value-quantity", "code-value-quantity"):
        with pytest.raises(FHIRError, match=f"'{name}'") as refused:
            observations.find((name, value))
        assert refused.value.status == 400


def test_composites_have_no_modifiers_but_missing(observations: Shelf) -> None:
    with pytest.raises(FHIRError, match="Possible: :missing"):
        observations.find(("code-value-quantity:not", "a$1"))


def test_composites_are_found_in_the_index(observations: Shelf) -> None:
    for name in ("component-code-value-quantity", "code-value-quantity"):
        assert "COLLSCAN" not in observations.stages((name, "8480-6$gt100"))


def test_what_has_one_repetition_is_stored_once() -> None:
    resource = {"resourceType": "Observation", "code": code("x"), **measured("1")}
    assert not [name for name in search_document(resource, SITE) if "code-value" in name]


@pytest.mark.parametrize("resource_type", TABLE.types)
def test_every_composite_can_be_asked(shelves: Mapping[str, Shelf], resource_type: str) -> None:
    for parameter in TABLE.search_parameters(resource_type):
        if parameter.type == "composite":
            value = "$".join(["2020"] * len(parameter.component))
            assert shelves[resource_type].find((parameter.code, value)) == []
