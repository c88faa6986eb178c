"""The FHIRPath R4 test suite and the R4 examples of the corpus, our closures beside the general engine."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from resources.codec import decode
from resources.fhirpath import UnknownFunction, compile_path, evaluate, general, values
from resources.outcome import FHIRError
from resources.search_parameters import parameters

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[2] / ".." / "shared" / "corpus"))
CASES = CORPUS / "fhirpath" / "fhirpath_r4.json"
EXAMPLES = CORPUS / "fhir" / "examples"

LEFT_TO_THE_GENERAL_ENGINE = {
    "comparable": "UCUM dimensions",
    "decode": "no use in FHIR R4 expressions",
    "encode": "no use in FHIR R4 expressions",
    "escape": "no use in FHIR R4 expressions",
    "highBoundary": "of a later FHIRPath than R4's",
    "lowBoundary": "of a later FHIRPath than R4's",
    "precision": "of a later FHIRPath than R4's",
    "sort": "of a later FHIRPath than R4's",
    "type": "reflection is not needed where types are known",
    "unescape": "no use in FHIR R4 expressions",
}

DIFFERENCES = {
    "testSimpleWithWrongContext": "Encounter.name on a Patient is a branch of a union for another type: empty",
    "testDollarOrderNotAllowed": "JSON members have an order; skip() of children is not refused",
    "testStringQuantityWeekConvertsToQuantityFalse": "'1 wk' is read as the quantity it means",
    "testQuantityLiteralWeekToString": "calendar units are written like UCUM units: 1 'week'",
    "testQuantity9": "a product of units needs a UCUM library",
    "testQuantity10": "a quotient of units needs a UCUM library",
    "testQuantity11": "a quotient of units needs a UCUM library",
    "testNEquality24": "whether [lb_av] and kg are comparable needs a UCUM library: empty",
    "testPlusDate19": "0.1 seconds are added, not rounded off",
    "testType22": "System.Patient is no type: refused",
    "testConformsTo2": "profiles are not validated here: conformsTo() accepts",
    "testConformsTo3": "profiles are not validated here: conformsTo() accepts",
    "testFHIRPathAsFunction11": "a code is a string, and as() takes subtypes like is()",
    "testFHIRPathAsFunction16": "a code is a string, and ofType() takes subtypes like is()",
    "testFHIRPathAsFunction21": "as() on several items works like ofType(): 19 R4 search expressions need it",
}

pytestmark = pytest.mark.skipif(not CASES.exists(), reason=f"no corpus at {CORPUS}; set FHIR_CORPUS")


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(CASES.read_text()) if CASES.exists() else []
    return found


@cache
def resource(name: str | None) -> dict[str, Any]:
    return decode((CASES.parent / "inputs" / name).read_bytes()) if name else {"resourceType": "Basic"}


def written(kind: str, value: Any) -> str:
    """A value the way the suite writes it."""
    match kind, value:
        case _, bool():
            return str(value).lower()
        case "date" | "dateTime" | "instant", _:
            return f"@{value}"
        case "Quantity", _:
            return f"{value['value']} '{value['code']}'"
    return str(value)


def passes(case: dict[str, Any]) -> bool:
    try:
        found = [
            (kind, written(kind, value))
            for kind, value in values(case["expression"], resource(case["input"]))
        ]
    except FHIRError:
        return "invalid" in case
    if case.get("predicate") == "true":
        found = [("boolean", str(bool(found)).lower())]
    expected = [
        (each["type"] or kind, each["value"]) for each, (kind, _) in zip(case["output"], found, strict=False)
    ]
    return "invalid" not in case and len(case["output"]) == len(found) and expected == found


@cache
def results() -> dict[str, list[str]]:
    """The names of the cases by what became of them."""
    found: dict[str, list[str]] = {"passed": [], "failed": [], "unknown": []}
    for case in cases():
        try:
            found["passed" if passes(case) else "failed"].append(case["name"])
        except UnknownFunction as unknown:
            found["unknown"].append(str(unknown))
    return found


def test_all_cases_but_the_listed_ones_pass() -> None:
    assert set(results()["failed"]) == set(DIFFERENCES)
    assert len(results()["passed"]) == 824


def test_only_the_listed_functions_are_left_to_the_general_engine() -> None:
    assert set(results()["unknown"]) == set(LEFT_TO_THE_GENERAL_ENGINE)
    assert len(results()["unknown"]) == 96


def test_the_general_engine_answers_what_the_compiler_does_not_know() -> None:
    answered = Counter[str]()
    for case in cases():
        try:
            values(case["expression"], resource(case["input"]))
        except UnknownFunction as unknown:
            answered[str(unknown)] += _answer(case) == [each["value"] for each in case["output"]]
        except FHIRError:
            continue
    assert {name: answered[name] for name in ("type", "encode", "decode")} == {
        "type": 13,
        "encode": 4,
        "decode": 4,
    }


def _answer(case: dict[str, Any]) -> list[str]:
    try:
        return [written("", value) for value in evaluate(case["expression"], resource(case["input"]))]
    except FHIRError as refused:
        return [str(refused)]


def examples() -> Iterator[dict[str, Any]]:
    for path in sorted(EXAMPLES.rglob("*.json")):
        yield decode(path.read_bytes())


def test_search_expressions_find_what_the_general_engine_finds() -> None:
    """But for what that engine cannot: resolve(), hasExtension(), `Resource.id`, `as` of several items."""
    compared = found = 0
    different: set[str] = set()
    seen = Counter[tuple[str, str]]()
    for example in examples():
        kind = example["resourceType"]
        for code, parameter in parameters(kind).items():
            expression = parameter.expression
            if not expression or any(word in expression for word in ("resolve", "hasExtension", "Resource.")):
                continue
            mine = [value for _, value in compile_path(expression, kind)(example)]
            if seen[kind, code] >= (2 if mine else 1):
                continue
            seen[kind, code] += 1
            compared, found = compared + 1, found + bool(mine)
            if mine != _general(expression, example):
                different.add(expression)
    assert compared > 2500
    assert found > 1000
    assert all(" as " in expression for expression in different), different
    assert len(different) < 12


def _general(expression: str, example: dict[str, Any]) -> list[Any] | None:
    try:
        return general.evaluate(expression, example)
    except FHIRError:
        return None


def test_no_value_is_a_float_and_every_value_has_a_type() -> None:
    kinds = Counter[str]()
    for example in examples():
        kind = example["resourceType"]
        for parameter in parameters(kind).values():
            if parameter.expression:
                for type_name, value in compile_path(parameter.expression, kind)(example):
                    assert not isinstance(value, float)
                    assert isinstance(value, str | bool | int | Decimal | dict)
                    kinds[type_name] += 1
    assert {"Reference", "CodeableConcept", "code", "dateTime", "Quantity", "HumanName", "uri"} <= set(kinds)
    assert "" not in kinds
    assert not any(name.startswith("System.") for name in kinds)
