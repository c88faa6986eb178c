from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources import codec, registry, structure
from resources.faults import faults
from tests.resources.generated import mutated, resource

TYPES = sorted(registry.resource_types())
SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("name", TYPES)
def test_valid_resources_of_every_type_take_the_fast_way(name: Any) -> None:
    for seed in range(5):
        made = resource(name, random.Random(seed))
        assert faults(made) == []
        assert structure.fits(made), made


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(TYPES), SEEDS)
def test_what_fits_has_no_fault(name: Any, seed: Any) -> None:
    rng = random.Random(seed)
    changed = mutated(resource(name, rng), rng)
    if structure.fits(changed):
        assert faults(changed) == [], changed


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_a_decoded_resource_fits_as_the_one_it_was_written_from(seed: Any) -> None:
    rng = random.Random(seed)
    made = resource(rng.choice(TYPES), rng)
    assert structure.fits(codec.decode(codec.encode(made)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
def test_anything_gets_an_answer(value: Any) -> None:
    assert not structure.fits({"resourceType": value})
    for name in ("name", "contained", "extension", "active", "_birthDate"):
        patient = {"resourceType": "Patient", name: value}
        if structure.fits(patient):
            assert faults(patient) == []


@pytest.mark.parametrize(
    "members",
    [
        {"multipleBirthInteger": codec.number("1e0")},
        {"name": [{"family": "\x00"}]},
        {"name": [{"family": "\b"}]},
        {"name": [{"id": "x"}]},
        {"birthDate": "2023-02-29"},
        {"photo": [{"data": ""}]},
        {"maritalStatus": {}},
        {"managingOrganization": {"reference": "Patient/1"}},
        {"multipleBirthInteger": 1, "multipleBirthBoolean": True},
        {"extension": [{"url": "u", "valueString": "x", "valueCode": "y"}]},
        {"extension": [{"url": "u", "extension": []}]},
    ],
)
def test_refused(members: Any) -> None:
    assert not structure.fits({"resourceType": "Patient", **members})


@pytest.mark.parametrize("where", ["extension", "modifierExtension"])
def test_extensions_are_seen_at_any_depth(where: str) -> None:
    extension = {"url": "http://a.org/x", "valueBoolean": True}
    patient = {"resourceType": "Patient", "contact": [{"name": {"text": "A"}, where: [extension]}]}
    assert structure.examine(patient).extensions
    named = {"resourceType": "Patient", "name": [{"text": f"an {where}: none"}]}
    assert not structure.examine(named).extensions


def test_fragments_are_seen() -> None:
    inside = {"resourceType": "Patient", "managingOrganization": {"reference": "#x"}}
    outside = {"resourceType": "Patient", "managingOrganization": {"reference": "Organization/x"}}
    assert structure.examine(inside) == structure.Examined(fits=True, fragments=True, extensions=False)
    assert structure.examine(outside) == structure.Examined(fits=True, fragments=False, extensions=False)
