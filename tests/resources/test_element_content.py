from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import registry
from resources.element_content import Content, Slots, content_of, put
from resources.element_path import Budget
from resources.outcome import FHIRError

GIVEN = registry.elements("HumanName")["given"]
ITEMS = st.tuples(st.none() | st.text(min_size=1, max_size=2), st.none() | st.just({"id": "x"})).filter(any)


@given(st.lists(ITEMS, max_size=6))
def test_values_and_siblings_stay_side_by_side(items: list[tuple[str | None, dict[str, str] | None]]) -> None:
    name: dict[str, Any] = {}
    for value, sibling in items:
        put(name, GIVEN, Content("given", value, sibling), Budget())
    slots = Slots.of(name, "given", Budget())
    assert list(zip(slots.values, slots.siblings, strict=True)) == items
    assert ("given" in name) == any(value for value, _ in items)
    assert ("_given" in name) == any(sibling for _, sibling in items)
    slots.store()
    again = Slots.of(name, "given", Budget())
    assert (again.values, again.siblings) == (slots.values, slots.siblings)


@pytest.mark.parametrize(
    ("type_name", "name", "kind", "member"),
    [
        ("Observation", "value", "valueQuantity", "valueQuantity"),
        ("Observation", "value", "valueCode", None),
        ("Condition", "onset", "valueAge", "onsetAge"),
        ("Condition", "onset", "valueQuantity", None),
        ("Patient", "gender", "valueCode", "gender"),
        ("Patient", "gender", "valueString", "gender"),
        ("Patient", "gender", "valueMarkdown", None),
        ("HumanName", "family", "valueCode", "family"),
        ("Patient", "birthDate", "valueDate", "birthDate"),
        ("Patient", "birthDate", "valueString", None),
        ("Patient", "managingOrganization", "valueReference", "managingOrganization"),
        ("Patient", "managingOrganization", "valueIdentifier", None),
    ],
)
def test_the_type_must_fit_the_element(type_name: str, name: str, kind: str, member: str | None) -> None:
    element = registry.elements(type_name)[name]
    part = {"name": "value", kind: "x"}
    if member:
        assert content_of(part, element, Budget()) == Content(member, "x")
    else:
        with pytest.raises(FHIRError, match="takes") as caught:
            content_of(part, element, Budget())
        assert caught.value.status == 422


def test_what_is_put_is_not_shared_with_the_patch() -> None:
    part = {"name": "value", "valueHumanName": {"given": ["a"]}}
    content = content_of(part, registry.elements("Patient")["name"], Budget())
    content.value["given"].append("b")
    assert part["valueHumanName"] == {"given": ["a"]}


@given(
    st.dictionaries(
        st.sampled_from(["name", "part", "resource", "valueString", "_valueString", "valueX"]),
        st.none() | st.just([{}]) | st.text(),
    )
)
def test_any_part_gives_content_or_an_outcome(part: dict[str, Any]) -> None:
    for element in (
        GIVEN,
        registry.elements("Patient")["contact"],
        registry.elements("Patient")["contained"],
    ):
        try:
            assert content_of(part, element, Budget()).member == element.name
        except FHIRError as error:
            assert error.status in {400, 422}  # noqa: PT017
