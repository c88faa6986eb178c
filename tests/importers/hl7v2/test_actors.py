from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import actors
from resources.codec import Json
from tests.importers.hl7v2.making import conversion, faults, field


def test_a_practitioner_with_a_number_is_found_by_it() -> None:
    made = conversion()
    found = actors.practitioner(made, field("0123^Doctor^Emory^E^Sr^Dr^MD^^HOSP^L^^^NPI"))
    (draft,) = made.drafts
    assert found == {"reference": draft.url, "display": "Dr Emory E Doctor Sr MD"}
    assert draft.role == "reference"
    assert draft.match == ("identifier=urn:hl7v2:id:HOSP|0123",)
    assert draft.resource["identifier"][0]["type"]["coding"][0]["code"] == "NPI"
    assert draft.resource["name"][0]["family"] == "Doctor"
    assert faults(draft.resource) == []
    assert actors.practitioner(made, field("0123^Doctor^^^^^^^HOSP")) == {
        "reference": draft.url,
        "display": "Doctor",
    }
    assert made.drafts == [draft]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("^Doctor^Emory", {"display": "Emory Doctor"}), ("", None), ('""', None), ("^^^^^^^^HOSP", None)],
)
def test_a_name_alone_is_nobodys_identity(text: str, expected: Json | None) -> None:
    made = conversion()
    assert actors.practitioner(made, field(text)) == expected
    assert made.drafts == []


def test_a_number_alone_is_enough() -> None:
    made = conversion()
    found = actors.practitioner(made, field("0123"))
    assert found == {"reference": made.drafts[0].url}
    assert faults(made.drafts[0].resource) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("Lab^L^0007^^^HOSP^XX", "0007"), ("Lab^L^0007^^^HOSP^XX^^^0008", "0008"), ("^^^^^^^^^0008", "0008")],
)
def test_an_organization(text: str, number: str) -> None:
    made = conversion()
    found = actors.organization(made, field(text))
    (draft,) = made.drafts
    assert found is not None
    assert found["reference"] == draft.url
    assert draft.resource["identifier"][0]["value"] == number
    assert draft.role == "reference"
    assert faults(draft.resource) == [] or "name" not in draft.resource


def test_an_organization_without_number_is_only_named() -> None:
    made = conversion()
    assert actors.organization(made, field("Lab")) == {"display": "Lab"}
    assert actors.organization(made, field("")) is None
    assert made.drafts == []


def test_a_place_is_the_narrowest_that_is_named() -> None:
    made = conversion()
    found = actors.location(made, field("WARD^101^2^HOSP^^^B^3"))
    (draft,) = made.drafts
    assert found == {"reference": draft.url, "display": "HOSP B 3 WARD 101 2"}
    assert draft.resource["physicalType"]["coding"][0]["code"] == "bd"
    assert faults(draft.resource) == []
    other = actors.location(made, field("WARD^101^^HOSP^^^B^3"))
    assert other is not None
    assert other["reference"] != draft.url
    assert made.drafts[1].resource["physicalType"]["coding"][0]["code"] == "ro"
    assert actors.location(made, field("WARD^101^2^HOSP^^^B^3")) == found
    assert len(made.drafts) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("^^^^^^^^near the door", {"display": "near the door"}), ("", None), ("^^^^I^C", None)],
)
def test_a_place_without_a_name(text: str, expected: Json | None) -> None:
    made = conversion()
    assert actors.location(made, field(text)) == expected
    assert made.drafts == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_whatever_is_sent_is_valid(text: str) -> None:
    made = conversion("ZXX|" + "^".join([text] * 12))
    value = made.message.segments[1].value(1)
    for found in (
        actors.practitioner(made, value),
        actors.organization(made, value),
        actors.location(made, value),
    ):
        assert found is None or found.keys() <= {"reference", "display"}
    for draft in made.drafts:
        assert faults(draft.resource) == []
