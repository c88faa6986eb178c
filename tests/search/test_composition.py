"""http://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.search.codes import ALL, Codes, Members
from fhir_server.search.composition import MOST_NESTED, Composition
from fhir_server.search.concepts import Concepts, Unknown, of_code_system

SYSTEM = of_code_system(
    {"concept": [{"code": "a", "concept": [{"code": "b"}, {"code": "c"}]}, {"code": "d"}]}
)
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"


def names(*some: str) -> Codes:
    return Codes(frozenset(some))


def listing(system: str, *codes: str) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": each} for each in codes]}


def selecting(operator: str, value: str) -> dict[str, Any]:
    return {"system": "urn:tree", "filter": [{"property": "concept", "op": operator, "value": value}]}


def members(compose: dict[str, Any], **others: dict[str, Any]) -> Members | None:
    stored = {"it": {"compose": compose}, **others}

    def concepts(system: str) -> Concepts | None:
        return SYSTEM if system == "urn:tree" else None

    return Composition(stored.get, concepts).members("it")


AB = {"compose": {"include": [listing("s", "a", "b")]}}
BC = {"compose": {"include": [listing("s", "b", "c"), listing("t", "x")]}}


@pytest.mark.parametrize(
    ("compose", "expected"),
    [
        ({"include": [listing("s", "a", "b")]}, {"s": names("a", "b")}),
        ({"include": [listing("s", "a"), listing("s", "b"), listing("t", "c")]}, {"s": names("a", "b"), "t": names("c")}),
        ({"include": [{"system": "s"}]}, {"s": ALL}),
        ({"include": [{"system": "s"}], "exclude": [listing("s", "a")]}, {"s": Codes(frozenset("a"), others=True)}),
        ({"include": [listing("s", "a", "b")], "exclude": [listing("s", "a"), {"system": "t"}]}, {"s": names("b")}),
        ({"include": [selecting("is-a", "a")]}, {"urn:tree": names("a", "b", "c")}),
        ({"include": [selecting("is-not-a", "a")]}, {"urn:tree": names("d")}),
        ({"include": [selecting("is-a", "a")], "exclude": [selecting("=", "c")]}, {"urn:tree": names("a", "b")}),
        ({"include": [{**selecting("is-a", "a"), "filter": [
            {"property": "concept", "op": "is-a", "value": "a"}, {"property": "concept", "op": "not-in", "value": "b"}]}]},
         {"urn:tree": names("a", "c")}),
        ({"include": [{"valueSet": ["ab"]}]}, {"s": names("a", "b")}),
        ({"include": [{"valueSet": ["ab", "bc"]}]}, {"s": names("b")}),
        ({"include": [{"valueSet": ["ab"]}, {"valueSet": ["bc"]}]}, {"s": names("a", "b", "c"), "t": names("x")}),
        ({"include": [{"system": "s", "valueSet": ["bc"]}]}, {"s": names("b", "c")}),
        ({"include": [{"system": "s"}], "exclude": [{"valueSet": ["ab"]}]}, {"s": Codes(frozenset("ab"), others=True)}),
        ({"include": [{"valueSet": [GENDERS]}], "exclude": [listing("http://hl7.org/fhir/administrative-gender", "other", "unknown")]},
         {"http://hl7.org/fhir/administrative-gender": names("male", "female")}),
    ],
)  # fmt: skip
def test_includes_add_up_and_all_that_one_says_has_to_be_met(
    compose: dict[str, Any], expected: Members
) -> None:
    found = members(compose, ab=AB, bc=BC)
    assert found is not None
    assert {system: some for system, some in found.items() if some != Codes(frozenset())} == expected


def test_a_value_set_of_itself_is_refused() -> None:
    circle = {"one": {"compose": {"include": [{"valueSet": ["it"]}]}}}
    with pytest.raises(Unknown, match="consists of itself: it → one → it"):
        members({"include": [{"valueSet": ["one"]}]}, **circle)


def test_what_is_asked_for_again_after_a_refusal_is_no_circle() -> None:
    """The stored expansion takes the place of a definition that cannot be evaluated, also inside."""
    unknown = {"compose": {"include": [{"valueSet": ["nowhere"]}]}}
    kept = {
        "compose": {"include": [{"valueSet": ["unknown"]}]},
        "expansion": {"contains": [{"system": "s", "code": "a"}]},
    }
    found = members({"include": [{"valueSet": ["kept"]}, {"valueSet": ["kept"]}]}, unknown=unknown, kept=kept)  # fmt: skip
    assert found == {"s": names("a")}


def test_depth_is_bounded() -> None:
    chain = {f"v{n}": {"compose": {"include": [{"valueSet": [f"v{n + 1}"]}]}} for n in range(MOST_NESTED + 1)}
    with pytest.raises(Unknown, match=f"more than {MOST_NESTED} deep"):
        members({"include": [{"valueSet": ["v0"]}]}, **chain)


def test_what_is_used_again_and_again_is_evaluated_once() -> None:
    """Otherwise these would be 2 to the power of 15."""
    doubled: dict[str, Any] = {
        f"v{n}": {"compose": {"include": [{"valueSet": [f"v{n + 1}"]}, {"valueSet": [f"v{n + 1}"]}]}}
        for n in range(MOST_NESTED - 2)
    }
    doubled[f"v{MOST_NESTED - 2}"] = AB
    assert members({"include": [{"valueSet": ["v0"]}]}, **doubled) == {"s": names("a", "b")}


@pytest.mark.parametrize(
    ("value_set", "expected"),
    [
        ({"contains": [{"system": "s", "code": "a", "contains": [{"system": "t", "code": "b"}]}, {"display": "group"}]},
         {"s": names("a"), "t": names("b")}),
        ({"total": 2, "contains": [{"system": "s", "code": "a"}]}, None),
        ({"total": 1, "offset": 1, "contains": [{"system": "s", "code": "a"}]}, None),
        ({"total": 0}, {}),
    ],
)  # fmt: skip
def test_a_stored_expansion_counts_where_it_is_whole(value_set: dict[str, Any], expected: Any) -> None:
    composition = Composition({"it": {"expansion": value_set}}.get, lambda _: None)
    if expected is None:
        with pytest.raises(Unknown, match="only a part of its expansion"):
            composition.members("it")
    else:
        assert composition.members("it") == expected


@pytest.mark.parametrize(
    ("compose", "why"),
    [
        ({"include": [{"valueSet": ["nowhere"]}]}, "draws on 'nowhere'"),
        (
            {"include": [{"system": "http://snomed.info/sct", "filter": [
                {"property": "concept", "op": "is-a", "value": "404684003"}]}]},
            "selects codes of 'http://snomed.info/sct'",
        ),
        ({"include": [selecting("regex", "(a+)+")]}, "'concept regex'"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said(compose: dict[str, Any], why: str) -> None:
    with pytest.raises(Unknown, match=why.replace("(", r"\(")):
        members(compose)


def test_neither_definition_nor_expansion() -> None:
    with pytest.raises(Unknown, match="neither a definition nor an expansion"):
        Composition({"it": {}}.get, lambda _: None).members("it")
    assert Composition(lambda _: None, lambda _: None).members("unknown") is None


def test_what_has_extensions_in_place_of_values_is_met_without_a_fault() -> None:
    """http://hl7.org/fhir/R4/json.html#primitive"""
    absent = {"extension": [{"url": "http://x.org/why", "valueCode": "unknown"}]}
    found = members({"include": [{"system": "s", "concept": [{"_code": absent}, {"code": "a"}]}]})
    assert found == {"s": names("a")}
    for broken in (
        {"valueSet": [None], "_valueSet": [absent]},
        {"system": "urn:tree", "filter": [{"property": "concept", "_op": absent, "value": "a"}]},
        {"system": "urn:tree", "filter": [{"_property": absent, "op": "is-a", "value": "a"}]},
    ):
        with pytest.raises(Unknown):
            members({"include": [broken]})
    odd = [{"_code": absent}, {"code": "a", "property": [{"_code": absent, "valueCode": "x"}]}]
    assert of_code_system({"concept": odd}).known == frozenset({"a"})
