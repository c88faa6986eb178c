from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import element_path
from resources.element_path import Budget
from resources.outcome import FHIRError

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "contained": [{"resourceType": "Basic", "id": "b"}, {"resourceType": "Nonsense", "id": "n"}],
    "name": [{"given": ["a", None], "_given": [None, {"id": "x"}, {"id": "y"}]}, {"given": ["b"]}],
    "deceasedDateTime": "2020",
    "_birthDate": {"extension": [{"url": "u", "valueString": "s"}]},
}


def found(path: str, resource: dict[str, Any] = PATIENT) -> list[tuple[str, str, int | None, Any]]:
    places = element_path.parse(path, resource["resourceType"]).places(resource, Budget())
    return [(place.type, place.member, place.index, place.value) for place in places]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Patient", [("Patient", "", None, PATIENT)]),
        ("DomainResource", [("Patient", "", None, PATIENT)]),
        ("Patient.name[1]", [("HumanName", "name", 1, {"given": ["b"]})]),
        (
            "Patient.name.given",
            [("string", "given", 0, "a"), ("string", "given", 1, None), ("string", "given", 2, None), ("string", "given", 0, "b")],
        ),
        ("Patient.name.given[3]", [("string", "given", 0, "b")]),
        ("Patient.name[0].given.id", [("string", "id", None, "x"), ("string", "id", None, "y")]),
        ("Patient.name.given.where(id = 'x')", []),
        ("Patient.deceased", [("dateTime", "deceasedDateTime", None, "2020")]),
        ("Patient.deceased.ofType(boolean)", []),
        ("Patient.deceased.ofType(FHIR.dateTime)", [("dateTime", "deceasedDateTime", None, "2020")]),
        ("Patient.birthDate", [("date", "birthDate", None, None)]),
        ("Patient.birthDate.extension('u').value", [("string", "valueString", None, "s")]),
        ("Patient.birthDate.extension('v')", []),
        ("Patient.contained.ofType(Basic).id", [("id", "id", None, "b")]),
        ("Patient.contained.where(id = 'n')", [("Resource", "contained", 1, PATIENT["contained"][1])]),
        ("Patient.photo.title", []),
    ],
)  # fmt: skip
def test_places(path: str, expected: Any) -> None:
    assert found(path) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Patient.nmae", "Patient has no element 'nmae'. It has: id, meta"),
        ("Patient.photo.titel", "Attachment has no element 'titel'"),
        ("Patient.birthDate.value", "Element has no element 'value'"),
        ("Patient.deceasedDateTime", "written 'deceased'"),
        ("Observation.value", "Patient has no element 'Observation'"),
        ("Patient.generalPractitioner.resolve()", "uses resolve(), which selects no place"),
        ("Patient.children()", "uses children()"),
        ("Patient.deceased.ofType(Strng)", "'Strng' is not a FHIR R4 type"),
        ("%ucum.name", "starts with the resource type"),
        ("$index.name", "starts with the resource type"),
    ],
)
def test_paths_that_mean_nothing_say_why(path: str, text: str) -> None:
    with pytest.raises(FHIRError) as caught:
        found(path)
    assert caught.value.status == 400
    assert text in str(caught.value)


def test_a_choice_of_all_types_knows_what_any_of_them_has() -> None:
    extension = {"url": "u", "valueQuantity": {"unit": "g"}}
    resource = {"resourceType": "Basic", "extension": [extension, {"url": "v", "valueString": "s"}]}
    assert found("Basic.extension.value.unit", resource) == [("string", "unit", None, "g")]


def test_the_resource_type_must_be_known() -> None:
    with pytest.raises(FHIRError, match="not a FHIR R4 resource type"):
        element_path.parse("Nonsense.name", "Nonsense")


def test_split_gives_the_list_and_what_has_it() -> None:
    before, name = element_path.parse("Patient.name.given", "Patient").split()
    assert (len(before.places(PATIENT, Budget())), name) == (2, "given")
    for path in ("Patient", "Patient.name[0]", "Patient.name.where(true)"):
        with pytest.raises(FHIRError, match="does not end with the name of a list"):
            element_path.parse(path, "Patient").split()


def test_a_walk_that_is_too_long_is_413() -> None:
    path = element_path.parse("Patient.name.given", "Patient")
    with pytest.raises(FHIRError, match="too many elements") as caught:
        path.places(PATIENT, Budget(5))
    assert caught.value.status == 413


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "given", "_given", "contained", "resourceType", "id"]), inner
        )
    ),
    max_leaves=10,
)
PATHS = st.sampled_from(
    ["name", "name.given", "name.given.id", "contained.id", "name.where(given = 'a').given", "name.given.where($this = 'a')"]
)  # fmt: skip


@given(SHAPES, PATHS)
def test_resources_of_any_shape_are_walked_without_a_fault_and_stay_as_they_are(
    shape: Any, path: str
) -> None:
    resource = {**(shape if isinstance(shape, dict) else {"name": shape}), "resourceType": "Patient"}
    before = copy.deepcopy(resource)
    try:
        found(path, resource)
    except FHIRError as error:
        assert error.status == 422  # noqa: PT017
    assert resource == before
