from __future__ import annotations

from resources.inside import inside


def test_types_inside_types() -> None:
    assert inside("CodeableConcept") == {"CodeableConcept", "Coding"}
    assert {"Reference", "Identifier", "Period", "CodeableConcept"} <= inside("Reference")
    assert "Patient.contact" in inside("Patient")
    assert "Questionnaire.item" in inside("Questionnaire.item")


def test_what_only_an_extension_leads_to_is_not_inside() -> None:
    assert "Reference" not in inside("Coding")
    assert "Extension" not in inside("Patient")
