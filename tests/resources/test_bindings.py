from __future__ import annotations

from resources import bindings

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
CLINICAL = "http://hl7.org/fhir/ValueSet/condition-clinical"
SYSTEM = "http://terminology.hl7.org/CodeSystem/condition-clinical"
OPEN = "http://hl7.org/fhir/ValueSet/mimetypes"


def test_a_code_of_the_value_set() -> None:
    assert bindings.code_fault("male", GENDER) is None


def test_another_code_names_those_allowed_and_the_nearest() -> None:
    text = bindings.code_fault("femal", GENDER)
    assert text is not None
    assert "female, male, other, unknown" in text
    assert "Did you mean 'female'?" in text


def test_an_open_value_set_takes_every_code() -> None:
    assert bindings.code_fault("text/plain", OPEN) is None
    assert bindings.concept_fault({"coding": [{"code": "x"}]}, OPEN) is None


def test_one_coding_of_the_value_set_is_enough() -> None:
    concept = {
        "coding": [{"system": "http://example.org", "code": "x"}, {"system": SYSTEM, "code": "active"}]
    }
    assert bindings.concept_fault(concept, CLINICAL) is None


def test_a_concept_without_a_coding_of_the_value_set() -> None:
    for coding in (
        {"system": SYSTEM, "code": "bogus"},
        {"code": "active"},
        {"system": "http://x", "code": "active"},
    ):
        assert "active" in str(bindings.concept_fault({"coding": [coding]}, CLINICAL))


def test_text_alone_is_accepted() -> None:
    assert bindings.concept_fault({"text": "active"}, CLINICAL) is None
