"""http://hl7.org/fhir/R4/terminologies.html"""

from __future__ import annotations

import pytest

from resources import terminology

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
GENDER = "http://hl7.org/fhir/administrative-gender"


@pytest.mark.parametrize("suffix", ["", "|4.0.1"])
def test_value_sets_of_r4_have_their_codes(suffix: str) -> None:
    expansion = terminology.expansion(f"http://hl7.org/fhir/ValueSet/administrative-gender{suffix}")
    assert expansion == {GENDER: ["male", "female", "other", "unknown"]}
    conditions = terminology.expansion(f"http://hl7.org/fhir/ValueSet/condition-clinical{suffix}")
    assert conditions is not None
    assert "active" in (conditions["http://terminology.hl7.org/CodeSystem/condition-clinical"] or ())
    marital = terminology.expansion("http://hl7.org/fhir/ValueSet/marital-status")
    assert marital is not None
    assert marital["http://terminology.hl7.org/CodeSystem/v3-NullFlavor"] == ["UNK"]


@pytest.mark.parametrize("url", ["http://hl7.org/fhir/ValueSet/body-site", "http://a.org/x", ""])
def test_other_value_sets_are_not_known(url: str) -> None:
    assert terminology.expansion(url) is None


def test_codes_nest() -> None:
    assert terminology.has_hierarchy(ACT)
    assert not terminology.has_hierarchy(GENDER)
    assert terminology.parents(ACT)["ACUTE"] == "IMP"
    assert terminology.parents(ACT)["IMP"] == "_ActEncounterCode"
