"""http://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.search.index import search_document
from resources.outcome import FHIRError
from tests.search.conftest import BASE, SITE, Shelf


def about(reference: str, **more: Any) -> dict[str, Any]:
    return {"subject": {"reference": reference, **more}}


@pytest.fixture(scope="module")
def observations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Observation"]
    shelf.put(
        {"id": "relative", **about("Patient/p1")},
        {"id": "absolute", **about(f"{BASE}/Patient/p1")},
        {"id": "versioned", **about("Patient/p1/_history/2")},
        {"id": "elsewhere", **about("http://other.example.org/fhir/Patient/p1")},
        {"id": "group", **about("Group/p1")},
        {"id": "logical", "subject": {"identifier": {"system": "urn:mrn", "value": "7"}}},
        {"id": "contained", **about("#p1")},
        {"id": "urn", **about("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7")},
        {"id": "absent"},
    )
    return shelf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("subject", "p1", ["absolute", "group", "relative", "versioned"]),
        ("subject", "Patient/p1", ["absolute", "relative", "versioned"]),
        ("subject:Patient", "p1", ["absolute", "relative", "versioned"]),
        ("subject:Patient", "Patient/p1", ["absolute", "relative", "versioned"]),
        ("subject", f"{BASE}/Patient/p1", ["absolute", "relative", "versioned"]),
        ("subject", "http://other.example.org/fhir/Patient/p1", ["elsewhere"]),
        ("subject", "Patient/p1/_history/2", ["versioned"]),
        ("subject", "Patient/p1/_history/3", []),
        ("subject", f"{BASE}/Patient/p1/_history/2", ["versioned"]),
        ("subject", "Patient/p1/_history/2,Group/p1", ["group", "versioned"]),
        ("subject", "Group/p1,Patient/p2", ["group"]),
        ("subject:Group", "p1", ["group"]),
        ("subject", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", ["urn"]),
        ("subject:identifier", "urn:mrn|7", ["logical"]),
        ("subject:identifier", "7", ["logical"]),
        ("subject:identifier", "urn:mrn|", ["logical"]),
        ("subject:identifier", "urn:mrn|8", []),
        ("subject", "#p1", []),
        ("subject", "7", []),
        ("subject", "P1", []),
        ("subject", "Encounter/p1", []),
        ("subject:missing", "true", ["absent"]),
        ("patient", "p1", ["absolute", "relative", "versioned"]),
        ("patient", "Group/p1", []),
    ],
)
def test_forms_of_a_reference(observations: Shelf, name: str, value: str, expected: list[str]) -> None:
    assert observations.find((name, value)) == expected


def test_patient_counts_only_references_to_patients(observations: Shelf) -> None:
    assert "group" not in observations.find(("patient:missing", "false"))


@pytest.mark.parametrize("name", ["subject", "subject:Patient", "subject:identifier"])
def test_references_are_found_in_the_index(observations: Shelf, name: str) -> None:
    assert "COLLSCAN" not in observations.stages((name, "p1"))


@pytest.mark.parametrize("name", ["subject:Encounter", "subject:Patience", "subject:text", "subject:exact"])
def test_a_type_the_parameter_does_not_refer_to_is_refused(observations: Shelf, name: str) -> None:
    with pytest.raises(FHIRError, match=":Patient") as refused:
        observations.find((name, "p1"))
    assert refused.value.status == 400


def test_a_value_of_another_type_than_the_modifier_is_refused(observations: Shelf) -> None:
    with pytest.raises(FHIRError, match="'Group/p1' is no Patient"):
        observations.find(("subject:Patient", "Group/p1"))


def test_ids_that_may_be_of_too_many_types_are_refused(observations: Shelf) -> None:
    ids = ",".join(f"p{number}" for number in range(500))
    assert observations.find(("subject", ids)) == ["absolute", "group", "relative", "versioned"]
    with pytest.raises(FHIRError, match="'focus': its ids may be those of 145 types"):
        observations.find(("focus", ids))


def test_one_reference_is_one_value_whatever_its_form(observations: Shelf) -> None:
    """MongoDB cannot index two lists in one compound index, and codes are lists."""
    resource = about("Patient/p1/_history/2", identifier={"system": "urn:mrn", "value": "7"})
    values = search_document({"resourceType": "Observation", **resource}, SITE)
    assert values["subject"] == values["patient"] == "Patient/p1"
    observations.collection.create_index([("s.patient", 1), ("s.code", 1), ("s.date.s", -1)])
    code = {"coding": [{"system": "http://loinc.org", "code": "1-8"}, {"code": "x"}]}
    assert observations.finds(
        {**resource, "code": code, "effectiveDateTime": "2024"}, ("patient", "p1"), ("code", "x")
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("http://a.org/Questionnaire/q", True),
        ("http://a.org/Questionnaire/q|1.0", True),
        ("http://a.org/Questionnaire/q|2.0", False),
        ("http://a.org/Questionnaire", False),
    ],
)
def test_canonicals_are_found_with_and_without_version(
    shelves: Mapping[str, Shelf], value: str, found: bool
) -> None:
    resource = {"questionnaire": "http://a.org/Questionnaire/q|1.0"}
    assert shelves["QuestionnaireResponse"].finds(resource, ("questionnaire", value)) is found


def test_a_resource_in_a_bundle_is_found_by_its_id(shelves: Mapping[str, Shelf]) -> None:
    resource = {"type": "document", "entry": [{"resource": {"resourceType": "Composition", "id": "c1"}}]}
    assert shelves["Bundle"].finds(resource, ("composition", "c1"))
    assert not shelves["Bundle"].finds(resource, ("composition", "c2"))


ids = st.text(alphabet="abcXYZ019.-", min_size=1, max_size=64)
bases = st.sampled_from(["", f"{BASE}/", "http://other.example.org/fhir/"])


@settings(max_examples=60, deadline=None)
@given(
    base=bases,
    resource_type=st.sampled_from(["Patient", "Group", "Device"]),
    logical_id=ids,
    version=st.none() | ids,
)
def test_what_is_indexed_is_found(
    shelves: Mapping[str, Shelf], base: str, resource_type: str, logical_id: str, version: str | None
) -> None:
    shelf = shelves["Observation"]
    plain = f"{base}{resource_type}/{logical_id}"
    text = plain if version is None else f"{plain}/_history/{version}"
    assert shelf.finds(about(text), ("subject", plain))
    assert shelf.finds(about(text), ("subject", text))
    assert shelf.finds(about(text), (f"subject:{resource_type}", plain))
    assert not shelf.finds(about(text), ("subject", f"{plain}x"))
    local = not base.startswith("http://other")
    assert shelf.finds(about(text), ("subject", logical_id)) is local
