"""http://hl7.org/fhir/R4/searchparameter-registry.html"""

from __future__ import annotations

import pytest

from resources import registry
from resources.search_parameters import all_parameters, parameters, us_core_parameters


def test_all_parameters_of_the_definitions_are_there() -> None:
    assert len(all_parameters()) == 1386


def test_every_base_is_a_resource_type() -> None:
    known = registry.resource_types() | {"Resource", "DomainResource"}
    assert {base for parameter in all_parameters() for base in parameter.base} <= known


def test_a_type_has_its_own_and_the_inherited_parameters() -> None:
    of_patient = parameters("Patient")
    assert of_patient["birthdate"].type == "date"
    assert of_patient["birthdate"].expression is not None
    assert of_patient["_id"].expression == "Resource.id"
    assert of_patient["_text"].expression is None
    assert of_patient["general-practitioner"].target == ("Practitioner", "Organization", "PractitionerRole")
    assert "code" not in of_patient


@pytest.mark.parametrize("resource_type", ["Bundle", "Binary", "Parameters"])
def test_what_is_no_domain_resource_has_no_narrative_to_search(resource_type: str) -> None:
    assert "_lastUpdated" in parameters(resource_type)
    assert "_text" not in parameters(resource_type)


def test_one_code_may_mean_different_parameters_on_different_types() -> None:
    assert parameters("Appointment")["date"].url != parameters("Observation")["date"].url


def test_a_composite_names_its_components() -> None:
    composite = parameters("Observation")["code-value-quantity"]
    assert [part.expression for part in composite.component] == ["code", "value.as(Quantity)"]


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        parameters("Patient")["x"] = parameters("Patient")["name"]  # type: ignore[index]


def test_what_us_core_adds_is_built_in() -> None:
    """http://hl7.org/fhir/us/core/searchparameters.html"""
    urls = {
        (base, code): parameters(base)[code].url
        for base, code in [
            ("CareTeam", "role"), ("Condition", "asserted-date"), ("Encounter", "discharge-disposition"),
            ("Goal", "description"), ("Patient", "ethnicity"), ("Patient", "gender-identity"), ("Patient", "race"),
        ]
    }  # fmt: skip
    assert all(url.startswith("http://hl7.org/fhir/us/core/") for url in urls.values())


def test_where_r4_has_a_parameter_us_core_does_not_change_it() -> None:
    assert (
        parameters("Patient")["birthdate"].url == "http://hl7.org/fhir/SearchParameter/individual-birthdate"
    )
    assert parameters("Encounter")["_id"].url == "http://hl7.org/fhir/SearchParameter/Resource-id"
    assert len(us_core_parameters()) == 110
