"""http://hl7.org/fhir/R4/search.html#combining, http://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from capability.table import TABLE
from fhir_server.search.clause import CONTENT
from fhir_server.search.clauses import parse
from fhir_server.search.query import ALIVE, filter_of
from resources.outcome import FHIRError
from resources.search_parameters import parameters
from tests.search.conftest import SITE, Shelf


@pytest.fixture(scope="module")
def patients(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Patient"]
    shelf.put(
        {"id": "adam", "gender": "male", "birthDate": "1980-05-05", "name": [{"family": "First"}]},
        {
            "id": "eve",
            "gender": "female",
            "birthDate": "1980-06-06",
            "name": [{"family": "First"}, {"family": "Second"}],
        },
        {"id": "kim", "gender": "other", "birthDate": "1990"},
    )
    return shelf


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([], ["adam", "eve", "kim"]),
        ([("gender", "male,female")], ["adam", "eve"]),
        ([("gender", "male"), ("gender", "female")], []),
        ([("family", "first"), ("family", "second")], ["eve"]),
        ([("birthdate", "ge1980-05-06"), ("birthdate", "lt1990")], ["eve"]),
        ([("birthdate", "1980"), ("gender:not", "male")], ["eve"]),
        ([("birthdate", "1980-05,1990"), ("family:missing", "true")], ["kim"]),
        ([("_id", "adam,kim"), ("birthdate", "le1980-12")], ["adam"]),
        ([("_id:not", "adam")], ["eve", "kim"]),
        ([("_lastUpdated", "gt2000"), ("_lastUpdated", "lt2000")], []),
        ([("_lastUpdated:missing", "true")], []),
        ([("_id:missing", "false")], ["adam", "eve", "kim"]),
    ],
)
def test_parameters_are_and_and_values_are_or(
    patients: Shelf, query: list[tuple[str, str]], expected: list[str]
) -> None:
    assert patients.find(*query) == expected


@pytest.mark.parametrize("value", ["", "yes", "TRUE", "true,false", "1"])
def test_missing_is_true_or_false(patients: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'gender:missing'") as refused:
        patients.find(("gender:missing", value))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "name", ["_id:exact", "_lastUpdated:not", "birthdate:exact", "birthdate:contains", "gender:$ne"]
)
def test_modifiers_that_do_not_fit_are_refused(patients: Shelf, name: str) -> None:
    with pytest.raises(FHIRError, match="is not supported here") as refused:
        patients.find((name, "x"))
    assert refused.value.issues[0].code == "not-supported"


def test_no_filter_is_without_the_condition_that_leaves_deleted_resources_out() -> None:
    assert filter_of(parse("Patient", []), SITE) == ALIVE
    for query in ([("gender", "male")], [("gender:missing", "true")]):
        assert filter_of(parse("Patient", query), SITE)["$and"][-1] == ALIVE  # type: ignore[index]


@pytest.mark.parametrize("resource_type", TABLE.types)
def test_every_parameter_the_server_claims_can_be_asked_for_and_no_other(
    patients: Shelf, resource_type: str
) -> None:
    claimed = {parameter.code for parameter in TABLE.search_parameters(resource_type)}
    for code, parameter in parameters(resource_type).items():
        value = "1|1" if code == "near" else "$".join(["2020"] * max(1, len(parameter.component)))
        if code not in claimed:
            with pytest.raises(FHIRError, match="does not support"):
                parse(resource_type, [(code, value)])
            continue
        if code == CONTENT:  # answered by reading: tests/search/test_content.py
            assert parse(resource_type, [(code, value)]).joins
            continue
        for name, asked in ((code, value), (f"{code}:missing", "true")):
            condition = filter_of(parse(resource_type, [(name, asked)]), SITE)
            assert patients.collection.find_one({"$and": [{"_id": "nobody"}, condition]}) is None
