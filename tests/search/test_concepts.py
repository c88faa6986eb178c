"""http://hl7.org/fhir/R4/codesystem.html#hierarchy, http://hl7.org/fhir/R4/valueset-filter-operator.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.search.codes import Codes
from fhir_server.search.concepts import Unknown, of_code_system, of_r4

SYSTEM: dict[str, Any] = {
    "concept": [
        {
            "code": "animal",
            "concept": [
                {"code": "dog", "property": [{"code": "legs", "valueInteger": 4}]},
                {
                    "code": "bird",
                    "property": [{"code": "legs", "valueInteger": 2}, {"code": "flies", "valueBoolean": True}],
                    "concept": [{"code": "kiwi"}],
                },
            ],
        },
        {"code": "pet"},
        {"code": "cat", "property": [{"code": "parent", "valueCode": "pet"}, {"code": "parent", "valueCode": "animal"}]},
        {"code": "zoo", "property": [{"code": "child", "valueCode": "kiwi"}]},
    ]
}  # fmt: skip
EVERYTHING = {"animal", "dog", "bird", "kiwi", "pet", "cat", "zoo"}


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("concept", "is-a", "animal", "animal bird cat dog kiwi"),
        ("code", "is-a", "bird", "bird kiwi"),
        ("concept", "descendent-of", "animal", "bird cat dog kiwi"),
        ("concept", "is-not-a", "animal", "pet zoo"),
        ("concept", "generalizes", "kiwi", "animal bird kiwi zoo"),
        ("concept", "generalizes", "cat", "animal cat pet"),
        ("concept", "=", "dog", "dog"),
        ("concept", "in", "dog, cat", "cat dog"),
        ("concept", "not-in", "dog,cat", "animal bird kiwi pet zoo"),
        ("concept", "is-a", "unheard-of", ""),
        ("legs", "=", "4", "dog"),
        ("legs", "in", "2,4", "bird dog"),
        ("legs", "not-in", "4", "animal bird cat kiwi pet zoo"),
        ("legs", "exists", "true", "bird dog"),
        ("legs", "exists", "false", "animal cat kiwi pet zoo"),
        ("flies", "=", "true", "bird"),
        ("parent", "=", "pet", "cat"),
    ],
)
def test_filters_select(name: str, operator: str, value: str, expected: str) -> None:
    selected = of_code_system(SYSTEM).selected({"property": name, "op": operator, "value": value}, "it")
    found = EVERYTHING - selected.names if selected.others else selected.names & EVERYTHING
    assert " ".join(sorted(found)) == expected


def test_codes_that_are_nested_in_each_other_end() -> None:
    circle = of_code_system(
        {
            "concept": [
                {"code": "a", "property": [{"code": "parent", "valueCode": "b"}]},
                {"code": "b", "property": [{"code": "parent", "valueCode": "a"}]},
            ]
        }
    )
    assert circle.below("a") == circle.above("a") == {"a", "b"}


@pytest.mark.parametrize(("name", "operator"), [("concept", "regex"), ("legs", "is-a"), ("legs", "regex")])
def test_other_filters_are_refused(name: str, operator: str) -> None:
    with pytest.raises(Unknown, match=f"'{name} {operator}' of the value set 'x'"):
        of_code_system(SYSTEM).selected(
            {"property": name, "op": operator, "value": ".*"}, "the value set 'x'"
        )


def test_r4_nests_codes_of_its_own() -> None:
    act = of_r4("http://terminology.hl7.org/CodeSystem/v3-ActCode")
    assert act is not None
    assert act.below("IMP") == {"IMP", "ACUTE", "NONAC"}
    assert {"ACUTE", "IMP", "_ActEncounterCode"} <= act.above("ACUTE")
    assert act.below("nonsense") == act.above("nonsense") == {"nonsense"}
    assert act.selected({"property": "concept", "op": "descendent-of", "value": "IMP"}, "it") == Codes(
        frozenset({"ACUTE", "NONAC"})
    )
    with pytest.raises(Unknown):
        act.selected({"property": "status", "op": "=", "value": "active"}, "it")
    assert of_r4("http://loinc.org") is None
