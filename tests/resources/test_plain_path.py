from __future__ import annotations

import random

import pytest

from resources import registry
from resources.fhirpath import compile_path
from resources.plain_path import plain_path
from resources.search_parameters import alternatives, parameters
from tests.resources import generated


def test_a_path_knows_its_first_member_and_its_type() -> None:
    cast = plain_path("(Observation.value as Quantity)", "Observation")
    assert cast is not None
    assert (cast.member, cast.type) == ("valueQuantity", "Quantity")
    assert cast.extract({"valueQuantity": {"value": 1}}) == [("Quantity", {"value": 1})]
    assert cast.extract({"valueString": "1"}) == []
    names = plain_path("Patient.name.given", "Patient")
    assert names is not None
    patient = {"name": [{"given": ["A", None]}, {"family": "B"}, {"given": ["C"]}]}
    assert names.extract(patient) == [("string", "A"), ("string", "C")]


@pytest.mark.parametrize(
    "expression",
    [
        "Observation.value",  # of several types
        "(ConceptMap.source as uri)",  # a canonical is one, too
        "Patient.name.where(use = 'official')",
        "Bundle.entry[0].resource",
        "Patient.contained",
        "Patient.deceased.exists() and Patient.deceased != false",
    ],
)
def test_what_is_more_is_for_others(expression: str) -> None:
    assert plain_path(expression, expression.strip("(").partition(".")[0]) is None


def test_another_type_s_path_is_none() -> None:
    assert plain_path("Patient.name", "Observation") is None
    assert plain_path("Resource.meta.profile", "Observation") is not None


@pytest.mark.parametrize("resource_type", sorted(registry.resource_types()))
def test_a_path_gives_what_the_expression_gives(resource_type: str) -> None:
    rng = random.Random(resource_type)
    resources = [generated.resource(resource_type, rng) for _ in range(20)]
    found = 0
    for parameter in parameters(resource_type).values():
        for expression in alternatives(parameter, resource_type):
            path = plain_path(expression, resource_type)
            if path is None:
                continue
            found += 1
            evaluate = compile_path(expression, resource_type)
            for resource in resources:
                values = path.extract(resource)
                assert values == evaluate(resource), expression
                assert not values or path.member in resource
                assert all(kind == path.type for kind, _ in values)
    assert found or not registry.is_a(resource_type, "DomainResource")
