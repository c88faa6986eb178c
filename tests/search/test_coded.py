"""http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.search import codes
from fhir_server.search.codes import Codes, Members
from fhir_server.search.concepts import of_code_system
from resources.outcome import FHIRError
from tests.search.conftest import SITE, Shelf

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
VALUE_SET = "http://hl7.org/fhir/ValueSet/v3-ActEncounterCode"
INTERPRETATIONS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def identified(code: str, value: str, text: str) -> dict[str, Any]:
    kind = {"coding": [{"system": IDENTIFIER_TYPES, "code": code}], "text": text}
    return {"identifier": [{"type": kind, "system": "urn:s", "value": value}]}


@pytest.fixture(scope="module")
def patients(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Patient"]
    both = identified("MR", "1", "x")["identifier"] + identified("SS", "2", "y")["identifier"]
    shelf.put(
        {"id": "a", **identified("MR", "446053", "Medical record number")},
        {"id": "b", **identified("SS", "446053", "Social security")},
        {"id": "c", "identifier": both, "gender": "female"},
        {"id": "d", "identifier": [{"value": "446053"}], "gender": "male"},
        {"id": "e", "maritalStatus": {"coding": [{"code": "M", "display": "Married"}], "text": "Verheiratet, glücklich"}},
        {"id": "f", **identified("a|b", "c|d", "Bars")},
    )  # fmt: skip
    return shelf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|MR|446053", "a"),
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|MR|446053,{IDENTIFIER_TYPES}|SS|446053", "ab"),
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|MR|2", ""),
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|SS|2", "c"),
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|a\\|b|c\\|d", "f"),
        ("identifier:text", "medical", "a"),
        ("identifier:text", "SOCIAL SEC,bars", "bf"),
        ("gender:in", "http://hl7.org/fhir/ValueSet/administrative-gender", "cd"),
        ("gender:not-in", "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", "abef"),
        ("gender:in", "http://here.org/ValueSet/men", "d"),
        ("gender:not-in", "http://here.org/ValueSet/men", "abcef"),
        ("identifier:in", "http://here.org/ValueSet/all-of-s", "abcf"),
        ("identifier:in", "http://here.org/ValueSet/all-but", "cf"),
        ("identifier:not-in", "http://here.org/ValueSet/all-but", "abde"),
    ],
)
def test_modifiers_of_tokens(patients: Shelf, name: str, value: str, expected: str) -> None:
    stored: dict[str, Members] = {
        "http://here.org/ValueSet/men": {
            "http://hl7.org/fhir/administrative-gender": Codes(frozenset({"male"}))
        },
        "http://here.org/ValueSet/all-of-s": {"urn:s": codes.ALL},
        "http://here.org/ValueSet/all-but": {
            "urn:s": Codes(frozenset({"446053", "c"}), others=True),
            "urn:t": codes.NONE,
        },
    }
    site = dataclasses.replace(SITE, value_set=lambda url: stored.get(url) or codes.of_r4(url))
    shelf = dataclasses.replace(patients, site=site)
    assert "".join(shelf.find((name, value))) == expected


@pytest.mark.parametrize(
    ("value", "finds"),
    [("married", True), ("verheiratet, glucklich", True), ("GLÜCK", False), ("M", True), ("m.*", False)],
)
def test_text_is_that_of_the_concept_and_of_its_codings(
    shelves: Mapping[str, Shelf], value: str, finds: bool
) -> None:
    """`:text` processes the parameter as a string: its beginning, without case and accents."""
    codes = [{"code": "M", "display": "Married"}]
    resource = {"category": [{"coding": codes, "text": "Verheiratet, glücklich"}]}
    assert shelves["Observation"].finds(resource, ("category:text", value.replace(",", "\\,"))) is finds


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("class:below", "_ActEncounterCode", ["acute", "ambulatory", "inpatient"]),
        ("class:below", "IMP", ["acute", "inpatient"]),
        ("class:below", "ACUTE", ["acute"]),
        ("class:above", "ACUTE", ["acute", "inpatient"]),
        ("class:above", "AMB", ["ambulatory"]),
        ("class:below", "unheard-of", []),
    ],
)
def test_codes_above_and_below(
    shelves: Mapping[str, Shelf], name: str, code: str, expected: list[str]
) -> None:
    shelf = shelves["Encounter"]
    if not shelf.find():
        for each, encounter in (("AMB", "ambulatory"), ("IMP", "inpatient"), ("ACUTE", "acute")):
            shelf.put({"id": encounter, "class": {"system": ACT, "code": each}})
        shelf.put({"id": "other", "class": {"system": "urn:other", "code": "IMP"}})
    assert shelf.find((name, f"{ACT}|{code}")) == expected


def test_codes_nest_as_a_stored_code_system_says(shelves: Mapping[str, Shelf]) -> None:
    nested = {"concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]}
    system = of_code_system(nested)
    site = dataclasses.replace(SITE, concepts=lambda url: system if url == "urn:nested" else None)
    shelf = dataclasses.replace(shelves["Condition"], site=site)
    for each in "abc":
        shelf.put({"id": each, "code": {"coding": [{"system": "urn:nested", "code": each}]}})
    assert shelf.find(("code:below", "urn:nested|a")) == ["a", "b"]
    assert shelf.find(("code:above", "urn:nested|b")) == ["a", "b"]
    assert shelf.find(("code:above", "urn:nested|a,urn:nested|c")) == ["a", "c"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("identifier:of-type", "MR|446053", "system|code|value"),
        ("identifier:of-type", "|MR|446053", "system|code|value"),
        ("gender:in", "http://a.org/ValueSet/unknown", "not known here"),
        ("gender:not-in", "http://hl7.org/fhir/ValueSet/body-site", "not known here"),
        ("gender:below", "male", "system|code"),
        ("gender:below", "http://snomed.info/sct|404684003", "not known here"),
        ("gender:above", "http://loinc.org|718-7", "not known here"),
        ("gender:text", "\u0301", "nothing to look for"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(patients: Shelf, name: str, value: str, why: str) -> None:
    with pytest.raises(FHIRError, match=f"'{name}'") as refused:
        patients.find((name, value))
    assert refused.value.status == 400
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identifier:text", "medical"),
        ("identifier:of-type", f"{IDENTIFIER_TYPES}|MR|446053"),
        ("gender:in", "http://hl7.org/fhir/ValueSet/administrative-gender"),
    ],
)
def test_modifiers_are_answered_from_the_index(patients: Shelf, name: str, value: str) -> None:
    assert "COLLSCAN" not in patients.stages((name, value))
