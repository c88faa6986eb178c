from __future__ import annotations

from typing import Any

import pytest

from resources import registry


def test_the_146_types_of_r4_that_can_be_instantiated() -> None:
    types = registry.resource_types()
    assert len(types) == 146
    assert {"Patient", "MedicinalProduct", "EffectEvidenceSynthesis"} <= types
    assert not {"Resource", "DomainResource", "Citation", "NutritionProduct", "HumanName"} & types


def test_every_type_an_element_names_is_known() -> None:
    seen: set[str] = set()
    waiting = [*registry.resource_types(), *registry.data_types()]
    while waiting:
        name = waiting.pop()
        if name in seen or registry.is_primitive(name) or name == registry.ANY_RESOURCE:
            continue
        seen.add(name)
        for element in registry.elements(name).values():
            assert element.json_names
            waiting += element.types
    assert "ExplanationOfBenefit.item.detail.subDetail" in seen


def test_a_repeating_backbone_element() -> None:
    contact = registry.element("Patient", "contact")
    assert contact is not None
    assert (contact.min, contact.max, contact.types) == (0, None, ("Patient.contact",))
    assert "organization" in registry.elements("Patient.contact")


def test_a_choice_is_one_element_with_a_json_name_for_each_type() -> None:
    deceased = registry.element("Patient", "deceased")
    assert deceased is not None
    assert dict(deceased.json_names) == {"deceasedBoolean": "boolean", "deceasedDateTime": "dateTime"}
    assert deceased.is_choice
    assert deceased.modifier
    assert registry.json_members("Patient")["deceasedDateTime"] is deceased
    assert registry.element("Patient", "deceasedBoolean") is None


def test_a_content_reference_leads_to_the_type_it_names() -> None:
    link = registry.element("Bundle.entry", "link")
    assert link is not None
    assert link.types == ("Bundle.link",)
    item = registry.element("Questionnaire.item", "item")
    assert item is not None
    assert item.types == ("Questionnaire.item",)


def test_targets_name_types_and_are_empty_where_any_is_allowed() -> None:
    organization = registry.element("Patient", "managingOrganization")
    focus = registry.element("Observation", "focus")
    assert organization is not None
    assert focus is not None
    assert organization.targets == ("Organization",)
    assert focus.targets == ()


def test_the_id_of_a_resource_is_an_id_and_that_of_an_element_a_string() -> None:
    assert registry.elements("Patient")["id"].types == ("id",)
    assert registry.elements("HumanName")["id"].types == ("string",)
    assert registry.elements("Patient")["id"].takes_extensions
    assert not registry.elements("HumanName")["id"].takes_extensions


@pytest.mark.parametrize("name", ["Nothing", "Patient.nothing", "Patient.name", "Bundle.entry.link", ""])
def test_what_is_no_type_has_no_elements(name: Any) -> None:
    with pytest.raises(KeyError):
        registry.elements(name)
    assert registry.element(name, "id") is None


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("Patient", "DomainResource"),
        ("Age", "Quantity"),
        ("code", "string"),
        ("Patient.contact", "BackboneElement"),
        ("Timing.repeat", "Element"),
        ("Element", None),
        ("Resource", None),
    ],
)
def test_what_a_type_specializes(name: Any, parent: Any) -> None:
    assert registry.base(name) == parent


def test_is_a_follows_the_whole_line() -> None:
    assert registry.is_a("Patient", "Resource")
    assert registry.is_a("Duration", "Element")
    assert registry.is_a("url", "uri")
    assert not registry.is_a("Bundle", "DomainResource")


def test_primitives_inherit_ranges_and_lengths() -> None:
    primitives = registry.primitives()
    assert len(primitives) == 20
    assert (primitives["positiveInt"].minimum, primitives["positiveInt"].maximum) == (1, 2**31 - 1)
    assert primitives["unsignedInt"].minimum == 0
    assert primitives["markdown"].max_length == 1_048_576


def test_codes_of_closed_and_open_value_sets() -> None:
    gender = registry.codes("http://hl7.org/fhir/ValueSet/administrative-gender")
    assert gender == frozenset({"male", "female", "other", "unknown"})
    assert registry.codes("http://hl7.org/fhir/ValueSet/mimetypes") is None
    assert registry.codes("http://example.org/unknown") is None
