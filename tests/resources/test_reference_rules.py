from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import reference_rules

ORGANIZATION = ("Organization",)


@pytest.mark.parametrize(
    "reference",
    [
        "Organization/1",
        "Organization/1/_history/2",
        "Organization?identifier=http://a|b",
        "http://example.org/fhir/Organization/1",
        "https://example.org/Organization/1/_history/1",
        "http://example.org/Patients/1",
        "http://example.org/Patient/1/data",
        "http://example.org/Patient?identifier=1",
        "http://example.org/fhir/Foo/1",
        "http://Patient/1",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "#inside",
    ],
)
def test_accepted_for_an_organization(reference: Any) -> None:
    assert reference_rules.fault(reference, ORGANIZATION) is None


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("Patient/1", "expected Organization"),
        ("Patient?identifier=1", "expected Organization"),
        ("http://127.0.0.1:8080/fhir/Patient/1", "points to a Patient; expected Organization"),
        ("https://example.org/Patient/1/_history/2", "expected Organization"),
        ("Organisation/1", "did you mean 'Organization'?"),
        ("Foo/1", "names no resource type of R4; expected Organization"),
        ("patient/1/_history/1", "names no resource type"),
        ("Foo?identifier=1", "names no resource type"),
        ("bad ref !!", "not a reference"),
        ("Organization", "no id"),
        ("Organization/", "no id"),
        ("Organization/a_b", "no id"),
        ("Organization/" + "x" * 65, "no id"),
    ],
)
def test_refused_for_an_organization(reference: Any, named: Any) -> None:
    text = reference_rules.fault(reference, ORGANIZATION)
    assert text is not None
    assert named in text


def test_any_type_is_right_where_the_element_names_none() -> None:
    assert reference_rules.fault("Patient/1", ()) is None
    assert reference_rules.fault("Patient/", ()) is not None
    assert reference_rules.fault("http://example.org/fhir/Patient/1", ()) is None
    assert "did you mean 'Patient'?" in str(reference_rules.fault("Patiend/1", ()))


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ({"type": "Patient"}, "not allowed here"),
        ({"type": "http://hl7.org/fhir/StructureDefinition/Patient"}, "not allowed here"),
    ],
)
def test_a_declared_type_must_be_a_target(reference: Any, named: Any) -> None:
    assert named in str(reference_rules.type_fault(reference, ORGANIZATION))


def test_a_declared_type_must_agree_with_the_literal() -> None:
    both = ("Organization", "Patient")
    assert "contradicts" in str(
        reference_rules.type_fault({"type": "Patient", "reference": "Organization/1"}, both)
    )
    elsewhere = {"type": "Patient", "reference": "http://example.org/fhir/Organization/1"}
    assert "contradicts" in str(reference_rules.type_fault(elsewhere, both))
    assert reference_rules.type_fault({"type": "Patient", "reference": "Patient/1"}, both) is None
    assert (
        reference_rules.type_fault({"type": "http://example.org/logical", "reference": "Patient/1"}, both)
        is None
    )


@given(
    st.one_of(
        st.text(),
        st.from_regex(
            r"(https?://a/)?(Patient|Organization|Foo)?[/?#]?[a-z/ _:]{0,8}(/_history/)?[0-9]?",
            fullmatch=True,
        ),
    ),
    st.sampled_from([(), ORGANIZATION, ("Patient", "Organization")]),
)
def test_what_the_pattern_takes_is_right(reference: Any, targets: Any) -> None:
    if re.search(reference_rules.pattern(targets), reference):
        assert reference_rules.fault(reference, targets) is None
