"""http://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

import itertools

import pytest

from fhir_server.search import codes
from fhir_server.search.codes import ALL, NONE, Codes

UNIVERSE = frozenset("abcd")
SOME = [
    Codes(frozenset(names), others)
    for others in (False, True)
    for size in range(4)
    for names in itertools.combinations("abc", size)
]


def listed(some: Codes) -> frozenset[str]:
    """As a set of what there is: d stands for all that nobody names."""
    return UNIVERSE - some.names if some.others else some.names


@pytest.mark.parametrize(("one", "other"), list(itertools.product(SOME, SOME)))
def test_they_combine_as_sets_do(one: Codes, other: Codes) -> None:
    assert listed(one | other) == listed(one) | listed(other)
    assert listed(one & other) == listed(one) & listed(other)
    assert listed(one - other) == listed(one) - listed(other)
    assert listed(~one) == UNIVERSE - listed(one)


def test_value_sets_combine_system_by_system() -> None:
    a, b = Codes(frozenset("a")), Codes(frozenset("b"))
    assert codes.either({"x": a}, {"x": b, "y": ALL}) == {"x": a | b, "y": ALL}
    assert codes.both({"x": a | b, "z": a}, {"x": b, "y": ALL}) == {"x": b}
    assert codes.without({"x": a | b, "y": ALL}, {"x": b, "z": a}) == {"x": a, "y": ALL}
    assert codes.without({"x": a}, {"x": ALL}) == {"x": NONE}
    assert codes.size({"x": a | b, "y": ALL}) == 2


def test_value_sets_of_r4_are_known() -> None:
    gender = codes.of_r4("http://hl7.org/fhir/ValueSet/administrative-gender")
    assert gender is not None
    assert gender["http://hl7.org/fhir/administrative-gender"] == Codes(
        frozenset({"male", "female", "other", "unknown"})
    )
    assert codes.of_r4("http://a.org/unknown") is None
