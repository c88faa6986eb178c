from __future__ import annotations

from typing import Any

from resources import definitions
from resources.definitions.us_core import search_parameters
from resources.fhirpath import compile_path

URL = "http://hl7.org/fhir/us/core/SearchParameter/us-core-"


def parameter(name: str, expression: str) -> dict[str, Any]:
    return {
        "code": name, "url": URL + name, "type": "token", "base": ["Patient"], "expression": expression, "name": "x",
    }  # fmt: skip


def test_the_latest_definition_counts_and_what_was_left_out_stays() -> None:
    old = {"searchParameters": [parameter("race", "Patient.a"), parameter("gone", "Patient.b")]}
    new = {"searchParameters": [parameter("race", "Patient.c")]}
    assert [(each["code"], each["expression"]) for each in search_parameters([old, new])] == [
        ("gone", "Patient.b"),
        ("race", "Patient.c"),
    ]


def test_a_code_keeps_its_system() -> None:
    (made,) = search_parameters([{"searchParameters": [parameter("race", "Patient.extension.value.code")]}])
    assert made["expression"] == "Patient.extension.value.ofType(Coding)"
    assert "name" not in made


def test_every_expression_of_the_table_compiles() -> None:
    table = definitions.read("us_core_search_parameters")
    assert [compile_path(each["expression"], each["base"][0]) for each in table]
