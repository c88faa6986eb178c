"""http://hl7.org/fhir/R4/searchparameter-registry.html"""

from __future__ import annotations

from resources import validation
from resources.built_in_parameters import built_in
from resources.search_parameters import all_parameters, us_core_parameters


def test_every_parameter_is_a_valid_resource_with_an_id_of_its_own() -> None:
    assert len(built_in()) == len(all_parameters()) + len(us_core_parameters())
    for logical_id, resource in built_in().items():
        assert resource["id"] == logical_id
        validation.check(resource)


def test_a_composite_has_its_components() -> None:
    made = built_in()["Observation-code-value-quantity"]
    assert [each["expression"] for each in made["component"]] == ["code", "value.as(Quantity)"]
