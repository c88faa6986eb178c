"""SearchParameter resources of a server's own: http://hl7.org/fhir/R4/searchparameter.html"""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.custom_parameter import FUNCTIONS, MAX_LENGTH, from_json, own_parameters, to_json
from resources.fhirpath import compile_path
from resources.outcome import FHIRError
from resources.search_parameters import alternatives


def definition(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter", "url": "http://example.org/sp", "name": "x", "status": "active",
        "description": "x", "code": "x", "base": ["Patient"], "type": "string", "expression": "Patient.name.given",
        **changes,
    }  # fmt: skip


def test_one_for_each_type() -> None:
    expression = "Patient.name.given | Practitioner.name.given"
    made = own_parameters(definition(base=["Patient", "Practitioner"], expression=expression))
    assert [each.base for each in made] == [("Patient",), ("Practitioner",)]
    assert [list(alternatives(each, each.base[0])) for each in made] == [
        ["Patient.name.given"],
        ["Practitioner.name.given"],
    ]


def test_resource_stands_for_all_types_but_audit_events() -> None:
    made = own_parameters(definition(base=["Resource"], type="token", expression="Resource.meta.tag"))
    assert len(made) == 145
    assert "AuditEvent" not in {each.base[0] for each in made}


@pytest.mark.parametrize("status", ["draft", "retired", "unknown"])
def test_only_active_ones_count(status: str) -> None:
    assert own_parameters(definition(status=status, expression="Nonsense.(")) == ()


def test_bars_in_parentheses_and_texts_are_no_alternatives() -> None:
    (made,) = own_parameters(
        definition(expression="(Patient.name | Patient.contact.name).where(text != 'a | b').given")
    )
    assert len(list(alternatives(made, "Patient"))) == 1
    path = compile_path(next(alternatives(made, "Patient")), "Patient")
    assert path({"resourceType": "Patient", "contact": [{"name": {"text": "c", "given": ["Ann"]}}]}) == [
        ("string", "Ann")
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.name.given.where(matches('(a+)+$'))",
        "Patient.name.given.replaceMatches('(a+)+$', '')",
        "Patient.repeat($this)",
        "Patient.descendants()",
        "Patient.name.select($this | 'a').select($this | 'b')",
        "Patient.name.given.combine(Patient.name.given)",
        "Patient.name.where(%resource.name.where(%resource.name.exists()).exists()).given",
        "Patient.name.where(%rootResource.name.exists()).given",
        "Patient.name.aggregate($total + 1, 0)",
        "Patient.name.given & Patient.name.given",
        "Patient.name.where($this ~ $this).given",
        "Patient.name.given.toChars()",
        "iif(Patient.active, Patient.name, Patient.contact.name).given",
        "Patient." + "a." * MAX_LENGTH,
        "Patient" + ".name.exists()" * 70,
        "(" * 100 + "Patient.name.given" + ")" * 100,
        "not(" * 200,
    ],
)  # fmt: skip
def test_a_hostile_expression_is_refused(expression: str) -> None:
    with pytest.raises(FHIRError) as refused:
        own_parameters(definition(expression=expression))
    assert refused.value.status == 422
    assert all(issue.expression == ("SearchParameter.expression",) for issue in refused.value.issues)


def test_what_is_taken_costs_no_more_than_a_walk() -> None:
    """The costliest that the list allows, on a resource of 5,000 names, against one plain step for each of its steps."""
    names = [{"given": [f"n{n}"], "extension": [{"url": "u", "valueString": "v"}]} for n in range(5_000)]
    resource = {"resourceType": "Patient", "name": names}
    nested = (
        "Patient.name.where(extension.where(value.exists() and url in ('a' | 'b' | 'u')).exists())"
        + ".where(given.exists())" * 15
    )
    unions = " | ".join(["Patient.name.given"] * 15)
    for expression in (
        nested,
        f"({unions})",
        "Patient.name.where(given in given).where(given contains given.first()).given",
    ):
        (made,) = own_parameters(definition(expression=expression))
        path = compile_path(next(alternatives(made, "Patient")), "Patient")
        began = time.perf_counter()
        path(resource)
        assert time.perf_counter() - began < 3, expression


@given(st.text(max_size=60) | st.lists(st.sampled_from(["Patient", ".name", "(", ")", "|", "'", "`", ".where(", "$this", "%", "=", " ", "1", *sorted(FUNCTIONS)]), max_size=30).map("".join))  # fmt: skip
def test_any_text_is_a_parameter_or_a_422(expression: str) -> None:
    status = 422
    try:
        own_parameters(definition(expression=expression))
    except FHIRError as refused:
        status = refused.status
    assert status == 422


@pytest.mark.parametrize(
    "component",
    [
        {"definition": "http://example.org/unknown", "expression": "gender"},
        {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gendre"},
        {
            "definition": "http://hl7.org/fhir/SearchParameter/Observation-code-value-quantity",
            "expression": "gender",
        },
    ],
)
def test_components_are_parameters_of_r4_and_elements_of_theirs(component: dict[str, str]) -> None:
    good = {"definition": "http://hl7.org/fhir/SearchParameter/individual-given", "expression": "name.given"}
    with pytest.raises(FHIRError) as refused:
        own_parameters(
            definition(type="composite", expression="Patient.contact", component=[good, component])
        )
    assert refused.value.status == 422


def test_the_whole_resource_is_no_repetition() -> None:
    parts = [
        {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"}
    ] * 2
    with pytest.raises(FHIRError, match="elements of one type"):
        own_parameters(definition(type="composite", expression="Patient", component=parts))


def test_facts_come_back() -> None:
    part = {
        "definition": "http://hl7.org/fhir/SearchParameter/individual-given|4.0.1",
        "expression": "name.given",
    }
    (made,) = own_parameters(
        definition(type="composite", expression="Patient.contact", component=[part, part])
    )
    assert from_json(to_json(made)) == made


def test_what_us_core_defines_under_its_own_url_changes_nothing() -> None:
    race = definition(
        code="race",
        url="http://hl7.org/fhir/us/core/SearchParameter/us-core-race",
        type="token",
        expression="x",
    )
    assert own_parameters(race) == ()
